/*
 * leasectl bundle: the runtime bundle of a spec, printed or written to a folder, as for an image
 * that says nothing about itself. An operator sees what a container gets, and can run it by hand.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "ctl/ctl.h"
#include "oci/oci.h"
#include "spec/policy.h"
#include "spec/template.h"

#define ID_COUNT 65536

struct bundle_options {
	const char *template, *grant, *id_base;
};

struct bundle {
	struct spec spec;
	struct spec_grant grant;
	struct oci_placement place;
	char *dir, *rootfs; /* absolute */
	char **volumes;
};

static void bundle_clear(struct bundle *b)
{
	for (size_t i = 0; i < b->spec.storage.n && b->volumes; i++)
		free(b->volumes[i]);
	free(b->volumes);
	spec_clear(&b->spec);
	spec_grant_clear(&b->grant);
	free(b->dir);
	free(b->rootfs);
}
#define auto_bundle __attribute__((cleanup(bundle_clear)))

static int read_file(struct buf *out, const char *path, struct err *e)
{
	int r = fs_read(out, path, e);

	return r > 0 ? err_set(e, ERRK_INPUT, "there is no %s", path) : r;
}

/* An offer's defaults stand for what the spec leaves to the offer. */
static void fill_limits(struct spec_limits *l)
{
	if (!l->cpu)
		l->cpu = 1000;
	if (!l->memory)
		l->memory = UINT64_C(512) << 20;
	if (!l->pids)
		l->pids = 256;
	if (!l->disk)
		l->disk = UINT64_C(2) << 30;
}

/* The spec is what a buyer says of it then. */
static int use_template(struct bundle *b, const char *path, struct err *e)
{
	auto_buf struct buf text = BUF(SPEC_TEMPLATE_JSON_MAX);
	auto_spec_template struct spec_template t = {0};
	const char *slash = strrchr(path, '/');
	struct str rest = str_of(slash ? slash + 1 : path), name;

	str_cut(&rest, '.', &name);
	if (read_file(&text, path, e) < 0)
		return -1;
	if (spec_template_decode(&t, name, buf_view(&text), e) < 0)
		return err_wrap(e, "%s", path);
	if (spec_template_use(&b->spec, &t, e) < 0)
		return -1;
	spec_grant_add(&b->grant, &t.grant);
	return 0;
}

static int read_spec(struct bundle *b, const char *path, const char *template, struct err *e)
{
	auto_buf struct buf text = BUF(SPEC_JSON_MAX);

	if (read_file(&text, path, e) < 0)
		return -1;
	if (spec_decode(&b->spec, buf_view(&text), e) < 0)
		return err_wrap(e, "%s", path);
	if (template && use_template(b, template, e) < 0)
		return -1;
	fill_limits(&b->spec.limits);
	return spec_check(&b->spec, e) < 0 ? err_wrap(e, "%s", path) : 0;
}

static int read_grant(struct bundle *b, const char *path, struct err *e)
{
	auto_buf struct buf text = BUF(SPEC_GRANT_JSON_MAX);
	auto_spec_grant struct spec_grant file = {0};

	if (path && read_file(&text, path, e) < 0)
		return -1;
	if (path && spec_grant_decode(&file, buf_view(&text), e) < 0)
		return err_wrap(e, "%s", path);
	spec_grant_add(&b->grant, &file);
	b->place.grant = &b->grant;
	return spec_grant_look_up(&b->grant, e) < 0 ? err_wrap(e, "grant") : 0;
}

/* A template often runs what its image does. */
static int stand_in(struct image_config *image, const struct spec *s, struct err *e)
{
	if (!*s->template || s->args.n || s->has_entrypoint)
		return 0;
	return image_config_add(image, IMAGE_CMD, STR("COMMAND-OF-THE-IMAGE"), e);
}

/* Only the image knows names. */
static int find_user(struct image_user *u, const char *text, struct err *e)
{
	struct str uid, gid = str_of(text);
	uint64_t n;

	str_cut(&gid, ':', &uid);
	if (str_u64(uid, UINT16_MAX, &n, NULL))
		return err_set(e, ERRK_INPUT, "user: without its image only a number is known");
	u->uid = (uint32_t)n;
	if (gid.n && str_u64(gid, UINT16_MAX, &n, NULL))
		return err_set(e, ERRK_INPUT, "user: without its image only numbers are known");
	u->gid = gid.n ? (uint32_t)n : 0;
	memcpy(u->home, "/", 2);
	return 0;
}

