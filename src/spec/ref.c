/* References to images in registries: see ref.h. */
#include "spec/ref.h"

#include <string.h>

#define PORT_MAX 65535

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* One label of a host name: letters, digits, and "-" between them. */
static bool is_label(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_word(lower(s.p[i])) && (s.p[i] != '-' || i == 0 || i == s.n - 1))
			return false;
	return s.n > 0 && s.n <= 63;
}

bool spec_ref_is_host(struct str s)
{
	struct str rest = s, name, label;
	uint64_t port = 1;

	if (s.n == 0 || s.n > SPEC_REF_HOST_MAX)
		return false;
	str_cut(&rest, ':', &name);
	if (name.n < s.n && (str_u64(rest, PORT_MAX, &port, NULL) || port == 0))
		return false;
	for (rest = name; str_cut(&rest, '.', &label);)
		if (!is_label(label))
			return false;
	return true;
}

/* Runs of lower-case letters and digits between ".", "_", "__" or any number of "-". */
static bool is_component(struct str s)
{
	size_t i = 0, from;

	for (;;) {
		for (from = i; i < s.n && is_word(s.p[i]); i++)
			;
		if (i == from)
			return false;
		if (i == s.n)
			return true;
		from = i;
		while (i < s.n && s.p[i] == s.p[from] && strchr("._-", s.p[from]))
			i++;
		if (i == from || (s.p[from] == '.' && i - from > 1) ||
		    (s.p[from] == '_' && i - from > 2))
			return false;
	}
}

static bool is_path(struct str s)
{
	struct str rest = s, part;

	if (s.n == 0 || s.n > SPEC_REF_PATH_MAX)
		return false;
	while (str_cut(&rest, '/', &part))
		if (!is_component(part))
			return false;
	return true;
}

static bool is_tag(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_word(lower(s.p[i])) && s.p[i] != '_' &&
		    (i == 0 || (s.p[i] != '.' && s.p[i] != '-')))
			return false;
	return s.n > 0 && s.n <= SPEC_REF_TAG_MAX;
}

static void copy(char *out, struct str s)
{
	memcpy(out, s.p, s.n);
	out[s.n] = '\0';
}

static int refuse(struct err *e, struct str text, const char *why)
{
	char shown[96];

	str_printable(shown, sizeof(shown), text);
	return err_set(e, ERRK_INPUT, "image %s: %s", shown, why);
}

/* "localhost", or with a dot or a port. */
static bool names_host(struct str first)
{
	return str_is(first, "localhost") || memchr(first.p, '.', first.n) ||
	       memchr(first.p, ':', first.n);
}

/* Take "@sha256:…", then ":TAG" behind the last "/", off the end. */
static int cut_end(struct spec_ref *out, struct str *name, struct str text, struct err *e)
{
	const char *at = memchr(text.p, '@', text.n), *colon = NULL;

	if (at) {
		struct str digest = {at + 1, text.n - (size_t)(at - text.p) - 1};

		if (!spec_is_digest(digest))
			return refuse(e, text,
				      "what follows \"@\" is not sha256: and 64 hex digits");
		copy(out->digest, digest);
		text.n = (size_t)(at - text.p);
	}
	for (size_t i = text.n; i > 0 && text.p[i - 1] != '/' && !colon; i--)
		if (text.p[i - 1] == ':')
			colon = text.p + i - 1;
	*name = text;
	if (colon) {
		struct str tag = {colon + 1, text.n - (size_t)(colon - text.p) - 1};

		if (!is_tag(tag))
			return refuse(e, text, "what follows \":\" is no tag");
		copy(out->tag, tag);
		name->n = (size_t)(colon - text.p);
	}
	if (out->digest[0])
		out->tag[0] = '\0'; /* the digest says it all */
	else if (!colon)
		copy(out->tag, STR("latest"));
	return 0;
}

/* Docker's rule for its own registry: one component is one of "library". */
static int set_short(struct spec_ref *out, struct str path, const char *home, struct str text,
		     struct err *e)
{
	bool official = !memchr(path.p, '/', path.n) && strcmp(home, "docker.io") == 0;
	size_t front = official ? strlen("library/") : 0;

	if (!home[0])
		return refuse(e, text,
			      "a short name, and this provider has no default registry: "
			      "write HOST/PATH[:TAG]");
	if (!is_path(path) || front + path.n > SPEC_REF_PATH_MAX)
		return refuse(e, text, "not PATH[:TAG] of lower-case names");
	copy(out->host, str_of(home));
	copy(out->path, STR("library/"));
	copy(out->path + front, path);
	return 0;
}

