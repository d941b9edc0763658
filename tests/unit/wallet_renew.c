/* Balances leave keysets that end. */
#include "unit.h"

#include "base/clock.h"
#include "wallet/health.h"
#include "wallet/leave.h"
#include "wallet/renew.h"
#include "wallet_bench.h"

static int setup(void **state)
{
	struct bench *b = bench_new(BENCH_SELLER, 100);
	struct lock l;
	char *token;

	bench_ready(b);
	l = bench_lock(b);
	token = sim_token(b->sim, 100, &l);
	wallet_plan_run(b->w, bench_claim(b, token, 0));
	bench_run(b, BENCH_PATIENCE);
	assert_int_equal(bench_available(b), 99);
	free(token);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	bench_audit(*state);
	bench_free(*state);
	return 0;
}

static uint64_t renew(struct bench *b, int64_t until)
{
	wallet_renew(b->w, b->sim->url, until, bench_job, b);
	bench_while(b, !b->told.done);
	assert_true(b->told.done);
	assert_int_equal(b->told.stage, WALLET_DONE);
	b->told.done = false;
	return sat_raw(b->told.amount);
}

static int count_old(void *ctx, const struct wallet_health *h)
{
	uint64_t *old = ctx;

	for (size_t i = 0; i < h->nkeysets; i++)
		if (!h->keysets[i].active)
			*old += sat_raw(h->keysets[i].held);
	return 0;
}

static uint64_t on_old_keysets(struct bench *b)
{
	uint64_t old = 0;
	struct err e;

	assert_int_equal(wallet_each_health(b->w, count_old, &old, &e), 0);
	return old;
}

static void nothing_moves_without_need(void **state)
{
	struct bench *b = *state;
	unsigned swaps = b->sim->swaps;

	assert_int_equal(renew(b, clock_wall()), 0);
	assert_int_equal(b->sim->swaps, swaps);
}

static void rotation_moves_the_balance(void **state)
{
	struct bench *b = *state;

	sim_rotate(b->sim, 100);
	bench_restart(b); /* so that keysets are read again at once */
	assert_int_equal(renew(b, clock_wall()), 98);
	assert_int_equal(bench_available(b), 98);
	assert_int_equal(on_old_keysets(b), 0);
	assert_int_equal(bench_ledger(b, LEDGER_OPEN), 99000);
	assert_int_equal(bench_ledger(b, LEDGER_OWN), -1000); /* the fee is ours to bear */
	assert_int_equal(renew(b, clock_wall()), 0);
}

static void lost_answer_moves_it_once(void **state)
{
	struct bench *b = *state;

	sim_rotate(b->sim, 100);
	bench_restart(b);
	bench_ready(b);
	b->sim->fault = SIM_FORGET;
	assert_int_equal(renew(b, clock_wall()), 98);
	assert_int_equal(bench_available(b), 98);
}

/* The process dies while its swap is on the way; the next one goes on without being asked. */
static void death_moves_it_once(void **state)
{
	struct bench *b = *state;
	struct err e;

	sim_rotate(b->sim, 100);
	bench_restart(b);
	bench_ready(b);
	b->sim->fault = SIM_FORGET;
	wallet_renew(b->w, b->sim->url, clock_wall(), bench_job, b);
	bench_while(b, b->sim->swaps < 2);
	assert_int_equal(b->sim->swaps, 2); /* the first was the buyer's token */
	bench_close(b);
	bench_open(b);
	assert_int_equal(bench_available(b), 0);
	bench_audit(b);
	assert_int_equal(wallet_resume(b->w, &e), 0);
	bench_while(b, bench_available(b) == 0);
	assert_int_equal(bench_available(b), 98);
	assert_int_equal(on_old_keysets(b), 0);
}

static void dust_stays(void **state)
{
	struct bench *b = *state;
	auto_tx struct tx *tx = NULL;
	struct err e;

	assert_int_equal(db_begin(&tx, b->db, &e), 0);
	assert_int_equal(
		tx_run(tx_write(tx, "UPDATE proof SET state = 2 WHERE amount > 1"), NULL, &e), 0);
	assert_int_equal(db_commit(&tx, &e), 0);
	sim_rotate(b->sim, 100);
	bench_restart(b);
	assert_int_equal(renew(b, clock_wall()), 0);
	assert_int_equal(db_begin(&tx, b->db, &e), 0);
	assert_int_equal(
		tx_run(tx_write(tx, "UPDATE proof SET state = 1 WHERE state = 2"), NULL, &e), 0);
	assert_int_equal(db_commit(&tx, &e), 0);
}

/* --- a buyer --- */

static int setup_buyer(void **state)
{
	*state = bench_new(BENCH_BUYER, 100);
	return 0;
}

static void wait_job(struct bench *b)
{
	bench_while(b, !b->told.done);
	assert_true(b->told.done);
	b->told.done = false;
}

static void fund(struct bench *b, uint64_t amount)
{
	wallet_fund(b->w, b->sim->url, SAT(amount), bench_job, b);
	wait_job(b);
	assert_int_equal(b->told.stage, WALLET_DONE);
}

static int add_ending(void *ctx, const char *mint, struct sat amount)
{
	assert_non_null(mint);
	*(uint64_t *)ctx += sat_raw(amount);
	return 0;
}

static uint64_t ending(struct bench *b)
{
	uint64_t sum = 0;
	struct err e;

	assert_int_equal(wallet_each_ending(b->w, clock_wall(), add_ending, &sum, &e), 0);
	return sum;
}

static void buyers_balance_moves_when_it_is_known(void **state)
{
	struct bench *b = *state;
	unsigned asked;

	fund(b, 500);
	sim_rotate(b->sim, 100);
	asked = b->sim->requests;
	assert_int_equal(ending(b), 0);
	assert_int_equal(b->sim->requests, asked);
	fund(b, 64); /* the mint refuses the old keyset: now it is known */
	assert_int_equal(ending(b), 500);
	assert_int_equal(renew(b, clock_wall()), 499);
	assert_int_equal(ending(b), 0);
	assert_int_equal(bench_available(b), 563);
}

/* What never ends can be spent later: it does not move for a dear fee. */
static void dear_moves_wait(void **state)
{
	struct bench *b = *state;

	fund(b, 7); /* 1 sat of 7 */
	sim_rotate(b->sim, 100);
	fund(b, 64);
	assert_int_equal(renew(b, clock_wall()), 0);
	assert_int_equal(bench_available(b), 71);
	assert_int_equal(ending(b), 7);
}

/* Of two proofs that are as good the one that ends is spent. */
static void ending_proofs_go_first(void **state)
{
	struct wallet_plain send = {.amount = SAT(64)};
	struct bench *b = *state;

	fund(b, 64);
	sim_rotate(b->sim, 100);
	fund(b, 64);
	send.mint = b->sim->url;
	wallet_send_plain(b->w, &send, bench_job, b);
	wait_job(b);
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(ending(b), 0);
	assert_int_equal(bench_available(b), 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_moves_without_need, setup, teardown),
		cmocka_unit_test_setup_teardown(rotation_moves_the_balance, setup, teardown),
		cmocka_unit_test_setup_teardown(lost_answer_moves_it_once, setup, teardown),
		cmocka_unit_test_setup_teardown(death_moves_it_once, setup, teardown),
		cmocka_unit_test_setup_teardown(dust_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(buyers_balance_moves_when_it_is_known, setup_buyer,
						teardown),
		cmocka_unit_test_setup_teardown(dear_moves_wait, setup_buyer, teardown),
		cmocka_unit_test_setup_teardown(ending_proofs_go_first, setup_buyer, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
