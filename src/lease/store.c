/* Rows of leases, payments, requests and meta values: see store.h. */
#include "lease/store.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "lease/grow.h"
#include "lease/kept.h"
#include "lease/ports.h"

static const struct db_migration steps[] = {
	{1,
	 "CREATE TABLE lease("
	 " id TEXT PRIMARY KEY, state INTEGER NOT NULL, why INTEGER NOT NULL DEFAULT 0,"
	 " author BLOB NOT NULL, request_id TEXT NOT NULL, offer TEXT NOT NULL,"
	 " price_msat INTEGER NOT NULL, price_per INTEGER NOT NULL, max_lease INTEGER NOT NULL,"
	 " start_timeout INTEGER NOT NULL, refund_min INTEGER NOT NULL, image TEXT NOT NULL,"
	 " digest TEXT NOT NULL DEFAULT '', cpu INTEGER NOT NULL, memory INTEGER NOT NULL,"
	 " pids INTEGER NOT NULL, disk INTEGER NOT NULL, mint TEXT NOT NULL,"
	 " refund_key TEXT NOT NULL, spec BLOB, plan INTEGER NOT NULL DEFAULT 0,"
	 " paid_msat INTEGER NOT NULL DEFAULT 0, fee_sat INTEGER NOT NULL DEFAULT 0,"
	 " asked_at INTEGER NOT NULL, not_after INTEGER NOT NULL,"
	 " paid_at INTEGER NOT NULL DEFAULT 0, started_at INTEGER NOT NULL DEFAULT 0,"
	 " expires_at INTEGER NOT NULL DEFAULT 0, ended_at INTEGER NOT NULL DEFAULT 0,"
	 " exit_status INTEGER NOT NULL DEFAULT -1, receipt TEXT);"
	 "CREATE INDEX lease_live ON lease(state, expires_at) WHERE " LEASE_SQL_LIVE_STATES ";"
	 "CREATE TABLE lease_history(lease TEXT NOT NULL, at INTEGER NOT NULL,"
	 " was INTEGER NOT NULL, became INTEGER NOT NULL, why INTEGER NOT NULL);"
	 "CREATE INDEX lease_history_of ON lease_history(lease);"
	 "CREATE TABLE payment(plan INTEGER PRIMARY KEY, kind INTEGER NOT NULL,"
	 " lease TEXT NOT NULL, author BLOB NOT NULL, request_id TEXT NOT NULL, token BLOB);"
	 "CREATE TABLE request(author BLOB NOT NULL, request_id TEXT NOT NULL, hash BLOB NOT NULL,"
	 " at INTEGER NOT NULL, PRIMARY KEY(author, request_id)) WITHOUT ROWID;"
	 "CREATE INDEX request_at ON request(at);"
	 "CREATE TABLE outbox(id INTEGER PRIMARY KEY, author BLOB NOT NULL,"
	 " request_id TEXT NOT NULL, reply BLOB, created_at INTEGER NOT NULL,"
	 " tries INTEGER NOT NULL DEFAULT 0, next_at INTEGER NOT NULL, sent_at INTEGER NOT NULL "
	 "DEFAULT 0);"
	 "CREATE INDEX outbox_due ON outbox(next_at) WHERE sent_at = 0;"
	 "CREATE INDEX outbox_of ON outbox(author, request_id);"
	 "CREATE TABLE offer_event(id BLOB PRIMARY KEY, name TEXT NOT NULL,"
	 " price_msat INTEGER NOT NULL, price_per INTEGER NOT NULL, published_at INTEGER NOT NULL,"
	 " replaced_at INTEGER NOT NULL DEFAULT 0);"
	 "CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"},
	{2, "ALTER TABLE lease ADD COLUMN halt INTEGER NOT NULL DEFAULT 0;"
	    "ALTER TABLE lease ADD COLUMN generation INTEGER NOT NULL DEFAULT 1;"
	    "ALTER TABLE lease ADD COLUMN halt_grace INTEGER NOT NULL DEFAULT 0;"
	    "ALTER TABLE lease ADD COLUMN halt_request TEXT NOT NULL DEFAULT '';"},
	{3, "CREATE TABLE hour(hour INTEGER PRIMARY KEY, minutes INTEGER NOT NULL, id BLOB,"
	    " event TEXT);"},
	{4, "ALTER TABLE lease ADD COLUMN cut_at INTEGER NOT NULL DEFAULT 0;"
	    "ALTER TABLE lease ADD COLUMN address6 TEXT NOT NULL DEFAULT '';"
	    "CREATE TABLE lease_port(lease TEXT NOT NULL, inside INTEGER NOT NULL,"
	    " outside INTEGER NOT NULL, protocol INTEGER NOT NULL, state INTEGER NOT NULL,"
	    " address TEXT NOT NULL, UNIQUE(outside, protocol));"
	    "CREATE INDEX lease_port_of ON lease_port(lease);"
	    "CREATE TABLE net_use(lease TEXT NOT NULL, author BLOB NOT NULL,"
	    " what INTEGER NOT NULL, protocol INTEGER NOT NULL, first INTEGER NOT NULL,"
	    " last INTEGER NOT NULL, address TEXT NOT NULL, from_at INTEGER NOT NULL,"
	    " until_at INTEGER NOT NULL DEFAULT 0);"
	    "CREATE INDEX net_use_of ON net_use(lease);"
	    "CREATE INDEX net_use_until ON net_use(until_at);"},
	{5, "ALTER TABLE lease ADD COLUMN restart_max INTEGER NOT NULL DEFAULT 0;"
	    "ALTER TABLE lease ADD COLUMN restarts INTEGER NOT NULL DEFAULT 0;"
	    "ALTER TABLE lease ADD COLUMN restart_wait INTEGER NOT NULL DEFAULT 0;"
	    "ALTER TABLE lease ADD COLUMN restart_at INTEGER NOT NULL DEFAULT 0;"
	    "ALTER TABLE lease ADD COLUMN run_since INTEGER NOT NULL DEFAULT 0;"
	    "ALTER TABLE lease ADD COLUMN spared INTEGER NOT NULL DEFAULT 0;"},
	{6, "ALTER TABLE outbox ADD COLUMN kind INTEGER NOT NULL DEFAULT 24403;"},
	{7, "ALTER TABLE lease ADD COLUMN gpus INTEGER NOT NULL DEFAULT 0;"
	    "ALTER TABLE lease ADD COLUMN gpu_vendor INTEGER NOT NULL DEFAULT 0;"},
	{8, "ALTER TABLE lease ADD COLUMN kept TEXT NOT NULL DEFAULT '';"
	    "ALTER TABLE offer_event ADD COLUMN volume_msat INTEGER NOT NULL DEFAULT 0;"
	    "ALTER TABLE offer_event ADD COLUMN volume_per INTEGER NOT NULL DEFAULT 0;"
	    "CREATE TABLE attach(volume TEXT NOT NULL, lease TEXT NOT NULL,"
	    " read_only INTEGER NOT NULL, PRIMARY KEY(volume, lease)) WITHOUT ROWID;"
	    "CREATE UNIQUE INDEX attach_writer ON attach(volume) WHERE read_only = 0;"
	    "CREATE INDEX attach_of ON attach(lease);"},
	{9,
	 "ALTER TABLE lease ADD COLUMN spent_msat INTEGER NOT NULL DEFAULT 0;"
	 "ALTER TABLE lease ADD COLUMN priced_at INTEGER NOT NULL DEFAULT 0;"
	 "CREATE TABLE grow(lease TEXT PRIMARY KEY, was INTEGER NOT NULL, bytes INTEGER NOT NULL,"
	 " msat INTEGER NOT NULL, per INTEGER NOT NULL, request_id TEXT NOT NULL) WITHOUT ROWID;"},
	{10, "ALTER TABLE lease ADD COLUMN warned INTEGER NOT NULL DEFAULT 0;"},
};

