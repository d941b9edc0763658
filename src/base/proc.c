#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

enum { KEEP_MAX = 16, OUT_MAX = 1 << 16, ERR_MAX = 4096 };

static const char *const minimal_env[] = {"PATH=" PROC_PATH, "LANG=C", NULL};

/* What the child needs, laid out before the fork: it may only make system calls there. */
struct launch {
	const struct proc_spec *spec;
	char *path;
	const char *const *envp;
	int from[3 + KEEP_MAX]; /* from[i] becomes descriptor i */
	int count;
	int null, report;
	pid_t parent;
};

struct failure {
	int sys;
	char what[24];
};

/* --- in the child, between fork and exec --- */

static void child_fail(int report, const char *what)
{
	struct failure f = {.sys = errno};
	ssize_t done;

	memcpy(f.what, what, strnlen(what, sizeof(f.what) - 1));
	done = write(report, &f, sizeof(f));
	_exit(done == (ssize_t)sizeof(f) ? 127 : 126);
}

static void reset_signals(void)
{
	struct sigaction dfl = {.sa_handler = SIG_DFL};
	sigset_t none;
	int signo;

	for (signo = 1; signo < NSIG; signo++)
		sigaction(signo, &dfl, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Everything from `first` on shall be closed by exec. */
static void mark_close_on_exec(int first)
{
	int fd;

	if (syscall(SYS_close_range, (unsigned)first, ~0u, CLOSE_RANGE_CLOEXEC) == 0)
		return;
	for (fd = first; fd < 65536; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* Sources are first moved above all targets, so that no move overwrites one still needed. */
static void place_descriptors(struct launch *l, int *exec_fd)
{
	int i;

	l->report = fcntl(l->report, F_DUPFD_CLOEXEC, l->count);
	if (*exec_fd > 0)
		*exec_fd = fcntl(*exec_fd, F_DUPFD_CLOEXEC, l->count);
	for (i = 0; i < l->count; i++) {
		l->from[i] = fcntl(l->from[i], F_DUPFD_CLOEXEC, l->count);
		if (l->from[i] < 0)
			child_fail(l->report, "pass a descriptor");
	}
	for (i = 0; i < l->count; i++)
		if (dup2(l->from[i], i) < 0)
			child_fail(l->report, "pass a descriptor");
	mark_close_on_exec(l->count);
}

static void child_main(struct launch *l)
{
	const struct proc_spec *s = l->spec;
	int exec_fd = s->exec_fd;

	place_descriptors(l, &exec_fd);
	setsid();
	if (s->dies && (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != l->parent))
		child_fail(l->report, "follow its parent");
	if (chdir(s->cwd ? s->cwd : "/"))
		child_fail(l->report, "change folder");
	reset_signals();
	if (exec_fd > 0)
		syscall(SYS_execveat, exec_fd, "", s->argv, l->envp, AT_EMPTY_PATH);
	else
		execve(l->path, (char *const *)s->argv, (char *const *)l->envp);
	child_fail(l->report, "exec");
}

/* --- in the parent --- */

/* A name without a slash is looked for in the fixed search path. */
static char *find_program(const char *name)
{
	struct str rest = STR(PROC_PATH), dir;

	if (strchr(name, '/'))
		return mem_strdup(name);
	while (str_cut(&rest, ':', &dir)) {
		auto_free char *path = mem_printf("%.*s/%s", (int)dir.n, dir.p, name);

		if (access(path, X_OK) == 0)
			return steal(&path);
	}
	return mem_strdup(name);
}

static int plan_descriptors(struct launch *l, struct err *e)
{
	const struct proc_spec *s = l->spec;
	const int std[3] = {s->in, s->out, s->err};
	const int *k;
	int i;

	for (i = 0; i < 3; i++)
		l->from[l->count++] = std[i] >= 0 ? std[i] : l->null;
	for (k = s->keep; k && *k >= 0; k++) {
		if (l->count == 3 + KEEP_MAX)
			return err_set(e, ERRK_LIMIT, "too many descriptors to pass");
		l->from[l->count++] = *k;
	}
	return 0;
}

/* All signals are blocked around the fork, so that no handler of ours runs in the child. */
static pid_t fork_child(struct launch *l, int report_read)
{
	sigset_t all, old;
	pid_t pid;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pid = fork();
	if (pid == 0) {
		close(report_read);
		child_main(l);
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return pid;
}

/* The raw status; 126 where nobody knows. */
static int wait_raw(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return W_EXITCODE(126, 0);
	return status;
}

/* End of file on the pipe means that exec closed it. */
static int read_report(int fd, pid_t pid, const char *name, struct err *e)
{
	struct failure f;
	ssize_t n;

	do
		n = read(fd, &f, sizeof(f));
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return 0;
	wait_raw(pid);
	if (n != (ssize_t)sizeof(f))
		return err_set(e, ERRK_SYS, "start %s: the child died early", name);
	f.what[sizeof(f.what) - 1] = '\0';
	errno = f.sys;
	return err_sys(e, "start %s: %s", name, f.what);
}

int proc_start(pid_t *pid, const struct proc_spec *s, struct err *e)
{
	auto_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	auto_free char *path = find_program(s->argv[0]);
	struct launch l = {.spec = s, .path = path, .null = null, .parent = getpid()};
	auto_close int report_read = -1, report_write = -1;
	int pipes[2];
	pid_t child;

	l.envp = s->envp ? s->envp : minimal_env;
	if (null < 0 || pipe2(pipes, O_CLOEXEC))
		return err_sys(e, "start %s", s->argv[0]);
	report_read = pipes[0];
	report_write = l.report = pipes[1];
	if (plan_descriptors(&l, e))
		return -1;
	child = fork_child(&l, report_read);
	if (child < 0)
		return err_sys(e, "fork for %s", s->argv[0]);
	close(steal_fd(&report_write));
	if (read_report(report_read, child, s->argv[0], e))
		return -1;
	*pid = child;
	return 0;
}

/* --- run to the end --- */

struct run {
	int in, out, err; /* our ends; -1 when done */
	int pidfd;
	pid_t pid;
	const char *input;
	size_t input_n;
	int64_t deadline;
	struct proc_result *r;
	const struct proc_other *other; /* NULL: we start it, and kill its group */
};

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void run_close(struct run *r)
{
	close_end(&r->in);
	close_end(&r->out);
	close_end(&r->err);
	close_end(&r->pidfd);
}

/* Writing to a child that is gone must not kill us, whatever the process does with SIGPIPE. */
static ssize_t write_quiet(int fd, const void *p, size_t n)
{
	const struct timespec now = {0};
	sigset_t set, old;
	ssize_t done;
	int sys;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	done = write(fd, p, n);
	sys = errno;
	if (done < 0 && sys == EPIPE && !sigismember(&old, SIGPIPE))
		sigtimedwait(&set, NULL, &now);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	errno = sys;
	return done;
}

static void feed(struct run *r)
{
	ssize_t n = write_quiet(r->in, r->input, r->input_n);

	if (n > 0) {
		r->input += n;
		r->input_n -= (size_t)n;
	}
	if (r->input_n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		close_end(&r->in);
}

static void keep_head(struct buf *b, const char *p, size_t n)
{
	size_t room = b->max - b->n;

	buf_add(b, p, n < room ? n : room);
}

static void keep_tail(struct buf *b, const char *p, size_t n)
{
	size_t drop;

	if (n > b->max) {
		p += n - b->max;
		n = b->max;
	}
	drop = b->n + n > b->max ? b->n + n - b->max : 0;
	if (drop) {
		memmove(b->p, b->p + drop, b->n - drop);
		b->n -= drop;
	}
	buf_add(b, p, n);
}

typedef void keep_fn(struct buf *b, const char *p, size_t n);

/* One read; how much that was, 0 when there is nothing more to have now. */
static size_t collect(int *fd, struct buf *b, keep_fn *keep)
{
	char piece[8192];
	ssize_t n = *fd < 0 ? -1 : read(*fd, piece, sizeof(piece));

	if (n > 0)
		keep(b, piece, (size_t)n);
	else if (*fd >= 0 && (n == 0 || (errno != EAGAIN && errno != EINTR)))
		close_end(fd);
	return n > 0 ? (size_t)n : 0;
}

/* What is in the pipe now: a grandchild may write into it for ever. */
static void drain(int *fd, struct buf *b, keep_fn *keep)
{
	int left = 0;
	size_t n = 1;

	if (*fd < 0 || ioctl(*fd, FIONREAD, &left) < 0)
		return;
	for (; left > 0 && n > 0; left -= (int)n)
		n = collect(fd, b, keep);
}

static bool has_ended(const struct run *r)
{
	siginfo_t info = {0};

	return waitid(P_PID, (id_t)r->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == r->pid;
}

/* Wait for one turn's worth of events; without a pidfd, look every 20 ms. */
static void wait_turn(struct run *r)
{
	int64_t left = r->deadline - clock_mono_ms();
	struct pollfd p[4] = {{r->in, POLLOUT, 0},
			      {r->out, POLLIN, 0},
			      {r->err, POLLIN, 0},
			      {r->pidfd, POLLIN, 0}};

	if (r->pidfd < 0 && left > 20)
		left = 20;
	if (poll(p, 4, left < 0 ? 0 : left > 60000 ? 60000 : (int)left) <= 0)
		return;
	if (p[0].revents)
		feed(r);
	if (p[1].revents)
		collect(&r->out, &r->r->out, keep_head);
	if (p[2].revents)
		collect(&r->err, &r->r->err, keep_tail);
}

static void kill_run(struct run *r)
{
	r->r->timed_out = true;
	if (r->other) {
		r->other->kill(r->other->ctx, r->pid);
		return;
	}
	kill(-r->pid, SIGKILL);
	kill(r->pid, SIGKILL);
}

/* Ends with the child, not with its pipes: a grandchild may hold those for ever. */
static void run_loop(struct run *r)
{
	int status;

	while (!has_ended(r) && clock_mono_ms() < r->deadline)
		wait_turn(r);
	if (!has_ended(r))
		kill_run(r);
	status = wait_raw(r->pid);
	drain(&r->out, &r->r->out, keep_head);
	drain(&r->err, &r->r->err, keep_tail);
	r->r->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	r->r->status = r->r->signal ? 128 + r->r->signal : WEXITSTATUS(status);
}

/* A pipe whose end `ours` does not block; `theirs` goes to the child. */
static int make_pipe(int *ours, int *theirs, int our_end, struct err *e)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC))
		return err_sys(e, "pipe");
	*ours = p[our_end];
	*theirs = p[!our_end];
	return fcntl(*ours, F_SETFL, O_NONBLOCK) ? err_sys(e, "pipe") : 0;
}

static int start_by(const struct proc_other *o, const int std[3], pid_t *pid, struct err *e)
{
	auto_close int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	const int all[3] = {std[0] >= 0 ? std[0] : null, std[1], std[2]};

	if (null < 0)
		return err_sys(e, "open /dev/null");
	return o->start(o->ctx, all, pid, e);
}

static int run_start(struct run *r, const struct proc_spec *s, struct err *e)
{
	auto_close int in = -1, out = -1, err = -1;
	struct proc_spec spec = s ? *s : (struct proc_spec){0};
	int std[3];

	if (r->input_n && make_pipe(&r->in, &in, 1, e))
		return -1;
	if (make_pipe(&r->out, &out, 0, e) || make_pipe(&r->err, &err, 0, e))
		return -1;
	std[0] = spec.in = in;
	std[1] = spec.out = out;
	std[2] = spec.err = err;
	if (r->other ? start_by(r->other, std, &r->pid, e) : proc_start(&r->pid, &spec, e))
		return -1;
	r->pidfd = (int)syscall(SYS_pidfd_open, r->pid, 0);
	return 0;
}

static int run_all(struct run *run, const struct proc_spec *s, struct err *e)
{
	int done;

	if (run->r->out.max == 0)
		run->r->out = BUF(OUT_MAX);
	if (run->r->err.max == 0)
		run->r->err = BUF(ERR_MAX);
	run->r->timed_out = false;
	done = run_start(run, s, e);
	if (done == 0)
		run_loop(run);
	run_close(run);
	return done;
}

int proc_run(const struct proc_spec *s, const void *input, size_t input_n, int64_t timeout_ms,
	     struct proc_result *r, struct err *e)
{
	struct run run = {.in = -1,
			  .out = -1,
			  .err = -1,
			  .pidfd = -1,
			  .input = input,
			  .input_n = input_n,
			  .deadline = clock_mono_ms() + timeout_ms,
			  .r = r};

	if (run_all(&run, s, e) < 0)
		return -1;
	return r->timed_out ? err_set(e, ERRK_SYS, "%s: timed out", s->argv[0]) : 0;
}

int proc_run_other(const struct proc_other *o, const void *input, size_t input_n,
		   int64_t timeout_ms, struct proc_result *r, struct err *e)
{
	struct run run = {.in = -1,
			  .out = -1,
			  .err = -1,
			  .pidfd = -1,
			  .input = input,
			  .input_n = input_n,
			  .deadline = clock_mono_ms() + timeout_ms,
			  .r = r,
			  .other = o};

	return run_all(&run, NULL, e);
}

void proc_result_free(struct proc_result *r)
{
	buf_free(&r->out);
	buf_free(&r->err);
}

int proc_check(const char *const *argv, int64_t timeout_ms, struct err *e)
{
	struct proc_spec s = {.argv = argv, .in = -1, .out = -1, .err = -1, .dies = true};
	struct proc_result r = {0};
	char tail[200];
	int done = proc_run(&s, NULL, 0, timeout_ms, &r, e);

	if (done == 0 && r.status != 0) {
		struct str all = str_trim(buf_view(&r.err));
		size_t skip = all.n >= sizeof(tail) ? all.n - sizeof(tail) + 1 : 0;

		str_printable(tail, sizeof(tail), (struct str){all.p + skip, all.n - skip});
		done = err_set(e, ERRK_SYS, "%s: status %d: %s", argv[0], r.status, tail);
	}
	proc_result_free(&r);
	return done;
}

uint64_t proc_start_time(pid_t pid)
{
	auto_buf struct buf b = BUF(4096);
	struct str rest, field = {0};
	uint64_t start;
	char path[32];
	const char *at;
	int i;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (fs_read(&b, path, NULL))
		return 0;
	at = strrchr(b.p, ')'); /* the name before it may hold anything */
	if (!at || at[1] != ' ' || at[2] == 'Z' || at[2] == 'X')
		return 0;
	rest = str_of(at + 2);
	for (i = 3; i <= 22; i++) /* proc(5): state is field 3, starttime 22 */
		if (!str_cut(&rest, ' ', &field))
			return 0;
	return str_u64(field, UINT64_MAX, &start, NULL) ? 0 : start;
}
