/* Refunds against a real mint on loopback: made once, whatever crashes, and the same again from a
 * database of yesterday. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cashu/token.h"
#include "wallet_bench.h"

static const struct secret buyer = {{7}};

static void must(int rc, const struct err *e)
{
	if (rc != 0)
		fail_msg("%d %s", rc, e->msg);
}

/* 100 sat, locked: three proofs, fee 1 sat; 99 sat are ours then. */
static void pay(struct bench *b)
{
	struct lock l = bench_lock(b);
	auto_free char *token = sim_token(b->sim, 100, &l);

	wallet_plan_run(b->w, bench_claim(b, token, 0));
	bench_run(b, BENCH_PATIENCE);
	assert_int_equal(b->heard.settled, 1);
}

static int setup(void **state)
{
	struct bench *b = bench_new(BENCH_SELLER, 100);

	bench_ready(b);
	pay(b);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	bench_free(*state);
	return 0;
}

static int due_of(struct bench *b, uint32_t number, uint64_t sat, enum ledger_account from)
{
	struct lock_key key;
	struct wallet_refund r = {.lease = from == LEDGER_OWN ? "lease0" : "lease1",
				  .number = number,
				  .mint = b->sim->url,
				  .key = key.b,
				  .from = from};
	auto_tx struct tx *tx = NULL;
	struct sat s;
	struct err e;
	int rc;

	assert_true(lock_key_of(&key, &buyer));
	assert_true(sat_make(&s, sat) && msat_of_sat(&r.amount, s));
	must(db_begin(&tx, b->db, &e), &e);
	rc = wallet_refund_due(tx, &r, &e);
	if (rc == 0)
		must(db_commit(&tx, &e), &e);
	return rc;
}

static int due(struct bench *b, uint32_t number, uint64_t sat)
{
	return due_of(b, number, sat, LEDGER_OPEN);
}

static void run(struct bench *b)
{
	struct err e;

	must(wallet_refund_run(b->w, NULL, &e), &e);
}

/* Until so many refunds were made; also over plans that close. */
static bool until_made(struct bench *b, unsigned n)
{
	bench_while(b, b->heard.refunds_done < n);
	return b->heard.refunds_done == n;
}

static int note_state(void *ctx, const struct wallet_refund *r)
{
	*(enum wallet_refund_state *)ctx = r->state;
	return 0;
}

static enum wallet_refund_state refund_state(struct bench *b)
{
	enum wallet_refund_state s = 0;
	struct err e;

	must(wallet_each_refund(b->w, "lease1", note_state, &s, &e), &e);
	return s;
}

static bool out_of_step(const struct proof *a, const struct proof *b)
{
	return strcmp(a->secret, b->secret) || memcmp(a->c, b->c, sizeof(a->c)) ||
	       sat_cmp(a->amount, b->amount);
}

static void assert_same_token(const char *a, const char *b)
{
	AUTO(token_free) struct cashu_token *s = NULL, *t = NULL;
	struct err e;

	must(token_decode(&s, str_of(a), TOKEN_LIMITS_WALLET, &e), &e);
	must(token_decode(&t, str_of(b), TOKEN_LIMITS_WALLET, &e), &e);
	assert_int_equal(s->proofs.n, t->proofs.n);
	for (size_t i = 0; i < s->proofs.n; i++)
		assert_false(out_of_step(&s->proofs.v[i], &t->proofs.v[i]));
}

/* What the token is: locked to the buyer alone, for ever, with DLEQ and r. */
static void assert_good_token(struct bench *b, uint64_t sat)
{
	AUTO(token_free) struct cashu_token *t = NULL;
	struct lock_key key;
	struct sat sum;
	struct err e;

	assert_true(lock_key_of(&key, &buyer));
	must(token_decode(&t, str_of(b->heard.refund), TOKEN_LIMITS_WALLET, &e), &e);
	assert_string_equal(t->mint, b->sim->url);
	assert_string_equal(t->unit, "sat");
	must(proofs_sum(&sum, &t->proofs, &e), &e);
	assert_int_equal(sat_raw(sum), sat);
	for (size_t i = 0; i < t->proofs.n; i++) {
		struct lock l;

		assert_int_equal(lock_parse(&l, str_of(t->proofs.v[i].secret)), LOCK_OK);
		assert_true(lock_is_to(&l, &key));
		assert_false(l.has_refund);
		assert_int_equal(l.locktime, 0);
		assert_true(t->proofs.v[i].dleq.has_r);
	}
}