static const struct db_schema schema = {"lease", steps, ARRAY_SIZE(steps)};

int store_migrate(struct db *d, struct err *e)
{
	return db_migrate(d, &schema, e);
}

/* --- leases --- */

int lease_insert(struct tx *tx, const struct lease *l, struct str spec, struct err *e)
{
	struct stmt *s =
		tx_write(tx, "INSERT INTO lease(id,state,author,request_id,offer,price_msat,"
			     "price_per,max_lease,start_timeout,refund_min,image,cpu,memory,"
			     "pids,disk,mint,refund_key,spec,asked_at,not_after,kept) VALUES"
			     "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");

	db_bind_text(s, 1, str_of(l->id));
	db_bind_i64(s, 2, l->state);
	db_bind_blob(s, 3, l->author.b, sizeof(l->author.b));
	db_bind_text(s, 4, str_of(l->request_id));
	db_bind_text(s, 5, str_of(l->offer));
	db_bind_i64(s, 6, (int64_t)l->price.msat);
	db_bind_i64(s, 7, (int64_t)l->price.per);
	db_bind_i64(s, 8, l->max_lease);
	db_bind_i64(s, 9, l->start_timeout);
	db_bind_i64(s, 10, (int64_t)sat_raw(l->refund_min));
	db_bind_text(s, 11, str_of(l->image));
	db_bind_i64(s, 12, (int64_t)l->limits.cpu);
	db_bind_i64(s, 13, (int64_t)l->limits.memory);
	db_bind_i64(s, 14, (int64_t)l->limits.pids);
	db_bind_i64(s, 15, (int64_t)l->limits.disk);
	db_bind_text(s, 16, str_of(l->mint));
	db_bind_text(s, 17, str_of(l->refund_key));
	db_bind_secret(s, 18, "lease.spec", spec.p, spec.n);
	db_bind_i64(s, 19, l->asked_at);
	db_bind_i64(s, 20, l->not_after);
	db_bind_text(s, 21, str_of(l->kept));
	return tx_run(s, NULL, e) ? err_wrap(e, "store lease %s", l->id) : 0;
}

