/* Lightning payments, with every fault of a mint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cashu/invoice.h"
#include "wallet/leave.h"
#include "wallet_paying.h"

static void start_pay(struct bench *b, const char *invoice, uint64_t max, const char *ref)
{
	const struct wallet_pay p = {
		.mint = b->sim->url, .invoice = invoice, .max_total = SAT(max), .ref = ref};

	b->told.done = false;
	wallet_pay(b->w, &p, bench_job, b);
}

static void pay(struct bench *b, const char *invoice)
{
	start_pay(b, invoice, 0, "");
	paying_wait(b);
}

static char *invoice(uint64_t sat)
{
	return sim_invoice(sat * 1000, clock_wall() + 3600);
}

static void assert_proven(struct bench *b, const char *text)
{
	struct invoice i;
	char preimage[65];

	assert_int_equal(invoice_read(&i, str_of(text), NULL), 0);
	sim_preimage(preimage, &i);
	assert_string_equal(b->told.text, preimage);
}

/* --- it works --- */

static void test_pay(void **state)
{
	struct bench *b = *state;
	auto_free char *i = invoice(100), *again = mem_printf("LIGHTNING:%s", i);

	paying_fund(b, 1000);
	pay(b, i);
	assert_string_equal(b->told.error, "");
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_proven(b, i);
	assert_int_equal(sat_raw(b->told.amount), 100 + 3 + 1);
	assert_int_equal(bench_available(b), 1000 - 104);
	assert_int_equal(bench_ledger(b, LEDGER_FEES), 4000);
	paying_assert_sound(b);
	pay(b, again);
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(sat_raw(b->told.amount), 104);
	assert_int_equal(b->sim->paid, 1);
	assert_int_equal(b->sim->melts, 1);
	assert_int_equal(bench_available(b), 1000 - 104);
}

/* Everything that is there, with nothing left over: no blanks, no change. */
static void test_pay_all(void **state)
{
	struct bench *b = *state;
	auto_free char *i = invoice(1000);

	b->sim->reserve = 0;
	b->sim->lightning = 0;
	paying_fund(b, 1001);
	pay(b, i);
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(bench_available(b), 0);
	paying_assert_sound(b);
}

static void test_ref(void **state)
{
	struct bench *b = *state;
	auto_free char *one = invoice(100), *two = invoice(50);

	paying_fund(b, 1000);
	start_pay(b, one, 0, "w1");
	paying_wait(b);
	assert_int_equal(b->told.stage, WALLET_DONE);
	start_pay(b, two, 0, "w1");
	paying_wait(b);
	assert_int_equal(b->told.stage, WALLET_FAILED);
	assert_non_null(strstr(b->told.error, "another invoice"));
	assert_int_equal(b->sim->paid, 1);
	paying_assert_sound(b);
}

static void refused_at_once(struct bench *b, const char *text, const char *why)
{
	pay(b, text);
	assert_int_equal(b->told.stage, WALLET_FAILED);
	if (!strstr(b->told.error, why))
		fail_msg("\"%s\" is not in \"%s\"", why, b->told.error);
}

static void test_bad_invoices(void **state)
{
	struct bench *b = *state;
	auto_free char *old = sim_invoice(1000, clock_wall() - 1), *dear = invoice(100);
	auto_free char *none = sim_invoice(0, clock_wall() + 100), *bad = mem_strdup(dear);
	auto_free char *most = invoice(2000);

	paying_fund(b, 1000);
	bad[strlen(bad) - 3] = bad[strlen(bad) - 3] == 'q' ? 'p' : 'q';
	refused_at_once(b, old, "expired");
	refused_at_once(b, none, "no amount");
	refused_at_once(b, bad, "checksum");
	refused_at_once(b, "", "not a bech32");
	start_pay(b, dear, 105, "");
	paying_wait(b);
	assert_int_equal(b->told.stage, WALLET_FAILED);
	assert_non_null(strstr(b->told.error, "more than the 105"));
	pay(b, most);
	assert_int_equal(b->told.stage, WALLET_NO_MONEY);
	assert_int_equal(sat_raw(b->told.amount), 2010);
	assert_int_equal(b->sim->melts, 0);
	assert_int_equal(bench_available(b), 1000);
	paying_assert_sound(b);
}

