/* The seller's wallet against a real mint on loopback: happy ways, every fault, and restarts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "cashu/token.h"
#include "wallet_bench.h"

static int setup(void **state)
{
	struct bench *b = bench_new(BENCH_SELLER, 100);

	bench_ready(b);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	bench_audit(*state);
	bench_free(*state);
	return 0;
}

/* Of a test that books what nobody paid. */
static int teardown_unbalanced(void **state)
{
	bench_free(*state);
	return 0;
}

static void start(struct bench *b, int64_t plan)
{
	wallet_plan_run(b->w, plan);
}

/* 100 sat, locked: three proofs, fee 1 sat. */
static char *locked(struct bench *b)
{
	struct lock l = bench_lock(b);

	return sim_token(b->sim, 100, &l);
}

static void assert_paid(struct bench *b, unsigned times)
{
	assert_int_equal(b->heard.settled, times);
	assert_int_equal(b->heard.rejected, 0);
	assert_int_equal(bench_available(b), 99 * times);
	assert_int_equal(bench_ledger(b, LEDGER_OPEN), 99000 * times);
	assert_int_equal(bench_ledger(b, LEDGER_FEES), 1000 * times);
	assert_int_equal(bench_ledger(b, LEDGER_OUTSIDE), -100000 * (int64_t)times);
}

static void test_happy(void **state)
{
	struct bench *b = *state;
	auto_free char *token = locked(b);

	start(b, bench_claim(b, token, clock_wall() + 100));
	bench_run(b, BENCH_PATIENCE);
	assert_paid(b, 1);
	assert_string_equal(b->heard.ref, "lease1");
	assert_false(b->heard.last.late);
	assert_int_equal(b->sim->swaps, 1);
	assert_int_equal(b->sim->states, 0);
}

static void test_answer_lost(void **state)
{
	struct bench *b = *state;
	auto_free char *token = locked(b);

	b->sim->fault = SIM_FORGET;
	start(b, bench_claim(b, token, 0));
	bench_run(b, BENCH_PATIENCE);
	assert_paid(b, 1);
	assert_true(b->sim->restores > 1); /* one is the look past the counter */
}

static void resend(struct bench *b, enum sim_fault fault)
{
	auto_free char *token = locked(b);

	b->sim->fault = fault;
	start(b, bench_claim(b, token, 0));
	bench_run(b, BENCH_PATIENCE);
	assert_paid(b, 1);
	assert_int_equal(b->sim->swaps, 2);
	assert_string_equal(b->sim->first_body, b->sim->last_body);
}

static void test_request_lost(void **state)
{
	resend(*state, SIM_DROP);
}

static void test_server_error(void **state)
{
	resend(*state, SIM_BROKEN);
}

static void test_refused_once(void **state)
{
	resend(*state, SIM_REFUSE);
}

static void test_wrong_answers(void **state)
{
	static const enum sim_fault lies[] = {SIM_WRONG_AMOUNT, SIM_WRONG_KEYSET, SIM_WRONG_SIG,
					      SIM_ONE_SHORT};
	struct bench *b = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(lies); i++) {
		auto_free char *token = locked(b);

		b->sim->fault = lies[i];
		start(b, bench_claim(b, token, 0));
		bench_run(b, BENCH_PATIENCE);
		assert_paid(b, i + 1);
		assert_int_equal(b->sim->swaps, i + 1);
	}
}

static void test_limited(void **state)
{
	struct bench *b = *state;
	auto_free char *token = locked(b);
	unsigned states;

	b->sim->fault = SIM_LIMIT;
	start(b, bench_claim(b, token, 0));
	states = b->sim->states;
	bench_while(b, b->heard.waiting == 0);
	bench_run(b, 1200);
	assert_true(b->timed_out);
	assert_int_equal(b->heard.waiting, 1);
	bench_restart(b); /* silence outlives the process */
	bench_run(b, 1200);
	assert_int_equal(b->sim->swaps, 1);
	assert_int_equal(b->sim->states, states);
	assert_int_equal(b->heard.closed, 0);
}

static void test_pending(void **state)
{
	struct bench *b = *state;
	auto_free char *token = locked(b);

	b->sim->fault = SIM_PENDING;
	start(b, bench_claim(b, token, 0));
	bench_while(b, b->heard.waiting == 0);
	bench_run(b, 600);
	assert_true(b->timed_out);
	assert_int_equal(b->heard.waiting, 1);
	sim_pending_over(b->sim);
	bench_run(b, BENCH_PATIENCE);
	assert_paid(b, 1);
	assert_string_equal(b->sim->first_body, b->sim->last_body);
}