#define LEASE_COLUMNS                                                                              \
	"id,state,why,author,request_id,offer,price_msat,price_per,max_lease,start_timeout,"       \
	"refund_min,image,digest,cpu,memory,pids,disk,mint,refund_key,plan,paid_msat,fee_sat,"     \
	"asked_at,not_after,paid_at,started_at,expires_at,ended_at,exit_status,halt,generation,"   \
	"halt_request,halt_grace,cut_at,address6,restart_max,restarts,restart_wait,restart_at,"    \
	"run_since,spared,kept,spent_msat,priced_at"

static void copy_text(char *dst, size_t size, struct str s)
{
	size_t n = s.n < size ? s.n : size - 1;

	if (n)
		memcpy(dst, s.p, n);
	dst[n] = 0;
}

static void copy_key(struct pubkey *dst, struct str s)
{
	memset(dst, 0, sizeof(*dst));
	if (s.n == sizeof(dst->b))
		memcpy(dst->b, s.p, s.n);
}

static void read_terms(struct lease *l, struct stmt *s)
{
	copy_text(l->offer, sizeof(l->offer), db_text(s, 5));
	l->price.msat = (uint64_t)db_i64(s, 6);
	l->price.per = (uint64_t)db_i64(s, 7);
	l->max_lease = db_i64(s, 8);
	l->start_timeout = db_i64(s, 9);
	l->refund_min = SAT((uint64_t)db_i64(s, 10));
	copy_text(l->image, sizeof(l->image), db_text(s, 11));
	copy_text(l->digest, sizeof(l->digest), db_text(s, 12));
	l->limits.cpu = (uint64_t)db_i64(s, 13);
	l->limits.memory = (uint64_t)db_i64(s, 14);
	l->limits.pids = (uint64_t)db_i64(s, 15);
	l->limits.disk = (uint64_t)db_i64(s, 16);
}

static void read_restart(struct lease_restart *r, struct stmt *s)
{
	r->max = (uint32_t)db_i64(s, 35);
	r->done = (uint32_t)db_i64(s, 36);
	r->wait = db_i64(s, 37);
	r->at = db_i64(s, 38);
	r->since = db_i64(s, 39);
	r->spared = (uint32_t)db_i64(s, 40);
}

