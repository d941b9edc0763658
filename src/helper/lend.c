/* Lending volumes: see lend.h. */
#include "helper/lend.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/step.h"
#include "helper/kept.h"
#include "helper/storage.h"

#define GRACE_MS  10000
#define SIGNAL_MS 5000
#define PAUSE_NS  50000000
#define WAKE_MS	  15000 /* after a reboot: both start at once, in any order */

void lent_clear(struct lent *l)
{
	free(l->folder);
	if (l->at >= 0)
		close(l->at);
	if (l->lock >= 0)
		close(l->lock);
}

enum { LEND_GONE = 1 };

/* Held by whoever adds a note or forbids more of them; always the last lock that is taken. */
static int lock_notes(int *fd, const struct helper_config *c, const char *lender, struct err *e)
{
	auto_free char *path = record_path(c, lender, "lending");
	auto_close int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct stat st;

	if (lock < 0 && errno == ENOENT)
		return LEND_GONE;
	if (lock < 0 || flock(lock, LOCK_EX) < 0 || fstat(lock, &st) < 0)
		return err_sys(e, "lock %s", path);
	if (st.st_nlink == 0)
		return LEND_GONE;
	*fd = steal_fd(&lock);
	return 0;
}

static char *note_path(const struct helper_config *c, const char *lender, const char *id)
{
	return mem_printf("%s/leases/%s/borrowers/%s", c->run_dir, lender, id);
}

static int note(const struct helper_config *c, const char *lender, const char *id, struct err *e)
{
	auto_free char *dir = record_path(c, lender, "borrowers");
	auto_free char *path = note_path(c, lender, id);
	auto_close int fd = -1;

	if (mkdir(dir, 0700) && errno != EEXIST)
		return err_sys(e, "mkdir %s", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, "create %s", path);
	step_at(STEP_STORAGE_LENT);
	return 0;
}

static int not_there(const char *lender, struct err *e)
{
	return err_set(e, ERRK_STATE, "you have no lease %s here (any more)", lender);
}

static void wait_for_disk(const struct record *lender, const struct helper_config *c)
{
	struct volume v = record_volume(lender, c);
	int64_t end = clock_mono_ms() + WAKE_MS;

	while ((!volume_is_mounted(&v) || volume_is_dead(&v)) && clock_mono_ms() < end)
		nanosleep(&(struct timespec){0, PAUSE_NS}, NULL);
}

static int find_volume(struct lent *out, const struct job *j, const struct record *lender,
		       const struct spec_mount *m, struct err *e)
{
	struct volume v = record_volume(lender, j->c);
	auto_free char *path = volume_path(&v), *folder = NULL;
	uint32_t theirs, ours;

	if (!volume_is_mounted(&v))
		return err_set(e, ERRK_STATE, "lease %s has to be started first", lender->id);
	if (volume_is_dead(&v))
		return err_set(e, ERRK_STATE, "the disk of %s is not served", lender->id);
	folder = m->type == SPEC_KEPT ? mem_printf("%s/" KEPT_FOLDER, path)
				      : mem_printf("%s/volumes/named-%s", path, m->name);
	if (!fs_exists(folder))
		return err_set(e, ERRK_STATE,
			       m->type == SPEC_KEPT ? "%s is no kept volume%s"
						    : "lease %s has no volume %s",
			       lender->id, m->name);
	if (kept_open_folder(&out->at, folder, m->subpath, !m->read_only, e) < 0)
		return -1;
	out->folder = mem_printf("/proc/self/fd/%d", out->at);
	theirs = record_ids(lender, j->c);
	ours = record_ids(&j->rec, j->c);
	if (theirs != ours)
		out->map = (struct idmap){theirs, ours, 65536};
	return 0;
}

int lend_take(struct lent *out, const struct job *j, const struct spec_mount *m, struct err *e)
{
	auto_free char *ending = record_path(j->c, m->lease, "ending");
	struct record lender;
	int r;

	*out = (struct lent){.lock = -1, .at = -1};
	if (strcmp(m->lease, j->rec.id) == 0)
		return err_set(e, ERRK_INPUT, "it is this lease; its own volume is type volume");
	r = record_read(&lender, j->c, m->lease, e);
	if (r == 0 && strcmp(lender.owner, j->rec.owner) != 0)
		return not_there(m->lease, e);
	if (r == 0 && !fs_exists(ending))
		wait_for_disk(&lender, j->c);
	if (r == 0)
		r = lock_notes(&out->lock, j->c, m->lease, e);
	if (r < 0)
		return -1;
	if (r > 0 || fs_exists(ending))
		return not_there(m->lease, e);
	if (find_volume(out, j, &lender, m, e))
		return -1;
	return note(j->c, m->lease, j->rec.id, e);
}

/* --- the lender's end --- */