/* Spent elsewhere: a plain token, one that its sender took back, one spent with our own key. */
static void test_double_spend(void **state)
{
	struct bench *b = *state;
	struct lock ours = bench_lock(b), taken = ours;
	auto_free char *plain = sim_token(b->sim, 100, NULL), *back = NULL, *own = NULL;
	struct secret refund, any;

	secret_new(&refund);
	secret_new(&any);
	assert_true(lock_key_of(&taken.refund, &refund));
	back = sim_token(b->sim, 100, &taken);
	own = sim_token(b->sim, 100, &ours);

	sim_spend(b->sim, plain, NULL);
	start(b, bench_claim(b, plain, 0));
	bench_run(b, BENCH_PATIENCE);
	assert_int_equal(b->heard.last.reason, WALLET_REJECT_SPENT);

	sim_spend(b->sim, back, &refund);
	start(b, bench_claim(b, back, 0));
	bench_run(b, BENCH_PATIENCE);
	assert_int_equal(b->heard.last.reason, WALLET_REJECT_REFUNDED);

	sim_spend(b->sim, own, &any);
	start(b, bench_claim(b, own, 0));
	bench_run(b, BENCH_PATIENCE);
	assert_int_equal(b->heard.last.reason, WALLET_REJECT_BLOCKED);
	assert_int_equal(b->heard.rejected, 3);
	assert_int_equal(b->heard.settled, 0);
	assert_int_equal(bench_available(b), 0);
}

static void test_claim_once(void **state)
{
	struct bench *b = *state;
	auto_free char *token = locked(b);
	AUTO(wallet_payment_free) struct wallet_payment *p = NULL;
	const struct wallet_claim c = {.ref = "other"};
	struct wallet_release r;
	int64_t plan;

	assert_int_equal(bench_check(b, token, &p), WALLET_OK);
	plan = bench_claim(b, token, 0);
	{
		auto_tx struct tx *tx = NULL;
		int64_t other;
		struct err e;

		assert_int_equal(db_begin(&tx, b->db, &e), 0);
		assert_int_equal(wallet_claim(tx, b->w, p, &c, &other, &e), WALLET_KNOWN);
	}
	assert_int_equal(bench_check(b, token, NULL), WALLET_ALREADY_CLAIMED);
	assert_int_equal(bench_release(b, token, &r), WALLET_NOT_FREE);
	start(b, plan);
	bench_run(b, BENCH_PATIENCE);
	assert_paid(b, 1);
	assert_int_equal(bench_release(b, token, &r), WALLET_NOT_FREE);
	assert_int_equal(bench_check(b, token, NULL), WALLET_ALREADY_CLAIMED);
}

static void test_release(void **state)
{
	struct bench *b = *state;
	auto_free char *token = locked(b), *plain = sim_token(b->sim, 8, NULL);
	AUTO(token_free) struct cashu_token *t = NULL;
	struct lock l = bench_lock(b);
	struct wallet_release r;

	assert_int_equal(bench_release(b, plain, &r), WALLET_NOT_OURS);
	assert_int_equal(bench_release(b, "cashuBjunk", &r), WALLET_NOT_OURS);
	assert_int_equal(bench_release(b, token, &r), 0);
	assert_int_equal(bench_release(b, token, &r), 0);
	assert_int_equal(token_decode(&t, str_of(token), TOKEN_LIMITS_REQUEST, NULL), 0);
	assert_int_equal(r.n, t->proofs.n);
	for (size_t i = 0; i < r.n; i++)
		assert_true(lock_verify(r.sig[i], str_of(t->proofs.v[i].secret), &l.key));
	assert_int_equal(bench_check(b, token, NULL), WALLET_ALREADY_CLAIMED);
}

/* Nothing is sent after not_after; what is unspent then may be released, and stays refused. */
static void test_expired(void **state)
{
	struct bench *b = *state;
	auto_free char *token = locked(b);
	struct wallet_release r;

	start(b, bench_claim(b, token, clock_wall() - 1));
	bench_run(b, BENCH_PATIENCE);
	assert_int_equal(b->heard.last.reason, WALLET_REJECT_EXPIRED);
	assert_int_equal(b->sim->swaps, 0);
	assert_int_equal(bench_release(b, token, &r), 0);
	assert_int_equal(bench_check(b, token, NULL), WALLET_ALREADY_CLAIMED);
}

static void test_settled_late(void **state)
{
	struct bench *b = *state;
	auto_free char *token = locked(b);
	int64_t end = clock_wall() + 1000;
	int64_t plan = bench_claim(b, token, end);

	b->sim->fault = SIM_FORGET;
	start(b, plan);
	while (b->heard.waiting == 0)
		bench_run(b, 20);
	bench_close(b);
	bench_later(b, 1001);
	b->sim->fault = SIM_GOOD;
	bench_open(b);
	bench_restart(b);
	while (b->heard.closed == 0)
		bench_run(b, BENCH_PATIENCE);
	assert_paid(b, 1);
	assert_true(b->heard.last.late);
}