static void read_lease(struct lease *l, struct stmt *s)
{
	memset(l, 0, sizeof(*l));
	copy_text(l->id, sizeof(l->id), db_text(s, 0));
	l->state = (enum lease_state)db_i64(s, 1);
	l->why = (enum lease_why)db_i64(s, 2);
	copy_key(&l->author, db_blob(s, 3));
	copy_text(l->request_id, sizeof(l->request_id), db_text(s, 4));
	read_terms(l, s);
	copy_text(l->mint, sizeof(l->mint), db_text(s, 17));
	copy_text(l->refund_key, sizeof(l->refund_key), db_text(s, 18));
	l->plan = db_i64(s, 19);
	l->paid = MSAT((uint64_t)db_i64(s, 20));
	l->fee = SAT((uint64_t)db_i64(s, 21));
	l->asked_at = db_i64(s, 22);
	l->not_after = db_i64(s, 23);
	l->paid_at = db_i64(s, 24);
	l->started_at = db_i64(s, 25);
	l->expires_at = db_i64(s, 26);
	l->ended_at = db_i64(s, 27);
	l->exit_status = db_i64(s, 28);
	l->halt = (enum lease_halt)db_i64(s, 29);
	l->generation = (uint32_t)db_i64(s, 30);
	copy_text(l->halt_request, sizeof(l->halt_request), db_text(s, 31));
	l->halt_grace = db_i64(s, 32);
	l->cut_at = db_i64(s, 33);
	copy_text(l->address6, sizeof(l->address6), db_text(s, 34));
	read_restart(&l->restart, s);
	copy_text(l->kept, sizeof(l->kept), db_text(s, 41));
	l->spent = MSAT((uint64_t)db_i64(s, 42));
	l->priced_at = db_i64(s, 43);
}

int lease_load(struct db *d, const char *id, struct lease *out, struct err *e)
{
	auto_stmt struct stmt *s = db_query(d, "SELECT " LEASE_COLUMNS " FROM lease WHERE id = ?");
	int rc;

	db_bind_text(s, 1, str_of(id));
	rc = db_step(s, e);
	if (rc < 0)
		return err_wrap(e, "lease %s", id);
	if (rc != DB_ROW)
		return STORE_NONE;
	read_lease(out, s);
	return ports_load(d, out, e);
}

int lease_load_spec(struct db *d, const char *id, struct buf *out, struct err *e)
{
	auto_stmt struct stmt *s = db_query(d, "SELECT spec FROM lease WHERE id = ?");
	int rc;

	db_bind_text(s, 1, str_of(id));
	rc = db_step(s, e);
	if (rc < 0)
		return -1;
	if (rc != DB_ROW || db_is_null(s, 0))
		return err_set(e, ERRK_STATE, "lease %s has no spec any more", id);
	return db_secret(out, s, 0, "lease.spec", e);
}

int lease_save_spec(struct tx *tx, const char *id, struct str spec, struct err *e)
{
	struct stmt *s = tx_write(tx, "UPDATE lease SET spec = ? WHERE id = ? AND spec NOT NULL");

	db_bind_secret(s, 1, "lease.spec", spec.p, spec.n);
	db_bind_text(s, 2, str_of(id));
	return tx_run(s, NULL, e) ? err_wrap(e, "lease %s", id) : 0;
}

static int add_history(struct tx *tx, const struct lease *l, enum lease_state to,
		       enum lease_why why, struct err *e)
{
	struct stmt *s = tx_write(tx, "INSERT INTO lease_history(lease,at,was,became,why)"
				      " VALUES(?,?,?,?,?)");

	db_bind_text(s, 1, str_of(l->id));
	db_bind_i64(s, 2, clock_wall());
	db_bind_i64(s, 3, l->state);
	db_bind_i64(s, 4, to);
	db_bind_i64(s, 5, why);
	return tx_run(s, NULL, e) ? -1 : 0;
}

/* A final lease needs neither its environment nor anything else that is secret. */
static int blank_secrets(struct tx *tx, const char *id, struct err *e)
{
	struct stmt *s = tx_write(tx, "UPDATE lease SET spec = NULL WHERE id = ?");

	db_bind_text(s, 1, str_of(id));
	if (tx_run(s, NULL, e))
		return -1;
	s = tx_write(tx, "UPDATE payment SET token = NULL WHERE lease = ?");
	db_bind_text(s, 1, str_of(id));
	return tx_run(s, NULL, e) ? -1 : 0;
}

int lease_move(struct tx *tx, struct lease *l, enum lease_state to, enum lease_why why,
	       struct err *e)
{
	struct stmt *s;
	int changed = 0;

