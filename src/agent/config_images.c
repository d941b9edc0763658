/* What an offer's image lines and the section [images] say. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config.h"
#include "base/mem.h"
#include "proto/offer.h"
#include "spec/ref.h"

#define ARCHIVE	   "oci-archive:"
#define HTTPS_PORT 443
#define LISTED_MAX 255 /* of what an offer lists */

static void clear_image(struct config_image *im)
{
	free(im->name);
	free(im->ref);
	free(im->path);
	free(im->tag);
	*im = (struct config_image){0};
}

static bool is_tag(struct str s)
{
	size_t i;

	if (s.n == 0 || s.n > 128)
		return false;
	for (i = 0; i < s.n; i++)
		if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z') ||
		      (s.p[i] >= '0' && s.p[i] <= '9') || strchr("._-", s.p[i])))
			return false;
	return true;
}

/* "/PATH[:TAG]" behind "oci:" or "oci-archive:" */
static int parse_file(struct config_image *out, const char *transport, struct str s, struct err *e)
{
	struct str rest = s, path = {0};

	str_cut(&rest, ':', &path);
	if (path.n < 2 || path.p[0] != '/')
		return err_set(e, ERRK_INPUT, "the image's path is not absolute");
	if (rest.p && !is_tag(rest))
		return err_set(e, ERRK_INPUT, "the image's tag is not one");
	out->path = mem_strndup(path.p, path.n);
	out->tag = rest.p ? mem_strndup(rest.p, rest.n) : mem_strdup("latest");
	out->ref = mem_printf("%s%s:%s", transport, out->path, out->tag);
	return 0;
}

/* Written by the operator, who has no default registry here: a short name would hide what it is. */
static int parse_registry(struct config_image *out, struct str s, struct err *e)
{
	char text[SPEC_REF_TEXT_MAX + 1];
	struct spec_ref r;

	if (spec_ref_parse(&r, s, NULL, e))
		return -1;
	spec_ref_write(text, &r);
	out->kind = CONFIG_IMAGE_REGISTRY;
	out->ref = mem_strdup(text);
	return 0;
}

static int parse_ref(struct config_image *out, struct str s, struct err *e)
{
	if (str_starts(s, "oci:"))
		return parse_file(out, "oci:", (struct str){s.p + 4, s.n - 4}, e);
	if (str_starts(s, ARCHIVE)) {
		size_t n = strlen(ARCHIVE);

		out->kind = CONFIG_IMAGE_ARCHIVE;
		return parse_file(out, ARCHIVE, (struct str){s.p + n, s.n - n}, e);
	}
	return parse_registry(out, s, e);
}

static bool is_image_name(struct str s)
{
	struct str rest = s, tag, name = {0};

	str_cut(&rest, ':', &name);
	tag = rest;
	return is_tag(name) && (!tag.p || is_tag(tag));
}

static int parse_pattern(struct config_image *out, struct str s, struct err *e)
{
	if (spec_ref_check_pattern(s, e))
		return -1;
	out->kind = CONFIG_IMAGE_PATTERN;
	out->name = mem_strndup(s.p, s.n);
	out->ref = mem_strdup(out->name);
	return 0;
}

static int parse_image(struct config_image *out, struct str line, struct err *e)
{
	struct str rest = line, name = {0};

	if (line.n > LISTED_MAX)
		return err_set(e, ERRK_INPUT, "longer than %d bytes", LISTED_MAX);
	if (spec_ref_is_pattern(line))
		return parse_pattern(out, line, e);
	str_cut(&rest, '=', &name);
	if (rest.p && !is_image_name(name))
		return err_set(e, ERRK_INPUT,
			       "\"%.*s\" is not an image: write [NAME=]oci:/LAYOUT[:TAG] or "
			       "[NAME=]HOST/PATH[:TAG]",
			       (int)line.n, line.p);
	out->name = mem_strndup(name.p, name.n);
	return parse_ref(out, rest.p ? rest : line, e);
}

