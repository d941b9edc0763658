/*
 * Unpacking one layer inside the confined child, whose "/" is the layer's new folder. tar.c
 * reads; what is made, and how, is decided here. The layer stands alone: nothing of the layers
 * below is seen.
 */
#include "image/unpack.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/mem.h"
#include "image/confine.h"

#define PATH_BYTES_MAX	4096
#define XATTR_BYTES_MAX 65536
#define ID_MAX		65535
#define BLOCK		4096
#define TIMES_MAX	(256u << 20)
#define WHITEOUT	".wh."
#define OPAQUE		".wh..wh..opq"

struct maker {
	const struct unpack *how;
	struct unpack_result *result;
	struct tar *tar;
	struct buf *opaque;
	int root; /* "/" */
	struct buf
		times; /* of folders, whose content comes after them: struct folder_time and path */
};

struct folder_time {
	int64_t s;
	int64_t ns;
};

/* A path of the archive as a clean relative one ("" is the layer's root). Refuses "..". */
static int clean_path(char out[static PATH_BYTES_MAX], const char *path, struct err *e)
{
	struct str piece, rest = str_of(path);
	size_t n = 0;

	if (!path || rest.n >= PATH_BYTES_MAX)
		return err_set(e, ERRK_LIMIT, "a path is missing or longer than %d bytes",
			       PATH_BYTES_MAX);
	while (str_cut(&rest, '/', &piece)) {
		if (piece.n == 0 || str_is(piece, "."))
			continue;
		if (str_is(piece, ".."))
			return err_set(e, ERRK_INPUT, "a path contains \"..\": %s", path);
		if (n)
			out[n++] = '/';
		memcpy(out + n, piece.p, piece.n);
		n += piece.n;
	}
	out[n] = '\0';
	return 0;
}

/* Links are followed, but never out of "/". */
static int open_in_root(int root, const char *path, uint64_t flags)
{
	struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};

	return (int)syscall(SYS_openat2, root, path[0] ? path : ".", &how, sizeof(how));
}

static int count_entry(struct maker *m, struct err *e)
{
	if (++m->result->entries <= m->how->entries_max)
		return 0;
	return err_set(e, ERRK_LIMIT, "more than %llu files, folders and links in the image",
		       (unsigned long long)m->how->entries_max);
}

/* Make the missing folders of `path`, as the specification wants: root's, 0755. Each counts. */
static int make_parents(struct maker *m, char *path, struct err *e)
{
	for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		int made;

		*slash = '\0';
		made = mkdirat(m->root, path, 0755);
		if (made && errno != EEXIST)
			return err_sys(e, "mkdir %s", path);
		*slash = '/';
		if (made)
			continue;
		m->result->stored += BLOCK;
		if (count_entry(m, e))
			return -1;
	}
	return 0;
}

/* The open folder that `path` lies in; *name points to the last piece. */
static int open_parent(int *fd, const char **name, struct maker *m, char *path, struct err *e)
{
	char *slash = strrchr(path, '/');

	if (make_parents(m, path, e))
		return -1;
	*name = slash ? slash + 1 : path;
	if (slash)
		*slash = '\0';
	*fd = open_in_root(m->root, slash ? path : "", O_PATH | O_DIRECTORY);
	if (slash)
		*slash = '/';
	return *fd < 0 ? err_sys(e, "folder of %s", path) : 0;
}

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

static int add_opaque(struct maker *m, const char *path, struct err *e)
{
	buf_add(m->opaque, path, strlen(path) + 1);
	return buf_check(m->opaque, "list of opaque folders", e);
}

/* `name` points into `path`. ".wh.NAME" hides NAME of the layers below. What this layer itself has
 * under that name stays; if it is a folder, nothing from below shines through. */
static int make_whiteout(struct maker *m, int dir, const char *path, const char *name,
			 struct err *e)
{
	auto_free char *parent = mem_strndup(path, (size_t)(name - path));
	auto_free char *target = NULL;
	struct stat st;

