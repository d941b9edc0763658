/* Subprocesses: descriptors, signals, environment, time-outs, other children left alone. */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/proc.h"
#include "base/secret.h"

#define PATIENCE 120000 /* for what ends by itself, ms */

static int run(const char *const *argv, const char *input, int64_t ms, struct proc_result *r,
	       struct err *e)
{
	struct proc_spec s = {.argv = argv};

	return proc_run(&s, input, input ? strlen(input) : 0, ms, r, e);
}

static void output_status_and_input(void **state)
{
	const char *const argv[] = {"sh", "-c", "cat; echo oops >&2; exit 7", NULL};
	struct proc_result r = {0};
	struct err e = {0};

	assert_int_equal(run(argv, "hello", PATIENCE, &r, &e), 0);
	assert_int_equal(r.status, 7);
	assert_view(r.out, "hello");
	assert_view(r.err, "oops\n");
	proc_result_free(&r);
}

static void output_is_cut_and_errors_keep_their_tail(void **state)
{
	const char *const argv[] = {"sh", "-c", "printf 1234567890; printf abcdefghij >&2", NULL};
	struct proc_result r = {.out = BUF(4), .err = BUF(4)};
	struct err e = {0};

	assert_int_equal(run(argv, NULL, PATIENCE, &r, &e), 0);
	assert_view(r.out, "1234");
	assert_view(r.err, "ghij");
	proc_result_free(&r);
}

static void a_child_that_does_not_read_kills_nobody(void **state)
{
	auto_free char *big = mem_zero(300001);
	const char *const argv[] = {"true", NULL};
	struct proc_result r = {0};
	struct err e = {0};

	memset(big, 'x', 300000);
	assert_int_equal(run(argv, big, PATIENCE, &r, &e), 0);
	assert_int_equal(r.status, 0);
	proc_result_free(&r);
}

static void a_time_out_kills_the_group(void **state)
{
	const char *const argv[] = {"sh", "-c", "sleep 600 & sleep 600", NULL};
	struct proc_result r = {0};
	struct err e = {0};
	int64_t from = clock_mono_ms();

	assert_int_equal(run(argv, NULL, 200, &r, &e), -1);
	assert_non_null(strstr(e.msg, "timed out"));
	assert_true(clock_mono_ms() - from < PATIENCE);
	proc_result_free(&r);
}

/* A daemon left behind holds the pipes; the end of the child is what counts. */
static void a_grandchild_does_not_hold_us(void **state)
{
	const char *const argv[] = {"sh", "-c", "sleep 100 & echo done", NULL};
	struct proc_result r = {0};
	struct err e = {0};
	int64_t from = clock_mono_ms();

	assert_int_equal(run(argv, NULL, PATIENCE, &r, &e), 0);
	assert_view(r.out, "done\n");
	assert_true(clock_mono_ms() - from < 90000);
	proc_result_free(&r);
}

/* Nor does one that fills them faster than they are read. */
static void a_chatty_grandchild_does_not_hold_us(void **state)
{
	const char *const argv[] = {
		"sh", "-c", "echo first; for i in 1 2 3 4; do yes & yes >&2 & done; exit 7", NULL};
	struct proc_result r = {0};
	struct err e = {0};

	assert_int_equal(run(argv, NULL, PATIENCE, &r, &e), 0);
	assert_int_equal(r.status, 7);
	assert_memory_equal(r.out.p, "first\n", 6);
	proc_result_free(&r);
}

static void a_missing_program_is_an_error(void **state)
{
	const char *const argv[] = {"/no/such/program", NULL};
	struct proc_result r = {0};
	struct err e = {0};

	assert_int_equal(run(argv, NULL, PATIENCE, &r, &e), -1);
	assert_non_null(strstr(e.msg, "/no/such/program"));
	proc_result_free(&r);
}

static void check_names_status_and_words(void **state)
{
	const char *const argv[] = {"sh", "-c", "echo broken thing >&2; exit 3", NULL};
	const char *const fine[] = {"true", NULL};
	struct err e = {0};

	assert_int_equal(proc_check(fine, PATIENCE, &e), 0);
	assert_int_equal(proc_check(argv, PATIENCE, &e), -1);
	assert_non_null(strstr(e.msg, "status 3"));
	assert_non_null(strstr(e.msg, "broken thing"));
}

static void only_named_descriptors_reach_the_child(void **state)
{
	const char *const argv[] = {"sh", "-c", "ls /proc/self/fd | wc -l; cat <&3; env", NULL};
	auto_close int open_one = open("/etc/passwd", O_RDONLY); /* without O_CLOEXEC */
	int p[2], keep[2] = {-1, -1}, out[2];
	struct proc_spec s = {.argv = argv, .in = -1, .err = -1, .keep = keep};
	struct err e = {0};
	char text[200];
	ssize_t n;
	pid_t pid;
	size_t used = 0;

	assert_true(open_one >= 0);
	assert_int_equal(pipe(p), 0);
	assert_int_equal(pipe(out), 0);
	keep[0] = p[0];
	s.out = out[1];
	assert_int_equal(proc_start(&pid, &s, &e), 0);
	close(out[1]);
	close(p[0]);
	assert_int_equal(write(p[1], "kept\n", 5), 5);
	close(p[1]);
	while ((n = read(out[0], text + used, sizeof(text) - 1 - used)) > 0)
		used += (size_t)n;
	text[used] = '\0';
	close(out[0]);
	waitpid(pid, NULL, 0);
	/* 0 1 2 3 and the one that ls itself opens */
	assert_true(strncmp(text, "5\nkept\n", 7) == 0);
	assert_non_null(strstr(text, "LANG=C\n"));
	assert_null(strstr(text, "HOME="));
}

