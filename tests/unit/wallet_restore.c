/* Money back from the seed alone. */
#include "unit.h"

#include "base/clock.h"
#include "wallet/restore.h"
#include "wallet_bench.h"

static int setup(void **state)
{
	*state = bench_new(BENCH_BUYER, 100);
	return 0;
}

static int teardown(void **state)
{
	bench_audit(*state);
	bench_free(*state);
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

static struct wallet_restored restore(struct bench *b)
{
	struct wallet_restored r;

	wallet_restore(b->w, &r, bench_job, b);
	wait_job(b);
	return r;
}

/* The same seed over an empty database. */
static void lose_database(struct bench *b)
{
	auto_free char *wal = mem_printf("%s-wal", b->path), *shm = mem_printf("%s-shm", b->path);

	bench_close(b);
	assert_int_equal(unlink(b->path), 0);
	unlink(wal);
	unlink(shm);
	bench_open(b);
	assert_int_equal(bench_available(b), 0);
}

static void balance_comes_back_whole(void **state)
{
	struct bench *b = *state;
	struct wallet_restored r;

	fund(b, 1000);
	fund(b, 77);
	lose_database(b);
	r = restore(b);
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(sat_raw(b->told.amount), 1077);
	assert_int_equal(sat_raw(r.amount), 1077);
	assert_int_equal(bench_available(b), 1077);
	assert_int_equal(r.found, r.taken);
	assert_int_equal(bench_ledger(b, LEDGER_OWN), 1077000);
	bench_audit(b);
	/* and can be spent: the counter is behind what the mint has signed */
	fund(b, 50);
	assert_int_equal(bench_available(b), 1127);
}

static void second_time_changes_nothing(void **state)
{
	struct bench *b = *state;
	struct wallet_restored r;

	fund(b, 1000);
	r = restore(b);
	assert_int_equal(r.taken, 0);
	assert_int_equal(r.spent, 0);
	assert_int_equal(bench_available(b), 1000);
	lose_database(b);
	restore(b);
	r = restore(b);
	assert_int_equal(r.taken, 0);
	assert_int_equal(bench_available(b), 1000);
}

static void spent_ones_stay_away(void **state)
{
	struct wallet_send s = {.net = SAT(100), .ref = "a", .locktime = clock_wall() + 1000};
	struct bench *b = *state;
	struct secret key = {{7}};
	struct wallet_restored r;
	struct lock_key k;
	uint64_t left;

	fund(b, 1000);
	s.mint = b->sim->url;
	assert_true(lock_key_of(&k, &key));
	memcpy(s.lock_key, k.b, sizeof(k.b));
	wallet_send_locked(b->w, &s, bench_job, b);
	wait_job(b);
	assert_int_equal(b->told.stage, WALLET_DONE);
	left = bench_available(b);
	assert_true(left > 0 && left < 900);
	lose_database(b);
	r = restore(b);
	assert_true(r.spent > 0);
	assert_int_equal(sat_raw(r.amount), left);
	assert_int_equal(bench_available(b), left);
}

static void skip_counters(struct bench *b, int64_t n)
{
	auto_tx struct tx *tx = NULL;
	struct stmt *s;
	struct err e;

	assert_int_equal(db_begin(&tx, b->db, &e), 0);
	s = tx_write(tx, "UPDATE counter SET next = next + ?");
	db_bind_i64(s, 1, n);
	assert_int_equal(tx_run(s, NULL, &e), 0);
	assert_int_equal(db_commit(&tx, &e), 0);
}

/* Plans that came to nothing leave counters that nobody uses, more than one batch of them. */
static void holes_are_looked_across(void **state)
{
	struct bench *b = *state;

	fund(b, 1000);
	skip_counters(b, 80);
	fund(b, 2000);
	skip_counters(b, 250);
	fund(b, 500);
	lose_database(b);
	restore(b);
	assert_int_equal(bench_available(b), 3500);
}

static int64_t counter(struct bench *b)
{
	auto_stmt struct stmt *s = db_query(b->db, "SELECT max(next) FROM counter");

	assert_int_equal(db_step(s, NULL), DB_ROW);
	return db_i64(s, 0);
}

/* The first counter of a database that knows nothing: behind the hole, too. */
static void counters_behind_holes_are_not_used_again(void **state)
{
	struct bench *b = *state;

	fund(b, 1000);
	skip_counters(b, 250);
	fund(b, 2000);
	lose_database(b);
	fund(b, 500);
	assert_true(counter(b) > 250);
	assert_int_equal(bench_available(b), 500);
	restore(b);
	assert_int_equal(bench_available(b), 3500);
}

static void old_keysets_count_too(void **state)
{
	struct bench *b = *state;
	struct wallet_restored r;

	fund(b, 1000);
	sim_rotate(b->sim, 100);
	lose_database(b);
	r = restore(b);
	assert_int_equal(r.keysets, 2);
	assert_int_equal(bench_available(b), 1000);
}

/* An open plan waits for outputs that the mint has signed already: they are left to it. */
static void open_plans_keep_their_outputs(void **state)
{
	struct bench *b = *state;
	struct wallet_restored r;
	struct err e;

	fund(b, 100);
	b->sim->fault = SIM_FORGET;
	wallet_fund(b->w, b->sim->url, SAT(1000), bench_job, b);
	bench_while(b, b->sim->nsigned < 9); /* 100: 3 outputs, 1000: 6 */
	assert_int_equal(b->sim->nsigned, 9);
	bench_close(b);
	bench_open(b);
	b->told.done = false;
	r = restore(b);
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(r.found, 9);
	assert_int_equal(r.taken, 0);
	assert_int_equal(bench_available(b), 100);
	assert_int_equal(wallet_resume(b->w, &e), 0);
	bench_while(b, bench_available(b) == 100);
	assert_int_equal(bench_available(b), 1100);
}

static void mint_that_is_away_is_said(void **state)
{
	struct bench *b = *state;

	fund(b, 1000);
	lose_database(b);
	ws_server_free(b->sim->server);
	b->sim->server = NULL;
	restore(b);
	assert_int_equal(b->told.stage, WALLET_FAILED);
	assert_int_equal(bench_available(b), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(balance_comes_back_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(second_time_changes_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(spent_ones_stay_away, setup, teardown),
		cmocka_unit_test_setup_teardown(holes_are_looked_across, setup, teardown),
		cmocka_unit_test_setup_teardown(counters_behind_holes_are_not_used_again, setup,
						teardown),
		cmocka_unit_test_setup_teardown(old_keysets_count_too, setup, teardown),
		cmocka_unit_test_setup_teardown(open_plans_keep_their_outputs, setup, teardown),
		cmocka_unit_test_setup_teardown(mint_that_is_away_is_said, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
