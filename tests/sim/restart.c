/* Commands that fail and are run again, also over an agent's death: never too often or too late. */
#include "../unit/unit.h"

#include "world.h"

#include "base/clock.h"

static int setup(void **state)
{
	*state = world_new();
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	return 0;
}

/* A lease of 101 s whose command is run again `restarts` times. */
static struct request *run(struct world *w, char id[LEASE_ID_HEX + 1], uint32_t restarts)
{
	struct request *r = world_spawn(w, 101);
	auto_reply struct reply *got = NULL;

	r->spec.restarts = restarts;
	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_RUNNING);
	memcpy(id, got->lease, LEASE_ID_HEX + 1);
	return r;
}

static void tell_exit(struct world *w, const char *id, uint32_t generation, uint32_t status)
{
	struct priv_event ev = {.state = PRIV_BOX_STOPPED,
				.why = PRIV_WHY_EXITED,
				.exit_status = status,
				.generation = generation};

	memcpy(ev.id, id, sizeof(ev.id));
	w->host.inspect = PRIV_BOX_STOPPED;
	w->host.why = PRIV_WHY_EXITED;
	w->host.exit_status = status;
	engine_host_event(w->engine, &ev);
}

static void load(struct world *w, const char *id, struct lease *l)
{
	struct err e;

	assert_int_equal(lease_load(w->db, id, l, &e), 0);
}

/* It failed, waits so long, and runs again. */
static void fail_once(struct world *w, const char *id, int64_t wait)
{
	unsigned starts = w->host.starts;
	struct lease l;

	tell_exit(w, id, w->host.generation, 3);
	load(w, id, &l);
	assert_int_equal(l.halt, LEASE_WAITING);
	assert_int_equal(l.restart.wait, wait);
	world_pass(w, wait > 2 ? wait - 2 : 0);
	world_turn(w, 50);
	if (wait > 2)
		assert_int_equal(w->host.starts, starts);
	world_pass(w, wait > 2 ? 2 : wait);
	for (int i = 0; i < 300 && w->host.starts == starts; i++)
		world_turn(w, 10);
	world_turn(w, 50);
	assert_int_equal(w->host.starts, starts + 1);
	load(w, id, &l);
	assert_int_equal(l.halt, LEASE_RUNS);
}

static void ask(struct world *w, enum request_type t, const char *id, const char *word,
		uint32_t restarts)
{
	auto_request struct request *r = world_ask(t, id);
	auto_reply struct reply *got = NULL;

	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_STATUS);
	assert_string_equal(got->state, word);
	assert_int_equal(got->restarts, restarts);
}

static void failures_are_counted_and_waits_grow(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id, 3);
	auto_reply struct reply *news = NULL;
	struct lease l;

	fail_once(w, id, 1);
	fail_once(w, id, 2);
	fail_once(w, id, 4);
	assert_int_equal(w->host.generation, 4);
	ask(w, REQUEST_STATUS, id, "running", 3);
	tell_exit(w, id, 4, 5); /* no more of them */
	load(w, id, &l);
	assert_int_equal(l.halt, LEASE_RUNS);
	assert_int_equal(l.exit_status, 5);
	news = world_must(w, r, REPLY_STAGE_STATUS);
	assert_int_equal(news->exit_status, 5);
	assert_string_equal(news->state, "exited");
	world_pass(w, 60);
	world_turn(w, 100);
	assert_int_equal(w->host.starts, 4);
	world_check_books(w, id);
}

static void success_is_the_end(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id, 3);

	fail_once(w, id, 1);
	tell_exit(w, id, 2, 0);
	ask(w, REQUEST_STATUS, id, "exited", 1);
	world_pass(w, 60);
	world_turn(w, 100);
	assert_int_equal(w->host.starts, 2);
}

static void long_run_waits_short_again(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id, 5);

	fail_once(w, id, 1);
	fail_once(w, id, 2);
	world_pass(w, 10);
	fail_once(w, id, 1);
	fail_once(w, id, 2);
}

