/*
 * Mints that lie: in the answer, in what they restore, about keys, fees and states. Each ends with
 * the books balanced, and either paid once, released, or closed with an alarm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cashu/token.h"
#include "wallet_bench.h"

static int setup_side(void **state, enum bench_side side)
{
	struct bench *b = bench_new(side, 100);

	bench_ready(b);
	bench_listen(b);
	*state = b;
	return 0;
}

static int setup(void **state)
{
	return setup_side(state, BENCH_SELLER);
}

static int setup_buyer(void **state)
{
	return setup_side(state, BENCH_BUYER);
}

static int teardown(void **state)
{
	bench_free(*state);
	return 0;
}

static char *locked(struct bench *b)
{
	struct lock l = bench_lock(b);

	return sim_token(b->sim, 100, &l);
}

/* Claim, and wait for the end of it. */
static void claim(struct bench *b, const char *token, int64_t not_after)
{
	b->heard.closed = 0;
	wallet_plan_run(b->w, bench_claim(b, token, not_after));
	while (b->heard.closed == 0)
		bench_run(b, BENCH_PATIENCE);
}

static void claim_locked(struct bench *b)
{
	auto_free char *token = locked(b);

	claim(b, token, 0);
}

static void assert_books(struct bench *b, int64_t open, int64_t fees)
{
	assert_int_equal(bench_available(b), open);
	assert_int_equal(bench_ledger(b, LEDGER_OPEN), open * 1000);
	assert_int_equal(bench_ledger(b, LEDGER_FEES), fees * 1000);
	assert_int_equal(bench_ledger(b, LEDGER_OUTSIDE), -(open + fees) * 1000);
}

/* --- the answer to a swap --- */

/* The mint did what it should and says something else: its own restore tells the truth. */
static void test_answer_lies(void **state)
{
	static const enum sim_fault lies[] = {SIM_WRONG_SIG, SIM_WRONG_AMOUNT, SIM_WRONG_KEYSET,
					      SIM_ONE_SHORT, SIM_ONE_MORE,     SIM_SHUFFLED};
	struct bench *b = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(lies); i++) {
		b->sim->fault = lies[i];
		claim_locked(b);
		assert_int_equal(b->heard.settled, i + 1);
		assert_int_equal(b->heard.rejected, 0);
		assert_int_equal(b->sim->swaps, i + 1);
		assert_books(b, 99 * (i + 1), i + 1);
	}
}

/* What it restores is as worthless as its answer: no money, no lease, an alarm. */
static void worthless(struct bench *b, enum sim_fault lie)
{
	auto_free char *token = locked(b);
	struct wallet_release r;

	b->sim->fault = lie;
	claim(b, token, 0);
	assert_int_equal(b->heard.settled, 0);
	assert_int_equal(b->heard.last.reason, WALLET_REJECT_BLOCKED);
	assert_true(bench_alarms(b) > 0);
	assert_books(b, 0, 0);
	assert_int_equal(bench_release(b, token, &r), WALLET_NOT_FREE);
	assert_int_equal(bench_check(b, token, NULL), WALLET_ALREADY_CLAIMED);
	claim_locked(b); /* and the next one is not worse for it */
	assert_books(b, 99, 1);
}

static void test_other_keys(void **state)
{
	worthless(*state, SIM_OTHER_KEY);
}

/* It signs, and proves nothing, also when it is asked again. The inputs are gone: what there is for
 * them is taken. */
static void test_no_dleq(void **state)
{
	struct bench *b = *state;

	b->sim->fault = SIM_NO_DLEQ;
	claim_locked(b);
	assert_int_equal(b->heard.settled, 1);
	assert_int_equal(b->sim->restores, 1 + 2); /* one looked past the counter */
	assert_books(b, 99, 1);
}

/* The same after an answer that was lost; a proof that is wrong is another thing (above). */
static void test_restores_unproven(void **state)
{
	struct bench *b = *state;

	b->sim->unproven = true;
	b->sim->fault = SIM_FORGET;
	claim_locked(b);
	assert_int_equal(b->heard.settled, 1);
	assert_books(b, 99, 1);
}

