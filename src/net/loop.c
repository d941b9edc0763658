/*
 * The event loop: one epoll set that holds every descriptor, one timerfd that stands for a heap of
 * timers. What a callback removes during a turn is only marked, and freed when the turn is over.
 */
#include "net/loop.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define TURN_IO	    32 /* callbacks of descriptors in a turn; timers get at least as many */
#define TURN_MAX    64
#define NOT_IN_HEAP SIZE_MAX

struct loop_io {
	struct loop *loop;
	struct loop_io *prev, *next; /* live ones, or (next only) those to free after the turn */
	loop_io_fn *fn;		     /* NULL: removed */
	void *ctx;
	int fd;
};

struct loop_timer {
	struct loop *loop;
	loop_timer_fn *fn;
	void *ctx;
	int64_t due;
	uint64_t order; /* equal due times fire in the order they were added */
	size_t at;	/* index in the heap */
};

struct loop_child {
	struct loop_child *prev, *next;
	struct loop *loop;
	struct loop_io *io;
	loop_child_fn *fn;
	void *ctx;
	pid_t pid;
	int pidfd;
};

struct loop_sig {
	struct loop_sig *next;
	struct loop_io *io;
	loop_signal_fn *fn;
	void *ctx;
	int fd;
};

struct loop {
	int epfd, timerfd;
	struct loop_io *ios, *graves;
	struct loop_timer **heap;
	size_t timers, room;
	uint64_t added;
	int64_t armed; /* what the timerfd stands at; -1: nothing, -2: to be set anew */
	struct loop_child *children;
	struct loop_sig *signals;
	loop_host_fn *host;
	void *host_ctx;
	unsigned depth; /* turns under way */
	bool stopped;
};

/* --- timers: a binary heap --- */

