#include "devnet/mint_keys.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "crypto/hash.h"

struct mint_keys {
	struct db *db;
	struct secret seed;
	uint32_t fee_ppk;
	enum keyset_version version;
	struct mint_keyset **v;
	size_t n;
};

static const struct db_migration steps[] = {
	{1, "CREATE TABLE seed (seed BLOB NOT NULL);"
	    "CREATE TABLE keyset (number INTEGER PRIMARY KEY, fee INTEGER NOT NULL,"
	    " version INTEGER NOT NULL, active INTEGER NOT NULL)"},
};
static const struct db_schema schema = {"mint_keys", steps, ARRAY_SIZE(steps)};

static void keyset_drop(struct mint_keyset *s)
{
	keyset_free(s->public);
	for (size_t i = 0; i < MINT_AMOUNTS; i++)
		secret_wipe(&s->private[i]);
	free(s);
}

void mint_keys_free(struct mint_keys *k)
{
	if (!k)
		return;
	for (size_t i = 0; i < k->n; i++)
		keyset_drop(k->v[i]);
	free(k->v);
	secret_wipe(&k->seed);
	free(k);
}

static int derive_key(struct secret *out, struct keyset_key *public, const struct secret *seed,
		      uint64_t number, size_t i, struct err *e)
{
	auto_buf struct buf path = BUF(64);

	buf_printf(&path, "keyset %llu amount %zu", (unsigned long long)number, i);
	hmac_sha256(out->b, seed->b, sizeof(seed->b), path.p, path.n);
	if (!point_base(&public->point, out))
		return err_set(e, ERRK_STATE, "a derived key is out of range");
	public->amount = (uint64_t)1 << i;
	point_write(public->bytes, &public->point);
	return 0;
}

struct row {
	uint64_t number;
	uint32_t fee;
	enum keyset_version version;
	bool active;
};

static int add(struct mint_keys *k, const struct row *row, struct err *e)
{
	struct mint_keyset *s = mem_zero(sizeof(*s));

	s->public = keyset_new();
	memcpy(s->public->unit, "sat", 4);
	s->public->active = row->active;
	s->public->fee_ppk = row->fee;
	s->public->keys = mem_array(MINT_AMOUNTS, sizeof(struct keyset_key));
	s->public->n = MINT_AMOUNTS;
	for (size_t i = 0; i < MINT_AMOUNTS; i++) {
		if (derive_key(&s->private[i], &s -> public->keys[i], &k->seed, row->number, i, e) <
		    0) {
			keyset_drop(s);
			return -1;
		}
	}
	keyset_derive_id(&s->public->id, s->public, row->version);
	k->v = mem_grow(k->v, k->n + 1, sizeof(struct mint_keyset *));
	k->v[k->n++] = s;
	return 0;
}

static int read_seed(struct mint_keys *k, struct err *e)
{
	struct stmt *q auto_stmt = db_query(k->db, "SELECT seed FROM seed");
	struct tx *tx auto_tx = NULL;
	struct stmt *w;
	int rc = db_step(q, e);

	if (rc < 0)
		return -1;
	if (rc == DB_ROW && db_blob(q, 0).n == sizeof(k->seed.b)) {
		memcpy(k->seed.b, db_blob(q, 0).p, sizeof(k->seed.b));
		return 0;
	}
	rand_bytes(k->seed.b, sizeof(k->seed.b));
	if (db_begin(&tx, k->db, e) < 0)
		return -1;
	w = tx_write(tx, "INSERT INTO seed (seed) VALUES (?)");
	db_bind_blob(w, 1, k->seed.b, sizeof(k->seed.b));
	return tx_run(w, NULL, e) < 0 ? -1 : db_commit(&tx, e);
}

static int read_keysets(struct mint_keys *k, struct err *e)
{
	struct stmt *q auto_stmt =
		db_query(k->db, "SELECT number, fee, version, active FROM keyset ORDER BY number");
	int rc;

	while ((rc = db_step(q, e)) == DB_ROW) {
		struct row row = {
			.number = (uint64_t)db_i64(q, 0),
			.fee = (uint32_t)db_i64(q, 1),
			.version = (enum keyset_version)db_i64(q, 2),
			.active = db_i64(q, 3) != 0,
		};

		if (add(k, &row, e) < 0)
			return -1;
	}
	return rc;
}

int mint_keys_rotate(struct mint_keys *k, struct err *e)
{
	struct row row = {k->n, k->fee_ppk, k->version, true};
	struct tx *tx auto_tx = NULL;
	struct stmt *q;

	if (db_begin(&tx, k->db, e) < 0 ||
	    tx_run(tx_write(tx, "UPDATE keyset SET active = 0"), NULL, e) < 0)
		return -1;
	q = tx_write(tx, "INSERT INTO keyset (number, fee, version, active) VALUES (?, ?, ?, 1)");
	db_bind_i64(q, 1, (int64_t)row.number);
	db_bind_i64(q, 2, row.fee);
	db_bind_i64(q, 3, (int64_t)row.version);
	if (tx_run(q, NULL, e) < 0 || db_commit(&tx, e) < 0)
		return -1;
	for (size_t i = 0; i < k->n; i++)
		k->v[i]->public->active = false;
	return add(k, &row, e);
}

int mint_keys_new(struct mint_keys **out, struct db *d, uint32_t fee_ppk,
		  enum keyset_version version, struct err *e)
{
	struct mint_keys *k AUTO(mint_keys_free) = mem_zero(sizeof(*k));

	k->db = d;
	k->fee_ppk = fee_ppk;
	k->version = version;
	if (db_migrate(d, &schema, e) < 0 || read_seed(k, e) < 0 || read_keysets(k, e) < 0)
		return -1;
	if (!k->n && mint_keys_rotate(k, e) < 0)
		return -1;
	*out = steal(&k);
	return 0;
}

size_t mint_keys_count(const struct mint_keys *k)
{
	return k->n;
}

const struct mint_keyset *mint_keys_at(const struct mint_keys *k, size_t i)
{
	return k->v[i];
}

const struct mint_keyset *mint_keys_find(const struct mint_keys *k, const struct keyset_id *id)
{
	for (size_t i = 0; i < k->n; i++) {
		if (keyset_id_eq(&k->v[i]->public->id, id))
			return k->v[i];
	}
	return NULL;
}

const struct secret *mint_keyset_secret(const struct mint_keyset *s, struct sat amount)
{
	for (size_t i = 0; i < MINT_AMOUNTS; i++) {
		if (sat_raw(amount) == (uint64_t)1 << i)
			return &s->private[i];
	}
	return NULL;
}
