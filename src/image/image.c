/* Resolving and pulling: the steps between a reference and folders of the store. */
#include "image/image.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/step.h"
#include "image/confine.h"
#include "image/hold.h"
#include "image/layout.h"
#include "image/parse.h"
#include "image/shelf.h"
#include "image/store.h"
#include "image/unpack.h"

#define BYTES_DEFAULT (UINT64_C(10) << 30)

/* What is left of the limits of one image. */
struct budget {
	uint64_t bytes, entries;
};

struct image *image_new(void)
{
	return mem_zero(sizeof(struct image));
}

void image_free(struct image *i)
{
	free(i);
}

/* What a parser in the child works on. */
struct parse_job {
	struct str text;
	const char *tag, *arch;
};

static int run_index(const void *arg, void *answer, struct buf *tail, struct err *e)
{
	const struct parse_job *j = arg;

	return parse_index(answer, j->text, j->tag, j->arch, e);
}

static int run_manifest(const void *arg, void *answer, struct buf *tail, struct err *e)
{
	return parse_manifest(answer, ((const struct parse_job *)arg)->text, e);
}

static int run_config(const void *arg, void *answer, struct buf *tail, struct err *e)
{
	return parse_config(answer, ((const struct parse_job *)arg)->text, e);
}

static int run_parser(const struct image_store *store, struct confine *c, struct err *e)
{
	auto_free char *empty = store_path(store, STORE_EMPTY, "");

	c->kind = CONFINE_PARSE;
	c->root = empty;
	c->input = -1;
	return confine_run(c, e);
}

static int pick(struct parse_pick *out, const struct image_store *store,
		const struct parse_job *job, struct err *e)
{
	struct confine c = {.run = run_index, .arg = job, .answer = out, .answer_n = sizeof(*out)};

	return run_parser(store, &c, e) ? -1 : parse_check_pick(out, e);
}

/* From the tag to the manifest's digest, at most one nested index deep. */
static int find_manifest(struct parse_pick *out, struct buf *manifest,
			 const struct image_store *store, int dir, const char *tag, struct err *e)
{
	auto_buf struct buf index = BUF(PARSE_INDEX_MAX);
	struct parse_job job = {.tag = tag, .arch = parse_host_arch()};

	if (layout_read_index(&index, dir, e))
		return -1;
	job.text = buf_view(&index);
	if (pick(out, store, &job, e))
		return -1;
	if (layout_read_blob(manifest, dir, out->digest, out->size, e))
		return -1;
	if (!out->is_index)
		return 0;
	job.text = buf_view(manifest);
	job.tag = "";
	if (pick(out, store, &job, e))
		return -1;
	if (out->is_index)
		return err_set(e, ERRK_INPUT, "an index within an index of images");
	buf_reset(manifest);
	return layout_read_blob(manifest, dir, out->digest, out->size, e);
}

static int read_config(struct parse_config *out, const struct image_store *store, int dir,
		       const struct parse_manifest *m, struct err *e)
{
	auto_buf struct buf text = BUF(PARSE_CONFIG_MAX);
	struct parse_job job;
	struct confine c = {
		.run = run_config, .arg = &job, .answer = out, .answer_n = sizeof(*out)};

	if (layout_read_blob(&text, dir, m->config, m->config_size, e))
		return -1;
	job.text = buf_view(&text);
	return run_parser(store, &c, e) ? -1 : parse_check_config(out, e);
}

static int read_manifest(struct parse_manifest *out, const struct image_store *store,
			 struct str text, struct err *e)
{
	struct parse_job job = {.text = text};
	struct confine c = {
		.run = run_manifest, .arg = &job, .answer = out, .answer_n = sizeof(*out)};

	return run_parser(store, &c, e) ? -1 : parse_check_manifest(out, e);
}

static int join(struct image *out, const struct parse_manifest *m, const struct parse_config *c,
		struct err *e)
{
	auto_free char *wanted = mem_printf("linux/%s", parse_host_arch());

