/* The keeper's ends of a container's output, under hostile hands. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "keeper/output.h"
#include "unit.h"

#define PIECE	  65536
#define PIPE_MOST (1 << 20)

static void on_end(void *ctx)
{
	*(bool *)ctx = true;
}

/* One that a container gave its output to, and that nobody ends with it. */
static pid_t start_writer(int fd)
{
	static char lines[PIECE];
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	memset(lines, '\n', sizeof(lines));
	for (;;)
		if (write(fd, lines, sizeof(lines)) < 0)
			_exit(0);
}

static void who_writes_for_ever_does_not_keep_it(void **state)
{
	auto_free char *dir = mem_printf("%s/log", (const char *)*state);
	bool ended = false;
	struct output_config c = {
		.log_dir = dir, .log_max = 1 << 20, .uid = geteuid(), .end = on_end, .ctx = &ended};
	AUTO(output_free) struct output *o = NULL;
	struct loop *l = NULL;
	struct backend_streams io;
	struct err e;
	pid_t pids[2];
	int full = 0;

	assert_int_equal(loop_new(&l, &e), 0);
	assert_int_equal(output_new(&o, l, &c, &e), 0);
	io = output_streams(o, false);
	assert_true(fcntl(io.out, F_SETPIPE_SZ, PIPE_MOST) > 0);
	pids[0] = start_writer(io.out);
	pids[1] = start_writer(io.out);
	while (ioctl(io.out, FIONREAD, &full) == 0 && full < PIPE_MOST)
		nanosleep(&(struct timespec){0, 1000000}, NULL);
	output_close_ends(o);
	alarm(120);
	output_drain(o);
	alarm(0);
	assert_false(ended);
	for (int i = 0; i < 2; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	output_drain(o); /* all that was left, and the end */
	assert_true(ended);
	output_free(steal(&o));
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_writes_for_ever_does_not_keep_it),
	};

	return cmocka_run_group_tests_name("output", tests, unit_folder, unit_folder_gone);
}
