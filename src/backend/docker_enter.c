/*
 * A lease's root on its own volume, in a container whose root Docker chose. Docker puts the lease's
 * root, with everything that is mounted in it, at a place in a root that holds nothing; while the
 * gate is the only process inside, a child of ours enters the container's mount namespace, moves
 * /dev, /proc and /sys over, makes that place the root and lets the other go. What runs there
 * afterwards, and what Docker starts there, has never seen anything else.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/docker_impl.h"
#include "base/mem.h"

/* Not ours: there we would take the host's root away. */
static int join(pid_t pid, struct err *e)
{
	auto_free char *path = mem_printf("/proc/%d/ns/mnt", (int)pid);
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat own, its;

	if (fd < 0 || fstat(fd, &its) < 0 || stat("/proc/self/ns/mnt", &own) < 0)
		return err_sys(e, "look at the container's mounts");
	if (own.st_dev == its.st_dev && own.st_ino == its.st_ino)
		return err_set(e, ERRK_PEER, "the container has the host's mounts");
	return setns(fd, CLONE_NEWNS) < 0 ? err_sys(e, "enter the container's mounts") : 0;
}

/* A daemon with other mounts than ours binds what it has under that path. */
static int check_root(const struct docker_plan *p, int root, struct err *e)
{
	struct stat st;

	if (fstat(root, &st) < 0)
		return err_sys(e, "look at the lease's root");
	if (st.st_dev != p->head.dev || st.st_ino != p->head.ino)
		return err_set(e, ERRK_PEER,
			       "Docker's daemon does not see what is mounted here: it must share "
			       "this host's mounts");
	return 0;
}

/* Nobody's link is followed. */
static int move_over(int root, const char *name, struct err *e)
{
	auto_free char *from = mem_printf("/%s", name);
	auto_close int to = openat(root, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (to < 0)
		return err_sys(e, "/%s of the lease's root", name);
	return move_mount(AT_FDCWD, from, to, "", MOVE_MOUNT_T_EMPTY_PATH) < 0
		       ? err_sys(e, "move /%s", name)
		       : 0;
}

/* What is mounted in the root is nobody's way to more powers. A runtime that makes it read-only
 * takes these two from it, and a folder of the host never had them; the root itself stays. */
static int guard_mounts(int root, struct err *e)
{
	struct mount_attr all = {.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
	struct mount_attr own = {0};
	struct statvfs s;

	if (fstatvfs(root, &s) < 0)
		return err_sys(e, "look at the lease's root");
	own.attr_clr |= s.f_flag & ST_NOSUID ? 0 : MOUNT_ATTR_NOSUID;
	own.attr_clr |= s.f_flag & ST_NODEV ? 0 : MOUNT_ATTR_NODEV;
	return mount_setattr(root, "", AT_EMPTY_PATH | AT_RECURSIVE, &all, sizeof(all)) < 0 ||
			       mount_setattr(root, "", AT_EMPTY_PATH, &own, sizeof(own)) < 0
		       ? err_sys(e, "set ids and devices aside in what is mounted")
		       : 0;
}

static int change_root(const struct docker_plan *p, struct err *e)
{
	static const char *const DOCKERS[] = {"dev", "proc", "sys"};
	auto_close int root = open(GATE_ROOT, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (root < 0)
		return err_sys(e, "open the lease's root");
	if (check_root(p, root, e) < 0 || guard_mounts(root, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(DOCKERS); i++)
		if (move_over(root, DOCKERS[i], e) < 0)
			return -1;
	if (fchdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
		return err_sys(e, "make it the root");
	return umount2(".", MNT_DETACH) < 0 || chdir("/") < 0 ? err_sys(e, "leave Docker's root")
							      : 0;
}

/* As runtimes do. Its way leads nowhere out of this root. */
static int make_folder(const char *path, struct err *e)
{
	auto_free char *part = mem_strdup(path);

	for (char *at = part; *at;) {
		at += 1 + strcspn(at + 1, "/");
		char rest = *at;

		*at = '\0';
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return err_sys(e, "make the working folder");
		*at = rest;
	}
	return 0;
}

/* Other flags stay. */
static int make_read_only(const char *path, struct err *e)
{
	struct statvfs s;
	unsigned long flags = MS_REMOUNT | MS_BIND | MS_RDONLY;

	if (statvfs(path, &s) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "look at %s", path);
	if (s.f_flag & ST_RDONLY)
		return 0;
	flags |= s.f_flag & ST_NOSUID ? MS_NOSUID : 0;
	flags |= s.f_flag & ST_NODEV ? MS_NODEV : 0;
	flags |= s.f_flag & ST_NOEXEC ? MS_NOEXEC : 0;
	return mount(NULL, path, NULL, flags, NULL) < 0 ? err_sys(e, "make %s read-only", path) : 0;
}

/* Docker has a list of its own, and older ones a shorter one than ours. */
static int mask(const char *path, struct err *e)
{
	struct stat st;
	int r;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "look at %s", path);
	r = S_ISDIR(st.st_mode) ? mount("tmpfs", path, "tmpfs", MS_RDONLY, "nr_inodes=1")
				: mount("/dev/null", path, NULL, MS_BIND, NULL);
	return r < 0 ? err_sys(e, "hide %s", path) : 0;
}

static int mask_all(struct err *e)
{
	for (size_t i = 0; oci_masked(i); i++)
		if (mask(oci_masked(i), e) < 0)
			return -1;
	for (unsigned i = 0; i < box_hot_cpus(); i++) {
		auto_free char *path = mem_printf(OCI_THROTTLE, i);

		if (mask(path, e) < 0)
			return -1;
	}
	return 0;
}

/* The folder of version 1 is writable whatever a runtime is told. */
static int enter(const struct docker_plan *p, pid_t pid, struct err *e)
{
	umask(022);
	if (join(pid, e) < 0 || change_root(p, e) < 0 || make_folder(p->texts, e) < 0 ||
	    mask_all(e) < 0 || make_read_only("/sys/fs/cgroup", e) < 0)
		return -1;
	return p->head.read_only ? make_read_only("/", e) : 0;
}

static _Noreturn void child(const struct docker_plan *p, pid_t pid, int report)
{
	struct err err = {.kind = ERRK_SYS};
	int r;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	r = enter(p, pid, &err);
	(void)!write(report, &err, sizeof(err));
	_exit(r < 0);
}

int docker_enter(const struct docker_plan *p, pid_t pid, struct err *e)
{
	auto_close int read_end = -1, write_end = -1;
	struct err why;
	int ends[2], status = 0;
	pid_t who;
	ssize_t n;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	read_end = ends[0];
	write_end = ends[1];
	who = fork();
	if (who < 0)
		return err_sys(e, "fork");
	if (who == 0)
		child(p, pid, write_end);
	close(steal_fd(&write_end));
	n = read(read_end, &why, sizeof(why)); /* less than a pipe takes at once */
	while (waitpid(who, &status, 0) < 0 && errno == EINTR)
		;
	if (status == 0)
		return 0;
	if (n != (ssize_t)sizeof(why))
		return err_set(e, ERRK_SYS, "the process that enters the container died");
	if (e)
		*e = why;
	return -1;
}
