/* Rows of the mint: spent and pending proofs, signed outputs, quotes. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "devnet/mint_internal.h"

static const struct db_migration steps[] = {
	{1, "CREATE TABLE proof (y BLOB PRIMARY KEY, state INTEGER NOT NULL, witness TEXT);"
	    "CREATE TABLE signed (b BLOB PRIMARY KEY, id TEXT NOT NULL, amount INTEGER NOT NULL,"
	    " c BLOB NOT NULL, e BLOB NOT NULL, s BLOB NOT NULL);"
	    "CREATE TABLE quote (id TEXT PRIMARY KEY, kind INTEGER NOT NULL,"
	    " invoice TEXT NOT NULL, amount INTEGER NOT NULL, reserve INTEGER NOT NULL,"
	    " state INTEGER NOT NULL, pays_at INTEGER NOT NULL, expiry INTEGER NOT NULL,"
	    " key BLOB);"
	    "CREATE INDEX quote_invoice ON quote (invoice)"},
	{2, "ALTER TABLE proof ADD COLUMN amount INTEGER NOT NULL DEFAULT 0"},
	{3, "CREATE TABLE held (quote TEXT PRIMARY KEY, change TEXT NOT NULL);"
	    "CREATE TABLE held_input (quote TEXT NOT NULL, y BLOB PRIMARY KEY)"},
};
static const struct db_schema schema = {"mint", steps, ARRAY_SIZE(steps)};

int mint_store_open(struct db *d, struct err *e)
{
	return db_migrate(d, &schema, e);
}

/* --- proofs --- */

int mint_store_proof(enum proof_row *out, struct buf *witness, struct db *d,
		     const uint8_t y[static POINT_COMPRESSED], struct err *e)
{
	struct stmt *q auto_stmt = db_query(d, "SELECT state, witness FROM proof WHERE y = ?");
	int rc;

	*out = PROOF_ROW_NONE;
	db_bind_blob(q, 1, y, POINT_COMPRESSED);
	rc = db_step(q, e);
	if (rc != DB_ROW)
		return rc;
	*out = (enum proof_row)db_i64(q, 0);
	if (witness)
		buf_str(witness, db_text(q, 1));
	return 0;
}

int mint_store_set_proof(struct tx *tx, const uint8_t y[static POINT_COMPRESSED],
			 const struct proof_mark *mark, struct err *e)
{
	struct stmt *q = tx_write(tx, "INSERT OR REPLACE INTO proof (y, state, witness, amount)"
				      " VALUES (?, ?, ?, ?)");

	db_bind_blob(q, 1, y, POINT_COMPRESSED);
	db_bind_i64(q, 2, (int64_t)mark->row);
	db_bind_text(q, 3, mark->witness);
	db_bind_i64(q, 4, (int64_t)sat_raw(mark->amount));
	return tx_run(q, NULL, e);
}

int mint_store_sums(struct mint_sums *out, struct db *d, struct err *e)
{
	struct stmt *q auto_stmt =
		db_query(d, "SELECT (SELECT coalesce(sum(amount), 0) FROM signed),"
			    " (SELECT coalesce(sum(amount), 0) FROM proof WHERE state = ?1),"
			    " (SELECT coalesce(sum(amount), 0) FROM proof WHERE state = ?2)");

	db_bind_i64(q, 1, PROOF_ROW_SPENT);
	db_bind_i64(q, 2, PROOF_ROW_PENDING);
	if (db_step(q, e) != DB_ROW)
		return -1;
	*out = (struct mint_sums){db_i64(q, 0), db_i64(q, 1), db_i64(q, 2)};
	return 0;
}

int mint_store_settle(struct tx *tx, struct err *e)
{
	struct stmt *q = tx_write(tx, "DELETE FROM proof WHERE state = ?");

	db_bind_i64(q, 1, PROOF_ROW_PENDING);
	return tx_run(q, NULL, e);
}

/* --- signed outputs --- */

