/* Send: one swap of ours makes proofs locked to a provider, of exactly the amount, and change. */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "wallet/job.h"

#define WAIT_MS	     60000 /* for change of another process */
#define WAIT_STEP_MS 100
#define TRIES_MAX    3

static void send_step(struct job *j);

/* The smallest amount that leaves `net` to the receiver after the fee of its swap. */
static int send_gross(struct sat *out, const struct keyset *k, struct sat net, struct err *e)
{
	struct sat parts[64], left;

	*out = net;
	for (unsigned i = 0; i < 1000; i++) {
		size_t n = keyset_split(parts, k, *out);

		if (n > 0 && sat_sub(&left, *out, keyset_fee_of(k, n)) && sat_cmp(left, net) >= 0)
			return 0;
		if (!sat_add(out, *out, SAT(1)))
			break;
	}
	return err_set(e, ERRK_LIMIT, "no amount of this keyset leaves so much after the fee");
}

static int send_row(struct job *j, struct tx *tx, struct sat amount, struct err *e)
{
	struct stmt *s;

	if (refund_key_new(&j->lock.refund, tx, j->w, e) < 0)
		return -1;
	j->lock.has_refund = true;
	s = tx_write(tx, "INSERT INTO token_out (mint, ref, amount, state, lock_key, refund_key,"
			 " locktime, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
	db_bind_i64(s, 1, j->mint->id);
	db_bind_text(s, 2, str_of(j->ref));
	db_bind_i64(s, 3, (int64_t)sat_raw(amount));
	db_bind_i64(s, 4, WALLET_OUT_MAKING);
	db_bind_blob(s, 5, j->lock.key.b, sizeof(j->lock.key.b));
	db_bind_blob(s, 6, j->lock.refund.b, sizeof(j->lock.refund.b));
	db_bind_i64(s, 7, j->lock.locktime);
	db_bind_i64(s, 8, clock_wall());
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
	wish->lock = &j->lock;
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

/* One transaction: choose, reserve, plan. SELECT_POOR as of select_proofs. */
static int send_store(struct job *j, struct sat *needed, int64_t *plan, struct err *e)
{
	auto_chosen struct chosen from = {0};
	auto_tx struct tx *tx = NULL;
	struct output_wish wish = {0};
	int rc;

	wish.keyset = keysets_choose(&j->mint->keysets, WALLET_UNIT, clock_wall());
	if (send_gross(&wish.theirs, wish.keyset, j->net, e) < 0)
		return -1;
	*needed = wish.theirs;
	if (db_begin(&tx, j->w->db, e) < 0)
		return -1;
	rc = select_proofs(&from, tx, j->mint, wish.theirs, e);
	if (rc != 0)
		return rc;
	if (send_plan(j, tx, &wish, &from, plan, e) < 0)
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

/* Is there money on its way back that would be enough? */
static bool send_may_wait(struct job *j, struct sat needed)
{
	struct wallet_balance b;
	struct sat sum;

	return clock_mono_ms() - j->started_ms < WAIT_MS &&
	       wallet_balance(j->w, j->mint->url, &b, NULL) == 0 && !sat_is_zero(b.reserved) &&
	       sat_add(&sum, b.available, b.reserved) && sat_cmp(sum, needed) > 0;
}

static void send_new(struct job *j)
{
	struct sat needed = SAT(0);
	int64_t plan = 0;
	struct err e;

	switch (send_store(j, &needed, &plan, &e)) {
	case 0:
		job_run(j, plan, send_closed);
		return;
	case SELECT_POOR:
		if (send_may_wait(j, needed))
			job_later(j, WAIT_STEP_MS + (int64_t)rand_below(WAIT_STEP_MS), send_step);
		else
			job_poor(j, needed);
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

void wallet_send_locked(struct wallet *w, const struct wallet_send *s, wallet_job_fn *fn, void *ctx)
{
	struct job *j = job_new(w, fn, ctx, send_step);
	size_t n = s->ref ? strlen(s->ref) : 0;

	j->mint = mint_allowed(w, str_of(s->mint));
	j->net = s->net;
	memcpy(j->lock.key.b, s->lock_key, sizeof(j->lock.key.b));
	j->lock.locktime = s->locktime;
	if (n > WALLET_REF_MAX)
		n = WALLET_REF_MAX;
	memcpy(j->ref, s->ref ? s->ref : "", n);
}
