/* leasectl backup and restore: what the seed alone does not bring back (payments in flight, refunds
 * owed, leases), sealed with a passphrase. The passphrase is never an argument. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "agent/config.h"
#include "agent/keys.h"
#include "agent/sandbox.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/term.h"
#include "ctl/archive.h"
#include "ctl/ctl.h"

enum { PASSPHRASE_MAX = 1024, BACKUP_MS = 5 * 60 * 1000 };

struct backup_options {
	const char *passphrase_file;
};

static const struct opt opts[] = {
	{0, "passphrase-file", OPT_STRING, offsetof(struct backup_options, passphrase_file), "FILE",
	 "its first line, instead of asking on the terminal"},
};

/* --- passphrase --- */

static int read_first_line(struct buf *out, const char *path, struct err *e)
{
	auto_buf struct buf text = BUF(PASSPHRASE_MAX);
	struct str rest, line;
	int rc = fs_read_secret(&text, path, e);

	if (rc)
		return rc < 0 ? -1 : err_set(e, ERRK_INPUT, "there is no %s", path);
	rest = buf_view(&text);
	str_cut(&rest, '\n', &line);
	buf_str(out, str_trim(line));
	return out->n ? 0 : err_set(e, ERRK_INPUT, "%s: the passphrase is empty", path);
}

enum asking { ASK_ONCE, ASK_TWICE };

static int passphrase(struct buf *out, const struct backup_options *o, enum asking how,
		      struct err *e)
{
	auto_buf struct buf again = BUF(PASSPHRASE_MAX);

	if (o->passphrase_file)
		return read_first_line(out, o->passphrase_file, e);
	if (!isatty(STDIN_FILENO))
		return err_set(e, ERRK_INPUT, "no terminal to ask on: use --passphrase-file");
	if (term_ask_hidden(out, "Passphrase", e) < 0)
		return err_wrap(e, "passphrase");
	if (how == ASK_ONCE)
		return 0;
	if (term_ask_hidden(&again, "Once more", e) < 0)
		return -1;
	return str_eq(buf_view(out), buf_view(&again))
		       ? 0
		       : err_set(e, ERRK_INPUT, "the two are not the same");
}

/* --- backup --- */

static int add_file(struct archive *a, const char *name, const char *path, struct err *e)
{
	int rc = fs_read(archive_add(a, name), path, e);

	if (rc == FS_NOT_FOUND)
		return err_set(e, ERRK_STATE, "%s is missing", path);
	return rc;
}

/* Nobody writes to it while we hold leased's lock, so the two files are consistent. */
static int add_database_at_rest(struct archive *a, const struct config *conf, struct err *e)
{
	auto_free char *lock = config_state_file(conf, "leased.lock");
	auto_free char *db = config_state_file(conf, "core/agent.db");
	auto_free char *wal = config_state_file(conf, "core/agent.db-wal");
	auto_close int fd = -1;

	if (fs_lock(&fd, lock, e) < 0)
		return err_wrap(e, "leased runs, but does not answer");
	if (add_file(a, "agent.db", db, e) < 0)
		return -1;
	return fs_exists(wal) ? add_file(a, "agent.db-wal", wal, e) : 0;
}

/* The agent itself copies its database beside it. */
static int add_database(struct archive *a, const struct ctl *c, const struct config *conf,
			struct err *e)
{
	auto_free char *copy = config_state_file(conf, "core/agent.db.backup");
	auto_ctl_reply struct ctl_reply r = {NULL};
	int rc = ctl_ask_within(c, STR("{\"verb\":\"backup\"}"), BACKUP_MS, &r, e);

	if (rc == CTL_NO_AGENT)
		return add_database_at_rest(a, conf, e);
	if (rc)
		return -1;
	rc = add_file(a, "agent.db", copy, e);
	unlink(copy);
	return rc;
}

static int add_keys(struct archive *a, const struct config *conf, struct err *e)
{
	auto_free char *dir = config_state_file(conf, "core");
	auto_free char *nostr = mem_printf("%s/nostr.key", dir);
	auto_free char *column = mem_printf("%s/column.key", dir);

	if (add_file(a, "nostr.key", nostr, e) < 0 || add_file(a, "column.key", column, e) < 0)
		return -1;
	return keys_words(archive_add(a, "seed.words"), dir, conf->seed_key_file, e);
}

static int backup(const struct ctl *c, const struct backup_options *o, const char *path,
		  struct err *e)
{
	auto_config struct config *conf = NULL;
	auto_buf struct buf phrase = BUF(PASSPHRASE_MAX), sealed = BUF(ARCHIVE_MAX + 1024);
	auto_archive struct archive a = {.n = 0};

	if (fs_exists(path))
		return err_set(e, ERRK_STATE, "%s exists", path);
	if (config_load(&conf, ctl_config_path(c), e) < 0 ||
	    passphrase(&phrase, o, ASK_TWICE, e) < 0)
		return -1;
	if (add_keys(&a, conf, e) < 0 || add_database(&a, c, conf, e) < 0 ||
	    archive_seal(&sealed, &a, buf_view(&phrase), e) < 0)
		return -1;
	return fs_write_new(path, sealed.p, sealed.n, 0600, e);
}

