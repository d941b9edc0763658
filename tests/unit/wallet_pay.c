/* Money that leaves: Lightning payments with every fault of a mint, plain tokens, moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cashu/invoice.h"
#include "cashu/token.h"
#include "wallet/audit.h"
#include "wallet/leave.h"
#include "wallet_bench.h"

static int setup(void **state)
{
	*state = bench_new(BENCH_BUYER, 100);
	return 0;
}

static int teardown(void **state)
{
	bench_free(*state);
	return 0;
}

static void wait_job(struct bench *b)
{
	for (int64_t end = clock_mono_ms() + 30000; !b->told.done && clock_mono_ms() < end;)
		bench_run(b, 1000);
	assert_true(b->told.done);
	b->told.done = false;
}

static void fund(struct bench *b, uint64_t amount)
{
	wallet_fund(b->w, b->sim->url, SAT(amount), bench_job, b);
	wait_job(b);
	assert_string_equal(b->told.error, "");
	assert_int_equal(b->told.stage, WALLET_DONE);
}

static void print_finding(void *ctx, const struct audit_finding *f)
{
	(void)ctx;
	printf("# %s %s: %s\n", audit_subject_name(f->subject), f->name, f->why);
}

/* The books say what the proofs say, and nothing that we hold is spent at the mint. */
static void assert_sound(struct bench *b)
{
	auto_stmt struct stmt *s = db_query(b->db, "SELECT y FROM proof WHERE state <> 3");
	struct wallet_audit a = {.found = print_finding};
	struct err e;

	while (db_step(s, NULL) == DB_ROW)
		for (size_t i = 0; i < b->sim->nspent; i++)
			assert_true(b->sim->spent[i].pending ||
				    memcmp(db_blob(s, 0).p, b->sim->spent[i].y, 33) != 0);
	db_done(steal(&s));
	assert_int_equal(wallet_audit_books(b->db, &a, &e), 0);
	assert_int_equal(a.broken, 0);
}

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
	wait_job(b);
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

	fund(b, 1000);
	pay(b, i);
	assert_string_equal(b->told.error, "");
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_proven(b, i);
	assert_int_equal(sat_raw(b->told.amount), 100 + 3 + 1);
	assert_int_equal(bench_available(b), 1000 - 104);
	assert_int_equal(bench_ledger(b, LEDGER_FEES), 4000);
	assert_sound(b);
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
	fund(b, 1001);
	pay(b, i);
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(bench_available(b), 0);
	assert_sound(b);
}

static void test_ref(void **state)
{
	struct bench *b = *state;
	auto_free char *one = invoice(100), *two = invoice(50);

	fund(b, 1000);
	start_pay(b, one, 0, "w1");
	wait_job(b);
	assert_int_equal(b->told.stage, WALLET_DONE);
	start_pay(b, two, 0, "w1");
	wait_job(b);
	assert_int_equal(b->told.stage, WALLET_FAILED);
	assert_non_null(strstr(b->told.error, "another invoice"));
	assert_int_equal(b->sim->paid, 1);
	assert_sound(b);
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

	fund(b, 1000);
	bad[strlen(bad) - 3] = bad[strlen(bad) - 3] == 'q' ? 'p' : 'q';
	refused_at_once(b, old, "expired");
	refused_at_once(b, none, "no amount");
	refused_at_once(b, bad, "checksum");
	refused_at_once(b, "", "not a bech32");
	start_pay(b, dear, 105, "");
	wait_job(b);
	assert_int_equal(b->told.stage, WALLET_FAILED);
	assert_non_null(strstr(b->told.error, "more than the 105"));
	pay(b, most);
	assert_int_equal(b->told.stage, WALLET_NO_MONEY);
	assert_int_equal(sat_raw(b->told.amount), 2010);
	assert_int_equal(b->sim->melts, 0);
	assert_int_equal(bench_available(b), 1000);
	assert_sound(b);
}

/* A preimage that is not the invoice's proves nothing, and is not shown as if it did. */
static void test_false_proof(void **state)
{
	struct bench *b = *state;
	auto_free char *i = invoice(100);

	fund(b, 1000);
	b->sim->false_proof = true;
	pay(b, i);
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_string_equal(b->told.text, "");
	assert_sound(b);
}

