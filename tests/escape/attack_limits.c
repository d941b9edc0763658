/* More processes, memory or disk than were paid for. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"

#define FORKS_MAX 1000

/* More than N processes at a time. */
static int try_forks(char *arg)
{
	unsigned long want = next_number(&arg), n = 0;
	pid_t pids[FORKS_MAX];
	int failed = 0;

	while (n < want && n < FORKS_MAX && !failed) {
		pids[n] = fork();
		if (pids[n] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			pause();
			_exit(0);
		}
		if (pids[n] < 0)
			failed = errno;
		else
			n++;
	}
	for (unsigned long i = 0; i < n; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	return failed ? refused(failed) : 0;
}

/* Touch N MiB. The kernel ends whoever has most of it, which is our child. */
static int try_memory(char *arg)
{
	size_t n = next_number(&arg) << 20;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			_exit(1);
		for (size_t i = 0; i < n; i += 4096)
			p[i] = 1;
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -1;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : refused(ENOMEM);
}

/* More than N MiB in a folder: PATH,N. */
static int try_fill(char *arg)
{
	const char *dir = next_word(&arg);
	size_t want = next_number(&arg), block = (size_t)1 << 20, n = 0;
	char path[200],
		*p = mmap(NULL, block, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd, sys = 0;

	snprintf(path, sizeof(path), "%s/attack-fill", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || p == MAP_FAILED)
		return -1;
	memset(p, 1, block);
	unlink(path);
	while (n <= want && !sys) {
		ssize_t w = write(fd, p, block);

		if (w < (ssize_t)block)
			sys = w < 0 ? errno : ENOSPC;
		n++;
	}
	return sys ? refused(sys) : 0;
}

/* More than N files in a folder: PATH,N. */
static int try_files(char *arg)
{
	const char *dir = next_word(&arg);
	unsigned long want = next_number(&arg), n = 0;
	char path[200];
	int sys = 0;

	while (n < want && !sys) {
		snprintf(path, sizeof(path), "%s/f%lu", dir, n++);
		int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

		if (fd < 0)
			sys = errno;
		else
			close(fd);
	}
	while (n > 0) {
		snprintf(path, sizeof(path), "%s/f%lu", dir, --n);
		unlink(path);
	}
	return sys ? refused(sys) : 0;
}

const struct attack attack_limits[] = {
	{"forks", try_forks}, {"memory", try_memory}, {"fill", try_fill},
	{"files", try_files}, {NULL, NULL},
};
