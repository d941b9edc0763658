/* The hidden question: on a terminal of its own, answered, interrupted and stopped. */
#include "unit.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/term.h"

enum { PATIENCE_MS = 30000, LOOK_MS = 5 };

struct asked {
	int master, slave, said; /* said: what the child writes to standard error, and its answer */
	pid_t pid;
};

static void child(const struct asked *a, int out)
{
	auto_buf struct buf b = BUF(200);
	struct err e = {0};

	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		signal(signals[i], SIG_DFL); /* a shell ignores some for what it starts aside */
	setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
	setpgid(0, 0); /* its parent's session keeps the group from being orphaned: it may be
			  stopped */
	dup2(a->slave, STDIN_FILENO);
	dup2(out, STDERR_FILENO);
	if (term_ask_hidden(&b, "Secret", &e) < 0)
		_exit(3);
	fprintf(stderr, "answer=%s.", buf_view(&b).p);
	_exit(0);
}

static void begin(struct asked *a)
{
	char name[64];
	int out[2];

	a->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(a->master >= 0 && grantpt(a->master) == 0 && unlockpt(a->master) == 0);
	assert_int_equal(ptsname_r(a->master, name, sizeof(name)), 0);
	a->slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(a->slave >= 0 && pipe(out) == 0);
	a->pid = fork();
	assert_true(a->pid >= 0);
	if (a->pid == 0)
		child(a, out[1]);
	close(out[1]);
	a->said = out[0];
}

static bool has_echo(const struct asked *a)
{
	struct termios t;

	assert_int_equal(tcgetattr(a->slave, &t), 0);
	return t.c_lflag & ECHO;
}

static void wait_hidden(const struct asked *a)
{
	for (int ms = 0; has_echo(a); ms += LOOK_MS) {
		if (ms > PATIENCE_MS)
			fail_msg("the echo stays on");
		poll(NULL, 0, LOOK_MS);
	}
}

static int ended(const struct asked *a)
{
	int status;

	assert_int_equal(waitpid(a->pid, &status, 0), a->pid);
	return status;
}

static void done(struct asked *a)
{
	close(a->master);
	close(a->slave);
	close(a->said);
}

static void answer(const struct asked *a, const char *text)
{
	assert_int_equal(write(a->master, text, strlen(text)), (ssize_t)strlen(text));
}

/* The child said the answer, and the terminal did not. */
static void check_answer(const struct asked *a, const char *want)
{
	char said[300] = "", shown[300] = "";

	assert_int_equal(ended(a), 0);
	assert_true(has_echo(a));
	assert_true(read(a->said, said, sizeof(said) - 1) > 0);
	assert_non_null(strstr(said, want));
	assert_int_equal(fcntl(a->master, F_SETFL, O_NONBLOCK), 0);
	(void)!read(a->master, shown, sizeof(shown) - 1);
	assert_null(strstr(shown, "sesame"));
}

static void an_answer_is_not_shown(void **state)
{
	struct asked a;

	(void)state;
	begin(&a);
	wait_hidden(&a);
	answer(&a, "  open sesame \n");
	check_answer(&a, "answer=open sesame.");
	done(&a);
}

static void a_signal_finds_the_echo_on(void **state)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct asked a;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		int status;

		begin(&a);
		wait_hidden(&a);
		assert_int_equal(kill(a.pid, signals[i]), 0);
		status = ended(&a);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), signals[i]);
		assert_true(has_echo(&a));
		done(&a);
	}
}

static void it_asks_again_after_a_stop(void **state)
{
	struct asked a;
	int status;

	(void)state;
	begin(&a);
	wait_hidden(&a);
	assert_int_equal(kill(a.pid, SIGTSTP), 0);
	assert_int_equal(waitpid(a.pid, &status, WUNTRACED), a.pid);
	assert_true(WIFSTOPPED(status));
	assert_true(has_echo(&a));
	assert_int_equal(kill(a.pid, SIGCONT), 0);
	wait_hidden(&a);
	answer(&a, "sesame\n");
	check_answer(&a, "answer=sesame.");
	done(&a);
}

static void no_answer_is_an_error(void **state)
{
	struct asked a;
	int status;

	(void)state;
	begin(&a);
	wait_hidden(&a);
	answer(&a, "\n");
	status = ended(&a);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 3);
	assert_true(has_echo(&a));
	done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_is_not_shown),
		cmocka_unit_test(a_signal_finds_the_echo_on),
		cmocka_unit_test(it_asks_again_after_a_stop),
		cmocka_unit_test(no_answer_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
