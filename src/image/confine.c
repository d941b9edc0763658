/* The confined child: see confine.h. Everything here runs after fork, before a stranger's byte. */
#include "image/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <locale.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fs.h"
#include "base/str.h"

#define ANSWER_FD     (CONFINE_INPUT + 1)
#define PARSE_SECONDS 60
#define FILES_MAX     128 /* a copy has two a level open, TREE_DEPTH_MAX deep */

static const int PARSE_CALLS[] = {
	SCMP_SYS(read),		  SCMP_SYS(write),	   SCMP_SYS(close),
	SCMP_SYS(exit),		  SCMP_SYS(exit_group),	   SCMP_SYS(brk),
	SCMP_SYS(munmap),	  SCMP_SYS(mremap),	   SCMP_SYS(dup),
	SCMP_SYS(madvise),	  SCMP_SYS(futex),	   SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction),  SCMP_SYS(getpid),
	SCMP_SYS(gettid),	  SCMP_SYS(clock_gettime), SCMP_SYS(getrandom),
	SCMP_SYS(sigaltstack),	  SCMP_SYS(sched_yield),
};

static const int UNPACK_CALLS[] = {
	SCMP_SYS(openat),     SCMP_SYS(openat2),   SCMP_SYS(mkdirat),	 SCMP_SYS(mknodat),
	SCMP_SYS(mknod),      SCMP_SYS(unlinkat),  SCMP_SYS(symlinkat),	 SCMP_SYS(linkat),
	SCMP_SYS(fchownat),   SCMP_SYS(fchown),	   SCMP_SYS(fchmod),	 SCMP_SYS(fchmodat),
	SCMP_SYS(fsetxattr),  SCMP_SYS(setxattr),  SCMP_SYS(lsetxattr),	 SCMP_SYS(utimensat),
	SCMP_SYS(ftruncate),  SCMP_SYS(pwrite64),  SCMP_SYS(lseek),	 SCMP_SYS(fstat),
	SCMP_SYS(newfstatat), SCMP_SYS(statx),	   SCMP_SYS(fcntl),	 SCMP_SYS(getdents64),
	SCMP_SYS(umask),      SCMP_SYS(fallocate), SCMP_SYS(readlinkat), SCMP_SYS(pread64),
};

static int allow(scmp_filter_ctx ctx, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0))
			return -1;
	return 0;
}

/* Not as code: no library that a stranger put there is ever loaded. */
static int allow_memory(scmp_filter_ctx ctx)
{
	static const int calls[] = {SCMP_SYS(mmap), SCMP_SYS(mprotect)};

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)))
			return -1;
	return 0;
}

/* For abort(). The child is still root and must not signal anybody else. */
static int allow_abort(scmp_filter_ctx ctx)
{
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
				SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
}

static int load_filter(enum confine_kind kind, struct err *e)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r = -1;

	if (ctx && allow_abort(ctx) == 0 && allow(ctx, PARSE_CALLS, ARRAY_SIZE(PARSE_CALLS)) == 0 &&
	    allow_memory(ctx) == 0 &&
	    (kind == CONFINE_PARSE || allow(ctx, UNPACK_CALLS, ARRAY_SIZE(UNPACK_CALLS)) == 0))
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r ? err_set(e, ERRK_SYS, "cannot load the filter of system calls") : 0;
}

static int limit(int what, uint64_t most, struct err *e)
{
	struct rlimit r = {most, most};

	return setrlimit(what, &r) ? err_sys(e, "setrlimit") : 0;
}

/* SIGXCPU says what it was; the second after it is for those who ignore that. */
static int limit_time(const struct confine *c, struct err *e)
{
	uint64_t s = c->seconds_max ? c->seconds_max : PARSE_SECONDS;
	struct rlimit r = {s, s + 1};

	return setrlimit(RLIMIT_CPU, &r) ? err_sys(e, "setrlimit") : 0;
}

static int set_limits(const struct confine *c, struct err *e)
{
#ifndef LEASED_SANITIZERS /* shadow memory is larger than any limit */
	if (limit(RLIMIT_AS, UINT64_C(2) << 30, e))
		return -1;
#endif
	if (limit(RLIMIT_CORE, 0, e) || limit_time(c, e) ||
	    limit(RLIMIT_FSIZE, c->kind == CONFINE_PARSE ? 0 : c->file_max, e))
		return -1;
	return limit(RLIMIT_NOFILE, FILES_MAX, e);
}

static int drop_powers(enum confine_kind kind, struct err *e)
{
	static const cap_value_t KEPT[] = {CAP_CHOWN, CAP_FOWNER, CAP_DAC_OVERRIDE, CAP_FSETID,
					   CAP_SETFCAP}; /* the last one for unpackers only */
	cap_t caps = cap_init();			 /* none */
	int n = ARRAY_SIZE(KEPT) - (kind == CONFINE_INSIDE);
	int r = caps ? 0 : -1;

	if (r == 0 && kind != CONFINE_PARSE)
		r = cap_set_flag(caps, CAP_PERMITTED, n, KEPT, CAP_SET) ||
		    cap_set_flag(caps, CAP_EFFECTIVE, n, KEPT, CAP_SET);
	if (r == 0)
		r = cap_set_proc(caps);
	cap_free(caps);
	return r ? err_sys(e, "drop capabilities") : 0;
}

/* Exactly: standard error, the input as CONFINE_INPUT, the answer's pipe as ANSWER_FD. */
static int set_descriptors(int input, int answer)
{
	int high_answer = fcntl(answer, F_DUPFD, 64);
	int high_input = input >= 0 ? fcntl(input, F_DUPFD, 64) : -1;

	if (high_answer < 0 || dup2(high_answer, ANSWER_FD) < 0)
		return -1;
	if (high_input >= 0 && dup2(high_input, CONFINE_INPUT) < 0)
		return -1;
	if (high_input < 0)
		close(CONFINE_INPUT);
	close(0);
	close(1);
	return close_range(ANSWER_FD + 1, ~0U, 0);
}