int config_check_image(struct str line, struct err *e)
{
	struct config_image im = {0};
	int done = parse_image(&im, line, e);

	clear_image(&im);
	return done;
}

void config_clear_images(struct config_offer *o)
{
	size_t i;

	for (i = 0; i < o->nimages; i++)
		clear_image(&o->images[i]);
	free(o->images);
	o->images = NULL;
	o->nimages = 0;
}

int config_fill_images(struct config_offer *o, struct err *e)
{
	size_t n = 0, i;

	config_clear_images(o);
	while (o->image_lines && o->image_lines[n])
		n++;
	o->images = mem_array(n, sizeof(*o->images));
	for (o->nimages = 0; o->nimages < n; o->nimages++) {
		struct config_image *im = &o->images[o->nimages];

		if (parse_image(im, str_of(o->image_lines[o->nimages]), e)) {
			clear_image(im);
			return -1;
		}
		for (i = 0; i < o->nimages; i++)
			if (strcmp(o->images[i].name, im->name) == 0) {
				err_set(e, ERRK_INPUT, "image %s is given twice", im->name);
				clear_image(im);
				return -1;
			}
	}
	return 0;
}

int config_add_image(struct config_offer *o, const char *ref, struct err *e)
{
	struct config_image im = {0};

	for (size_t i = 0; i < o->nimages; i++)
		if (strcmp(o->images[i].name, ref) == 0)
			return 0;
	if (o->nimages >= OFFER_IMAGES_MAX)
		return err_set(e, ERRK_LIMIT, "more than %d images with those of templates",
			       OFFER_IMAGES_MAX);
	if (parse_image(&im, str_of(ref), e)) {
		clear_image(&im);
		return -1;
	}
	o->images = mem_grow(o->images, o->nimages + 1, sizeof(*o->images));
	o->images[o->nimages++] = im;
	return 0;
}

/* --- [images] --- */

static int read_address(uint32_t *out, struct str s)
{
	char text[INET_ADDRSTRLEN];
	struct in_addr a;

	if (s.n == 0 || s.n >= sizeof(text))
		return -1;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	if (inet_pton(AF_INET, text, &a) != 1)
		return -1;
	*out = ntohl(a.s_addr);
	return 0;
}

static struct str host_name(struct str host)
{
	struct str rest = host, name = {0};

	str_cut(&rest, ':', &name);
	return name;
}

static uint16_t host_port(struct str host, uint16_t usual)
{
	struct str rest = host, name = {0};
	uint64_t port;

	str_cut(&rest, ':', &name);
	return str_u64(rest, 65535, &port, NULL) == 0 ? (uint16_t)port : usual;
}

static bool is_listed(char *const *list, struct str host)
{
	for (; list && *list; list++)
		if (str_is(host, *list))
			return true;
	return false;
}

static int read_reach(struct config *c, struct config_reach *out, const char *line, struct err *e)
{
	struct str addr = str_of(line), host = {0};

	str_cut(&addr, '=', &host);
	if (!addr.p || !spec_ref_is_host(host) || read_address(&out->addr, addr))
		return err_set(e, ERRK_INPUT, "reach: \"%s\" is not HOST[:PORT]=ADDRESS", line);
	out->line = line;
	out->nhost = host_name(host).n;
	out->port = host_port(host, is_listed(c->plain_http, host) ? 80 : HTTPS_PORT);
	return 0;
}

static int check_mirror(const char *line, struct err *e)
{
	struct str to = str_of(line), host = {0}, path;
	struct spec_ref r;
	auto_free char *as_ref = NULL;

	str_cut(&to, '=', &host);
	if (!to.p || !spec_ref_is_host(host))
		return err_set(e, ERRK_INPUT, "mirror: \"%s\" is not HOST=MIRROR", line);
	path = to;
	str_cut(&path, '/', &host);
	if (!spec_ref_is_host(host))
		return err_set(e, ERRK_INPUT, "mirror: \"%s\" names no host", line);
	if (!path.p)
		return 0;
	/* a path of a mirror is one that images could have, too */
	as_ref = mem_printf("x.y/%.*s", (int)path.n, path.p);
	return spec_ref_parse(&r, str_of(as_ref), NULL, NULL) || strpbrk(as_ref, ":@")
		       ? err_set(e, ERRK_INPUT, "mirror: \"%s\" has no proper path", line)
		       : 0;
}

