/* Refunds as rows: due, made, taken; and what the books say of each step. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/step.h"
#include "crypto/hash.h"
#include "wallet/plan.h"
#include "wallet/till.h"

#define TOKEN_BYTES   (256 << 10)
#define FIRST_CHECK_S 60

/* --- due --- */

int wallet_refund_due(struct tx *tx, const struct wallet_refund *r, struct err *e)
{
	struct ledger_posting l = {.from = r->from ? r->from : LEDGER_OPEN,
				   .to = LEDGER_OWED,
				   .amount = r->amount,
				   .mint = r->mint,
				   .ref = r->lease};
	struct stmt *s = tx_write(tx, "INSERT INTO refund (lease, number, mint, msat, key, source,"
				      " state, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?)");

	db_bind_text(s, 1, str_of(r->lease));
	db_bind_i64(s, 2, r->number);
	db_bind_text(s, 3, str_of(r->mint));
	db_bind_i64(s, 4, (int64_t)msat_raw(r->amount));
	db_bind_blob(s, 5, r->key, POINT_COMPRESSED);
	db_bind_i64(s, 6, l.from);
	db_bind_i64(s, 7, WALLET_REFUND_DUE);
	db_bind_i64(s, 8, clock_wall());
	switch (tx_run(s, NULL, e)) {
	case 0:
		/* OWED belongs to leases whose payment is in these books */
		return l.from == LEDGER_OWN ? 0 : ledger_post(tx, &l, e);
	case DB_CONFLICT:
		return WALLET_KNOWN;
	default:
		return err_wrap(e, "refund");
	}
}

/* --- reading --- */

#define REFUND_COLUMNS "lease, number, mint, msat, key, state, plan, sat, fee, source"

static int refund_of_row(struct refund_job *j, struct wallet_refund *r, struct stmt *s,
			 struct err *e)
{
	struct str lease = db_text(s, 0), mint = db_text(s, 2), key = db_blob(s, 4);

	memset(j, 0, sizeof(*j));
	memset(r, 0, sizeof(*r));
	if (lease.n > WALLET_REF_MAX || mint.n > WALLET_URL_MAX || key.n != sizeof(j->lock.key.b) ||
	    !msat_make(&j->amount, (uint64_t)db_i64(s, 3)) ||
	    !sat_make(&r->token_sat, (uint64_t)db_i64(s, 7)) ||
	    !sat_make(&r->fee, (uint64_t)db_i64(s, 8)))
		return err_set(e, ERRK_STATE, "a stored refund is damaged");
	memcpy(j->lease, lease.p, lease.n);
	memcpy(j->mint, mint.p, mint.n);
	memcpy(j->lock.key.b, key.p, key.n);
	j->number = (uint32_t)db_i64(s, 1);
	j->state = (enum wallet_refund_state)db_i64(s, 5);
	j->plan = db_i64(s, 6);
	j->from = (enum ledger_account)db_i64(s, 9);
	r->lease = j->lease;
	r->mint = j->mint;
	r->key = j->lock.key.b;
	r->number = j->number;
	r->amount = j->amount;
	r->state = j->state;
	r->from = j->from;
	return 0;
}

int wallet_each_refund(struct wallet *w, const char *lease,
		       int (*fn)(void *ctx, const struct wallet_refund *r), void *ctx,
		       struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(w->db, "SELECT " REFUND_COLUMNS " FROM refund"
				" WHERE ?1 IS NULL OR lease = ?1 ORDER BY created, lease, number");
	struct wallet_refund r;
	struct refund_job j;
	int rc;

	db_bind_text(s, 1, str_of(lease));
	while ((rc = db_step(s, e)) == DB_ROW) {
		if (refund_of_row(&j, &r, s, e) < 0)
			return -1;
		if (fn(ctx, &r) != 0)
			return 0;
	}
	return rc;
}

static int refund_read(struct refund_job *j, struct wallet_refund *r, struct stmt *s, struct err *e)
{
	int rc = db_step(s, e);

	if (rc == DB_ROW)
		rc = refund_of_row(j, r, s, e);
	else if (rc == 0)
		rc = PLAN_NONE;
	db_done(s);
	return rc;
}

int refund_load(struct refund_job *j, struct wallet *w, const char *lease, uint32_t number,
		struct err *e)
{
	struct stmt *s = db_query(w->db, "SELECT " REFUND_COLUMNS
					 " FROM refund WHERE lease = ? AND number = ?");
	struct wallet_refund r;