	if (c->ndiffids != m->nlayers)
		return err_set(e, ERRK_INPUT, "image: %u layers but %u diff_ids", m->nlayers,
			       c->ndiffids);
	if (strcmp(c->platform, wanted) != 0)
		return err_set(e, ERRK_INPUT, "image: for %s; this host is %s", c->platform,
			       wanted);
	memcpy(out->platform, c->platform, sizeof(out->platform));
	memcpy(out->layers, m->layers, sizeof(out->layers));
	out->config = c->config;
	out->nlayers = m->nlayers;
	out->size = m->config_size;
	for (size_t i = 0; i < m->nlayers; i++) {
		memcpy(out->layers[i].diffid, c->diffids[i], SPEC_DIGEST_SIZE);
		out->size += m->layers[i].size;
	}
	return 0;
}

static int read_layout(struct image *out, const struct image_store *store,
		       const struct layout_ref *ref, struct err *e)
{
	auto_free struct parse_manifest *m = mem_zero(sizeof(*m));
	auto_free struct parse_config *c = mem_zero(sizeof(*c));
	auto_buf struct buf manifest = BUF(PARSE_MANIFEST_MAX);
	auto_close int dir = -1;
	struct parse_pick p;

	memset(out, 0, sizeof(*out));
	if (layout_open(&dir, ref->path, e) ||
	    find_manifest(&p, &manifest, store, dir, ref->tag, e) ||
	    read_manifest(m, store, buf_view(&manifest), e) || read_config(c, store, dir, m, e) ||
	    join(out, m, c, e))
		return -1;
	memcpy(out->digest, p.digest, sizeof(out->digest));
	memcpy(out->layout, ref->path, sizeof(out->layout));
	out->size += p.size;
	return 0;
}

int image_resolve(struct image *out, const struct image_store *store, const char *ref,
		  struct err *e)
{
	auto_free struct layout_ref *layout = NULL;
	int r;

	if (spec_is_digest(str_of(ref)))
		return image_load(out, store, ref, e);
	layout = mem_zero(sizeof(*layout));
	if (store_prepare(store, e))
		return -1;
	r = layout_find(layout, store, ref, e);
	if (r)
		return r;
	return read_layout(out, store, layout, e) ? err_wrap(e, "image %s", ref) : 0;
}

/* The child may not set trusted.*; it names the folders, we set the mark without following a link.
 */
static int mark_opaque(const char *layer, const struct buf *paths, struct err *e)
{
	auto_close int root = open(layer, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};

	for (size_t at = 0; at < paths->n; at += strlen(paths->p + at) + 1) {
		const char *path = paths->p[at] ? paths->p + at : ".";
		auto_close int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));

		if (fd < 0 && errno == ENOENT)
			continue; /* hidden and never made: nothing to hide under it */
		if (fd < 0 || fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0))
			return err_sys(e, "mark a folder opaque");
	}
	return 0;
}

static int check_digest(const uint8_t hash[static 32], const char *digest, const char *what,
			struct err *e)
{
	char hex[65];

	hex_encode(hex, hash, 32);
	if (strcmp(hex, digest + strlen("sha256:")) == 0)
		return 0;
	return err_set(e, ERRK_INPUT, "%s %s: its content has another digest", what, digest);
}

/* Bytes of the disk that may still be taken. */
static int disk_left(uint64_t *out, const struct image_store *store, struct err *e)
{
	struct statvfs fs;
	uint64_t left;

	if (statvfs(store->dir, &fs))
		return err_sys(e, "look at %s", store->dir);
	left = (uint64_t)fs.f_bavail * fs.f_frsize;
	*out = left > store->spare ? left - store->spare : 0;
	return 0;
}