/* A preimage that is not the invoice's proves nothing, and is not shown as if it did. */
static void test_false_proof(void **state)
{
	struct bench *b = *state;
	auto_free char *i = invoice(100);

	paying_fund(b, 1000);
	b->sim->false_proof = true;
	pay(b, i);
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_string_equal(b->told.text, "");
	paying_assert_sound(b);
}

/* An invoice that leaves the amount open is paid as its payer says, or not at all. */
static void test_open_amount(void **state)
{
	struct bench *b = *state;
	auto_free char *open = invoice(0), *next = invoice(0), *dear = invoice(100);
	struct wallet_pay p = {.mint = b->sim->url, .invoice = open, .amount = SAT(40)};

	paying_fund(b, 1000);
	wallet_pay(b->w, &p, bench_job, b);
	paying_wait(b);
	assert_string_equal(b->told.error, "");
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(bench_available(b), 1000 - 40 - 4);
	paying_assert_sound(b);
	b->sim->no_options = true;
	p.invoice = next;
	wallet_pay(b->w, &p, bench_job, b);
	paying_wait(b);
	assert_int_equal(b->told.stage, WALLET_FAILED);
	assert_non_null(strstr(b->told.error, "wants 0 sat for an invoice of 40"));
	p.invoice = dear; /* which names 100 */
	wallet_pay(b->w, &p, bench_job, b);
	paying_wait(b);
	assert_int_equal(b->told.stage, WALLET_FAILED);
	assert_non_null(strstr(b->told.error, "another amount"));
	assert_int_equal(b->sim->paid, 1);
}

/* --- faults --- */

/* The answer, or the request, is lost: it is found out what happened, and paid once. */
static void test_lost(void **state)
{
	static const enum sim_fault faults[] = {SIM_DROP, SIM_FORGET, SIM_BROKEN};
	struct bench *b = *state;
	uint64_t left = 1000;

	paying_fund(b, left);
	for (size_t k = 0; k < ARRAY_SIZE(faults); k++) {
		auto_free char *i = invoice(100);

		b->sim->fault = faults[k];
		pay(b, i);
		assert_string_equal(b->told.error, "");
		assert_int_equal(b->told.stage, WALLET_DONE);
		left -= sat_raw(b->told.amount);
		assert_int_equal(bench_available(b), left);
		assert_int_equal(b->sim->paid, k + 1);
		paying_assert_sound(b);
	}
}

/* The payment fails: all of it is back at once, and the invoice can be paid again. */
static void test_failed(void **state)
{
	static const enum sim_fault faults[] = {SIM_REFUSE, SIM_UNPAID};
	struct bench *b = *state;

	paying_fund(b, 1000);
	for (size_t k = 0; k < ARRAY_SIZE(faults); k++) {
		auto_free char *i = invoice(100);
		uint64_t before = bench_available(b);

		b->sim->fault = faults[k];
		pay(b, i);
		assert_int_equal(b->told.stage, WALLET_FAILED);
		assert_non_null(strstr(b->told.error, "nothing was spent"));
		assert_int_equal(bench_available(b), before);
		assert_int_equal(b->sim->paid, k);
		paying_assert_sound(b);
		pay(b, i);
		assert_int_equal(b->told.stage, WALLET_DONE);
		assert_int_equal(b->sim->paid, k + 1);
		paying_assert_sound(b);
	}
}