	db_bind_text(s, 1, str_of(lease));
	db_bind_i64(s, 2, number);
	return refund_read(j, &r, s, e);
}

struct refund_path refund_path(const struct refund_job *j)
{
	return (struct refund_path){.lease = str_of(j->lease), .refund = j->number};
}

int wallet_refund_token(struct wallet *w, const char *lease, uint32_t number, struct buf *out,
			struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(w->db, "SELECT token FROM refund WHERE lease = ? AND number = ?");
	int rc;

	db_bind_text(s, 1, str_of(lease));
	db_bind_i64(s, 2, number);
	rc = db_step(s, e);
	if (rc < 0)
		return -1;
	if (rc != DB_ROW || db_is_null(s, 0))
		return WALLET_NO_TOKEN;
	return db_secret(out, s, 0, "refund.token", e);
}

/* The index is that of no output. */
int wallet_refund_mark(struct wallet *w, const char *lease, uint32_t number, uint8_t out[static 16],
		       struct err *e)
{
	const struct refund_path path = {
		.lease = str_of(lease), .refund = number, .index = UINT32_MAX};
	auto_derived struct derived d = {0};
	uint8_t hash[32];

	if (derive_refund(&d, &w->seed, &path, e) < 0)
		return -1;
	sha256(hash, d.secret.b, sizeof(d.secret.b));
	memcpy(out, hash, 16);
	return 0;
}

/* --- planned --- */

int refund_planned(struct tx *tx, const struct refund_job *j, int64_t plan, struct err *e)
{
	struct stmt *s = tx_write(tx, "UPDATE refund SET plan = ? WHERE lease = ? AND number = ?"
				      " AND state = ?");
	int changed = 0;

	db_bind_i64(s, 1, plan);
	db_bind_text(s, 2, str_of(j->lease));
	db_bind_i64(s, 3, j->number);
	db_bind_i64(s, 4, WALLET_REFUND_DUE);
	if (tx_run(s, &changed, e) < 0)
		return -1;
	return changed == 1 ? 0 : err_set(e, ERRK_STATE, "refund of %s is made", j->lease);
}

/* --- made --- */

struct made { /* a refund whose token is there */
	const struct refund_job *j;
	struct sat sat, fee;
	struct str token;
	int64_t plan; /* 0: an earlier database's */
};

static int made_row(struct tx *tx, const struct made *m, struct err *e)
{
	struct stmt *s = tx_write(tx, "UPDATE refund SET state = ?, sat = ?, fee = ?, token = ?,"
				      " check_at = ? WHERE lease = ? AND number = ? AND state = ?");
	int changed = 0;

	db_bind_i64(s, 1, WALLET_REFUND_MADE);
	db_bind_i64(s, 2, (int64_t)sat_raw(m->sat));
	db_bind_i64(s, 3, (int64_t)sat_raw(m->fee));
	db_bind_secret(s, 4, "refund.token", m->token.p, m->token.n);
	db_bind_i64(s, 5, clock_wall() + FIRST_CHECK_S);
	db_bind_text(s, 6, str_of(m->j->lease));
	db_bind_i64(s, 7, m->j->number);
	db_bind_i64(s, 8, WALLET_REFUND_DUE);
	if (tx_run(s, &changed, e) < 0)
		return -1;
	return changed == 1 ? 0 : err_set(e, ERRK_STATE, "refund of %s is made", m->j->lease);
}

static int made_post(struct tx *tx, const struct made *m, enum ledger_account from,
		     enum ledger_account to, struct msat amount, struct err *e)
{
	const struct ledger_posting l = {.from = from,
					 .to = to,
					 .amount = amount,
					 .mint = m->j->mint,
					 .ref = m->j->lease,
					 .plan = m->plan};

	return ledger_post(tx, &l, e);
}