static int check_hosts(const struct config *c, struct err *e)
{
	char *const *line;

	if (c->default_registry &&
	    (!spec_ref_is_host(str_of(c->default_registry)) ||
	     strspn(c->default_registry, "abcdefghijklmnopqrstuvwxyz0123456789.:-") !=
		     strlen(c->default_registry)))
		return err_set(e, ERRK_INPUT, "default_registry: no host name in lower case");
	for (line = c->plain_http; line && *line; line++)
		if (!spec_ref_is_host(str_of(*line)))
			return err_set(e, ERRK_INPUT, "plain_http: \"%s\" is no HOST[:PORT]",
				       *line);
	for (line = c->mirrors; line && *line; line++)
		if (check_mirror(*line, e))
			return -1;
	return 0;
}

int config_check_pulls(struct config *c, struct err *e)
{
	size_t n = 0;

	if (check_hosts(c, e))
		return -1;
	while (c->reach_lines && c->reach_lines[n])
		n++;
	free(c->reach);
	c->reach = mem_array(n + 1, sizeof(*c->reach));
	for (c->nreach = 0; c->nreach < n; c->nreach++)
		if (read_reach(c, &c->reach[c->nreach], c->reach_lines[c->nreach], e))
			return -1;
	return 0;
}

/* Without a name server: an address, or one of `reach`. */
static bool is_near(const struct config *c, struct str host)
{
	struct str name = host_name(host);
	uint32_t addr;

	if (read_address(&addr, name) == 0)
		return true;
	for (size_t i = 0; i < c->nreach; i++)
		if (str_eq(name, (struct str){c->reach[i].line, c->reach[i].nhost}))
			return true;
	return false;
}

static bool is_served_near(const struct config *c, struct str host)
{
	if (is_near(c, host))
		return true;
	for (char *const *line = c->mirrors; line && *line; line++) {
		struct str to = str_of(*line), of = {0}, mirror;

		str_cut(&to, '=', &of);
		str_cut(&to, '/', &mirror);
		if (str_eq(of, host) && is_near(c, mirror))
			return true;
	}
	return false;
}

static int check_source(struct config *c, const struct config_image *im, struct err *e)
{
	struct str rest = str_of(im->ref), host = {0};

	if (im->kind == CONFIG_IMAGE_LAYOUT)
		return 0;
	c->pulls_images = true;
	if (im->kind == CONFIG_IMAGE_ARCHIVE || c->nresolvers > 0)
		return 0;
	str_cut(&rest, '/', &host);
	if (is_served_near(c, host))
		return 0;
	return err_set(e, ERRK_INPUT,
		       "image %s is in a registry, but [network] names no resolver to find it with",
		       im->name);
}

int config_check_reach(struct config *c, struct err *e)
{
	c->pulls_images = false;
	for (size_t i = 0; i < c->noffers; i++)
		for (size_t k = 0; k < c->offers[i]->nimages; k++)
			if (check_source(c, &c->offers[i]->images[k], e))
				return err_wrap(e, "[offer %s]", c->offers[i]->name);
	if (!c->pulls_images)
		return 0;
	if (c->net_slots <= c->pulls)
		return err_set(e, ERRK_INPUT,
			       "[images] pulls: of %u addresses, or blocks of source ports, "
			       "none is left for leases",
			       (unsigned)c->net_slots);
	c->net_slots -= (uint32_t)c->pulls; /* the last addresses are those of pulls */
	return 0;
}
