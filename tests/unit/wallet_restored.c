/*
 * Yesterday's database, and two agents on one seed: what was paid is not paid again, nothing is
 * given for money that another copy got, and nobody asks for ever.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/mem.h"
#include "cashu/derive.h"
#include "cashu/dhke.h"
#include "cashu/token.h"
#include "wallet_bench.h"

struct world {
	struct bench *b;
	char copy[80]; /* of the database */
};

static int setup_side(void **state, enum bench_side side)
{
	struct world *w = mem_zero(sizeof(*w));

	w->b = bench_new(side, 100);
	bench_ready(w->b);
	bench_listen(w->b);
	snprintf(w->copy, sizeof(w->copy), "%s-copy", w->b->path);
	*state = w;
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
	struct world *w = *state;

	bench_free(w->b);
	unlink(w->copy);
	free(w);
	return 0;
}

static void back_up(struct world *w)
{
	bench_close(w->b);
	bench_copy(w->copy, w->b->path);
	bench_open(w->b);
}

/* The process starts on the copy; what was heard before does not count. */
static void restore(struct world *w)
{
	bench_close(w->b);
	bench_copy(w->b->path, w->copy);
	memset(&w->b->heard, 0, sizeof(w->b->heard));
	bench_open(w->b);
	bench_restart(w->b);
}

static char *locked(struct bench *b)
{
	struct lock l = bench_lock(b);

	return sim_token(b->sim, 100, &l);
}

static void run(struct bench *b, int64_t plan)
{
	b->heard.closed = 0;
	wallet_plan_run(b->w, plan);
	while (b->heard.closed == 0)
		bench_run(b, BENCH_PATIENCE);
}

static void claim(struct bench *b, const char *token)
{
	run(b, bench_claim(b, token, 0));
}

static void claim_locked(struct bench *b)
{
	auto_free char *token = locked(b);

	claim(b, token);
}

/* --- a copy with old counters --- */

static void test_old_counters(void **state)
{
	struct world *w = *state;
	struct bench *b = w->b;
	auto_free char *token = locked(b);

	claim_locked(b);
	back_up(w);
	bench_ready(b);
	claim_locked(b);
	claim_locked(b);
	assert_int_equal(bench_available(b), 297);
	restore(w);
	assert_int_equal(bench_check(b, token, NULL), WALLET_NEED_KEYSETS);
	bench_ready(b);
	b->sim->swaps = 0;
	claim(b, token);
	assert_int_equal(b->sim->swaps, 1); /* not one refusal: the mint was asked before */
	assert_int_equal(bench_available(b), 198);
	assert_int_equal(b->heard.settled, 1);
	assert_int_equal(bench_alarms(b), 0);
}

/* --- a copy that does not know a token --- */

/* It was claimed after the copy was taken, and is presented again. */
static void test_paid_token_again(void **state)
{
	struct world *w = *state;
	struct bench *b = w->b;
	auto_free char *token = locked(b);
	unsigned before;

	back_up(w);
	bench_ready(b);
	claim(b, token);
	assert_int_equal(b->heard.settled, 1);
	restore(w);
	bench_ready(b);
	before = b->sim->requests;
	claim(b, token);
	assert_int_equal(b->heard.settled, 0);
	assert_int_equal(b->heard.last.reason, WALLET_REJECT_BLOCKED);
	assert_true(bench_alarms(b) > 0);
	assert_int_equal(bench_available(b), 0);
	assert_int_equal(bench_ledger(b, LEDGER_OPEN), 0);
	assert_true(b->sim->requests - before < 12);
	assert_int_equal(bench_check(b, token, NULL), WALLET_ALREADY_CLAIMED);
}

/* It was released after the copy was taken, and its sender took it back. */
static void test_released_token_again(void **state)
{
	struct world *w = *state;
	struct bench *b = w->b;
	auto_free char *token = locked(b);
	struct wallet_release r;

	back_up(w);
	assert_int_equal(bench_release(b, token, &r), 0);
	restore(w);
	bench_ready(b);
	sim_spend(b->sim, token, NULL);
	for (size_t i = 0; i < r.n; i++)
		b->sim->spent[i].witness = lock_witness(r.sig[i]);
	claim(b, token);
	assert_int_equal(b->heard.settled, 0);
	assert_int_equal(b->heard.last.reason, WALLET_REJECT_BLOCKED);
	assert_int_equal(bench_available(b), 0);
}

/* --- a copy with an open plan --- */

/* The secret of the seed's n-th output. */
static void own_secret(struct bench *b, uint64_t n, char out[static 65])
{
	auto_derived struct derived d;
	struct err e;

	assert_int_equal(derive_output(&d, &b->seed, &b->sim->keyset->id, n, &e), 0);
	hex_encode(out, d.secret.b, sizeof(d.secret.b));
}

