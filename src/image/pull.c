/* Around the program that brings images: see pull.h. */
#include "image/pull.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/hex.h"
#include "base/mem.h"
#include "crypto/hash.h"
#include "image/confine.h"
#include "image/parse.h"
#include "image/store.h"

/* --- configuration --- */

static bool is_plain(const struct pull_hosts *h, struct str host)
{
	for (const char *const *p = h->plain_http; p && *p; p++)
		if (str_is(host, *p))
			return true;
	return false;
}

static void put_location(struct buf *out, const struct pull_hosts *h, struct str location)
{
	struct str rest = location, host;

	str_cut(&rest, '/', &host);
	buf_printf(out, "location = \"%.*s\"\ninsecure = %s\n", (int)location.n, location.p,
		   is_plain(h, host) ? "true" : "false");
}

static void put_registry(struct buf *out, const struct pull_hosts *h, struct str host)
{
	buf_printf(out, "[[registry]]\nprefix = \"%.*s\"\n", (int)host.n, host.p);
	put_location(out, h, host);
	for (const char *const *m = h->mirrors; m && *m; m++) {
		struct str to = str_of(*m), of;

		str_cut(&to, '=', &of);
		if (!str_eq(of, host))
			continue;
		buf_puts(out, "[[registry.mirror]]\n");
		put_location(out, h, to);
	}
}

/* Whether one of the mirrors before `end` is for `host`: it has its entry then. */
static bool has_entry(const struct pull_hosts *h, const char *const *end, struct str host)
{
	for (const char *const *m = h->mirrors; m && m < end; m++) {
		struct str to = str_of(*m), of;

		str_cut(&to, '=', &of);
		if (str_eq(of, host))
			return true;
	}
	return false;
}

void pull_put_registries(struct buf *out, const struct pull_hosts *h)
{
	const char *const *m = h->mirrors;

	buf_puts(out, "unqualified-search-registries = []\nshort-name-mode = \"enforcing\"\n");
	for (; m && *m; m++) {
		struct str to = str_of(*m), of;

		str_cut(&to, '=', &of);
		if (!has_entry(h, m, of))
			put_registry(out, h, of);
	}
	for (const char *const *p = h->plain_http; p && *p; p++)
		if (!has_entry(h, m, str_of(*p)))
			put_registry(out, h, str_of(*p));
}

void pull_put_policy(struct buf *out)
{
	buf_puts(out, "{\"default\":[{\"type\":\"insecureAcceptAnything\"}]}\n");
}

void pull_put_auth(struct buf *out, const char *host, const char *auth)
{
	buf_printf(out, "{\"auths\":{\"%s\":{\"auth\":\"%s\"}}}\n", host, auth);
}

bool pull_auth_is_clean(struct str auth)
{
	for (size_t i = 0; i < auth.n; i++)
		if (auth.p[i] == '\0' ||
		    !strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=",
			    auth.p[i]))
			return false;
	return auth.n > 0;
}

/* --- complaints --- */

/* In this order: a manifest that a registry denies is also one that it does not show. */
static const struct {
	const char *word;
	enum pull_fault fault;
	const char *means;
} COMPLAINTS[] = {
	{"no space left on device", PULL_FAULT_TOO_LARGE, "it sends more than its manifest says"},
	{"file too large", PULL_FAULT_TOO_LARGE, "it sends more than its manifest says"},
	{"toomanyrequests", PULL_FAULT_BUSY, "the registry limits the provider's requests"},
	{"too many requests", PULL_FAULT_BUSY, "the registry limits the provider's requests"},
	{"unauthorized", PULL_FAULT_DENIED,
	 "the registry refuses: credentials are missing or wrong"},
	{"authentication required", PULL_FAULT_DENIED,
	 "the registry refuses: credentials are missing or wrong"},
	{"access to the resource is denied", PULL_FAULT_DENIED,
	 "the registry refuses: it is not there, or credentials are missing"},
	{"403 (Forbidden)", PULL_FAULT_DENIED, "the registry refuses access"},
	{"manifest unknown", PULL_FAULT_NOT_FOUND, "the registry has no such tag or digest"},
	{"name unknown", PULL_FAULT_NOT_FOUND, "the registry has no such image"},
	{"repository name not known", PULL_FAULT_NOT_FOUND, "the registry has no such image"},
	{"not found", PULL_FAULT_NOT_FOUND, "the registry has no such image or tag"},
	{"Digest did not match", PULL_FAULT_OTHER, "the registry sends other bytes than it names"},
	{"no such host", PULL_FAULT_UNREACHABLE, "its registry's name is not known"},
	{"server misbehaving", PULL_FAULT_UNREACHABLE, "its registry's name is not known"},
	{"certificate", PULL_FAULT_UNREACHABLE, "the registry's certificate is not trusted"},
	{"HTTP response to HTTPS client", PULL_FAULT_UNREACHABLE, "the registry speaks no TLS"},
	{"connection refused", PULL_FAULT_UNREACHABLE, "the registry does not answer"},
	{"unreachable", PULL_FAULT_UNREACHABLE, "the registry cannot be reached"},
	{"timeout", PULL_FAULT_UNREACHABLE, "the registry does not answer"},
	{"dial tcp", PULL_FAULT_UNREACHABLE, "the registry cannot be reached"},
	{"unexpected EOF", PULL_FAULT_UNREACHABLE, "the registry hung up"},
};

enum pull_fault pull_explain(struct str complaints, struct err *e)
{
	char text[2048], shown[160];
	size_t n = complaints.n < sizeof(text) - 1 ? complaints.n : sizeof(text) - 1;

