/* Kill the wallet's process at every step of the step table that it passes, start again, and count.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/step.h"
#include "cashu/token.h"
#include "wallet/leave.h"
#include "wallet_bench.h"

static const struct secret seller = {{7}};

static void wait_told(struct bench *b)
{
	bench_while(b, !b->told.done);
}

static void do_fund(struct bench *b)
{
	wallet_fund(b->w, b->sim->url, SAT(1000), bench_job, b);
	wait_told(b);
}

static void do_send(struct bench *b)
{
	struct wallet_send s = {.mint = b->sim->url,
				.net = SAT(100),
				.locktime = clock_wall() + 1000,
				.ref = "order"};
	struct lock_key k;

	b->told.done = false;
	if (!lock_key_of(&k, &seller))
		abort();
	memcpy(s.lock_key, k.b, sizeof(k.b));
	wallet_send_locked(b->w, &s, bench_job, b);
	wait_told(b);
}

static void do_return(struct bench *b)
{
	AUTO(token_free) struct cashu_token *t = NULL;
	struct wallet_release r = {0};

	if (token_decode(&t, str_of(b->told.text), TOKEN_LIMITS_WALLET, NULL) < 0)
		abort();
	for (; r.n < t->proofs.n; r.n++)
		lock_sign(r.sig[r.n], str_of(t->proofs.v[r.n].secret), &seller);
	b->told.done = false;
	wallet_release_redeem(b->w, b->told.token_out, &r, bench_job, b);
	wait_told(b);
}

static void do_claim(struct bench *b)
{
	bench_ready(b);
	wallet_plan_run(b->w, bench_claim(b, b->told.text, 0));
	while (b->heard.closed == 0)
		bench_run(b, BENCH_PATIENCE);
}

static void do_pay(struct bench *b)
{
	const struct wallet_pay p = {.mint = b->sim->url, .invoice = b->told.text, .ref = "w1"};

	b->told.done = false;
	wallet_pay(b->w, &p, bench_job, b);
	wait_told(b);
}

/* Of the amount that stands in told.amount: 72 sat lie there exactly, 5 sat want a swap. */
static void do_plain(struct bench *b)
{
	const struct wallet_plain p = {
		.mint = b->sim->url, .amount = b->told.amount, .ref = "gift"};

	b->told.done = false;
	wallet_send_plain(b->w, &p, bench_job, b);
	wait_told(b);
}

static void allow_peer(struct bench *b)
{
	struct err e;

	if (wallet_allow(b->w, &(struct wallet_mint){b->sim->peer->url, true}, &e) < 0 ||
	    wallet_resume(b->w, &e) < 0)
		abort();
}

static void do_move(struct bench *b)
{
	const struct wallet_move m = {
		.from = b->sim->url, .to = b->sim->peer->url, .amount = SAT(100)};

	allow_peer(b);
	b->told.done = false;
	wallet_move(b->w, &m, bench_job, b);
	wait_told(b);
}

/* --- dying --- */

struct death {
	struct bench *b;
	int status;
};

static void died(void *ctx, pid_t pid, int status)
{
	struct death *d = ctx;

	(void)pid;
	d->status = status;
	loop_stop(d->b->loop);
}

static void child_run(struct bench *b, void (*act)(struct bench *b), enum step s)
{
	struct bench child = *b;
	struct err e;

	if (loop_new(&child.loop, &e) < 0 || step_arm(step_name(s), &e) < 0)
		_exit(2);
	bench_open(&child);
	act(&child);
	_exit(0);
}

/* True: the child passed the step and was killed there. */
static bool die_at(struct bench *b, void (*act)(struct bench *b), enum step s)
{
	struct death d = {.b = b, .status = -1};
	struct err e;
	pid_t pid;

	bench_close(b);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		child_run(b, act, s);
	assert_int_equal(loop_child_add(b->loop, pid, died, &d, &e), 0);
	bench_run(b, BENCH_PATIENCE);
	assert_true(d.status == 0 || d.status == 128 + SIGKILL);
	bench_open(b);
	bench_restart(b);
	return d.status != 0;
}

static bool has_open(struct bench *b)
{
	auto_stmt struct stmt *s =
		db_query(b->db, "SELECT (SELECT count(*) FROM plan WHERE state = 1)"
				" + (SELECT count(*) FROM quote WHERE state < 3)");

	assert_int_equal(db_step(s, NULL), DB_ROW);
	return db_i64(s, 0) > 0;
}

static void calm(struct bench *b)
{
	bench_while(b, has_open(b));
	assert_false(has_open(b));
}

/* No proof of ours is spent at the mint, and the books agree with them. */
static void assert_sound(struct bench *b)
{
	auto_stmt struct stmt *s = db_query(b->db, "SELECT y FROM proof WHERE state = 1");
	int64_t held;

	while (db_step(s, NULL) == DB_ROW)
		for (size_t i = 0; i < b->sim->nspent; i++)
			assert_memory_not_equal(db_blob(s, 0).p, b->sim->spent[i].y, 33);
	held = bench_ledger(b, LEDGER_OWN) + bench_ledger(b, LEDGER_OPEN);
	assert_int_equal(bench_available(b) * 1000, held);
}

static const enum step steps[] = {STEP_QUOTE_STORED, STEP_QUOTE_PLANNED, STEP_PLAN_SENT,
				  STEP_PLAN_ANSWERED, STEP_PLAN_SETTLED};

static unsigned points;

static void test_fund(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		struct bench *b = bench_new(BENCH_BUYER, 100);

		assert_true(die_at(b, do_fund, steps[i]));
		points++;
		calm(b);
		assert_int_equal(bench_available(b), 1000);
		assert_sound(b);
		bench_free(b);
	}
}