static void test_crash_before_send(void **state)
{
	struct bench *b = *state;
	auto_free char *token = locked(b);

	(void)bench_claim(b, token, 0);
	bench_restart(b);
	bench_run(b, BENCH_PATIENCE);
	while (b->heard.closed == 0 && !b->timed_out)
		bench_run(b, BENCH_PATIENCE);
	assert_paid(b, 1);
	bench_restart(b);
	bench_run(b, 300);
	assert_paid(b, 1);
}

static void test_crash_after_send(void **state)
{
	struct bench *b = *state;
	auto_free char *token = locked(b);

	b->sim->fault = SIM_FORGET;
	start(b, bench_claim(b, token, 0));
	while (b->heard.waiting == 0)
		bench_run(b, 20);
	bench_restart(b);
	while (b->heard.closed == 0)
		bench_run(b, BENCH_PATIENCE);
	assert_paid(b, 1);
}

/* The caller's own write fails: neither its state nor the money is stored, and both come later. */
static void test_caller_fails(void **state)
{
	struct bench *b = *state;
	auto_free char *token = locked(b);

	b->heard.fail = 2;
	start(b, bench_claim(b, token, 0));
	bench_run(b, BENCH_PATIENCE);
	assert_paid(b, 1);
	assert_int_equal(b->sim->swaps, 1);
}

static void test_rotation(void **state)
{
	struct bench *b = *state;
	auto_free char *token = locked(b), *more = NULL;
	int64_t plan = bench_claim(b, token, 0);

	sim_rotate(b->sim, 100);
	start(b, plan);
	bench_run(b, BENCH_PATIENCE);
	assert_paid(b, 1);
	more = locked(b); /* of the new keyset, known by now */
	start(b, bench_claim(b, more, 0));
	bench_run(b, BENCH_PATIENCE);
	assert_paid(b, 2);
}

static void test_unknown_keyset(void **state)
{
	struct bench *b = *state;
	auto_free char *token = NULL;

	sim_rotate(b->sim, 100);
	token = locked(b);
	assert_int_equal(bench_check(b, token, NULL), WALLET_NEED_KEYSETS);
}

static void test_old_keyset(void **state)
{
	struct bench *b = *state;
	auto_free char *token = locked(b);

	sim_rotate(b->sim, 100);
	bench_close(b);
	assert_int_equal(unlink(b->path), 0);
	bench_open(b);
	bench_ready(b);
	assert_int_equal(bench_check(b, token, NULL), WALLET_NEED_KEYSETS);
	bench_ready(b);
	start(b, bench_claim(b, token, 0));
	bench_run(b, BENCH_PATIENCE);
	assert_paid(b, 1);
}

/* A database of yesterday: the counters in it were used. Nothing is refused, because the mint was
 * asked at the start. */
static void test_old_database(void **state)
{
	struct bench *b = *state;
	auto_free char *token = locked(b), *more = locked(b);

	start(b, bench_claim(b, token, 0));
	bench_run(b, BENCH_PATIENCE);
	bench_close(b);
	assert_int_equal(unlink(b->path), 0);
	bench_open(b);
	assert_int_equal(bench_check(b, more, NULL), WALLET_NEED_KEYSETS);
	bench_ready(b);
	memset(&b->heard, 0, sizeof(b->heard));
	start(b, bench_claim(b, more, 0));
	bench_run(b, BENCH_PATIENCE);
	assert_paid(b, 1);
	assert_int_equal(b->sim->swaps, 2);
}

/* Somebody else uses the seed while we run: the mint refuses, and the plan gets other outputs. */
static void test_counter_used(void **state)
{
	struct bench *b = *state;
	auto_free char *token = locked(b), *more = locked(b);
	auto_tx struct tx *tx = NULL;
	struct err e;

	start(b, bench_claim(b, token, 0));
	bench_run(b, BENCH_PATIENCE);
	assert_int_equal(db_begin(&tx, b->db, &e), 0);
	assert_int_equal(tx_run(tx_write(tx, "UPDATE counter SET next = 0"), NULL, &e), 0);
	assert_int_equal(db_commit(&tx, &e), 0);
	start(b, bench_claim(b, more, 0));
	bench_run(b, BENCH_PATIENCE);
	assert_paid(b, 2);
	assert_int_equal(b->sim->swaps, 3);
}

static bool file_has(const char *path, const char *needle)
{
	auto_buf struct buf b = BUF(64 << 20);

	assert_true(fs_read(&b, path, NULL) >= 0);
	return b.n > 0 && memmem(b.p, b.n, needle, strlen(needle));
}

/* Between claim and swap the token and our signatures lie in the database, sealed; afterwards the
 * new secrets do. */