static bool timer_before(const struct loop_timer *a, const struct loop_timer *b)
{
	return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void heap_put(struct loop *l, size_t i, struct loop_timer *t)
{
	l->heap[i] = t;
	t->at = i;
}

static void heap_up(struct loop *l, size_t i)
{
	struct loop_timer *t = l->heap[i];

	while (i && timer_before(t, l->heap[(i - 1) / 2])) {
		heap_put(l, i, l->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	heap_put(l, i, t);
}

static void heap_down(struct loop *l, size_t i)
{
	struct loop_timer *t = l->heap[i];

	for (;;) {
		size_t k = 2 * i + 1;

		if (k + 1 < l->timers && timer_before(l->heap[k + 1], l->heap[k]))
			k++;
		if (k >= l->timers || !timer_before(l->heap[k], t))
			break;
		heap_put(l, i, l->heap[k]);
		i = k;
	}
	heap_put(l, i, t);
}

static void heap_remove(struct loop *l, struct loop_timer *t)
{
	size_t i = t->at;
	struct loop_timer *last = l->heap[--l->timers];

	t->at = NOT_IN_HEAP;
	if (last == t)
		return;
	heap_put(l, i, last);
	heap_up(l, i);
	heap_down(l, last->at);
}

/* Make the epoll descriptor readable when the next timer is due, whoever waits on it. */
static void timer_arm(struct loop *l)
{
	int64_t due = l->timers ? l->heap[0]->due : -1;
	struct itimerspec when = {0};

	if (due == l->armed)
		return;
	l->armed = due;
	if (due >= 0) {
		int64_t left = due - clock_mono_ms();

		when.it_value.tv_sec = left > 0 ? left / 1000 : 0;
		when.it_value.tv_nsec = left > 0 ? left % 1000 * 1000000 : 1;
	}
	if (timerfd_settime(l->timerfd, 0, &when, NULL) < 0)
		log_broken("cannot arm the timer: %s", strerror(errno));
}

struct loop_timer *loop_timer_add(struct loop *l, int64_t delay_ms, loop_timer_fn *fn, void *ctx)
{
	struct loop_timer *t = mem_zero(sizeof(*t));

	*t = (struct loop_timer){.loop = l, .fn = fn, .ctx = ctx, .order = l->added++};
	t->due = clock_mono_ms() + (delay_ms > 0 ? delay_ms : 0);
	if (l->timers == l->room) {
		l->room = l->room ? 2 * l->room : 16;
		l->heap = mem_grow(l->heap, l->room, sizeof(struct loop_timer *));
	}
	heap_put(l, l->timers++, t);
	heap_up(l, t->at);
	if (!l->depth)
		timer_arm(l);
	return t;
}

void loop_timer_del(struct loop_timer *t)
{
	if (!t)
		return;
	heap_remove(t->loop, t);
	if (!t->loop->depth)
		timer_arm(t->loop);
	free(t);
}

int64_t loop_next_due(const struct loop *l)
{
	int64_t left;

	if (!l->timers)
		return -1;
	left = l->heap[0]->due - clock_mono_ms();
	return left > 0 ? left : 0;
}

/* Timers added by a callback of this turn wait for the next one. */
static void run_timers(struct loop *l, int budget)
{
	int64_t now = clock_mono_ms();
	uint64_t before = l->added;

	while (budget-- > 0 && l->timers) {
		struct loop_timer *t = l->heap[0];

		if (t->due > now || t->order >= before)
			break;
		heap_remove(l, t);
		t->fn(t->ctx);
		free(t);
	}
}

/* --- descriptors --- */

int loop_io_add(struct loop_io **out, struct loop *l, int fd, uint32_t events, loop_io_fn *fn,
		void *ctx, struct err *e)
{
	struct loop_io *io = mem_zero(sizeof(*io));
	struct epoll_event ev = {.events = events, .data.ptr = io};

	*io = (struct loop_io){.loop = l, .next = l->ios, .fn = fn, .ctx = ctx, .fd = fd};
	if (epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &ev) < 0) {
		free(io);
		return err_sys(e, "watch descriptor %d", fd);
	}
	if (l->ios)
		l->ios->prev = io;
	l->ios = io;
	*out = io;
	return 0;
}

void loop_io_change(struct loop_io *io, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = io};

	if (epoll_ctl(io->loop->epfd, EPOLL_CTL_MOD, io->fd, &ev) < 0)
		log_broken("cannot watch descriptor %d: %s", io->fd, strerror(errno));
}

void loop_io_del(struct loop_io *io)
{
	struct loop *l;

	if (!io || !io->fn)
		return;
	l = io->loop;
	io->fn = NULL;
	epoll_ctl(l->epfd, EPOLL_CTL_DEL, io->fd, NULL);
	if (io->prev)
		io->prev->next = io->next;
	else
		l->ios = io->next;
	if (io->next)
		io->next->prev = io->prev;
	if (!l->depth) {
		free(io);
		return;
	}
	io->next = l->graves;
	l->graves = io;
}

static int run_ios(struct loop *l, int wait_ms)
{
	struct epoll_event ev[TURN_IO];
	int n = epoll_wait(l->epfd, ev, TURN_IO, wait_ms), ran = 0;

	for (int i = 0; i < n; i++) {
		struct loop_io *io = ev[i].data.ptr;

		if (!io) {
			l->armed = -2;
			continue;
		}
		if (!io->fn)
			continue;
		io->fn(io->ctx, io->fd, ev[i].events);
		ran++;
	}
	return ran;
}

int loop_turn(struct loop *l, int wait_ms)
{
	int ran;

	l->depth++;
	timer_arm(l);
	ran = run_ios(l, loop_next_due(l) == 0 ? 0 : wait_ms);
	run_timers(l, TURN_MAX - ran);
	timer_arm(l);
	if (--l->depth)
		return 0;
	while (l->graves) {
		struct loop_io *io = l->graves;

		l->graves = io->next;
		free(io);
	}
	return 0;
}

/* --- the loop itself --- */

int loop_new(struct loop **out, struct err *e)
{
	struct loop *l AUTO(loop_free) = mem_zero(sizeof(*l));
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};

	l->armed = -1;
	l->timerfd = -1;
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epfd < 0)
		return err_sys(e, "epoll_create1");
	l->timerfd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (l->timerfd < 0)
		return err_sys(e, "timerfd_create");
	if (epoll_ctl(l->epfd, EPOLL_CTL_ADD, l->timerfd, &ev) < 0)
		return err_sys(e, "watch the timer");
	*out = steal(&l);
	return 0;
}

