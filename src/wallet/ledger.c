/* The ledger: postings between accounts, written in the transaction of what they book. */
#include "base/clock.h"
#include "wallet/wallet.h"

static int balance_add(struct tx *tx, enum ledger_account a, const char *mint, int64_t msat,
		       struct err *e)
{
	struct stmt *s = tx_write(tx, "INSERT INTO balance (account, mint, msat) VALUES (?, ?, ?)"
				      " ON CONFLICT (account, mint) DO UPDATE"
				      " SET msat = msat + excluded.msat");

	db_bind_i64(s, 1, a);
	db_bind_text(s, 2, str_of(mint));
	db_bind_i64(s, 3, msat);
	return tx_run(s, NULL, e) < 0 ? -1 : 0;
}

int ledger_post(struct tx *tx, const struct ledger_posting *p, struct err *e)
{
	int64_t msat = (int64_t)msat_raw(p->amount);
	struct stmt *s;

	if (msat == 0)
		return 0;

	s = tx_write(tx, "INSERT INTO posting (at, source, target, msat, mint, ref, plan)"
			 " VALUES (?, ?, ?, ?, ?, ?, nullif(?, 0))");
	db_bind_i64(s, 1, clock_wall());
	db_bind_i64(s, 2, p->from);
	db_bind_i64(s, 3, p->to);
	db_bind_i64(s, 4, msat);
	db_bind_text(s, 5, str_of(p->mint));
	db_bind_text(s, 6, str_of(p->ref ? p->ref : ""));
	db_bind_i64(s, 7, p->plan);
	if (tx_run(s, NULL, e) < 0 || balance_add(tx, p->from, p->mint, -msat, e) < 0 ||
	    balance_add(tx, p->to, p->mint, msat, e) < 0)
		return err_wrap(e, "ledger");
	return 0;
}

int ledger_sum(struct db *d, enum ledger_account a, const char *ref, int64_t *msat, struct err *e)
{
	auto_stmt struct stmt *s =
		ref ? db_query(d, "SELECT coalesce(sum(iif(target = ?1, msat, -msat)), 0)"
				  " FROM posting WHERE ref = ?2 AND ?1 IN (source, target)")
		    : db_query(d, "SELECT coalesce(sum(iif(target = ?1, msat, -msat)), 0)"
				  " FROM posting WHERE ?1 IN (source, target)");

	db_bind_i64(s, 1, a);
	if (ref)
		db_bind_text(s, 2, str_of(ref));
	if (db_step(s, e) != DB_ROW)
		return err_wrap(e, "ledger");
	*msat = db_i64(s, 0);
	return 0;
}

int ledger_balance(struct db *d, enum ledger_account a, const char *mint, int64_t *msat,
		   struct err *e)
{
	auto_stmt struct stmt *s = db_query(d, "SELECT coalesce(sum(msat), 0) FROM balance"
					       " WHERE account = ?1 AND (?2 IS NULL OR mint = ?2)");

	db_bind_i64(s, 1, a);
	db_bind_text(s, 2, str_of(mint));
	if (db_step(s, e) != DB_ROW)
		return err_wrap(e, "ledger");
	*msat = db_i64(s, 0);
	return 0;
}
