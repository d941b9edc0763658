/* The hourly record: each beat marks its minute; an hour that is over is signed once, in one
 * commit, and published until a relay takes it. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "lease/engine_impl.h"
#include "proto/hour.h"

#define EVENT_MAX 4096

static int mark_minute(struct tx *tx, int64_t now, struct err *e)
{
	struct stmt *s = tx_write(tx, "INSERT INTO hour(hour,minutes) VALUES(?1,?2)"
				      " ON CONFLICT(hour) DO UPDATE SET minutes = minutes | ?2");

	db_bind_i64(s, 1, now / 3600);
	db_bind_i64(s, 2, (int64_t)(UINT64_C(1) << (now / 60 % 60)));
	return tx_run(s, NULL, e) ? -1 : 0;
}

/* The oldest hour that is over and not signed, and the record before it; STORE_NONE: none. */
static int load_open(struct hour *h, struct engine *g, int64_t now, struct err *e)
{
	auto_stmt struct stmt *open = db_query(
		g->db, "SELECT hour,minutes FROM hour WHERE hour < ? AND id IS NULL ORDER BY hour");
	auto_stmt struct stmt *last =
		db_query(g->db, "SELECT id FROM hour WHERE hour < ? AND id IS NOT NULL"
				" ORDER BY hour DESC LIMIT 1");
	int rc;

	memset(h, 0, sizeof(*h));
	db_bind_i64(open, 1, now / 3600);
	rc = db_step(open, e);
	if (rc != DB_ROW)
		return rc < 0 ? -1 : STORE_NONE;
	h->hour = db_i64(open, 0);
	h->minutes = (uint64_t)db_i64(open, 1);
	db_bind_i64(last, 1, h->hour);
	rc = db_step(last, e);
	h->has_previous = rc == DB_ROW && db_blob(last, 0).n == sizeof(h->previous);
	if (h->has_previous)
		memcpy(h->previous, db_blob(last, 0).p, sizeof(h->previous));
	return rc < 0 ? -1 : 0;
}

static int sign_one(struct engine *g, struct tx *tx, const struct hour *h, int64_t now,
		    struct err *e)
{
	auto_event struct nostr_event *ev = NULL;
	auto_buf struct buf text = BUF(EVENT_MAX);
	struct stmt *s;

	if (hour_to_event(&ev, h, now, &g->me.secret, e) < 0)
		return -1;
	nostr_event_write(&text, ev);
	if (buf_check(&text, "hour", e) < 0)
		return -1;
	s = tx_write(tx, "UPDATE hour SET id = ?, event = ? WHERE hour = ?");
	db_bind_blob(s, 1, ev->id, sizeof(ev->id));
	db_bind_text(s, 2, buf_view(&text));
	db_bind_i64(s, 3, h->hour);
	return tx_run(s, NULL, e) ? -1 : 0;
}

static int sign_hours(struct engine *g, int64_t now, struct err *e)
{
	struct hour h;
	int rc;

	while ((rc = load_open(&h, g, now, e)) == 0) {
		auto_tx struct tx *tx = NULL;

		memcpy(h.agent, g->set.instance, strnlen(g->set.instance, sizeof(h.agent) - 1));
		if (db_begin(&tx, g->db, e) < 0 || sign_one(g, tx, &h, now, e) < 0 ||
		    db_commit(&tx, e) < 0)
			return -1;
	}
	return rc < 0 ? -1 : 0;
}

static void published(void *ctx, enum nostr_pub_stage stage, const struct nostr_pub_result *r,
		      size_t n)
{
	struct engine *g = ctx;
	auto_tx struct tx *tx = NULL;
	struct err e;
	struct stmt *s;

	if (stage == NOSTR_PUB_DONE)
		g->hour_under_way = false;
	/* One at a time: the oldest unsent is the one that was published. */
	if (stage != NOSTR_PUB_FIRST)
		return;
	if (db_begin(&tx, g->db, &e) < 0) {
		log_warn("hour: %s", e.msg);
		return;
	}
	s = tx_write(tx, "UPDATE hour SET event = NULL WHERE hour ="
			 " (SELECT min(hour) FROM hour WHERE event IS NOT NULL)");
	if (tx_run(s, NULL, &e) || db_commit(&tx, &e) < 0)
		log_warn("hour: %s", e.msg);
}

static int publish_oldest(struct engine *g, struct err *e)
{
	auto_stmt struct stmt *s = db_query(
		g->db, "SELECT event FROM hour WHERE event IS NOT NULL ORDER BY hour LIMIT 1");
	auto_event struct nostr_event *ev = NULL;
	int rc = db_step(s, e);

	if (rc != DB_ROW)
		return rc;
	if (nostr_event_parse(&ev, db_text(s, 0), e) < 0)
		return -1;
	nostr_pool_publish(g->pool, &(struct nostr_pub_ask){.event = ev,
							    .relays = g->public_relays,
							    .fn = published,
							    .ctx = g});
	g->hour_under_way = true;
	return 0;
}

static int mark(struct engine *g, int64_t now, struct err *e)
{
	auto_tx struct tx *tx = NULL;
	struct stmt *s;

	if (db_begin(&tx, g->db, e) < 0 || mark_minute(tx, now, e) < 0)
		return -1;
	s = tx_write(tx, "DELETE FROM hour WHERE hour < ?");
	db_bind_i64(s, 1, now / 3600 - HOUR_KEPT);
	return tx_run(s, NULL, e) ? -1 : db_commit(&tx, e);
}

void hour_beat(struct engine *g)
{
	int64_t now = clock_wall();
	struct err e;

	if (mark(g, now, &e) < 0 || sign_hours(g, now, &e) < 0 ||
	    (!g->hour_under_way && publish_oldest(g, &e) < 0))
		log_broken("hourly record: %s", e.msg);
}