static void other_children_stay_ours(void **state)
{
	const char *const argv[] = {"true", NULL};
	struct err e = {0};
	int status = 0;
	pid_t other = fork();

	if (other == 0)
		_exit(9);
	assert_int_equal(proc_check(argv, PATIENCE, &e), 0);
	assert_int_equal(waitpid(other, &status, 0), other);
	assert_int_equal(WEXITSTATUS(status), 9);
}

static void signals_are_reset(void **state)
{
	const char *const argv[] = {"sh", "-c", "kill -TERM $$; exit 0", NULL};
	struct proc_result r = {0};
	struct sigaction ignore = {.sa_handler = SIG_IGN}, old;
	struct err e = {0};
	sigset_t set, before;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, &before);
	sigaction(SIGTERM, &ignore, &old);
	assert_int_equal(run(argv, NULL, PATIENCE, &r, &e), 0);
	sigaction(SIGTERM, &old, NULL);
	sigprocmask(SIG_SETMASK, &before, NULL);
	assert_int_equal(r.status, 128 + SIGTERM);
	proc_result_free(&r);
}

static void a_descriptor_can_be_executed(void **state)
{
	auto_close int fd = open("/bin/true", O_RDONLY | O_CLOEXEC);
	const char *const argv[] = {"some-name", NULL};
	struct proc_spec s = {.argv = argv, .in = -1, .out = -1, .err = -1, .exec_fd = fd};
	struct err e = {0};
	int status = 1;
	pid_t pid;

	assert_int_equal(proc_start(&pid, &s, &e), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void a_process_has_a_start_time(void **state)
{
	uint64_t mine = proc_start_time(getpid());
	siginfo_t info;
	pid_t pid;

	assert_true(mine > 0);
	assert_true(proc_start_time(getpid()) == mine);
	pid = fork();
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_true(proc_start_time(pid) == 0); /* a zombie is gone */
	waitpid(pid, NULL, 0);
	assert_true(proc_start_time(pid) == 0);
}

/* What a killed one was doing to a disk must not go on beside who takes over. */
static void a_checked_program_dies_with_its_caller(void **state)
{
	int64_t end = clock_mono_ms() + PATIENCE;
	int p[2], status;
	char byte;
	pid_t pid;

	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) || pipe(p), 0);
	pid = fork();
	if (pid == 0) {
		auto_free char *script =
			mem_printf("echo >/proc/%d/fd/%d; exec sleep 600", getpid(), p[1]);
		const char *const argv[] = {"sh", "-c", script, NULL};

		_exit(proc_check(argv, 600000, NULL) == 0);
	}
	assert_int_equal(read(p[0], &byte, 1), 1);
	kill(pid, SIGKILL);
	while ((pid = waitpid(-1, &status, WNOHANG)) >= 0 && clock_mono_ms() < end)
		nanosleep(&(struct timespec){0, 1000000}, NULL);
	assert_int_equal(pid, -1);
	prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
	close(p[0]);
	close(p[1]);
}

/* What a child may have, it can write: else that is a bad address. */
static int child_writes(const char *p)
{
	int pipe_fds[2], status;
	pid_t pid;

	assert_int_equal(pipe(pipe_fds), 0);
	pid = fork();
	if (pid == 0)
		_exit(write(pipe_fds[1], p, 1) == 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return WEXITSTATUS(status);
}

static void locked_memory_is_inherited_where_it_is_let(void **state)
{
	struct err e;
	auto_locked char *p = locked_new(&e);

	if (!p) {
		print_message("# not here: %s\n", e.msg);
		skip();
	}
	p[0] = 'x';
	assert_int_equal(child_writes(p), 0);
	locked_inherit(p, true);
	assert_int_equal(child_writes(p), 1);
	locked_inherit(p, false);
	assert_int_equal(child_writes(p), 0);
	assert_int_equal(p[0], 'x');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(output_status_and_input),
		cmocka_unit_test(output_is_cut_and_errors_keep_their_tail),
		cmocka_unit_test(a_child_that_does_not_read_kills_nobody),
		cmocka_unit_test(a_time_out_kills_the_group),
		cmocka_unit_test(a_grandchild_does_not_hold_us),
		cmocka_unit_test(a_chatty_grandchild_does_not_hold_us),
		cmocka_unit_test(a_missing_program_is_an_error),
		cmocka_unit_test(check_names_status_and_words),
		cmocka_unit_test(only_named_descriptors_reach_the_child),
		cmocka_unit_test(other_children_stay_ours),
		cmocka_unit_test(signals_are_reset),
		cmocka_unit_test(a_checked_program_dies_with_its_caller),
		cmocka_unit_test(a_descriptor_can_be_executed),
		cmocka_unit_test(a_process_has_a_start_time),
		cmocka_unit_test(locked_memory_is_inherited_where_it_is_let),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
