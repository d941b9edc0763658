/* The end of a plan: proofs, postings, outgoing token and the caller's state in one commit. */
#include <string.h>

#include "base/log.h"
#include "base/step.h"
#include "cashu/dhke.h"
#include "wallet/plan.h"
#include "wallet/purse.h"

/* Without its DLEQ proof a signature may be worth nothing: only the mint could tell. */
int settle_unblind(struct proofs *out, const struct run *r, const struct blind_sig *sigs,
		   struct err *e)
{
	const struct plan *p = r->p;

	for (size_t i = 0; i < p->planned.outs.n; i++) {
		struct proof proof = {0};

		if (!sigs[i].dleq.present && !r->unproven)
			return err_set(e, ERRK_PEER, "%s: no proof for signature %zu", p->mint->url,
				       i);
		if (dhke_unblind(&proof, &p->planned.outs.v[i], &sigs[i], p->keyset, e) < 0)
			return err_wrap(e, "%s: signature %zu", p->mint->url, i);
		proofs_add_take(out, &proof);
	}
	return 0;
}

int proof_known(struct wallet *w, const uint8_t y[static 33], struct err *e)
{
	auto_stmt struct stmt *s = db_query(w->db, "SELECT 1 FROM proof WHERE y = ?");

	db_bind_blob(s, 1, y, POINT_COMPRESSED);
	return db_step(s, e);
}

/* --- proofs --- */

static void dleq_bytes(struct buf *out, const struct dleq *d)
{
	if (!d->present || !d->has_r)
		return;
	buf_add(out, d->e, sizeof(d->e));
	buf_add(out, d->s, sizeof(d->s));
	buf_add(out, d->r.b, sizeof(d->r.b));
}

