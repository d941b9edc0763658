/* The provider's treasury in the engine's world: caps, earnings, the audit of leases. */
#include "../unit/unit.h"

#include "world.h"

#include "base/clock.h"
#include "base/json.h"
#include "lease/treasury.h"
#include "wallet/audit.h"

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

static void reopen(struct world *w, struct engine_treasury t)
{
	world_close(w);
	w->treasury = t;
	world_open(w);
}

static void run(struct world *w, uint64_t sat, char id[LEASE_ID_HEX + 1])
{
	auto_request struct request *r = world_spawn(w, sat);
	auto_reply struct reply *got = NULL;

	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_RUNNING);
	memcpy(id, got->lease, LEASE_ID_HEX + 1);
}

/* --- caps --- */

static void cap_warns_and_goes_on(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];

	reopen(w, (struct engine_treasury){.exposure_cap = SAT(120)});
	assert_int_equal(engine_cap_of(w->engine, w->mint->url), ENGINE_CAP_UNDER);
	run(w, 101, id);
	assert_int_equal(engine_cap_of(w->engine, w->mint->url), ENGINE_CAP_NEAR);
	run(w, 101, id);
	assert_int_equal(engine_cap_of(w->engine, w->mint->url), ENGINE_CAP_OVER);
	world_audit(w);
}

static void cap_refuses_and_releases(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = NULL;
	auto_reply struct reply *got = NULL;

	reopen(w, (struct engine_treasury){.exposure_cap = SAT(120), .refuse_at_cap = true});
	run(w, 101, id);
	r = world_spawn(w, 101);
	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_REFUSED);
	assert_string_equal(reply_code_name(got->code), "mint_full");
	assert_int_equal(got->token, REPLY_TOKEN_UNSPENT);
	assert_true(got->nrelease > 0);
	assert_int_equal(w->mint->swaps, 1);
	world_audit(w);
}

static void cap_that_is_reached_shows_in_the_offer(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	uint8_t before[32];

	reopen(w, (struct engine_treasury){.exposure_cap = SAT(100), .refuse_at_cap = true});
	memcpy(before, w->engine->offers[0].id, sizeof(before));
	run(w, 101, id);
	world_turn(w, 50);
	assert_int_equal(engine_cap_of(w->engine, w->mint->url), ENGINE_CAP_OVER);
	assert_memory_not_equal(before, w->engine->offers[0].id, sizeof(before));
}

/* --- earnings --- */

static uint64_t earned(struct world *w, enum engine_earnings by, const char *key)
{
	auto_buf struct buf text = BUF(65536);
	auto_json struct json *root = NULL;
	const struct json *rows, *r;
	struct err e;
	uint64_t v = 0;
	struct str k;

	assert_int_equal(engine_report_earnings(w->engine, by, 0, &text, &e), 0);
	assert_int_equal(json_parse(&root, buf_view(&text), NULL, &e), 0);
	assert_int_equal(json_child(root, "earnings", JSON_ARRAY, &rows, &e), 0);
	for (r = json_first(rows); r; r = json_next(r))
		if (json_as_str(json_get(r, "key"), &k) && (!key || str_is(k, key)))
			assert_true(json_as_u64(json_get(r, "earned_msat"), &v));
	return v;
}

static void earnings_are_what_was_used(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];

	run(w, 101, id);
	assert_int_equal(earned(w, ENGINE_BY_OFFER, "small"), 0);
	world_pass(w, 200);
	assert_true(world_until_state(w, id, LEASE_ENDED));
	assert_int_equal(earned(w, ENGINE_BY_OFFER, "small"), 100000);
	assert_int_equal(earned(w, ENGINE_BY_MINT, w->mint->url), 100000);
	assert_int_equal(earned(w, ENGINE_BY_DAY, NULL), 100000);
	world_check_books(w, id);
}

/* --- audit --- */

static unsigned leases_broken(struct world *w)
{
	struct wallet_audit a = {0};
	struct err e;

	assert_int_equal(engine_audit(w->engine, &a, &e), 0);
	return (unsigned)a.broken;
}

static void write_sql(struct world *w, const char *sql)
{
	auto_tx struct tx *tx = NULL;
	struct err e;

	assert_int_equal(db_begin(&tx, w->db, &e), 0);
	assert_int_equal(tx_run(tx_write(tx, sql), NULL, &e), 0);
	assert_int_equal(db_commit(&tx, &e), 0);
}

static void lease_whose_row_was_changed_is_named(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];

	run(w, 101, id);
	assert_int_equal(leases_broken(w), 0);
	write_sql(w, "UPDATE lease SET paid_msat = paid_msat + 1");
	assert_int_equal(leases_broken(w), 1);
	write_sql(w, "UPDATE lease SET paid_msat = paid_msat - 1");
	assert_int_equal(leases_broken(w), 0);
	write_sql(w, "UPDATE posting SET ref = 'nobody'");
	assert_int_equal(leases_broken(w), 2); /* the lease without, the money without */
}

#define world_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(cap_warns_and_goes_on),
		world_test(cap_refuses_and_releases),
		world_test(cap_that_is_reached_shows_in_the_offer),
		world_test(earnings_are_what_was_used),
		world_test(lease_whose_row_was_changed_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