/* An invoice that leaves the amount open is paid as its payer says, or not at all. */
static void test_open_amount(void **state)
{
	struct bench *b = *state;
	auto_free char *open = invoice(0), *next = invoice(0), *dear = invoice(100);
	struct wallet_pay p = {.mint = b->sim->url, .invoice = open, .amount = SAT(40)};

	fund(b, 1000);
	wallet_pay(b->w, &p, bench_job, b);
	wait_job(b);
	assert_string_equal(b->told.error, "");
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(bench_available(b), 1000 - 40 - 4);
	assert_sound(b);
	b->sim->no_options = true;
	p.invoice = next;
	wallet_pay(b->w, &p, bench_job, b);
	wait_job(b);
	assert_int_equal(b->told.stage, WALLET_FAILED);
	assert_non_null(strstr(b->told.error, "wants 0 sat for an invoice of 40"));
	p.invoice = dear; /* which names 100 */
	wallet_pay(b->w, &p, bench_job, b);
	wait_job(b);
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

	fund(b, left);
	for (size_t k = 0; k < ARRAY_SIZE(faults); k++) {
		auto_free char *i = invoice(100);

		b->sim->fault = faults[k];
		pay(b, i);
		assert_string_equal(b->told.error, "");
		assert_int_equal(b->told.stage, WALLET_DONE);
		left -= sat_raw(b->told.amount);
		assert_int_equal(bench_available(b), left);
		assert_int_equal(b->sim->paid, k + 1);
		assert_sound(b);
	}
}

/* The payment fails: all of it is back at once, and the invoice can be paid again. */
static void test_failed(void **state)
{
	static const enum sim_fault faults[] = {SIM_REFUSE, SIM_UNPAID};
	struct bench *b = *state;

	fund(b, 1000);
	for (size_t k = 0; k < ARRAY_SIZE(faults); k++) {
		auto_free char *i = invoice(100);
		uint64_t before = bench_available(b);

		b->sim->fault = faults[k];
		pay(b, i);
		assert_int_equal(b->told.stage, WALLET_FAILED);
		assert_non_null(strstr(b->told.error, "nothing was spent"));
		assert_int_equal(bench_available(b), before);
		assert_int_equal(b->sim->paid, k);
		assert_sound(b);
		pay(b, i);
		assert_int_equal(b->told.stage, WALLET_DONE);
		assert_int_equal(b->sim->paid, k + 1);
		assert_sound(b);
	}
}

/* What is wrong in the answer's change, `restore` puts right. */
static void test_change_lies(void **state)
{
	static const enum sim_fault faults[] = {SIM_WRONG_AMOUNT, SIM_WRONG_KEYSET, SIM_WRONG_SIG,
						SIM_ONE_SHORT};
	struct bench *b = *state;
	uint64_t left = 1000;

	fund(b, left);
	for (size_t k = 0; k < ARRAY_SIZE(faults); k++) {
		auto_free char *i = invoice(100);

		b->sim->fault = faults[k];
		pay(b, i);
		assert_string_equal(b->told.error, "");
		assert_int_equal(b->told.stage, WALLET_DONE);
		assert_true(sat_raw(b->told.amount) == 104);
		left -= 104;
		assert_int_equal(bench_available(b), left);
		assert_sound(b);
	}
}

/* A mint that gives no change keeps it; the payment is made, the books say where the money went. */
static void test_change_kept(void **state)
{
	struct bench *b = *state;
	auto_free char *i = invoice(100);

	fund(b, 1000);
	b->sim->fault = SIM_KEEP;
	pay(b, i);
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(bench_available(b), 1000 - sat_raw(b->told.amount));
	assert_true(sat_raw(b->told.amount) > 104);
	assert_int_equal(bench_ledger(b, LEDGER_FEES),
			 (int64_t)(sat_raw(b->told.amount) - 100) * 1000);
	assert_sound(b);
}

/* A mint that says so beforehand is not overpaid. */
static void test_no_change(void **state)
{
	struct bench *b = *state;
	auto_free char *i = invoice(100), *exact = invoice(1000 - 10 - 1);

	b->sim->without = 8;
	fund(b, 1000);
	pay(b, i);
	assert_int_equal(b->told.stage, WALLET_FAILED);
	assert_non_null(strstr(b->told.error, "no change"));
	assert_int_equal(b->sim->melts, 0);
	assert_int_equal(bench_available(b), 1000);
	pay(b, exact);
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_sound(b);
}

static void run_until_waiting(struct bench *b)
{
	b->heard.waiting = 0;
	for (unsigned i = 0; i < 200 && b->heard.waiting == 0; i++)
		bench_run(b, 50);
	assert_int_not_equal(b->heard.waiting, 0);
}

