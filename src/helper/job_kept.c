/* BOX_SAVE, BOX_LOAD: what a kept volume has, to and from its owner, by a confined child that sees
 * one folder of it. What is loaded comes together beside the empty folder, and takes its place when
 * all of it is there. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/hex.h"
#include "base/mem.h"
#include "helper/job.h"
#include "helper/kept.h"
#include "helper/lend.h"
#include "helper/part.h"
#include "image/confine.h"

#define SECONDS_MAX 60
#define LOADING	    KEPT_LOADING /* and the print of what is loaded */

static int save_inside(const void *arg, void *answer, struct buf *tail, struct err *e)
{
	return save_run(answer, tail, arg, e);
}

static int load_inside(const void *arg, void *answer, struct buf *tail, struct err *e)
{
	(void)tail;
	return load_run(answer, arg, e);
}

int kept_lock(char **mount, int *lock, const struct job *j, struct err *e)
{
	struct volume v = record_volume(&j->rec, j->c);
	auto_free char *path = volume_path(&v);
	auto_free char *folder = mem_printf("%s/" KEPT_FOLDER, path);
	int known = j->known ? job_lock(lock, j, e) : RECORD_NOT_FOUND;

	if (known < 0)
		return -1;
	if (known > 0 || !volume_is_mounted(&v) || !fs_exists(folder)) {
		err_set(e, ERRK_STATE, "the volume is not open");
		return PRIV_COPY_NOT_RUNNING;
	}
	*mount = steal(&path);
	return 0;
}

enum priv_copy_outcome kept_outcome(int r, const struct err *e, char **message)
{
	if (r == 0)
		return PRIV_COPY_DONE;
	*message = mem_strdup(e->msg);
	if (r > 0)
		return PRIV_COPY_NOT_RUNNING;
	return e->kind == ERRK_LIMIT ? PRIV_COPY_TOO_MUCH : PRIV_COPY_FAILED;
}

/* --- save --- */

static int check_there(const struct priv_save *m, const char *folder, struct err *e)
{
	if (!*m->snapshot)
		return 0;
	return str_is_name(str_of(m->snapshot), SPEC_NAME_MAX) && fs_exists(folder)
		       ? 0
		       : err_set(e, ERRK_STATE, "there is no snapshot %s", m->snapshot);
}

int job_save(const struct job *j, void *reply, struct err *e)
{
	const struct priv_save *m = j->msg;
	struct priv_save_reply *r = reply;
	const struct save s = {.from = m->from, .ids = record_ids(&j->rec, j->c)};
	struct buf parcel = BUF(m->max);
	struct saved done = {0};
	auto_free char *mount = NULL, *folder = NULL;
	auto_close int lock = -1;
	struct confine c = {.kind = CONFINE_UNPACK,
			    .input = -1,
			    .seconds_max = SECONDS_MAX,
			    .run = save_inside,
			    .arg = &s,
			    .answer = &done,
			    .answer_n = sizeof(done),
			    .tail = &parcel};
	int rc = kept_lock(&mount, &lock, j, e);

	if (rc == 0) {
		folder = *m->snapshot ? mem_printf("%s/" KEPT_SNAPSHOTS "/%s", mount, m->snapshot)
				      : mem_printf("%s/" KEPT_FOLDER, mount);
		c.root = folder;
		rc = check_there(m, folder, e);
	}
	if (rc == 0)
		rc = confine_run(&c, e);
	r->outcome = kept_outcome(rc, e, &r->message);
	r->next = done.next;
	r->left = done.left;
	if (rc)
		buf_reset(&parcel);
	r->parcel = (struct wire_blob){(uint8_t *)parcel.p, parcel.n};
	return 0;
}

/* --- load --- */

static bool is_load(struct str name)
{
	return str_starts(name, LOADING);
}

static bool is_half(struct str name)
{
	const size_t n = strlen(KEPT_HALF);

	return name.n > n && memcmp(name.p + name.n - n, KEPT_HALF, n) == 0;
}

static int sweep(const char *above, bool (*is)(struct str), struct err *e)
{
	auto_closedir DIR *d = opendir(above);
	const struct dirent *entry;

	if (!d)
		return errno == ENOENT ? 0 : err_sys(e, "open %s", above);
	while ((entry = readdir(d))) {
		auto_free char *path = mem_printf("%s/%s", above, entry->d_name);

		if (is(str_of(entry->d_name)) && fs_remove_tree(path, e) < 0)
			return -1;
	}
	return 0;
}

