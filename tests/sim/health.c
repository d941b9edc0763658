/* Checks of a lease's health: what they find, what they cost, and what an ill one with restarts
 * does. */
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

static struct request *run(struct world *w, char id[LEASE_ID_HEX + 1], const char *health,
			   uint32_t restarts)
{
	struct request *r = world_spawn(w, 101);
	auto_free char *text = mem_printf("{\"health\":%s}", health);
	auto_reply struct reply *got = NULL;
	auto_spec struct spec with = {0};

	assert_int_equal(spec_decode(&with, str_of(text), NULL), 0);
	r->spec.health = with.health;
	r->spec.restarts = restarts;
	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_RUNNING);
	memcpy(id, got->lease, LEASE_ID_HEX + 1);
	return r;
}

static void assert_health(struct world *w, const char *id, const char *word)
{
	auto_request struct request *r = world_ask(REQUEST_STATUS, id);
	auto_reply struct reply *got = NULL;

	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_STATUS);
	assert_string_equal(got->health, word);
}

static void pass(struct world *w, int64_t seconds)
{
	while (seconds-- > 0) {
		world_pass(w, 1);
		world_turn(w, 30);
	}
}

static void failures_in_a_row_make_it_ill(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = run(
		w, id, "{\"command\":[\"a\",\"b\"],\"interval\":5,\"timeout\":4,\"retries\":2}", 0);

	assert_health(w, id, "starting");
	w->host.check_status = 1;
	pass(w, 6);
	assert_int_equal(w->host.checks, 1);
	assert_string_equal(w->host.checked, "b");
	assert_int_equal(w->host.timeout_ms, 4000);
	assert_health(w, id, "starting");
	w->host.check_status = 0;
	pass(w, 6);
	assert_health(w, id, "healthy");
	w->host.check_status = 1;
	pass(w, 6);
	assert_health(w, id, "healthy");
	pass(w, 6);
	assert_health(w, id, "unhealthy");
	pass(w, 6); /* it is only said */
	assert_int_equal(w->host.stops, 0);
	assert_int_equal(w->host.starts, 1);
	w->host.check_status = 0;
	pass(w, 6);
	assert_health(w, id, "healthy");
	assert_int_equal(w->host.execs, 0);
}

static void grace_forgives(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r =
		run(w, id, "{\"command\":[\"a\"],\"interval\":2,\"retries\":1,\"grace\":20}", 0);

	w->host.check_status = 1;
	pass(w, 12);
	assert_true(w->host.checks >= 4);
	assert_health(w, id, "starting");
	pass(w, 15);
	assert_health(w, id, "unhealthy");
}

/* What says nothing of the command is no failure: a dead worker, an answer that never comes. */
static void no_answer_is_no_failure(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r =
		run(w, id, "{\"command\":[\"a\"],\"interval\":1,\"retries\":1}", 3);

	w->host.check_errs = true;
	pass(w, 10);
	assert_true(w->host.checks > 3);
	assert_health(w, id, "starting");
	w->host.check_errs = false;
	w->host.silent_check = true;
	pass(w, 2);
	w->host.checks = 0;
	pass(w, 10); /* never a second one beside it */
	assert_int_equal(w->host.checks, 0);
	assert_int_equal(w->host.starts, 1);
}

static void ill_one_is_stopped_and_run_again(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r =
		run(w, id, "{\"command\":[\"a\"],\"interval\":1,\"retries\":1}", 1);
	struct lease l;
	struct err e;

	w->host.check_status = 1;
	pass(w, 3);
	w->host.check_status = 0;
	pass(w, 5);
	assert_int_equal(w->host.stops, 1);
	assert_int_equal(w->host.grace_ms, 30000);
	assert_int_equal(w->host.starts, 2);
	assert_int_equal(w->host.generation, 2);
	assert_health(w, id, "healthy");
	assert_int_equal(lease_load(w->db, id, &l, &e), 0);
	assert_int_equal(l.restart.done, 1);
	w->host.check_status = 1;
	pass(w, 5); /* no more of them */
	assert_health(w, id, "unhealthy");
	assert_int_equal(w->host.stops, 1);
	world_check_books(w, id);
}

static void nobody_looks_after_one_that_does_not_run(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r =
		run(w, id, "{\"command\":[\"a\"],\"interval\":1,\"retries\":1}", 0);
	auto_request struct request *stop = world_ask(REQUEST_STOP, id);
	auto_request struct request *start = world_ask(REQUEST_START, id);
	auto_request struct request *end = world_ask(REQUEST_END, id);

	pass(w, 3);
	assert_health(w, id, "healthy");
	world_send(w, stop);
	reply_free(world_must(w, stop, REPLY_STAGE_STATUS));
	assert_health(w, id, "");
	w->host.checks = 0;
	pass(w, 5);
	assert_int_equal(w->host.checks, 0);
	start->expires_at = end->expires_at = clock_wall() + 120;
	world_send(w, start);
	reply_free(world_must(w, start, REPLY_STAGE_STATUS));
	assert_health(w, id, "starting");
	pass(w, 3);
	assert_health(w, id, "healthy");
	world_close(w); /* an agent that starts again looks again */
	world_open(w);
	world_turn(w, 100);
	assert_health(w, id, "starting");
	pass(w, 3);
	assert_health(w, id, "healthy");
	world_send(w, end);
	reply_free(world_must(w, r, REPLY_STAGE_ENDED));
	assert_null(w->engine->health);
}

/* The end of the engine, or of the lease, while the host works on a check. */
static void ends_with_a_check_under_way(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r =
		run(w, id, "{\"command\":[\"a\"],\"interval\":1,\"retries\":1}", 0);
	auto_request struct request *end = world_ask(REQUEST_END, id);

	w->host.silent_check = true;
	pass(w, 3);
	assert_int_equal(w->host.checks, 1);
	world_send(w, end);
	reply_free(world_must(w, r, REPLY_STAGE_ENDED));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(failures_in_a_row_make_it_ill),
		T(grace_forgives),
		T(no_answer_is_no_failure),
		T(ill_one_is_stopped_and_run_again),
		T(nobody_looks_after_one_that_does_not_run),
		T(ends_with_a_check_under_way),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