/* News of an earlier generation, or the same twice, count once. */
static void a_failure_counts_once(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id, 5);

	tell_exit(w, id, 1, 3);
	fail_once(w, id, 1); /* generation 1 once more */
	tell_exit(w, id, 1, 3);
	ask(w, REQUEST_STATUS, id, "running", 1);
	assert_int_equal(w->host.starts, 2);
}

static void too_late_for_another_run(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id, 5);

	world_pass(w, 94);
	fail_once(w, id, 1);
	fail_once(w, id, 2);
	tell_exit(w, id, 3, 3); /* four seconds would be too long */
	ask(w, REQUEST_STATUS, id, "exited", 2);
	world_pass(w, 5);
	reply_free(world_must(w, r, REPLY_STAGE_ENDED));
	assert_int_equal(w->host.starts, 3);
}

static void expiry_ends_the_wait(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id, 9);
	auto_reply struct reply *got = NULL;

	fail_once(w, id, 1);
	tell_exit(w, id, 2, 3);
	world_pass(w, 200);
	got = world_must(w, r, REPLY_STAGE_ENDED);
	assert_string_equal(got->why, "expired");
	assert_int_equal(w->host.clashes, 0);
	assert_false(w->host.there);
	world_check_books(w, id);
}

static void owner_stops_one_that_waits(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id, 5);

	fail_once(w, id, 1);
	tell_exit(w, id, 2, 3);
	ask(w, REQUEST_STATUS, id, "restarting", 2);
	ask(w, REQUEST_STOP, id, "stopped", 0);
	world_pass(w, 60);
	world_turn(w, 100);
	assert_int_equal(w->host.starts, 2);
	ask(w, REQUEST_START, id, "running", 0); /* and counts anew */
	fail_once(w, id, 1);
}

static void what_its_owner_kills_stays_ended(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id, 5), *kill = world_ask(REQUEST_SIGNAL, id);
	auto_request struct request *hup = world_ask(REQUEST_SIGNAL, id);

	hup->signal = 1;
	world_send(w, hup);
	reply_free(world_must(w, hup, REPLY_STAGE_STATUS));
	fail_once(w, id, 1);
	kill->signal = 9;
	world_send(w, kill);
	reply_free(world_must(w, kill, REPLY_STAGE_STATUS));
	tell_exit(w, id, 2, 137);
	ask(w, REQUEST_STATUS, id, "exited", 1);
}

/* A restart that the host cannot make is a failure; after the last it stays stopped. */
static void start_that_fails_counts(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id, 2);

	w->host.start = HOST_FAILS;
	tell_exit(w, id, 1, 3);
	for (int i = 0; i < 8; i++) {
		world_pass(w, 1);
		world_turn(w, 50);
	}
	assert_int_equal(w->host.starts, 3);
	ask(w, REQUEST_STATUS, id, "stopped", 2);
	w->host.start = HOST_RUNS;
	ask(w, REQUEST_START, id, "running", 0);
}

/* Its end overtakes the answer that it runs: the paid lease is told running first. */
static void short_command_is_run_again(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = NULL;

	w->host.inspect = PRIV_BOX_STOPPED;
	w->host.exit_status = 4;
	r = run(w, id, 1);
	for (int i = 0; i < 300 && w->host.starts < 2; i++)
		world_turn(w, 10);
	assert_int_equal(w->host.starts, 2);
	ask(w, REQUEST_STATUS, id, "running", 1);
}

/* --- the agent dies --- */