static void test_pending(void **state)
{
	static const enum sim_fault faults[] = {SIM_PENDING, SIM_PENDING_LOST};
	struct bench *b = *state;

	fund(b, 1000);
	for (size_t k = 0; k < 4; k++) {
		auto_free char *i = invoice(100);
		uint64_t before = bench_available(b);
		unsigned paid = b->sim->paid;

		b->sim->fault = faults[k % 2];
		start_pay(b, i, 0, "");
		run_until_waiting(b);
		assert_false(b->told.done);
		assert_true(bench_available(b) <= before - 110);
		assert_sound(b);
		if (k >= 2) { /* and the process dies meanwhile; paying again joins */
			bench_restart(b);
			start_pay(b, i, 0, "");
			bench_run(b, 500);
			assert_false(b->told.done);
		}
		sim_melt_over(b->sim, k % 2 ? SIM_PAID : SIM_FAILED);
		wait_job(b);
		assert_int_equal(b->told.stage, k % 2 ? WALLET_DONE : WALLET_FAILED);
		assert_int_equal(b->sim->paid, paid + k % 2);
		assert_int_equal(bench_available(b), k % 2 ? before - 104 : before);
		assert_sound(b);
	}
	assert_int_equal(b->sim->melts, 4);
}

/* What waits in the kernel knows nothing of this clock. */
static void a_minute_later(struct bench *b)
{
	bench_later(b, 61);
	loop_turn(b->loop, 0);
	bench_run(b, 50);
}

/* A payment that was stored and never sent goes back when its time is over. */
static void test_too_late(void **state)
{
	struct bench *b = *state;
	auto_free char *i = sim_invoice(100000, clock_wall() + 3);

	fund(b, 1000);
	b->sim->fault = SIM_BROKEN;
	start_pay(b, i, 0, "");
	run_until_waiting(b);
	bench_close(b);
	bench_later(b, 5);
	bench_open(b);
	bench_restart(b);
	start_pay(b, i, 0, "");
	while (!b->told.done) /* also half a minute in which the last request may still land */
		a_minute_later(b);
	assert_int_equal(b->told.stage, WALLET_FAILED);
	assert_int_equal(b->sim->paid, 0);
	assert_int_equal(bench_available(b), 1000);
	assert_sound(b);
}

/* The keyset of the blank outputs became inactive: fresh ones, the same payment. */
static void test_rotated(void **state)
{
	struct bench *b = *state;
	auto_free char *i = invoice(100);

	fund(b, 1000);
	sim_rotate(b->sim, 100);
	pay(b, i);
	assert_string_equal(b->told.error, "");
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(b->sim->paid, 1);
	assert_int_equal(bench_available(b), 1000 - 104);
	assert_sound(b);
}

/* Paid, and the mint has forgotten the quote: it signed the blanks, which it does for nothing else.
 */
static void test_quote_forgotten(void **state)
{
	struct bench *b = *state;
	auto_free char *i = invoice(100);

	fund(b, 1000);
	b->sim->fault = SIM_FORGET;
	b->sim->blind = true;
	pay(b, i);
	assert_string_equal(b->told.error, "");
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(sat_raw(b->told.amount), 104);
	assert_int_equal(b->sim->melts, 1);
	assert_int_equal(bench_available(b), 1000 - 104);
	assert_sound(b);
}

/* It said that it was paid, and forgets the quote before the change is here. */
static void test_paid_and_forgotten(void **state)
{
	struct bench *b = *state;
	auto_free char *i = invoice(100);

	fund(b, 1000);
	b->sim->fault = SIM_ONE_SHORT;
	b->sim->blind = true;
	b->sim->deaf = 1;
	pay(b, i);
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_proven(b, i);
	assert_int_equal(bench_available(b), 1000 - 104);
	assert_sound(b);
}

/* The change comes back without proofs: it is ours all the same. */
static void test_change_unproven(void **state)
{
	struct bench *b = *state;
	auto_free char *i = invoice(100);

	fund(b, 1000);
	b->sim->fault = SIM_ONE_SHORT;
	b->sim->unproven = true;
	pay(b, i);
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(bench_available(b), 1000 - 104);
	assert_sound(b);
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

	fund(b, 1000);
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
	wait_job(b);
	assert_string_equal(b->told.error, "");
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(b->sim->paid, 2);
	assert_sound(b);
}

/* The mint finds the quote again: the payment was made. */
static void test_unclear_ends(void **state)
{
	struct bench *b = *state;
	auto_free char *i = invoice(100);

	fund(b, 1000);
	bench_listen(b);
	b->sim->fault = SIM_KEEP;
	b->sim->blind = b->sim->keeps_quiet = true;
	pay_unclear(b, i);
	b->sim->blind = false;
	pay(b, i);
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(b->sim->paid, 1);
	assert_sound(b);
}