static void child_free(struct loop_child *c)
{
	loop_io_del(c->io);
	if (c->pidfd >= 0)
		close(c->pidfd);
	free(c);
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	while (l->children) {
		struct loop_child *c = l->children;

		l->children = c->next;
		child_free(c);
	}
	while (l->signals) {
		struct loop_sig *s = l->signals;

		l->signals = s->next;
		loop_io_del(s->io);
		close(s->fd);
		free(s);
	}
	while (l->ios)
		loop_io_del(l->ios);
	for (size_t i = 0; i < l->timers; i++)
		free(l->heap[i]);
	free(l->heap);
	if (l->timerfd >= 0)
		close(l->timerfd);
	if (l->epfd >= 0)
		close(l->epfd);
	free(l);
}

int loop_fd(const struct loop *l)
{
	return l->epfd;
}

void loop_host(struct loop *l, loop_host_fn *fn, void *ctx)
{
	l->host = fn;
	l->host_ctx = ctx;
}

void loop_run(struct loop *l)
{
	l->stopped = false;
	while (!l->stopped) {
		if (l->host)
			l->host(l->host_ctx);
		else
			loop_turn(l, -1);
	}
}

/* Also wakes a host that is about to wait on our descriptor. */
void loop_stop(struct loop *l)
{
	const struct itimerspec now = {.it_value.tv_nsec = 1};

	l->stopped = true;
	l->armed = -2;
	timerfd_settime(l->timerfd, 0, &now, NULL);
}

bool loop_stopped(const struct loop *l)
{
	return l->stopped;
}

/* --- children and signals --- */

static void child_ended(void *ctx, int fd, uint32_t events)
{
	struct loop_child *c = ctx;
	siginfo_t si = {0};
	int status;

	if (waitid((idtype_t)P_PIDFD, (id_t)c->pidfd, &si, WEXITED | WNOHANG) == 0 && !si.si_pid)
		return;
	/* Reaped by somebody else (si_pid 0, ECHILD): the status is lost, the end is not. */
	status = si.si_pid ? (si.si_code == CLD_EXITED ? si.si_status : 128 + si.si_status) : 255;
	if (c->prev)
		c->prev->next = c->next;
	else
		c->loop->children = c->next;
	if (c->next)
		c->next->prev = c->prev;
	c->fn(c->ctx, c->pid, status);
	child_free(c);
}

int loop_child_add(struct loop *l, pid_t pid, loop_child_fn *fn, void *ctx, struct err *e)
{
	struct loop_child *c;
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (pidfd < 0)
		return err_sys(e, "pidfd_open %d", (int)pid);
	c = mem_zero(sizeof(*c));
	*c = (struct loop_child){.loop = l, .fn = fn, .ctx = ctx, .pid = pid, .pidfd = pidfd};
	if (loop_io_add(&c->io, l, pidfd, EPOLLIN, child_ended, c, e) < 0) {
		child_free(c);
		return -1;
	}
	c->next = l->children;
	if (c->next)
		c->next->prev = c;
	l->children = c;
	return 0;
}

static void signal_came(void *ctx, int fd, uint32_t events)
{
	struct loop_sig *s = ctx;
	struct signalfd_siginfo si;

	if (read(fd, &si, sizeof(si)) == sizeof(si))
		s->fn(s->ctx, (int)si.ssi_signo);
}

int loop_signal_add(struct loop *l, int signo, loop_signal_fn *fn, void *ctx, struct err *e)
{
	struct loop_sig *s;
	auto_close int fd = -1;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signo);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return err_sys(e, "block signal %d", signo);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_sys(e, "signalfd %d", signo);
	s = mem_zero(sizeof(*s));
	*s = (struct loop_sig){.next = l->signals, .fn = fn, .ctx = ctx, .fd = fd};
	if (loop_io_add(&s->io, l, fd, EPOLLIN, signal_came, s, e) < 0) {
		free(s);
		return -1;
	}
	steal_fd(&fd);
	l->signals = s;
	return 0;
}
