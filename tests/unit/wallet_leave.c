/* Money that leaves: plain tokens, moves between mints, Lightning addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/step.h"
#include "cashu/token.h"
#include "wallet/leave.h"
#include "wallet_paying.h"

/* --- tokens --- */

static void send_plain(struct bench *b, uint64_t amount, const char *ref)
{
	const struct wallet_plain p = {.mint = b->sim->url, .amount = SAT(amount), .ref = ref};

	wallet_send_plain(b->w, &p, bench_job, b);
	paying_wait(b);
}

static void test_plain(void **state)
{
	struct bench *b = *state;
	auto_free char *first = NULL;
	int64_t out;

	paying_fund(b, 1000); /* 8 32 64 128 256 512 */
	send_plain(b, 72, "gift");
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(b->sim->swaps, 0);
	assert_int_equal(bench_available(b), 928);
	assert_int_equal(bench_ledger(b, LEDGER_OUT), 72000);
	paying_assert_sound(b);
	first = mem_strdup(b->told.text);
	out = b->told.token_out;
	send_plain(b, 72, "gift");
	assert_string_equal(b->told.text, first);
	send_plain(b, 5, "");
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(b->sim->swaps, 1);
	assert_int_equal(sat_raw(b->told.amount), 5);
	paying_assert_sound(b);
	wallet_reclaim(b->w, out, bench_job, b);
	paying_wait(b);
	assert_string_equal(b->told.error, "");
	assert_int_equal(sat_raw(b->told.amount), 71);
	assert_int_equal(bench_ledger(b, LEDGER_OUT), 5000);
	paying_assert_sound(b);
	send_plain(b, 5000, "");
	assert_int_equal(b->told.stage, WALLET_NO_MONEY);
}

/* Somebody takes it: the money is gone, and not called spent on a lease. */
static void test_plain_taken(void **state)
{
	struct bench *b = *state;
	auto_free char *token = NULL;
	int64_t out;

	paying_fund(b, 1000);
	send_plain(b, 100, "");
	token = mem_strdup(b->told.text);
	out = b->told.token_out;
	wallet_token_state(b->w, out, bench_job, b);
	paying_wait(b);
	assert_string_equal(b->told.text, "unspent");
	sim_spend(b->sim, token, NULL);
	wallet_token_state(b->w, out, bench_job, b);
	paying_wait(b);
	assert_string_equal(b->told.text, "spent");
	assert_int_equal(bench_ledger(b, LEDGER_OUT), 0);
	assert_int_equal(bench_ledger(b, LEDGER_SPENT), 0);
	paying_assert_sound(b);
}

static int note_out(void *ctx, const struct wallet_out *o)
{
	*(enum wallet_out_state *)ctx = o->state;
	return 0;
}

static enum wallet_out_state out_now(struct bench *b)
{
	enum wallet_out_state s = 0;
	struct err e;

	assert_int_equal(wallet_each_out(b->w, note_out, &s, &e), 0);
	return s;
}

static void claim_and_earn(struct bench *b)
{
	struct lock l = bench_lock(b);
	auto_free char *token = NULL;

	bench_ready(b);
	token = sim_token(b->sim, 100, &l);
	wallet_plan_run(b->w, bench_claim(b, token, 0));
	while (b->heard.closed == 0)
		bench_run(b, BENCH_PATIENCE);
	paying_earn(b, 80);
}

/* A seller asks by itself, and more often than not nobody has taken it. */
static void test_plain_watched(void **state)
{
	struct bench *b = bench_new(BENCH_SELLER, 100);
	auto_free char *token = NULL;
	unsigned before;

	(void)state;
	claim_and_earn(b);
	send_plain(b, 40, "");
	assert_int_equal(b->told.stage, WALLET_DONE);
	token = mem_strdup(b->told.text);
	bench_restart(b);
	before = b->sim->states;
	while (b->sim->states == before)
		paying_a_minute_later(b);
	assert_int_equal(out_now(b), WALLET_OUT_OPEN);
	sim_spend(b->sim, token, NULL);
	while (out_now(b) == WALLET_OUT_OPEN)
		paying_a_minute_later(b);
	assert_int_equal(out_now(b), WALLET_OUT_TAKEN);
	assert_int_equal(bench_ledger(b, LEDGER_OUT), 0);
	paying_assert_sound(b);
	bench_free(b);
}

