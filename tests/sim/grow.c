/* A lease whose disk grows: what it costs then, when it ends, and what a failure leaves. */
#include "../unit/unit.h"

#include "world.h"

#include "base/clock.h"

#define MIB (UINT64_C(1) << 20)

static int setup(void **state)
{
	struct world *w = world_new();

	world_close(w);
	w->offer.disk_max = 256 * MIB;
	w->offer.volume_price = (struct price){16000, 1}; /* 64 MiB more: as much again */
	world_open(w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	return 0;
}

static struct reply *run(struct world *w)
{
	auto_request struct request *r = world_spawn(w, 101);

	world_send(w, r);
	return world_must(w, r, REPLY_STAGE_RUNNING);
}

static struct request *wish(const char *lease, uint64_t mib, uint64_t msat)
{
	struct request *r = world_ask(REQUEST_GROW, lease);

	r->disk = mib * MIB;
	r->price = (struct price){msat, 1};
	return r;
}

static struct reply *status(struct world *w, const char *lease)
{
	auto_request struct request *r = world_ask(REQUEST_STATUS, lease);

	world_send(w, r);
	return world_must(w, r, REPLY_STAGE_STATUS);
}

static void refused(struct world *w, struct request *ask, enum reply_code code, const char *says)
{
	auto_request struct request *r = ask;
	auto_reply struct reply *got = NULL;

	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_REFUSED);
	assert_string_equal(reply_code_name(got->code), reply_code_name(code));
	assert_non_null(strstr(got->message, says));
}

static uint64_t disk_of(struct world *w)
{
	return (uint64_t)world_count(w, "SELECT sum(disk) FROM lease") / MIB;
}

/* Twice the price from then on: half of the time that was left, and the end counts both parts. */
static void a_larger_disk_costs_more_from_then_on(void **state)
{
	struct world *w = *state;
	auto_reply struct reply *r = run(w), *more = NULL, *then = NULL, *again = NULL;
	auto_request struct request *x = wish(r->lease, 128, 2000), *end = NULL;
	int64_t left, now;

	then = status(w, r->lease);
	assert_int_equal(then->disk, 64 * MIB);
	assert_int_equal(then->disk_max, 256 * MIB);
	assert_int_equal(then->disk_price.msat, 16000);
	world_pass(w, 20);
	left = r->expires_at - clock_wall();
	world_send(w, x);
	more = world_must(w, x, REPLY_STAGE_STATUS);
	now = clock_wall();
	assert_int_equal(w->host.volume_bytes, 128 * MIB);
	assert_int_equal(more->disk, 128 * MIB);
	assert_int_equal(more->price.msat, 2000);
	assert_in_range(more->expires_at - now, left / 2 - 2, left / 2 + 1);
	assert_int_equal(w->host.deadline, more->expires_at);
	world_send(w, x); /* once more: the same answer, nothing done */
	world_turn(w, 100);
	assert_int_equal(w->host.grows, 1);
	world_pass(w, 10);
	end = world_ask(REQUEST_END, r->lease);
	world_send(w, end);
	assert_true(world_until_state(w, r->lease, LEASE_ENDED));
	again = status(w, r->lease);
	now = again->ended_at - more->started_at; /* a few seconds may pass in between */
	assert_in_range(msat_raw(again->used), 1000 * (uint64_t)(20 + 2 * (now - 22)),
			1000 * (uint64_t)(22 + 2 * (now - 20)));
	world_check_books(w, r->lease);
	world_audit(w);
}

/* A top-up buys at the new price, and no more than the longest lease. */
static void time_is_bought_at_the_new_price(void **state)
{
	struct world *w = *state;
	auto_reply struct reply *r = run(w), *more = NULL, *later = NULL;
	auto_request struct request *x = wish(r->lease, 128, 2000), *pay = NULL;
	auto_free char *token = world_token(w, 41);

	world_send(w, x);
	more = world_must(w, x, REPLY_STAGE_STATUS);
	pay = world_ask(REQUEST_TOPUP, r->lease);
	pay->token = mem_strdup(token);
	world_send(w, pay);
	later = world_must(w, pay, REPLY_STAGE_TOPPED_UP);
	assert_int_equal(later->expires_at - more->expires_at, 20);
}

