/* Second places of mounts: see bind.h. */
#include "volume/bind.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/mem.h"
#include "volume/mounts.h"

static int write_map(pid_t pid, const char *file, const struct idmap *m, struct err *e)
{
	auto_free char *path = mem_printf("/proc/%d/%s", (int)pid, file);
	char line[48];
	int n = snprintf(line, sizeof(line), "%u %u %u\n", m->from, m->to, m->count);
	auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, line, (size_t)n) != n)
		return err_sys(e, "write %s", path);
	return 0;
}

static int open_user_namespace(int *fd, pid_t pid, const struct idmap *m, struct err *e)
{
	auto_free char *path = mem_printf("/proc/%d/ns/user", (int)pid);

	if (write_map(pid, "uid_map", m, e) || write_map(pid, "gid_map", m, e))
		return -1;
	*fd = open(path, O_RDONLY | O_CLOEXEC);
	return *fd < 0 ? err_sys(e, "open %s", path) : 0;
}

/* It has all that we have open, locks too: it must not outlive us. */
static _Noreturn void stay_in(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(1);
	for (;;)
		pause();
}

/* A user namespace lives as long as somebody is in it or has it open: a child that only waits. */
int idmap_open(int *fd, const struct idmap *m, struct err *e)
{
	pid_t us = getpid(), pid;
	int r;

	*fd = -1;
	if (m->count == 0 || m->from == m->to)
		return 0;
	pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		stay_in(us);
	if (pid < 0)
		return err_sys(e, "new user namespace");
	r = open_user_namespace(fd, pid, m, e);
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}

int bind_clone(int *fd, const char *path, int map, unsigned flags, struct err *e)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_NODEV, .propagation = MS_PRIVATE};

	if (flags & BIND_READ_ONLY)
		attr.attr_set |= MOUNT_ATTR_RDONLY;
	if (!(flags & BIND_SET_ID))
		attr.attr_set |= MOUNT_ATTR_NOSUID;
	*fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (*fd < 0)
		return err_sys(e, "open_tree %s", path);
	if (map >= 0) {
		attr.attr_set |= MOUNT_ATTR_IDMAP;
		attr.userns_fd = (uint64_t)map;
	}
	if (mount_setattr(*fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)))
		return err_sys(e, "map the ids of %s", path);
	return 0;
}

/* An id-map that the file system does not know would show nobody's files. */
static int verify(const struct bind *b, struct err *e)
{
	bool read_only = b->flags & BIND_READ_ONLY;
	struct statvfs fs;
	struct stat st;

	if (statvfs(b->target, &fs) || stat(b->target, &st))
		return err_sys(e, "look at %s", b->target);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ERRK_STATE, "%s is no folder", b->source);
	if (!(fs.f_flag & ST_RDONLY) == read_only || !(fs.f_flag & ST_NOSUID))
		return err_set(e, ERRK_STATE, "the kernel mounted %s %s", b->source,
			       read_only ? "writable" : "read-only");
	if (b->owners && st.st_uid - b->owner >= b->owners)
		return err_set(e, ERRK_STATE, "%s belongs to somebody else (%u)", b->source,
			       st.st_uid);
	return 0;
}

static int mount_new(const struct bind *b, struct err *e)
{
	auto_close int map = -1, fd = -1;

	if (mkdir(b->target, 0700) && errno != EEXIST)
		return err_sys(e, "mkdir %s", b->target);
	if (idmap_open(&map, &b->map, e) || bind_clone(&fd, b->source, map, b->flags, e))
		return -1;
	if (move_mount(fd, "", AT_FDCWD, b->target, MOVE_MOUNT_F_EMPTY_PATH))
		return err_sys(e, "mount %s", b->target);
	return verify(b, e);
}

int bind_mount(const struct bind *b, struct err *e)
{
	if (mounts_remove(b->target, e))
		return -1;
	if (mount_new(b, e) == 0)
		return 0;
	(void)!bind_unmount(b->target, NULL); /* the first error is the one to tell */
	return -1;
}

int bind_unmount(const char *target, struct err *e)
{
	if (mounts_remove(target, e))
		return -1;
	return rmdir(target) && errno != ENOENT ? err_sys(e, "remove %s", target) : 0;
}