/* 60 of 99 sat go back: 59 as token, 1 to the mint; 39 stay for the lease. */
static void assert_books(struct bench *b)
{
	assert_int_equal(bench_ledger(b, LEDGER_OWED), 0);
	assert_int_equal(bench_ledger(b, LEDGER_OPEN), 39000);
	assert_int_equal(bench_ledger(b, LEDGER_FEES), 2000);
	assert_int_equal(bench_ledger(b, LEDGER_OUTSIDE), -100000 + 59000);
	assert_int_equal(bench_available(b), 39);
	bench_audit(b);
}

static void test_made(void **state)
{
	struct bench *b = *state;
	auto_buf struct buf again = BUF(1 << 16);
	struct err e;

	assert_int_equal(due(b, 1, 60), 0);
	assert_int_equal(due(b, 1, 60), WALLET_KNOWN);
	assert_int_equal(bench_ledger(b, LEDGER_OWED), 60000);
	run(b);
	run(b); /* once under way it is left alone */
	assert_true(until_made(b, 1));
	assert_int_equal(sat_raw(b->heard.refund_sat), 59);
	assert_int_equal(sat_raw(b->heard.refund_fee), 1);
	assert_good_token(b, 59);
	assert_books(b);
	assert_int_equal(b->sim->swaps, 2);
	assert_int_equal(refund_state(b), WALLET_REFUND_MADE);
	must(wallet_refund_token(b->w, "lease1", 1, &again, &e), &e);
	assert_same_token(b->heard.refund, again.p);
	bench_restart(b);
	run(b); /* and never a second one */
	bench_run(b, 300);
	assert_int_equal(b->sim->swaps, 2);
}

/* All that there is: nothing is left for change. */
static void test_everything(void **state)
{
	struct bench *b = *state;

	assert_int_equal(due(b, 1, 99), 0);
	run(b);
	assert_true(until_made(b, 1));
	assert_good_token(b, 98);
	assert_int_equal(bench_available(b), 0);
	assert_int_equal(bench_ledger(b, LEDGER_OPEN) + bench_ledger(b, LEDGER_OWED), 0);
}

/* Promised by a receipt of ours, for a lease that these books know nothing of. */
static void test_of_unknown_lease(void **state)
{
	struct bench *b = *state;

	assert_int_equal(due_of(b, 1, 60, LEDGER_OWN), 0);
	run(b);
	assert_true(until_made(b, 1));
	assert_good_token(b, 59);
	assert_int_equal(bench_ledger(b, LEDGER_OWN), -60000);
	assert_int_equal(bench_available(b), 39);
	bench_audit(b);
}

static void test_two_numbers(void **state)
{
	struct bench *b = *state;
	char first[1 << 14];

	assert_int_equal(due(b, 1, 30), 0);
	assert_int_equal(due(b, 2, 30), 0);
	run(b);
	assert_true(until_made(b, 1));
	memcpy(first, b->heard.refund, sizeof(first));
	assert_true(until_made(b, 2));
	assert_string_not_equal(first, b->heard.refund);
	assert_int_equal(bench_ledger(b, LEDGER_OWED), 0);
}

static void faulty(struct bench *b, enum sim_fault fault)
{
	assert_int_equal(due(b, 1, 60), 0);
	b->sim->fault = fault;
	run(b);
	assert_true(until_made(b, 1));
	assert_good_token(b, 59);
	assert_books(b);
}

static void test_request_lost(void **state)
{
	faulty(*state, SIM_DROP);
}

static void test_answer_lost(void **state)
{
	faulty(*state, SIM_FORGET);
}

static void test_refused_once(void **state)
{
	faulty(*state, SIM_REFUSE);
}