int proof_store(struct tx *tx, const struct plan *p, const struct proof *proof, struct err *e)
{
	auto_buf struct buf dleq = BUF(96);
	uint8_t y[POINT_COMPRESSED];
	struct stmt *s;

	if (dhke_y_bytes(y, str_of(proof->secret), e) < 0)
		return -1;
	dleq_bytes(&dleq, &proof->dleq);
	s = tx_write(tx,
		     "INSERT INTO proof (y, mint, keyset, amount, secret, c, dleq, state, made_by)"
		     " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
	db_bind_blob(s, 1, y, sizeof(y));
	db_bind_i64(s, 2, p->mint->id);
	db_bind_blob(s, 3, p->keyset->id.b, p->keyset->id.n);
	db_bind_i64(s, 4, (int64_t)sat_raw(proof->amount));
	db_bind_secret(s, 5, "proof.secret", proof->secret, strlen(proof->secret));
	db_bind_blob(s, 6, proof->c, sizeof(proof->c));
	if (dleq.n > 0)
		db_bind_secret(s, 7, "proof.dleq", dleq.p, dleq.n);
	else
		db_bind_blob(s, 7, NULL, 0);
	db_bind_i64(s, 8, HELD_FREE);
	db_bind_i64(s, 9, p->pub.id);
	switch (tx_run(s, NULL, e)) {
	case 0:
		return 0;
	case DB_CONFLICT:
		return err_set(e, ERRK_STATE, "a proof is in the wallet already");
	default:
		return -1;
	}
}

/* Its inputs were proofs of ours, reserved for it. */
static bool spends_ours(const struct plan *p)
{
	return p->pub.kind == WALLET_PLAN_SPLIT || p->pub.kind == WALLET_PLAN_REFUND ||
	       p->pub.kind == WALLET_PLAN_MELT || p->pub.kind == WALLET_PLAN_RENEW;
}

static bool makes_token(const struct plan *p)
{
	return p->pub.kind == WALLET_PLAN_SPLIT || p->pub.kind == WALLET_PLAN_REFUND;
}

static int settle_token(struct run *r, struct tx *tx, struct proofs *made, struct err *e)
{
	const struct plan *p = r->p;
	auto_buf struct buf text = BUF(256 << 10);
	AUTO(token_free) struct cashu_token *t = token_new(p->mint->url, WALLET_UNIT, NULL);

	for (size_t i = 0; i < made->n; i++)
		if (p->planned.out[i])
			proofs_add_take(&t->proofs, &made->v[i]);
	if (token_encode(&text, t, e) < 0 || buf_check(&text, "token", e) < 0)
		return -1;
	if (p->pub.kind == WALLET_PLAN_REFUND)
		return refund_settled(tx, r->w, p, buf_view(&text), e);
	return out_token(tx, p->pub.token_out, buf_view(&text), e);
}

static int settle_proofs(struct run *r, struct tx *tx, struct proofs *made, struct err *e)
{
	const struct plan *p = r->p;

	for (size_t i = 0; i < made->n; i++)
		if (!p->planned.out[i] && proof_store(tx, p, &made->v[i], e) < 0)
			return -1;
	return makes_token(p) ? settle_token(r, tx, made, e) : 0;
}

/* --- postings --- */

static int post(struct tx *tx, const struct plan *p, enum ledger_account from,
		enum ledger_account to, struct sat amount, struct err *e)
{
	struct ledger_posting l = {
		.from = from, .to = to, .mint = p->mint->url, .ref = p->ref, .plan = p->pub.id};

	if (!msat_of_sat(&l.amount, amount))
		return err_set(e, ERRK_LIMIT, "amount");
	return ledger_post(tx, &l, e);
}

static int settle_post_split(struct tx *tx, const struct plan *p, struct err *e)
{
	struct sat moved = SAT(0);

	for (size_t i = 0; i < p->planned.outs.n; i++)
		if (p->planned.out[i] && !sat_add(&moved, moved, p->planned.outs.v[i].pub.amount))
			return err_set(e, ERRK_LIMIT, "amount");
	if (post(tx, p, LEDGER_OWN, LEDGER_OUT, moved, e) < 0)
		return -1;
	return post(tx, p, LEDGER_OWN, LEDGER_FEES, p->pub.fee, e);
}

static int settle_post_melt(struct tx *tx, const struct plan *p, struct err *e)
{
	if (post(tx, p, LEDGER_OWN, LEDGER_OUTSIDE, p->pub.net, e) < 0)
		return -1;
	return post(tx, p, LEDGER_OWN, LEDGER_FEES, p->pub.fee, e);
}

/* What comes in, and who pays the fee. */
static int settle_post(struct tx *tx, const struct plan *p, struct err *e)
{
	static const struct {
		enum ledger_account from, to;
	} book[] = {
		[WALLET_PLAN_CLAIM] = {LEDGER_OUTSIDE, LEDGER_OPEN},
		[WALLET_PLAN_RECEIVE] = {LEDGER_OUTSIDE, LEDGER_OWN},
		[WALLET_PLAN_RETURN] = {LEDGER_OUT, LEDGER_OWN},
		[WALLET_PLAN_MINT] = {LEDGER_OUTSIDE, LEDGER_OWN},
	};
	enum ledger_account from = book[p->pub.kind].from, to = book[p->pub.kind].to;

	if (p->pub.kind == WALLET_PLAN_RETURN && out_booked(&from, tx, p->pub.token_out, e) < 0)
		return -1;
	if (post(tx, p, from, to, p->pub.gross, e) < 0)
		return -1;
	return post(tx, p, to, LEDGER_FEES, p->pub.fee, e);
}

/* --- settle --- */

static int inputs_spent(struct tx *tx, const struct plan *p, struct err *e)
{
	struct stmt *s = tx_write(tx, "UPDATE proof SET state = ?, secret = NULL, dleq = NULL"
				      " WHERE plan = ?");

	db_bind_i64(s, 1, HELD_SPENT);
	db_bind_i64(s, 2, p->pub.id);
	return tx_run(s, NULL, e);
}

static int settle_book(struct tx *tx, const struct plan *p, struct err *e)
{
	if (p->pub.kind == WALLET_PLAN_SPLIT)
		return settle_post_split(tx, p, e);
	if (p->pub.kind == WALLET_PLAN_MELT)
		return settle_post_melt(tx, p, e);
	if (p->pub.kind == WALLET_PLAN_REFUND)
		return 0; /* refund_settled books it */
	if (p->pub.kind == WALLET_PLAN_RENEW)
		return post(tx, p, LEDGER_OWN, LEDGER_FEES, p->pub.fee, e);
	return settle_post(tx, p, e);
}

static int settle_payout(struct run *r, struct tx *tx, struct err *e)
{
	struct plan *p = r->p;
	struct sat cost;

	if (!sat_add(&cost, p->pub.net, p->pub.fee))
		return err_set(e, ERRK_LIMIT, "amount");
	return payout_paid(tx, p->payout, cost, r->preimage, e);
}

static int settle_rows(struct run *r, struct tx *tx, struct proofs *made, struct err *e)
{
	struct plan *p = r->p;

	p->state = PLAN_SETTLED;
	p->pub.reason = WALLET_REJECT_NONE;
	p->pub.late = plan_expired(p);
	if (plan_close(tx, p, e) < 0 || settle_proofs(r, tx, made, e) < 0 ||
	    settle_book(tx, p, e) < 0)
		return -1;
	if (spends_ours(p) && inputs_spent(tx, p, e) < 0)
		return -1;
	if (p->pub.kind == WALLET_PLAN_MELT && settle_payout(r, tx, e) < 0)
		return -1;
	if (p->pub.kind == WALLET_PLAN_RETURN &&
	    out_state(tx, p->pub.token_out, WALLET_OUT_RETURNED, e) < 0)
		return -1;
	if (p->quote && quote_state(tx, p->quote, FUND_DONE, e) < 0)
		return -1;
	if (r->w->ops && r->w->ops->settled)
		return r->w->ops->settled(r->w->ctx, tx, &p->pub, e);
	return 0;
}

static void plan_tell(struct run *r)
{
	if (r->w->ops && r->w->ops->closed)
		r->w->ops->closed(r->w->ctx, &r->p->pub);
	jobs_plan_closed(r->w, r->p);
	refunds_plan_closed(r->w, r->p);
}

int settle_plan(struct run *r, const struct blind_sig *sigs, struct err *e)
{
	auto_proofs struct proofs made = {0};
	auto_tx struct tx *tx = NULL;

	if (settle_unblind(&made, r, sigs, e) < 0 || db_begin(&tx, r->w->db, e) < 0)
		return -1;
	if (settle_rows(r, tx, &made, e) < 0 || db_commit(&tx, e) < 0) {
		r->p->state = PLAN_OPEN;
		return -1;
	}
	step_at(r->p->pub.kind == WALLET_PLAN_MELT ? STEP_MELT_SETTLED : STEP_PLAN_SETTLED);
	plan_tell(r);
	return 0;
}

/* --- reject --- */

/* Our own proofs: those that the mint calls spent are lost to somebody with a copy of this wallet.
 */
static int inputs_back(struct run *r, struct tx *tx, struct err *e)
{
	struct plan *p = r->p;

	for (size_t i = 0; i < p->nys; i++) {
		struct stmt *s = tx_write(tx, "UPDATE proof SET state = ?, plan = NULL"
					      " WHERE y = ? RETURNING amount");
		struct sat amount = SAT(0);
		int rc;

		db_bind_i64(s, 1, r->spent[i] ? HELD_SPENT : HELD_FREE);
		db_bind_blob(s, 2, p->ys[i].b, sizeof(p->ys[i].b));
		rc = db_step(s, e);
		if (rc == DB_ROW && !sat_make(&amount, (uint64_t)db_i64(s, 0)))
			rc = err_set(e, ERRK_STATE, "amount of a proof");
		db_done(s);
		if (rc < 0 ||
		    (r->spent[i] && post(tx, p, LEDGER_OWN, LEDGER_OUTSIDE, amount, e) < 0))
			return -1;
	}
	return 0;
}

static int reject_return(struct run *r, struct tx *tx, struct err *e)
{
	struct plan *p = r->p;

	if (p->pub.reason == WALLET_REJECT_REFUSED || p->pub.reason == WALLET_REJECT_EXPIRED)
		return out_state(tx, p->pub.token_out, WALLET_OUT_OPEN, e);
	return wallet_out_taken(tx, p->pub.token_out, e);
}

static int reject_rows(struct run *r, struct tx *tx, struct err *e)
{
	struct plan *p = r->p;
	int rc = plan_close(tx, p, e);

	if (rc == 0 && spends_ours(p))
		rc = inputs_back(r, tx, e);
	if (rc == 0 && p->pub.kind == WALLET_PLAN_MELT)
		rc = payout_failed(tx, p->payout, e);
	if (rc == 0 && p->pub.kind == WALLET_PLAN_SPLIT)
		rc = out_state(tx, p->pub.token_out, WALLET_OUT_FAILED, e);
	if (rc == 0 && p->pub.kind == WALLET_PLAN_RETURN)
		rc = reject_return(r, tx, e);
	if (rc == 0 && p->quote) /* a paid one is tried again at the next start */
		rc = quote_state(
			tx, p->quote,
			p->pub.reason == WALLET_REJECT_BLOCKED ? FUND_LAPSED : FUND_WAITING, e);
	if (rc == 0 && r->w->ops && r->w->ops->rejected)
		rc = r->w->ops->rejected(r->w->ctx, tx, &p->pub, e);
	return rc;
}

int reject_plan(struct run *r, enum wallet_reject reason, struct err *e)
{
	auto_tx struct tx *tx = NULL;

	if (db_begin(&tx, r->w->db, e) < 0)
		return -1;
	r->p->state = PLAN_REJECTED;
	r->p->pub.reason = reason;
	if (reject_rows(r, tx, e) < 0 || db_commit(&tx, e) < 0) {
		r->p->state = PLAN_OPEN;
		return -1;
	}
	step_at(STEP_PLAN_DEAD);
	log_info("plan %lld is closed without money (%d)", (long long)r->p->pub.id, (int)reason);
	plan_tell(r);
	return 0;
}
