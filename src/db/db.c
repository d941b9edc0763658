#include "db/db.h"

#include <assert.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "crypto/cipher.h"

enum { BUSY_MS = 30000, SECRET_MAX = 1 << 20 };

struct stmt {
	struct stmt *next;
	struct db *d;
	const char *sql;   /* a copy behind this struct */
	sqlite3_stmt *s;   /* NULL: it did not compile */
	const char *wrong; /* what a bind could not do; shown by the step */
	bool busy, ended;
};

struct tx {
	struct db *d;
};

struct db {
	sqlite3 *q;
	char *path;
	struct stmt *cache;
	struct tx *open;
	struct secret key;
	bool has_key;
};

static int fail(struct db *d, struct err *e, const char *what)
{
	return err_set(e, ERRK_SYS, "database: %s: %s", what, sqlite3_errmsg(d->q));
}

static int execute(struct db *d, const char *sql, const char *what, struct err *e)
{
	return sqlite3_exec(d->q, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : fail(d, e, what);
}

/* --- connection --- */

/* SQLite gives -wal and -shm the mode of the file itself, so that is made first. An existing file
 * is not opened here: closing it would drop the locks of another connection of this process. */
static int prepare_file(const char *path, struct err *e)
{
	auto_close int fd = -1;
	struct stat st;

	if (strcmp(path, ":memory:") == 0)
		return 0;
	if (lstat(path, &st) == 0) {
		if (!S_ISREG(st.st_mode))
			return err_set(e, ERRK_DENIED, "%s: not a regular file", path);
		if ((st.st_mode & 077) && chmod(path, 0600))
			return err_sys(e, "chmod %s", path);
		return 0;
	}
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? err_sys(e, "create %s", path) : 0;
}

static int set_up(struct db *d, struct err *e)
{
	sqlite3_busy_timeout(d->q, BUSY_MS);
	sqlite3_extended_result_codes(d->q, 1);
	return execute(d,
		       "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
		       "PRAGMA trusted_schema=OFF;",
		       "set up", e);
}

int db_open(struct db **out, const char *path, struct err *e)
{
	AUTO(db_close) struct db *d = mem_zero(sizeof(*d));
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;

	if (prepare_file(path, e))
		return -1;
	if (sqlite3_open_v2(path, &d->q, flags, NULL) != SQLITE_OK)
		return err_set(e, ERRK_SYS, "open %s: %s", path, sqlite3_errmsg(d->q));
	if (set_up(d, e))
		return err_wrap(e, "%s", path);
	d->path = mem_strdup(path);
	*out = steal(&d);
	return 0;
}

void db_close(struct db *d)
{
	struct stmt *s, *next;

	if (!d)
		return;
	assert(!d->open);
	for (s = d->cache; s; s = next) {
		next = s->next;
		sqlite3_finalize(s->s);
		free(s);
	}
	sqlite3_close(d->q);
	secret_wipe(&d->key);
	free(d->path);
	free(d);
}

void db_set_key(struct db *d, const struct secret *key)
{
	d->key = *key;
	d->has_key = true;
}

const char *db_path(const struct db *d)
{
	return d->path;
}

static int copy_all(struct db *d, sqlite3 *to, struct err *e)
{
	sqlite3_backup *b = sqlite3_backup_init(to, "main", d->q, "main");
	int rc = b ? sqlite3_backup_step(b, -1) : SQLITE_ERROR;

	if (b)
		sqlite3_backup_finish(b);
	if (rc != SQLITE_DONE)
		return err_set(e, ERRK_SYS, "backup: %s", sqlite3_errmsg(to));
	return 0;
}

static int copy_to(struct db *d, const char *path, struct err *e)
{
	sqlite3 *to = NULL;
	int done;

	if (sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK)
		done = copy_all(d, to, e);
	else
		done = err_set(e, ERRK_SYS, "open %s: %s", path, sqlite3_errmsg(to));
	sqlite3_close(to);
	return done;
}

int db_backup(struct db *d, const char *path, enum fs_place how, struct err *e)
{
	auto_free char *tmp = NULL;

	if (fs_temporary(&tmp, path, e) < 0)
		return -1;
	if (copy_to(d, tmp, e) == 0)
		return fs_place(tmp, path, how, e);
	unlink(tmp);
	return -1;
}

/* --- transactions --- */

int db_begin(struct tx **out, struct db *d, struct err *e)
{
	if (d->open)
		return err_set(e, ERRK_STATE, "database: a transaction is open already");
	if (execute(d, "BEGIN IMMEDIATE", "begin", e))
		return -1;
	d->open = mem_zero(sizeof(*d->open));
	d->open->d = d;
	*out = d->open;
	return 0;
}

static void tx_free(struct tx *tx)
{
	tx->d->open = NULL;
	free(tx);
}

int db_commit(struct tx **tx, struct err *e)
{
	if (execute((*tx)->d, "COMMIT", "commit", e))
		return -1;
	tx_free(*tx);
	*tx = NULL;
	return 0;
}

void tx_end(struct tx *tx)
{
	if (!tx)
		return;
	/* Some failures have rolled back by themselves. */
	if (!sqlite3_get_autocommit(tx->d->q))
		sqlite3_exec(tx->d->q, "ROLLBACK", NULL, NULL, NULL);
	tx_free(tx);
}

struct db *tx_db(struct tx *tx)
{
	return tx->d;
}

int64_t tx_last_id(struct tx *tx)
{
	return sqlite3_last_insert_rowid(tx->d->q);
}

/* --- statements --- */

static struct stmt *find_cached(struct db *d, const char *sql)
{
	struct stmt *s;

	for (s = d->cache; s; s = s->next)
		if (!s->busy && s->s && (s->sql == sql || strcmp(s->sql, sql) == 0))
			return s;
	return NULL;
}

static struct stmt *prepare(struct db *d, const char *sql)
{
	struct stmt *s = find_cached(d, sql);
	size_t n = strlen(sql) + 1;
	char *copy;

	if (!s) {
		s = mem_zero(sizeof(*s) + n);
		copy = (char *)(s + 1);
		memcpy(copy, sql, n);
		s->sql = copy;
		s->d = d;
		s->next = d->cache;
		d->cache = s;
		sqlite3_prepare_v3(d->q, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->s, NULL);
	}
	s->busy = true;
	s->ended = false;
	s->wrong = NULL;
	return s;
}

struct stmt *db_query(struct db *d, const char *sql)
{
	struct stmt *s = prepare(d, sql);

	if (s->s && !sqlite3_stmt_readonly(s->s))
		s->wrong = "it writes outside a transaction";
	return s;
}

struct stmt *tx_write(struct tx *tx, const char *sql)
{
	return prepare(tx->d, sql);
}

static void bound(struct stmt *s, int rc)
{
	if (rc != SQLITE_OK && !s->wrong)
		s->wrong = "a parameter does not fit";
}

void db_bind_i64(struct stmt *s, int i, int64_t v)
{
	bound(s, sqlite3_bind_int64(s->s, i, v));
}

void db_bind_text(struct stmt *s, int i, struct str v)
{
	if (v.p)
		bound(s, sqlite3_bind_text64(s->s, i, v.p, v.n, SQLITE_TRANSIENT, SQLITE_UTF8));
	else
		bound(s, sqlite3_bind_null(s->s, i));
}

void db_bind_blob(struct stmt *s, int i, const void *p, size_t n)
{
	bound(s, sqlite3_bind_blob64(s->s, i, p, n, SQLITE_TRANSIENT));
}

void db_bind_secret(struct stmt *s, int i, const char *what, const void *p, size_t n)
{
	auto_buf struct buf sealed = BUF(SECRET_MAX);

	if (!s->d->has_key) {
		s->wrong = "there is no key for its secret column";
		return;
	}
	aead_seal(&sealed, &s->d->key, str_of(what), p, n);
	if (sealed.failed)
		s->wrong = "a secret is too large";
	else
		db_bind_blob(s, i, sealed.p, sealed.n);
}

static int step_raw(struct stmt *s, int *rc, struct err *e)
{
	if (!s->s)
		return err_set(e, ERRK_SYS, "database: \"%s\" does not compile", s->sql);
	if (s->wrong)
		return err_set(e, ERRK_STATE, "database: \"%s\": %s", s->sql, s->wrong);
	*rc = s->ended ? SQLITE_DONE : sqlite3_step(s->s);
	s->ended = *rc != SQLITE_ROW;
	return 0;
}

int db_step(struct stmt *s, struct err *e)
{
	int rc = SQLITE_DONE;

	if (step_raw(s, &rc, e))
		return -1;
	if (rc == SQLITE_ROW)
		return DB_ROW;
	return rc == SQLITE_DONE ? 0 : fail(s->d, e, s->sql);
}

int64_t db_i64(struct stmt *s, int col)
{
	return sqlite3_column_int64(s->s, col);
}

struct str db_text(struct stmt *s, int col)
{
	const unsigned char *p = sqlite3_column_text(s->s, col);

	return (struct str){(const char *)p, (size_t)sqlite3_column_bytes(s->s, col)};
}

struct str db_blob(struct stmt *s, int col)
{
	const void *p = sqlite3_column_blob(s->s, col);

	return (struct str){p, (size_t)sqlite3_column_bytes(s->s, col)};
}

bool db_is_null(struct stmt *s, int col)
{
	return sqlite3_column_type(s->s, col) == SQLITE_NULL;
}

int db_secret(struct buf *out, struct stmt *s, int col, const char *what, struct err *e)
{
	struct str sealed = db_blob(s, col);

	if (!s->d->has_key)
		return err_set(e, ERRK_STATE, "database: there is no key for %s", what);
	if (aead_open(out, &s->d->key, str_of(what), sealed.p, sealed.n, e))
		return err_wrap(e, "%s", what);
	return 0;
}

void db_done(struct stmt *s)
{
	if (!s)
		return;
	if (s->s) {
		sqlite3_reset(s->s);
		sqlite3_clear_bindings(s->s);
	}
	s->busy = false;
}

static int run_outcome(struct stmt *s, int rc, struct err *e)
{
	if (rc == SQLITE_DONE)
		return 0;
	if (rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY)
		return DB_CONFLICT;
	return fail(s->d, e, s->sql);
}

int tx_run(struct stmt *s, int *changed, struct err *e)
{
	int rc = SQLITE_ROW, done = 0;

	while (done == 0 && rc == SQLITE_ROW)
		done = step_raw(s, &rc, e);
	if (done == 0)
		done = run_outcome(s, rc, e);
	if (done == 0 && changed)
		*changed = sqlite3_changes(s->d->q);
	db_done(s);
	return done;
}

/* --- migrations --- */

static int read_version(struct db *d, const char *name, int64_t *version, struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(d, "SELECT version FROM schema_version WHERE name = ?1");
	int got;

	db_bind_text(s, 1, str_of(name));
	got = db_step(s, e);
	if (got < 0)
		return -1;
	*version = got == DB_ROW ? db_i64(s, 0) : 0;
	return 0;
}

static int migrate_step(struct db *d, const char *name, const struct db_migration *m, struct err *e)
{
	auto_tx struct tx *tx = NULL;
	int64_t have = 0;
	struct stmt *s;

	if (db_begin(&tx, d, e) || read_version(d, name, &have, e))
		return -1;
	if (have >= m->version)
		return 0; /* another process was faster */
	if (execute(d, m->sql, "migrate", e))
		return -1;
	s = tx_write(tx, "INSERT INTO schema_version(name, version) VALUES (?1, ?2)"
			 " ON CONFLICT(name) DO UPDATE SET version = excluded.version");
	db_bind_text(s, 1, str_of(name));
	db_bind_i64(s, 2, m->version);
	if (tx_run(s, NULL, e))
		return -1;
	return db_commit(&tx, e);
}

int db_migrate(struct db *d, const struct db_schema *schema, struct err *e)
{
	int64_t have = 0;
	size_t i;

	if (execute(d,
		    "CREATE TABLE IF NOT EXISTS schema_version("
		    "name TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID",
		    "migrate", e) ||
	    read_version(d, schema->name, &have, e))
		return -1;
	if (have > (int64_t)schema->nsteps)
		return err_set(e, ERRK_STATE,
			       "database: %s is of version %lld, newer than this program's %zu",
			       schema->name, (long long)have, schema->nsteps);
	for (i = (size_t)have; i < schema->nsteps; i++) {
		assert(schema->steps[i].version == (int)i + 1);
		if (migrate_step(d, schema->name, &schema->steps[i], e))
			return err_wrap(e, "%s, version %d", schema->name,
					schema->steps[i].version);
	}
	return 0;
}
