/* The buyer's book: see book.h. */
#include "cli/book.h"

#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/proc.h"

#define HALTED_LOCKED 2 /* in the column halted */

static const struct db_migration steps[] = {
	{1,
	 "CREATE TABLE book(name TEXT PRIMARY KEY, state INTEGER NOT NULL, provider BLOB NOT NULL,"
	 " lease TEXT NOT NULL, offer TEXT NOT NULL, mint TEXT NOT NULL, payment_key TEXT NOT NULL,"
	 " price_msat INTEGER NOT NULL, price_per INTEGER NOT NULL, image TEXT NOT NULL,"
	 " request_id TEXT NOT NULL, paid_msat INTEGER NOT NULL, refund_msat INTEGER NOT NULL,"
	 " created_at INTEGER NOT NULL, started_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,"
	 " ended_at INTEGER NOT NULL, exit_status INTEGER NOT NULL, why TEXT NOT NULL,"
	 " receipt TEXT);"
	 "CREATE TABLE ask(request_id TEXT PRIMARY KEY, name TEXT NOT NULL,"
	 " token_out INTEGER NOT NULL, rumor_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,"
	 " text BLOB, open INTEGER NOT NULL DEFAULT 1,"
	 " owner_pid INTEGER NOT NULL, owner_start INTEGER NOT NULL);"
	 "CREATE TABLE book_refund(name TEXT NOT NULL, number INTEGER NOT NULL,"
	 " state INTEGER NOT NULL, sat INTEGER NOT NULL, token BLOB, at INTEGER NOT NULL,"
	 " PRIMARY KEY (name, number)) WITHOUT ROWID;"
	 "CREATE INDEX ask_open ON ask(open) WHERE open = 1;"},
	{2, "ALTER TABLE book ADD COLUMN halted INTEGER NOT NULL DEFAULT 0;"},
	{3, "ALTER TABLE book ADD COLUMN image_digest TEXT NOT NULL DEFAULT '';"},
	{4, "ALTER TABLE book ADD COLUMN ports TEXT NOT NULL DEFAULT '';"
	    "ALTER TABLE book ADD COLUMN address TEXT NOT NULL DEFAULT '';"
	    "ALTER TABLE book ADD COLUMN address6 TEXT NOT NULL DEFAULT '';"
	    "ALTER TABLE book ADD COLUMN cut INTEGER NOT NULL DEFAULT 0;"},
	{5, "ALTER TABLE book ADD COLUMN restarts INTEGER NOT NULL DEFAULT 0;"
	    "ALTER TABLE book ADD COLUMN health TEXT NOT NULL DEFAULT '';"},
	{6, "ALTER TABLE book ADD COLUMN volume INTEGER NOT NULL DEFAULT 0;"},
};

static const struct db_schema schema = {"book", steps, ARRAY_SIZE(steps)};

int book_migrate(struct db *d, struct err *e)
{
	return db_migrate(d, &schema, e);
}

const char *book_state_name(enum book_state s)
{
	static const char *const names[] = {
		[BOOK_ASKED] = "asked",	  [BOOK_REFUSED] = "refused", [BOOK_RUNNING] = "running",
		[BOOK_FAILED] = "failed", [BOOK_ENDED] = "ended",
	};

	return names[s];
}

static void bind_entry(struct stmt *s, const struct book_entry *b)
{
	db_bind_i64(s, 1, b->state);
	db_bind_blob(s, 2, b->provider.b, sizeof(b->provider.b));
	db_bind_text(s, 3, str_of(b->lease));
	db_bind_text(s, 4, str_of(b->offer));
	db_bind_text(s, 5, str_of(b->mint));
	db_bind_text(s, 6, str_of(b->payment_key));
	db_bind_i64(s, 7, (int64_t)b->price.msat);
	db_bind_i64(s, 8, (int64_t)b->price.per);
	db_bind_text(s, 9, str_of(b->image));
	db_bind_text(s, 10, str_of(b->request_id));
	db_bind_i64(s, 11, (int64_t)msat_raw(b->paid));
	db_bind_i64(s, 12, (int64_t)msat_raw(b->refund_due));
	db_bind_i64(s, 13, b->created_at);
	db_bind_i64(s, 14, b->started_at);
	db_bind_i64(s, 15, b->expires_at);
	db_bind_i64(s, 16, b->ended_at);
	db_bind_i64(s, 17, b->exit_status);
	db_bind_text(s, 18, str_of(b->why));
	db_bind_i64(s, 19, b->locked ? HALTED_LOCKED : b->halted);
	db_bind_text(s, 20, str_of(b->image_digest));
	db_bind_text(s, 21, str_of(b->ports));
	db_bind_text(s, 22, str_of(b->address));
	db_bind_text(s, 23, str_of(b->address6));
	db_bind_i64(s, 24, b->cut);
	db_bind_i64(s, 25, b->restarts);
	db_bind_text(s, 26, str_of(b->health));
	db_bind_i64(s, 27, (int64_t)b->volume);
	db_bind_text(s, 28, str_of(b->name));
}