static int run_backup(void *ctx, const void *options, int argc, char **argv)
{
	const struct ctl *c = ctx;
	struct err e = {0};

	if (argc != 1)
		return ctl_usage("backup", "wants the file to write");
	if (backup(c, options, argv[0], &e) < 0)
		return ctl_fail(-1, &e);
	if (c->json)
		puts("{\"ok\":true}");
	else
		printf("%s holds database, keys and seed, sealed with the passphrase\n", argv[0]);
	return CTL_OK;
}

const struct verb verb_backup = {
	.name = "backup",
	.args = "[--passphrase-file FILE] FILE",
	.help = "write database and keys to one sealed file",
	.opts = opts,
	.nopts = ARRAY_SIZE(opts),
	.size = sizeof(struct backup_options),
	.run = run_backup,
};

/* --- restore --- */

/* Never over an agent that is there. The lock file and empty folders do not count. */
static int check_empty(const struct config *conf, struct err *e)
{
	static const char *const mine[] = {"agent.db", "nostr.key", "seed.sealed", "column.key",
					   "instance"};

	for (size_t i = 0; i < ARRAY_SIZE(mine); i++) {
		auto_free char *path = mem_printf("%s/core/%s", conf->state_dir, mine[i]);

		if (fs_exists(path))
			return err_set(e, ERRK_STATE,
				       "%s is there: restore only into an empty state folder",
				       path);
	}
	return 0;
}

static int put_database(const struct archive *a, const struct keys_plan *p, const char *name,
			struct err *e)
{
	auto_free char *path = mem_printf("%s/%s", p->state_dir, name);
	const struct buf *data = archive_find(a, name);

	if (!data)
		return 0;
	if (fs_write_new(path, data->p, data->n, 0600, e) < 0)
		return -1;
	if (geteuid() == 0 && lchown(path, p->uid, p->gid))
		return err_sys(e, "chown %s", path);
	return 0;
}

static struct str part(const struct archive *a, const char *name)
{
	const struct buf *b = archive_find(a, name);

	return b ? str_trim(buf_view(b)) : (struct str){NULL, 0};
}

/* The random instance id is not in the archive: whoever restores is another agent, and an old one
 * that still runs on the same keys sees that. */
static int put_all(const struct archive *a, const struct config *conf, struct err *e)
{
	auto_free char *dir = config_state_file(conf, "core");
	struct sandbox_user user = {getuid(), getgid()};
	struct keys_plan plan = {.state_dir = dir,
				 .seed_key = conf->seed_key_file,
				 .key = part(a, "nostr.key"),
				 .words = part(a, "seed.words"),
				 .column = part(a, "column.key")};

	if (!plan.key.n || !plan.words.n || !plan.column.n || !archive_find(a, "agent.db"))
		return err_set(e, ERRK_INPUT, "the backup lacks a key or the database");
	if (geteuid() == 0 && sandbox_find_user(&user, conf->user, e) < 0)
		return -1;
	plan.uid = user.uid;
	plan.gid = user.gid;
	if (fs_mkdirs(conf->state_dir, 0711, e) < 0 || fs_mkdirs(dir, 0700, e) < 0)
		return -1;
	if (put_database(a, &plan, "agent.db-wal", e) < 0 ||
	    put_database(a, &plan, "agent.db", e) < 0)
		return -1;
	/* Last: with keys and without its database an agent would begin at the first counter. */
	return keys_create(&plan, e);
}

static int restore(const struct ctl *c, const struct backup_options *o, const char *path,
		   struct err *e)
{
	auto_config struct config *conf = NULL;
	auto_buf struct buf phrase = BUF(PASSPHRASE_MAX), sealed = BUF(ARCHIVE_MAX + 1024);
	auto_archive struct archive a = {.n = 0};
	int rc;

	if (config_load(&conf, ctl_config_path(c), e) < 0 || check_empty(conf, e) < 0)
		return -1;
	rc = fs_read(&sealed, path, e);
	if (rc)
		return rc < 0 ? -1 : err_set(e, ERRK_INPUT, "there is no %s", path);
	if (passphrase(&phrase, o, ASK_ONCE, e) < 0 ||
	    archive_open(&a, buf_view(&sealed), buf_view(&phrase), e) < 0)
		return -1;
	return put_all(&a, conf, e);
}

static int run_restore(void *ctx, const void *options, int argc, char **argv)
{
	const struct ctl *c = ctx;
	struct err e = {0};

	if (argc != 1)
		return ctl_usage("restore", "wants the file to read");
	if (restore(c, options, argv[0], &e) < 0)
		return ctl_fail(-1, &e);
	if (c->json)
		puts("{\"ok\":true}");
	else
		puts("restored; see that the old agent never runs again, then start this one and "
		     "let it audit: leasectl wallet audit");
	return CTL_OK;
}

const struct verb verb_restore = {
	.name = "restore",
	.args = "[--passphrase-file FILE] FILE",
	.help = "bring a backup into an empty state folder",
	.opts = opts,
	.nopts = ARRAY_SIZE(opts),
	.size = sizeof(struct backup_options),
	.run = run_restore,
};