static void test_sealed(void **state)
{
	struct bench *b = *state;
	auto_free char *token = locked(b), *log = mem_printf("%s-wal", b->path);
	AUTO(token_free) struct cashu_token *t = NULL;
	int64_t plan = bench_claim(b, token, 0);

	assert_int_equal(token_decode(&t, str_of(token), TOKEN_LIMITS_REQUEST, NULL), 0);
	assert_true(file_has(log, "plan_output"));
	assert_false(file_has(log, "P2PK"));
	assert_false(file_has(log, t->proofs.v[0].secret));
	start(b, plan);
	bench_run(b, BENCH_PATIENCE);
	assert_paid(b, 1);
	assert_false(file_has(log, "P2PK"));
	assert_false(file_has(b->path, "P2PK"));
	assert_false(file_has(log, "signatures"));
}

static int count_refund(void *ctx, const struct wallet_refund *r)
{
	unsigned *n = ctx;

	assert_string_equal(r->lease, "lease1");
	assert_int_equal(msat_raw(r->amount), 5500);
	++*n;
	return 0;
}

static void test_refund_due(void **state)
{
	struct bench *b = *state;
	struct lock l = bench_lock(b);
	const struct wallet_refund r = {.lease = "lease1",
					.number = 1,
					.mint = b->sim->url,
					.amount = MSAT(5500),
					.key = l.refund.b};
	auto_tx struct tx *tx = NULL;
	unsigned n = 0;
	struct err e;

	assert_int_equal(db_begin(&tx, b->db, &e), 0);
	assert_int_equal(wallet_refund_due(tx, &r, &e), 0);
	assert_int_equal(wallet_refund_due(tx, &r, &e), WALLET_KNOWN);
	assert_int_equal(db_commit(&tx, &e), 0);
	assert_int_equal(wallet_each_refund(b->w, "lease1", count_refund, &n, &e), 0);
	assert_int_equal(wallet_each_refund(b->w, "lease2", count_refund, &n, &e), 0);
	assert_int_equal(n, 1);
	assert_int_equal(bench_ledger(b, LEDGER_OWED), 5500);
}

/* What cannot be read just after its commit is read later, without a restart. */
static void test_unreadable(void **state)
{
	const struct secret wrong = {{2}}, right = {{1}};
	struct bench *b = *state;
	auto_free char *token = locked(b);
	int64_t plan = bench_claim(b, token, 0);

	db_set_key(b->db, &wrong);
	start(b, plan);
	bench_run(b, 400);
	assert_int_equal(b->heard.settled, 0);
	assert_int_equal(b->sim->swaps, 0);
	db_set_key(b->db, &right);
	while (b->heard.closed == 0)
		bench_run(b, BENCH_PATIENCE);
	assert_paid(b, 1);
	assert_int_equal(b->sim->swaps, 1);
}

/* The same, and the process ends before that. */
static void test_unreadable_at_the_end(void **state)
{
	const struct secret wrong = {{2}};
	struct bench *b = *state;
	auto_free char *token = locked(b);
	int64_t plan = bench_claim(b, token, 0);

	db_set_key(b->db, &wrong);
	start(b, plan);
	bench_restart(b);
	while (b->heard.closed == 0)
		bench_run(b, BENCH_PATIENCE);
	assert_paid(b, 1);
}

/* A payment that is under way when its mint is taken out of the configuration comes to its end. */
static void test_mint_removed(void **state)
{
	struct bench *b = *state;
	auto_free char *token = locked(b);

	b->sim->fault = SIM_FORGET;
	start(b, bench_claim(b, token, 0));
	while (b->heard.waiting == 0)
		bench_run(b, 50);
	b->removed = true;
	bench_restart(b);
	while (b->heard.closed == 0)
		bench_run(b, BENCH_PATIENCE);
	assert_paid(b, 1);
	assert_int_equal(bench_check(b, token, NULL), WALLET_FOREIGN_MINT);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_happy),
		T(test_answer_lost),
		T(test_request_lost),
		T(test_server_error),
		T(test_refused_once),
		T(test_wrong_answers),
		T(test_limited),
		T(test_pending),
		T(test_double_spend),
		T(test_claim_once),
		T(test_release),
		T(test_expired),
		T(test_settled_late),
		T(test_crash_before_send),
		T(test_crash_after_send),
		T(test_caller_fails),
		T(test_rotation),
		T(test_unknown_keyset),
		T(test_old_database),
		T(test_old_keyset),
		T(test_counter_used),
		T(test_sealed),
		T(test_unreadable),
		T(test_unreadable_at_the_end),
		T(test_mint_removed),
		cmocka_unit_test_setup_teardown(test_refund_due, setup, teardown_unbalanced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