#define BOOK_GONE                                                                                  \
	"state = 2 AND NOT EXISTS (SELECT 1 FROM ask WHERE ask.name = book.name AND open = 1)"

int book_name_free(struct db *d, const char *name, struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(d, "SELECT state FROM book WHERE name = ? AND NOT (" BOOK_GONE ")");
	int rc;

	db_bind_text(s, 1, str_of(name));
	rc = db_step(s, e);
	if (rc != DB_ROW)
		return rc < 0 ? -1 : 1;
	if (db_i64(s, 0) == BOOK_ENDED)
		err_set(e, ERRK_INPUT,
			"%s has ended, and its receipt is kept under that name (lease show): "
			"choose "
			"another one",
			name);
	else
		err_set(e, ERRK_INPUT, "there is a lease or volume named %s already", name);
	return 0;
}

int book_knows(struct db *d, const struct pubkey *provider, struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(d, "SELECT 1 FROM book WHERE provider = ? AND started_at > 0");
	int rc;

	db_bind_blob(s, 1, provider->b, sizeof(provider->b));
	rc = db_step(s, e);
	return rc < 0 ? -1 : rc == DB_ROW;
}

static int drop_refused(struct tx *tx, const char *name, struct err *e)
{
	struct stmt *s = tx_write(tx, "DELETE FROM book WHERE name = ? AND " BOOK_GONE);

	db_bind_text(s, 1, str_of(name));
	return tx_run(s, NULL, e);
}