/* The inputs are consumed, and the mint says that they are not. */
static void test_denies(void **state)
{
	struct bench *b = *state;

	b->sim->denies = true;
	b->sim->fault = SIM_FORGET;
	claim_locked(b);
	assert_int_equal(b->heard.settled, 0);
	assert_int_equal(b->heard.last.reason, WALLET_REJECT_REFUSED);
	assert_true(b->sim->swaps < 12);
	assert_books(b, 0, 0);
}

/* --- the buyer's swaps --- */

static void wait_told(struct bench *b)
{
	bench_while(b, !b->told.done);
	assert_true(b->told.done);
	b->told.done = false;
}

static void fund(struct bench *b)
{
	wallet_fund(b->w, b->sim->url, SAT(1000), bench_job, b);
	wait_told(b);
}

static void send(struct bench *b)
{
	struct wallet_send s = {
		.mint = b->sim->url, .net = SAT(100), .locktime = clock_wall() + 1000};
	struct secret provider;
	struct lock_key key;

	secret_new(&provider);
	assert_true(lock_key_of(&key, &provider));
	memcpy(s.lock_key, key.b, sizeof(s.lock_key));
	wallet_send_locked(b->w, &s, bench_job, b);
	wait_told(b);
}

/* What the ledger calls ours is what lies in the wallet; nothing came from nowhere. */
static void assert_own(struct bench *b)
{
	int64_t own = bench_ledger(b, LEDGER_OWN), out = bench_ledger(b, LEDGER_OUT);

	assert_int_equal(own, (int64_t)bench_available(b) * 1000);
	assert_int_equal(own + out + bench_ledger(b, LEDGER_FEES) + bench_ledger(b, LEDGER_OUTSIDE),
			 0);
}

static void test_buyer_answer_lies(void **state)
{
	static const enum sim_fault lies[] = {SIM_WRONG_SIG, SIM_WRONG_AMOUNT, SIM_WRONG_KEYSET,
					      SIM_ONE_SHORT, SIM_ONE_MORE,     SIM_SHUFFLED};
	struct bench *b = *state;

	fund(b);
	assert_int_equal(bench_available(b), 1000);
	for (unsigned i = 0; i < ARRAY_SIZE(lies); i++) {
		b->sim->fault = lies[i];
		send(b);
		assert_int_equal(b->told.stage, WALLET_DONE);
		assert_own(b);
	}
	assert_int_equal(bench_ledger(b, LEDGER_OUT), (int64_t)ARRAY_SIZE(lies) * 101000);
}

/* An outgoing token that nobody could spend is never handed out: the inputs are lost to the mint,
 * which the books and an alarm say, and other proofs make the token. */
static void test_buyer_worthless(void **state)
{
	struct bench *b = *state;

	for (unsigned i = 0; i < 2; i++) {
		fund(b);
		b->sim->fault = SIM_OTHER_KEY;
		send(b);
		assert_int_equal(b->told.stage, WALLET_DONE);
		assert_int_equal(bench_ledger(b, LEDGER_OUT), 101000 * (i + 1));
		assert_true(bench_ledger(b, LEDGER_OUTSIDE) > -1000000 * (int64_t)(i + 1));
		assert_true(bench_alarms(b) > i);
		assert_own(b);
	}
}

/* Without proofs it is money all the same: the token goes out, the change is ours. */
static void test_buyer_unproven(void **state)
{
	struct bench *b = *state;

	fund(b);
	b->sim->fault = SIM_NO_DLEQ;
	send(b);
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(bench_ledger(b, LEDGER_OUT), 101000);
	assert_int_equal(bench_ledger(b, LEDGER_OUTSIDE), -1000000);
	assert_own(b);
}

