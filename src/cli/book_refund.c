/* The buyer's book of refunds: see book.h. */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/book.h"

static enum book_refund_state state_of(const struct reply *r)
{
	if (r->refund)
		return BOOK_REFUND_HERE;
	return r->refund_state[0] == 't' ? BOOK_REFUND_ELSEWHERE : BOOK_REFUND_DUE;
}

int book_refund_learn(struct tx *tx, const char *name, const struct reply *r, struct err *e)
{
	enum book_refund_state state = state_of(r);
	struct stmt *s;

	if (!r->refund && !msat_raw(r->refund_due))
		return 0;
	s = tx_write(tx, "INSERT INTO book_refund(name, number, state, sat, token, at)"
			 " VALUES(?1,?2,?3,?4,?5,?6) ON CONFLICT(name, number) DO UPDATE SET"
			 " state = excluded.state, sat = excluded.sat, token = excluded.token"
			 " WHERE state = ?7");
	db_bind_text(s, 1, str_of(name));
	db_bind_i64(s, 2, r->refund_number ? r->refund_number : 1);
	db_bind_i64(s, 3, state);
	db_bind_i64(s, 4, (int64_t)sat_raw(r->refund ? r->refund_sat : msat_floor(r->refund_due)));
	if (r->refund)
		db_bind_secret(s, 5, "book_refund.token", r->refund, strlen(r->refund));
	else
		db_bind_blob(s, 5, NULL, 0);
	db_bind_i64(s, 6, clock_wall());
	db_bind_i64(s, 7, BOOK_REFUND_DUE);
	return tx_run(s, NULL, e) ? err_wrap(e, "refund of %s", name) : 0;
}

int book_refund_close(struct tx *tx, const char *name, const struct book_refund *r, struct err *e)
{
	struct stmt *s = tx_write(tx, "UPDATE book_refund SET state = ?, sat = ?, token = NULL"
				      " WHERE name = ? AND number = ?");

	db_bind_i64(s, 1, r->state);
	db_bind_i64(s, 2, (int64_t)sat_raw(r->amount));
	db_bind_text(s, 3, str_of(name));
	db_bind_i64(s, 4, r->number);
	return tx_run(s, NULL, e) ? err_wrap(e, "refund of %s", name) : 0;
}

int book_each_refund(struct db *d, const char *name,
		     int (*fn)(void *ctx, const struct book_refund *r), void *ctx, struct err *e)
{
	auto_stmt struct stmt *s = db_query(
		d, "SELECT number, state, sat FROM book_refund WHERE name = ? ORDER BY number");
	struct book_refund r;
	int rc;

	db_bind_text(s, 1, str_of(name));
	while ((rc = db_step(s, e)) == DB_ROW) {
		r.number = (uint32_t)db_i64(s, 0);
		r.state = (enum book_refund_state)db_i64(s, 1);
		if (!sat_make(&r.amount, (uint64_t)db_i64(s, 2)))
			return err_set(e, ERRK_STATE, "refund of %s: amount", name);
		if (fn(ctx, &r))
			return 0;
	}
	return rc;
}

int book_refund_token(struct db *d, const char *name, uint32_t number, struct buf *out,
		      struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(d, "SELECT token FROM book_refund WHERE name = ? AND number = ?");
	int rc;

	db_bind_text(s, 1, str_of(name));
	db_bind_i64(s, 2, number);
	rc = db_step(s, e);
	if (rc < 0)
		return -1;
	if (rc != DB_ROW || db_is_null(s, 0))
		return BOOK_NONE;
	return db_secret(out, s, 0, "book_refund.token", e);
}
