/* Fund: a mint quote, its invoice, and when that is paid, proofs. The quote's key and row are
 * stored before the invoice is shown. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/step.h"
#include "cashu/invoice.h"
#include "wallet/job.h"

#define POLL_FIRST_MS 200
#define POLL_MAX_MS   3000
#define LATE_S	      86400 /* a payment that was under way at the end may still arrive */

static void fund_poll(struct job *j);

static void fund_closed(struct job *j, const struct plan *p)
{
	if (p->state == PLAN_SETTLED)
		job_done(j, str_of(""), p->pub.net);
	else
		job_rejected(j, p);
}

/* --- paid: plan and mint --- */

static int fund_store(struct job *j, int64_t *plan, struct err *e)
{
	AUTO(plan_free) struct plan *p = mem_zero(sizeof(*p));
	auto_proofs struct proofs none = {0};
	auto_tx struct tx *tx = NULL;
	struct output_wish wish = {.ours = j->amount};
	struct quote q;
	int rc;

	p->pub.kind = WALLET_PLAN_MINT;
	p->pub.gross = p->pub.net = j->amount;
	p->quote = j->quote;
	p->mint = j->mint;
	p->keyset = wish.keyset = keysets_choose(&j->mint->keysets, WALLET_UNIT, clock_wall());
	if (db_begin(&tx, j->w->db, e) < 0 || quote_load(&q, j->w, j->quote, e) < 0)
		return -1;
	rc = q.state == FUND_WAITING ? 0 : err_set(e, ERRK_STATE, "this invoice was minted");
	if (rc == 0)
		rc = outputs_make(&p->planned, tx, j->w, &wish, e);
	if (rc == 0)
		rc = quote_body(p, &q, QUOTE_FRAMED, e);
	secret_wipe(&q.key);
	if (rc < 0 || plan_store(tx, j->w, p, &none, e) < 0 ||
	    quote_state(tx, j->quote, FUND_PLANNED, e) < 0)
		return -1;
	*plan = p->pub.id;
	return db_commit(&tx, e);
}

static void fund_paid(struct job *j)
{
	int64_t plan = 0;
	struct err e;

	if (!job_ready(j, fund_paid))
		return;
	if (fund_store(j, &plan, &e) < 0) {
		job_fail(j, &e);
		return;
	}
	step_at(STEP_QUOTE_PLANNED);
	job_run(j, plan, fund_closed);
}

/* --- waiting for the payment --- */

/* Nobody waits for it any more; later processes look again, for a day. */
static void fund_lapse(struct job *j, int64_t expiry)
{
	auto_tx struct tx *tx = NULL;
	struct err e;

	if (clock_wall() <= expiry + LATE_S) {
		job_fail_msg(j, ERRK_PEER,
			     "the invoice ran out unpaid; it is looked at for another day");
		return;
	}
	if (db_begin(&tx, j->w->db, &e) < 0 || quote_state(tx, j->quote, FUND_LAPSED, &e) < 0 ||
	    db_commit(&tx, &e) < 0) {
		job_fail(j, &e);
		return;
	}
	job_fail_msg(j, ERRK_PEER, "the invoice ran out unpaid");
}

static void fund_state(void *ctx, struct mint_quote *q, const struct mint_fault *f)
{
	struct job *j = ctx;

	j->call = NULL;
	if (f) {
		job_later(j, backoff_next(&j->backoff), fund_poll);
		return;
	}
	if (q->paid) {
		fund_paid(j);
		return;
	}
	if (q->issued) {
		job_fail_msg(j, ERRK_PEER, "the mint says that this invoice was minted already");
		return;
	}
	/* one that we pay ourselves may arrive late */
	if (q->expiry > 0 && clock_wall() > q->expiry && !payout_of_invoice(j->w, q->invoice)) {
		fund_lapse(j, q->expiry);
		return;
	}
	if (j->tries++ == 0)
		job_say(j, WALLET_WAITING, str_of("for the payment"));
	job_later(j, backoff_next(&j->backoff), fund_poll);
}

static void fund_poll(struct job *j)
{
	int64_t quiet = mint_quiet_ms(j->w, j->mint);
	struct quote q;
	struct err e;

	if (quiet > 0) {
		job_later(j, quiet, fund_poll);
		return;
	}
	if (quote_load(&q, j->w, j->quote, &e) < 0) {
		job_fail(j, &e);
		return;
	}
	secret_wipe(&q.key);
	j->call = mint_get_quote(j->mint->io, q.quote, fund_state, j);
}

/* --- a new quote --- */