/* An invoice over more than it mints would be paid by whoever scans it. */
static void test_fund_dearer(void **state)
{
	static const uint64_t more[] = {1000, 1, (uint64_t)-1000};
	struct bench *b = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(more); i++) {
		b->sim->dearer = more[i];
		b->told.invoices = 0;
		fund(b);
		assert_int_equal(b->told.stage, WALLET_FAILED);
		assert_non_null(strstr(b->told.error, "another amount"));
		assert_int_equal(b->told.invoices, 0);
	}
	b->sim->dearer = 0;
	fund(b);
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_own(b);
}

static void test_fund_worthless(void **state)
{
	struct bench *b = *state;

	b->sim->fault = SIM_OTHER_KEY;
	fund(b);
	assert_int_equal(b->told.stage, WALLET_FAILED);
	assert_true(bench_alarms(b) > 0);
	assert_int_equal(bench_available(b), 0);
	assert_own(b);
}

/* --- keys --- */

/* A pinned key is never asked for again; what another key signed is nothing. */
static void test_key_changes(void **state)
{
	struct bench *b = *state;
	auto_free char *token = locked(b);
	unsigned asked = b->sim->keys_asked;

	for (int i = 0; i < SIM_KEYS; i++) {
		secret_new(&b->sim->keys[i]);
		assert_true(point_base(&b->sim->keyset->keys[i].point, &b->sim->keys[i]));
		point_write(b->sim->keyset->keys[i].bytes, &b->sim->keyset->keys[i].point);
	}
	bench_restart(b);
	bench_ready(b);
	assert_int_equal(b->sim->keys_asked, asked);
	assert_int_equal(bench_check(b, token, NULL), WALLET_OK);
	claim(b, token, 0);
	assert_int_equal(b->heard.last.reason, WALLET_REJECT_REFUSED);
	assert_books(b, 0, 0);
	free(token);
	token = locked(b);
	assert_int_equal(bench_check(b, token, NULL), WALLET_DLEQ_BAD);
}

/* Keys that the id does not follow from are not taken. */
static void test_keys_do_not_fit(void **state)
{
	struct bench *b = *state;
	auto_free char *token = NULL;

	sim_rotate(b->sim, 100);
	secret_new(&b->sim->keys[3]);
	assert_true(point_base(&b->sim->keyset->keys[3].point, &b->sim->keys[3]));
	point_write(b->sim->keyset->keys[3].bytes, &b->sim->keyset->keys[3].point);
	bench_restart(b);
	bench_ready(b);
	token = locked(b);
	assert_int_equal(bench_check(b, token, NULL), WALLET_NEED_KEYSETS);
	assert_int_equal(bench_available(b), 0);
}

/* --- two mints --- */

static struct sim *second_mint(struct bench *b)
{
	struct sim *s = sim_new(b->ws, 100);
	const struct wallet_mint m = {s->url, true};
	struct err e;

	assert_int_equal(wallet_allow(b->w, &m, &e), 0);
	return s;
}

static void copy_keyset(struct sim *to, const struct sim *from)
{
	keyset_free(to->keyset);
	to->keyset = keyset_new();
	*to->keyset = *from->keyset;
	to->keyset->keys = mem_dup(from->keyset->keys, SIM_KEYS * sizeof(*from->keyset->keys));
	memcpy(to->keys, from->keys, sizeof(to->keys));
}

static void refreshed(void *ctx, const struct err *error)
{
	struct bench *b = ctx;

	(void)error;
	loop_stop(b->loop);
}

static void refresh(struct bench *b, const struct sim *s)
{
	wallet_refresh(b->w, s->url, refreshed, b);
	bench_run(b, BENCH_PATIENCE);
}

static enum wallet_code check_refreshed(struct bench *b, const char *token)
{
	const struct wallet_terms t = {.min_net = SAT(10),
				       .lock_until = clock_wall() + 1000,
				       .lock = WALLET_LOCK_OR_PLAIN,
				       .now = clock_wall(),
				       .refreshed = true};
	AUTO(wallet_payment_free) struct wallet_payment *p = NULL;
	struct wallet_verdict v;
	struct err e;