static void agent_that_was_away_finds_the_failure(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id, 2);

	world_close(w);
	w->host.inspect = PRIV_BOX_STOPPED;
	w->host.why = PRIV_WHY_EXITED;
	w->host.exit_status = 9;
	world_open(w);
	for (int i = 0; i < 6 && w->host.starts < 2; i++) {
		world_turn(w, 100);
		world_pass(w, 1);
	}
	world_turn(w, 100);
	ask(w, REQUEST_STATUS, id, "running", 1);
	world_close(w); /* while it waits */
	world_open(w);
	tell_exit(w, id, 2, 9);
	world_close(w);
	world_open(w);
	world_pass(w, 3);
	for (int i = 0; i < 300 && w->host.starts < 3; i++)
		world_turn(w, 10);
	world_turn(w, 50);
	ask(w, REQUEST_STATUS, id, "running", 2);
	assert_int_equal(w->host.starts, 3);
}

static void pragma(struct world *w, const char *sql)
{
	auto_stmt struct stmt *s = db_query(w->db, sql);

	assert_true(db_step(s, NULL) >= 0);
}

/* What cannot be stored now is stored later: a failure, and a last end. */
static void full_disk_delays(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id, 1);
	struct lease l;

	for (int i = 0; i < 2; i++) {
		pragma(w, "PRAGMA query_only = 1");
		tell_exit(w, id, w->host.generation, 3);
		load(w, id, &l);
		assert_int_equal(l.halt, LEASE_RUNS);
		assert_int_equal(l.exit_status, -1);
		pragma(w, "PRAGMA query_only = 0");
		for (int n = 0; n < 6; n++) {
			world_pass(w, 1);
			world_turn(w, 50);
		}
	}
	ask(w, REQUEST_STATUS, id, "exited", 1);
	assert_int_equal(w->host.starts, 2);
}

static void turns(struct world *w, int n)
{
	while (n-- > 0) {
		world_pass(w, 1);
		world_turn(w, 50);
	}
}

/* It runs, is paid, and is told so as soon as that can be stored. */
static void full_disk_delays_a_start(void **state)
{
	struct world *w = *state;
	auto_request struct request *r = world_spawn(w, 101);
	auto_reply struct reply *got = NULL;

	w->host.start_errors = 1;
	world_send(w, r);
	for (int i = 0; i < 300 && !w->host.starts; i++)
		world_turn(w, 10);
	pragma(w, "PRAGMA query_only = 1");
	turns(w, 3);
	assert_true(w->host.there);
	pragma(w, "PRAGMA query_only = 0");
	turns(w, 3);
	got = world_must(w, r, REPLY_STAGE_RUNNING);
	world_check_books(w, got->lease);
}

static void full_disk_delays_a_payment(void **state)
{
	struct world *w = *state;
	auto_request struct request *r = world_spawn(w, 101);
	auto_reply struct reply *got = NULL;
	unsigned swaps = w->mint->swaps;

	w->mint->fault = SIM_FORGET; /* its answer comes later */
	world_send(w, r);
	for (int i = 0; i < 3000 && w->mint->swaps == swaps; i++)
		world_turn(w, 1);
	pragma(w, "PRAGMA query_only = 1");
	turns(w, 3);
	assert_int_equal(w->host.starts, 0);
	pragma(w, "PRAGMA query_only = 0");
	turns(w, 70);
	got = world_must(w, r, REPLY_STAGE_RUNNING);
	world_check_books(w, got->lease);
}

static void full_disk_delays_a_failed_start(void **state)
{
	struct world *w = *state;
	auto_request struct request *r = world_spawn(w, 101);
	auto_reply struct reply *got = NULL;

	w->host.start_errors = 1;
	w->host.start = HOST_FAILS;
	world_send(w, r);
	for (int i = 0; i < 300 && !w->host.starts; i++)
		world_turn(w, 10);
	pragma(w, "PRAGMA query_only = 1");
	turns(w, 3);
	pragma(w, "PRAGMA query_only = 0");
	turns(w, 3);
	got = world_must(w, r, REPLY_STAGE_FAILED);
	assert_true(world_until_state(w, got->lease, LEASE_ENDED));
}