int book_add(struct tx *tx, const struct book_entry *b, struct err *e)
{
	struct stmt *s;
	int rc;

	if (drop_refused(tx, b->name, e) < 0)
		return -1;
	s = tx_write(tx, "INSERT INTO book(state,provider,lease,offer,mint,payment_key,"
			 "price_msat,price_per,image,request_id,paid_msat,refund_msat,"
			 "created_at,started_at,expires_at,ended_at,exit_status,why,halted,"
			 "image_digest,ports,address,address6,cut,restarts,health,volume,name)"
			 " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
	bind_entry(s, b);
	rc = tx_run(s, NULL, e);
	return rc == DB_CONFLICT ? BOOK_TAKEN : rc;
}

int book_save(struct tx *tx, const struct book_entry *b, struct err *e)
{
	struct stmt *s = tx_write(
		tx, "UPDATE book SET state=?,provider=?,lease=?,offer=?,mint=?,payment_key=?,"
		    "price_msat=?,price_per=?,image=?,request_id=?,paid_msat=?,refund_msat=?,"
		    "created_at=?,started_at=?,expires_at=?,ended_at=?,exit_status=?,why=?,"
		    "halted=?,image_digest=?,ports=?,address=?,address6=?,cut=?,restarts=?,"
		    "health=?,volume=? WHERE name=?");

	bind_entry(s, b);
	return tx_run(s, NULL, e) ? err_wrap(e, "lease %s", b->name) : 0;
}

int book_rename(struct tx *tx, const char *name, const char *to, struct err *e)
{
	static const char *const sql[] = {"UPDATE book SET name = ? WHERE name = ?",
					  "UPDATE ask SET name = ? WHERE name = ?"};

	for (size_t i = 0; i < ARRAY_SIZE(sql); i++) {
		struct stmt *s = tx_write(tx, sql[i]);
		int rc;

		db_bind_text(s, 1, str_of(to));
		db_bind_text(s, 2, str_of(name));
		rc = tx_run(s, NULL, e);
		if (rc)
			return rc == DB_CONFLICT ? BOOK_TAKEN : rc;
	}
	return 0;
}

#define BOOK_COLUMNS                                                                               \
	"name,state,provider,lease,offer,mint,payment_key,price_msat,price_per,image,request_id,"  \
	"paid_msat,refund_msat,created_at,started_at,expires_at,ended_at,exit_status,why,halted,"  \
	"image_digest,ports,address,address6,cut,restarts,health,volume"

static void copy_text(char *dst, size_t size, struct str s)
{
	size_t n = s.n < size ? s.n : size - 1;

	if (n)
		memcpy(dst, s.p, n);
	dst[n] = 0;
}

static void read_entry(struct book_entry *b, struct stmt *s)
{
	struct str key = db_blob(s, 2);

	memset(b, 0, sizeof(*b));
	copy_text(b->name, sizeof(b->name), db_text(s, 0));
	b->state = (enum book_state)db_i64(s, 1);
	if (key.n == sizeof(b->provider.b))
		memcpy(b->provider.b, key.p, key.n);
	copy_text(b->lease, sizeof(b->lease), db_text(s, 3));
	copy_text(b->offer, sizeof(b->offer), db_text(s, 4));
	copy_text(b->mint, sizeof(b->mint), db_text(s, 5));
	copy_text(b->payment_key, sizeof(b->payment_key), db_text(s, 6));
	b->price.msat = (uint64_t)db_i64(s, 7);
	b->price.per = (uint64_t)db_i64(s, 8);
	copy_text(b->image, sizeof(b->image), db_text(s, 9));
	copy_text(b->request_id, sizeof(b->request_id), db_text(s, 10));
	b->paid = MSAT((uint64_t)db_i64(s, 11));
	b->refund_due = MSAT((uint64_t)db_i64(s, 12));
	b->created_at = db_i64(s, 13);
	b->started_at = db_i64(s, 14);
	b->expires_at = db_i64(s, 15);
	b->ended_at = db_i64(s, 16);
	b->exit_status = db_i64(s, 17);
	copy_text(b->why, sizeof(b->why), db_text(s, 18));
	b->halted = db_i64(s, 19) != 0;
	b->locked = db_i64(s, 19) == HALTED_LOCKED;
	copy_text(b->image_digest, sizeof(b->image_digest), db_text(s, 20));
	copy_text(b->ports, sizeof(b->ports), db_text(s, 21));
	copy_text(b->address, sizeof(b->address), db_text(s, 22));
	copy_text(b->address6, sizeof(b->address6), db_text(s, 23));
	b->cut = db_i64(s, 24) != 0;
	b->restarts = (uint32_t)db_i64(s, 25);
	copy_text(b->health, sizeof(b->health), db_text(s, 26));
	b->volume = (uint64_t)db_i64(s, 27);
}

int book_get(struct db *d, const char *name, struct book_entry *out, struct err *e)
{
	/* The beginning of an id counts only where it names one lease. */
	auto_stmt struct stmt *s =
		db_query(d, "SELECT " BOOK_COLUMNS " FROM book WHERE name = ?1"
			    " OR (length(?1) >= 4 AND substr(lease, 1, length(?1)) = ?1 AND 1 ="
			    " (SELECT count(*) FROM book WHERE substr(lease, 1, length(?1)) = ?1))"
			    " ORDER BY name = ?1 DESC LIMIT 1");
	int rc;

	db_bind_text(s, 1, str_of(name));
	rc = db_step(s, e);
	if (rc == DB_ROW)
		read_entry(out, s);
	return rc == DB_ROW ? 0 : rc < 0 ? -1 : BOOK_NONE;
}

int book_each(struct db *d, int (*fn)(void *ctx, const struct book_entry *b), void *ctx,
	      struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(d, "SELECT " BOOK_COLUMNS " FROM book ORDER BY created_at, name");
	struct book_entry b;
	int rc;

	while ((rc = db_step(s, e)) == DB_ROW) {
		read_entry(&b, s);
		if (fn(ctx, &b))
			return 0;
	}
	return rc;
}

int book_save_receipt(struct tx *tx, const char *name, const char *receipt, struct err *e)
{
	struct stmt *s = tx_write(tx, "UPDATE book SET receipt = ? WHERE name = ?");

	db_bind_text(s, 1, str_of(receipt));
	db_bind_text(s, 2, str_of(name));
	return tx_run(s, NULL, e) ? -1 : 0;
}

int book_receipt(struct db *d, const char *name, struct buf *out, struct err *e)
{
	auto_stmt struct stmt *s = db_query(d, "SELECT receipt FROM book WHERE name = ?");
	int rc;

	db_bind_text(s, 1, str_of(name));
	rc = db_step(s, e);
	if (rc < 0)
		return -1;
	if (rc != DB_ROW || db_is_null(s, 0))
		return BOOK_NONE;
	buf_str(out, db_text(s, 0));
	return 0;
}

static enum book_state learn_state(const struct book_entry *b, const struct reply *r)
{
	switch (r->stage) {
	case REPLY_STAGE_RUNNING:
	case REPLY_STAGE_TOPPED_UP:
		return BOOK_RUNNING;
	case REPLY_STAGE_FAILED:
		return b->state == BOOK_ASKED ? BOOK_FAILED : b->state;
	case REPLY_STAGE_ENDED:
		return BOOK_ENDED;
	case REPLY_STAGE_STATUS:
	case REPLY_STAGE_REFUND:
		if (!strcmp(r->state, "ended"))
			return BOOK_ENDED;
		return !strcmp(r->state, "refused") ? BOOK_REFUSED : b->state;
	case REPLY_STAGE_ACCEPTED:
	case REPLY_STAGE_PAID:
	case REPLY_STAGE_REFUSED:
	case REPLY_STAGE_EXEC:
	case REPLY_STAGE_IMAGES:
	case REPLY_STAGE_STATS:
	case REPLY_STAGE_TEMPLATE:
	case REPLY_STAGE_LOGS:
	case REPLY_STAGE_FILES:
	case REPLY_STAGE_WARNING:
		return b->state;
	}
	return b->state;
}

/* A lease that runs again has lost its exit status. */
static void learn_halt(struct book_entry *b, const struct reply *r)
{
	if (r->stage != REPLY_STAGE_STATUS || !r->state[0])
		return;
	b->locked = !strcmp(r->state, "needs its key");
	b->halted = b->locked || !strcmp(r->state, "stopped") || !strcmp(r->state, "halting");
	b->restarts = r->restarts;
	str_printable(b->health, sizeof(b->health), str_of(r->health));
	if (!strcmp(r->state, "running") || !strcmp(r->state, "restarting"))
		b->exit_status = -1;
}

/* Only what tells all of a lease tells its network; a provider's address goes to a terminal. */
static void learn_network(struct book_entry *b, const struct reply *r)
{
	auto_buf struct buf text = BUF(sizeof(b->ports));

	if ((r->stage != REPLY_STAGE_STATUS && r->stage != REPLY_STAGE_RUNNING) || !r->state[0])
		return;
	for (size_t i = 0; i < r->ports.n && i < SPEC_PORTS_MAX; i++) {
		buf_printf(&text, "%s%u:", i ? " " : "", r->ports.v[i].outside);
		spec_port_print(&text, &r->ports.v[i]);
	}
	copy_text(b->ports, sizeof(b->ports), buf_view(&text));
	str_printable(b->address, sizeof(b->address), str_of(r->address));
	str_printable(b->address6, sizeof(b->address6), str_of(r->address6));
	b->cut = !strcmp(r->network, "cut");
}

void book_learn(struct book_entry *b, const struct reply *r)
{
	if (r->lease[0] && !b->lease[0])
		memcpy(b->lease, r->lease, sizeof(b->lease));
	if (msat_raw(r->paid))
		b->paid = r->paid;
	if (msat_raw(r->refund_due) && r->refund_number <= 1)
		b->refund_due = r->refund_due; /* others are of top-ups */
	if (r->started_at)
		b->started_at = r->started_at;
	if (r->expires_at)
		b->expires_at = r->expires_at;
	if (r->ended_at)
		b->ended_at = r->ended_at;
	if (r->exit_status >= 0 && r->stage != REPLY_STAGE_EXEC)
		b->exit_status = r->exit_status;
	if (r->image_digest[0])
		memcpy(b->image_digest, r->image_digest, sizeof(b->image_digest));
	if (r->why[0])
		str_printable(b->why, sizeof(b->why), str_of(r->why));
	learn_halt(b, r);
	learn_network(b, r);
	b->state = learn_state(b, r);
}

/* --- asks --- */

int book_ask_add(struct tx *tx, const struct book_ask *a, struct str text, struct err *e)
{
	struct stmt *s =
		tx_write(tx, "INSERT INTO ask(request_id,name,token_out,rumor_at,expires_at,"
			     "text,owner_pid,owner_start) VALUES(?,?,?,?,?,?,?,?)");

	db_bind_text(s, 1, str_of(a->request_id));
	db_bind_text(s, 2, str_of(a->name));
	db_bind_i64(s, 3, a->token_out);
	db_bind_i64(s, 4, a->rumor_at);
	db_bind_i64(s, 5, a->expires_at);
	db_bind_secret(s, 6, "ask.text", text.p, text.n);
	db_bind_i64(s, 7, getpid());
	db_bind_i64(s, 8, (int64_t)proc_start_time(getpid()));
	return tx_run(s, NULL, e) ? err_wrap(e, "store request") : 0;
}

int book_ask_fill(struct tx *tx, const struct book_ask *a, struct str text, struct err *e)
{
	struct stmt *s = tx_write(tx, "UPDATE ask SET token_out = ?, rumor_at = ?, expires_at = ?,"
				      " text = ? WHERE request_id = ? AND open = 1");
	int changed = 0;

	db_bind_i64(s, 1, a->token_out);
	db_bind_i64(s, 2, a->rumor_at);
	db_bind_i64(s, 3, a->expires_at);
	db_bind_secret(s, 4, "ask.text", text.p, text.n);
	db_bind_text(s, 5, str_of(a->request_id));
	if (tx_run(s, &changed, e))
		return err_wrap(e, "store request");
	return changed == 1 ? 0 : err_set(e, ERRK_STATE, "the request is not open any more");
}

bool book_ask_elsewhere(const struct book_ask *a)
{
	return a->owner_pid != getpid() && a->owner_start &&
	       (int64_t)proc_start_time((pid_t)a->owner_pid) == a->owner_start;
}

int book_ask_drop(struct tx *tx, const char *request_id, struct err *e)
{
	struct stmt *s = tx_write(tx, "DELETE FROM ask WHERE request_id = ? AND token_out = 0");

	db_bind_text(s, 1, str_of(request_id));
	if (tx_run(s, NULL, e))
		return -1;
	s = tx_write(tx, "DELETE FROM book WHERE request_id = ? AND state = 1 AND lease = ''");
	db_bind_text(s, 1, str_of(request_id));
	return tx_run(s, NULL, e) ? -1 : 0;
}

int book_ask_close(struct tx *tx, const char *request_id, struct err *e)
{
	struct stmt *s = tx_write(tx, "UPDATE ask SET open = 0, text = NULL WHERE request_id = ?");

	db_bind_text(s, 1, str_of(request_id));
	return tx_run(s, NULL, e) ? -1 : 0;
}

int book_ask_text(struct db *d, const char *request_id, struct buf *out, struct err *e)
{
	auto_stmt struct stmt *s = db_query(d, "SELECT text FROM ask WHERE request_id = ?");
	int rc;

	db_bind_text(s, 1, str_of(request_id));
	rc = db_step(s, e);
	if (rc < 0)
		return -1;
	if (rc != DB_ROW || db_is_null(s, 0))
		return BOOK_NONE;
	return db_secret(out, s, 0, "ask.text", e);
}

int book_each_ask(struct db *d, int (*fn)(void *ctx, const struct book_ask *a), void *ctx,
		  struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(d, "SELECT request_id,name,token_out,rumor_at,expires_at,"
			    "owner_pid,owner_start FROM ask WHERE open = 1 ORDER BY rumor_at");
	struct book_ask a;
	int rc;

	while ((rc = db_step(s, e)) == DB_ROW) {
		memset(&a, 0, sizeof(a));
		copy_text(a.request_id, sizeof(a.request_id), db_text(s, 0));
		copy_text(a.name, sizeof(a.name), db_text(s, 1));
		a.token_out = db_i64(s, 2);
		a.rumor_at = db_i64(s, 3);
		a.expires_at = db_i64(s, 4);
		a.owner_pid = db_i64(s, 5);
		a.owner_start = db_i64(s, 6);
		a.open = true;
		if (fn(ctx, &a))
			return 0;
	}
	return rc;
}