/* Its record, if it is there. Of a strange one the id is enough. */
static int find(struct job *b, const struct job *lender, const char *id, struct err *e)
{
	int r;

	*b = (struct job){.c = lender->c, .known = true};
	r = record_read(&b->rec, lender->c, id, e);
	b->backend = record_backend(&b->rec);
	return r == RECORD_STRANGE ? 0 : r;
}

typedef int each_fn(const struct job *lender, const char *id, void *ctx, struct err *e);

static int each_borrower(const struct job *lender, each_fn *fn, void *ctx, struct err *e)
{
	auto_free char *dir = record_path(lender->c, lender->rec.id, "borrowers");
	auto_closedir DIR *d = opendir(dir);
	const struct dirent *entry;

	if (!d)
		return errno == ENOENT ? 0 : err_sys(e, "open %s", dir);
	while ((entry = readdir(d)))
		if (priv_id_valid(entry->d_name) && fn(lender, entry->d_name, ctx, e) < 0)
			return -1;
	return 0;
}

static int ask_to_end(const struct job *lender, const char *id, void *ctx, struct err *e)
{
	struct keeper_signal term = {SIGTERM};
	struct keeper_record rec;
	auto_close int fd = -1;
	struct err err;

	if (job_keeper(&fd, lender->c, id, &err) == 0)
		(void)!keeper_call(fd, KEEPER_SIGNAL, &term, &rec, SIGNAL_MS, &err);
	return 0;
}

static int count_running(const struct job *lender, const char *id, void *ctx, struct err *e)
{
	struct keeper_record rec;
	struct job b;
	struct err err;

	if (find(&b, lender, id, &err) == 0 && job_state(&rec, &b, &err) == 0 &&
	    rec.state == PRIV_BOX_RUNNING)
		++*(unsigned *)ctx;
	return 0;
}

static int wait_for_all(const struct job *lender, struct err *e)
{
	int64_t end = clock_mono_ms() + GRACE_MS;

	for (;;) {
		unsigned running = 0;

		if (each_borrower(lender, count_running, &running, e) < 0)
			return -1;
		if (running == 0 || clock_mono_ms() >= end)
			return 0;
		nanosleep(&(struct timespec){0, PAUSE_NS}, NULL);
	}
}

static int take_back(const struct job *lender, const char *id, void *ctx, struct err *e)
{
	auto_free char *dir = record_dir(lender->c, id);
	auto_free char *path = note_path(lender->c, lender->rec.id, id);
	auto_close int lock = -1;
	struct job b;
	int r = find(&b, lender, id, e);

	if (r == 0)
		r = job_lock(&lock, &b, e);
	if (r == 0 && (job_end_box(&b, e) < 0 || storage_unmount(dir, e) < 0))
		return -1;
	if (r < 0)
		return -1;
	return unlink(path) && errno != ENOENT ? err_sys(e, "remove %s", path) : 0;
}

/* Once written nobody else is noted. */
static int forbid(const struct job *j, struct err *e)
{
	auto_free char *ending = record_path(j->c, j->rec.id, "ending");
	auto_close int lock = -1, fd = -1;
	int r = lock_notes(&lock, j->c, j->rec.id, e);

	if (r)
		return r;
	fd = open(ending, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	return fd < 0 ? err_sys(e, "create %s", ending) : 0;
}

int lend_end(const struct job *j, struct err *e)
{
	int r = forbid(j, e);

	if (r)
		return r < 0 ? -1 : 0;
	if (each_borrower(j, ask_to_end, NULL, e) < 0 || wait_for_all(j, e) < 0)
		return -1;
	if (each_borrower(j, take_back, NULL, e) < 0)
		return -1;
	step_at(STEP_STORAGE_RECALLED);
	return 0;
}

int lend_recall(const struct job *j, struct err *e)
{
	return each_borrower(j, take_back, NULL, e);
}

static int count_one(const struct job *lender, const char *id, void *ctx, struct err *e)
{
	++*(unsigned *)ctx;
	return 0;
}

int lend_hold(int *lock, const struct job *j, unsigned *n, struct err *e)
{
	int r = lock_notes(lock, j->c, j->rec.id, e);

	*n = 0;
	if (r > 0)
		return not_there(j->rec.id, e);
	return r < 0 ? -1 : each_borrower(j, count_one, n, e);
}

static int forget_one(void *ctx, const char *lender)
{
	const struct job *j = ctx;
	auto_free char *note = note_path(j->c, lender, j->rec.id);

	(void)!unlink(note); /* one that stays costs its lender nothing but a look */
	return 0;
}

void lend_forget(const struct job *j)
{
	struct err err;

	if (record_each(j->c, forget_one, (void *)j, &err) < 0)
		log_warn("lease %s: what it used: %s", j->rec.id, err.msg);
}
