/* A host that cannot start leases of an offer now: nobody pays for one. */
#include "../unit/unit.h"

#include "world.h"

#include "base/mem.h"

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

/* As the relay shows the offer. */
static bool accepts(struct world *w)
{
	auto_stmt struct stmt *s = db_query(w->relay_db, "SELECT json FROM event");
	auto_free struct offer *o = mem_zero(sizeof(*o));
	bool found = false;
	struct err e;

	while (db_step(s, &e) == DB_ROW) {
		auto_event struct nostr_event *ev = NULL;

		assert_int_equal(nostr_event_parse(&ev, db_text(s, 0), &e), 0);
		if (ev->kind != LEASE_KIND_OFFER)
			continue;
		assert_int_equal(offer_from_event(o, ev, &e), 0);
		assert_false(found);
		found = true;
	}
	assert_true(found);
	return o->accepting;
}

/* Until the daemon of the offer is back it takes no leases, and says so. */
static void offer_whose_daemon_is_away_takes_nothing(void **state)
{
	struct world *w = *state;
	auto_request struct request *before = world_spawn(w, 100), *after = NULL;
	auto_reply struct reply *got = NULL;

	assert_true(accepts(w));
	w->host.away = true;
	world_assert_refused(w, before, REPLY_FULL);
	world_pass(w, LEASE_HEARTBEAT_S + 1);
	world_turn(w, 100);
	assert_false(accepts(w));
	w->host.away = false;
	world_pass(w, LEASE_HEARTBEAT_S + 1);
	world_turn(w, 100);
	assert_true(accepts(w));
	after = world_spawn(w, 100);
	world_send(w, after);
	got = world_must(w, after, REPLY_STAGE_RUNNING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(offer_whose_daemon_is_away_takes_nothing, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
