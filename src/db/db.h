/*
 * SQLite: one connection, WAL, synchronous=FULL, 0600. A function that writes takes a `struct tx
 * *`, which only db_begin makes, so writing outside a transaction does not compile. Statements are
 * cached by their (static) text. The only file with sqlite3.h is db.c.
 */
#ifndef DB_DB_H
#define DB_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/secret.h"
#include "base/str.h"

struct db;
struct tx;
struct stmt;

/* A step of the schema. `version` counts from 1 without gaps; each runs in its own transaction. */
struct db_migration {
	int version;
	const char *sql;
};

struct db_schema {
	const char *name; /* several modules share one file: each has its own version row */
	const struct db_migration *steps;
	size_t nsteps;
};

int db_open(struct db **out, const char *path, struct err *e) MUST_CHECK; /* created 0600 */
void db_close(struct db *d);
DEFINE_AUTO(struct db, db_close)
/* Bring `schema` up to date; -1 with ERRK_STATE when the file is newer than this program. */
int db_migrate(struct db *d, const struct db_schema *schema, struct err *e) MUST_CHECK;
/* Key for secret columns (db_bind_secret); copied into the connection. */
void db_set_key(struct db *d, const struct secret *key);
/* A copy as of now, 0600, on the disk when this returns. FS_NEW: -1 where `path` exists. */
int db_backup(struct db *d, const char *path, enum fs_place how, struct err *e) MUST_CHECK;
const char *db_path(const struct db *d); /* as it was opened */

/* Immediate transaction; no nesting. A tx that is not committed is rolled back by tx_end. */
int db_begin(struct tx **out, struct db *d, struct err *e) MUST_CHECK;
int db_commit(struct tx **tx, struct err *e) MUST_CHECK; /* empties the handle */
void tx_end(struct tx *tx);
DEFINE_AUTO(struct tx, tx_end)
#define auto_tx AUTO(tx_end)
struct db *tx_db(struct tx *tx);

/* Statements: reading through the db, writing through the tx. Parameters count from 1. */
struct stmt *db_query(struct db *d, const char *sql); /* errors show at the step */
struct stmt *tx_write(struct tx *tx, const char *sql);
void db_bind_i64(struct stmt *s, int i, int64_t v);
void db_bind_text(struct stmt *s, int i, struct str v); /* p == NULL binds NULL; copied */
void db_bind_blob(struct stmt *s, int i, const void *p, size_t n); /* copied */
/* Sealed with the connection's key; `what` ("table.column") is bound in. */
void db_bind_secret(struct stmt *s, int i, const char *what, const void *p, size_t n);

enum { DB_ROW = 1 }; /* db_step: DB_ROW, 0 when there is no further row, -1 */
int db_step(struct stmt *s, struct err *e) MUST_CHECK;
int64_t db_i64(struct stmt *s, int col);     /* columns count from 0 */
struct str db_text(struct stmt *s, int col); /* valid until the next step */
struct str db_blob(struct stmt *s, int col);
bool db_is_null(struct stmt *s, int col);
/* Open a sealed column into `out` (appended). */
struct buf;
int db_secret(struct buf *out, struct stmt *s, int col, const char *what, struct err *e) MUST_CHECK;
void db_done(struct stmt *s); /* back into the cache; NULL is fine */
DEFINE_AUTO(struct stmt, db_done)
#define auto_stmt AUTO(db_done)

/* Run a statement to its end: bind first, then this; also gives it back. Returns changed rows in
 * *changed where not NULL. DB_CONFLICT where a UNIQUE or PRIMARY KEY constraint said no. */
enum { DB_CONFLICT = 2 };
int tx_run(struct stmt *s, int *changed, struct err *e) MUST_CHECK;
int64_t tx_last_id(struct tx *tx);

#endif
