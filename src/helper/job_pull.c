/* One pull: ask the registry what it is, then bring it, unpack it, and leave nothing else. */
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "helper/pull_box.h"
#include "helper/pulls.h"
#include "image/parse.h"
#include "spec/ref.h"

#define RESOLVE_S 40 /* a request waits for it that lasts two minutes */
#define ARGS_MAX  32
#define SMALL	  ((uint64_t)32 << 20)
#define MARGIN	  ((uint64_t)16 << 20) /* of a file system, beside a 16th */
#define ARCHIVE	  "oci-archive:"
#define VOLUME	  "pull-"

struct pull {
	const struct pull_task *t;
	const struct helper_pull *p;
	struct priv_image_reply *r;
	struct spec_ref ref;
	char *dir;  /* on memory: the box's root, what the registry said */
	char *root; /* in it */
	char *volume_id;
	struct volume volume;
	struct pull_box box;
	struct image_store store;
	const char *layouts[2];
	struct job_store held; /* whose strings `store` has */
	struct image *img;
	char *mount;	 /* of the volume; NULL: none */
	uint64_t before; /* bytes that an empty volume uses */
};

bool job_is_archive(const char *ref)
{
	return strncmp(ref, ARCHIVE, strlen(ARCHIVE)) == 0;
}

static char *archive_path(const char *ref)
{
	const char *path = ref + strlen(ARCHIVE);

	return mem_strndup(path, strcspn(path, ":"));
}

