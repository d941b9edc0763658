/* What is stored of restarts: SQL only. */
#include <string.h>

#include "base/mem.h"
#include "lease/restart.h"
#include "lease/store.h"

#define WAITING " FROM lease WHERE state = 5 AND " LEASE_SQL_LIVE_STATES " AND halt = 4"

int restart_save(struct tx *tx, const struct lease *l, struct err *e)
{
	struct stmt *s = tx_write(tx, "UPDATE lease SET restart_max=?, restarts=?, restart_wait=?,"
				      " restart_at=?, run_since=?, spared=? WHERE id=?");

	db_bind_i64(s, 1, l->restart.max);
	db_bind_i64(s, 2, l->restart.done);
	db_bind_i64(s, 3, l->restart.wait);
	db_bind_i64(s, 4, l->restart.at);
	db_bind_i64(s, 5, l->restart.since);
	db_bind_i64(s, 6, l->restart.spared);
	db_bind_text(s, 7, str_of(l->id));
	return tx_run(s, NULL, e) ? err_wrap(e, "lease %s", l->id) : 0;
}

int restart_next(struct db *d, int64_t *at, struct err *e)
{
	auto_stmt struct stmt *s = db_query(d, "SELECT min(restart_at)" WAITING);

	*at = 0;
	if (db_step(s, e) < 0)
		return -1;
	*at = db_i64(s, 0);
	return 0;
}

int restart_each_due(struct db *d, int64_t now, int64_t longest,
		     void (*fn)(void *ctx, const char *id), void *ctx, struct err *e)
{
	auto_free char(*ids)[LEASE_ID_HEX + 1] = NULL;
	struct stmt *s =
		db_query(d, "SELECT id" WAITING " AND (restart_at <= ?1 OR restart_at > ?1 + ?2)");
	size_t n = 0;
	int rc;

	db_bind_i64(s, 1, now);
	db_bind_i64(s, 2, longest);
	while ((rc = db_step(s, e)) == DB_ROW) {
		struct str id = db_text(s, 0);

		ids = mem_grow(ids, n + 1, sizeof(*ids));
		memset(ids[n], 0, sizeof(*ids));
		memcpy(ids[n++], id.p, id.n < LEASE_ID_HEX ? id.n : LEASE_ID_HEX);
	}
	db_done(s); /* fn may write */
	for (size_t i = 0; rc >= 0 && i < n; i++)
		fn(ctx, ids[i]);
	return rc < 0 ? -1 : 0;
}