static int read_signed(struct blind_sig *out, struct stmt *q, struct err *e)
{
	struct str c = db_blob(q, 2), de = db_blob(q, 3), ds = db_blob(q, 4);

	*out = (struct blind_sig){.dleq.present = true};
	if (c.n != sizeof(out->c) || de.n != 32 || ds.n != 32 ||
	    !sat_make(&out->amount, (uint64_t)db_i64(q, 1)))
		return err_set(e, ERRK_STATE, "a signature in the database is broken");
	memcpy(out->c, c.p, c.n);
	memcpy(out->dleq.e, de.p, 32);
	memcpy(out->dleq.s, ds.p, 32);
	return keyset_id_parse(&out->id, db_text(q, 0), e);
}

int mint_store_signed(bool *found, struct blind_sig *out, struct db *d,
		      const uint8_t b[static POINT_COMPRESSED], struct err *e)
{
	struct stmt *q auto_stmt =
		db_query(d, "SELECT id, amount, c, e, s FROM signed WHERE b = ?");
	int rc;

	db_bind_blob(q, 1, b, POINT_COMPRESSED);
	rc = db_step(q, e);
	*found = rc == DB_ROW;
	return rc == DB_ROW ? read_signed(out, q, e) : rc;
}

int mint_store_add_signed(struct tx *tx, const uint8_t b[static POINT_COMPRESSED],
			  const struct blind_sig *sig, struct err *e)
{
	struct stmt *q = tx_write(
		tx, "INSERT INTO signed (b, id, amount, c, e, s) VALUES (?, ?, ?, ?, ?, ?)");
	char id[KEYSET_ID_TEXT];

	keyset_id_text(id, &sig->id);
	db_bind_blob(q, 1, b, POINT_COMPRESSED);
	db_bind_text(q, 2, str_of(id));
	db_bind_i64(q, 3, (int64_t)sat_raw(sig->amount));
	db_bind_blob(q, 4, sig->c, sizeof(sig->c));
	db_bind_blob(q, 5, sig->dleq.e, 32);
	db_bind_blob(q, 6, sig->dleq.s, 32);
	return tx_run(q, NULL, e);
}

/* --- quotes --- */

static void copy_text(char *out, size_t size, struct str s)
{
	snprintf(out, size, "%.*s", (int)s.n, s.p);
}

#define QUOTE_COLUMNS "id, kind, invoice, amount, reserve, state, pays_at, expiry, key"

static int read_quote(struct quote_row *r, struct stmt *q, struct err *e)
{
	int rc = db_step(q, e);
	struct str key;

	if (rc != DB_ROW)
		return rc < 0 ? -1 : QUOTE_NONE;
	key = db_blob(q, 8);
	*r = (struct quote_row){
		.kind = (enum quote_row_kind)db_i64(q, 1),
		.state = (enum quote_state)db_i64(q, 5),
		.pays_at = db_i64(q, 6),
		.expiry = db_i64(q, 7),
		.has_key = key.n == POINT_COMPRESSED,
	};
	copy_text(r->id, sizeof(r->id), db_text(q, 0));
	copy_text(r->invoice, sizeof(r->invoice), db_text(q, 2));
	if (r->has_key)
		memcpy(r->key, key.p, key.n);
	if (!sat_make(&r->amount, (uint64_t)db_i64(q, 3)) ||
	    !sat_make(&r->reserve, (uint64_t)db_i64(q, 4)))
		return err_set(e, ERRK_STATE, "a quote in the database is broken");
	/* Whoever was to pay it has done so by now. */
	if (r->kind == QUOTE_MINT && r->state == QUOTE_UNPAID && r->pays_at &&
	    r->pays_at <= clock_wall_ms())
		r->state = QUOTE_PAID;
	return 0;
}

int mint_store_quote(struct quote_row *out, struct db *d, enum quote_row_kind kind, struct str id,
		     struct err *e)
{
	struct stmt *q auto_stmt =
		db_query(d, "SELECT " QUOTE_COLUMNS " FROM quote WHERE id = ? AND kind = ?");

	db_bind_text(q, 1, id);
	db_bind_i64(q, 2, (int64_t)kind);
	return read_quote(out, q, e);
}