static int unpack_into(struct unpack_result *result, const char *folder, int blob,
		       const struct unpack *how, const struct image_store *store,
		       const struct image_layer *l, struct err *e)
{
	auto_buf struct buf opaque = BUF(UNPACK_OPAQUE_MAX);
	struct confine c = {.kind = CONFINE_UNPACK,
			    .root = folder,
			    .input = blob,
			    .file_max = how->bytes_max,
			    .seconds_max =
				    store->seconds_max ? store->seconds_max : UNPACK_SECONDS_MAX,
			    .run = unpack_layer,
			    .arg = how,
			    .answer = result,
			    .answer_n = sizeof(*result),
			    .tail = &opaque};

	if (confine_run(&c, e) || check_digest(result->tar.blob, l->blob, "blob", e) ||
	    check_digest(result->tar.diffid, l->diffid, "layer", e))
		return -1;
	if (opaque.n && opaque.p[opaque.n - 1] != '\0')
		return err_set(e, ERRK_INPUT, "the unpacker answered nonsense");
	if (result->tar.bytes > how->bytes_max || result->entries > how->entries_max)
		return err_set(e, ERRK_LIMIT, UNPACK_TOO_LARGE);
	return mark_opaque(folder, &opaque, e);
}

/* Into a new folder and, if all is well, to its place. */
static int unpack_blob(const struct image_store *store, int blob, const struct image_layer *l,
		       struct budget *left, struct err *e)
{
	struct unpack how = {.compression = l->compression,
			     .blob_size = l->size,
			     .bytes_max = left->bytes,
			     .too_large = UNPACK_TOO_LARGE,
			     .entries_max = left->entries};
	struct unpack_result result = {.stored = 0};
	AUTO(tar_free) struct tar *tar = NULL;
	auto_free char *temporary = NULL;
	uint64_t disk = 0;

	if (tar_new(&tar, e) || disk_left(&disk, store, e) ||
	    store_make_temporary(&temporary, store, e))
		return -1;
	how.tar = tar;
	if (how.bytes_max > disk) {
		how.bytes_max = disk;
		how.too_large = UNPACK_DISK_FULL;
	}
	if (unpack_into(&result, temporary, blob, &how, store, l, e) == 0) {
		left->bytes -= result.tar.bytes;
		left->entries -= result.entries;
		step_at(STEP_IMAGE_UNPACKED);
		if (store_add_layer(store, temporary, l->diffid, result.stored, e) == 0)
			return 0;
	}
	if (fs_remove_tree(temporary, NULL))
		log_warn("%s: not removed; the next start sweeps it", temporary);
	return -1;
}

static int pull_layer(const struct image *i, const struct image_store *store, int dir, size_t n,
		      struct budget *left, struct err *e)
{
	const struct image_layer *l = &i->layers[n];
	auto_close int blob = -1;

	if (store_has_layer(store, l->diffid))
		return 0;
	if (dir < 0)
		return err_set(e, ERRK_STATE, "image %s: a layer left the store", i->digest);
	if (layout_open_blob(&blob, dir, l->blob, l->size, e) ||
	    unpack_blob(store, blob, l, left, e))
		return -1;
	return image_make_room(store, 0, e);
}

/* What the image's missing layers take at least. */
static uint64_t missing_bytes(const struct image *i, const struct image_store *store)
{
	uint64_t sum = 0;

	for (size_t n = 0; n < i->nlayers; n++)
		if (!store_has_layer(store, i->layers[n].diffid))
			sum += i->layers[n].size;
	return sum;
}

/* With the lock: whoever takes things away sees the pull's hold, or the record in its place. */
static int add_image(const struct image *i, const struct image_store *store, struct err *e)
{
	auto_close int lock = -1;

	if (store_lock(&lock, store, STORE_SHARED, e) || store_add_image(store, i, e))
		return -1;
	return hold_for_lease(store, i, e);
}

static int pull_held(const struct image *i, const struct image_store *store, struct err *e)
{
	struct budget left = {store->bytes_max ? store->bytes_max : BYTES_DEFAULT,
			      store->entries_max ? store->entries_max : UNPACK_ENTRIES_MAX};
	uint64_t missing = missing_bytes(i, store);
	auto_close int dir = -1;

	if (i->layout[0] && layout_open(&dir, i->layout, e))
		return -1;
	if (missing && image_make_room(store, missing, e))
		return -1;
	for (size_t n = 0; n < i->nlayers; n++)
		if (pull_layer(i, store, dir, n, &left, e))
			return err_wrap(e, "layer %zu of %u", n + 1, i->nlayers);
	return add_image(i, store, e);
}