static void pay_as_child(struct bench *b, const char *text)
{
	struct bench child = *b;
	struct err e;

	if (loop_new(&child.loop, &e) < 0)
		_exit(2);
	bench_open(&child);
	start_pay(&child, text, 0, "");
	for (unsigned i = 0; i < 20 && !child.told.done; i++)
		bench_run(&child, 1000);
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

	fund(b, 1000);
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
	assert_sound(b);
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

	fund(b, 1000);
	mark_proofs(b, "UPDATE proof SET state = 2 WHERE state = 1");
	bench_later(b, 0);
	start_pay(b, i, 0, "");
	for (int k = 0; k < 400 && b->clock_in_tx == 0 && !b->told.done; k++)
		bench_run(b, 50);
	assert_true(b->clock_in_tx > 0);
	assert_false(b->told.done);
	mark_proofs(b, "UPDATE proof SET state = 1 WHERE state = 2");
	wait_job(b);
	assert_string_equal(b->told.error, "");
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_sound(b);
}

static void earn(struct bench *b, uint64_t sat)
{
	struct ledger_posting p = {.from = LEDGER_OPEN,
				   .to = LEDGER_EARNED,
				   .amount = MSAT(sat * 1000),
				   .mint = b->sim->url,
				   .ref = "lease1"};
	auto_tx struct tx *tx = NULL;
	struct err e;

	assert_int_equal(db_begin(&tx, b->db, &e), 0);
	assert_int_equal(ledger_post(tx, &p, &e), 0);
	assert_int_equal(db_commit(&tx, &e), 0);
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
		bench_run(b, 5000);
	pay(b, i);
	assert_int_equal(b->told.stage, WALLET_NO_MONEY);
	earn(b, 80);
	pay(b, i);
	assert_string_equal(b->told.error, "");
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_sound(b);
	bench_free(b);
}

/* --- tokens --- */

static void send_plain(struct bench *b, uint64_t amount, const char *ref)
{
	const struct wallet_plain p = {.mint = b->sim->url, .amount = SAT(amount), .ref = ref};

	wallet_send_plain(b->w, &p, bench_job, b);
	wait_job(b);
}

static void test_plain(void **state)
{
	struct bench *b = *state;
	auto_free char *first = NULL;
	int64_t out;

	fund(b, 1000); /* 8 32 64 128 256 512 */
	send_plain(b, 72, "gift");
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(b->sim->swaps, 0);
	assert_int_equal(bench_available(b), 928);
	assert_int_equal(bench_ledger(b, LEDGER_OUT), 72000);
	assert_sound(b);
	first = mem_strdup(b->told.text);
	out = b->told.token_out;
	send_plain(b, 72, "gift");
	assert_string_equal(b->told.text, first);
	send_plain(b, 5, "");
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(b->sim->swaps, 1);
	assert_int_equal(sat_raw(b->told.amount), 5);
	assert_sound(b);
	wallet_reclaim(b->w, out, bench_job, b);
	wait_job(b);
	assert_string_equal(b->told.error, "");
	assert_int_equal(sat_raw(b->told.amount), 71);
	assert_int_equal(bench_ledger(b, LEDGER_OUT), 5000);
	assert_sound(b);
	send_plain(b, 5000, "");
	assert_int_equal(b->told.stage, WALLET_NO_MONEY);
}

/* Somebody takes it: the money is gone, and not called spent on a lease. */
static void test_plain_taken(void **state)
{
	struct bench *b = *state;
	auto_free char *token = NULL;
	int64_t out;

	fund(b, 1000);
	send_plain(b, 100, "");
	token = mem_strdup(b->told.text);
	out = b->told.token_out;
	wallet_token_state(b->w, out, bench_job, b);
	wait_job(b);
	assert_string_equal(b->told.text, "unspent");
	sim_spend(b->sim, token, NULL);
	wallet_token_state(b->w, out, bench_job, b);
	wait_job(b);
	assert_string_equal(b->told.text, "spent");
	assert_int_equal(bench_ledger(b, LEDGER_OUT), 0);
	assert_int_equal(bench_ledger(b, LEDGER_SPENT), 0);
	assert_sound(b);
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
		bench_run(b, 5000);
	earn(b, 80);
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
		a_minute_later(b);
	assert_int_equal(out_now(b), WALLET_OUT_OPEN);
	sim_spend(b->sim, token, NULL);
	while (out_now(b) == WALLET_OUT_OPEN)
		a_minute_later(b);
	assert_int_equal(out_now(b), WALLET_OUT_TAKEN);
	assert_int_equal(bench_ledger(b, LEDGER_OUT), 0);
	assert_sound(b);
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
	wait_job(b);
	assert_string_equal(b->told.error, "");
	assert_int_equal(out_now(b), WALLET_OUT_RETURNED);
	assert_int_equal(bench_ledger(b, LEDGER_OUT), 0);
	assert_sound(b);
	bench_free(b);
}

