/* Lightning payments as rows: one for each invoice that is being paid or was. */
#include <string.h>

#include "base/clock.h"
#include "wallet/leave.h"
#include "wallet/plan.h"

int payout_insert(struct tx *tx, struct payout *o, struct err *e)
{
	struct stmt *s =
		tx_write(tx, "INSERT INTO payout (mint, ref, hash, invoice, quote, amount,"
			     " reserve, state, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
	int rc;

	o->state = WALLET_PAYOUT_OPEN;
	o->created = clock_wall();
	db_bind_i64(s, 1, o->mint->id);
	db_bind_text(s, 2, str_of(o->ref));
	db_bind_blob(s, 3, o->hash, sizeof(o->hash));
	db_bind_text(s, 4, str_of(o->invoice));
	db_bind_text(s, 5, str_of(o->quote));
	db_bind_i64(s, 6, (int64_t)sat_raw(o->amount));
	db_bind_i64(s, 7, (int64_t)sat_raw(o->reserve));
	db_bind_i64(s, 8, o->state);
	db_bind_i64(s, 9, o->created);
	rc = tx_run(s, NULL, e);
	if (rc == 0)
		o->id = tx_last_id(tx);
	return rc;
}

int payout_paid(struct tx *tx, int64_t id, struct sat cost, const char *preimage, struct err *e)
{
	struct stmt *s = tx_write(tx, "UPDATE payout SET state = ?, cost = ?, preimage = ?,"
				      " closed = ? WHERE id = ?");

	db_bind_i64(s, 1, WALLET_PAYOUT_PAID);
	db_bind_i64(s, 2, (int64_t)sat_raw(cost));
	db_bind_text(s, 3, str_of(preimage));
	db_bind_i64(s, 4, clock_wall());
	db_bind_i64(s, 5, id);
	return tx_run(s, NULL, e);
}

int payout_failed(struct tx *tx, int64_t id, struct err *e)
{
	struct stmt *s = tx_write(tx, "UPDATE payout SET state = ?, closed = ? WHERE id = ?");

	db_bind_i64(s, 1, WALLET_PAYOUT_FAILED);
	db_bind_i64(s, 2, clock_wall());
	db_bind_i64(s, 3, id);
	return tx_run(s, NULL, e);
}

/* --- reading --- */

#define PAYOUT_COLUMNS                                                                             \
	"id, mint, ref, hash, invoice, quote, amount, reserve, cost, preimage, state, created, "   \
	"closed"

static bool text_take(char *to, size_t size, struct str from)
{
	if (from.n >= size)
		return false;
	memcpy(to, from.n ? from.p : "", from.n);
	to[from.n] = '\0';
	return true;
}

static int payout_of_row(struct payout *o, struct wallet *w, struct stmt *s, struct err *e)
{
	struct str hash = db_blob(s, 3);

	o->id = db_i64(s, 0);
	o->mint = mint_by_id(w, db_i64(s, 1));
	if (!o->mint || hash.n != sizeof(o->hash) ||
	    !text_take(o->ref, sizeof(o->ref), db_text(s, 2)) ||
	    !text_take(o->invoice, sizeof(o->invoice), db_text(s, 4)) ||
	    !text_take(o->quote, sizeof(o->quote), db_text(s, 5)) ||
	    !text_take(o->preimage, sizeof(o->preimage), db_text(s, 9)) ||
	    !sat_make(&o->amount, (uint64_t)db_i64(s, 6)) ||
	    !sat_make(&o->reserve, (uint64_t)db_i64(s, 7)) ||
	    !sat_make(&o->cost, (uint64_t)db_i64(s, 8)))
		return err_set(e, ERRK_STATE, "payment %lld is damaged", (long long)o->id);
	memcpy(o->hash, hash.p, hash.n);
	o->state = (int)db_i64(s, 10);
	o->created = db_i64(s, 11);
	o->closed = db_i64(s, 12);
	return 0;
}

int payout_find(struct payout *out, struct wallet *w, const uint8_t *hash, const char *ref,
		struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(w->db, "SELECT " PAYOUT_COLUMNS " FROM payout WHERE state <> ?1"
				" AND (hash = ?2 OR (ref = ?3 AND ref <> '')) ORDER BY id");
	int rc;

	db_bind_i64(s, 1, WALLET_PAYOUT_FAILED);
	db_bind_blob(s, 2, hash, hash ? 32 : 0);
	db_bind_text(s, 3, str_of(ref));
	rc = db_step(s, e);
	if (rc < 0)
		return -1;
	return rc == DB_ROW ? payout_of_row(out, w, s, e) : PLAN_NONE;
}

bool payout_of_invoice(struct wallet *w, const char *invoice)
{
	auto_stmt struct stmt *s =
		db_query(w->db, "SELECT 1 FROM payout WHERE invoice = ? AND state <> ?");

	db_bind_text(s, 1, str_of(invoice));
	db_bind_i64(s, 2, WALLET_PAYOUT_FAILED);
	return db_step(s, NULL) == DB_ROW;
}

static int payout_tell(struct wallet *w, struct stmt *s, wallet_payout_fn *fn, void *ctx,
		       struct err *e)
{
	struct payout o = {0};
	struct wallet_payout out;

	if (payout_of_row(&o, w, s, e) < 0)
		return -1;
	out = (struct wallet_payout){
		.id = o.id,
		.state = (enum wallet_payout_state)o.state,
		.mint = o.mint->url,
		.ref = o.ref,
		.invoice = o.invoice,
		.preimage = o.preimage,
		.amount = o.amount,
		.reserve = o.reserve,
		.cost = o.cost,
		.created = o.created,
		.closed = o.closed,
	};
	return fn(ctx, &out) != 0;
}

int wallet_each_payout(struct wallet *w, wallet_payout_fn *fn, void *ctx, struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(w->db, "SELECT " PAYOUT_COLUMNS " FROM payout ORDER BY id");
	int rc;

	while ((rc = db_step(s, e)) == DB_ROW) {
		rc = payout_tell(w, s, fn, ctx, e);
		if (rc != 0)
			return rc < 0 ? -1 : 0;
	}
	return rc;
}

int wallet_payout_find(struct wallet *w, const char *ref, wallet_payout_fn *fn, void *ctx,
		       struct err *e)
{
	auto_stmt struct stmt *s = db_query(w->db, "SELECT " PAYOUT_COLUMNS " FROM payout"
						   " WHERE ref = ? ORDER BY id DESC LIMIT 1");
	int rc;

	db_bind_text(s, 1, str_of(ref));
	rc = db_step(s, e);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return WALLET_NO_SUCH;
	return payout_tell(w, s, fn, ctx, e) < 0 ? -1 : 0;
}

/* --- what may leave --- */

int leave_may(struct tx *tx, const struct wmint *m, struct sat most, struct err *e)
{
	auto_stmt struct stmt *s = db_query(tx_db(tx), "SELECT coalesce(sum(amount), 0) FROM proof"
						       " WHERE mint = ? AND state = ?");
	int64_t open, owed, held;

	if (ledger_balance(tx_db(tx), LEDGER_OPEN, m->url, &open, e) < 0 ||
	    ledger_balance(tx_db(tx), LEDGER_OWED, m->url, &owed, e) < 0)
		return -1;
	db_bind_i64(s, 1, m->id);
	db_bind_i64(s, 2, HELD_FREE);
	if (db_step(s, e) != DB_ROW)
		return err_wrap(e, "balance");
	held = db_i64(s, 0);
	if (open + owed <= 0)
		return 0;
	return held - (open + owed + 999) / 1000 < (int64_t)sat_raw(most) ? LEAVE_NOT : 0;
}