	if (strcmp(name, OPAQUE) == 0)
		return add_opaque(m, parent, e);
	if (strncmp(name, WHITEOUT WHITEOUT, 8) == 0)
		return 0; /* aufs' own book-keeping */
	name += strlen(WHITEOUT);
	if (!name[0] || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return err_set(e, ERRK_INPUT, "a whiteout without a name");
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		target = mem_printf("%s%s", parent, name);
		return S_ISDIR(st.st_mode) ? add_opaque(m, target, e) : 0;
	}
	if (mknodat(dir, name, S_IFCHR, makedev(0, 0)))
		return err_sys(e, "whiteout of %s", name);
	return 0;
}

/* The last of several entries with one name wins. *was_whiteout: this layer hid the name before. */
static int clear_way(int dir, const char *name, bool want_dir, bool *was_whiteout, struct err *e)
{
	struct stat st;

	*was_whiteout = false;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW)) {
		if (errno == ENOENT)
			return 0;
		return err_sys(e, "stat %s", name);
	}
	if (want_dir && S_ISDIR(st.st_mode))
		return 0;
	*was_whiteout = is_whiteout(&st);
	if (unlinkat(dir, name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0))
		return err_sys(e, "replace %s", name);
	return 0;
}

static bool keeps_xattr(const char *name)
{
	if (strcmp(name, "security.capability") == 0)
		return true;
	return strncmp(name, "user.", 5) == 0 && strncmp(name, "user.overlay.", 13) != 0;
}

static int set_xattrs(int fd, struct tar *tar, struct err *e)
{
	const char *name;
	const void *value;
	size_t n;

	while (tar_next_xattr(tar, &name, &value, &n)) {
		if (!name || !keeps_xattr(name))
			continue;
		if (n > XATTR_BYTES_MAX)
			return err_set(e, ERRK_LIMIT, "an extended attribute is too long");
		if (fsetxattr(fd, name, value, n, 0) == 0 || errno == ENOTSUP)
			continue;
		if (errno == ENOSPC || errno == E2BIG || errno == ERANGE) /* of its inode */
			return err_set(e, ERRK_LIMIT, "more extended attributes than fit");
		return err_sys(e, "attribute %s", name);
	}
	return 0;
}

static int check_owner(const struct tar_entry *entry, struct err *e)
{
	if (entry->uid < 0 || entry->uid > ID_MAX || entry->gid < 0 || entry->gid > ID_MAX)
		return err_set(e, ERRK_INPUT, "an owner above %d, which no lease can map", ID_MAX);
	return 0;
}

/* For utimensat: the time of the content alone. */
struct times {
	struct timespec v[2];
};

static struct times times_of(const struct tar_entry *entry)
{
	return (struct times){{{0, UTIME_OMIT}, entry->mtime}};
}

/* Owner first: chown clears set-id bits and capabilities. */
static int set_attributes(int fd, struct tar *tar, const struct tar_entry *entry, struct err *e)
{
	struct times times = times_of(entry);

	if (fchown(fd, (uid_t)entry->uid, (gid_t)entry->gid) || fchmod(fd, entry->mode))
		return err_sys(e, "owner and mode");
	if (set_xattrs(fd, tar, e))
		return -1;
	return futimens(fd, times.v) ? err_sys(e, "time") : 0;
}

/* Of what has no content and is not opened. */
static int set_owner_and_time(int dir, const char *name, const struct tar_entry *entry,
			      struct err *e)
{
	struct times times = times_of(entry);

	if (fchownat(dir, name, (uid_t)entry->uid, (gid_t)entry->gid, AT_SYMLINK_NOFOLLOW) ||
	    utimensat(dir, name, times.v, AT_SYMLINK_NOFOLLOW))
		return err_sys(e, "owner and time of %s", name);
	return 0;
}

static int note_time(struct maker *m, const char *path, const struct tar_entry *entry,
		     struct err *e)
{
	struct folder_time t = {entry->mtime.tv_sec, entry->mtime.tv_nsec};

	buf_add(&m->times, &t, sizeof(t));
	buf_add(&m->times, path, strlen(path) + 1);
	return buf_check(&m->times, "list of folders' times", e);
}

/* At the end, when nothing is made in them any more. A folder that is something else now has lost
 * its claim. */
