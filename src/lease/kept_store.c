/* Which leases have which kept volumes attached: SQL only. */
#include "lease/kept.h"

int kept_writer(struct db *d, const char *volume, char out[static LEASE_ID_HEX + 1], struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(d, "SELECT lease FROM attach WHERE volume = ? AND read_only = 0");
	struct str id;
	int rc;

	db_bind_text(s, 1, str_of(volume));
	rc = db_step(s, e);
	if (rc != DB_ROW)
		return rc < 0 ? -1 : 0;
	id = db_text(s, 0);
	snprintf(out, LEASE_ID_HEX + 1, "%.*s", (int)id.n, id.p);
	return 0;
}

/* Of a volume that it mounts twice, once writable, it is a writer. */
static int attach_one(struct tx *tx, const char *lease, const struct spec_mount *m, struct err *e)
{
	struct stmt *s = tx_write(tx, "INSERT INTO attach(volume,lease,read_only) VALUES(?,?,?)"
				      " ON CONFLICT(volume,lease) DO UPDATE SET"
				      " read_only = min(read_only, excluded.read_only)");

	db_bind_text(s, 1, str_of(m->lease));
	db_bind_text(s, 2, str_of(lease));
	db_bind_i64(s, 3, m->read_only);
	return tx_run(s, NULL, e);
}

int kept_attach(struct tx *tx, const char *lease, const struct spec *s, struct err *e)
{
	char writer[LEASE_ID_HEX + 1] = "";

	for (size_t i = 0; i < s->storage.n; i++) {
		const struct spec_mount *m = &s->storage.v[i];
		int rc = m->type == SPEC_KEPT ? attach_one(tx, lease, m, e) : 0;

		if (rc < 0)
			return -1;
		if (rc != DB_CONFLICT)
			continue;
		if (kept_writer(tx_db(tx), m->lease, writer, e) < 0)
			return -1;
		err_set(e, ERRK_DENIED,
			"storage[%zu]: lease %s writes to that volume; attach it read-only, or end "
			"that one first",
			i, writer);
		return KEPT_WRITTEN;
	}
	return 0;
}

int kept_detach(struct tx *tx, const char *lease, struct err *e)
{
	struct stmt *s = tx_write(tx, "DELETE FROM attach WHERE lease = ?");

	db_bind_text(s, 1, str_of(lease));
	return tx_run(s, NULL, e) ? -1 : 0;
}

int kept_count(struct db *d, const char *volume, uint64_t *out, struct err *e)
{
	auto_stmt struct stmt *s = db_query(d, "SELECT count(*) FROM attach WHERE volume = ?");

	db_bind_text(s, 1, str_of(volume));
	if (db_step(s, e) < 0)
		return -1;
	*out = (uint64_t)db_i64(s, 0);
	return 0;
}
