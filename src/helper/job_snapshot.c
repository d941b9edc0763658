/* BOX_SNAPSHOT: copies of what a kept volume has, on its own disk. A confined child reads parcels
 * of the one folder and writes them to the other, as a backup and its restore would. A copy has its
 * name when it is whole; what is half is swept (kept_sweep). */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/step.h"
#include "helper/job.h"
#include "helper/kept.h"
#include "helper/part.h"
#include "image/confine.h"

#define PARCEL_MAX ((size_t)32 << 20)
#define SECONDS	   60

/* --- in the confined child, whose root is the folder of all of them --- */

struct copy {
	const char *from, *to;
	uint32_t ids;
};

/* What is at `s`, and the print of all of it. */
static int take(struct parcel *head, struct saved *done, struct buf *out, const struct save *s,
		struct err *e)
{
	struct str bytes;

	buf_reset(out);
	if (save_run(done, out, s, e) < 0)
		return -1;
	bytes = buf_view(out);
	return parcel_take(head, &bytes, e);
}

static int full(struct err *e)
{
	if (e->sys != ENOSPC)
		return -1;
	return err_set(e, ERRK_LIMIT,
		       "the volume has no room for another copy; grow it, or remove a snapshot");
}

/* The last look at all of it is for a change behind the reader's back. */
static int copy_inside(const void *arg, void *answer, struct buf *tail, struct err *e)
{
	const struct copy *c = arg;
	const struct load to = {.ids = c->ids, .folder = c->to};
	struct save from = {.ids = c->ids, .folder = c->from};
	int64_t end = clock_mono_ms() + SECONDS * 1000;
	auto_buf struct buf bytes = BUF(PARCEL_MAX);
	struct parcel first = {0}, now;
	struct saved done = {.left = 1};
	bool again = false;

	(void)answer;
	(void)tail;
	for (; !again; from.from = done.left ? done.next : done.next - 1) {
		struct load l = to;
		struct loaded loaded = {0};

		again = done.left == 0;
		if (clock_mono_ms() >= end)
			return err_set(e, ERRK_LIMIT, "the copy takes more than %d s", SECONDS);
		if (take(&now, &done, &bytes, &from, e) < 0)
			return -1;
		if (from.from == 0)
			first = now;
		if (memcmp(first.print, now.print, sizeof(now.print)) != 0)
			return err_set(e, ERRK_STATE,
				       "the volume was written to meanwhile; ask again");
		l.parcel = buf_view(&bytes);
		if (load_run(&loaded, &l, e) < 0)
			return full(e);
	}
	return 0;
}

static int copy(const struct job *j, const char *mount, const char *from, const char *to,
		struct err *e)
{
	auto_free char *root = mem_printf("%s/volumes", mount);
	auto_free char *path = mem_printf("%s/%s", root, to);
	const struct copy what = {from, to, record_ids(&j->rec, j->c)};
	char none;
	const struct confine c = {.kind = CONFINE_UNPACK,
				  .root = root,
				  .input = -1,
				  .file_max = PART_SIZE_MAX,
				  .seconds_max = SECONDS,
				  .run = copy_inside,
				  .arg = &what,
				  .answer = &none,
				  .answer_n = sizeof(none)};
	auto_close int fd = -1;

	none = 0;
	if (kept_make(j, path, e) < 0)
		return full(e);
	if (confine_run(&c, e) < 0)
		return -1;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 || syncfs(fd) < 0 ? err_sys(e, "write to the disk") : 0;
}

/* --- what there is --- */

struct one {
	char name[SPEC_NAME_MAX + 1];
	int64_t at;
};
struct list {
	struct one v[PRIV_SNAPSHOTS_MAX];
	size_t n;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct one *)a)->name, ((const struct one *)b)->name);
}

