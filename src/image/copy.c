/*
 * Copies of folders: layers, for leases that share no page of memory with others, and what an image
 * has where a volume is mounted. Nobody else changes source or target meanwhile, but what is in the
 * source was made by a stranger: names are single pieces, relative to open folders, and no link is
 * followed.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/step.h"
#include "image/image.h"
#include "image/store.h"

#define DEPTH_MAX      2048
#define XATTR_LIST_MAX 65536
#define HALF	       ".half"

/* Files with several names, by their inode in the source; those of an overlay are of several
 * devices. */
struct twin {
	ino_t inode;
	dev_t device;
	char *path; /* below the copy's root */
};

struct copy {
	int root; /* of the copy */
	struct twin *twins;
	size_t ntwins, room; /* open addressing; room is a power of two */
	unsigned depth;
};

struct place {
	int from, to;	  /* open folders */
	const char *path; /* theirs, below the root; "" for it */
};

static void twins_clear(struct copy *c)
{
	for (size_t i = 0; i < c->room; i++)
		free(c->twins[i].path);
	free(c->twins);
}

static struct twin *find_twin(struct twin *v, size_t room, ino_t inode, dev_t device)
{
	size_t at = (size_t)inode * 0x9e3779b97f4a7c15u & (room - 1);

	while (v[at].path && (v[at].inode != inode || v[at].device != device))
		at = (at + 1) & (room - 1);
	return &v[at];
}

static void grow_twins(struct copy *c)
{
	size_t room = c->room ? 2 * c->room : 64;
	struct twin *v = mem_array(room, sizeof(*v));

	for (size_t i = 0; i < c->room; i++)
		if (c->twins[i].path)
			*find_twin(v, room, c->twins[i].inode, c->twins[i].device) = c->twins[i];
	free(c->twins);
	c->twins = v;
	c->room = room;
}

static void add_twin(struct copy *c, const struct stat *st, char *path)
{
	if (2 * (c->ntwins + 1) > c->room)
		grow_twins(c);
	*find_twin(c->twins, c->room, st->st_ino, st->st_dev) =
		(struct twin){st->st_ino, st->st_dev, path};
	c->ntwins++;
}

static int copy_bytes(int from, int to, const char *name, struct err *e)
{
	ssize_t n;

	while ((n = copy_file_range(from, NULL, to, NULL, 1 << 30, 0)) > 0)
		;
	if (n < 0 &&
	    (errno == EXDEV || errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL)) {
		char piece[65536];

		while ((n = read(from, piece, sizeof(piece))) > 0)
			if (fs_write_all(to, piece, (size_t)n, e))
				return -1;
	}
	return n < 0 ? err_sys(e, "copy %s", name) : 0;
}

/* Those that the unpacker sets; not the store's own mark, not what the host's LSM adds. */
static bool goes_along(const char *name)
{
	return strncmp(name, "user.", 5) == 0 || strcmp(name, "security.capability") == 0 ||
	       strcmp(name, "trusted.overlay.opaque") == 0;
}

static int copy_xattrs(int from, int to, struct err *e)
{
	auto_free char *names = mem_zero(XATTR_LIST_MAX), *value = mem_zero(XATTR_LIST_MAX);
	ssize_t n = flistxattr(from, names, XATTR_LIST_MAX);

	if (n < 0)
		return errno == ENOTSUP ? 0 : err_sys(e, "list attributes");
	for (const char *name = names; name < names + n; name += strlen(name) + 1) {
		ssize_t size;

		if (!goes_along(name))
			continue;
		size = fgetxattr(from, name, value, XATTR_LIST_MAX);
		if (size < 0 || fsetxattr(to, name, value, (size_t)size, 0))
			return err_sys(e, "attribute %s", name);
	}
	return 0;
}

/* Owner first: chown clears set-id bits and capabilities. */
static int copy_attributes(int from, int to, const struct stat *st, struct err *e)
{
	struct timespec times[2] = {{0, UTIME_OMIT}, st->st_mtim};

	if (fchown(to, st->st_uid, st->st_gid) || fchmod(to, st->st_mode & 07777))
		return err_sys(e, "owner and mode");
	if (copy_xattrs(from, to, e))
		return -1;
	return futimens(to, times) ? err_sys(e, "time") : 0;
}