static int set_folder_times(struct maker *m, struct err *e)
{
	struct folder_time t;

	for (size_t at = 0; at < m->times.n;) {
		const char *path = m->times.p + at + sizeof(t);
		auto_close int fd = open_in_root(m->root, path, O_RDONLY | O_DIRECTORY);

		memcpy(&t, m->times.p + at, sizeof(t));
		at += sizeof(t) + strlen(path) + 1;
		if (fd >= 0 && futimens(fd, (struct timespec[2]){{0, UTIME_OMIT}, {t.s, t.ns}}))
			return err_sys(e, "time of %s", path);
	}
	return 0;
}

static int copy_data(struct maker *m, int fd, struct err *e)
{
	struct tar_piece piece;
	int r;

	while ((r = tar_next_piece(m->tar, &piece, e)) == 0) {
		m->result->stored += piece.n;
		for (size_t done = 0; done < piece.n;) {
			ssize_t w = pwrite(fd, (const char *)piece.p + done, piece.n - done,
					   (off_t)(piece.offset + (int64_t)done));

			if (w <= 0)
				return err_sys(e, "write");
			done += (size_t)w;
		}
	}
	return r == TAR_END ? 0 : -1;
}

/* The size counts although a sparse file says much and holds little: tenants read it all. */
static int check_size(const struct maker *m, const struct tar_entry *entry, struct err *e)
{
	if (entry->size >= 0 && (uint64_t)entry->size <= m->how->bytes_max)
		return 0;
	return err_set(e, ERRK_LIMIT, "%s: a file of %lld bytes", m->how->too_large,
		       (long long)entry->size);
}

static int make_file(struct maker *m, int dir, const char *name, const struct tar_entry *entry,
		     struct err *e)
{
	auto_close int fd = -1;

	if (check_size(m, entry, e))
		return -1;
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, "create %s", name);
	if (copy_data(m, fd, e))
		return -1;
	/* sparse entries end in a hole */
	if (ftruncate(fd, entry->size))
		return err_sys(e, "size of %s", name);
	return set_attributes(fd, m->tar, entry, e);
}

static int make_folder(struct maker *m, int dir, const char *name, const struct tar_entry *entry,
		       struct err *e)
{
	auto_close int fd = -1;

	if (mkdirat(dir, name, 0700) && errno != EEXIST)
		return err_sys(e, "mkdir %s", name);
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open %s", name);
	return set_attributes(fd, m->tar, entry, e);
}

static int make_symlink(int dir, const char *name, const struct tar_entry *entry, struct err *e)
{
	const char *target = entry->symlink;

	if (!target || !target[0] || strlen(target) >= PATH_BYTES_MAX)
		return err_set(e, ERRK_INPUT, "a symbolic link without a target");
	if (symlinkat(target, dir, name))
		return err_sys(e, "symbolic link %s", name);
	return set_owner_and_time(dir, name, entry, e);
}

static int make_fifo(int dir, const char *name, const struct tar_entry *entry, struct err *e)
{
	if (mknodat(dir, name, S_IFIFO | 0600, 0) || fchmodat(dir, name, entry->mode & 0777, 0))
		return err_sys(e, "fifo %s", name);
	return set_owner_and_time(dir, name, entry, e);
}

/* Only to a file of this layer; a link to a file below would have to copy it. */
static int make_hardlink(struct maker *m, int dir, const char *name, const char *target,
			 struct err *e)
{
	char path[PATH_BYTES_MAX];
	auto_close int from = -1;
	const char *from_name;
	struct stat st;

	if (clean_path(path, target, e))
		return -1;
	if (!path[0])
		return err_set(e, ERRK_INPUT, "a hard link to the root");
	if (open_parent(&from, &from_name, m, path, e))
		return -1;
	if (fstatat(from, from_name, &st, AT_SYMLINK_NOFOLLOW) || S_ISDIR(st.st_mode) ||
	    is_whiteout(&st))
		return err_set(e, ERRK_INPUT, "a hard link to a file that is not in its layer: %s",
			       path);
	return linkat(from, from_name, dir, name, 0) ? err_sys(e, "hard link %s", path) : 0;
}

/* In /dev they are of no use (the container has its own) and left out; elsewhere they are refused.
 */
static int refuse_device(const char *path, struct err *e)
{
	if (strncmp(path, "dev/", 4) == 0)
		return 0;
	return err_set(e, ERRK_DENIED, "a device or socket in the image: %s", path);
}