static int read_list(struct list *l, const char *above, struct err *e)
{
	auto_closedir DIR *d = opendir(above);
	const struct dirent *entry;
	struct stat st;

	if (!d)
		return errno == ENOENT ? 0 : err_sys(e, "open %s", above);
	while ((entry = readdir(d)) && l->n < PRIV_SNAPSHOTS_MAX) {
		struct one *o = &l->v[l->n];

		if (!str_is_name(str_of(entry->d_name), SPEC_NAME_MAX) ||
		    fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		memcpy(o->name, entry->d_name, strlen(entry->d_name) + 1);
		o->at = st.st_ctim.tv_sec; /* when it got its name */
		l->n++;
	}
	qsort(l->v, l->n, sizeof(*l->v), by_name);
	return 0;
}

static int list(char **out, const char *above, struct err *e)
{
	auto_buf struct buf text = BUF(PRIV_SNAPSHOTS_TEXT);
	struct list l = {0};

	if (read_list(&l, above, e) < 0)
		return -1;
	for (size_t i = 0; i < l.n; i++)
		buf_printf(&text, "%s %lld\n", l.v[i].name, (long long)l.v[i].at);
	if (buf_check(&text, "snapshots", e) < 0)
		return -1;
	*out = mem_strndup(text.p ? text.p : "", text.n);
	return 0;
}

/* --- make, restore, remove --- */

static int may_make(const char *above, const char *path, const char *name, struct err *e)
{
	struct list l = {0};

	if (read_list(&l, above, e) < 0)
		return -1;
	if (fs_exists(path))
		return err_set(e, ERRK_STATE, "there is a snapshot %s already", name);
	if (l.n >= PRIV_SNAPSHOTS_MAX)
		return err_set(e, ERRK_LIMIT, "the volume has %d snapshots; remove one",
			       PRIV_SNAPSHOTS_MAX);
	return 0;
}

static int sync_folder(const char *path, struct err *e)
{
	auto_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || syncfs(fd) < 0 ? err_sys(e, "write to the disk") : 0;
}

static int make(const struct job *j, const char *mount, const char *name, struct err *e)
{
	auto_free char *above = mem_printf("%s/" KEPT_SNAPSHOTS, mount);
	auto_free char *path = mem_printf("%s/%s", above, name);
	auto_free char *half = mem_printf("%s" KEPT_HALF, path);
	auto_free char *to = mem_printf("snapshots/%s" KEPT_HALF, name);
	int rc = may_make(above, path, name, e);

	if (rc == 0 && (fs_mkdirs(above, 0700, e) < 0 || fs_remove_tree(half, e) < 0))
		rc = full(e);
	if (rc < 0)
		return -1;
	rc = copy(j, mount, "kept", to, e);
	if (rc == 0)
		step_at(STEP_SNAPSHOT_COPIED);
	if (rc == 0 && rename(half, path) < 0)
		rc = err_sys(e, "give it its name");
	if (rc == 0)
		return sync_folder(above, e);
	(void)!fs_remove_tree(half, NULL); /* the next opening does it otherwise */
	return -1;
}

/* In place of what is there, whose users would write to what is gone. */
static int exchange(const struct job *j, const char *half, const char *folder, struct err *e)
{
	auto_close int lock = -1;

	if (kept_hold(&lock, j, e) < 0)
		return -1;
	if (renameat2(AT_FDCWD, half, AT_FDCWD, folder, RENAME_EXCHANGE) < 0)
		return err_sys(e, "put it in its place");
	return sync_folder(folder, e);
}

static int may_replace(const struct job *j, struct err *e)
{
	auto_close int lock = -1;

	return kept_hold(&lock, j, e);
}

static int restore(const struct job *j, const char *mount, const char *name, struct err *e)
{
	auto_free char *path = mem_printf("%s/" KEPT_SNAPSHOTS "/%s", mount, name);
	auto_free char *folder = mem_printf("%s/" KEPT_FOLDER, mount);
	auto_free char *half = mem_printf("%s/volumes/" KEPT_LOADING "snapshot", mount);
	auto_free char *from = mem_printf("snapshots/%s", name);
	int rc = fs_exists(path) ? may_replace(j, e)
				 : err_set(e, ERRK_STATE, "there is no snapshot %s", name);
	struct err why;

	if (rc < 0 || kept_sweep(mount, e) < 0)
		return -1;
	rc = copy(j, mount, from, KEPT_LOADING "snapshot", e);
	if (rc == 0)
		rc = exchange(j, half, folder, e);
	if (rc == 0)
		step_at(STEP_SNAPSHOT_RESTORED);
	if (kept_sweep(mount, &why) < 0)
		log_warn("volume %s: %s", j->rec.id, why.msg); /* the next one does it */
	return rc;
}

static int drop(const char *mount, const char *name, struct err *e)
{
	auto_free char *above = mem_printf("%s/" KEPT_SNAPSHOTS, mount);
	auto_free char *path = mem_printf("%s/%s", above, name);
	auto_free char *half = mem_printf("%s" KEPT_HALF, path);

	if (!fs_exists(path))
		return err_set(e, ERRK_STATE, "there is no snapshot %s", name);
	if (fs_remove_tree(half, e) < 0)
		return -1;
	if (rename(path, half) < 0)
		return err_sys(e, "take its name away");
	step_at(STEP_SNAPSHOT_DROPPED);
	return fs_remove_tree(half, e);
}

static int act(char **names, const struct job *j, const char *mount, struct err *e)
{
	const struct priv_snapshot *m = j->msg;
	auto_free char *above = mem_printf("%s/" KEPT_SNAPSHOTS, mount);

	if (m->action == PRIV_SNAPSHOT_LIST)
		return list(names, above, e);
	if (!str_is_name(str_of(m->name), SPEC_NAME_MAX))
		return err_set(e, ERRK_INPUT, "no name of a snapshot");
	if (m->action == PRIV_SNAPSHOT_MAKE)
		return make(j, mount, m->name, e);
	return m->action == PRIV_SNAPSHOT_RESTORE ? restore(j, mount, m->name, e)
						  : drop(mount, m->name, e);
}

int job_snapshot(const struct job *j, void *reply, struct err *e)
{
	struct priv_snapshot_reply *r = reply;
	auto_free char *mount = NULL;
	auto_close int lock = -1;
	int rc = kept_lock(&mount, &lock, j, e);

	if (rc == 0)
		rc = act(&r->names, j, mount, e);
	r->outcome = kept_outcome(rc, e, &r->message);
	return 0;
}