static void test_locked(void **state)
{
	struct bench *b = *state;
	struct wallet_plain p = {.mint = b->sim->url, .amount = SAT(100)};
	const struct secret friend = {{9}};
	struct lock_key key;

	fund(b, 1000);
	assert_true(lock_key_of(&key, &friend));
	p.lock_key = key.b;
	for (unsigned i = 0; i < 2; i++) {
		AUTO(token_free) struct cashu_token *t = NULL;
		struct lock l;

		p.locktime = i ? clock_wall() + 1 : 0;
		wallet_send_plain(b->w, &p, bench_job, b);
		wait_job(b);
		assert_string_equal(b->told.error, "");
		assert_int_equal(token_decode(&t, str_of(b->told.text), TOKEN_LIMITS_WALLET, NULL),
				 0);
		assert_int_equal(lock_parse(&l, str_of(t->proofs.v[0].secret)), LOCK_OK);
		assert_memory_equal(l.key.b, key.b, 33);
		assert_int_equal(l.has_refund, i);
		wallet_reclaim(b->w, b->told.token_out, bench_job, b);
		wait_job(b);
		assert_int_equal(b->told.stage, WALLET_FAILED);
	}
	while (clock_wall() <= p.locktime)
		bench_run(b, 100);
	wallet_reclaim(b->w, b->told.token_out, bench_job, b);
	wait_job(b);
	assert_string_equal(b->told.error, "");
	assert_int_equal(sat_raw(b->told.amount), 99);
	assert_sound(b);
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

	fund(b, 1000);
	start_move(b, to, 100, 105);
	wait_job(b);
	assert_int_equal(b->told.stage, WALLET_FAILED); /* could cost 111 */
	start_move(b, to, 5000, 0);
	wait_job(b);
	assert_int_equal(b->told.stage, WALLET_NO_MONEY);
	start_move(b, to, 100, 0);
	wait_job(b);
	assert_string_equal(b->told.error, "");
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(sat_raw(b->told.amount), 104);
	assert_int_equal(bench_available(b), 896);
	assert_int_equal(available_at(b, to->url), 100);
	assert_int_equal(b->sim->paid, 1);
	assert_sound(b);
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

	fund(b, 1000);
	b->sim->fault = SIM_PENDING;
	start_move(b, to, 100, 0);
	run_until_waiting(b);
	bench_close(b);
	bench_open(b);
	assert_int_equal(wallet_allow(b->w, &(struct wallet_mint){to->url, true}, &e), 0);
	assert_int_equal(wallet_resume(b->w, &e), 0);
	bench_run(b, 500);
	assert_int_equal(available_at(b, to->url), 0);
	sim_melt_over(b->sim, SIM_PAID);
	for (unsigned i = 0; i < 100 && bench_available(b) + available_at(b, to->url) < 996; i++)
		bench_run(b, 100);
	assert_int_equal(available_at(b, to->url), 100);
	assert_int_equal(bench_available(b), 896);
	assert_sound(b);
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

	fund(b, 1000);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		start_address(b, bad[i].user, 100, "");
		wait_job(b);
		assert_int_equal(b->told.stage, WALLET_FAILED);
		if (!strstr(b->told.error, bad[i].why))
			fail_msg("%s: %s", bad[i].user, b->told.error);
	}
	assert_int_equal(b->sim->melts, 0);
	start_address(b, "Alice", 100, "w7");
	wait_job(b);
	assert_string_equal(b->told.error, "");
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(sat_raw(b->told.amount), 104);
	start_address(b, "alice", 100, "w7"); /* the same withdrawal, asked for again */
	wait_job(b);
	assert_int_equal(b->told.stage, WALLET_DONE);
	assert_int_equal(b->sim->paid, 1);
	assert_sound(b);
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
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
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
		TEST(test_plain),
		TEST(test_plain_taken),
		cmocka_unit_test(test_plain_watched),
		cmocka_unit_test(test_reclaim_from_removed_mint),
		TEST(test_locked),
		TEST(test_move),
		TEST(test_move_hangs),
		TEST(test_address),
		cmocka_unit_test(test_address_looks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
