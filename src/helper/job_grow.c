/* BOX_GROW: a larger volume for a lease that is there. */
#include <inttypes.h>
#include <sys/statvfs.h>

#include "base/log.h"
#include "base/mem.h"
#include "helper/job.h"
#include "helper/storage.h"
#include "volume/overlay.h"

static int check_disk(const struct job *j, uint64_t more, struct err *e)
{
	struct statvfs fs;
	uint64_t left, want = more + j->promised + JOB_DISK_SPARE;

	if (statvfs(j->c->state_dir, &fs) < 0)
		return err_sys(e, "look at %s", j->c->state_dir);
	left = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (left < want)
		return err_set(e, ERRK_LIMIT,
			       "the provider's disk has %" PRIu64
			       " bytes left, needed are %" PRIu64,
			       left, want);
	return 0;
}

static bool runs(const struct job *j)
{
	struct keeper_record rec;
	struct err err;
	int known = job_state(&rec, j, &err);

	return known < 0 || (known == 0 && rec.state == PRIV_BOX_RUNNING);
}

/* Of one that is halted: what uses it goes, and its next start makes that anew. */
static int grow_closed(const struct job *j, const struct volume *v, struct err *e)
{
	auto_free char *dir = record_dir(j->c, j->rec.id);

	if (job_end_box(j, e) < 0 || storage_unmount(dir, e) < 0 || overlay_unmount(dir, e) < 0)
		return -1;
	if (volume_close(v, e) < 0) { /* others have a part of it: it is open for them */
		struct volume was = record_volume(&j->rec, j->c);
		struct err ignored;

		if (volume_open(&was, NULL, &ignored) < 0)
			log_broken("volume %s: %s", v->id, ignored.msg);
		return -1;
	}
	/* without its key, the next that opens it makes it so large */
	return volume_is_locked(v) ? 0 : volume_open(v, NULL, e);
}

int job_grow(const struct job *j, void *reply, struct err *e)
{
	const struct priv_grow *m = j->msg;
	struct priv_grow_reply *r = reply;
	struct volume v = record_volume(&j->rec, j->c);
	auto_close int lock = -1;
	int done, known = j->known ? job_lock(&lock, j, e) : RECORD_NOT_FOUND;

	if (known < 0)
		return -1;
	r->found = known == 0;
	r->grown = r->found && m->volume_bytes <= v.bytes;
	if (!r->found || r->grown)
		return 0;
	if (check_disk(j, m->volume_bytes - v.bytes, e) < 0) {
		r->message = mem_strdup(e->msg);
		return 0;
	}
	v.bytes = m->volume_bytes;
	done = volume_grow(&v, e);
	if (done == VOLUME_GROWS_CLOSED && !runs(j))
		done = grow_closed(j, &v, e);
	if (done < 0 && e->kind != ERRK_STATE)
		return -1;
	r->grown = done == 0;
	if (!r->grown)
		r->message = mem_printf("not while it %s: %s; stop what uses it, grow it and start "
					"that again",
					done < 0 ? "is used" : "runs", e->msg);
	return 0;
}
