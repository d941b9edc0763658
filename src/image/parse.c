/* Index, manifest and configuration of an image (OCI image specification 1.0, Docker v2 schema 2).
 */
#include "image/parse.h"

#include <string.h>
#include <sys/utsname.h>

#include "base/auto.h"
#include "base/json.h"

static const struct json_limits INDEX_LIMITS = {.bytes = PARSE_INDEX_MAX, .depth = 8};
static const struct json_limits BLOB_LIMITS = {.bytes = PARSE_MANIFEST_MAX, .depth = 12};

#define BLOB_SIZE_MAX (UINT64_C(64) << 30)

const char *parse_host_arch(void)
{
	static const struct {
		const char *machine, *arch;
	} NAMES[] = {{"x86_64", "amd64"}, {"aarch64", "arm64"},	  {"riscv64", "riscv64"},
		     {"armv7l", "arm"},	  {"ppc64le", "ppc64le"}, {"s390x", "s390x"}};
	struct utsname u;

	if (uname(&u) == 0)
		for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++)
			if (strcmp(u.machine, NAMES[i].machine) == 0)
				return NAMES[i].arch;
	return "unknown";
}

static int read_digest(char out[static SPEC_DIGEST_SIZE], const struct json *obj, struct err *e)
{
	struct str s;

	if (json_str(obj, "digest", SPEC_DIGEST_SIZE, &s, e))
		return -1;
	if (!spec_is_digest(s))
		return err_set(e, ERRK_INPUT, "digest: only sha256 with 64 hex digits");
	memcpy(out, s.p, s.n);
	out[s.n] = '\0';
	return 0;
}

static struct str media_type(const struct json *obj)
{
	struct str s = {"", 0};
	const struct json *j = json_get(obj, "mediaType");

	if (j)
		(void)json_as_str(j, &s);
	return s;
}

static bool is_index_type(struct str type)
{
	return str_is(type, "application/vnd.oci.image.index.v1+json") ||
	       str_is(type, "application/vnd.docker.distribution.manifest.list.v2+json");
}

static bool is_manifest_type(struct str type)
{
	return str_is(type, "application/vnd.oci.image.manifest.v1+json") ||
	       str_is(type, "application/vnd.docker.distribution.manifest.v2+json");
}

static bool member_is(const struct json *obj, const char *key, const char *value)
{
	const struct json *j = json_get(obj, key);
	struct str s;

	return j && json_as_str(j, &s) && str_is(s, value);
}

/* A descriptor without a platform fits: its configuration is asked later. */
static bool fits_platform(const struct json *d, const char *arch)
{
	const struct json *p = json_get(d, "platform");

	return !p || (member_is(p, "os", "linux") && member_is(p, "architecture", arch));
}

static bool fits_tag(const struct json *d, const char *tag)
{
	const struct json *a = json_get(d, "annotations");

	return a && member_is(a, "org.opencontainers.image.ref.name", tag);
}

/* The first descriptor that fits; `count` tells how many fit without looking at the tag. */
static const struct json *find_descriptor(const struct json *list, const char *tag,
					  const char *arch, size_t *count)
{
	const struct json *found = NULL;

	*count = 0;
	for (const struct json *d = json_first(list); d; d = json_next(d)) {
		if (json_type(d) != JSON_OBJECT || !fits_platform(d, arch))
			continue;
		if (!is_index_type(media_type(d)) && !is_manifest_type(media_type(d)))
			continue;
		(*count)++;
		if (!found && (tag == NULL || fits_tag(d, tag)))
			found = d;
	}
	return found;
}

/* With a tag, that one. Without: "latest", else the only one. A nested index carries no tags. */
static const struct json *choose(const struct json *list, const char *tag, const char *arch)
{
	const struct json *d;
	size_t count;

	d = find_descriptor(list, tag[0] ? tag : "latest", arch, &count);
	if (!d && !tag[0]) {
		d = find_descriptor(list, NULL, arch, &count);
		if (count != 1)
			return NULL;
	}
	return d;
}

int parse_index(struct parse_pick *out, struct str text, const char *tag, const char *arch,
		struct err *e)
{
	auto_json struct json *root = NULL;
	const struct json *list, *d;

	memset(out, 0, sizeof(*out));
	if (json_parse(&root, text, &INDEX_LIMITS, e))
		return err_wrap(e, "image index");
	if (json_child(root, "manifests", JSON_ARRAY, &list, e))
		return err_wrap(e, "image index");
	d = choose(list, tag, arch);
	if (!d)
		return err_set(e, ERRK_STATE, "no image \"%s\" for linux/%s in the layout",
			       tag[0] ? tag : "latest", arch);
	out->is_index = is_index_type(media_type(d));
	if (read_digest(out->digest, d, e) ||
	    json_u64(d, "size", PARSE_MANIFEST_MAX, &out->size, e))
		return err_wrap(e, "image index");
	return 0;
}

