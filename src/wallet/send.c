/* Send: one swap of ours makes proofs of exactly the amount, locked to a provider or for anybody,
 * and change. A plain token is made without a swap where the wallet has just the right proofs. */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/step.h"
#include "wallet/job.h"
#include "wallet/leave.h"

#define WAIT_STEP_MS 100 /* for change of another process */
#define TRIES_MAX    3

static void send_step(struct job *j);

/* A lock to somebody's key is for ever where no locktime is asked for. */
static int send_refund(struct job *j, struct tx *tx, struct err *e)
{
	if (j->kind == WALLET_OUT_PLAIN || (j->kind == WALLET_OUT_LOCKED && !j->lock.locktime))
		return 0;
	j->lock.has_refund = true;
	return refund_key_new(&j->lock.refund, tx, j->w, e);
}

static int send_row(struct job *j, struct tx *tx, struct sat amount, struct err *e)
{
	struct stmt *s;

	if (send_refund(j, tx, e) < 0)
		return -1;
	s = tx_write(tx, "INSERT INTO token_out (mint, ref, amount, state, lock_key, refund_key,"
			 " locktime, created, kind, lease)"
			 " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
	db_bind_i64(s, 1, j->mint->id);
	db_bind_text(s, 2, str_of(j->ref));
	db_bind_i64(s, 3, (int64_t)sat_raw(amount));
	db_bind_i64(s, 4, WALLET_OUT_MAKING);
	db_bind_blob(s, 5, j->kind == WALLET_OUT_PLAIN ? NULL : j->lock.key.b,
		     j->kind == WALLET_OUT_PLAIN ? 0 : sizeof(j->lock.key.b));
	db_bind_blob(s, 6, j->lock.has_refund ? j->lock.refund.b : NULL,
		     j->lock.has_refund ? sizeof(j->lock.refund.b) : 0);
	db_bind_i64(s, 7, j->lock.locktime);
	db_bind_i64(s, 8, clock_wall());
	db_bind_i64(s, 9, j->kind);
	db_bind_text(s, 10, str_of(j->lease));
	switch (tx_run(s, NULL, e)) {
	case 0:
		j->token_out = tx_last_id(tx);
		return 0;
	case DB_CONFLICT:
		return err_set(e, ERRK_STATE, "another token is being made for this order");
	default:
		return -1;
	}
}

static int send_plan(struct job *j, struct tx *tx, struct output_wish *wish,
		     const struct chosen *from, int64_t *plan, struct err *e)
{
	AUTO(plan_free) struct plan *p = mem_zero(sizeof(*p));
	struct sat left;

	if (!sat_sub(&left, from->gross, from->fee) || !sat_sub(&wish->ours, left, wish->theirs))
		return err_set(e, ERRK_LIMIT, "amount");
	if (send_row(j, tx, wish->theirs, e) < 0)
		return -1;
	wish->lock = j->kind == WALLET_OUT_PLAIN ? NULL : &j->lock;
	p->pub.kind = WALLET_PLAN_SPLIT;
	p->pub.gross = from->gross;
	p->pub.fee = from->fee;
	p->pub.net = left;
	p->pub.token_out = j->token_out;
	p->mint = j->mint;
	p->keyset = wish->keyset;
	memcpy(p->ref, j->ref, sizeof(p->ref));
	if (outputs_make(&p->planned, tx, j->w, wish, e) < 0 ||
	    plan_store(tx, j->w, p, &from->proofs, e) < 0 ||
	    select_reserve(tx, from, p->pub.id, e) < 0)
		return -1;
	*plan = p->pub.id;
	return 0;
}

/* A seller's tokens leave what it owes where it is. */
static int send_allowed(struct job *j, struct tx *tx, struct sat amount, struct err *e)
{
	int rc = j->kind == WALLET_OUT_ORDER ? 0 : leave_may(tx, j->mint, amount, e);

	return rc == LEAVE_NOT ? SELECT_POOR : rc;
}

struct send_try {
	struct select_ask ask;
	struct sat all; /* with what is to follow */
	struct limit_hit hit;
	int64_t plan;
	bool may_wait;
};

enum { SEND_POOR = SELECT_POOR, SEND_OVER_LIMIT };

int send_ask(struct select_ask *ask, const struct job *j, struct err *e)
{
	ask->keyset = keysets_choose(&j->mint->keysets, WALLET_UNIT, clock_wall());
	ask->need = j->net;
	if (j->kind != WALLET_OUT_ORDER)
		return 0;
	if (select_gross(&ask->need, ask->keyset, j->net, e) < 0)
		return -1;
	return sat_is_zero(j->later) ? 0 : select_gross(&ask->later, ask->keyset, j->later, e);
}

/* SEND_POOR: there is not enough. Whether change may come is asked in the same transaction: a
 * moment later it may have come. */
static int send_choose(struct job *j, struct tx *tx, struct send_try *t, struct chosen *from,
		       struct err *e)
{
	int rc = send_allowed(j, tx, t->ask.need, e);

	if (rc == 0) {
		rc = select_can(j->w->db, j->mint, &t->ask, e);
		rc = rc < 0 ? -1 : rc == 1 ? 0 : SELECT_POOR;
	}
	if (rc == SELECT_POOR)
		t->may_wait = job_may_wait(j, t->ask.need);
	return rc == 0 ? select_proofs(from, tx, j->mint, t->ask.need, e) : rc;
}

/* One transaction: look at the limits, choose, reserve, plan. */
static int send_store(struct job *j, struct send_try *t, struct err *e)
{
	auto_chosen struct chosen from = {0};
	auto_tx struct tx *tx = NULL;
	struct output_wish wish = {0};
	int rc;

	if (send_ask(&t->ask, j, e) < 0)
		return -1;
	if (!sat_add(&t->all, t->ask.need, t->ask.later))
		return err_set(e, ERRK_LIMIT, "amount");
	if (db_begin(&tx, j->w->db, e) < 0)
		return -1;
	rc = limits_check(&t->hit, j->w->db, j, t->all, e);
	if (rc != 0)
		return rc < 0 ? -1 : SEND_OVER_LIMIT;
	rc = send_choose(j, tx, t, &from, e);
	if (rc != 0)
		return rc;
	wish.keyset = t->ask.keyset;
	wish.theirs = t->ask.need;
	if (send_plan(j, tx, &wish, &from, &t->plan, e) < 0)
		return -1;
	return db_commit(&tx, e);
}

static void send_closed(struct job *j, const struct plan *p)
{
	auto_buf struct buf token = BUF(256 << 10);
	struct wallet_out_names names;
	struct wallet_out o;
	struct err e;

	if (p->state != PLAN_SETTLED) {
		j->token_out = 0;
		if (p->pub.reason == WALLET_REJECT_SPENT && ++j->tries < TRIES_MAX)
			job_later(j, 0, send_step);
		else
			job_rejected(j, p);
		return;
	}
	if (wallet_out_get(j->w, j->token_out, NULL, &o, &names, &token, &e) != 0)
		job_fail_msg(j, ERRK_STATE, "the new token is not in the database");
	else
		job_done(j, buf_view(&token), o.amount);
}

/* --- exactly what is there already --- */

static int exact_token(struct buf *text, struct job *j, struct chosen *from, struct err *e)
{
	AUTO(token_free) struct cashu_token *t = token_new(j->mint->url, WALLET_UNIT, NULL);

	for (size_t i = 0; i < from->proofs.n; i++)
		proofs_add_take(&t->proofs, &from->proofs.v[i]);
	return token_encode(text, t, e) < 0 || buf_check(text, "token", e) < 0 ? -1 : 0;
}

/* From now on they are the receiver's; the token's row keeps them until its fate is known. */
static int exact_given(struct tx *tx, const struct chosen *from, struct err *e)
{
	for (size_t i = 0; i < from->proofs.n; i++) {
		struct stmt *s = tx_write(tx, "UPDATE proof SET state = ?, secret = NULL,"
					      " dleq = NULL WHERE y = ?");

		db_bind_i64(s, 1, HELD_SPENT);
		db_bind_blob(s, 2, from->ys[i].b, sizeof(from->ys[i].b));
		if (tx_run(s, NULL, e) < 0)
			return -1;
	}
	return 0;
}

static int exact_rows(struct job *j, struct tx *tx, struct chosen *from, struct buf *text,
		      struct err *e)
{
	struct ledger_posting l = {
		.from = LEDGER_OWN, .to = LEDGER_OUT, .mint = j->mint->url, .ref = j->ref};

	if (!msat_of_sat(&l.amount, j->net))
		return err_set(e, ERRK_LIMIT, "amount");
	if (send_row(j, tx, j->net, e) < 0 || exact_given(tx, from, e) < 0 ||
	    exact_token(text, j, from, e) < 0)
		return -1;
	if (out_token(tx, j->token_out, buf_view(text), e) < 0)
		return -1;
	return ledger_post(tx, &l, e);
}

/* SELECT_POOR: a swap is needed. */
static int exact_store(struct job *j, struct buf *text, struct err *e)
{
	auto_chosen struct chosen from = {0};
	auto_tx struct tx *tx = NULL;
	int rc;

	if (db_begin(&tx, j->w->db, e) < 0)
		return -1;
	rc = send_allowed(j, tx, j->net, e);
	if (rc == 0)
		rc = select_exact(&from, tx, j->mint, j->net, e);
	if (rc == 0 && exact_rows(j, tx, &from, text, e) < 0)
		rc = -1;
	return rc == 0 ? db_commit(&tx, e) : rc;
}

/* True: the job has ended. */
static bool send_exact(struct job *j)
{
	auto_buf struct buf text = BUF(256 << 10);
	struct err e;

	switch (exact_store(j, &text, &e)) {
	case 0:
		step_at(STEP_TOKEN_STORED);
		job_done(j, buf_view(&text), j->net);
		return true;
	case SELECT_POOR:
		return false;
	default:
		job_fail(j, &e);
		return true;
	}
}

static void send_poor(struct job *j, const struct send_try *t)
{
	struct sat missing;
	struct err e;

	if (t->may_wait)
		job_later(j, WAIT_STEP_MS + (int64_t)rand_below(WAIT_STEP_MS), send_step);
	else if (select_missing(&missing, j->w->db, j->mint, &t->ask, &e) < 0)
		job_fail(j, &e);
	else
		job_poor(j, t->ask.need, missing);
}

static void send_new(struct job *j)
{
	struct send_try t = {0};
	struct err e;

	if (j->kind == WALLET_OUT_PLAIN && send_exact(j))
		return;
	switch (send_store(j, &t, &e)) {
	case 0:
		job_run(j, t.plan, send_closed);
		return;
	case SEND_POOR:
		send_poor(j, &t);
		return;
	case SEND_OVER_LIMIT:
		job_over_limit(j, &t.hit, t.all);
		return;
	default:
		job_fail(j, &e);
	}
}

/* The plan that makes a token; 0: none is open. */
static int64_t send_plan_of(struct job *j, int64_t token_out)
{
	auto_stmt struct stmt *s = db_query(j->w->db, "SELECT id FROM plan WHERE token_out = ?"
						      " AND kind = ? AND state = 1");

	db_bind_i64(s, 1, token_out);
	db_bind_i64(s, 2, WALLET_PLAN_SPLIT);
	return db_step(s, NULL) == DB_ROW ? db_i64(s, 0) : 0;
}

/* Its plan is open: ours to go on with, or another process is at it. */
static void send_making(struct job *j, int64_t token_out)
{
	int64_t plan = send_plan_of(j, token_out);
	struct err e;

	if (plan == 0) {
		job_later(j, WAIT_STEP_MS, send_step);
		return;
	}
	switch (plan_adopt(j->w, plan, &e)) {
	case 0:
		j->token_out = token_out;
		job_run(j, plan, send_closed);
		return;
	case PLAN_NONE:
		job_later(j, WAIT_STEP_MS, send_step);
		return;
	default:
		job_fail(j, &e);
	}
}

/* True: the order has a token already, and the job goes on with that. */
static bool send_again(struct job *j)
{
	auto_buf struct buf token = BUF(256 << 10);
	struct wallet_out_names names;
	struct wallet_out o;
	struct err e;
	int rc;

	if (!j->ref[0])
		return false;
	rc = wallet_out_get(j->w, 0, j->ref, &o, &names, &token, &e);
	if (rc == WALLET_NO_SUCH)
		return false;
	if (rc < 0) {
		job_fail(j, &e);
	} else if (o.state == WALLET_OUT_MAKING) {
		send_making(j, o.id);
	} else if (o.state == WALLET_OUT_OPEN) {
		j->token_out = o.id;
		job_done(j, buf_view(&token), o.amount);
	} else {
		job_fail_msg(j, ERRK_STATE, "the token of this order was used");
	}
	return true;
}

static void send_step(struct job *j)
{
	if (!j->mint)
		job_fail_msg(j, ERRK_DENIED, "this mint is not allowed");
	else if (sat_is_zero(j->net))
		job_fail_msg(j, ERRK_INPUT, "nothing to send");
	else if (!send_again(j) && job_ready(j, send_step))
		send_new(j);
}

static void name_take(char to[static WALLET_REF_MAX + 1], const char *from)
{
	size_t n = from ? strnlen(from, WALLET_REF_MAX) : 0;

	if (n)
		memcpy(to, from, n);
}

static struct job *send_job(struct wallet *w, const char *mint, const char *ref, wallet_job_fn *fn,
			    void *ctx)
{
	struct job *j = job_new(w, fn, ctx, send_step);

	j->mint = mint_allowed(w, str_of(mint));
	job_name(j, ref);
	return j;
}

void wallet_send_locked(struct wallet *w, const struct wallet_send *s, wallet_job_fn *fn, void *ctx)
{
	struct job *j = send_job(w, s->mint, s->ref, fn, ctx);

	j->kind = WALLET_OUT_ORDER;
	j->net = s->net;
	j->later = s->later;
	j->limits = s->limits;
	memcpy(j->lock.key.b, s->lock_key, sizeof(j->lock.key.b));
	j->lock.locktime = s->locktime;
	name_take(j->lease, s->lease);
}

void wallet_send_plain(struct wallet *w, const struct wallet_plain *p, wallet_job_fn *fn, void *ctx)
{
	struct job *j = send_job(w, p->mint, p->ref, fn, ctx);

	j->kind = p->lock_key ? WALLET_OUT_LOCKED : WALLET_OUT_PLAIN;
	j->net = p->amount;
	if (!p->lock_key)
		return;
	memcpy(j->lock.key.b, p->lock_key, sizeof(j->lock.key.b));
	j->lock.locktime = p->locktime;
}