/* What is wrong in the answer's change, `restore` puts right. */
static void test_change_lies(void **state)
{
	static const enum sim_fault faults[] = {SIM_WRONG_AMOUNT, SIM_WRONG_KEYSET, SIM_WRONG_SIG,
						SIM_ONE_SHORT};
	struct bench *b = *state;
	uint64_t left = 1000;

	paying_fund(b, left);
	for (size_t k = 0; k < ARRAY_SIZE(faults); k++) {
		auto_free char *i = invoice(100);

		b->sim->fault = faults[k];
		pay(b, i);
		assert_string_equal(b->told.error, "");
		assert_int_equal(b->told.stage, WALLET_DONE);
		assert_true(sat_raw(b->told.amount) == 104);
		left -= 104;
		assert_int_equal(bench_available(b), left);
		paying_assert_sound(b);
	}
}

/* A mint that gives no change keeps it; the payment is made, the books say where the money went. */
static void test_change_kept(void **state)
{
	struct bench *b = *state;
	auto_free char *i = invoice(100);

	paying_fund(b, 1000);
	b->sim->fault = SIM_KEEP;
	pay(b, i);
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(bench_available(b), 1000 - sat_raw(b->told.amount));
	assert_true(sat_raw(b->told.amount) > 104);
	assert_int_equal(bench_ledger(b, LEDGER_FEES),
			 (int64_t)(sat_raw(b->told.amount) - 100) * 1000);
	paying_assert_sound(b);
}

/* A mint that says so beforehand is not overpaid. */
static void test_no_change(void **state)
{
	struct bench *b = *state;
	auto_free char *i = invoice(100), *exact = invoice(1000 - 10 - 1);

	b->sim->without = 8;
	paying_fund(b, 1000);
	pay(b, i);
	assert_int_equal(b->told.stage, WALLET_FAILED);
	assert_non_null(strstr(b->told.error, "no change"));
	assert_int_equal(b->sim->melts, 0);
	assert_int_equal(bench_available(b), 1000);
	pay(b, exact);
	assert_int_equal(b->told.stage, WALLET_DONE);
	paying_assert_sound(b);
}

static void test_pending(void **state)
{
	static const enum sim_fault faults[] = {SIM_PENDING, SIM_PENDING_LOST};
	struct bench *b = *state;

	paying_fund(b, 1000);
	for (size_t k = 0; k < 4; k++) {
		auto_free char *i = invoice(100);
		uint64_t before = bench_available(b);
		unsigned paid = b->sim->paid;

		b->sim->fault = faults[k % 2];
		start_pay(b, i, 0, "");
		paying_until_waiting(b);
		assert_false(b->told.done);
		assert_true(bench_available(b) <= before - 110);
		paying_assert_sound(b);
		if (k >= 2) { /* and the process dies meanwhile; paying again joins */
			bench_restart(b);
			start_pay(b, i, 0, "");
			bench_run(b, 500);
			assert_false(b->told.done);
		}
		sim_melt_over(b->sim, k % 2 ? SIM_PAID : SIM_FAILED);
		paying_wait(b);
		assert_int_equal(b->told.stage, k % 2 ? WALLET_DONE : WALLET_FAILED);
		assert_int_equal(b->sim->paid, paid + k % 2);
		assert_int_equal(bench_available(b), k % 2 ? before - 104 : before);
		paying_assert_sound(b);
	}
	assert_int_equal(b->sim->melts, 4);
}

/* A payment that was stored and never sent goes back when its time is over. */
static void test_too_late(void **state)
{
	struct bench *b = *state;
	auto_free char *i = sim_invoice(100000, clock_wall() + 300);

	paying_fund(b, 1000);
	b->sim->fault = SIM_BROKEN;
	start_pay(b, i, 0, "");
	paying_until_waiting(b);
	bench_close(b);
	bench_later(b, 302);
	bench_open(b);
	bench_restart(b);
	start_pay(b, i, 0, "");
	while (!b->told.done) /* also half a minute in which the last request may still land */
		paying_a_minute_later(b);
	assert_int_equal(b->told.stage, WALLET_FAILED);
	assert_int_equal(b->sim->paid, 0);
	assert_int_equal(bench_available(b), 1000);
	paying_assert_sound(b);
}