static int set_long(struct spec_ref *out, struct str host, struct str path, struct str text,
		    struct err *e)
{
	if (!spec_ref_is_host(host))
		return refuse(e, text, "its registry is no host name");
	if (!is_path(path))
		return refuse(e, text, "not HOST/PATH[:TAG] of lower-case names");
	for (size_t i = 0; i < host.n; i++)
		out->host[i] = lower(host.p[i]);
	/* as Docker does: these are one registry */
	if (strcmp(out->host, "index.docker.io") == 0)
		copy(out->host, STR("docker.io"));
	if (strcmp(out->host, "docker.io") != 0 || memchr(path.p, '/', path.n)) {
		copy(out->path, path);
		return 0;
	}
	return set_short(out, path, "docker.io", text, e);
}

int spec_ref_parse(struct spec_ref *out, struct str text, const char *home, struct err *e)
{
	struct str name = {0}, rest, first;

	*out = (struct spec_ref){0};
	if (text.n == 0 || text.n > SPEC_REF_TEXT_MAX || !utf8_valid(text))
		return err_set(e, ERRK_INPUT, "image: 1 to %d characters", SPEC_REF_TEXT_MAX);
	if (cut_end(out, &name, text, e))
		return -1;
	rest = name;
	str_cut(&rest, '/', &first);
	if (first.n < name.n && names_host(first))
		return set_long(out, first, rest, text, e);
	return set_short(out, name, home ? home : "", text, e);
}

void spec_ref_write(char out[static SPEC_REF_TEXT_MAX + 1], const struct spec_ref *r)
{
	struct buf b = BUF(SPEC_REF_TEXT_MAX);

	buf_printf(&b, "%s/%s%s%s", r->host, r->path, r->digest[0] ? "@" : ":",
		   r->digest[0] ? r->digest : r->tag);
	copy(out, buf_view(&b));
	buf_free(&b);
}

bool spec_ref_is_pattern(struct str s)
{
	return s.n > 0 && s.p[s.n - 1] == '*';
}

/* A pattern without its star: HOST and PATH, which may be empty. */
static bool cut_pattern(struct str s, struct str *host, struct str *path)
{
	if (s.n < 3 || s.p[s.n - 1] != '*' || s.p[s.n - 2] != '/')
		return false;
	*path = (struct str){s.p, s.n - 2};
	str_cut(path, '/', host);
	return !path->p || path->n > 0;
}

int spec_ref_check_pattern(struct str s, struct err *e)
{
	struct str host, path;

	if (str_is(s, "*"))
		return 0;
	if (!cut_pattern(s, &host, &path) || !spec_ref_is_host(host) ||
	    (path.n > 0 && !is_path(path)))
		return err_set(e, ERRK_INPUT,
			       "\"%.*s\" is no pattern: write *, HOST/* or HOST/PATH/*", (int)s.n,
			       s.p);
	return 0;
}

static bool fits(const struct spec_ref *r, struct str pattern)
{
	struct str host, path, below = str_of(r->path);

	if (str_is(pattern, "*"))
		return true;
	if (!cut_pattern(pattern, &host, &path) || !str_eq(host, str_of(r->host)))
		return false;
	return path.n == 0 ||
	       (below.n > path.n && below.p[path.n] == '/' && memcmp(below.p, path.p, path.n) == 0);
}

/* A name without "/" is the operator's own word for something. */
static bool same(const struct spec_ref *r, const char *offered)
{
	char a[SPEC_REF_TEXT_MAX + 1], b[SPEC_REF_TEXT_MAX + 1];
	struct spec_ref other;

	if (!strchr(offered, '/') || spec_ref_parse(&other, str_of(offered), NULL, NULL))
		return false;
	spec_ref_write(a, r);
	spec_ref_write(b, &other);
	return strcmp(a, b) == 0;
}

bool spec_ref_sold(const char *image, const char *offered, const char *home)
{
	struct spec_ref r;

	if (strcmp(image, offered) == 0)
		return !spec_ref_is_pattern(str_of(offered));
	if (strncmp(image, "oci:", 4) == 0 || strncmp(image, "oci-archive:", 12) == 0 ||
	    spec_ref_parse(&r, str_of(image), home, NULL))
		return false;
	return spec_ref_is_pattern(str_of(offered)) ? fits(&r, str_of(offered)) : same(&r, offered);
}