static int copy_file(const struct place *p, const char *name, const struct stat *st, struct err *e)
{
	auto_close int from = openat(p->from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	auto_close int to = openat(p->to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (from < 0 || to < 0)
		return err_sys(e, "copy %s", name);
	if (copy_bytes(from, to, name, e))
		return -1;
	return copy_attributes(from, to, st, e);
}

static int copy_link(const struct place *p, const char *name, struct err *e)
{
	auto_free char *target = mem_zero(65536);
	ssize_t n = readlinkat(p->from, name, target, 65535);

	return n < 0 || symlinkat(target, p->to, name) ? err_sys(e, "copy %s", name) : 0;
}

/* Pipes and whiteouts, the only nodes that the unpacker makes; sockets, that a lease has. */
static int copy_node(const struct place *p, const char *name, const struct stat *st, struct err *e)
{
	if (!S_ISFIFO(st->st_mode) && !S_ISSOCK(st->st_mode) &&
	    !(S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0)))
		return err_set(e, ERRK_STATE, "%s is a device", name);
	if (mknodat(p->to, name, st->st_mode, st->st_rdev) ||
	    fchmodat(p->to, name, st->st_mode & 07777, 0))
		return err_sys(e, "copy %s", name);
	return 0;
}

static int copy_owner(const struct place *p, const char *name, const struct stat *st, struct err *e)
{
	struct timespec times[2] = {{0, UTIME_OMIT}, st->st_mtim};

	if (fchownat(p->to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) ||
	    utimensat(p->to, name, times, AT_SYMLINK_NOFOLLOW))
		return err_sys(e, "owner and time of %s", name);
	return 0;
}

static int copy_folder(struct copy *c, const struct place *p, struct err *e);

static int copy_subfolder(struct copy *c, const struct place *p, const char *name, const char *path,
			  struct err *e)
{
	auto_close int from =
		openat(p->from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_close int to = -1;
	int r;

	if (c->depth == DEPTH_MAX)
		return err_set(e, ERRK_LIMIT, "folders are nested too deep");
	if (from < 0 || mkdirat(p->to, name, 0700))
		return err_sys(e, "copy %s", name);
	to = openat(p->to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (to < 0)
		return err_sys(e, "copy %s", name);
	c->depth++;
	r = copy_folder(c, &(struct place){from, to, path}, e);
	c->depth--;
	return r;
}

/* 1: it is there under another name, and linked now. */
static int link_twin(struct copy *c, const struct place *p, const char *name, const struct stat *st,
		     struct err *e)
{
	const struct twin *t;

	if (S_ISDIR(st->st_mode) || st->st_nlink < 2 || !c->room)
		return 0;
	t = find_twin(c->twins, c->room, st->st_ino, st->st_dev);
	if (!t->path)
		return 0;
	return linkat(c->root, t->path, p->to, name, 0) ? err_sys(e, "link %s", name) : 1;
}

static int copy_one(struct copy *c, const struct place *p, const char *name, struct err *e)
{
	auto_free char *path = mem_printf("%s%s%s", p->path, *p->path ? "/" : "", name);
	struct stat st;
	int r;

	if (fstatat(p->from, name, &st, AT_SYMLINK_NOFOLLOW))
		return err_sys(e, "look at %s", name);
	r = link_twin(c, p, name, &st, e);
	if (r)
		return r < 0 ? -1 : 0;
	if (S_ISDIR(st.st_mode))
		return copy_subfolder(c, p, name, path, e);
	r = S_ISREG(st.st_mode)	  ? copy_file(p, name, &st, e)
	    : S_ISLNK(st.st_mode) ? copy_link(p, name, e)
				  : copy_node(p, name, &st, e);
	if (r == 0 && !S_ISREG(st.st_mode))
		r = copy_owner(p, name, &st, e);
	if (r == 0 && st.st_nlink > 1)
		add_twin(c, &st, steal(&path));
	return r;
}

/* A folder's own attributes come last: its time would change with its content. */
static int copy_folder(struct copy *c, const struct place *p, struct err *e)
{
	int again = openat(p->from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_closedir DIR *d = again < 0 ? NULL : fdopendir(again);
	const struct dirent *entry;
	struct stat st;

	if (!d)
		return err_sys(e, "read %s", p->path);
	while ((errno = 0, entry = readdir(d)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    copy_one(c, p, entry->d_name, e))
			return -1;
	if (errno || fstat(p->from, &st))
		return err_sys(e, "read %s", p->path);
	return copy_attributes(p->from, p->to, &st, e);
}

int image_copy_folder(int from, int to, struct err *e)
{
	struct copy c = {.root = to};
	int r = copy_folder(&c, &(struct place){from, to, ""}, e);

	twins_clear(&c);
	return r;
}

static int copy_tree(const char *from, const char *to, struct err *e)
{
	auto_close int source = open(from, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_close int target = -1;

	if (source < 0 || mkdir(to, 0700))
		return err_sys(e, "copy %s", from);
	target = open(to, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (target < 0)
		return err_sys(e, "open %s", to);
	return image_copy_folder(source, target, e);
}

static char *copy_path(const char *folder, const char *layer)
{
	const char *slash = strrchr(layer, '/');

	return mem_printf("%s/%s", folder, slash ? slash + 1 : layer);
}

/* What a copy that was interrupted left has another name than a whole one. */
static int copy_layer(const char *layer, const char *folder, struct err *e)
{
	auto_free char *path = copy_path(folder, layer), *half = mem_printf("%s" HALF, path);

	if (fs_exists(path))
		return 0;
	if (fs_remove_tree(half, e) || copy_tree(layer, half, e))
		return e->sys == ENOSPC || e->sys == EDQUOT
			       ? err_set(e, ERRK_LIMIT,
					 "the image is larger than the lease's disk, which is to "
					 "hold its layers")
			       : -1;
	step_at(STEP_IMAGE_COPIED);
	return rename(half, path) ? err_sys(e, "rename %s", half) : 0;
}

static bool is_among(const char *name, char *const *layers, size_t n)
{
	for (size_t k = 0; k < n; k++) {
		const char *slash = strrchr(layers[k], '/');

		if (strcmp(slash ? slash + 1 : layers[k], name) == 0)
			return true;
	}
	return false;
}

/* Not half under a whole one's name, where it would be taken for that again. */
static int drop_copy(const char *folder, const char *name, struct err *e)
{
	auto_free char *path = mem_printf("%s/%s", folder, name), *half = NULL;
	size_t n = strlen(name), end = strlen(HALF);

	if (n > end && strcmp(name + n - end, HALF) == 0)
		return fs_remove_tree(path, e);
	half = mem_printf("%s" HALF, path);
	if (fs_remove_tree(half, e))
		return -1;
	if (rename(path, half))
		return err_sys(e, "rename %s", path);
	step_at(STEP_IMAGE_COPY_DROPPED);
	return fs_remove_tree(half, e);
}

static int drop_others(const char *folder, char *const *layers, size_t n, struct err *e)
{
	auto_closedir DIR *d = opendir(folder);
	const struct dirent *entry;

	if (!d)
		return err_sys(e, "open %s", folder);
	while ((errno = 0, entry = readdir(d)))
		if (entry->d_name[0] != '.' && !is_among(entry->d_name, layers, n) &&
		    drop_copy(folder, entry->d_name, e))
			return -1;
	return errno ? err_sys(e, "read %s", folder) : 0;
}

int image_copy_layers(const struct image *i, const struct image_store *store, const char *folder,
		      struct err *e)
{
	char *layers[IMAGE_LAYERS_MAX];
	size_t n = image_layers(i, store, layers);
	int r = mkdir(folder, 0700) && errno != EEXIST ? err_sys(e, "mkdir %s", folder) : 0;

	if (r == 0)
		r = drop_others(folder, layers, n, e);
	for (size_t k = 0; k < n; k++) {
		if (r == 0)
			r = copy_layer(layers[k], folder, e);
		free(layers[k]);
	}
	return r;
}

size_t image_layer_copies(const struct image *i, const struct image_store *store,
			  const char *folder, char **out)
{
	char *layers[IMAGE_LAYERS_MAX];
	size_t n = image_layers(i, store, layers);

	for (size_t k = 0; k < n; k++) {
		out[k] = copy_path(folder, layers[k]);
		free(layers[k]);
	}
	return n;
}