/* The keyset of the blank outputs became inactive: fresh ones, the same payment. */
static void test_rotated(void **state)
{
	struct bench *b = *state;
	auto_free char *i = invoice(100);

	paying_fund(b, 1000);
	sim_rotate(b->sim, 100);
	pay(b, i);
	assert_string_equal(b->told.error, "");
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(b->sim->paid, 1);
	assert_int_equal(bench_available(b), 1000 - 104);
	paying_assert_sound(b);
}

/* Paid, and the mint has forgotten the quote: it signed the blanks, which it does for nothing else.
 */
static void test_quote_forgotten(void **state)
{
	struct bench *b = *state;
	auto_free char *i = invoice(100);

	paying_fund(b, 1000);
	b->sim->fault = SIM_FORGET;
	b->sim->blind = true;
	pay(b, i);
	assert_string_equal(b->told.error, "");
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(sat_raw(b->told.amount), 104);
	assert_int_equal(b->sim->melts, 1);
	assert_int_equal(bench_available(b), 1000 - 104);
	paying_assert_sound(b);
}

/* It said that it was paid, and forgets the quote before the change is here. */
static void test_paid_and_forgotten(void **state)
{
	struct bench *b = *state;
	auto_free char *i = invoice(100);

	paying_fund(b, 1000);
	b->sim->fault = SIM_ONE_SHORT;
	b->sim->blind = true;
	b->sim->deaf = 1;
	pay(b, i);
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_proven(b, i);
	assert_int_equal(bench_available(b), 1000 - 104);
	paying_assert_sound(b);
}

/* The change comes back without proofs: it is ours all the same. */
static void test_change_unproven(void **state)
{
	struct bench *b = *state;
	auto_free char *i = invoice(100);

	paying_fund(b, 1000);
	b->sim->fault = SIM_ONE_SHORT;
	b->sim->unproven = true;
	pay(b, i);
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(bench_available(b), 1000 - 104);
	paying_assert_sound(b);
}

static void pay_unclear(struct bench *b, const char *text)
{
	pay(b, text);
	assert_int_equal(b->told.stage, WALLET_FAILED);
	assert_true(b->told.open);
	assert_non_null(strstr(b->told.error, "may have been made"));
	assert_int_equal(b->sim->melts, 1);
	assert_int_equal(b->sim->paid, 1);
	assert_int_equal(bench_alarms(b), 1);
}

/* The inputs are gone, and nothing says for what: it is not called failed, and not paid again by
 * itself, also not by another process. */
static void test_unclear(void **state)
{
	struct bench *b = *state;
	auto_free char *i = invoice(100);
	struct wallet_pay p = {.mint = b->sim->url, .invoice = i, .again = true};
	uint64_t left;

	paying_fund(b, 1000);
	left = bench_available(b);
	bench_listen(b);
	b->sim->fault = SIM_KEEP;
	b->sim->blind = b->sim->keeps_quiet = true;
	pay_unclear(b, i);
	pay_unclear(b, i);
	bench_close(b);
	bench_open(b);
	b->sim->blind = true;
	assert_true(bench_available(b) < left);
	b->told.done = false;
	wallet_pay(b->w, &p, bench_job, b); /* the owner's word */
	paying_wait(b);
	assert_string_equal(b->told.error, "");
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(b->sim->paid, 2);
	paying_assert_sound(b);
}

/* The mint finds the quote again: the payment was made. */
static void test_unclear_ends(void **state)
{
	struct bench *b = *state;
	auto_free char *i = invoice(100);

	paying_fund(b, 1000);
	bench_listen(b);
	b->sim->fault = SIM_KEEP;
	b->sim->blind = b->sim->keeps_quiet = true;
	pay_unclear(b, i);
	b->sim->blind = false;
	pay(b, i);
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(b->sim->paid, 1);
	paying_assert_sound(b);
}

static void pay_as_child(struct bench *b, const char *text)
{
	struct bench child = *b;
	struct err e;

	if (loop_new(&child.loop, &e) < 0)
		_exit(2);
	bench_open(&child);
	start_pay(&child, text, 0, "");
	bench_while(&child, !child.told.done);
	_exit(child.told.stage == WALLET_DONE && sat_raw(child.told.amount) == 104 ? 0 : 1);
}