int kept_sweep(const char *mount, struct err *e)
{
	auto_free char *above = mem_printf("%s/volumes", mount);
	auto_free char *snapshots = mem_printf("%s/" KEPT_SNAPSHOTS, mount);

	return sweep(above, is_load, e) < 0 ? -1 : sweep(snapshots, is_half, e);
}

int kept_hold(int *lock, const struct job *j, struct err *e)
{
	unsigned users;

	if (lend_hold(lock, j, &users, e) < 0)
		return -1;
	return users ? err_set(e, ERRK_STATE, "%u leases use the volume; end them first", users)
		     : 0;
}

/* Nobody uses it, nor will while `lock` is open, and nothing is in it. */
static int check_empty(int *lock, const struct job *j, const char *folder, struct err *e)
{
	auto_closedir DIR *d = opendir(folder);
	const struct dirent *entry;

	if (!d)
		return err_sys(e, "open %s", folder);
	while ((entry = readdir(d)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			return err_set(e, ERRK_STATE,
				       "the volume is not empty; restore into a new one");
	return kept_hold(lock, j, e);
}

/* As far as is known now. */
static int may_fill(const struct job *j, const char *folder, struct err *e)
{
	auto_close int lock = -1;

	return check_empty(&lock, j, folder, e);
}

/* The folder that is filled: made for the first parcel, found for the others. */
static int open_half(const struct job *j, const char *half, const char *mount,
		     const struct parcel *p, struct err *e)
{
	if (p->from > 0)
		return fs_exists(half) ? 0
				       : err_set(e, ERRK_STATE,
						 "the restore was interrupted; begin it again");
	if (kept_sweep(mount, e) < 0)
		return -1;
	return kept_make(j, half, e);
}

/* On the disk before it is said to be there. A lease may have come while it was filled: one that
 * has the empty folder mounted would write to what is gone. */
static int place(const struct job *j, const char *half, const char *folder, struct err *e)
{
	auto_close int fd = open(half, O_RDONLY | O_DIRECTORY | O_CLOEXEC), lock = -1;

	if (fd < 0 || syncfs(fd) < 0)
		return err_sys(e, "write to the disk");
	if (check_empty(&lock, j, folder, e) < 0)
		return -1;
	if (rename(half, folder) < 0)
		return err_sys(e, "put it in its place");
	return syncfs(fd) < 0 ? err_sys(e, "write to the disk") : 0;
}

static int load_parcel(const struct job *j, const char *mount, struct str bytes, struct err *e)
{
	struct load l = {.parcel = bytes, .ids = record_ids(&j->rec, j->c)};
	auto_free char *folder = mem_printf("%s/" KEPT_FOLDER, mount), *half = NULL;
	struct confine c = {.kind = CONFINE_UNPACK,
			    .input = -1,
			    .file_max = PART_SIZE_MAX,
			    .seconds_max = SECONDS_MAX,
			    .run = load_inside,
			    .arg = &l};
	char print[2 * PART_PRINT + 1];
	struct loaded done = {0};
	struct parcel p;

	if (parcel_take(&p, &bytes, e) < 0 || may_fill(j, folder, e) < 0)
		return -1;
	hex_encode(print, p.print, sizeof(p.print));
	half = mem_printf("%s/volumes/" LOADING "%s", mount, print);
	if (open_half(j, half, mount, &p, e) < 0)
		return -1;
	c.root = half;
	c.answer = &done;
	c.answer_n = sizeof(done);
	if (confine_run(&c, e) == 0 && (!done.ended || place(j, half, folder, e) == 0))
		return 0;
	(void)!kept_sweep(mount, &(struct err){0}); /* the next one does it otherwise */
	return -1;
}

int job_load(const struct job *j, void *reply, struct err *e)
{
	const struct priv_load *m = j->msg;
	struct priv_load_reply *r = reply;
	auto_free char *mount = NULL;
	auto_close int lock = -1;
	int rc = kept_lock(&mount, &lock, j, e);

	if (rc == 0)
		rc = load_parcel(j, mount, (struct str){(const char *)m->parcel.p, m->parcel.n}, e);
	r->outcome = kept_outcome(rc, e, &r->message);
	return 0;
}