static void what_cannot_be_is_refused(void **state)
{
	struct world *w = *state;
	auto_reply struct reply *r = run(w);

	refused(w, wish(r->lease, 32, 500), REPLY_DISK, "only grows");
	refused(w, wish(r->lease, 512, 8000), REPLY_DISK, "268435456 bytes");
	refused(w, wish(r->lease, 128, 1999), REPLY_OFFER_STALE, "price");
	w->limits.disk = 100 * MIB;
	world_close(w);
	world_open(w);
	refused(w, wish(r->lease, 128, 2000), REPLY_FULL, "no room");
	assert_int_equal(w->host.grows, 0);
	assert_int_equal(disk_of(w), 64);
	world_close(w);
	w->offer.disk_max = 0;
	world_open(w);
	refused(w, wish(r->lease, 128, 2000), REPLY_DISK, "67108864 bytes");
	world_close(w);
	w->offer.disk_max = 256 * MIB;
	w->limits.disk = 0;
	world_open(w);
	world_pass(w, 100 - LEASE_TOPUP_MARGIN - 5);
	refused(w, wish(r->lease, 256, 4000), REPLY_TOO_LITTLE, "buy time first");
}

static void a_host_that_cannot_changes_nothing(void **state)
{
	struct world *w = *state;
	auto_reply struct reply *r = run(w), *then = NULL;

	w->host.grow_refused = true;
	refused(w, wish(r->lease, 128, 2000), REPLY_DISK, "not while it runs");
	then = status(w, r->lease);
	assert_int_equal(then->disk, 64 * MIB);
	assert_int_equal(then->price.msat, 1000);
	assert_int_equal(then->expires_at, r->expires_at);
	assert_int_equal(disk_of(w), 64);
	assert_int_equal(world_count(w, "SELECT count(*) FROM grow"), 0);
}

/* A worker that dies is asked again; one that always does is given up. */
static void a_host_that_fails_is_asked_again(void **state)
{
	struct world *w = *state;
	auto_reply struct reply *r = run(w), *more = NULL;
	auto_request struct request *x = wish(r->lease, 128, 2000);

	w->host.grow_errors = 2;
	world_send(w, x);
	for (int i = 0; i < 300 && !w->host.volume_bytes; i++) {
		world_turn(w, 10);
		if (w->host.grows)
			world_pass(w, 1);
	}
	more = world_must(w, x, REPLY_STAGE_STATUS);
	assert_int_equal(more->disk, 128 * MIB);
	assert_int_equal(w->host.grows, 3);
}

/* The lease may end while the host is at it: the wish goes with it. */
static void an_end_forgets_the_wish(void **state)
{
	struct world *w = *state;
	auto_reply struct reply *r = run(w);
	auto_request struct request *x = wish(r->lease, 128, 2000),
				    *end = world_ask(REQUEST_END, r->lease);

	w->host.grow_errors = 1;
	world_send(w, x);
	for (int i = 0; i < 300 && !w->host.grows; i++)
		world_turn(w, 10);
	world_send(w, end);
	for (int i = 0; i < 10; i++) {
		world_turn(w, 50);
		world_pass(w, 1);
	}
	assert_true(world_until_state(w, r->lease, LEASE_ENDED));
	assert_int_equal(world_count(w, "SELECT count(*) FROM grow"), 0);
	world_check_books(w, r->lease);
}

static void death_at_every_step_does_it_once(void **state)
{
	static const enum step deaths[] = {STEP_LEASE_GROWING, STEP_LEASE_GROWN};

	for (size_t i = 0; i < ARRAY_SIZE(deaths); i++) {
		struct world *w = NULL;
		auto_reply struct reply *r = NULL, *then = NULL;
		auto_request struct request *x = NULL;

		setup((void **)&w);
		r = run(w);
		x = wish(r->lease, 128, 2000);
		if (!world_die_at(w, deaths[i], x))
			fail_msg("%s was not passed", step_name(deaths[i]));
		reply_free(world_must(w, x, REPLY_STAGE_STATUS));
		then = status(w, r->lease);
		assert_int_equal(then->disk, 128 * MIB);
		assert_int_equal(then->price.msat, 2000);
		assert_int_equal(disk_of(w), 128);
		assert_int_equal(world_count(w, "SELECT count(*) FROM grow"), 0);
		for (int k = 0; k < 300 && w->host.deadline != then->expires_at; k++)
			world_turn(w, 10);
		assert_int_equal(w->host.deadline, then->expires_at);
		teardown((void **)&w);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_larger_disk_costs_more_from_then_on),
		T(time_is_bought_at_the_new_price),
		T(what_cannot_be_is_refused),
		T(a_host_that_cannot_changes_nothing),
		T(a_host_that_fails_is_asked_again),
		T(an_end_forgets_the_wish),
		cmocka_unit_test(death_at_every_step_does_it_once),
	};

	return cmocka_run_group_tests_name("grow", tests, NULL, NULL);
}
