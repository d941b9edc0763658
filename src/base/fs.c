#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/secret.h"

int fs_read_fd(struct buf *out, int fd, const char *name, struct err *e)
{
	char piece[16384];
	ssize_t n;

	while ((n = read(fd, piece, sizeof(piece))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "read %s", name);
		buf_add(out, piece, (size_t)n);
		if (out->failed)
			break;
	}
	explicit_bzero(piece, sizeof(piece));
	return buf_check(out, name, e);
}

int fs_read_at(struct buf *out, int dirfd, const char *name, struct err *e)
{
	auto_close int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return FS_NOT_FOUND;
	if (fd < 0)
		return err_sys(e, "open %s", name);
	return fs_read_fd(out, fd, name, e);
}

int fs_read(struct buf *out, const char *path, struct err *e)
{
	return fs_read_at(out, AT_FDCWD, path, e);
}

int fs_read_secret(struct buf *out, const char *path, struct err *e)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return FS_NOT_FOUND;
	if (fd < 0 || fstat(fd, &st))
		return err_sys(e, "open %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERRK_DENIED, "%s: not a regular file", path);
	if (geteuid() != 0 && st.st_uid != geteuid() && st.st_uid != 0)
		return err_set(e, ERRK_DENIED, "%s: owned by user %u", path, (unsigned)st.st_uid);
	if (st.st_mode & 077)
		return err_set(e, ERRK_DENIED, "%s: others can read it: chmod 600 %s", path, path);
	return fs_read_fd(out, fd, path, e);
}

int fs_write_all(int fd, const void *p, size_t n, struct err *e)
{
	const char *at = p;
	ssize_t done;

	while (n) {
		done = write(fd, at, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return err_sys(e, "write");
		at += done;
		n -= (size_t)done;
	}
	return 0;
}

int fs_read_exactly(int fd, void *p, size_t n)
{
	for (size_t got = 0; got < n;) {
		ssize_t r = read(fd, (char *)p + got, n - got);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return -1;
		got += (size_t)r;
	}
	return 0;
}

static int sync_parent(const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');
	auto_free char *dir = !slash	      ? mem_strdup(".")
			      : slash == path ? mem_strdup("/")
					      : mem_strndup(path, (size_t)(slash - path));
	auto_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd))
		return err_sys(e, "sync %s", dir);
	return 0;
}

int fs_temporary(char **out, const char *path, struct err *e)
{
	auto_free char *name = mem_printf("%s.XXXXXX.tmp", path);
	auto_close int fd = mkostemps(name, 4, O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "create %s", name);
	*out = steal(&name);
	return 0;
}

static int sync_file(const char *path, struct err *e)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 || fsync(fd) ? err_sys(e, "sync %s", path) : 0;
}

int fs_place(const char *tmp, const char *path, enum fs_place how, struct err *e)
{
	int done = sync_file(tmp, e);

	if (done == 0 && how == FS_REPLACE && rename(tmp, path))
		done = err_sys(e, "rename to %s", path);
	if (done == 0 && how == FS_NEW && link(tmp, path))
		done = err_sys(e, "create %s", path);
	if (done || how == FS_NEW)
		unlink(tmp);
	return done ? -1 : sync_parent(path, e);
}

static int fill(const char *path, struct str data, mode_t mode, struct err *e)
{
	auto_close int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return err_sys(e, "open %s", path);
	if (fs_write_all(fd, data.p, data.n, e) < 0)
		return err_wrap(e, "%s", path);
	return fchmod(fd, mode) ? err_sys(e, "chmod %s", path) : 0;
}

static int write_placed(const char *path, struct str data, mode_t mode, enum fs_place how,
			struct err *e)
{
	auto_free char *tmp = NULL;

	if (fs_temporary(&tmp, path, e) < 0)
		return -1;
	if (fill(tmp, data, mode, e) < 0) {
		unlink(tmp);
		return -1;
	}
	return fs_place(tmp, path, how, e);
}

int fs_write(const char *path, const void *p, size_t n, mode_t mode, struct err *e)
{
	return write_placed(path, (struct str){p, n}, mode, FS_REPLACE, e);
}

int fs_write_new(const char *path, const void *p, size_t n, mode_t mode, struct err *e)
{
	return write_placed(path, (struct str){p, n}, mode, FS_NEW, e);
}

