/* Refunds that are due, as stored jobs. */
#include <string.h>

#include "base/clock.h"
#include "cashu/lock.h"
#include "wallet/core.h"
#include "wallet/till.h"

int wallet_refund_due(struct tx *tx, const struct wallet_refund *r, struct err *e)
{
	const struct ledger_posting l = {.from = LEDGER_OPEN,
					 .to = LEDGER_OWED,
					 .amount = r->amount,
					 .mint = r->mint,
					 .ref = r->lease};
	struct stmt *s = tx_write(tx, "INSERT INTO refund (lease, number, mint, msat, key, state,"
				      " created) VALUES (?, ?, ?, ?, ?, ?, ?)");

	db_bind_text(s, 1, str_of(r->lease));
	db_bind_i64(s, 2, r->number);
	db_bind_text(s, 3, str_of(r->mint));
	db_bind_i64(s, 4, (int64_t)msat_raw(r->amount));
	db_bind_blob(s, 5, r->key, POINT_COMPRESSED);
	db_bind_i64(s, 6, WALLET_REFUND_DUE);
	db_bind_i64(s, 7, clock_wall());
	switch (tx_run(s, NULL, e)) {
	case 0:
		return ledger_post(tx, &l, e);
	case DB_CONFLICT:
		return WALLET_KNOWN;
	default:
		return err_wrap(e, "refund");
	}
}

struct refund_row { /* what a struct wallet_refund points to */
	char lease[WALLET_REF_MAX + 1], mint[WALLET_URL_MAX + 1];
	struct lock_key key;
};

static int refund_of_row(struct wallet_refund *r, struct refund_row *row, struct stmt *s,
			 struct err *e)
{
	struct str lease = db_text(s, 0), mint = db_text(s, 2), key = db_blob(s, 4);

	if (lease.n > WALLET_REF_MAX || mint.n > WALLET_URL_MAX || key.n != sizeof(row->key.b) ||
	    !msat_make(&r->amount, (uint64_t)db_i64(s, 3)))
		return err_set(e, ERRK_STATE, "a stored refund is damaged");
	memset(row, 0, sizeof(*row));
	memcpy(row->lease, lease.p, lease.n);
	memcpy(row->mint, mint.p, mint.n);
	memcpy(row->key.b, key.p, key.n);
	r->lease = row->lease;
	r->mint = row->mint;
	r->key = row->key.b;
	r->number = (uint32_t)db_i64(s, 1);
	r->state = (enum wallet_refund_state)db_i64(s, 5);
	return 0;
}

int wallet_each_refund(struct wallet *w, const char *lease,
		       int (*fn)(void *ctx, const struct wallet_refund *r), void *ctx,
		       struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(w->db, "SELECT lease, number, mint, msat, key, state FROM refund"
				" WHERE ?1 IS NULL OR lease = ?1 ORDER BY created, lease, number");
	struct wallet_refund r;
	struct refund_row row;
	int rc;

	db_bind_text(s, 1, str_of(lease));
	while ((rc = db_step(s, e)) == DB_ROW) {
		if (refund_of_row(&r, &row, s, e) < 0)
			return -1;
		if (fn(ctx, &r) != 0)
			return 0;
	}
	return rc;
}
