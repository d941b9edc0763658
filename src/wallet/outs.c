/* Outgoing tokens: each is kept until its fate is known. */
#include <string.h>

#include "base/mem.h"
#include "crypto/hash.h"
#include "wallet/plan.h"
#include "wallet/purse.h"

int out_state(struct tx *tx, int64_t token_out, int state, struct err *e)
{
	bool final = state == WALLET_OUT_TAKEN || state == WALLET_OUT_RETURNED;
	struct stmt *s = tx_write(tx, "UPDATE token_out SET state = ?1,"
				      " token = iif(?2, NULL, token) WHERE id = ?3");

	db_bind_i64(s, 1, state);
	db_bind_i64(s, 2, final);
	db_bind_i64(s, 3, token_out);
	return tx_run(s, NULL, e);
}

int out_returning(struct tx *tx, int64_t token_out, struct err *e)
{
	struct stmt *s = tx_write(tx, "UPDATE token_out SET state = ? WHERE id = ? AND state = ?");
	int changed = 0;

	db_bind_i64(s, 1, WALLET_OUT_RETURNING);
	db_bind_i64(s, 2, token_out);
	db_bind_i64(s, 3, WALLET_OUT_OPEN);
	if (tx_run(s, &changed, e) < 0)
		return -1;
	return changed == 1 ? 0 : err_set(e, ERRK_STATE, "this token is not open any more");
}

int out_booked(enum ledger_account *at, struct tx *tx, int64_t token_out, struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(tx_db(tx), "SELECT state, kind FROM token_out WHERE id = ?");

	db_bind_i64(s, 1, token_out);
	if (db_step(s, e) != DB_ROW)
		return err_wrap(e, "outgoing token %lld", (long long)token_out);
	*at = LEDGER_OUT;
	if (db_i64(s, 0) == WALLET_OUT_TAKEN)
		*at = db_i64(s, 1) == WALLET_OUT_ORDER ? LEDGER_SPENT : LEDGER_OUTSIDE;
	return 0;
}

int out_token(struct tx *tx, int64_t token_out, struct str token, struct err *e)
{
	struct stmt *s = tx_write(tx, "UPDATE token_out SET state = ?, token = ? WHERE id = ?");

	db_bind_i64(s, 1, WALLET_OUT_OPEN);
	db_bind_secret(s, 2, "token_out.token", token.p, token.n);
	db_bind_i64(s, 3, token_out);
	return tx_run(s, NULL, e);
}

#define OUT_COLUMNS "id, state, ref, mint, amount, locktime, created, refund_key, token, kind"

static int name_copy(char *to, size_t size, struct str from, struct err *e)
{
	if (from.n >= size)
		return err_set(e, ERRK_STATE, "outgoing token: a name is too long");
	memcpy(to, from.p, from.n);
	to[from.n] = '\0';
	return 0;
}

static int out_of_row(struct wallet_out *o, struct wallet_out_names *names, struct wallet *w,
		      struct stmt *s, struct err *e)
{
	struct wmint *m = mint_by_id(w, db_i64(s, 3));
	struct str key = db_blob(s, 7);

	if (!m || (key.n > 0 && key.n != sizeof(o->refund_key)) ||
	    !sat_make(&o->amount, (uint64_t)db_i64(s, 4)))
		return err_set(e, ERRK_STATE, "outgoing token is damaged");
	if (name_copy(names->ref, sizeof(names->ref), db_text(s, 2), e) < 0 ||
	    name_copy(names->mint, sizeof(names->mint), str_of(m->url), e) < 0)
		return -1;
	o->id = db_i64(s, 0);
	o->state = (enum wallet_out_state)db_i64(s, 1);
	o->ref = names->ref;
	o->mint = names->mint;
	o->locktime = db_i64(s, 5);
	o->created = db_i64(s, 6);
	memset(o->refund_key, 0, sizeof(o->refund_key));
	if (key.n > 0)
		memcpy(o->refund_key, key.p, key.n);
	o->kind = (enum wallet_out_kind)db_i64(s, 9);
	return 0;
}

int wallet_out_get(struct wallet *w, int64_t id, const char *ref, struct wallet_out *out,
		   struct wallet_out_names *names, struct buf *token, struct err *e)
{
	auto_stmt struct stmt *s = db_query(
		w->db, "SELECT " OUT_COLUMNS " FROM token_out"
		       " WHERE iif(?1 > 0, id = ?1, ref = ?2 AND ref <> '' AND state <> 6)");
	int rc;

	db_bind_i64(s, 1, id);
	db_bind_text(s, 2, str_of(ref ? ref : ""));
	rc = db_step(s, e);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return WALLET_NO_SUCH;
	if (out_of_row(out, names, w, s, e) < 0)
		return -1;
	if (token && !db_is_null(s, 8))
		return db_secret(token, s, 8, "token_out.token", e);
	return 0;
}