int fs_mkdirs(const char *path, mode_t mode, struct err *e)
{
	auto_free char *copy = mem_strdup(path);
	struct stat st;
	char *at;

	for (at = copy + (*copy == '/'); (at = strchr(at, '/')); *at++ = '/') {
		*at = '\0';
		if (*copy && mkdir(copy, 0755) && errno != EEXIST)
			return err_sys(e, "mkdir %s", copy);
	}
	if (mkdir(copy, mode) == 0)
		return chmod(copy, mode) ? err_sys(e, "chmod %s", copy) : 0;
	if (errno != EEXIST)
		return err_sys(e, "mkdir %s", path);
	if (stat(path, &st) || !S_ISDIR(st.st_mode))
		return err_set(e, ERRK_SYS, "%s is not a folder", path);
	return 0;
}

bool fs_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

/* --- removing a tree --- */

struct removal {
	dev_t dev;
	unsigned depth;
	int top;	/* the tree's root, or -1 */
	unsigned moved; /* folders that were too deep, to there */
};

enum { REMOVE_DEPTH_MAX = 256 }; /* each level has a folder open */

static int remove_entry(int dirfd, const char *name, struct removal *r, struct err *e);

static int remove_children(int fd, struct removal *r, struct err *e)
{
	auto_closedir DIR *dir = fdopendir(fd);
	struct dirent *d;

	if (!dir) {
		close(fd);
		return err_sys(e, "read folder");
	}
	while ((errno = 0, d = readdir(dir))) {
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		if (remove_entry(dirfd(dir), d->d_name, r, e))
			return -1;
	}
	return errno ? err_sys(e, "read folder") : 0;
}

/* However deep a stranger nested it: what is too deep for our descriptors comes up to the top. */
static int move_up(int dirfd, const char *name, struct removal *r, struct err *e)
{
	char to[32];

	for (unsigned tries = 0; tries < 1000; tries++) {
		snprintf(to, sizeof(to), ".deep-%u-%u", (unsigned)getpid(), r->moved++);
		if (renameat2(dirfd, name, r->top, to, RENAME_NOREPLACE) == 0)
			return 0;
		if (errno != EEXIST)
			return err_sys(e, "move %s", name);
	}
	return err_set(e, ERRK_LIMIT, "%s: nested too deeply", name);
}

static int remove_folder(int dirfd, const char *name, struct removal *r, struct err *e)
{
	int fd;

	if (r->depth == REMOVE_DEPTH_MAX)
		return move_up(dirfd, name, r, e);
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open %s", name);
	r->depth++;
	if (remove_children(fd, r, e))
		return -1;
	r->depth--;
	return unlinkat(dirfd, name, AT_REMOVEDIR) ? err_sys(e, "remove %s", name) : 0;
}

static int remove_entry(int dirfd, const char *name, struct removal *r, struct err *e)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : err_sys(e, "stat %s", name);
	if (st.st_dev != r->dev)
		return err_set(e, ERRK_STATE, "%s: something is mounted there", name);
	if (S_ISDIR(st.st_mode))
		return remove_folder(dirfd, name, r, e);
	return unlinkat(dirfd, name, 0) && errno != ENOENT ? err_sys(e, "remove %s", name) : 0;
}

int fs_remove_tree(const char *path, struct err *e)
{
	auto_close int top = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct removal r = {.top = top};
	struct stat st;
	struct err why;
	unsigned moved;

	if (lstat(path, &st))
		return errno == ENOENT || errno == ENOTDIR ? 0 : err_sys(e, "stat %s", path);
	r.dev = st.st_dev;
	do {
		moved = r.moved;
		r.depth = 0;
		if (remove_entry(AT_FDCWD, path, &r, &why) == 0)
			return 0;
	} while (r.moved > moved && why.sys == ENOTEMPTY);
	if (e)
		*e = why;
	return err_wrap(e, "remove %s", path);
}

bool fs_is_memory(const char *path)
{
	struct statfs fs;

	if (statfs(path, &fs))
		return false;
	return fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC;
}

int fs_lock(int *fd, const char *path, struct err *e)
{
	auto_close int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (lock < 0)
		return err_sys(e, "open %s", path);
	if (flock(lock, LOCK_EX | LOCK_NB) == 0) {
		*fd = steal_fd(&lock);
		return 0;
	}
	if (errno == EWOULDBLOCK)
		return err_set(e, ERRK_STATE, "%s: another process holds it", path);
	return err_sys(e, "lock %s", path);
}