/* A lease that is over and cannot be ended is looked at again, but not without a pause. */
static void full_disk_delays_an_end(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id, 0);
	struct lease l;
	int64_t cpu, idle = clock_cpu_us();

	world_turn(w, 800); /* what a pause takes here where nothing goes on */
	idle = clock_cpu_us() - idle;
	load(w, id, &l);
	pragma(w, "PRAGMA query_only = 1");
	world_pass(w, l.expires_at - clock_wall() + 1);
	cpu = clock_cpu_us();
	world_turn(w, 800);
	assert_in_range(clock_cpu_us() - cpu, 0, 400000 + 3 * idle);
	pragma(w, "PRAGMA query_only = 0");
	turns(w, 3);
	assert_true(world_until_state(w, id, LEASE_ENDED));
	world_check_books(w, id);
}

static void death_at_every_step_counts_once(void **state)
{
	static const enum step steps[] = {STEP_LEASE_RESTARTING, STEP_LEASE_RESUMING,
					  STEP_LEASE_RESUMED};

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		struct world *w = world_new();
		char id[LEASE_ID_HEX + 1];
		auto_request struct request *r = run(w, id, 3);
		auto_request struct request *look = world_ask(REQUEST_STATUS, id);
		struct lease l;

		w->host.inspect = PRIV_BOX_STOPPED;
		w->host.exit_status = 9;
		if (!world_die_at(w, steps[i], look))
			fail_msg("%s was not passed", step_name(steps[i]));
		load(w, id, &l);
		for (int n = 0; n < 300 && l.halt != LEASE_RUNS; n++) {
			world_turn(w, 20);
			load(w, id, &l);
		}
		world_turn(w, 100);
		ask(w, REQUEST_STATUS, id, "running", 1);
		assert_int_equal(w->host.generation, 2);
		world_check_books(w, id);
		world_free(w);
	}
}

static void survivor_of_a_reboot_runs_again(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id, 0);

	w->host.rebooted = true;
	world_close(w);
	world_open(w);
	for (int n = 0; n < 300 && w->host.generation < 2; n++)
		world_turn(w, 20);
	world_turn(w, 100);
	assert_int_equal(w->host.generation, 2);
	ask(w, REQUEST_STATUS, id, "running", 0);
	assert_int_equal(w->host.destroys, 0);
	world_check_books(w, id);
}

static void full_disk_delays_a_survivor(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id, 0);

	w->host.rebooted = true;
	w->host.inspect_errors = 1; /* time to fill the disk in */
	world_close(w);
	world_open(w);
	pragma(w, "PRAGMA query_only = 1");
	turns(w, 3);
	assert_int_equal(w->host.generation, 1);
	pragma(w, "PRAGMA query_only = 0");
	turns(w, 4);
	assert_int_equal(w->host.generation, 2);
	ask(w, REQUEST_STATUS, id, "running", 0);
}

/* What was ended by itself, or by its owner, is not run again by a reboot. */
static void halted_survivor_stays_halted(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(w, id, 0);

	ask(w, REQUEST_STOP, id, "stopped", 0);
	w->host.rebooted = true;
	world_close(w);
	world_open(w);
	world_turn(w, 300);
	assert_int_equal(w->host.generation, 1);
	ask(w, REQUEST_START, id, "running", 0);
	assert_int_equal(w->host.generation, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(failures_are_counted_and_waits_grow),
		T(success_is_the_end),
		T(long_run_waits_short_again),
		T(a_failure_counts_once),
		T(too_late_for_another_run),
		T(expiry_ends_the_wait),
		T(owner_stops_one_that_waits),
		T(what_its_owner_kills_stays_ended),
		T(start_that_fails_counts),
		T(short_command_is_run_again),
		T(agent_that_was_away_finds_the_failure),
		T(survivor_of_a_reboot_runs_again),
		T(halted_survivor_stays_halted),
		T(full_disk_delays),
		T(full_disk_delays_a_start),
		T(full_disk_delays_a_failed_start),
		T(full_disk_delays_a_payment),
		T(full_disk_delays_an_end),
		T(full_disk_delays_a_survivor),
		cmocka_unit_test(death_at_every_step_counts_once),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