	assert(lease_may_become(l->state, to));
	s = tx_write(tx, "UPDATE lease SET state = ?, why = ? WHERE id = ? AND state = ?");
	db_bind_i64(s, 1, to);
	db_bind_i64(s, 2, why);
	db_bind_text(s, 3, str_of(l->id));
	db_bind_i64(s, 4, l->state);
	if (tx_run(s, &changed, e) || add_history(tx, l, to, why, e) < 0)
		return err_wrap(e, "lease %s", l->id);
	if (changed != 1)
		return err_set(e, ERRK_STATE, "lease %s is no longer %s", l->id,
			       lease_state_name(l->state));
	if ((to == LEASE_ENDED || to == LEASE_REFUSED) &&
	    (blank_secrets(tx, l->id, e) < 0 || ports_release(tx, l->id, e) < 0 ||
	     kept_detach(tx, l->id, e) < 0 || grow_forget(tx, l->id, e) < 0))
		return err_wrap(e, "lease %s", l->id);
	l->state = to;
	l->why = why;
	return 0;
}

int lease_save(struct tx *tx, const struct lease *l, struct err *e)
{
	struct stmt *s = tx_write(tx, "UPDATE lease SET digest=?, plan=?, paid_msat=?, fee_sat=?,"
				      " paid_at=?, started_at=?, expires_at=?, ended_at=?,"
				      " exit_status=?, image=? WHERE id=?");

	db_bind_text(s, 1, str_of(l->digest));
	db_bind_i64(s, 2, l->plan);
	db_bind_i64(s, 3, (int64_t)msat_raw(l->paid));
	db_bind_i64(s, 4, (int64_t)sat_raw(l->fee));
	db_bind_i64(s, 5, l->paid_at);
	db_bind_i64(s, 6, l->started_at);
	db_bind_i64(s, 7, l->expires_at);
	db_bind_i64(s, 8, l->ended_at);
	db_bind_i64(s, 9, l->exit_status);
	db_bind_text(s, 10, str_of(l->image));
	db_bind_text(s, 11, str_of(l->id));
	return tx_run(s, NULL, e) ? err_wrap(e, "lease %s", l->id) : 0;
}

int lease_save_halt(struct tx *tx, const struct lease *l, struct err *e)
{
	struct stmt *s = tx_write(
		tx,
		"UPDATE lease SET halt=?, halt_grace=?, generation=?, halt_request=? WHERE id=?");

	db_bind_i64(s, 1, l->halt);
	db_bind_i64(s, 2, l->halt_grace);
	db_bind_i64(s, 3, l->generation);
	db_bind_text(s, 4, str_of(l->halt_request));
	db_bind_text(s, 5, str_of(l->id));
	return tx_run(s, NULL, e) ? err_wrap(e, "lease %s", l->id) : 0;
}

uint64_t lease_count_cut(struct db *d)
{
	auto_stmt struct stmt *s =
		db_query(d, "SELECT count(*) FROM lease WHERE state = 5 AND " LEASE_SQL_LIVE_STATES
			    " AND cut_at > 0");

	return db_step(s, NULL) == DB_ROW ? (uint64_t)db_i64(s, 0) : 0;
}

int lease_save_network(struct tx *tx, const struct lease *l, struct err *e)
{
	struct stmt *s = tx_write(tx, "UPDATE lease SET cut_at=?, address6=? WHERE id=?");

	db_bind_i64(s, 1, l->cut_at);
	db_bind_text(s, 2, str_of(l->address6));
	db_bind_text(s, 3, str_of(l->id));
	return tx_run(s, NULL, e) ? err_wrap(e, "lease %s", l->id) : 0;
}

int lease_save_receipt(struct tx *tx, const char *id, struct str receipt, struct err *e)
{
	struct stmt *s = tx_write(tx, "UPDATE lease SET receipt = ? WHERE id = ?");

	db_bind_text(s, 1, receipt);
	db_bind_text(s, 2, str_of(id));
	return tx_run(s, NULL, e) ? -1 : 0;
}

int lease_load_receipt(struct db *d, const char *id, struct buf *out, struct err *e)
{
	auto_stmt struct stmt *s = db_query(d, "SELECT receipt FROM lease WHERE id = ?");
	int rc;

	db_bind_text(s, 1, str_of(id));
	rc = db_step(s, e);
	if (rc < 0)
		return -1;
	if (rc != DB_ROW || db_is_null(s, 0))
		return STORE_NONE;
	buf_str(out, db_text(s, 0));
	return 0;
}

struct ids {
	char (*v)[LEASE_ID_HEX + 1];
	size_t n;
};

static void ids_free(struct ids *i)
{
	free(i->v);
}

