/*
 * Pay a Lightning invoice: ask the mint what it costs, store inputs and request, run the plan
 * (melt.c). One invoice is paid once, whoever asks again: the payout's row is found by the payment
 * hash and by the caller's ref.
 */
#include "wallet/pay.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/step.h"

#define PAY_LIFE     600 /* no POST begins later; what is stored until then goes back */
#define WAIT_STEP_MS 200

static void pay_step(struct job *j);

static void pay_free(void *own)
{
	struct pay *p = own;

	http_cancel(p->http);
	free(p->invoice);
	free(p->address);
	free(p);
}

struct job *pay_job(struct wallet *w, const char *mint, wallet_job_fn *fn, void *ctx,
		    void (*step)(struct job *j))
{
	struct job *j = job_new(w, fn, ctx, step);

	j->own = mem_zero(sizeof(struct pay));
	j->own_free = pay_free;
	j->mint = mint_allowed(w, str_of(mint));
	return j;
}

/* --- one that is known already --- */

static void pay_result(struct job *j, const struct payout *o)
{
	job_done(j, str_of(o->preimage), o->cost);
}

static void pay_closed(struct job *j, const struct plan *p)
{
	struct payout o = {0};
	struct err e;

	if (p->state != PLAN_SETTLED && pay_of(j)->again && p->pub.reason == WALLET_REJECT_SPENT) {
		pay_of(j)->again = false;
		job_later(j, 0, pay_step);
		return;
	}
	if (p->state != PLAN_SETTLED) {
		job_rejected(j, p);
		return;
	}
	if (payout_find(&o, j->w, pay_of(j)->read.hash, "", &e) != 0)
		job_fail_msg(j, ERRK_STATE, "the payment is not in the database");
	else
		pay_result(j, &o);
}

static int64_t pay_plan_of(struct wallet *w, int64_t payout)
{
	auto_stmt struct stmt *s =
		db_query(w->db, "SELECT id FROM plan WHERE payout = ? AND state = 1");

	db_bind_i64(s, 1, payout);
	return db_step(s, NULL) == DB_ROW ? db_i64(s, 0) : 0;
}

/* It is under way: ours to go on with, or another process is at it. */
static void pay_join(struct job *j, const struct payout *o)
{
	int64_t plan = pay_plan_of(j->w, o->id);
	bool again = pay_of(j)->again;
	struct wallet *w = j->w;
	struct err e;

	memcpy(pay_of(j)->read.hash, o->hash, sizeof(o->hash));
	switch (plan ? plan_adopt(j->w, plan, &e) : PLAN_NONE) {
	case 0:
		job_join(j, plan, pay_closed);
		if (again)
			melt_forsake(w, plan);
		return;
	case PLAN_NONE:
		if (j->tries++ == 0)
			job_say(j, WALLET_WAITING, STR("for another process that pays it"));
		job_later(j, WAIT_STEP_MS, j->step);
		return;
	default:
		job_fail(j, &e);
	}
}

bool pay_again(struct job *j)
{
	struct payout o = {0};
	struct err e;
	int rc =
		payout_find(&o, j->w, pay_of(j)->invoice ? pay_of(j)->read.hash : NULL, j->ref, &e);

	if (rc == PLAN_NONE)
		return false;
	if (rc < 0)
		job_fail(j, &e);
	else if (pay_of(j)->invoice && memcmp(o.hash, pay_of(j)->read.hash, sizeof(o.hash)) != 0)
		job_fail_msg(j, ERRK_INPUT, "this reference was used to pay another invoice");
	else if (o.state == WALLET_PAYOUT_PAID)
		pay_result(j, &o);
	else
		pay_join(j, &o);
	return true;
}

/* --- store --- */

static int pay_plan(struct job *j, struct tx *tx, struct payout *o, const struct chosen *from,
		    int64_t *plan, struct err *e)
{
	AUTO(plan_free) struct plan *p = mem_zero(sizeof(*p));
	struct output_wish wish = {0};
	struct sat over;

	if (!sat_sub(&over, from->gross, from->fee) || !sat_sub(&over, over, o->amount))
		return err_set(e, ERRK_LIMIT, "amount");
	if (!j->mint->gives_change && sat_cmp(over, o->reserve) > 0)
		return err_set(e, ERRK_PEER,
			       "%s gives no change for payments (NUT-08), and there are no proofs "
			       "of just the amount: pay from another mint",
			       j->mint->url);
	wish.blanks = melt_blanks(over);
	p->pub.kind = WALLET_PLAN_MELT;
	p->pub.gross = from->gross;
	p->pub.fee = from->fee;
	p->pub.net = o->amount;
	p->pub.not_after = pay_of(j)->not_after;
	p->payout = o->id;
	p->reserve = o->reserve;
	p->mint = j->mint;
	p->keyset = wish.keyset = keysets_choose(&j->mint->keysets, WALLET_UNIT, clock_wall());
	if (!p->keyset)
		return err_set(e, ERRK_PEER, "%s has no active keyset", j->mint->url);
	memcpy(p->melt, o->quote, sizeof(p->melt));
	memcpy(p->ref, j->ref, sizeof(p->ref));
	if (outputs_make(&p->planned, tx, j->w, &wish, e) < 0 ||
	    plan_store(tx, j->w, p, &from->proofs, e) < 0 ||
	    select_reserve(tx, from, p->pub.id, e) < 0)
		return -1;
	*plan = p->pub.id;
	return 0;
}

