/* The database wrapper: transactions, conflicts, sealed columns, migrations, file modes. */
#include "unit.h"

#include <sys/stat.h>

#include "crypto/secp.h"
#include "db/db.h"

static const struct db_migration steps[] = {
	{1, "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT UNIQUE, secret BLOB)"},
	{2, "ALTER TABLE item ADD COLUMN n INTEGER NOT NULL DEFAULT 7;"
	    "CREATE TABLE part(item INTEGER NOT NULL REFERENCES item(id))"},
};
static const struct db_schema first = {"items", steps, 1};
static const struct db_schema both = {"items", steps, 2};

static struct db *open_at(void **state, const char *name)
{
	auto_free char *path = mem_printf("%s/%s", (char *)*state, name);
	struct err e = {0};
	struct db *d;

	if (db_open(&d, path, &e))
		fail_msg("%s", e.msg);
	return d;
}

static struct db *open_new(void **state, const char *name)
{
	struct db *d = open_at(state, name);
	struct err e = {0};

	assert_int_equal(db_migrate(d, &both, &e), 0);
	return d;
}

static int add(struct tx *tx, const char *name)
{
	struct stmt *s = tx_write(tx, "INSERT INTO item(name) VALUES (?1)");
	struct err e = {0};
	int changed = 0, done;

	db_bind_text(s, 1, str_of(name));
	done = tx_run(s, &changed, &e);
	assert_true(done || changed == 1);
	return done;
}

static int64_t count(struct db *d)
{
	auto_stmt struct stmt *s = db_query(d, "SELECT count(*) FROM item");
	struct err e = {0};

	assert_int_equal(db_step(s, &e), DB_ROW);
	return db_i64(s, 0);
}

static void a_transaction_is_whole_or_nothing(void **state)
{
	AUTO(db_close) struct db *d = open_new(state, "tx");
	struct err e = {0};
	struct tx *tx, *second;

	assert_int_equal(db_begin(&tx, d, &e), 0);
	assert_int_equal(db_begin(&second, d, &e), -1);
	assert_int_equal(e.kind, ERRK_STATE);
	assert_int_equal(add(tx, "a"), 0);
	tx_end(tx);
	assert_int_equal(count(d), 0);
	assert_int_equal(db_begin(&tx, d, &e), 0);
	assert_int_equal(add(tx, "a"), 0);
	assert_int_equal(tx_last_id(tx), 1);
	assert_int_equal(db_commit(&tx, &e), 0);
	assert_null(tx);
	tx_end(tx);
	assert_int_equal(count(d), 1);
}

static void a_unique_column_says_conflict(void **state)
{
	AUTO(db_close) struct db *d = open_new(state, "unique");
	auto_tx struct tx *tx = NULL;
	struct err e = {0};
	struct stmt *s;

	assert_int_equal(db_begin(&tx, d, &e), 0);
	assert_int_equal(add(tx, "a"), 0);
	assert_int_equal(add(tx, "a"), DB_CONFLICT);
	assert_int_equal(add(tx, "b"), 0);
	s = tx_write(tx, "INSERT INTO part(item) VALUES (99)");
	assert_int_equal(tx_run(s, NULL, &e), -1); /* foreign keys are on */
	assert_int_equal(db_commit(&tx, &e), 0);
	assert_int_equal(count(d), 2);
}

static void a_query_cannot_write(void **state)
{
	AUTO(db_close) struct db *d = open_new(state, "query");
	auto_stmt struct stmt *bad = db_query(d, "DELETE FROM item");
	auto_stmt struct stmt *worse = db_query(d, "SELECT nonsense FROM nowhere");
	struct err e = {0};

	assert_int_equal(db_step(bad, &e), -1);
	assert_non_null(strstr(e.msg, "outside a transaction"));
	assert_int_equal(db_step(worse, &e), -1);
}

/* The same text twice at once gives two statements; an ended one does not start anew by itself. */
static void statements_are_cached_and_safe(void **state)
{
	AUTO(db_close) struct db *d = open_new(state, "cache");
	static const char sql[] = "SELECT 1 UNION ALL SELECT 2";
	struct err e = {0};
	struct stmt *a = db_query(d, sql), *b = db_query(d, sql), *c;

	assert_ptr_not_equal(a, b);
	assert_int_equal(db_step(a, &e), DB_ROW);
	assert_int_equal(db_step(b, &e), DB_ROW);
	assert_int_equal(db_step(a, &e), DB_ROW);
	assert_int_equal(db_i64(a, 0), 2);
	assert_int_equal(db_step(a, &e), 0);
	assert_int_equal(db_step(a, &e), 0);
	db_done(a);
	c = db_query(d, "SELECT 1 UNION ALL SELECT 2");
	assert_ptr_equal(c, a);
	db_done(b);
	db_done(c);
}