static void test_wrong_signature(void **state)
{
	faulty(*state, SIM_WRONG_SIG);
}

static void test_caller_not_ready(void **state)
{
	struct bench *b = *state;

	b->heard.fail = 1;
	faulty(b, SIM_GOOD);
	assert_int_equal(b->heard.refunds, 1);
}

static void test_rotated(void **state)
{
	struct bench *b = *state;

	assert_int_equal(due(b, 1, 60), 0);
	sim_rotate(b->sim, 100);
	run(b);
	assert_true(until_made(b, 1));
	assert_good_token(b, 59);
	assert_books(b);
}

/* A mint that refuses everything is asked again, ever more seldom, and the debt stays. */
static void test_stubborn(void **state)
{
	struct bench *b = *state;

	assert_int_equal(due(b, 1, 60), 0);
	b->sim->stubborn = true;
	run(b);
	bench_run(b, BENCH_PATIENCE); /* its plan closes */
	bench_run(b, 200);
	assert_int_equal(b->heard.refunds, 0);
	assert_int_equal(bench_ledger(b, LEDGER_OWED), 60000);
	assert_int_equal(bench_available(b), 99);
	b->sim->stubborn = false;
	bench_restart(b);
	assert_true(until_made(b, 1));
	assert_books(b);
}

/* Money that is not there keeps the debt; more money pays it. */
static void test_poor(void **state)
{
	struct bench *b = *state;

	assert_int_equal(due(b, 1, 100), 0);
	run(b);
	bench_run(b, 300);
	assert_int_equal(b->heard.refunds, 0);
	assert_int_equal(refund_state(b), WALLET_REFUND_DUE);
	b->heard.settled = 0;
	pay(b);
	assert_true(until_made(b, 1));
	assert_good_token(b, 99);
}

/* --- databases of yesterday --- */

struct copy {
	char path[80];
};

/* Close, copy, open: the file is whole then. */
static void copy_out(struct bench *b, struct copy *c)
{
	snprintf(c->path, sizeof(c->path), "%s.copy", b->path);
	bench_close(b);
	bench_copy(c->path, b->path);
	bench_open(b);
	bench_ready(b);
}

static void copy_back(struct bench *b, const struct copy *c)
{
	bench_close(b);
	bench_copy(b->path, c->path);
	unlink(c->path);
	bench_open(b);
	bench_ready(b);
}

/* The books of a database that took the token over: nothing was spent by it, as far as it knows. */
static void assert_found_books(struct bench *b)
{
	assert_int_equal(bench_ledger(b, LEDGER_OWED), 0);
	assert_int_equal(bench_ledger(b, LEDGER_OUTSIDE), -100000);
	assert_int_equal(bench_available(b), 99);
	assert_int_equal(1000 * bench_available(b), bench_ledger(b, LEDGER_OPEN) +
							    bench_ledger(b, LEDGER_EARNED) +
							    bench_ledger(b, LEDGER_OWN));
}

static void test_restored(void **state)
{
	struct bench *b = *state;
	char first[1 << 14];
	struct copy c;
	unsigned swaps;

	copy_out(b, &c);
	assert_int_equal(due(b, 1, 60), 0);
	run(b);
	assert_true(until_made(b, 1));
	memcpy(first, b->heard.refund, sizeof(first));
	copy_back(b, &c);

	swaps = b->sim->swaps;
	assert_int_equal(due(b, 1, 45), 0); /* it counts the time otherwise */
	run(b);
	assert_true(until_made(b, 2));
	assert_int_equal(b->sim->swaps, swaps);
	assert_same_token(first, b->heard.refund);
	assert_found_books(b);
}

/* Copied when the swap was planned: its own plan settles. */
static void test_restored_with_plan(void **state)
{
	struct bench *b = *state;
	char first[1 << 14];
	struct copy c;
	struct err e;

	assert_int_equal(due(b, 1, 60), 0);
	b->sim->fault = SIM_DROP;
	run(b);
	while (b->sim->restores < 3 && b->heard.waiting == 0)
		bench_run(b, 50);
	copy_out(b, &c);
	must(wallet_resume(b->w, &e), &e);
	assert_true(until_made(b, 1));
	memcpy(first, b->heard.refund, sizeof(first));
	copy_back(b, &c);
	must(wallet_resume(b->w, &e), &e);
	assert_true(until_made(b, 2));
	assert_same_token(first, b->heard.refund);
	assert_books(b);
}

