/* Rows of wishes for a larger disk; see grow.h. */
#include <string.h>

#include "lease/grow.h"

int grow_wish(struct tx *tx, const char *lease, const struct grow_wish *w, struct err *e)
{
	struct stmt *s = tx_write(
		tx, "INSERT INTO grow(lease,was,bytes,msat,per,request_id) VALUES(?,?,?,?,?,?)");

	db_bind_text(s, 1, str_of(lease));
	db_bind_i64(s, 2, (int64_t)w->was);
	db_bind_i64(s, 3, (int64_t)w->bytes);
	db_bind_i64(s, 4, (int64_t)w->price.msat);
	db_bind_i64(s, 5, (int64_t)w->price.per);
	db_bind_text(s, 6, str_of(w->request_id));
	if (tx_run(s, NULL, e))
		return -1;
	s = tx_write(tx, "UPDATE lease SET disk = ? WHERE id = ?");
	db_bind_i64(s, 1, (int64_t)w->bytes);
	db_bind_text(s, 2, str_of(lease));
	return tx_run(s, NULL, e) ? -1 : 0;
}

int grow_load(struct db *d, const char *lease, struct grow_wish *out, struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(d, "SELECT was,bytes,msat,per,request_id FROM grow WHERE lease = ?");
	struct str id;
	int rc;

	db_bind_text(s, 1, str_of(lease));
	rc = db_step(s, e);
	if (rc != DB_ROW)
		return rc < 0 ? -1 : STORE_NONE;
	*out = (struct grow_wish){.was = (uint64_t)db_i64(s, 0),
				  .bytes = (uint64_t)db_i64(s, 1),
				  .price = {(uint64_t)db_i64(s, 2), (uint64_t)db_i64(s, 3)}};
	id = db_text(s, 4);
	if (id.n < sizeof(out->request_id))
		memcpy(out->request_id, id.p, id.n);
	return 0;
}

int grow_forget(struct tx *tx, const char *lease, struct err *e)
{
	struct stmt *s = tx_write(tx, "DELETE FROM grow WHERE lease = ?");

	db_bind_text(s, 1, str_of(lease));
	return tx_run(s, NULL, e) ? -1 : 0;
}

int grow_done(struct tx *tx, const struct lease *l, struct err *e)
{
	struct stmt *s = tx_write(tx, "UPDATE lease SET price_msat=?, price_per=?, spent_msat=?,"
				      " priced_at=?, expires_at=? WHERE id=?");

	db_bind_i64(s, 1, (int64_t)l->price.msat);
	db_bind_i64(s, 2, (int64_t)l->price.per);
	db_bind_i64(s, 3, (int64_t)msat_raw(l->spent));
	db_bind_i64(s, 4, l->priced_at);
	db_bind_i64(s, 5, l->expires_at);
	db_bind_text(s, 6, str_of(l->id));
	return tx_run(s, NULL, e) ? -1 : grow_forget(tx, l->id, e);
}

int grow_undo(struct tx *tx, const char *lease, struct err *e)
{
	struct stmt *s =
		tx_write(tx, "UPDATE lease SET disk = (SELECT was FROM grow WHERE lease = id)"
			     " WHERE id IN (SELECT lease FROM grow WHERE lease = ?)");

	db_bind_text(s, 1, str_of(lease));
	return tx_run(s, NULL, e) ? -1 : grow_forget(tx, lease, e);
}