	assert_int_equal(wallet_check(&p, b->w, str_of(token), &t, &v, &e), 0);
	return v.code;
}

/* A second mint says that a keyset of the first is its own. */
static void test_keyset_of_another(void **state)
{
	struct bench *b = *state;
	struct sim *thief = second_mint(b);
	auto_free char *stolen = NULL, *token = NULL;

	copy_keyset(thief, b->sim);
	refresh(b, thief);
	assert_true(bench_alarms(b) > 0);
	stolen = sim_token(thief, 100, NULL);
	assert_int_equal(check_refreshed(b, stolen), WALLET_KEYSET_UNKNOWN);
	assert_int_equal(thief->swaps, 0);
	token = locked(b);
	claim(b, token, 0);
	assert_books(b, 99, 1);
	sim_free(thief);
}

/* The same secret, good at both mints: the second one is refused, and its mint hears nothing. */
static void test_secret_at_two_mints(void **state)
{
	static const char secret[] =
		"5f1e0c0a4d3b2a190817263544536271809fa0bdcadbecfd0e1f2a3b4c5d6e7f";
	struct bench *b = *state;
	struct sim *other = second_mint(b);
	auto_free char *here = sim_token_of(b->sim, 64, secret);
	auto_free char *there = sim_token_of(other, 64, secret);
	unsigned before;

	refresh(b, other);
	assert_int_equal(check_refreshed(b, there), WALLET_OK);
	claim(b, here, 0);
	assert_int_equal(b->heard.settled, 1);
	before = other->requests;
	assert_int_equal(check_refreshed(b, there), WALLET_ALREADY_CLAIMED);
	bench_run(b, 50);
	assert_int_equal(other->requests, before);
	assert_books(b, 63, 1);
	sim_free(other);
}

/* A lock to the key of one mint is not ours at another: no signature made for the second could
 * spend at the first. */
static void test_witness_at_two_mints(void **state)
{
	struct bench *b = *state;
	struct sim *other = second_mint(b);
	struct lock l = bench_lock(b), m = l;
	auto_free char *there = sim_token(other, 100, &l), *fitting = NULL;
	struct wallet_release r;
	unsigned before;
	struct err e;

	refresh(b, other);
	before = other->requests;
	assert_int_equal(wallet_payment_key(b->w, other->url, m.key.b, &e), 0);
	assert_memory_not_equal(l.key.b, m.key.b, sizeof(l.key.b));
	assert_int_equal(check_refreshed(b, there), WALLET_LOCK_NOT_OURS);
	assert_int_equal(bench_release(b, there, &r), WALLET_NOT_OURS);
	fitting = sim_token(other, 100, &m);
	assert_int_equal(check_refreshed(b, fitting), WALLET_OK);
	bench_run(b, 50);
	assert_int_equal(other->requests, before);
	sim_free(other);
}

/* --- fees --- */

/* A v2 id follows from the fee: nothing is paid more, and the token goes back. */
static void test_fee_of_v2_changes(void **state)
{
	struct bench *b = *state;
	auto_free char *token = locked(b);
	struct wallet_release r;

	b->sim->keyset->fee_ppk = 900;
	claim(b, token, 0);
	assert_int_equal(b->heard.last.reason, WALLET_REJECT_REFUSED);
	assert_true(bench_alarms(b) > 0);
	assert_books(b, 0, 0);
	assert_int_equal(bench_release(b, token, &r), 0);
}

static void rotate_v1(struct bench *b)
{
	b->sim->version = KEYSET_V1;
	sim_rotate(b->sim, 100);
	bench_restart(b);
	bench_ready(b);
}