/* Is the price still within the cap, now that the inputs are known? */
static int pay_cap(const struct job *j, const struct payout *o, const struct chosen *from,
		   struct err *e)
{
	struct sat most;

	if (!sat_add(&most, o->amount, o->reserve) || !sat_add(&most, most, from->fee))
		return err_set(e, ERRK_LIMIT, "amount");
	if (sat_is_zero(pay_of(j)->max_total) || sat_cmp(most, pay_of(j)->max_total) <= 0)
		return 0;
	return err_set(e, ERRK_LIMIT,
		       "it could cost %llu sat with fees, more than the %llu that are allowed",
		       (unsigned long long)sat_raw(most),
		       (unsigned long long)sat_raw(pay_of(j)->max_total));
}

enum { PAY_TWIN = 10 }; /* another process stored it first; other outcomes: SELECT_POOR */

static int pay_rows(struct job *j, struct payout *o, struct tx *tx, int64_t *plan, struct err *e)
{
	auto_chosen struct chosen from = {0};
	struct sat need;
	int rc;

	if (!sat_add(&need, o->amount, o->reserve))
		return err_set(e, ERRK_LIMIT, "amount");
	rc = select_proofs(&from, tx, j->mint, need, e);
	if (rc != 0)
		return rc;
	if (!sat_add(&need, need, from.fee) || pay_cap(j, o, &from, e) < 0)
		return -1;
	rc = leave_may(tx, j->mint, need, e);
	if (rc != 0)
		return rc == LEAVE_NOT ? SELECT_POOR : -1;
	rc = payout_insert(tx, o, e);
	if (rc != 0)
		return rc == DB_CONFLICT ? PAY_TWIN : -1;
	return pay_plan(j, tx, o, &from, plan, e);
}

struct pay_try {
	int64_t plan;
	bool may_wait; /* SELECT_POOR: change may come */
};

/* Whether change may come is asked in the same transaction: a moment later it may have come. */
static int pay_store(struct job *j, struct payout *o, struct pay_try *t, struct err *e)
{
	auto_tx struct tx *tx = NULL;
	struct sat need = o->amount;
	int rc;

	if (db_begin(&tx, j->w->db, e) < 0)
		return -1;
	rc = pay_rows(j, o, tx, &t->plan, e);
	if (rc == SELECT_POOR)
		t->may_wait = sat_add(&need, o->amount, o->reserve) && job_may_wait(j, need);
	return rc == 0 ? db_commit(&tx, e) : rc;
}

static void pay_poor(struct job *j, const struct payout *o, const struct pay_try *t)
{
	struct select_ask ask = {.need = o->amount};
	struct sat missing;
	struct err e;

	ask.keyset = keysets_choose(&j->mint->keysets, WALLET_UNIT, clock_wall());
	(void)!sat_add(&ask.need, o->amount, o->reserve);
	if (t->may_wait)
		job_later(j, WAIT_STEP_MS, pay_step);
	else if (select_missing(&missing, j->w->db, j->mint, &ask, &e) < 0)
		job_fail(j, &e);
	else
		job_poor(j, ask.need, missing);
}

static void pay_go(struct job *j, struct payout *o)
{
	struct pay_try t = {0};
	struct err e;

	switch (pay_store(j, o, &t, &e)) {
	case 0:
		step_at(STEP_MELT_PLANNED);
		job_run(j, t.plan, pay_closed);
		return;
	case SELECT_POOR:
		pay_poor(j, o, &t);
		return;
	case PAY_TWIN:
		job_later(j, 0, pay_step);
		return;
	default:
		job_fail(j, &e);
	}
}

/* --- quote --- */