static int64_t open_plan(struct world *w, const char *token)
{
	struct bench *b = w->b;
	int64_t plan = bench_claim(b, token, 0);

	bench_close(b);
	bench_copy(w->copy, b->path);
	bench_open(b);
	bench_restart(b);
	while (b->heard.closed == 0)
		bench_run(b, BENCH_PATIENCE);
	assert_int_equal(b->heard.settled, 1);
	assert_int_equal(bench_available(b), 99);
	return plan;
}

/* The same plan settles again, in the database that did not know: the same money, once. */
static void test_open_plan(void **state)
{
	struct world *w = *state;
	struct bench *b = w->b;
	auto_free char *token = locked(b);

	open_plan(w, token);
	restore(w);
	while (b->heard.closed == 0)
		bench_run(b, BENCH_PATIENCE);
	assert_int_equal(b->heard.settled, 1);
	assert_int_equal(bench_available(b), 99);
	assert_int_equal(bench_ledger(b, LEDGER_OPEN), 99000);
	assert_int_equal(b->sim->swaps, 1);
}

/* What it made was spent since: there is no money for a lease, and the operator hears of it. */
static void test_open_plan_spent(void **state)
{
	struct world *w = *state;
	struct bench *b = w->b;
	auto_free char *token = locked(b);

	open_plan(w, token);
	for (uint64_t i = 0; i < 4; i++) { /* its outputs were the first counters */
		char secret[65];

		own_secret(b, i, secret);
		assert_int_equal(
			dhke_y_bytes(b->sim->spent[b->sim->nspent++].y, str_of(secret), NULL), 0);
	}
	restore(w);
	while (b->heard.closed == 0)
		bench_run(b, BENCH_PATIENCE);
	assert_int_equal(b->heard.settled, 0);
	assert_int_equal(b->heard.last.reason, WALLET_REJECT_BLOCKED);
	assert_true(bench_alarms(b) > 0);
	assert_int_equal(bench_available(b), 0);
}

/* --- a copy that still counts what was paid out --- */

static void refund(struct bench *b, const char *lease, uint64_t sat)
{
	struct lock l = bench_lock(b);
	struct wallet_refund r = {.lease = lease,
				  .number = 1,
				  .mint = b->sim->url,
				  .amount = MSAT(sat * 1000),
				  .key = l.refund.b,
				  .from = LEDGER_OPEN};
	auto_tx struct tx *tx = NULL;
	unsigned before = b->heard.refunds_done;
	struct err e;

	assert_int_equal(db_begin(&tx, b->db, &e), 0);
	assert_int_equal(wallet_refund_due(tx, &r, &e), 0);
	assert_int_equal(db_commit(&tx, &e), 0);
	assert_int_equal(wallet_refund_run(b->w, lease, &e), 0);
	bench_while(b, b->heard.refunds_done == before);
	assert_int_equal(b->heard.refunds_done, before + 1);
}

/* Proofs that paid a refund are free in the copy. The next refund that takes them finds out, says
 * so, and is made with others. */
static void test_refund_from_spent_proofs(void **state)
{
	struct world *w = *state;
	struct bench *b = w->b;
	unsigned before;

	claim_locked(b);
	back_up(w);
	bench_ready(b);
	refund(b, "lease1", 98);
	restore(w);
	bench_ready(b);
	assert_int_equal(bench_available(b), 99); /* so it believes */
	claim_locked(b);
	before = b->sim->requests;
	refund(b, "lease2", 98);
	assert_true(bench_alarms(b) > 0);
	assert_true(b->sim->requests - before < 40);
	assert_true(bench_available(b) <= 99);
	assert_int_equal((int64_t)bench_available(b) * 1000,
			 bench_ledger(b, LEDGER_OWN) + bench_ledger(b, LEDGER_OPEN) +
				 bench_ledger(b, LEDGER_OWED) + bench_ledger(b, LEDGER_EARNED));
}

/* --- a buyer's copy --- */

static void wait_told(struct bench *b)
{
	bench_while(b, !b->told.done);
	assert_true(b->told.done);
	assert_string_equal(b->told.error, "");
	b->told.done = false;
}

static void fund(struct bench *b)
{
	wallet_fund(b->w, b->sim->url, SAT(500), bench_job, b);
	wait_told(b);
}

static void send_token(struct bench *b)
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

/* Counters that were used and proofs that were spent since: money still comes, and still goes. */
static void test_buyer(void **state)
{
	struct world *w = *state;
	struct bench *b = w->b;
	unsigned before;

	fund(b);
	back_up(w);
	bench_ready(b);
	send_token(b);
	fund(b);
	restore(w);
	bench_ready(b);
	assert_int_equal(bench_available(b), 500); /* so it believes */
	before = b->sim->requests;
	fund(b);
	for (int i = 0; i < 4; i++)
		send_token(b);
	assert_true(b->sim->requests - before < 100);
	assert_int_equal((int64_t)bench_available(b) * 1000, bench_ledger(b, LEDGER_OWN));
	assert_int_equal(bench_ledger(b, LEDGER_OUT), 404000);
}