static int fund_quote_store(struct job *j, const struct mint_quote *q, struct err *e)
{
	auto_tx struct tx *tx = NULL;
	struct stmt *s;

	if (db_begin(&tx, j->w->db, e) < 0)
		return -1;
	s = tx_write(tx, "INSERT INTO quote (mint, quote, invoice, amount, key, state, expiry,"
			 " owner_pid, owner_start, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
	db_bind_i64(s, 1, j->mint->id);
	db_bind_text(s, 2, str_of(q->id));
	db_bind_text(s, 3, str_of(q->invoice));
	db_bind_i64(s, 4, (int64_t)sat_raw(j->amount));
	db_bind_secret(s, 5, "quote.key", j->quote_key.b, sizeof(j->quote_key.b));
	db_bind_i64(s, 6, FUND_WAITING);
	db_bind_i64(s, 7, q->expiry);
	db_bind_i64(s, 8, j->w->self.pid);
	db_bind_i64(s, 9, j->w->self.start);
	db_bind_i64(s, 10, clock_wall());
	if (tx_run(s, NULL, e) != 0)
		return err_set(e, ERRK_PEER, "the mint gave the same quote twice");
	j->quote = tx_last_id(tx);
	return db_commit(&tx, e);
}

/* Who pays the invoice pays what it names, whatever the mint mints for it. */
static int fund_quote_check(const struct job *j, const struct mint_quote *q, struct err *e)
{
	struct msat asked;
	struct invoice i;

	if (invoice_read(&i, str_of(q->invoice), e) < 0)
		return err_wrap(e, "%s", j->mint->url);
	if (!msat_of_sat(&asked, j->amount) || !i.has_amount || msat_cmp(i.amount, asked) != 0)
		return err_set(e, ERRK_PEER, "%s: its invoice is of another amount than asked",
			       j->mint->url);
	return 0;
}

static void fund_quoted(void *ctx, struct mint_quote *q, const struct mint_fault *f)
{
	struct job *j = ctx;
	struct err e;

	j->call = NULL;
	if (f) {
		job_fault(j, f);
		return;
	}
	if (fund_quote_check(j, q, &e) < 0 || fund_quote_store(j, q, &e) < 0) {
		job_fail(j, &e);
		return;
	}
	step_at(STEP_QUOTE_STORED);
	j->expiry = q->expiry;
	job_say(j, WALLET_INVOICE, str_of(q->invoice));
	j->backoff = BACKOFF(POLL_FIRST_MS, POLL_MAX_MS);
	fund_poll(j);
}

static void fund_step(struct job *j)
{
	auto_buf struct buf body = BUF(4096);
	struct lock_key key;

	if (!j->mint) {
		job_fail_msg(j, ERRK_DENIED, "this mint is not allowed");
		return;
	}
	if (sat_is_zero(j->amount)) {
		job_fail_msg(j, ERRK_INPUT, "nothing to fund");
		return;
	}
	if (!job_ready(j, fund_step))
		return;
	if (mint_quiet_ms(j->w, j->mint) > 0) {
		job_fail_msg(j, ERRK_PEER, "the mint limits our requests");
		return;
	}
	secret_new(&j->quote_key);
	if (!lock_key_of(&key, &j->quote_key)) {
		job_fail_msg(j, ERRK_STATE, "quote key");
		return;
	}
	cashu_mint_quote_body(&body, j->amount, WALLET_UNIT, key.b);
	j->call = mint_ask_quote(j->mint->io, buf_view(&body), fund_quoted, j);
}

void wallet_fund(struct wallet *w, const char *mint, struct sat amount, wallet_job_fn *fn,
		 void *ctx)
{
	struct job *j = job_new(w, fn, ctx, fund_step);

	j->mint = mint_allowed(w, str_of(mint));
	j->amount = amount;
}

void fund_resume(struct wallet *w, int64_t id)
{
	struct quote q;
	struct job *j;
	struct err e;

	if (quote_load(&q, w, id, &e) < 0) {
		log_warn("quote %lld: %s", (long long)id, e.msg);
		return;
	}
	secret_wipe(&q.key);
	if (mint_reach(q.mint, &e) < 0) {
		log_warn("quote %lld: %s", (long long)id, e.msg);
		return;
	}
	j = job_new(w, NULL, NULL, fund_poll);
	j->mint = q.mint;
	j->amount = q.amount;
	j->quote = id;
	j->expiry = q.expiry;
	j->backoff = BACKOFF(POLL_FIRST_MS, POLL_MAX_MS);
}