/* Its mint is in no configuration any more: the token comes back all the same. */
static void test_reclaim_from_removed_mint(void **state)
{
	struct bench *b = bench_new(BENCH_SELLER, 100);
	int64_t out;

	(void)state;
	claim_and_earn(b);
	send_plain(b, 40, "");
	out = b->told.token_out;
	b->removed = true;
	bench_restart(b);
	wallet_reclaim(b->w, out, bench_job, b);
	paying_wait(b);
	assert_string_equal(b->told.error, "");
	assert_int_equal(out_now(b), WALLET_OUT_RETURNED);
	assert_int_equal(bench_ledger(b, LEDGER_OUT), 0);
	paying_assert_sound(b);
	bench_free(b);
}

static void test_locked(void **state)
{
	struct bench *b = *state;
	struct wallet_plain p = {.mint = b->sim->url, .amount = SAT(100)};
	const struct secret friend = {{9}};
	struct lock_key key;

	paying_fund(b, 1000);
	assert_true(lock_key_of(&key, &friend));
	p.lock_key = key.b;
	for (unsigned i = 0; i < 2; i++) {
		AUTO(token_free) struct cashu_token *t = NULL;
		struct lock l;

		p.locktime = i ? clock_wall() + 60 : 0;
		wallet_send_plain(b->w, &p, bench_job, b);
		paying_wait(b);
		assert_string_equal(b->told.error, "");
		assert_int_equal(token_decode(&t, str_of(b->told.text), TOKEN_LIMITS_WALLET, NULL),
				 0);
		assert_int_equal(lock_parse(&l, str_of(t->proofs.v[0].secret)), LOCK_OK);
		assert_memory_equal(l.key.b, key.b, 33);
		assert_int_equal(l.has_refund, i);
		wallet_reclaim(b->w, b->told.token_out, bench_job, b);
		paying_wait(b);
		assert_int_equal(b->told.stage, WALLET_FAILED);
	}
	bench_later(b, 62);
	wallet_reclaim(b->w, b->told.token_out, bench_job, b);
	paying_wait(b);
	assert_string_equal(b->told.error, "");
	assert_int_equal(sat_raw(b->told.amount), 99);
	paying_assert_sound(b);
}

/* --- a plan that cannot be read just after its commit --- */

static struct bench *spoiled; /* NULL: that is over */

static void unreadable(enum step s)
{
	const struct secret wrong = {{2}};

	if (s != STEP_MELT_PLANNED || !spoiled)
		return;
	db_set_key(spoiled->db, &wrong);
	spoiled = NULL;
}

/* It is stored, so it will be paid: to call it failed would be an invitation to pay once more. */
static void test_unreadable(void **state)
{
	struct bench *b = *state;
	auto_free char *i = sim_invoice(100000, clock_wall() + 3600);
	const struct wallet_pay p = {.mint = b->sim->url, .invoice = i};
	const struct secret right = {{1}};

	paying_fund(b, 1000);
	spoiled = b;
	step_watch(unreadable);
	wallet_pay(b->w, &p, bench_job, b);
	bench_while(b, spoiled);
	step_watch(NULL);
	assert_null(spoiled);
	assert_false(b->told.done);
	db_set_key(b->db, &right);
	paying_wait(b);
	assert_string_equal(b->told.error, "");
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(b->sim->paid, 1);
	paying_assert_sound(b);
}

/* --- moves --- */

static struct sim *target(struct bench *b)
{
	struct sim *to = sim_new(b->ws, 0);
	struct err e;

	to->unpaid = true;
	b->sim->peer = to;
	assert_int_equal(wallet_allow(b->w, &(struct wallet_mint){to->url, true}, &e), 0);
	return to;
}

static uint64_t available_at(struct bench *b, const char *mint)
{
	struct wallet_balance bal;
	struct err e;

	assert_int_equal(wallet_balance(b->w, mint, &bal, &e), 0);
	return sat_raw(bal.available);
}

static void start_move(struct bench *b, const struct sim *to, uint64_t amount, uint64_t max)
{
	const struct wallet_move m = {
		.from = b->sim->url, .to = to->url, .amount = SAT(amount), .max_total = SAT(max)};

	b->told.done = false;
	wallet_move(b->w, &m, bench_job, b);
}

static void test_move(void **state)
{
	struct bench *b = *state;
	struct sim *to = target(b);

	paying_fund(b, 1000);
	start_move(b, to, 100, 105);
	paying_wait(b);
	assert_int_equal(b->told.stage, WALLET_FAILED); /* could cost 111 */
	start_move(b, to, 5000, 0);
	paying_wait(b);
	assert_int_equal(b->told.stage, WALLET_NO_MONEY);
	start_move(b, to, 100, 0);
	paying_wait(b);
	assert_string_equal(b->told.error, "");
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(sat_raw(b->told.amount), 104);
	assert_int_equal(bench_available(b), 896);
	assert_int_equal(available_at(b, to->url), 100);
	assert_int_equal(b->sim->paid, 1);
	paying_assert_sound(b);
	bench_close(b);
	sim_free(to);
	b->sim->peer = NULL;
	bench_open(b);
}