/* The buyer spent it, and the database knows only the plan: no second token. */
static void test_restored_and_spent(void **state)
{
	struct bench *b = *state;
	char first[1 << 14];
	struct copy c;
	struct err e;
	unsigned swaps;

	assert_int_equal(due(b, 1, 60), 0);
	b->sim->fault = SIM_DROP;
	run(b);
	while (b->heard.waiting == 0)
		bench_run(b, 50);
	copy_out(b, &c);
	must(wallet_resume(b->w, &e), &e);
	assert_true(until_made(b, 1));
	memcpy(first, b->heard.refund, sizeof(first));
	sim_spend(b->sim, first, &buyer);
	copy_back(b, &c);
	swaps = b->sim->swaps;
	must(wallet_resume(b->w, &e), &e);
	assert_true(until_made(b, 2));
	assert_same_token(first, b->heard.refund);
	assert_int_equal(b->sim->swaps, swaps);
	assert_int_equal(bench_ledger(b, LEDGER_OWED), 0);
	bench_audit(b);
}

/* Made under a keyset that is inactive now. */
static void test_restored_after_rotation(void **state)
{
	struct bench *b = *state;
	char first[1 << 14];
	struct copy c;

	copy_out(b, &c);
	assert_int_equal(due(b, 1, 60), 0);
	run(b);
	assert_true(until_made(b, 1));
	memcpy(first, b->heard.refund, sizeof(first));
	sim_rotate(b->sim, 100);
	copy_back(b, &c);
	assert_int_equal(due(b, 1, 60), 0);
	run(b);
	assert_true(until_made(b, 2));
	assert_same_token(first, b->heard.refund);
	assert_found_books(b);
}

/* --- taken --- */

static void pass(struct bench *b, int64_t seconds)
{
	bench_later(b, seconds);
	loop_turn(b->loop, 0); /* what waits in the kernel knows nothing of this clock */
	bench_run(b, 300);
}

static void test_taken(void **state)
{
	struct bench *b = *state;
	auto_buf struct buf none = BUF(1 << 16);
	struct err e;

	bench_restart(b);
	assert_int_equal(due(b, 1, 60), 0);
	run(b);
	assert_true(until_made(b, 1));
	pass(b, 130);
	assert_int_equal(refund_state(b), WALLET_REFUND_MADE);
	sim_spend(b->sim, b->heard.refund, &buyer);
	pass(b, 700);
	assert_int_equal(refund_state(b), WALLET_REFUND_TAKEN);
	assert_int_equal(wallet_refund_token(b->w, "lease1", 1, &none, &e), WALLET_NO_TOKEN);
	clock_replace(NULL);
}

/* The operator takes the mint out of the configuration: what is owed there is paid all the same. */
static void test_mint_removed(void **state)
{
	struct bench *b = *state;

	assert_int_equal(due(b, 1, 60), 0);
	b->removed = true;
	bench_restart(b);
	assert_true(until_made(b, 1));
	assert_good_token(b, 59);
	assert_books(b);
	assert_int_equal(b->sim->swaps, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_made, setup, teardown),
		cmocka_unit_test_setup_teardown(test_everything, setup, teardown),
		cmocka_unit_test_setup_teardown(test_of_unknown_lease, setup, teardown),
		cmocka_unit_test_setup_teardown(test_two_numbers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_request_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(test_answer_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_signature, setup, teardown),
		cmocka_unit_test_setup_teardown(test_caller_not_ready, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rotated, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stubborn, setup, teardown),
		cmocka_unit_test_setup_teardown(test_poor, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restored, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restored_with_plan, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restored_and_spent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restored_after_rotation, setup, teardown),
		cmocka_unit_test_setup_teardown(test_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mint_removed, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
