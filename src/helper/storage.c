/* Volumes and where they are mounted: see storage.h. */
#include "helper/storage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/step.h"
#include "crypto/hash.h"
#include "helper/lend.h"
#include "spec/read.h"
#include "volume/bind.h"

#define TRIES 16 /* of an openat2 that somebody's rename elsewhere disturbed */

/* Names are safe as they are; a path is known by its hash, so that "/a/b" and "/a_b" differ. */
static char *folder_of(const struct spec_mount *m)
{
	uint8_t hash[32];
	char hex[65];

	if (m->type == SPEC_VOLUME)
		return mem_printf("named-%s", m->name);
	if (m->type != SPEC_ANONYMOUS)
		return NULL;
	sha256(hash, m->path, strlen(m->path));
	hex_encode(hex, hash, sizeof(hash));
	return mem_printf("path-%s", hex);
}

void storage_find(struct storage *st, const char *dir, const struct spec *s,
		  const struct image_config *img)
{
	struct spec_mounts *m = &st->mounts;

	*st = (struct storage){.nsaid = s->storage.n};
	spec_storage_copy(m, &s->storage);
	spec_storage_add_image(m, img);
	st->at = mem_array(m->n, sizeof(*st->at));
	st->folder = mem_array(m->n, sizeof(*st->folder));
	for (size_t i = 0; i < m->n; i++) {
		if (m->v[i].type != SPEC_TMPFS)
			st->at[i] = mem_printf("%s/storage/%zu", dir, i);
		st->folder[i] = folder_of(&m->v[i]);
	}
}

void storage_clear(struct storage *st)
{
	for (size_t i = 0; i < st->mounts.n; i++) {
		free(st->at[i]);
		free(st->folder[i]);
	}
	free(st->at);
	free(st->folder);
	free(st->mounts.v);
	*st = (struct storage){0};
}

/* --- where a path leads in the root --- */

static int open_in(int root, const char *path, uint64_t flags, uint64_t resolve)
{
	struct open_how how = {.flags = flags | O_CLOEXEC,
			       .resolve = resolve | RESOLVE_NO_MAGICLINKS};
	int fd = -1;

	for (int i = 0; i < TRIES && fd < 0; i++) {
		fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
		if (fd < 0 && errno != EAGAIN)
			break;
	}
	return fd;
}

static char *path_of(int fd, struct err *e)
{
	auto_free char *self = mem_printf("/proc/self/fd/%d", fd);
	char path[4096];
	ssize_t n = readlink(self, path, sizeof(path));

	if (n >= 0 && n < (ssize_t)sizeof(path))
		return mem_strndup(path, (size_t)n);
	err_sys(e, "read %s", self);
	return NULL;
}

/* The longest beginning of `path` that is there; *n is its length. */
static int open_present(int *fd, size_t *n, int root, const char *path, struct err *e)
{
	auto_free char *head = mem_strdup(path);

	for (*n = strlen(head);; head[*n] = '\0') {
		*fd = open_in(root, *n ? head : "/", O_PATH, RESOLVE_IN_ROOT);
		if (*fd >= 0)
			return 0;
		if (errno != ENOENT || *n == 0)
			return err_sys(e, "path: %s cannot be entered", head);
		while (head[--*n] != '/')
			;
	}
}

/* A link whose target is not there would be followed by whoever makes what is missing. */
static int check_absent(int dir, const char *rest, struct err *e)
{
	struct str name, left = str_of(rest + 1);
	auto_free char *first = NULL;
	struct stat st;

	str_cut(&left, '/', &name);
	first = mem_strndup(name.p, name.n);
	return fstatat(dir, first, &st, AT_SYMLINK_NOFOLLOW) == 0
		       ? err_set(e, ERRK_INPUT, "path: a link to nothing is in its way")
		       : 0;
}

static int resolve(struct spec_mount *m, int root, struct err *e)
{
	auto_free char *top = path_of(root, e), *there = NULL, *all = NULL;
	auto_close int fd = -1;
	struct stat st;
	size_t n;

	if (!top || open_present(&fd, &n, root, m->path, e))
		return -1;
	if (fstat(fd, &st) || !S_ISDIR(st.st_mode))
		return err_set(e, ERRK_INPUT, "path: there is a file in its way, not a folder");
	if (m->path[n] && check_absent(fd, m->path + n, e))
		return -1;
	there = path_of(fd, e);
	if (!there)
		return -1;
	all = mem_printf("%s%s", there + strlen(top), m->path + n);
	if (strlen(all) > SPEC_MOUNT_MAX)
		return err_set(e, ERRK_INPUT, "path: it leads further than %d bytes",
			       SPEC_MOUNT_MAX);
	memcpy(m->path, all, strlen(all) + 1);
	return 0;
}

