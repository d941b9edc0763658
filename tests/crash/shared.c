/* Shared clock, steps and deaths of a run: see shared.h. */
#include "shared.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"

#define WAKE	  SIGUSR2
#define FD_SEARCH 128

static struct shared *common;
static enum actor me;
static int64_t wall_zero, mono_zero;

void *shared_memory(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

/* --- clock --- */

static int64_t sim_wall(void *ctx)
{
	(void)ctx;
	return wall_zero + clock_mono_us() / 1000 + common->ahead_ms;
}

static int64_t sim_mono(void *ctx)
{
	(void)ctx;
	return mono_zero + clock_mono_us() / 1000 + common->ahead_ms;
}

static const struct clock_source sim_clock = {sim_wall, sim_mono, NULL};

/* The kernel's timer knows nothing of our clock: let the loop look at its timers. */
static void wake(int signo)
{
	const struct itimerspec now = {.it_value.tv_nsec = 1};
	char path[32], what[32];

	(void)signo;
	for (int fd = 3; fd < FD_SEARCH; fd++) {
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, what, sizeof(what) - 1);
		if (n <= 0)
			continue;
		what[n] = 0;
		if (!strcmp(what, "anon_inode:[timerfd]"))
			timerfd_settime(fd, 0, &now, NULL);
	}
}

void shared_clock(struct shared *s)
{
	common = s;
	wall_zero = clock_wall_ms() - clock_mono_us() / 1000;
	mono_zero = clock_mono_ms() - clock_mono_us() / 1000;
	clock_replace(&sim_clock);
	sigaction(WAKE, &(struct sigaction){.sa_handler = wake, .sa_flags = SA_RESTART}, NULL);
}

void shared_pass(struct shared *s, int64_t ms, const int pids[static ACTORS])
{
	s->ahead_ms += ms;
	for (int i = 0; i < ACTORS; i++)
		if (pids[i] > 0)
			kill(pids[i], WAKE);
	raise(WAKE);
}

/* --- steps --- */

static void passed(enum step s)
{
	struct death *d = &common->armed[me];

	common->passed[me][s]++;
	if (d->passing && d->step == s && --d->passing == 0)
		kill(getpid(), SIGKILL);
}

void shared_be(struct shared *s, enum actor who)
{
	common = s;
	me = who;
	step_watch(passed);
}

/* --- stillness --- */

/* How often it ran, after its state: "S 12"; false when it runs or is gone. */
static bool look(char out[static 64], int pid)
{
	char path[64], text[512], *end;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	end = strrchr(text, ')');
	if (!end || end[2] != 'S')
		return false;
	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, out, 63);
	close(fd);
	out[n > 0 ? n : 0] = 0;
	return n > 0;
}

bool shared_still(struct stillness *st, const int pids[static ACTORS])
{
	bool same = true;

	for (int i = 0; i < ACTORS; i++) {
		char now[64] = "";

		if (pids[i] > 0 && !look(now, pids[i]))
			same = false;
		if (strcmp(now, st->text[i]) != 0)
			same = false;
		memcpy(st->text[i], now, sizeof(now));
	}
	st->samples = same ? st->samples + 1 : 0;
	return st->samples >= 3;
}