static int pay_check_quote(const struct job *j, const struct melt_quote *q, struct err *e)
{
	struct msat asked;

	if (q->state == MELT_PAID)
		return err_set(e, ERRK_PEER, "the mint says that this invoice is paid already");
	if (q->state == MELT_PENDING)
		return err_set(e, ERRK_PEER, "the mint says that this invoice is being paid");
	/* some mints round down */
	if (!msat_of_sat(&asked, q->amount) ||
	    sat_cmp(q->amount, invoice_sat(&pay_of(j)->read)) > 0 ||
	    sat_cmp(q->amount, msat_floor(pay_of(j)->read.amount)) < 0)
		return err_set(e, ERRK_PEER, "the mint wants %llu sat for an invoice of %llu",
			       (unsigned long long)sat_raw(q->amount),
			       (unsigned long long)sat_raw(invoice_sat(&pay_of(j)->read)));
	return 0;
}

static void pay_announce(struct job *j, const struct payout *o)
{
	auto_free char *text = mem_printf("%llu sat, and at most %llu for fees",
					  (unsigned long long)sat_raw(o->amount),
					  (unsigned long long)sat_raw(o->reserve));

	job_say(j, WALLET_WAITING, str_of(text));
}

static int64_t earlier(int64_t a, int64_t b)
{
	return b > 0 && b < a ? b : a;
}

static void pay_quoted(void *ctx, struct melt_quote *q, const struct mint_fault *f)
{
	struct job *j = ctx;
	struct payout o = {.mint = j->mint, .amount = SAT(0)};
	struct err e;

	j->call = NULL;
	if (f) {
		job_fault(j, f);
		return;
	}
	if (pay_check_quote(j, q, &e) < 0) {
		job_fail(j, &e);
		return;
	}
	o.amount = q->amount;
	o.reserve = q->fee_reserve;
	memcpy(o.quote, q->id, sizeof(o.quote));
	memcpy(o.ref, j->ref, sizeof(o.ref));
	memcpy(o.hash, pay_of(j)->read.hash, sizeof(o.hash));
	memcpy(o.invoice, pay_of(j)->invoice, strlen(pay_of(j)->invoice) + 1);
	pay_of(j)->not_after =
		earlier(earlier(clock_wall() + PAY_LIFE, q->expiry), pay_of(j)->read.expires);
	pay_announce(j, &o);
	pay_go(j, &o);
}

/* --- the invoice --- */

static int pay_read(struct job *j, struct err *e)
{
	struct pay *p = j->own;
	struct msat named;

	if (invoice_read(&p->read, str_of(p->invoice), e) < 0)
		return -1;
	if (!msat_of_sat(&named, p->amount))
		return err_set(e, ERRK_LIMIT, "amount");
	if (p->read.has_amount && msat_raw(named) > 0 && msat_cmp(named, p->read.amount) != 0)
		return err_set(e, ERRK_INPUT, "the invoice names another amount");
	if (!p->read.has_amount && msat_raw(named) == 0)
		return err_set(e, ERRK_INPUT, "the invoice names no amount: say how much to pay");
	p->open = p->read.has_amount ? MSAT(0) : named;
	if (!p->read.has_amount)
		p->read.amount = named;
	return 0;
}

static void pay_step(struct job *j)
{
	auto_buf struct buf body = BUF(2 * INVOICE_TEXT_MAX);
	struct err e;

	if (!j->mint) {
		job_fail_msg(j, ERRK_DENIED, "this mint is not allowed");
		return;
	}
	if (pay_read(j, &e) < 0) {
		job_fail(j, &e);
		return;
	}
	if (pay_again(j))
		return;
	if (pay_of(j)->read.expires <= clock_wall()) {
		job_fail_msg(j, ERRK_INPUT, "the invoice has expired: ask for another one");
		return;
	}
	if (!job_ready(j, pay_step))
		return;
	if (mint_quiet_ms(j->w, j->mint) > 0) {
		job_fail_msg(j, ERRK_PEER, "the mint limits our requests");
		return;
	}
	cashu_melt_quote_body(&body, str_of(pay_of(j)->invoice), WALLET_UNIT, pay_of(j)->open);
	j->call = mint_ask_melt_quote(j->mint->io, buf_view(&body), pay_quoted, j);
}

void pay_invoice(struct job *j, struct str invoice)
{
	auto_buf struct buf text = BUF(INVOICE_TEXT_MAX);

	(void)!invoice_canonical(&text, str_trim(invoice), NULL);
	pay_of(j)->invoice = buf_steal(&text);
	job_later(j, 0, pay_step);
}

void wallet_pay(struct wallet *w, const struct wallet_pay *p, wallet_job_fn *fn, void *ctx)
{
	struct job *j = pay_job(w, p->mint, fn, ctx, pay_step);

	job_name(j, p->ref);
	pay_of(j)->max_total = p->max_total;
	pay_of(j)->again = p->again;
	pay_of(j)->amount = p->amount;
	pay_invoice(j, str_of(p->invoice));
}