static void child_over(void *ctx, pid_t pid, int status)
{
	struct bench *b = ctx;

	(void)pid;
	b->heard.closed++;
	b->heard.rejected += status != 0;
	loop_stop(b->loop);
}

/* Five processes pay one invoice: one payment, five times the same result. */
static void test_many(void **state)
{
	struct bench *b = *state;
	auto_free char *i = invoice(100);
	struct err e;

	paying_fund(b, 1000);
	b->heard.closed = b->heard.rejected = 0;
	bench_close(b);
	for (unsigned k = 0; k < 5; k++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0)
			pay_as_child(b, i);
		assert_int_equal(loop_child_add(b->loop, pid, child_over, b, &e), 0);
	}
	while (b->heard.closed < 5)
		bench_run(b, 1000);
	assert_int_equal(b->heard.rejected, 0);
	bench_open(b);
	assert_int_equal(b->sim->paid, 1);
	assert_int_equal(bench_available(b), 1000 - 104);
	paying_assert_sound(b);
}

static void mark_proofs(struct bench *b, const char *sql)
{
	auto_tx struct tx *tx = NULL;
	struct err e;

	assert_int_equal(db_begin(&tx, b->db, &e), 0);
	assert_int_equal(tx_run(tx_write(tx, sql), NULL, &e), 0);
	assert_int_equal(db_commit(&tx, &e), 0);
}

/* All is in plans of another process: whether something may come of them is asked in the
 * transaction that found too little, and the payment is made when it has come. */
static void test_waits_for_change(void **state)
{
	struct bench *b = *state;
	auto_free char *i = invoice(100);

	paying_fund(b, 1000);
	mark_proofs(b, "UPDATE proof SET state = 2 WHERE state = 1");
	bench_later(b, 0);
	start_pay(b, i, 0, "");
	bench_while(b, b->clock_in_tx == 0 && !b->told.done);
	assert_true(b->clock_in_tx > 0);
	assert_false(b->told.done);
	mark_proofs(b, "UPDATE proof SET state = 1 WHERE state = 2");
	paying_wait(b);
	assert_string_equal(b->told.error, "");
	assert_int_equal(b->told.stage, WALLET_DONE);
	paying_assert_sound(b);
}

/* Money that is not earned yet stays where it is. */
static void test_seller(void **state)
{
	struct bench *b = bench_new(BENCH_SELLER, 100);
	struct lock l = bench_lock(b);
	auto_free char *token = NULL, *i = invoice(50);

	(void)state;
	bench_ready(b);
	token = sim_token(b->sim, 100, &l);
	wallet_plan_run(b->w, bench_claim(b, token, 0));
	while (b->heard.closed == 0)
		bench_run(b, BENCH_PATIENCE);
	pay(b, i);
	assert_int_equal(b->told.stage, WALLET_NO_MONEY);
	paying_earn(b, 80);
	pay(b, i);
	assert_string_equal(b->told.error, "");
	assert_int_equal(b->told.stage, WALLET_DONE);
	paying_assert_sound(b);
	bench_free(b);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, paying_setup, paying_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_pay),
		TEST(test_pay_all),
		TEST(test_ref),
		TEST(test_bad_invoices),
		TEST(test_open_amount),
		TEST(test_false_proof),
		TEST(test_lost),
		TEST(test_failed),
		TEST(test_change_lies),
		TEST(test_change_kept),
		TEST(test_no_change),
		TEST(test_pending),
		TEST(test_too_late),
		TEST(test_rotated),
		TEST(test_quote_forgotten),
		TEST(test_paid_and_forgotten),
		TEST(test_change_unproven),
		TEST(test_unclear),
		TEST(test_unclear_ends),
		TEST(test_many),
		TEST(test_waits_for_change),
		cmocka_unit_test(test_seller),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