static int collect(struct ids *out, struct db *d, enum lease_state state, int64_t until,
		   struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(d, (LEASE_LIVE & LEASE_BIT(state)) ? LEASE_SQL_LIVE : LEASE_SQL_FINAL);
	int rc;

	db_bind_i64(s, 1, state);
	db_bind_i64(s, 2, until ? until : INT64_MAX);
	while ((rc = db_step(s, e)) == DB_ROW) {
		out->v = mem_grow(out->v, out->n + 1, sizeof(*out->v));
		copy_text(out->v[out->n++], sizeof(*out->v), db_text(s, 0));
	}
	return rc;
}

int lease_each(struct db *d, uint32_t mask, int64_t until, void (*fn)(void *ctx, const char *id),
	       void *ctx, struct err *e)
{
	__attribute__((cleanup(ids_free))) struct ids ids = {0};

	for (int s = LEASE_ASKED; s < LEASE_NSTATES; s++)
		if ((mask & LEASE_BIT(s)) && collect(&ids, d, (enum lease_state)s, until, e) < 0)
			return err_wrap(e, "list leases");
	for (size_t i = 0; i < ids.n; i++)
		fn(ctx, ids.v[i]);
	return 0;
}

int lease_next_expiry(struct db *d, int64_t *out, struct err *e)
{
	auto_stmt struct stmt *s = db_query(d, LEASE_SQL_EXPIRY);

	*out = 0;
	if (db_step(s, e) < 0)
		return -1;
	*out = db_i64(s, 0);
	return 0;
}

int lease_sum(struct db *d, struct lease_use *out, struct err *e)
{
	auto_stmt struct stmt *s = db_query(d, LEASE_SQL_SUM);

	db_bind_i64(s, 1, clock_wall());
	if (db_step(s, e) < 0)
		return err_wrap(e, "capacity");
	out->leases = (uint64_t)db_i64(s, 0);
	out->running = (uint64_t)db_i64(s, 1);
	out->cpu = (uint64_t)db_i64(s, 2);
	out->memory = (uint64_t)db_i64(s, 3);
	out->disk = (uint64_t)db_i64(s, 4);
	out->volumes = (uint64_t)db_i64(s, 5);
	return 0;
}

int lease_count_states(struct db *d, uint64_t n[static LEASE_NSTATES], struct err *e)
{
	auto_stmt struct stmt *s = db_query(d, LEASE_SQL_STATES);
	int rc;

	memset(n, 0, LEASE_NSTATES * sizeof(*n));
	while ((rc = db_step(s, e)) == DB_ROW)
		if (db_i64(s, 0) < LEASE_NSTATES)
			n[db_i64(s, 0)] = (uint64_t)db_i64(s, 1);
	return rc < 0 ? err_wrap(e, "count leases") : 0;
}

int cards_save(struct tx *tx, const char *lease, const struct spec_gpu *g, struct err *e)
{
	struct stmt *s;

	if (g->count == 0)
		return 0;
	s = tx_write(tx, "UPDATE lease SET gpus = ?, gpu_vendor = ? WHERE id = ?");
	db_bind_i64(s, 1, g->count);
	db_bind_i64(s, 2, g->vendor);
	db_bind_text(s, 3, str_of(lease));
	return tx_run(s, NULL, e) ? err_wrap(e, "cards of %s", lease) : 0;
}

int cards_sum(struct db *d, const char *offer, enum spec_vendor v, struct cards_use *out,
	      struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(d, "SELECT sum(gpus), sum(gpus * (offer = ?)) FROM lease WHERE"
			    " " LEASE_SQL_LIVE_STATES " AND gpus > 0 AND gpu_vendor = ?"
			    " AND (state <> 3 OR not_after >= ?)");

	db_bind_text(s, 1, str_of(offer));
	db_bind_i64(s, 2, v);
	db_bind_i64(s, 3, clock_wall());
	if (db_step(s, e) < 0)
		return err_wrap(e, "graphics cards");
	out->all = (uint64_t)db_i64(s, 0);
	out->of_offer = (uint64_t)db_i64(s, 1);
	return 0;
}

/* --- payments --- */