char *job_archive_key(const char *ref)
{
	auto_free char *path = archive_path(ref);
	struct stat st = {0};

	(void)!stat(path, &st);
	return mem_printf("%s#%" PRIu64 ".%" PRIu64 ".%" PRId64 ".%ld", ref, (uint64_t)st.st_ino,
			  (uint64_t)st.st_size, (int64_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

/* --- the program --- */

static void answer(struct pull *x, enum priv_image_outcome outcome, const struct err *why)
{
	x->r->outcome = outcome;
	free(x->r->message);
	x->r->message = mem_printf("image %.200s: %s", x->t->want.ref, why->msg);
}

static void tick(void *ctx)
{
	struct pull *x = ctx;
	struct statvfs fs;
	uint64_t used;

	if (!x->mount || statvfs(x->mount, &fs) < 0)
		return;
	used = (uint64_t)(fs.f_blocks - fs.f_bfree) * fs.f_frsize;
	x->t->meter->bytes = used > x->before ? used - x->before : 0;
}

/* An answer, and -1, for whatever is not the program's success. */
static int run(struct pull *x, const char *const *verb, struct buf *out, struct err *e)
{
	const char *argv[ARGS_MAX] = {"skopeo",
				      "--policy",
				      "/conf/policy.json",
				      "--registries-conf",
				      "/conf/registries.conf",
				      "--registries.d",
				      "/conf/none",
				      "--tmpdir",
				      "/work",
				      "--override-os",
				      "linux",
				      "--override-arch",
				      parse_host_arch()};
	auto_buf struct buf complaints = BUF(8192);
	size_t n = 13;
	int r;

	while (*verb && n < ARGS_MAX - 1)
		argv[n++] = *verb++;
	r = pull_box_run(&x->box, argv, out, &complaints, tick, x, e);
	if (r <= 0)
		return r;
	if (r == PULL_BOX_LATE) {
		err_set(e, ERRK_PEER, "its registry took too long");
		answer(x, PRIV_IMAGE_UNREACHABLE, e);
		return -1;
	}
	switch (pull_explain(buf_view(&complaints), e)) {
	case PULL_FAULT_UNREACHABLE:
	case PULL_FAULT_BUSY:
		answer(x, PRIV_IMAGE_UNREACHABLE, e);
		break;
	case PULL_FAULT_OTHER:
	case PULL_FAULT_NOT_FOUND:
	case PULL_FAULT_DENIED:
	case PULL_FAULT_TOO_LARGE:
		answer(x, PRIV_IMAGE_NOT_FOUND, e);
	}
	log_info("pull of %s: %s", x->t->want.ref, e->msg);
	return -1;
}

static char *source(const struct pull *x, const char *digest)
{
	if (job_is_archive(x->t->want.ref))
		return mem_printf(ARCHIVE "/archive:%s", strrchr(x->t->want.ref, ':') + 1);
	return mem_printf("docker://%s/%s%s%s", x->ref.host, x->ref.path, digest[0] ? "@" : ":",
			  digest[0] ? digest : x->ref.tag);
}

static int inspect(struct pull *x, const char *digest, const char *what, struct buf *out,
		   struct err *e)
{
	auto_free char *from = source(x, digest);

	return run(x,
		   (const char *const[]){"inspect", what, "--raw", "--authfile", "/conf/auth.json",
					 "--cert-dir", "/conf/certs", from, NULL},
		   out, e);
}

/* --- resolve --- */

static int check_named(const char *digest, struct str text, struct err *e)
{
	char real[SPEC_DIGEST_SIZE];

	pull_digest(real, text);
	return strcmp(real, digest) == 0
		       ? 0
		       : err_set(e, ERRK_INPUT, "the registry sends another image for that digest");
}

/* The manifest for this machine, whatever the tag or digest names. */
static int find_manifest(struct pull *x, const char *digest, struct buf *manifest, struct err *e)
{
	char chosen[SPEC_DIGEST_SIZE];

	/* "--raw" twice means no more than once */
	if (inspect(x, digest, "--raw", manifest, e))
		return -1;
	if (digest[0] && check_named(digest, buf_view(manifest), e))
		return -1;
	if (pull_choose(chosen, &x->store, buf_view(manifest), e))
		return -1;
	if (!chosen[0])
		return 0;
	buf_reset(manifest);
	return inspect(x, chosen, "--raw", manifest, e)
		       ? -1
		       : check_named(chosen, buf_view(manifest), e);
}

static int check_size(const struct pull *x, struct err *e)
{
	if (x->img->size <= x->p->bytes_max)
		return 0;
	return err_set(e, ERRK_LIMIT,
		       "it has %" PRIu64 " MiB; this provider takes at most %" PRIu64,
		       x->img->size >> 20, x->p->bytes_max >> 20);
}

/* A layout without layers is enough to see what it is; everything in it is verified. */
static int look(struct pull *x, const char *digest, struct err *e)
{
	auto_buf struct buf manifest = BUF(PULL_MANIFEST_MAX), config = BUF(PULL_CONFIG_MAX);
	auto_free char *layout = mem_printf("%s/layout", x->dir);
	char found[SPEC_DIGEST_SIZE];

	if (find_manifest(x, digest, &manifest, e))
		return -1;
	pull_digest(found, buf_view(&manifest));
	if (inspect(x, found, "--config", &config, e) ||
	    pull_write_layout(layout, buf_view(&manifest), buf_view(&config), e))
		return -1;
	x->layouts[0] = x->dir;
	return image_resolve(x->img, &x->store, "oci:layout", e) ? -1 : check_size(x, e);
}

/* --- fetch --- */

static int check_disk(const struct pull *x, uint64_t want, struct err *e)
{
	struct statvfs fs;
	uint64_t need = want + x->t->want.promised + JOB_DISK_SPARE;

	if (statvfs(x->t->c->state_dir, &fs) < 0)
		return err_sys(e, "look at %s", x->t->c->state_dir);
	if ((uint64_t)fs.f_bavail * fs.f_frsize >= need)
		return 0;
	return err_set(e, ERRK_LIMIT, "the provider's disk has no room for it");
}

/* A file system of its own is what holds whoever sends more than was said. */
static int open_volume(struct pull *x, uint64_t bytes, struct err *e)
{
	struct statvfs fs;

	x->volume.bytes = bytes + bytes / 16 + MARGIN;
	if (check_disk(x, x->volume.bytes, e) || volume_open(&x->volume, NULL, e))
		return -1;
	x->mount = volume_path(&x->volume);
	if (statvfs(x->mount, &fs) < 0)
		return err_sys(e, "look at %s", x->mount);
	x->before = (uint64_t)(fs.f_blocks - fs.f_bfree) * fs.f_frsize;
	x->box.work = x->mount;
	x->box.file_max = x->volume.bytes;
	return 0;
}

static int copy(struct pull *x, const char *digest, struct err *e)
{
	auto_free char *from = source(x, digest);
	auto_buf struct buf out = BUF(65536);

	return run(x,
		   (const char *const[]){"copy", "--preserve-digests", "--quiet", "--src-authfile",
					 "/conf/auth.json", "--src-cert-dir", "/conf/certs", from,
					 "dir:/work/image", NULL},
		   &out, e);
}

/* What it brought is untrusted: from here on it is a layout as any other. */
static int take(struct pull *x, const char *digest, struct err *e)
{
	char brought[SPEC_DIGEST_SIZE];

	if (pull_adopt(brought, x->mount, e))
		return -1;
	if (digest[0] && strcmp(digest, brought) != 0)
		return err_set(e, ERRK_INPUT, "the registry sent another image");
	x->layouts[0] = x->mount;
	if (image_resolve(x->img, &x->store, "oci:layout", e) || check_size(x, e))
		return -1;
	return image_pull(x->img, &x->store, e);
}

static int note(const struct pull *x, struct err *e)
{
	auto_free char *key = job_is_archive(x->t->want.ref) ? job_archive_key(x->t->want.ref)
							     : mem_strdup(x->t->want.ref);

	/* what needed credentials is asked for again by whoever wants it */
	return x->t->want.auth[0] ? 0 : pull_note(&x->store, key, x->img->digest, e);
}

static int fetch(struct pull *x, const char *digest, uint64_t bytes, struct err *e)
{
	x->t->meter->of = bytes;
	if (open_volume(x, bytes, e) || copy(x, digest, e) || take(x, digest, e))
		return -1;
	return note(x, e);
}

/* --- the whole --- */

static int do_archive(struct pull *x, struct err *e)
{
	auto_free char *path = archive_path(x->t->want.ref);
	struct stat st;

	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(e, ERRK_STATE, "it is not there");
	x->box.archive = path;
	/* it is unpacked beside the copy */
	return fetch(x, "", 3 * (uint64_t)st.st_size + SMALL, e);
}

static int do_registry(struct pull *x, struct err *e)
{
	const struct pull_want *w = &x->t->want;
	int64_t until = x->box.until_ms, soon = clock_mono_ms() + RESOLVE_S * 1000;
	struct image *known = x->img;

	if (spec_ref_parse(&x->ref, str_of(w->ref), NULL, e) ||
	    pull_box_connect(&x->box.netns, x->p, x->t->slot, e))
		return -1;
	x->box.host = x->ref.host;
	x->box.until_ms = soon < until ? soon : until;
	if (look(x, w->kind == PULL_FETCH ? w->digest : x->ref.digest, e))
		return -1;
	x->box.until_ms = until;
	if (w->kind == PULL_FETCH)
		return fetch(x, x->img->digest, x->img->size, e);
	/* the same as before under that name: no need to bring it */
	x->img = image_new();
	if (image_load(x->img, &x->store, known->digest, e) == 0 && note(x, e))
		log_warn("%s", e->msg);
	image_free(x->img);
	x->img = known;
	return 0;
}

static void close_pull(struct pull *x)
{
	struct volume_erasure er;
	struct err err;

	if (x->box.netns >= 0) {
		close(x->box.netns);
		if (tenant_net_remove(x->p->net, &(struct tenant_seat){.slot = x->t->slot}, &err) <
		    0)
			log_warn("pull: %s", err.msg);
	}
	if (x->volume.bytes && volume_erase(&x->volume, &er, &err) < 0)
		log_warn("pull: %s", err.msg);
	if (fs_remove_tree(x->dir, &err) < 0)
		log_warn("pull: %s", err.msg);
	image_free(x->img);
	free(x->dir);
	free(x->root);
	free(x->volume_id);
	free(x->mount);
	job_store_free(&x->held);
}

static struct volume volume_of(const struct helper_config *c, const char *id)
{
	return (struct volume){.state_dir = c->state_dir,
			       .run_dir = c->run_dir,
			       .id = id,
			       .activation = VOLUME_PLAIN};
}

static void open_pull(struct pull *x, const struct pull_task *t, struct priv_image_reply *r)
{
	*x = (struct pull){.t = t, .p = t->c->pull, .r = r};
	x->dir = mem_printf("%s/pull/%u", t->c->run_dir, t->slot);
	x->root = mem_printf("%s/root", x->dir);
	x->volume_id = mem_printf(VOLUME "%u", t->slot);
	x->volume = volume_of(t->c, x->volume_id);
	job_store_init(&x->held, t->c, NULL);
	x->store = x->held.s;
	x->store.layouts = x->layouts;
	x->store.spare += t->want.promised;
	x->img = image_new();
	x->box = (struct pull_box){.pull = x->p,
				   .slot = t->slot,
				   .root = x->root,
				   .auth = t->want.auth[0] ? t->want.auth : NULL,
				   .file_max = SMALL,
				   .netns = -1,
				   .until_ms = clock_mono_ms() + x->p->timeout_s * 1000};
}

int job_pull_clean(const struct helper_config *c, uint32_t slot, struct err *e)
{
	auto_free char *id = mem_printf(VOLUME "%u", slot);
	auto_free char *dir = mem_printf("%s/pull/%u", c->run_dir, slot);
	struct volume v = volume_of(c, id);
	struct volume_erasure er;

	if (volume_erase(&v, &er, e) || fs_remove_tree(dir, e))
		return -1;
	return tenant_net_remove(c->pull->net, &(struct tenant_seat){.slot = slot}, e);
}

static int sweep_one(void *ctx, const char *id)
{
	const struct helper_config *const *c = ctx;
	struct volume v = volume_of(*c, id);
	struct volume_erasure er;
	struct err err;

	if (str_starts(str_of(id), VOLUME) && volume_erase(&v, &er, &err) < 0)
		log_warn("%s", err.msg);
	return 0;
}

int job_pull_sweep(const struct helper_config *c, struct err *e)
{
	return volume_each(c->state_dir, c->run_dir, sweep_one, &c, e);
}

static void tell(struct pull *x, int done, const struct err *err)
{
	if (done == 0) {
		x->r->outcome = PRIV_IMAGE_FOUND;
		x->r->digest = mem_strdup(x->img->digest);
		x->r->size = x->img->size;
		x->r->platform = mem_strdup(x->img->platform);
	} else if (!x->r->message && err->kind == ERRK_SYS) {
		struct err shown;

		log_broken("pull of %s: %s", x->t->want.ref, err->msg);
		err_set(&shown, ERRK_STATE, "the provider failed to bring it");
		answer(x, PRIV_IMAGE_UNREACHABLE, &shown);
	} else if (!x->r->message) {
		answer(x, PRIV_IMAGE_NOT_FOUND, err);
	}
}

void job_pull(const struct pull_task *t, struct priv_image_reply *r)
{
	struct err err = {0};
	struct pull x;
	int done = -1;

	/* what a dead helper wanted nobody waits for */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	open_pull(&x, t, r);
	if (volume_is_mounted(&x.volume) && job_pull_clean(t->c, t->slot, &err))
		log_warn("pull: %s", err.msg);
	if (fs_mkdirs(x.root, 0700, &err) == 0)
		done = job_is_archive(t->want.ref) ? do_archive(&x, &err) : do_registry(&x, &err);
	tell(&x, done, &err);
	close_pull(&x);
}