int wallet_each_out(struct wallet *w, int (*fn)(void *ctx, const struct wallet_out *o), void *ctx,
		    struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(w->db, "SELECT " OUT_COLUMNS " FROM token_out ORDER BY id");
	struct wallet_out_names names;
	struct wallet_out o;
	int rc;

	while ((rc = db_step(s, e)) == DB_ROW) {
		if (out_of_row(&o, &names, w, s, e) < 0)
			return -1;
		if (fn(ctx, &o) != 0)
			return 0;
	}
	return rc;
}

int out_lock(struct lock *lock, struct sat *amount, struct wallet *w, int64_t token_out,
	     struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(w->db, "SELECT lock_key, refund_key, locktime, amount FROM token_out"
				" WHERE id = ?");
	struct str key, refund;

	db_bind_i64(s, 1, token_out);
	if (db_step(s, e) != DB_ROW)
		return err_set(e, ERRK_STATE, "no outgoing token %lld", (long long)token_out);
	key = db_blob(s, 0);
	refund = db_blob(s, 1);
	if (!sat_make(amount, (uint64_t)db_i64(s, 3)))
		return err_set(e, ERRK_STATE, "outgoing token is damaged");
	if (key.n == 0)
		return OUT_UNLOCKED;
	*lock = (struct lock){.has_refund = refund.n > 0, .locktime = db_i64(s, 2)};
	if (key.n != sizeof(lock->key.b) || (refund.n > 0 && refund.n != sizeof(lock->refund.b)))
		return err_set(e, ERRK_STATE, "outgoing token is damaged");
	memcpy(lock->key.b, key.p, key.n);
	if (lock->has_refund)
		memcpy(lock->refund.b, refund.p, refund.n);
	return 0;
}

int wallet_out_taken(struct tx *tx, int64_t token_out, struct err *e)
{
	struct stmt *s = tx_write(tx, "UPDATE token_out SET state = ?1, token = NULL"
				      " WHERE id = ?2 AND state IN (?3, ?4)"
				      " RETURNING amount, ref,"
				      " (SELECT url FROM mint WHERE mint.id = token_out.mint),"
				      " kind");
	struct ledger_posting l = {.from = LEDGER_OUT, .to = LEDGER_SPENT};
	auto_free char *ref = NULL, *mint = NULL;
	struct sat amount;
	int rc;

	db_bind_i64(s, 1, WALLET_OUT_TAKEN);
	db_bind_i64(s, 2, token_out);
	db_bind_i64(s, 3, WALLET_OUT_OPEN);
	db_bind_i64(s, 4, WALLET_OUT_RETURNING);
	rc = db_step(s, e);
	if (rc == DB_ROW) {
		ref = mem_strndup(db_text(s, 1).p, db_text(s, 1).n);
		mint = mem_strndup(db_text(s, 2).p, db_text(s, 2).n);
		if (db_i64(s, 3) != WALLET_OUT_ORDER)
			l.to = LEDGER_OUTSIDE;
		if (!sat_make(&amount, (uint64_t)db_i64(s, 0)) || !msat_of_sat(&l.amount, amount))
			rc = err_set(e, ERRK_STATE, "outgoing token is damaged");
	}
	db_done(s);
	if (rc != DB_ROW)
		return rc;
	l.ref = ref;
	l.mint = mint;
	return ledger_post(tx, &l, e);
}

/* --- refund keys: HMAC of the seed by row number, so that the seed brings them back --- */

static void refund_key_derive(struct secret *out, const struct seed *seed, int64_t row)
{
	auto_buf struct buf text = BUF(64);

	buf_printf(&text, "leased refund key %lld", (long long)row);
	hmac_sha256(out->b, seed->b, sizeof(seed->b), text.p, text.n);
	while (!scalar_valid(out->b))
		sha256(out->b, out->b, sizeof(out->b));
}

int refund_key_new(struct lock_key *out, struct tx *tx, struct wallet *w, struct err *e)
{
	auto_secret struct secret k;
	struct stmt *s = tx_write(tx, "INSERT INTO key (pub) VALUES (NULL)");
	int64_t row;

	if (tx_run(s, NULL, e) < 0)
		return err_wrap(e, "refund key");
	row = tx_last_id(tx);
	refund_key_derive(&k, &w->seed, row);
	if (!lock_key_of(out, &k))
		return err_set(e, ERRK_STATE, "refund key");
	s = tx_write(tx, "UPDATE key SET pub = ? WHERE id = ?");
	db_bind_blob(s, 1, out->b, sizeof(out->b));
	db_bind_i64(s, 2, row);
	return tx_run(s, NULL, e);
}

int wallet_refund_secret(struct wallet *w, const uint8_t key[static 33], struct secret *out,
			 struct err *e)
{
	auto_stmt struct stmt *s = db_query(w->db, "SELECT id FROM key WHERE pub = ?");
	int rc;

	db_bind_blob(s, 1, key, POINT_COMPRESSED);
	rc = db_step(s, e);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return WALLET_NO_SUCH;
	refund_key_derive(out, &w->seed, db_i64(s, 0));
	return 0;
}