static void take_out(struct storage *st, size_t i)
{
	size_t after = --st->mounts.n - i;

	free(st->at[i]);
	free(st->folder[i]);
	memmove(&st->mounts.v[i], &st->mounts.v[i + 1], after * sizeof(*st->mounts.v));
	memmove(&st->at[i], &st->at[i + 1], after * sizeof(*st->at));
	memmove(&st->folder[i], &st->folder[i + 1], after * sizeof(*st->folder));
}

int storage_resolve(struct storage *st, const char *root, struct err *e)
{
	auto_close int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct spec_mounts sofar = {st->mounts.v, 0};

	if (fd < 0)
		return err_sys(e, "open %s", root);
	while (sofar.n < st->mounts.n) {
		size_t i = sofar.n++;
		struct err why;

		if (resolve(&st->mounts.v[i], fd, &why))
			read_under(&why, "storage[%zu].", i);
		else if (spec_storage_check_paths(&sofar, &why) == 0)
			continue;
		if (i < st->nsaid) {
			*e = why;
			return -1;
		}
		take_out(st, i);
		sofar.n--;
	}
	return 0;
}

/* --- volumes --- */

struct place {
	const struct storage *st;
	const struct job *job;
	const struct box *box;
	const char *volumes; /* folder of all of the lease's */
	int root;
};

static int own(const char *path, const struct box *box, struct err *e)
{
	if (chmod(path, 0755) || (box->id_count && lchown(path, box->id_base, box->id_base)))
		return err_sys(e, "give %s to its lease", path);
	return 0;
}

/* What the image has there, with the folder's own owner and mode, as Docker does. */
static int seed(const char *path, const struct place *p, const char *inside, struct err *e)
{
	auto_close int from = open_in(p->root, inside, O_RDONLY | O_DIRECTORY, RESOLVE_IN_ROOT);
	auto_close int to = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (from < 0 && errno == ENOENT)
		return 0;
	if (from < 0 || to < 0)
		return err_sys(e, "open %s", from < 0 ? inside : path);
	if (image_copy_folder(from, to, e) == 0)
		return 0;
	if (e->sys == ENOSPC)
		return err_set(e, ERRK_LIMIT, "what the image has there does not fit the disk");
	return -1;
}

/* Whole or not at all under its name, and then never filled again. */
static int make_volume(const struct place *p, size_t i, struct err *e)
{
	auto_free char *path = mem_printf("%s/%s", p->volumes, p->st->folder[i]);
	auto_free char *half = mem_printf("%s/half", p->volumes);

	if (fs_exists(path))
		return 0;
	if (fs_remove_tree(half, e))
		return -1;
	if (mkdir(half, 0755))
		return err_sys(e, "mkdir %s", half);
	if (own(half, p->box, e) || seed(half, p, p->st->mounts.v[i].path, e))
		return -1;
	step_at(STEP_STORAGE_FILLED);
	return rename(half, path) ? err_sys(e, "rename %s", half) : 0;
}