/* The payment hangs, the process dies, the payment ends: the money arrives. */
static void test_move_hangs(void **state)
{
	struct bench *b = *state;
	struct sim *to = target(b);
	struct err e;

	paying_fund(b, 1000);
	b->sim->fault = SIM_PENDING;
	start_move(b, to, 100, 0);
	paying_until_waiting(b);
	bench_close(b);
	bench_open(b);
	assert_int_equal(wallet_allow(b->w, &(struct wallet_mint){to->url, true}, &e), 0);
	assert_int_equal(wallet_resume(b->w, &e), 0);
	bench_run(b, 500);
	assert_int_equal(available_at(b, to->url), 0);
	sim_melt_over(b->sim, SIM_PAID);
	bench_while(b, bench_available(b) + available_at(b, to->url) < 996);
	assert_int_equal(available_at(b, to->url), 100);
	assert_int_equal(bench_available(b), 896);
	paying_assert_sound(b);
	bench_close(b);
	sim_free(to);
	b->sim->peer = NULL;
	bench_open(b);
}

/* The source forgets what it did with the money: the move is not called failed. */
static void test_move_unclear(void **state)
{
	struct bench *b = *state;
	struct sim *to = target(b);

	paying_fund(b, 1000);
	b->sim->fault = SIM_KEEP;
	b->sim->blind = b->sim->keeps_quiet = true;
	start_move(b, to, 100, 0);
	paying_wait(b);
	assert_int_equal(b->told.stage, WALLET_FAILED);
	assert_true(b->told.open);
	bench_close(b);
	sim_free(to);
	b->sim->peer = NULL;
	bench_open(b);
}

/* --- Lightning addresses --- */

static void start_address(struct bench *b, const char *user, uint64_t amount, const char *ref)
{
	auto_free char *address = mem_printf("%s@%s", user, b->sim->url + strlen("http://"));
	const struct wallet_pay_address p = {
		.mint = b->sim->url, .address = address, .amount = SAT(amount), .ref = ref};

	b->told.done = false;
	wallet_pay_address(b->w, &p, bench_job, b);
}

static void test_address(void **state)
{
	static const struct {
		const char *user, *why;
	} bad[] = {
		{"nobody", "refuses: no such user"}, {"liar", "another amount"},
		{"amountless", "another amount"},    {"ftp", "not https"},
		{"login", "takes no payments"},	     {"huge", "too big"},
		{"elsewhere", "status 302"},	     {"html", "no JSON"},
		{"small", "takes 1 to 50 sat"},	     {"userinfo", "a user in it"},
	};
	struct bench *b = *state;

	paying_fund(b, 1000);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		start_address(b, bad[i].user, 100, "");
		paying_wait(b);
		assert_int_equal(b->told.stage, WALLET_FAILED);
		if (!strstr(b->told.error, bad[i].why))
			fail_msg("%s: %s", bad[i].user, b->told.error);
	}
	assert_int_equal(b->sim->melts, 0);
	start_address(b, "Alice", 100, "w7");
	paying_wait(b);
	assert_string_equal(b->told.error, "");
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(sat_raw(b->told.amount), 104);
	start_address(b, "alice", 100, "w7"); /* the same withdrawal, asked for again */
	paying_wait(b);
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(b->sim->paid, 1);
	paying_assert_sound(b);
}

static void test_address_looks(void **state)
{
	static const char *const good[] = {"a@b.c", "Satoshi+tips@Example.COM", "x_y.z@[::1]"};
	static const char *const bad[] = {"",	   "@",	    "a@",    "@b",   "a@b@c", "a b@c.d",
					  "a@b/c", "a@b?c", "lnbc1", "a@.b", "a@b#",  "a%2f@b"};

	(void)state;
	for (size_t i = 0; i + 1 < ARRAY_SIZE(good); i++)
		assert_true(wallet_is_address(str_of(good[i])));
	assert_false(wallet_is_address(str_of(good[2])));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(wallet_is_address(str_of(bad[i])));
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, paying_setup, paying_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_plain),
		TEST(test_plain_taken),
		cmocka_unit_test(test_plain_watched),
		cmocka_unit_test(test_reclaim_from_removed_mint),
		TEST(test_locked),
		TEST(test_unreadable),
		TEST(test_move),
		TEST(test_move_hangs),
		TEST(test_move_unclear),
		TEST(test_address),
		cmocka_unit_test(test_address_looks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
