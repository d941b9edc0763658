/* What tests of money that leaves have in common. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "wallet/audit.h"
#include "wallet_paying.h"

int paying_setup(void **state)
{
	*state = bench_new(BENCH_BUYER, 100);
	return 0;
}

int paying_teardown(void **state)
{
	bench_free(*state);
	return 0;
}

void paying_wait(struct bench *b)
{
	bench_while(b, !b->told.done);
	assert_true(b->told.done);
	b->told.done = false;
}

void paying_fund(struct bench *b, uint64_t amount)
{
	wallet_fund(b->w, b->sim->url, SAT(amount), bench_job, b);
	paying_wait(b);
	assert_string_equal(b->told.error, "");
	assert_int_equal(b->told.stage, WALLET_DONE);
}

static void print_finding(void *ctx, const struct audit_finding *f)
{
	(void)ctx;
	printf("# %s %s: %s\n", audit_subject_name(f->subject), f->name, f->why);
}

/* The books say what the proofs say, and nothing that we hold is spent at the mint. */
void paying_assert_sound(struct bench *b)
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

void paying_until_waiting(struct bench *b)
{
	b->heard.waiting = 0;
	bench_while(b, b->heard.waiting == 0);
	assert_int_not_equal(b->heard.waiting, 0);
}

/* What waits in the kernel knows nothing of this clock. */
void paying_a_minute_later(struct bench *b)
{
	bench_later(b, 61);
	loop_turn(b->loop, 0);
	bench_run(b, 50);
}

void paying_earn(struct bench *b, uint64_t sat)
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