int mint_store_invoice(struct quote_row *out, struct db *d, struct str invoice, struct err *e)
{
	struct stmt *q auto_stmt =
		db_query(d, "SELECT " QUOTE_COLUMNS " FROM quote WHERE invoice = ? AND kind = 0");

	db_bind_text(q, 1, invoice);
	return read_quote(out, q, e);
}

int mint_store_put_quote(struct tx *tx, const struct quote_row *r, struct err *e)
{
	struct stmt *q = tx_write(tx, "INSERT OR REPLACE INTO quote (" QUOTE_COLUMNS
				      ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");

	db_bind_text(q, 1, str_of(r->id));
	db_bind_i64(q, 2, (int64_t)r->kind);
	db_bind_text(q, 3, str_of(r->invoice));
	db_bind_i64(q, 4, (int64_t)sat_raw(r->amount));
	db_bind_i64(q, 5, (int64_t)sat_raw(r->reserve));
	db_bind_i64(q, 6, (int64_t)r->state);
	db_bind_i64(q, 7, r->pays_at);
	db_bind_i64(q, 8, r->expiry);
	if (r->has_key)
		db_bind_blob(q, 9, r->key, sizeof(r->key));
	return tx_run(q, NULL, e);
}

/* --- payments that hang --- */

static int hold_input(struct tx *tx, const char *quote, const uint8_t y[static POINT_COMPRESSED],
		      struct err *e)
{
	struct stmt *q = tx_write(tx, "INSERT INTO held_input (quote, y) VALUES (?, ?)");

	db_bind_text(q, 1, str_of(quote));
	db_bind_blob(q, 2, y, POINT_COMPRESSED);
	return tx_run(q, NULL, e);
}

int mint_store_hold(struct tx *tx, const char *quote, const struct spend *s, struct str change,
		    struct err *e)
{
	struct stmt *q = tx_write(tx, "INSERT INTO held (quote, change) VALUES (?, ?)");

	db_bind_text(q, 1, str_of(quote));
	db_bind_text(q, 2, change);
	if (tx_run(q, NULL, e) != 0)
		return -1;
	for (size_t i = 0; i < s->proofs.n; i++)
		if (hold_input(tx, quote, s->ys[i], e) != 0)
			return -1;
	return 0;
}

int mint_store_held(struct quote_row *out, struct buf *change, struct db *d, struct err *e)
{
	struct stmt *q auto_stmt = db_query(d, "SELECT quote, change FROM held LIMIT 1");
	char id[sizeof(out->id)];
	int rc = db_step(q, e);

	if (rc != DB_ROW)
		return rc < 0 ? -1 : QUOTE_NONE;
	copy_text(id, sizeof(id), db_text(q, 0));
	buf_str(change, db_text(q, 1));
	return mint_store_quote(out, d, QUOTE_MELT, str_of(id), e);
}

static int let_go_inputs(struct tx *tx, const char *quote, enum proof_row inputs, struct err *e)
{
	struct stmt *q = inputs == PROOF_ROW_SPENT
				 ? tx_write(tx, "UPDATE proof SET state = 2 WHERE y IN"
						" (SELECT y FROM held_input WHERE quote = ?)")
				 : tx_write(tx, "DELETE FROM proof WHERE state = 1 AND y IN"
						" (SELECT y FROM held_input WHERE quote = ?)");

	db_bind_text(q, 1, str_of(quote));
	return tx_run(q, NULL, e);
}

int mint_store_let_go(struct tx *tx, const char *quote, enum proof_row inputs, struct err *e)
{
	struct stmt *q;

	if (let_go_inputs(tx, quote, inputs, e) < 0)
		return -1;
	q = tx_write(tx, "DELETE FROM held_input WHERE quote = ?");
	db_bind_text(q, 1, str_of(quote));
	if (tx_run(q, NULL, e) < 0)
		return -1;
	q = tx_write(tx, "DELETE FROM held WHERE quote = ?");
	db_bind_text(q, 1, str_of(quote));
	return tx_run(q, NULL, e);
}
