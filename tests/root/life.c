/* How a main process lives, by helper, keeper and the real runtime: its terminal, the checks of
 * its health. */
#include "helper_world.h"

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static void start_with_terminal(struct world *w, const char *id, const char *script)
{
	struct priv_start m = {0};

	fill_start(&m, id, script);
	m.spec.tty = true;
	start_ok(w, &m);
	spec_clear(&m.spec);
}

/* Standard input, output and error are one terminal of 80 by 24; nothing is typed there. */
static void terminal_is_the_output(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000b1";
	auto_free char *out = NULL, *err = NULL;

	start_with_terminal(w, id,
			    "test -t 0 && test -t 1 && test -t 2 && stty size && echo $TERM && "
			    "tty && echo wrong >&2; echo there > /dev/tty; exit 7");
	assert_int_equal(wait_stopped(w, id).exit_status, 7);
	out = read_log(w, id, LOG_STDOUT);
	err = read_log(w, id, LOG_STDERR);
	assert_string_equal(out, "24 80\r\nxterm\r\n/dev/pts/0\r\nwrong\r\nthere\r\n");
	assert_string_equal(err, "");
	destroy_ok(w, id);
	assert_nothing_left(w, id);
}

/* While nobody inside has it open it hangs on; what is written later is kept, too. */
static void terminal_outlives_a_hangup(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000b2";
	auto_free char *out = NULL;

	start_with_terminal(w, id,
			    "echo one; exec </dev/null >/dev/null 2>&1; sleep 0.3; "
			    "echo two > /dev/console; exit 0");
	assert_int_equal(wait_stopped(w, id).exit_status, 0);
	out = read_log(w, id, LOG_STDOUT);
	assert_string_equal(out, "one\r\ntwo\r\n");
	destroy_ok(w, id);
}

/* A command reads until its owner signals it, and a much printing one is not cut. */
static void terminal_waits_and_carries_all(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000b3";
	struct priv_signal sig = {.signal = 15, .command = (char *)""};
	auto_free char *out = NULL;
	struct answer a;

	memcpy(sig.id, id, sizeof(sig.id));
	start_with_terminal(w, id,
			    "trap 'seq 20000; exit 3' TERM; read line & wait $!; sleep 60 & wait");
	pause_ms(300);
	assert_int_equal(inspect(w, id).state, PRIV_BOX_RUNNING);
	do_signal(w, &sig, &a);
	assert_true(a.r.signal.delivered);
	free_answer(&a, PRIV_BOX_SIGNAL);
	assert_int_equal(wait_stopped(w, id).exit_status, 3);
	out = read_log(w, id, LOG_STDOUT);
	assert_non_null(strstr(out, "\n20000\r\n"));
	destroy_ok(w, id);
}

static void fill_check(struct priv_exec *m, const char *id, char **argv)
{
	*m = (struct priv_exec){
		.argv = {argv, 3}, .timeout_ms = 5000, .output_max = 1, .check = true};
	memcpy(m->id, id, sizeof(m->id));
	name_exec(m);
}

/* One check at a time, which takes no place of the owner's eight commands and gets none of theirs.
 */
static void check_runs_beside_the_owners_commands(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000b4";
	char *slow[] = {(char *)"sh", (char *)"-c", (char *)"sleep 1; seq 9999; exit 4", NULL};
	char *quick[] = {(char *)"sh", (char *)"-c", (char *)"test $(id -u) = 0", NULL};
	char *nap[] = {(char *)"sh", (char *)"-c", (char *)"sleep 2", NULL};
	struct priv_exec check, second, m[8];
	struct answer a, b, all[8];

	run_script(w, id, "sleep 1000");
	for (size_t i = 0; i < 8; i++) {
		fill_check(&m[i], id, nap);
		m[i].check = false;
		begin_exec(w, &m[i], &all[i]);
	}
	fill_check(&check, id, slow);
	begin_exec(w, &check, &a);
	fill_check(&second, id, quick);
	do_exec(w, &second, &b);
	assert_int_equal(b.err.kind, ERRK_STATE);
	wait_answer(w, &a);
	assert_int_equal(a.r.exec.outcome, PRIV_EXEC_DONE);
	assert_int_equal(a.r.exec.exit_status, 4);
	assert_int_equal(a.r.exec.out.n, 1);
	free_answer(&a, PRIV_BOX_EXEC);
	do_exec(w, &second, &b);
	assert_int_equal(b.r.exec.exit_status, 0);
	free_answer(&b, PRIV_BOX_EXEC);
	for (size_t i = 0; i < 8; i++) {
		wait_answer(w, &all[i]);
		assert_int_equal(all[i].r.exec.outcome, PRIV_EXEC_DONE);
		free_answer(&all[i], PRIV_BOX_EXEC);
	}
	destroy_ok(w, id);
	assert_nothing_left(w, id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(terminal_is_the_output),
		cmocka_unit_test(terminal_outlives_a_hangup),
		cmocka_unit_test(terminal_waits_and_carries_all),
		cmocka_unit_test(check_runs_beside_the_owners_commands),
	};
	const char *only = getenv("LEASED_TEST_FILTER");

	cmocka_set_test_filter(only && *only ? only : NULL);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