static int read_id_base(struct bundle *b, const char *text, struct err *e)
{
	uint64_t base;

	if (!text)
		return 0;
	if (str_u64(str_of(text), UINT32_MAX - ID_COUNT, &base, e) < 0)
		return err_wrap(e, "--id-base");
	b->place.id_base = (uint32_t)base;
	b->place.id_count = ID_COUNT;
	return 0;
}

static int set_place(struct bundle *b, const char *dir, struct err *e)
{
	auto_free char *here = getcwd(NULL, 0);

	if (!here)
		return err_sys(e, "getcwd");
	b->dir = !dir		 ? mem_strdup("/run/leased/bundle")
		 : dir[0] == '/' ? mem_strdup(dir)
				 : mem_printf("%s/%s", here, dir);
	b->rootfs = mem_printf("%s/rootfs", b->dir);
	b->volumes = mem_array(b->spec.storage.n, sizeof(*b->volumes));
	for (size_t i = 0; i < b->spec.storage.n; i++)
		if (b->spec.storage.v[i].type != SPEC_TMPFS)
			b->volumes[i] = mem_printf("%s/volumes/%zu", b->dir, i);
	b->place.rootfs = b->rootfs;
	b->place.cgroup = "/leased-bundle";
	b->place.hostname = "bundle";
	b->place.caps = spec_caps_requestable();
	b->place.volumes = (const char *const *)b->volumes;
	b->place.nvolumes = b->spec.storage.n;
	return 0;
}

static int write_bundle(const struct bundle *b, const struct buf *config, struct err *e)
{
	auto_free char *path = mem_printf("%s/config.json", b->dir);

	if (fs_mkdirs(b->rootfs, 0711, e) < 0)
		return -1;
	for (size_t i = 0; i < b->spec.storage.n; i++)
		if (b->volumes[i] && fs_mkdirs(b->volumes[i], 0711, e) < 0)
			return -1;
	return fs_write(path, config->p, config->n, 0600, e);
}

/* What a buyer who asked for this would hear. */
static void warn_of_policy(const struct spec *s)
{
	struct spec_policy p;
	struct err e;

	spec_policy_here(&p);
	p.features |= SPEC_OFFERS_INTERNET | SPEC_OFFERS_BANDWIDTH;
	if (spec_policy_check(&p, s, &e) < 0)
		fprintf(stderr, "leasectl: a buyer is refused: %s\n", e.msg);
}

static int build(struct bundle *b, struct buf *config, const struct bundle_options *o, char **argv,
		 struct err *e)
{
	auto_free struct image_config *image = mem_zero(sizeof(*image));

	if (read_spec(b, argv[0], o->template, e) < 0 || read_grant(b, o->grant, e) < 0 ||
	    stand_in(image, &b->spec, e) < 0 || read_id_base(b, o->id_base, e) < 0 ||
	    set_place(b, argv[1], e) < 0 ||
	    find_user(&b->place.user, oci_user(&b->spec, image), e) < 0)
		return -1;
	return oci_config(config, &b->spec, image, &b->place, e);
}

static int run(void *ctx, const void *options, int argc, char **argv)
{
	auto_buf struct buf config = BUF(OCI_CONFIG_MAX);
	auto_bundle struct bundle b = {0};
	struct err e = {0};

	if (argc < 1 || argc > 2)
		return ctl_usage("bundle", "want SPEC.json and perhaps a folder");
	if (build(&b, &config, options, argv, &e) < 0)
		return ctl_fail(-1, &e);
	warn_of_policy(&b.spec);
	buf_byte(&config, '\n');
	if (argc == 2 && write_bundle(&b, &config, &e) < 0)
		return ctl_fail(-1, &e);
	if (argc == 1)
		fputs(buf_view(&config).p, stdout);
	return CTL_OK;
}

static const struct opt opts[] = {
	{0, "template", OPT_STRING, offsetof(struct bundle_options, template), "FILE",
	 "of this template; the spec is what a buyer says beside its name"},
	{0, "grant", OPT_STRING, offsetof(struct bundle_options, grant), "FILE",
	 "with an offer's grant: folders and devices of the host, more powers"},
	{0, "id-base", OPT_STRING, offsetof(struct bundle_options, id_base), "N",
	 "in a user namespace of 65536 ids from N on"},
};

const struct verb verb_bundle = {"bundle",
				 "SPEC.json [DIR]",
				 "print the runtime's config.json of a spec, or make a bundle",
				 opts,
				 ARRAY_SIZE(opts),
				 false,
				 false,
				 sizeof(struct bundle_options),
				 run};