int parse_top(struct parse_pick *out, struct str text, const char *arch, struct err *e)
{
	auto_json struct json *root = NULL;
	const struct json *list, *d;
	size_t count;

	memset(out, 0, sizeof(*out));
	if (json_parse(&root, text, &BLOB_LIMITS, e))
		return err_wrap(e, "image manifest");
	if (json_type(root) != JSON_OBJECT || !json_get(root, "manifests"))
		return 0;
	if (json_child(root, "manifests", JSON_ARRAY, &list, e))
		return err_wrap(e, "image index");
	d = find_descriptor(list, NULL, arch, &count);
	if (!d)
		return err_set(e, ERRK_INPUT, "the image is not made for linux/%s", arch);
	if (is_index_type(media_type(d)))
		return err_set(e, ERRK_INPUT, "an index within an index of images");
	if (read_digest(out->digest, d, e) ||
	    json_u64(d, "size", PARSE_MANIFEST_MAX, &out->size, e))
		return err_wrap(e, "image index");
	return 0;
}

static const struct {
	const char *type;
	enum image_compression compression;
} LAYER_TYPES[] = {
	{"application/vnd.oci.image.layer.v1.tar", IMAGE_PLAIN},
	{"application/vnd.oci.image.layer.v1.tar+gzip", IMAGE_GZIP},
	{"application/vnd.oci.image.layer.v1.tar+zstd", IMAGE_ZSTD},
	{"application/vnd.docker.image.rootfs.diff.tar", IMAGE_PLAIN},
	{"application/vnd.docker.image.rootfs.diff.tar.gzip", IMAGE_GZIP},
};

static int read_layer(struct image_layer *out, const struct json *d, struct err *e)
{
	struct str type = media_type(d);
	char shown[96];

	/* "urls" would make us fetch from a place that the image chooses */
	if (json_type(d) != JSON_OBJECT || json_get(d, "urls"))
		return err_set(e, ERRK_INPUT, "a layer that lies elsewhere");
	for (size_t i = 0; i < ARRAY_SIZE(LAYER_TYPES); i++)
		if (str_is(type, LAYER_TYPES[i].type)) {
			out->compression = LAYER_TYPES[i].compression;
			return read_digest(out->blob, d, e) ||
					       json_u64(d, "size", BLOB_SIZE_MAX, &out->size, e)
				       ? -1
				       : 0;
		}
	str_printable(shown, sizeof(shown), type);
	return err_set(e, ERRK_INPUT, "layers of type %s are not supported", shown);
}

int parse_manifest(struct parse_manifest *out, struct str text, struct err *e)
{
	auto_json struct json *root = NULL;
	const struct json *config, *layers;
	uint64_t version;

	memset(out, 0, sizeof(*out));
	if (json_parse(&root, text, &BLOB_LIMITS, e) ||
	    json_u64(root, "schemaVersion", 2, &version, e) ||
	    json_child(root, "config", JSON_OBJECT, &config, e) ||
	    json_child(root, "layers", JSON_ARRAY, &layers, e) ||
	    read_digest(out->config, config, e) ||
	    json_u64(config, "size", PARSE_CONFIG_MAX, &out->config_size, e))
		return err_wrap(e, "image manifest");
	if (version != 2)
		return err_set(e, ERRK_INPUT, "image manifest: schema %d", (int)version);
	for (const struct json *d = json_first(layers); d; d = json_next(d)) {
		if (out->nlayers == IMAGE_LAYERS_MAX)
			return err_set(e, ERRK_LIMIT, "image manifest: more than %d layers",
				       IMAGE_LAYERS_MAX);
		if (read_layer(&out->layers[out->nlayers++], d, e))
			return err_wrap(e, "image manifest");
	}
	return 0;
}

static int add_strings(struct image_config *c, enum image_list list, const struct json *config,
		       const char *key, struct err *e)
{
	const struct json *array = config ? json_get(config, key) : NULL;
	struct str s;

	if (!array)
		return 0;
	if (json_type(array) != JSON_ARRAY)
		return err_set(e, ERRK_INPUT, "%s: not a list", key);
	for (const struct json *j = json_first(array); j; j = json_next(j))
		if (!json_as_str(j, &s))
			return err_set(e, ERRK_INPUT, "%s: not a list of strings", key);
		else if (image_config_add(c, list, s, e))
			return -1;
	return 0;
}

/* {"/data":{}}. A slash at the end says nothing; what cannot be mounted on (below /proc, say) is
 * not worth an error: what is written there is kept, or lost, as without a volume. */
static int add_volumes(struct image_config *c, const struct json *config, struct err *e)
{
	const struct json *object = json_get(config, "Volumes");

	if (!object)
		return 0;
	if (json_type(object) != JSON_OBJECT)
		return err_set(e, ERRK_INPUT, "Volumes: not an object");
	for (const struct json *j = json_first(object); j; j = json_next(j)) {
		struct str path = json_key(j);

		while (path.n > 1 && path.p[path.n - 1] == '/')
			path.n--;
		if (spec_mount_path(path, NULL))
			continue;
		if (c->nvolumes == IMAGE_VOLUMES_MAX)
			return err_set(e, ERRK_LIMIT, "Volumes: more than %d", IMAGE_VOLUMES_MAX);
		if (image_config_add(c, IMAGE_VOLUMES, path, e))
			return -1;
	}
	return 0;
}