/* The container's root is ours then, and no path leads out of it. It cannot see or signal us: we
 * stay out of its process namespace. */
static int enter_container(const struct confine *c, struct err *e)
{
	if (unshare(CLONE_NEWNET | CLONE_NEWIPC) ||
	    setns(CONFINE_INPUT, CLONE_NEWNS | (c->mapped ? CLONE_NEWUSER : 0)))
		return err_sys(e, "enter the container");
	if (setgroups(0, NULL) || setresgid(0, 0, 0) || setresuid(0, 0, 0))
		return err_sys(e, "become its root");
	if (prctl(PR_SET_PDEATHSIG, SIGKILL)) /* which another user does not inherit */
		return err_sys(e, "prctl");
	if (close(CONFINE_INPUT) || chdir("/"))
		return err_sys(e, "enter the container's root");
	return 0;
}

/* A parser's filter lets it open, connect and mount nothing, so namespaces, which cost
 * milliseconds, are for unpackers. */
static int enter_root(const struct confine *c, struct err *e)
{
	if (c->kind == CONFINE_INSIDE)
		return enter_container(c, e);
	if (c->kind == CONFINE_UNPACK && (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC) ||
					  mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)))
		return err_sys(e, "new namespaces");
	if (chdir(c->root) || chroot(".") || chdir("/"))
		return err_sys(e, "chroot to %s", c->root);
	return 0;
}

static int confine_self(const struct confine *c, pid_t parent, struct err *e)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		return err_set(e, ERRK_SYS, "the parent is gone");
	/* names in archives are UTF-8; the C locale would mangle them */
	if (c->kind == CONFINE_UNPACK)
		(void)setlocale(LC_CTYPE, "C.UTF-8");
	umask(0);
	if (enter_root(c, e) || set_limits(c, e) || drop_powers(c->kind, e))
		return -1;
	if (prctl(PR_SET_DUMPABLE, 0) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return err_sys(e, "no_new_privs");
	return load_filter(c->kind, e);
}

struct answer_head {
	int32_t status;
	char message[sizeof(((struct err *)0)->msg)];
	int32_t kind;
};

/* Never returns: what the parent had open or would flush is not ours to finish. */
static _Noreturn void child_main(const struct confine *c, int answer, pid_t parent)
{
	struct answer_head head = {.status = -1};
	struct buf tail = BUF(c->tail ? c->tail->max : 0);
	struct err e = {0};

	if (set_descriptors(c->kind == CONFINE_INSIDE ? c->pidfd : c->input, answer))
		_exit(2);
	if (confine_self(c, parent, &e) == 0)
		head.status = c->run(c->arg, c->answer, &tail, &e);
	if (tail.failed)
		head.status = err_set(&e, ERRK_LIMIT, "the answer is too long");
	memcpy(head.message, e.msg, sizeof(head.message));
	head.kind = (int32_t)e.kind;
	if (fs_write_all(ANSWER_FD, &head, sizeof(head), NULL) ||
	    fs_write_all(ANSWER_FD, c->answer, c->answer_n, NULL) ||
	    (tail.n && fs_write_all(ANSWER_FD, tail.p, tail.n, NULL)))
		_exit(2);
	_exit(0);
}

static int read_tail(int fd, struct buf *tail)
{
	char piece[4096];
	ssize_t r;

	while ((r = read(fd, piece, sizeof(piece))) != 0) {
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0 || !tail)
			return -1;
		buf_add(tail, piece, (size_t)r);
	}
	return tail && tail->failed ? -1 : 0;
}

static int wait_child(pid_t pid, int *status)
{
	while (waitpid(pid, status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return 0;
}

/* A child that could not even say what was wrong. */
static int explain_death(int status, struct err *e)
{
	int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

	if (signal == SIGXCPU)
		return err_set(e, ERRK_LIMIT, "it takes more computing than allowed");
	if (signal == SIGXFSZ)
		return err_set(e, ERRK_LIMIT, "a file is larger than allowed");
	return err_set(e, ERRK_INPUT, "the confined child died (status %d): bad image?", status);
}

static int take_answer(const struct confine *c, int fd, pid_t pid, struct err *e)
{
	struct answer_head head;
	char shown[sizeof(head.message)];
	int status = 0;
	int r = fs_read_exactly(fd, &head, sizeof(head)) ||
		fs_read_exactly(fd, c->answer, c->answer_n) || read_tail(fd, c->tail);

	if (r)
		kill(pid, SIGKILL);
	if (wait_child(pid, &status))
		return err_sys(e, "wait for the confined child");
	if (r || !WIFEXITED(status) || WEXITSTATUS(status))
		return explain_death(status, e);
	if (head.status == 0)
		return 0;
	str_printable(shown, sizeof(shown),
		      (struct str){head.message, strnlen(head.message, sizeof(head.message))});
	return err_set(e,
		       head.kind == ERRK_LIMIT || head.kind == ERRK_STATE || head.kind == ERRK_SYS
			       ? (enum err_kind)head.kind
			       : ERRK_INPUT,
		       "%s", shown);
}

int confine_run(const struct confine *c, struct err *e)
{
	int ends[2];
	pid_t parent = getpid(), pid;
	int r;

	if (pipe2(ends, O_CLOEXEC))
		return err_sys(e, "pipe");
	pid = fork();
	if (pid == 0)
		child_main(c, ends[1], parent);
	close(ends[1]);
	r = pid < 0 ? err_sys(e, "fork") : take_answer(c, ends[0], pid, e);
	close(ends[0]);
	return r;
}
