/* Replies: stored with the state change that they report, wrapped and published until a relay
 * accepts. A stored reply is also the answer to the same request asked again. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/step.h"
#include "lease/engine_impl.h"
#include "lease/message.h"

#define REPLY_BYTES  (128 * 1024)
#define KEEP_SECONDS (3 * 86400) /* as long as wraps of a request can come back */
#define GIVE_UP	     (2 * 86400)
#define KEEP_ROWS    100000
#define KEEP_BYTES   (64 << 20)
#define LONG_BYTES   4096 /* a reply with output, an archive or a template in it */
#define LONG_SECONDS 120
#define REPEAT_AFTER 60

struct sending {
	struct sending *next;
	struct engine *g;
	int64_t id;
	unsigned tries;
	struct nostr_mail *mail;
};

/* What goes out under which kind of rumor. */
struct letter {
	const char *request_id;
	int64_t kind;
	struct str text;
};

static int add_row(struct tx *tx, const struct pubkey *to, const struct letter *x, struct err *e)
{
	int64_t now = clock_wall();
	struct stmt *s = tx_write(tx, "INSERT INTO outbox(author,request_id,reply,created_at,"
				      "next_at,kind) VALUES(?,?,?,?,?,?)");

	db_bind_blob(s, 1, to->b, sizeof(to->b));
	db_bind_text(s, 2, str_of(x->request_id));
	db_bind_secret(s, 3, "outbox.reply", x->text.p, x->text.n);
	db_bind_i64(s, 4, now);
	db_bind_i64(s, 5, now);
	db_bind_i64(s, 6, x->kind);
	return tx_run(s, NULL, e) ? err_wrap(e, "store reply") : 0;
}

int outbox_add(struct engine *g, struct tx *tx, const struct pubkey *to, const struct reply *r,
	       struct err *e)
{
	auto_buf struct buf text = BUF(REPLY_BYTES);

	if (reply_encode(&text, r, e) < 0)
		return -1;
	return add_row(tx, to, &(struct letter){r->request_id, LEASE_KIND_REPLY, buf_view(&text)},
		       e);
}

int outbox_say(struct engine *g, struct tx *tx, const struct pubkey *to, const struct reply *r,
	       struct err *e)
{
	auto_buf struct buf text = BUF(1024);

	message_words(&text, r);
	if (buf_check(&text, "words", e) < 0)
		return -1;
	return add_row(tx, to, &(struct letter){r->request_id, NOSTR_DM_CHAT, buf_view(&text)}, e);
}

static struct sending *find_sending(const struct engine *g, int64_t id)
{
	struct sending *s = g->sending;

	while (s && s->id != id)
		s = s->next;
	return s;
}

static void drop_sending(struct sending *s)
{
	struct sending **p = &s->g->sending;

	while (*p != s)
		p = &(*p)->next;
	*p = s->next;
	free(s);
}

static void mark(struct engine *g, int64_t id, const char *sql, int64_t value)
{
	auto_tx struct tx *tx = NULL;
	struct err e;
	struct stmt *s;

	if (db_begin(&tx, g->db, &e) < 0) {
		log_warn("outbox: %s", e.msg);
		return;
	}
	s = tx_write(tx, sql);
	db_bind_i64(s, 1, value);
	db_bind_i64(s, 2, id);
	if (tx_run(s, NULL, &e) || db_commit(&tx, &e) < 0)
		log_warn("outbox: %s", e.msg);
}

static void outbox_due(void *ctx)
{
	struct engine *g = ctx;

	g->outbox_timer = NULL;
	outbox_kick(g);
}

static void published(void *ctx, enum nostr_pub_stage stage, const struct nostr_pub_result *r,
		      size_t n)
{
	struct sending *s = ctx;
	struct engine *g = s->g;
	bool accepted = false;
	unsigned wait;

	for (size_t i = 0; i < n; i++)
		accepted |= r[i].state == NOSTR_PUB_ACCEPTED;
	if (stage == NOSTR_PUB_FIRST) {
		mark(g, s->id, "UPDATE outbox SET sent_at = ? WHERE id = ?", clock_wall());
		step_at(STEP_LEASE_REPLIED);
		return;
	}
	if (!accepted) {
		wait = s->tries < 7 ? 2u << s->tries : 300;
		mark(g, s->id, "UPDATE outbox SET next_at = ?, tries = tries + 1 WHERE id = ?",
		     clock_wall() + wait);
		if (!g->outbox_timer)
			g->outbox_timer = loop_timer_add(g->loop, wait * 1000, outbox_due, g);
	}
	drop_sending(s);
}

struct due {
	int64_t id;
	unsigned tries;
	uint32_t kind;
	struct pubkey to;
};

static int publish(struct engine *g, const struct due *d, struct str text, struct err *e)
{
	const struct nostr_wrap_how how = {.now = clock_wall(),
					   .backdate = NOSTR_BACKDATE,
					   .expires = clock_wall() + KEEP_SECONDS};
	auto_event struct nostr_event *rumor = nostr_event_new(d->kind, how.now, text);
	struct nostr_mail_ask a = {
		.rumor = rumor, .from = &g->me.secret, .to = &d->to, .how = how, .fn = published};
	struct sending *s;

	if (d->kind == NOSTR_DM_CHAT)
		nostr_event_tag_key(rumor, "p", &d->to); /* NIP-17 */
	s = mem_zero(sizeof(*s));
	s->g = g;
	s->id = d->id;
	s->tries = d->tries;
	s->next = g->sending;
	g->sending = s;
	a.ctx = s;
	if (nostr_mail_send(&s->mail, g->pool, &a, e) < 0) {
		drop_sending(s);
		return -1;
	}
	return 0;
}