/* That of a v1 keyset may change: the lease is paid with what is left. */
static void test_fee_of_v1_changes(void **state)
{
	struct bench *b = *state;
	auto_free char *token = NULL;
	int64_t plan;

	rotate_v1(b);
	token = locked(b);
	plan = bench_claim(b, token, 0);
	b->sim->keyset->fee_ppk = 900; /* 3 proofs: 3 sat instead of 1 */
	wallet_plan_run(b->w, plan);
	bench_run(b, BENCH_PATIENCE);
	assert_int_equal(b->heard.settled, 1);
	assert_int_equal(sat_raw(b->heard.last.net), 97);
	assert_int_equal(sat_raw(b->heard.last.fee), 3);
	assert_books(b, 97, 3);
}

/* More than 10 000 ppk is no fee: there is no keyset to swap to. */
static void test_fee_without_measure(void **state)
{
	struct bench *b = *state;
	auto_free char *token = NULL;
	struct wallet_release r;

	rotate_v1(b);
	token = locked(b);
	b->sim->keyset->fee_ppk = 20000;
	claim(b, token, 0);
	assert_int_equal(b->heard.last.reason, WALLET_REJECT_REFUSED);
	assert_books(b, 0, 0);
	assert_int_equal(bench_release(b, token, &r), 0);
}

/* --- away for an hour --- */

static void away(struct bench *b, enum sim_fault fault, const char *token)
{
	int64_t plan = bench_claim(b, token, clock_wall() + 100);

	b->heard.closed = 0;
	b->sim->fault = fault;
	wallet_plan_run(b->w, plan);
	while (b->heard.waiting == 0)
		bench_run(b, 20);
	sim_down(b->sim);
	bench_run(b, 300);
	bench_later(b, 1800);
	bench_restart(b);
	bench_run(b, 600);
	bench_later(b, 1800);
	bench_run(b, 100);
	assert_int_equal(b->heard.closed, 0);
	assert_books(b, 0, 0);
	sim_up(b->sim, b->ws);
	b->sim->fault = SIM_GOOD;
	bench_later(b, 120); /* the longest pause between two questions */
	while (b->heard.closed == 0)
		bench_run(b, BENCH_PATIENCE);
}

/* The swap had not happened: it never will, and the token is given back. */
static void test_away_before(void **state)
{
	struct bench *b = *state;
	auto_free char *token = locked(b);
	struct wallet_release r;

	away(b, SIM_BROKEN, token);
	assert_int_equal(b->heard.last.reason, WALLET_REJECT_EXPIRED);
	assert_int_equal(b->sim->swaps, 1);
	assert_int_equal(bench_release(b, token, &r), 0);
	assert_books(b, 0, 0);
}

/* It had: the money is ours, too late for a lease. */
static void test_away_after(void **state)
{
	struct bench *b = *state;
	auto_free char *token = locked(b);
	struct wallet_release r;

	away(b, SIM_FORGET, token);
	assert_int_equal(b->heard.settled, 1);
	assert_true(b->heard.last.late);
	assert_int_equal(bench_release(b, token, &r), WALLET_NOT_FREE);
	assert_books(b, 99, 1);
}

int main(void)
{
#define T(f)	   cmocka_unit_test_setup_teardown(f, setup, teardown)
#define T_BUYER(f) cmocka_unit_test_setup_teardown(f, setup_buyer, teardown)
	const struct CMUnitTest tests[] = {
		T(test_answer_lies),
		T(test_other_keys),
		T(test_no_dleq),
		T(test_restores_unproven),
		T(test_denies),
		T_BUYER(test_buyer_answer_lies),
		T_BUYER(test_buyer_worthless),
		T_BUYER(test_buyer_unproven),
		T_BUYER(test_fund_dearer),
		T_BUYER(test_fund_worthless),
		T(test_key_changes),
		T(test_keys_do_not_fit),
		T(test_keyset_of_another),
		T(test_secret_at_two_mints),
		T(test_witness_at_two_mints),
		T(test_fee_of_v2_changes),
		T(test_fee_of_v1_changes),
		T(test_fee_without_measure),
		T(test_away_before),
		T(test_away_after),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