/* What is to be mounted below it must not be led away by a link that the tenant made in it. */
static int check_below(const struct place *p, size_t i, struct err *e)
{
	const struct spec_mounts *m = &p->st->mounts;
	auto_free char *path = mem_printf("%s/%s", p->volumes, p->st->folder[i]);
	auto_close int top = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	size_t n = strlen(m->v[i].path);

	if (top < 0)
		return err_sys(e, "open %s", path);
	for (size_t k = 0; k < m->n; k++) {
		auto_close int fd = -1;

		if (k == i || !text_is_below(str_of(m->v[k].path), m->v[i].path))
			continue;
		fd = open_in(top, m->v[k].path + n + 1, O_PATH | O_DIRECTORY,
			     RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
		if (fd < 0 && errno != ENOENT)
			return err_set(e, ERRK_INPUT,
				       "a link or a file in it is where %s is to be mounted",
				       m->v[k].path);
	}
	return 0;
}

static int mount_own(const struct place *p, size_t i, struct err *e)
{
	auto_free char *path = mem_printf("%s/%s", p->volumes, p->st->folder[i]);
	const struct bind b = {
		.source = path,
		.target = p->st->at[i],
		.flags = p->st->mounts.v[i].read_only ? BIND_READ_ONLY : 0,
		.owner = p->box->id_base,
		.owners = p->box->id_count,
	};

	if (make_volume(p, i, e) || check_below(p, i, e))
		return -1;
	return bind_mount(&b, e);
}

/* Files of ids beyond those that a lease has are shown as nobody's. */
static int mount_assets(const struct place *p, size_t i, struct err *e)
{
	const struct helper_config *c = p->job->c;
	struct bind b = {.target = p->st->at[i],
			 .map = {0, p->box->id_base, p->box->id_count},
			 .flags = BIND_READ_ONLY,
			 .owner = p->box->id_base,
			 .owners = p->box->id_count};

	for (size_t k = 0; k < c->nassets; k++)
		if (strcmp(c->assets[k].name, p->st->mounts.v[i].name) == 0)
			b.source = c->assets[k].folder;
	return b.source ? bind_mount(&b, e)
			: err_set(e, ERRK_DENIED, "name: there are no assets of that name");
}

static int mount_lent(const struct place *p, size_t i, struct err *e)
{
	const struct spec_mount *m = &p->st->mounts.v[i];
	auto_lent struct lent l = {.lock = -1, .at = -1};
	struct bind b = {.target = p->st->at[i],
			 .flags = m->read_only ? BIND_READ_ONLY : 0,
			 .owner = p->box->id_base,
			 .owners = p->box->id_count};

	if (lend_take(&l, p->job, m, e))
		return -1;
	b.source = l.folder;
	b.map = l.map;
	return bind_mount(&b, e);
}

void storage_policy(struct spec_policy *p, const char **names, const struct helper_config *c)
{
	for (size_t i = 0; i < c->nassets; i++)
		names[i] = c->assets[i].name;
	names[c->nassets] = NULL;
	p->assets = names;
	if (c->nassets)
		p->features |= SPEC_OFFERS_ASSETS;
}

static int mount_one(const struct place *p, size_t i, struct err *e)
{
	switch (p->st->mounts.v[i].type) {
	case SPEC_VOLUME:
	case SPEC_ANONYMOUS:
		return mount_own(p, i, e);
	case SPEC_TMPFS:
		return 0; /* by the runtime */
	case SPEC_ASSETS:
		return mount_assets(p, i, e);
	case SPEC_LEASE:
	case SPEC_KEPT:
		return mount_lent(p, i, e);
	case SPEC_STORAGE_COUNT:
		break;
	}
	return err_set(e, ERRK_DENIED, "type: unknown");
}

static char *folder_in(const char *dir)
{
	return mem_printf("%s/storage", dir);
}

/* A runtime enters it as root of the lease's user namespace. */
static int make_folders(const char *places, const char *volumes, struct err *e)
{
	if ((mkdir(places, 0711) && errno != EEXIST) || chmod(places, 0711))
		return err_sys(e, "mkdir %s", places);
	return mkdir(volumes, 0700) && errno != EEXIST ? err_sys(e, "mkdir %s", volumes) : 0;
}

int storage_mount(const struct storage *st, const struct job *j, const struct box *box,
		  const char *volume, struct err *e)
{
	auto_free char *places = folder_in(box->dir), *volumes = mem_printf("%s/volumes", volume);
	auto_close int root = open(box->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct place p = {st, j, box, volumes, root};

	if (root < 0)
		return err_sys(e, "open %s", box->root);
	if (make_folders(places, volumes, e))
		return -1;
	for (size_t i = 0; i < st->mounts.n; i++)
		if (mount_one(&p, i, e))
			return err_wrap(e, "storage[%zu]", i);
	return 0;
}

/* What is not there comes from the image that is next. */
static int fill_one(const struct place *p, size_t i, struct err *e)
{
	const struct spec_mount *m = &p->st->mounts.v[i];
	auto_close int there =
		m->type == SPEC_ANONYMOUS
			? open_in(p->root, m->path, O_PATH | O_DIRECTORY, RESOLVE_IN_ROOT)
			: -1;

	return there < 0 ? 0 : make_volume(p, i, e);
}

int storage_fill(const struct storage *st, const struct job *j, const struct box *box,
		 const char *volume, struct err *e)
{
	auto_free char *volumes = mem_printf("%s/volumes", volume);
	auto_close int root = open(box->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct place p = {st, j, box, volumes, root};

	if (root < 0)
		return err_sys(e, "open %s", box->root);
	if (mkdir(volumes, 0700) && errno != EEXIST)
		return err_sys(e, "mkdir %s", volumes);
	for (size_t i = 0; i < st->nsaid; i++)
		if (fill_one(&p, i, e))
			return err_wrap(e, "%s", st->mounts.v[i].path);
	return 0;
}

int storage_unmount(const char *dir, struct err *e)
{
	auto_free char *places = folder_in(dir);
	auto_closedir DIR *d = opendir(places);
	const struct dirent *entry;

	if (!d)
		return errno == ENOENT ? 0 : err_sys(e, "open %s", places);
	while ((entry = readdir(d))) {
		auto_free char *at = mem_printf("%s/%s", places, entry->d_name);

		if (entry->d_name[0] != '.' && bind_unmount(at, e))
			return -1;
	}
	return rmdir(places) ? err_sys(e, "remove %s", places) : 0;
}