static int make_by_type(struct maker *m, int dir, const char *name, const struct tar_entry *entry,
			struct err *e)
{
	if (entry->hardlink)
		return make_hardlink(m, dir, name, entry->hardlink, e);
	switch (entry->type) {
	case S_IFREG:
		return make_file(m, dir, name, entry, e);
	case S_IFDIR:
		return make_folder(m, dir, name, entry, e);
	case S_IFLNK:
		return make_symlink(dir, name, entry, e);
	case S_IFIFO:
		return make_fifo(dir, name, entry, e);
	default:
		return err_set(e, ERRK_INPUT, "an entry of unknown type");
	}
}

static bool is_device(const struct tar_entry *entry)
{
	mode_t type = entry->type;

	return !entry->hardlink && (type == S_IFCHR || type == S_IFBLK || type == S_IFSOCK);
}

static int set_root(struct maker *m, const struct tar_entry *entry, struct err *e)
{
	auto_close int fd = open_in_root(m->root, "", O_RDONLY | O_DIRECTORY);

	if (fd < 0)
		return err_sys(e, "open the layer's root");
	return set_attributes(fd, m->tar, entry, e) ? -1 : note_time(m, "", entry, e);
}

/* ".wh." is nobody's name but a whiteout's, so it may not be a folder's either. */
static bool is_below_whiteout(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *mark = strncmp(path, WHITEOUT, 4) == 0 ? path : strstr(path, "/" WHITEOUT);

	return slash && mark && mark < slash;
}

static int take_entry(struct maker *m, const struct tar_entry *entry, struct err *e)
{
	char path[PATH_BYTES_MAX];
	auto_close int dir = -1;
	const char *name;
	bool was_whiteout, is_dir = entry->type == S_IFDIR;

	if (clean_path(path, entry->path, e) || check_owner(entry, e))
		return -1;
	if (!path[0])
		return is_dir ? set_root(m, entry, e) : err_set(e, ERRK_INPUT, "a file as root");
	if (is_below_whiteout(path))
		return err_set(e, ERRK_INPUT, "an entry below a whiteout: %s", path);
	if (is_device(entry))
		return refuse_device(path, e);
	if (open_parent(&dir, &name, m, path, e))
		return -1;
	if (strncmp(name, WHITEOUT, 4) == 0)
		return make_whiteout(m, dir, path, name, e);
	if (clear_way(dir, name, is_dir, &was_whiteout, e))
		return -1;
	m->result->stored += BLOCK;
	if (make_by_type(m, dir, name, entry, e))
		return err_wrap(e, "%s", path);
	if (is_dir && note_time(m, path, entry, e))
		return -1;
	return is_dir && was_whiteout ? add_opaque(m, path, e) : 0;
}

static int take_entries(struct maker *m, struct err *e)
{
	struct tar_entry entry;
	int r;

	while ((r = tar_next(m->tar, &entry, e)) == 0)
		if (count_entry(m, e) || take_entry(m, &entry, e))
			return -1;
	return r == TAR_END ? set_folder_times(m, e) : -1;
}

int unpack_layer(const void *arg, void *answer, struct buf *opaque, struct err *e)
{
	const struct unpack *how = arg;
	struct unpack_result *result = answer;
	const struct tar_ask ask = {.in = CONFINE_INPUT,
				    .compression = how->compression,
				    .blob_size = how->blob_size,
				    .bytes_max = how->bytes_max,
				    .too_large = how->too_large,
				    .ratio_free = UNPACK_RATIO_FREE,
				    .ratio_max = UNPACK_RATIO_MAX,
				    .totals = &result->tar};
	auto_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct maker m = {.how = how,
			  .result = result,
			  .tar = how->tar,
			  .opaque = opaque,
			  .root = root,
			  .times = BUF(TIMES_MAX)};

	if (root < 0)
		return err_sys(e, "open the layer's root");
	if (tar_open(m.tar, &ask, e) || take_entries(&m, e) || tar_end(m.tar, e))
		return e->sys == ENOSPC || e->sys == EDQUOT
			       ? err_set(e, ERRK_LIMIT, UNPACK_DISK_FULL)
			       : -1;
	return 0;
}