/* --- two agents on one seed --- */

/* Another bench at the same mint, with the same seed. */
static struct bench *twin_of(struct bench *b, const char *instance)
{
	struct bench *t = mem_zero(sizeof(*t));

	t->loop = b->loop;
	t->ws = b->ws;
	t->sim = b->sim;
	t->seed = b->seed;
	t->screen = -1;
	snprintf(t->path, sizeof(t->path), "%.40s-twin", b->path);
	snprintf(t->instance, sizeof(t->instance), "%s", instance);
	bench_open(t);
	bench_ready(t);
	return t;
}

static void twin_free(struct bench *t)
{
	auto_free char *wal = mem_printf("%s-wal", t->path), *shm = mem_printf("%s-shm", t->path);

	bench_close(t);
	unlink(t->path);
	unlink(wal);
	unlink(shm);
	free(t);
}

/* Both sell at once. The second meets used counters, looks past them, and is paid too. */
static void test_two_agents(void **state)
{
	struct world *w = *state;
	struct bench *b = w->b, *t = twin_of(b, "other");

	for (unsigned i = 1; i <= 3; i++) {
		claim_locked(b);
		claim_locked(t);
		assert_int_equal(bench_available(b), 99 * i);
		assert_int_equal(bench_available(t), 99 * i);
	}
	assert_int_equal(b->heard.settled + t->heard.settled, 6);
	assert_int_equal(b->heard.rejected + t->heard.rejected, 0);
	assert_true(b->sim->swaps <= 6 + 5 * 3); /* two refusals, then fresh outputs */
	twin_free(t);
}

/* One token for both: they have different keys, so it is good for one of them only. */
static void test_token_for_one(void **state)
{
	struct world *w = *state;
	struct bench *b = w->b, *t = twin_of(b, "other");
	auto_free char *token = locked(b);

	assert_int_equal(bench_check(t, token, NULL), WALLET_LOCK_NOT_OURS);
	claim(b, token);
	assert_int_equal(b->heard.settled, 1);
	twin_free(t);
}

/* A plain token that its sender has spent, while the other agent had the very outputs signed that
 * we plan: the inputs are spent, the outputs can be restored, are ours, right and unspent. */
static void test_plain_looks_paid(void **state)
{
	struct world *w = *state;
	struct bench *b = w->b, *t = twin_of(b, "other");
	auto_free char *token = sim_token(b->sim, 100, NULL);

	claim_locked(t);
	assert_int_equal(bench_available(t), 99);
	sim_spend(b->sim, token, NULL);
	claim(b, token);
	assert_int_equal(b->heard.settled, 0);
	assert_int_equal(b->heard.last.reason, WALLET_REJECT_SPENT);
	assert_int_equal(bench_available(b), 0);
	assert_int_equal(bench_ledger(b, LEDGER_OPEN), 0);
	assert_true(b->sim->swaps < 8);
	twin_free(t);
}

/* The same, and the token is good: it is paid once, with outputs that nobody has used. */
static void test_plain_paid(void **state)
{
	struct world *w = *state;
	struct bench *b = w->b, *t = twin_of(b, "other");
	auto_free char *token = sim_token(b->sim, 100, NULL);

	claim_locked(t);
	claim(b, token);
	assert_int_equal(b->heard.settled, 1);
	assert_int_equal(bench_available(b), 99);
	twin_free(t);
}

/* --- a payment made of our own proofs --- */

/* The copy does not know that they were handed out since. */
static void test_own_proofs(void **state)
{
	struct world *w = *state;
	struct bench *b = w->b;
	unsigned before;

	claim_locked(b); /* four proofs by the first counters */
	for (uint64_t i = 0; i < 4; i++) {
		auto_free char *text = NULL;
		char secret[65];

		own_secret(b, i, secret);
		text = sim_token_of(b->sim, 64, secret);
		before = b->sim->requests;
		assert_int_equal(bench_check(b, text, NULL), WALLET_ALREADY_CLAIMED);
		assert_int_equal(b->sim->requests, before);
	}
	assert_int_equal(bench_alarms(b), 4);
	assert_int_equal(bench_available(b), 99);
}

int main(void)
{
#define T(f)	   cmocka_unit_test_setup_teardown(f, setup, teardown)
#define T_BUYER(f) cmocka_unit_test_setup_teardown(f, setup_buyer, teardown)
	const struct CMUnitTest tests[] = {
		T(test_old_counters),
		T(test_paid_token_again),
		T(test_released_token_again),
		T(test_open_plan),
		T(test_open_plan_spent),
		T_BUYER(test_buyer),
		T(test_refund_from_spent_proofs),
		T(test_two_agents),
		T(test_token_for_one),
		T(test_plain_looks_paid),
		T(test_plain_paid),
		T(test_own_proofs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