	str_printable(text, sizeof(text), (struct str){complaints.p + complaints.n - n, n});
	for (size_t i = 0; i < ARRAY_SIZE(COMPLAINTS); i++)
		if (strcasestr(text, COMPLAINTS[i].word)) {
			err_set(e, ERRK_PEER, "%s", COMPLAINTS[i].means);
			return COMPLAINTS[i].fault;
		}
	n = strlen(text);
	str_printable(shown, sizeof(shown), str_of(text + (n > 150 ? n - 150 : 0)));
	err_set(e, ERRK_PEER, "the pull failed: %s", shown);
	return PULL_FAULT_OTHER;
}

/* --- what was brought --- */

void pull_digest(char out[static SPEC_DIGEST_SIZE], struct str text)
{
	uint8_t hash[32];

	sha256(hash, text.p, text.n);
	memcpy(out, "sha256:", 7);
	hex_encode(out + 7, hash, sizeof(hash));
}

struct top_job {
	struct str text;
	const char *arch; /* asked for outside: the child may not even do that */
};

static int run_top(const void *arg, void *answer, struct buf *tail, struct err *e)
{
	const struct top_job *j = arg;

	return parse_top(answer, j->text, j->arch, e);
}

int pull_choose(char out[static SPEC_DIGEST_SIZE], const struct image_store *store,
		struct str manifest, struct err *e)
{
	auto_free char *empty = store_path(store, STORE_EMPTY, "");
	const struct top_job job = {manifest, parse_host_arch()};
	struct parse_pick p = {0};
	struct confine c = {.kind = CONFINE_PARSE,
			    .root = empty,
			    .input = -1,
			    .run = run_top,
			    .arg = &job,
			    .answer = &p,
			    .answer_n = sizeof(p)};

	out[0] = '\0';
	if (store_prepare(store, e) || confine_run(&c, e))
		return -1;
	if (p.digest[0] == '\0')
		return 0;
	if (parse_check_pick(&p, e))
		return -1;
	memcpy(out, p.digest, sizeof(p.digest));
	return 0;
}

static int write_in(const char *dir, const char *name, struct str text, struct err *e)
{
	auto_free char *path = mem_printf("%s/%s", dir, name);

	return fs_write(path, text.p, text.n, 0600, e);
}

static int write_blob(const char *dir, struct str text, struct err *e)
{
	char digest[SPEC_DIGEST_SIZE];
	auto_free char *name = NULL;

	pull_digest(digest, text);
	name = mem_printf("blobs/sha256/%s", digest + strlen("sha256:"));
	return write_in(dir, name, text, e);
}

/* What it really is, its own text says; the index only has to name it. */
static int write_index(const char *dir, const char *digest, uint64_t size, struct err *e)
{
	auto_buf struct buf b = BUF(512);

	buf_printf(&b,
		   "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/"
		   "vnd.oci.image.manifest.v1+json\",\"digest\":\"%s\",\"size\":%llu}]}",
		   digest, (unsigned long long)size);
	return write_in(dir, "index.json", buf_view(&b), e);
}

int pull_write_layout(const char *dir, struct str manifest, struct str config, struct err *e)
{
	auto_free char *blobs = mem_printf("%s/blobs/sha256", dir);
	char digest[SPEC_DIGEST_SIZE];

	pull_digest(digest, manifest);
	if (fs_mkdirs(blobs, 0700, e) || write_blob(dir, manifest, e) || write_blob(dir, config, e))
		return -1;
	return write_index(dir, digest, manifest.n, e);
}

int pull_adopt(char digest[static SPEC_DIGEST_SIZE], const char *dir, struct err *e)
{
	auto_free char *image = mem_printf("%s/image", dir);
	auto_free char *layout = mem_printf("%s/layout", dir);
	auto_free char *parent = mem_printf("%s/blobs", layout);
	auto_free char *blobs = mem_printf("%s/sha256", parent);
	auto_free char *manifest = mem_printf("%s/manifest.json", blobs);
	auto_free char *named = NULL;
	auto_buf struct buf text = BUF(PULL_MANIFEST_MAX);
	struct stat st;

	/* whoever wrote there may have put links in our way */
	if (lstat(image, &st) || !S_ISDIR(st.st_mode))
		return err_set(e, ERRK_INPUT, "the pull left no image");
	if (mkdir(layout, 0700) || mkdir(parent, 0700))
		return err_sys(e, "mkdir %s", parent);
	if (rename(image, blobs))
		return err_sys(e, "rename %s", image);
	if (lstat(manifest, &st) || !S_ISREG(st.st_mode) || fs_read(&text, manifest, e))
		return err_set(e, ERRK_INPUT, "the pull left no manifest");
	pull_digest(digest, buf_view(&text));
	named = mem_printf("%s/%s", blobs, digest + strlen("sha256:"));
	if (rename(manifest, named))
		return err_sys(e, "rename %s", manifest);
	return write_index(layout, digest, text.n, e);
}

/* --- notes --- */

int pull_note(const struct image_store *store, const char *ref, const char *digest, struct err *e)
{
	return store_prepare(store, e) ? -1 : store_set_name(store, ref, digest, e);
}

int pull_noted(struct image *out, const struct image_store *store, const char *ref, struct err *e)
{
	char digest[SPEC_DIGEST_SIZE];

	return store_get_name(digest, store, ref) ? image_load(out, store, digest, e)
						  : IMAGE_NOT_FOUND;
}
