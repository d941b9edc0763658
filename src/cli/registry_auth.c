/* Credentials for a registry: see registry_auth.h. */
#include "cli/registry_auth.h"

#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fs.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "lease/protocol.h"
#include "spec/ref.h"

#define FILE_MAX 65536

/* "https://index.docker.io/v1/" is what Docker calls its own registry. */
static struct str host_of_key(struct str key)
{
	struct str host;

	if (str_starts(key, "https://"))
		key = (struct str){key.p + 8, key.n - 8};
	else if (str_starts(key, "http://"))
		key = (struct str){key.p + 7, key.n - 7};
	str_cut(&key, '/', &host);
	return str_is(host, "index.docker.io") ? STR("docker.io") : host;
}

/* A short name is the provider's business; it most likely means Docker's. */
static int registry_of(char host[static SPEC_REF_HOST_MAX + 1], const char *image, struct err *e)
{
	struct spec_ref r;

	if (strncmp(image, "oci", 3) == 0 && strchr(image, ':') && strchr(image, '/') &&
	    strchr(image, ':') < strchr(image, '/'))
		return err_set(e, ERRK_INPUT, "%s is in no registry", image);
	if (spec_ref_parse(&r, str_of(image), "docker.io", e))
		return -1;
	memcpy(host, r.host, sizeof(r.host));
	return 0;
}

static int take(char **out, struct str auth, const char *host, struct err *e)
{
	auto_buf struct buf plain = BUF(LEASE_AUTH_MAX);

	if (auth.n == 0 || auth.n > LEASE_AUTH_MAX ||
	    base64_decode(&plain, auth, BASE64_STD, NULL) < 0 || !memchr(plain.p, ':', plain.n))
		return err_set(e, ERRK_INPUT, "the entry of %s has no base64 of USER:PASSWORD",
			       host);
	*out = mem_strndup(auth.p, auth.n);
	return 0;
}

static int from_config(char **out, const struct json *root, const char *image, struct err *e)
{
	char host[SPEC_REF_HOST_MAX + 1];
	const struct json *auths;
	struct str auth = {0};

	if (registry_of(host, image, e) < 0 ||
	    json_child(root, "auths", JSON_OBJECT, &auths, e) < 0)
		return -1;
	for (const struct json *j = json_first(auths); j; j = json_next(j)) {
		if (!str_is(host_of_key(json_key(j)), host))
			continue;
		if (json_opt_str(j, "auth", LEASE_AUTH_MAX, &auth, e) < 0)
			return -1;
		return take(out, auth, host, e);
	}
	return err_set(e, ERRK_INPUT,
		       "it has no entry for %s (those of credential helpers are not read)", host);
}

static int from_line(char **out, struct str text, struct err *e)
{
	auto_buf struct buf b = BUF(LEASE_AUTH_MAX);
	struct str line = str_trim(text);

	if (line.n == 0 || !memchr(line.p, ':', line.n) || memchr(line.p, '\n', line.n))
		return err_set(e, ERRK_INPUT,
			       "want one line USER:PASSWORD, or Docker's config.json");
	base64_encode(&b, line.p, line.n, BASE64_STD);
	if (buf_check(&b, "credentials", e) < 0)
		return -1;
	*out = buf_steal(&b);
	return 0;
}

int registry_auth_parse(char **out, struct str text, const char *image, struct err *e)
{
	static const struct json_limits LIMITS = {.bytes = FILE_MAX, .depth = 6};
	auto_json struct json *root = NULL;

	if (!str_starts(str_trim(text), "{"))
		return from_line(out, text, e);
	if (json_parse(&root, text, &LIMITS, e) < 0)
		return -1;
	return from_config(out, root, image, e);
}

int registry_auth_read(char **out, const char *file, const char *image, struct err *e)
{
	auto_buf struct buf text = BUF(FILE_MAX);
	int r = strcmp(file, "-") == 0 ? fs_read_fd(&text, STDIN_FILENO, "standard input", e)
				       : fs_read(&text, file, e);

	if (r)
		return r < 0 ? -1 : err_set(e, ERRK_INPUT, "there is no %s", file);
	return registry_auth_parse(out, buf_view(&text), image, e);
}
