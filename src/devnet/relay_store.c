#include "devnet/relay_store.h"

#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"

struct relay_store {
	struct db *db;
	struct stored_event **v; /* newest first, then lowest id */
	size_t n, room;
};

static const struct db_migration steps[] = {
	{1, "CREATE TABLE event (id BLOB PRIMARY KEY, json TEXT NOT NULL) WITHOUT ROWID"},
};
static const struct db_schema schema = {"relay", steps, ARRAY_SIZE(steps)};

static void stored_free(struct stored_event *x)
{
	nostr_event_free(x->event);
	free(x->json);
	free(x);
}

/* < 0: a stands before b. */
static int order(const struct nostr_event *a, const struct nostr_event *b)
{
	if (a->created_at != b->created_at)
		return a->created_at > b->created_at ? -1 : 1;
	return memcmp(a->id, b->id, sizeof(a->id));
}

/* Where `ev` stands or would stand. */
static size_t place_of(const struct relay_store *s, const struct nostr_event *ev)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (order(s->v[mid]->event, ev) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool same_address(const struct nostr_event *a, const struct nostr_event *b)
{
	if (a->kind != b->kind || !pubkey_eq(&a->pubkey, &b->pubkey))
		return false;
	if (nostr_kind_replaceable(a->kind))
		return true;
	return nostr_kind_addressable(a->kind) &&
	       str_eq(nostr_event_value(a, "d"), nostr_event_value(b, "d"));
}

static size_t find_address(const struct relay_store *s, const struct nostr_event *ev)
{
	size_t i = 0;

	if (!nostr_kind_replaceable(ev->kind) && !nostr_kind_addressable(ev->kind))
		return s->n;
	while (i < s->n && !same_address(s->v[i]->event, ev))
		i++;
	return i;
}

static struct stored_event *insert(struct relay_store *s, struct nostr_event *ev)
{
	struct stored_event *x = mem_zero(sizeof(*x));
	auto_buf struct buf b = BUF(2 * NOSTR_EVENT_MAX);
	size_t at = place_of(s, ev);

	nostr_event_write(&b, ev);
	x->event = ev;
	x->n = b.n;
	x->json = buf_steal(&b);
	if (s->n == s->room) {
		s->room = s->room ? 2 * s->room : 256;
		s->v = mem_grow(s->v, s->room, sizeof(struct stored_event *));
	}
	memmove(s->v + at + 1, s->v + at, (s->n - at) * sizeof(struct stored_event *));
	s->v[at] = x;
	s->n++;
	return x;
}

static void take_out(struct relay_store *s, size_t i)
{
	stored_free(s->v[i]);
	memmove(s->v + i, s->v + i + 1, (s->n - i - 1) * sizeof(struct stored_event *));
	s->n--;
}

static int write_through(struct relay_store *s, const struct stored_event *x,
			 const uint8_t *replaced, struct err *e)
{
	struct tx *tx auto_tx = NULL;
	struct stmt *q;

	if (!s->db)
		return 0;
	if (db_begin(&tx, s->db, e) < 0)
		return -1;
	if (replaced) {
		q = tx_write(tx, "DELETE FROM event WHERE id = ?");
		db_bind_blob(q, 1, replaced, 32);
		if (tx_run(q, NULL, e) < 0)
			return -1;
	}
	q = tx_write(tx, "INSERT OR REPLACE INTO event (id, json) VALUES (?, ?)");
	db_bind_blob(q, 1, x->event->id, 32);
	db_bind_text(q, 2, (struct str){x->json, x->n});
	if (tx_run(q, NULL, e) < 0)
		return -1;
	return db_commit(&tx, e);
}

int relay_store_put(struct relay_store *s, struct nostr_event *ev, enum relay_put *how,
		    const struct stored_event **kept, struct err *e)
{
	size_t at = place_of(s, ev), old = find_address(s, ev);
	uint8_t replaced[32];
	bool replaces = old < s->n;

	*kept = NULL;
	if (at < s->n && order(s->v[at]->event, ev) == 0)
		*how = RELAY_DUPLICATE;
	else if (replaces && !nostr_event_newer(ev, s->v[old]->event))
		*how = RELAY_OLDER;
	else
		*how = RELAY_NEW;
	if (*how != RELAY_NEW) {
		nostr_event_free(ev);
		return 0;
	}
	if (replaces) {
		memcpy(replaced, s->v[old]->event->id, sizeof(replaced));
		take_out(s, old);
	}
	*kept = insert(s, ev);
	return write_through(s, *kept, replaces ? replaced : NULL, e);
}

void relay_store_find(const struct relay_store *s, const struct nostr_filter *f, int64_t now,
		      size_t limit, relay_store_fn *fn, void *ctx)
{
	for (size_t i = 0; i < s->n && limit; i++) {
		const struct stored_event *x = s->v[i];

		if (f->since >= 0 && x->event->created_at < f->since)
			break;
		if (!nostr_filter_match(f, x->event) || nostr_event_expired(x->event, now))
			continue;
		fn(ctx, x);
		limit--;
	}
}

size_t relay_store_count(const struct relay_store *s)
{
	return s->n;
}

static int load(struct relay_store *s, struct err *e)
{
	struct stmt *q auto_stmt = db_query(s->db, "SELECT json FROM event");
	int rc;

	while ((rc = db_step(q, e)) == DB_ROW) {
		struct nostr_event *ev;
		struct err why;

		if (nostr_event_parse(&ev, db_text(q, 0), &why) < 0)
			log_warn("an event in the database is unreadable: %s", why.msg);
		else
			insert(s, ev);
	}
	return rc;
}

int relay_store_new(struct relay_store **out, struct db *d, struct err *e)
{
	struct relay_store *s AUTO(relay_store_free) = mem_zero(sizeof(*s));

	s->db = d;
	if (d && (db_migrate(d, &schema, e) < 0 || load(s, e) < 0))
		return -1;
	*out = steal(&s);
	return 0;
}

void relay_store_free(struct relay_store *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++)
		stored_free(s->v[i]);
	free(s->v);
	free(s);
}