static int publish_row(struct engine *g, struct stmt *row, struct err *e)
{
	auto_buf struct buf text = BUF(REPLY_BYTES);
	struct str author = db_blob(row, 1);
	struct due d = {.id = db_i64(row, 0),
			.tries = (unsigned)db_i64(row, 3),
			.kind = (uint32_t)db_i64(row, 4)};

	if (find_sending(g, d.id) || author.n != sizeof(d.to.b) || db_is_null(row, 2))
		return 0;
	memcpy(d.to.b, author.p, sizeof(d.to.b));
	if (db_secret(&text, row, 2, "outbox.reply", e) < 0)
		return -1;
	return publish(g, &d, buf_view(&text), e);
}

void outbox_kick(struct engine *g)
{
	auto_stmt struct stmt *s =
		db_query(g->db, "SELECT id,author,reply,tries,kind FROM outbox WHERE sent_at = 0"
				" AND next_at <= ? AND created_at > ? ORDER BY id LIMIT 200");
	struct err e;
	int rc;

	db_bind_i64(s, 1, clock_wall());
	db_bind_i64(s, 2, clock_wall() - GIVE_UP);
	while ((rc = db_step(s, &e)) == DB_ROW)
		if (publish_row(g, s, &e) < 0)
			log_warn("outbox: %s", e.msg);
	if (rc < 0)
		log_warn("outbox: %s", e.msg);
}

static int count_stored(struct engine *g, const struct pubkey *to, const char *request_id,
			int64_t *n, struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(g->db, "SELECT count(*) FROM outbox WHERE author = ? AND request_id = ?");

	db_bind_blob(s, 1, to->b, sizeof(to->b));
	db_bind_text(s, 2, str_of(request_id));
	if (db_step(s, e) < 0)
		return -1;
	*n = db_i64(s, 0);
	return 0;
}

int outbox_repeat(struct engine *g, const struct pubkey *to, const char *request_id, struct err *e)
{
	auto_tx struct tx *tx = NULL;
	int64_t now = clock_wall(), stored = 0;
	struct stmt *s;

	if (count_stored(g, to, request_id, &stored, e) < 0)
		return -1;
	if (!stored)
		return OUTBOX_NONE;
	if (db_begin(&tx, g->db, e) < 0)
		return -1;
	s = tx_write(tx, "UPDATE outbox SET sent_at = 0, tries = 0, next_at = ? WHERE author = ?"
			 " AND request_id = ? AND sent_at > 0 AND sent_at < ?");
	db_bind_i64(s, 1, now);
	db_bind_blob(s, 2, to->b, sizeof(to->b));
	db_bind_text(s, 3, str_of(request_id));
	db_bind_i64(s, 4, now - REPEAT_AFTER);
	if (tx_run(s, NULL, e) || db_commit(&tx, e) < 0)
		return -1;
	outbox_kick(g);
	return 0;
}

/* Behind how much that was sent nothing is kept: for whoever asks, and asks again, pays nothing. */
struct outbox_end {
	int64_t bytes, rows; /* ids; 0: it is not so much */
};

static int find_end(struct outbox_end *end, struct engine *g, struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(g->db, "SELECT id, length(reply) FROM outbox WHERE sent_at > 0"
				" ORDER BY id DESC");
	int64_t rows = 0, bytes = 0;
	int rc = DB_ROW;

	*end = (struct outbox_end){0};
	while (!end->rows && (rc = db_step(s, e)) == DB_ROW) {
		bytes += db_i64(s, 1);
		if (++rows > KEEP_ROWS)
			end->rows = db_i64(s, 0);
		if (!end->bytes && (end->rows || bytes > KEEP_BYTES))
			end->bytes = db_i64(s, 0);
	}
	return rc < 0 ? -1 : 0;
}

/* What is short is kept as long as its request may be repeated, the rest as long as a buyer waits.
 */
int outbox_prune(struct engine *g, struct err *e)
{
	auto_tx struct tx *tx = NULL;
	int64_t now = clock_wall();
	struct outbox_end end;
	struct stmt *s;

	if (find_end(&end, g, e) < 0 || db_begin(&tx, g->db, e) < 0)
		return -1;
	s = tx_write(tx, "DELETE FROM outbox WHERE created_at < ? OR (sent_at > 0 AND"
			 " ((id <= ? AND length(reply) > ? AND created_at < ?) OR"
			 " (id <= ? AND created_at < ?)))");
	db_bind_i64(s, 1, now - KEEP_SECONDS);
	db_bind_i64(s, 2, end.bytes);
	db_bind_i64(s, 3, LONG_BYTES);
	db_bind_i64(s, 4, now - LONG_SECONDS);
	db_bind_i64(s, 5, end.rows);
	db_bind_i64(s, 6, now - 2 * LEASE_EXPIRES_MAX);
	if (tx_run(s, NULL, e) || request_prune(tx, now - KEEP_SECONDS, KEEP_ROWS, e) < 0)
		return -1;
	return db_commit(&tx, e);
}

void outbox_send(struct engine *g, const struct pubkey *to, const struct reply *r)
{
	auto_tx struct tx *tx = NULL;
	struct err e;

	if (db_begin(&tx, g->db, &e) < 0 || outbox_add(g, tx, to, r, &e) < 0 ||
	    db_commit(&tx, &e) < 0) {
		log_warn("reply %s: %s", r->request_id, e.msg);
		return;
	}
	outbox_kick(g);
}

void outbox_close(struct engine *g)
{
	struct sending *s;

	loop_timer_del(g->outbox_timer);
	g->outbox_timer = NULL;
	while ((s = g->sending)) {
		nostr_mail_cancel(s->mail);
		drop_sending(s);
	}
}