static void secrets_are_sealed_in_their_place(void **state)
{
	AUTO(db_close) struct db *d = open_new(state, "sealed");
	auto_buf struct buf out = BUF(64);
	struct err e = {0};
	struct secret key;
	struct stmt *s;
	struct tx *tx;

	assert_int_equal(db_begin(&tx, d, &e), 0);
	s = tx_write(tx, "INSERT INTO item(name, secret) VALUES ('k', ?1)");
	db_bind_secret(s, 1, "item.secret", "hush", 4);
	assert_int_equal(tx_run(s, NULL, &e), -1); /* no key yet */
	secret_new(&key);
	db_set_key(d, &key);
	s = tx_write(tx, "INSERT INTO item(name, secret) VALUES ('k', ?1)");
	db_bind_secret(s, 1, "item.secret", "hush", 4);
	assert_int_equal(tx_run(s, NULL, &e), 0);
	assert_int_equal(db_commit(&tx, &e), 0);
	s = db_query(d, "SELECT secret, n, name FROM item");
	assert_int_equal(db_step(s, &e), DB_ROW);
	assert_int_equal(db_blob(s, 0).n, 12 + 4 + 16);
	assert_int_equal(db_secret(&out, s, 0, "item.other", &e), -1);
	assert_int_equal(db_secret(&out, s, 0, "item.secret", &e), 0);
	assert_view(out, "hush");
	assert_int_equal(db_i64(s, 1), 7);
	assert_str(db_text(s, 2), "k");
	assert_false(db_is_null(s, 0));
	db_done(s);
}

static void migrations_go_forward_only(void **state)
{
	struct db *d = open_at(state, "migrate");
	struct err e = {0};

	assert_int_equal(db_migrate(d, &first, &e), 0);
	assert_int_equal(db_migrate(d, &both, &e), 0);
	assert_int_equal(db_migrate(d, &both, &e), 0);
	assert_int_equal(db_migrate(d, &first, &e), -1);
	assert_int_equal(e.kind, ERRK_STATE);
	db_close(d);
}

static void check_mode(void **state, const char *name)
{
	auto_free char *path = mem_printf("%s/%s", (char *)*state, name);
	struct stat st;

	if (stat(path, &st))
		fail_msg("%s is missing", path);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void files_are_private(void **state)
{
	AUTO(db_close) struct db *d = NULL;
	auto_free char *path = mem_printf("%s/copy", (char *)*state);
	struct err e = {0};
	mode_t before = umask(0);

	d = open_new(state, "modes");
	assert_int_equal(db_backup(d, path, FS_REPLACE, &e), 0);
	umask(before);
	check_mode(state, "modes");
	check_mode(state, "modes-wal");
	check_mode(state, "modes-shm");
	check_mode(state, "copy");
}

static void a_backup_is_a_database(void **state)
{
	struct db *d = open_new(state, "source"), *copy;
	auto_free char *path = mem_printf("%s/backup", (char *)*state);
	struct err e = {0};
	struct tx *tx;

	assert_int_equal(db_begin(&tx, d, &e), 0);
	assert_int_equal(add(tx, "kept"), 0);
	assert_int_equal(db_commit(&tx, &e), 0);
	assert_int_equal(db_backup(d, path, FS_REPLACE, &e), 0);
	assert_int_equal(db_backup(d, path, FS_REPLACE, &e), 0);
	db_close(d);
	copy = open_at(state, "backup");
	assert_int_equal(count(copy), 1);
	db_close(copy);
}

static void a_backup_takes_nobodys_place(void **state)
{
	auto_free char *path = mem_printf("%s/mine", (char *)*state);
	auto_free char *tmp = mem_printf("%s.tmp", path);
	auto_buf struct buf b = BUF(100);
	struct db *d = open_new(state, "other");
	struct err e = {0};

	assert_int_equal(fs_write(tmp, "a stranger's", 12, 0600, &e), 0);
	assert_int_equal(db_backup(d, path, FS_NEW, &e), 0);
	assert_int_equal(fs_read(&b, tmp, &e), 0);
	assert_view(b, "a stranger's");
	assert_int_equal(fs_write(path, "kept", 4, 0600, &e), 0);
	assert_int_equal(db_backup(d, path, FS_NEW, &e), -1);
	buf_reset(&b);
	assert_int_equal(fs_read(&b, path, &e), 0);
	assert_view(b, "kept");
	db_close(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_transaction_is_whole_or_nothing),
		cmocka_unit_test(a_unique_column_says_conflict),
		cmocka_unit_test(a_query_cannot_write),
		cmocka_unit_test(statements_are_cached_and_safe),
		cmocka_unit_test(secrets_are_sealed_in_their_place),
		cmocka_unit_test(migrations_go_forward_only),
		cmocka_unit_test(files_are_private),
		cmocka_unit_test(a_backup_is_a_database),
		cmocka_unit_test(a_backup_takes_nobodys_place),
	};

	return cmocka_run_group_tests(tests, unit_folder, unit_folder_gone);
}
