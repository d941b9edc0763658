/* The audit: silent about good books, and names what is wrong with bad ones. */
#include "unit.h"

#include "base/clock.h"
#include "wallet/audit.h"
#include "wallet_bench.h"

struct findings {
	struct wallet_audit a;
	unsigned n;
	char subject[16], name[300], why[300]; /* of the first */
};

static void on_found(void *ctx, const struct audit_finding *f)
{
	struct findings *x = ctx;

	if (x->n++)
		return;
	snprintf(x->subject, sizeof(x->subject), "%s", audit_subject_name(f->subject));
	snprintf(x->name, sizeof(x->name), "%s", f->name);
	snprintf(x->why, sizeof(x->why), "%s", f->why);
}

static struct findings books(struct bench *b)
{
	struct findings x = {.a = {.found = on_found}};
	struct err e;

	x.a.ctx = &x;
	if (wallet_audit_books(b->db, &x.a, &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(x.n, x.a.broken + x.a.unproven);
	return x;
}

static void assert_good(struct bench *b)
{
	struct findings x = books(b);

	if (x.n)
		fail_msg("%s %s: %s", x.subject, x.name, x.why);
}

static void assert_bad(struct bench *b, const char *subject, const char *name, const char *why)
{
	struct findings x = books(b);

	assert_true(x.a.broken > 0);
	assert_string_equal(x.subject, subject);
	if (name)
		assert_string_equal(x.name, name);
	assert_non_null(strstr(x.why, why));
}

static void run(struct bench *b, const char *sql)
{
	auto_tx struct tx *tx = NULL;
	struct err e;
	int changed = 0;

	if (db_begin(&tx, b->db, &e) < 0 || tx_run(tx_write(tx, sql), &changed, &e) < 0 ||
	    db_commit(&tx, &e) < 0)
		fail_msg("%s", e.msg);
	assert_true(changed > 0);
}

/* A lease of 99 sat net, of which 40.5 are earned and 20 are owed; the rest is open. */
static void post(struct bench *b, enum ledger_account to, uint64_t msat)
{
	struct ledger_posting p = {
		.from = LEDGER_OPEN, .to = to, .mint = b->sim->url, .ref = "lease1"};
	auto_tx struct tx *tx = NULL;
	struct err e;

	assert_true(msat_make(&p.amount, msat));
	assert_int_equal(db_begin(&tx, b->db, &e), 0);
	assert_int_equal(ledger_post(tx, &p, &e), 0);
	assert_int_equal(db_commit(&tx, &e), 0);
}

static void owe(struct bench *b, uint64_t msat)
{
	uint8_t key[33] = {2};
	struct wallet_refund r = {.lease = "lease1", .number = 1, .mint = b->sim->url, .key = key};
	auto_tx struct tx *tx = NULL;
	struct err e;

	assert_true(msat_make(&r.amount, msat));
	assert_int_equal(db_begin(&tx, b->db, &e), 0);
	assert_int_equal(wallet_refund_due(tx, &r, &e), 0);
	assert_int_equal(db_commit(&tx, &e), 0);
}

static void pay(struct bench *b)
{
	struct lock l = bench_lock(b);
	auto_free char *token = sim_token(b->sim, 100, &l);

	wallet_plan_run(b->w, bench_claim(b, token, 0));
	bench_run(b, BENCH_PATIENCE);
	assert_int_equal(bench_available(b), 99);
}

static int setup(void **state)
{
	struct bench *b = bench_new(BENCH_SELLER, 100);

	bench_ready(b);
	pay(b);
	post(b, LEDGER_EARNED, 40500);
	owe(b, 20000);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	bench_free(*state);
	return 0;
}

static void test_good(void **state)
{
	struct findings x = books(*state);

	assert_int_equal(x.n, 0);
	assert_int_equal(x.a.leases, 1);
	assert_int_equal(x.a.money.paid, 100000);
	assert_int_equal(x.a.money.fees, 1000);
	assert_int_equal(x.a.money.earned, 40500);
	assert_int_equal(x.a.money.owed, 20000);
	assert_int_equal(x.a.money.open, 38500);
	assert_int_equal(x.a.money.held, 99000);
}

static void test_posting_changed(void **state)
{
	run(*state, "UPDATE posting SET msat = msat - 1 WHERE target = 5");
	assert_bad(*state, "lease", "lease1", "paid: 99999 msat posted, 100000 recorded");
}

static void test_posting_gone(void **state)
{
	run(*state, "DELETE FROM posting WHERE target = 4");
	assert_bad(*state, "lease", "lease1", "fees");
}

static void test_posting_invented(void **state)
{
	struct bench *b = *state;

	post(b, LEDGER_EARNED, 38501);
	assert_bad(b, "lease", "lease1", "more was taken than there is");
}

static void test_posting_elsewhere(void **state)
{
	run(*state, "UPDATE posting SET target = 2 WHERE target = 6");
	assert_bad(*state, "lease", "lease1", "is not earned");
}

static void test_balance_changed(void **state)
{
	run(*state, "UPDATE balance SET msat = msat + 1 WHERE account = 7");
	assert_bad(*state, "mint", NULL, "account 7: the balance kept is 20001 msat");
}

static void test_refund_gone(void **state)
{
	run(*state, "DELETE FROM refund");
	assert_bad(*state, "lease", "lease1", "refunds due: 20000 msat posted, 0 recorded");
}

static void test_proof_gone(void **state)
{
	run(*state, "DELETE FROM proof WHERE amount = 2");
	assert_bad(*state, "mint", NULL, "proofs of 97000 msat lie there, the books say 99000");
}

static void test_proof_swapped(void **state)
{
	run(*state, "UPDATE proof SET amount = 3 - amount WHERE amount IN (1, 2)");
	assert_good(*state); /* the sum is the same; only the mint would know */
	run(*state, "UPDATE proof SET made_by = made_by, amount = 64 + 1 WHERE amount = 64");
	assert_bad(*state, "mint", NULL, "lie there");
}

static void test_reserved_for_nothing(void **state)
{
	run(*state, "UPDATE proof SET state = 2 WHERE amount = 32");
	assert_bad(*state, "proof", NULL, "reserved for a plan that is not open");
}

static void test_released_and_taken(void **state)
{
	run(*state, "UPDATE claim SET released = 1");
	assert_bad(*state, "lease", NULL, "released to its sender and was taken");
}

/* --- with the mint --- */

static struct findings whole(struct bench *b, struct findings *x)
{
	*x = (struct findings){.a = {.found = on_found, .ctx = x}};
	wallet_audit(b->w, &x->a, bench_job, b);
	bench_while(b, !b->told.done);
	assert_true(b->told.done);
	assert_int_equal(b->told.stage, WALLET_DONE);
	b->told.done = false;
	return *x;
}

static void test_mint_agrees(void **state)
{
	struct bench *b = *state;
	struct findings x;
	unsigned before = b->sim->states;

	whole(b, &x);
	assert_int_equal(x.n, 0);
	assert_int_equal(x.a.asked, x.a.proofs);
	assert_int_equal(b->sim->states, before + 1);
}

static void test_mint_disagrees(void **state)
{
	struct bench *b = *state;
	struct sim_input *spent = &b->sim->spent[b->sim->nspent++];
	auto_stmt struct stmt *s = db_query(b->db, "SELECT y FROM proof WHERE amount = 64");
	struct findings x;

	assert_int_equal(db_step(s, NULL), DB_ROW);
	*spent = (struct sim_input){.pending = false};
	memcpy(spent->y, db_blob(s, 0).p, sizeof(spent->y));
	db_done(steal(&s));
	whole(b, &x);
	assert_int_equal(x.a.broken, 1);
	assert_string_equal(x.subject, "proof");
	assert_non_null(strstr(x.why, "says that it is spent"));
}

static void test_secret_of_another(void **state)
{
	struct bench *b = *state;
	struct findings x;

	run(b, "UPDATE proof SET secret = (SELECT secret FROM proof WHERE amount = 1)"
	       " WHERE amount = 2");
	whole(b, &x);
	assert_int_equal(x.a.broken, 1);
	assert_non_null(strstr(x.why, "does not belong"));
}

static void test_mint_away(void **state)
{
	struct bench *b = *state;
	struct findings x;

	ws_server_free(b->sim->server);
	b->sim->server = NULL;
	whole(b, &x);
	assert_int_equal(x.a.broken, 0);
	assert_int_equal(x.a.unproven, 1);
	assert_string_equal(x.subject, "mint");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_good, setup, teardown),
		cmocka_unit_test_setup_teardown(test_posting_changed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_posting_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_posting_invented, setup, teardown),
		cmocka_unit_test_setup_teardown(test_posting_elsewhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_balance_changed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refund_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_proof_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_proof_swapped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reserved_for_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_released_and_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mint_agrees, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mint_disagrees, setup, teardown),
		cmocka_unit_test_setup_teardown(test_secret_of_another, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mint_away, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