int payment_insert(struct tx *tx, const struct payment *p, struct str token, struct err *e)
{
	struct stmt *s = tx_write(tx, "INSERT INTO payment(plan,kind,lease,author,request_id,token)"
				      " VALUES(?,?,?,?,?,?)");

	db_bind_i64(s, 1, p->plan);
	db_bind_i64(s, 2, p->kind);
	db_bind_text(s, 3, str_of(p->lease));
	db_bind_blob(s, 4, p->author.b, sizeof(p->author.b));
	db_bind_text(s, 5, str_of(p->request_id));
	db_bind_secret(s, 6, "payment.token", token.p, token.n);
	return tx_run(s, NULL, e) ? err_wrap(e, "store payment of %s", p->lease) : 0;
}

int payment_load(struct db *d, int64_t plan, struct payment *out, struct buf *token, struct err *e)
{
	auto_stmt struct stmt *s = db_query(
		d, "SELECT kind,lease,author,request_id,token FROM payment WHERE plan = ?");
	int rc;

	db_bind_i64(s, 1, plan);
	rc = db_step(s, e);
	if (rc < 0)
		return -1;
	if (rc != DB_ROW)
		return STORE_NONE;
	memset(out, 0, sizeof(*out));
	out->plan = plan;
	out->kind = (enum payment_kind)db_i64(s, 0);
	copy_text(out->lease, sizeof(out->lease), db_text(s, 1));
	copy_key(&out->author, db_blob(s, 2));
	copy_text(out->request_id, sizeof(out->request_id), db_text(s, 3));
	if (token && !db_is_null(s, 4))
		return db_secret(token, s, 4, "payment.token", e);
	return 0;
}

int payment_blank(struct tx *tx, int64_t plan, struct err *e)
{
	struct stmt *s = tx_write(tx, "UPDATE payment SET token = NULL WHERE plan = ?");

	db_bind_i64(s, 1, plan);
	return tx_run(s, NULL, e) ? -1 : 0;
}

/* --- requests --- */

int request_find(struct db *d, const struct request_row *r, struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(d, "SELECT hash FROM request WHERE author = ? AND request_id = ?");
	struct str hash;
	int rc;

	db_bind_blob(s, 1, r->author.b, sizeof(r->author.b));
	db_bind_text(s, 2, str_of(r->request_id));
	rc = db_step(s, e);
	if (rc != DB_ROW)
		return rc;
	hash = db_blob(s, 0);
	return hash.n == sizeof(r->hash) && !memcmp(hash.p, r->hash, hash.n) ? STORE_KNOWN
									     : STORE_REUSED;
}

int request_insert(struct tx *tx, const struct request_row *r, struct err *e)
{
	struct stmt *s =
		tx_write(tx, "INSERT INTO request(author,request_id,hash,at) VALUES(?,?,?,?)");
	int rc;

	db_bind_blob(s, 1, r->author.b, sizeof(r->author.b));
	db_bind_text(s, 2, str_of(r->request_id));
	db_bind_blob(s, 3, r->hash, sizeof(r->hash));
	db_bind_i64(s, 4, r->at);
	rc = tx_run(s, NULL, e);
	return rc == DB_CONFLICT ? STORE_KNOWN : rc;
}

int request_prune(struct tx *tx, int64_t before, int64_t most, struct err *e)
{
	struct stmt *s =
		tx_write(tx, "DELETE FROM request WHERE at < ? OR at <"
			     " (SELECT at FROM request ORDER BY at DESC LIMIT 1 OFFSET ?)");

	db_bind_i64(s, 1, before);
	db_bind_i64(s, 2, most);
	return tx_run(s, NULL, e) ? -1 : 0;
}

/* --- meta --- */

int meta_get(struct db *d, const char *key, int64_t *out, struct err *e)
{
	auto_stmt struct stmt *s = db_query(d, "SELECT value FROM meta WHERE key = ?");
	int rc;

	*out = 0;
	db_bind_text(s, 1, str_of(key));
	rc = db_step(s, e);
	if (rc == DB_ROW)
		*out = db_i64(s, 0);
	return rc < 0 ? -1 : 0;
}

int meta_set(struct tx *tx, const char *key, int64_t v, struct err *e)
{
	struct stmt *s = tx_write(tx, "INSERT INTO meta(key,value) VALUES(?,?)"
				      " ON CONFLICT(key) DO UPDATE SET value = excluded.value");

	db_bind_text(s, 1, str_of(key));
	db_bind_i64(s, 2, v);
	return tx_run(s, NULL, e) ? -1 : 0;
}