int image_pull(const struct image *i, const struct image_store *store, struct err *e)
{
	struct hold hold;
	int r;

	if (store_prepare(store, e) || hold_begin(&hold, store, i, e))
		return -1;
	r = pull_held(i, store, e);
	hold_end(&hold);
	if (r && shelf_drop_orphans(store, NULL))
		log_warn("%s: layers of a failed pull are left; the next start sweeps them",
			 store->dir);
	return r;
}

/* An image that is there, for the holder, before anybody can take it away. */
static int take_warm(struct image *out, const struct image_store *store, const char *digest,
		     struct err *e)
{
	auto_close int lock = -1;
	int r;

	if (store_prepare(store, e) || store_lock(&lock, store, STORE_SHARED, e))
		return -1;
	r = image_load(out, store, digest, e);
	if (r)
		return r;
	store_touch_image(store, digest);
	return hold_for_lease(store, out, e);
}

static int find_or_pull(struct image *out, const struct image_store *store, const char *ref,
			const char *digest, struct err *e)
{
	auto_image struct image *found = image_new();
	int r = image_resolve(found, store, ref, e);

	if (r)
		return r;
	if (digest && digest[0] && strcmp(digest, found->digest) != 0)
		return err_set(e, ERRK_STATE, "image %s is %s now, not %s", ref, found->digest,
			       digest);
	r = take_warm(out, store, found->digest, e);
	if (r != IMAGE_NOT_FOUND)
		return r;
	*out = *found;
	return image_pull(out, store, e);
}

int image_probe(struct err *e)
{
	return tar_probe(e);
}

int image_ensure(struct image *out, const struct image_store *store, const char *ref,
		 const char *digest, struct err *e)
{
	int r = IMAGE_NOT_FOUND;

	if (digest && digest[0])
		r = take_warm(out, store, digest, e);
	if (r == IMAGE_NOT_FOUND)
		r = find_or_pull(out, store, ref, digest, e);
	if (r)
		return r;
	return spec_is_digest(str_of(ref)) ? 0 : store_set_name(store, ref, out->digest, e);
}

struct user_job {
	struct str user, passwd, group;
};

static int run_user(const void *arg, void *answer, struct buf *tail, struct err *e)
{
	const struct user_job *j = arg;

	return parse_user(answer, j->user, j->passwd, j->group, e);
}

/* A regular file of a hostile root, at most PARSE_USERS_MAX bytes; absent is empty. */
static int read_in_root(struct buf *out, int root, const char *path, struct err *e)
{
	struct open_how how = {.flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY,
			       .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	auto_close int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	char piece[8192];
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode))
		return 0;
	while ((n = read(fd, piece, sizeof(piece))) > 0 && !out->failed)
		buf_add(out, piece, (size_t)n);
	return buf_check(out, path, e);
}

int image_find_user(struct image_user *out, const char *rootfs, const char *user, struct err *e)
{
	auto_buf struct buf passwd = BUF(PARSE_USERS_MAX), group = BUF(PARSE_USERS_MAX);
	auto_close int root = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct user_job job = {.user = str_of(user)};
	struct confine c = {.kind = CONFINE_PARSE,
			    .root = "/proc/self/fdinfo",
			    .input = -1,
			    .run = run_user,
			    .arg = &job,
			    .answer = out,
			    .answer_n = sizeof(*out)};

	if (root < 0)
		return err_sys(e, "open %s", rootfs);
	if (read_in_root(&passwd, root, "etc/passwd", e) ||
	    read_in_root(&group, root, "etc/group", e))
		return -1;
	job.passwd = buf_view(&passwd);
	job.group = buf_view(&group);
	if (confine_run(&c, e))
		return err_wrap(e, "user %s", user);
	return parse_check_user(out, e);
}