static void test_send(void **state)
{
	(void)state;
	for (size_t i = 2; i < ARRAY_SIZE(steps); i++) {
		struct bench *b = bench_new(BENCH_BUYER, 100);

		do_fund(b);
		assert_true(die_at(b, do_send, steps[i]));
		points++;
		do_send(b); /* the same order again gets the same token */
		assert_int_equal(b->told.stage, WALLET_DONE);
		assert_int_equal(bench_ledger(b, LEDGER_OUT), 101000);
		assert_int_equal(bench_available(b), 1000 - 101 - 1);
		assert_sound(b);
		bench_free(b);
	}
}

static void test_return(void **state)
{
	(void)state;
	for (size_t i = 2; i < ARRAY_SIZE(steps); i++) {
		struct bench *b = bench_new(BENCH_BUYER, 100);

		do_fund(b);
		do_send(b);
		assert_true(die_at(b, do_return, steps[i]));
		points++;
		calm(b);
		assert_int_equal(bench_ledger(b, LEDGER_OUT), 0);
		assert_int_equal(bench_available(b), 1000 - 2);
		assert_sound(b);
		bench_free(b);
	}
}

static void test_claim(void **state)
{
	(void)state;
	for (size_t i = 2; i < ARRAY_SIZE(steps); i++) {
		struct bench *b = bench_new(BENCH_SELLER, 100);
		auto_free char *token = NULL;
		struct lock l = bench_lock(b);

		bench_ready(b);
		token = sim_token(b->sim, 100, &l);
		snprintf(b->told.text, sizeof(b->told.text), "%s", token);
		assert_true(die_at(b, do_claim, steps[i]));
		points++;
		calm(b);
		assert_int_equal(bench_available(b), 99);
		assert_int_equal(bench_ledger(b, LEDGER_OPEN), 99000);
		assert_sound(b);
		bench_free(b);
	}
}

static const enum step melt_steps[] = {STEP_MELT_PLANNED, STEP_MELT_SENT, STEP_MELT_ANSWERED,
				       STEP_MELT_SETTLED};

static void test_pay(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(melt_steps); i++) {
		struct bench *b = bench_new(BENCH_BUYER, 100);
		auto_free char *invoice = sim_invoice(100000, clock_wall() + 3600);

		do_fund(b);
		snprintf(b->told.text, sizeof(b->told.text), "%s", invoice);
		assert_true(die_at(b, do_pay, melt_steps[i]));
		points++;
		snprintf(b->told.text, sizeof(b->told.text), "%s", invoice);
		do_pay(b);
		assert_int_equal(b->told.stage, WALLET_DONE);
		assert_int_equal(sat_raw(b->told.amount), 104);
		assert_false(has_open(b));
		assert_int_equal(b->sim->paid, 1);
		assert_int_equal(bench_available(b), 1000 - 104);
		assert_sound(b);
		bench_free(b);
	}
}

static void test_plain(void **state)
{
	(void)state;
	for (size_t i = 1; i < ARRAY_SIZE(steps); i++) {
		struct bench *b = bench_new(BENCH_BUYER, 100);
		uint64_t amount = i == 1 ? 72 : 5, cost = i == 1 ? 72 : 6;

		do_fund(b);
		b->told.amount = SAT(amount);
		assert_true(die_at(b, do_plain, i == 1 ? STEP_TOKEN_STORED : steps[i]));
		points++;
		b->told.amount = SAT(amount);
		do_plain(b);
		assert_int_equal(b->told.stage, WALLET_DONE);
		assert_int_equal(bench_ledger(b, LEDGER_OUT), (int64_t)amount * 1000);
		assert_int_equal(bench_available(b), 1000 - cost);
		assert_sound(b);
		bench_free(b);
	}
}

/* Until the payment is stored nothing moves, from then on everything. */
static void move_dies(enum step at, uint64_t left, uint64_t arrived)
{
	struct bench *b = bench_new(BENCH_BUYER, 100);
	struct sim *to = sim_new(b->ws, 0);
	struct wallet_balance there;
	struct err e;

	to->unpaid = true;
	b->sim->peer = to;
	do_fund(b);
	assert_true(die_at(b, do_move, at));
	points++;
	allow_peer(b);
	for (unsigned i = 0; i < 2000; i++) {
		assert_int_equal(wallet_balance(b->w, to->url, &there, &e), 0);
		if (i > 10 && sat_raw(there.available) == arrived && bench_available(b) == left)
			break;
		bench_run(b, 50);
	}
	assert_int_equal(sat_raw(there.available), arrived);
	assert_int_equal(bench_available(b), left);
	assert_int_equal(b->sim->paid, arrived ? 1 : 0);
	bench_close(b);
	sim_free(to);
	b->sim->peer = NULL;
	bench_open(b);
	bench_free(b);
}

static void test_move(void **state)
{
	(void)state;
	move_dies(STEP_QUOTE_STORED, 1000, 0);
	for (size_t i = 0; i < ARRAY_SIZE(melt_steps); i++)
		move_dies(melt_steps[i], 896, 100);
	for (size_t i = 1; i < ARRAY_SIZE(steps); i++)
		move_dies(steps[i], 896, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fund),   cmocka_unit_test(test_send),
		cmocka_unit_test(test_return), cmocka_unit_test(test_claim),
		cmocka_unit_test(test_pay),    cmocka_unit_test(test_plain),
		cmocka_unit_test(test_move),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	printf("# crash points: %u\n", points);
	return rc;
}
