/* Owners hear once that a lease, or a volume that is kept, ends soon; again after a top-up. That
 * they were told of an end is stored with the message. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "lease/engine_impl.h"
#include "lease/outbox.h"

/* The next one that is to be told; STORE_NONE: none. */
static int find_due(struct db *d, int64_t now, struct lease *out, struct err *e)
{
	auto_stmt struct stmt *s = db_query(d, LEASE_SQL_ENDING);
	char id[LEASE_ID_HEX + 1];
	int rc;

	db_bind_i64(s, 1, now);
	db_bind_i64(s, 2, now + REPLY_WARN_MAX);
	while ((rc = db_step(s, e)) == DB_ROW) {
		int64_t at = reply_warn_at(db_i64(s, 1), db_i64(s, 2));

		if (!at || at > now)
			continue;
		snprintf(id, sizeof(id), "%.*s", (int)db_text(s, 0).n, db_text(s, 0).p);
		return lease_load(d, id, out, e);
	}
	return rc < 0 ? -1 : STORE_NONE;
}

static int tell(struct engine *g, const struct lease *l, struct err *e)
{
	auto_reply struct reply *r = reply_for(l, REPLY_STAGE_WARNING, REPLY_OK);
	auto_tx struct tx *tx = NULL;
	struct stmt *s;

	reply_say(r, "its paid time ends in %lld minutes, and then %s is erased; a top-up keeps it",
		  (long long)((l->expires_at - clock_wall()) / 60),
		  *l->kept ? "the volume" : "all that it has");
	if (db_begin(&tx, g->db, e) < 0)
		return -1;
	s = tx_write(tx, "UPDATE lease SET warned = expires_at WHERE id = ?");
	db_bind_text(s, 1, str_of(l->id));
	if (tx_run(s, NULL, e) || outbox_add(g, tx, &l->author, r, e) < 0)
		return -1;
	return db_commit(&tx, e);
}

void warnings_tell(struct engine *g)
{
	int64_t now = clock_wall();
	bool told = false;
	struct lease l;
	struct err e;
	int rc;

	while ((rc = find_due(g->db, now, &l, &e)) == 0 && (rc = tell(g, &l, &e)) == 0)
		told = true;
	if (rc < 0)
		log_broken("warnings: %s", e.msg);
	if (told)
		outbox_kick(g);
}