static int copy_text(char *dst, size_t size, const struct json *obj, const char *key, struct err *e)
{
	struct str s = {"", 0};

	if (json_opt_str(obj, key, size - 1, &s, e))
		return -1;
	memcpy(dst, s.p, s.n);
	dst[s.n] = '\0';
	return 0;
}

static int read_settings(struct image_config *c, const struct json *config, struct err *e)
{
	char signal[32];

	if (add_strings(c, IMAGE_ENTRYPOINT, config, "Entrypoint", e) ||
	    add_strings(c, IMAGE_CMD, config, "Cmd", e) ||
	    add_strings(c, IMAGE_ENV, config, "Env", e))
		return -1;
	if (!config)
		return 0;
	if (add_volumes(c, config, e))
		return -1;
	if (copy_text(c->workdir, sizeof(c->workdir), config, "WorkingDir", e) ||
	    copy_text(c->user, sizeof(c->user), config, "User", e) ||
	    copy_text(signal, sizeof(signal), config, "StopSignal", e))
		return -1;
	if (signal[0] && spec_signal(str_of(signal), &c->stop_signal, e))
		return err_wrap(e, "StopSignal");
	return 0;
}

static int read_diffids(struct parse_config *out, const struct json *root, struct err *e)
{
	const struct json *rootfs, *list;
	struct str s;

	if (json_child(root, "rootfs", JSON_OBJECT, &rootfs, e) ||
	    json_child(rootfs, "diff_ids", JSON_ARRAY, &list, e))
		return -1;
	for (const struct json *j = json_first(list); j; j = json_next(j)) {
		if (out->ndiffids == IMAGE_LAYERS_MAX || !json_as_str(j, &s) || !spec_is_digest(s))
			return err_set(e, ERRK_INPUT, "rootfs.diff_ids: not at most %d digests",
				       IMAGE_LAYERS_MAX);
		memcpy(out->diffids[out->ndiffids++], s.p, s.n);
	}
	return 0;
}

static int read_platform(char out[static 32], const struct json *root, struct err *e)
{
	struct str os, arch;

	if (json_str(root, "os", 15, &os, e) || json_str(root, "architecture", 15, &arch, e))
		return -1;
	if (!str_is_name(os, 15) || !str_is_name(arch, 15))
		return err_set(e, ERRK_INPUT, "os or architecture is no name");
	memcpy(out, os.p, os.n);
	out[os.n] = '/';
	memcpy(out + os.n + 1, arch.p, arch.n);
	return 0;
}

int parse_config(struct parse_config *out, struct str text, struct err *e)
{
	auto_json struct json *root = NULL;
	const struct json *config;

	memset(out, 0, sizeof(*out));
	if (json_parse(&root, text, &BLOB_LIMITS, e) || read_platform(out->platform, root, e) ||
	    read_diffids(out, root, e))
		return err_wrap(e, "image configuration");
	config = json_get(root, "config");
	if (config && json_type(config) != JSON_OBJECT)
		return err_set(e, ERRK_INPUT, "image configuration: config is not an object");
	if (read_settings(&out->config, config, e))
		return err_wrap(e, "image configuration");
	return image_config_check(&out->config, e);
}

static bool is_digest_field(const char *p)
{
	return memchr(p, '\0', SPEC_DIGEST_SIZE) == p + SPEC_DIGEST_SIZE - 1 &&
	       spec_is_digest(str_of(p));
}

int parse_check_pick(const struct parse_pick *p, struct err *e)
{
	if (!is_digest_field(p->digest) || p->size > PARSE_MANIFEST_MAX || p->is_index > 1)
		return err_set(e, ERRK_INPUT, "the index's parser answered nonsense");
	return 0;
}

int parse_check_manifest(const struct parse_manifest *m, struct err *e)
{
	bool ok = is_digest_field(m->config) && m->config_size <= PARSE_CONFIG_MAX &&
		  m->nlayers <= IMAGE_LAYERS_MAX;

	for (size_t i = 0; ok && i < m->nlayers; i++)
		ok = is_digest_field(m->layers[i].blob) && m->layers[i].size <= BLOB_SIZE_MAX &&
		     m->layers[i].compression <= IMAGE_ZSTD;
	return ok ? 0 : err_set(e, ERRK_INPUT, "the manifest's parser answered nonsense");
}

int parse_check_config(const struct parse_config *c, struct err *e)
{
	bool ok = c->ndiffids <= IMAGE_LAYERS_MAX &&
		  memchr(c->platform, '\0', sizeof(c->platform)) && utf8_valid(str_of(c->platform));

	for (size_t i = 0; ok && i < c->ndiffids; i++)
		ok = is_digest_field(c->diffids[i]);
	if (!ok)
		return err_set(e, ERRK_INPUT, "the configuration's parser answered nonsense");
	return image_config_check(&c->config, e);
}