/* What was owed is gone: the token, the mint's fee, and what is less than a satoshi stays here. */
static int made_book(struct tx *tx, const struct made *m, struct err *e)
{
	struct msat token, fee, rest = MSAT(0), more = MSAT(0);

	if (!msat_of_sat(&token, m->sat) || !msat_of_sat(&fee, m->fee) ||
	    !msat_add(&rest, token, fee))
		return err_set(e, ERRK_LIMIT, "refund of %s: amount", m->j->lease);
	if (m->j->from == LEDGER_OWN)
		return made_post(tx, m, LEDGER_OWN, LEDGER_OUTSIDE, token, e) < 0
			       ? -1
			       : made_post(tx, m, LEDGER_OWN, LEDGER_FEES, fee, e);
	/* an earlier database may have owed more than this one knows */
	if (!msat_sub(&more, rest, m->j->amount))
		more = MSAT(0);
	if (!msat_sub(&rest, m->j->amount, rest))
		rest = MSAT(0);
	if (made_post(tx, m, LEDGER_EARNED, LEDGER_OWED, more, e) < 0 ||
	    made_post(tx, m, LEDGER_OWED, LEDGER_OUTSIDE, token, e) < 0 ||
	    made_post(tx, m, LEDGER_OWED, LEDGER_FEES, fee, e) < 0)
		return -1;
	return made_post(tx, m, LEDGER_OWED, LEDGER_EARNED, rest, e);
}

static int made_store(struct tx *tx, struct wallet *w, const struct made *m, struct err *e)
{
	const struct wallet_refund r = {.lease = m->j->lease,
					.number = m->j->number,
					.mint = m->j->mint,
					.amount = m->j->amount,
					.key = m->j->lock.key.b,
					.from = m->j->from,
					.state = WALLET_REFUND_MADE,
					.token_sat = m->sat,
					.fee = m->fee,
					.token = m->token};

	if (made_row(tx, m, e) < 0 || made_book(tx, m, e) < 0)
		return err_wrap(e, "refund of %s", m->j->lease);
	if (w->ops && w->ops->refund_made)
		return w->ops->refund_made(w->ctx, tx, &r, e);
	return 0;
}

int refund_settled(struct tx *tx, struct wallet *w, const struct plan *p, struct str token,
		   struct err *e)
{
	struct stmt *s = db_query(w->db, "SELECT " REFUND_COLUMNS " FROM refund WHERE plan = ?");
	struct made m = {.fee = p->pub.fee, .token = token, .plan = p->pub.id};
	struct wallet_refund r;
	struct refund_job j;

	db_bind_i64(s, 1, p->pub.id);
	switch (refund_read(&j, &r, s, e)) {
	case 0:
		break;
	case PLAN_NONE:
		return err_set(e, ERRK_STATE, "plan %lld makes no refund", (long long)p->pub.id);
	default:
		return -1;
	}
	for (size_t i = 0; i < p->planned.outs.n; i++)
		if (p->planned.out[i] && !sat_add(&m.sat, m.sat, p->planned.outs.v[i].pub.amount))
			return err_set(e, ERRK_LIMIT, "refund of %s: amount", j.lease);
	m.j = &j;
	return made_store(tx, w, &m, e);
}

/* The proofs that paid for it are still counted here as ours; that they are spent shows when they
 * are used or audited, and is booked then. Until then their worth is free money. */
int refund_found(struct tx *tx, struct wallet *w, const struct refund_job *j,
		 const struct cashu_token *t, struct err *e)
{
	auto_buf struct buf text = BUF(TOKEN_BYTES);
	struct ledger_posting back = {
		.from = LEDGER_OUTSIDE, .to = LEDGER_OWN, .mint = j->mint, .ref = ""};
	struct made m = {.j = j};

	if (proofs_sum(&m.sat, &t->proofs, e) < 0 || token_encode(&text, t, e) < 0 ||
	    buf_check(&text, "token", e) < 0)
		return -1;
	m.token = buf_view(&text);
	if (!msat_of_sat(&back.amount, m.sat))
		return err_set(e, ERRK_LIMIT, "refund of %s: amount", j->lease);
	if (made_store(tx, w, &m, e) < 0)
		return -1;
	return ledger_post(tx, &back, e);
}

/* --- taken --- */

int refund_taken(struct tx *tx, const struct refund_job *j, struct err *e)
{
	struct stmt *s = tx_write(tx, "UPDATE refund SET state = ?, token = NULL WHERE lease = ?"
				      " AND number = ? AND state = ?");

	db_bind_i64(s, 1, WALLET_REFUND_TAKEN);
	db_bind_text(s, 2, str_of(j->lease));
	db_bind_i64(s, 3, j->number);
	db_bind_i64(s, 4, WALLET_REFUND_MADE);
	return tx_run(s, NULL, e);
}
