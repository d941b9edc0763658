/* BOX_SIGNAL, BOX_STOP and BOX_DESTROY, and the end of volumes that nobody bought. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "helper/job.h"
#include "helper/lend.h"
#include "helper/storage.h"
#include "volume/overlay.h"

#define SIGNAL_TIMEOUT_MS 20000
#define STOP_SPARE_MS	  20000
/* The kernel ends mount namespaces behind our back: what they hold is free a moment later. */
#define TRIES	     5
#define TRY_PAUSE_NS 100000000

static uint32_t stop_signal(const struct job *j)
{
	auto_spec struct spec s = {0};
	auto_image struct image *img = image_new();
	struct err err;

	if (job_load_spec(&s, img, j, &err) < 0)
		return 15;
	return (uint32_t)oci_stop_signal(&s, &img->config);
}

/* Without its keeper the process is held first and compared then: another one never has its pid. */
static int signal_alone(const struct job *j, int signal, bool *delivered, struct err *e)
{
	struct keeper_record rec;
	auto_close int fd = -1;
	int known = record_keeper(&rec, j->c, j->rec.id, e);

	if (known != 0 || rec.state != PRIV_BOX_RUNNING)
		return known < 0 ? -1 : 0;
	fd = (int)syscall(SYS_pidfd_open, (pid_t)rec.pid, 0);
	if (fd < 0)
		return errno == ESRCH ? 0 : err_sys(e, "pidfd_open");
	if (!record_alive(rec.pid, rec.pid_started))
		return 0;
	*delivered = syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0) == 0;
	return *delivered || errno == ESRCH ? 0 : err_sys(e, "signal %d", signal);
}

int job_signal(const struct job *j, void *reply, struct err *e)
{
	const struct priv_signal *m = j->msg;
	struct priv_signal_reply *r = reply;
	struct keeper_signal ask = {m->signal};
	struct keeper_record rec;
	auto_close int fd = -1;
	int known;

	if (!spec_signal_may_send((int)m->signal))
		return err_set(e, ERRK_DENIED, "signal %u is not one that may be sent", m->signal);
	if (*m->command)
		return job_signal_command(j, reply, e);
	if (!j->known)
		return 0;
	known = job_keeper(&fd, j->c, j->rec.id, e);
	if (known < 0)
		return -1;
	if (known == KEEPER_ABSENT)
		return signal_alone(j, (int)m->signal, &r->delivered, e);
	if (keeper_call(fd, KEEPER_SIGNAL, &ask, &rec, SIGNAL_TIMEOUT_MS, e) < 0)
		return -1;
	r->delivered = rec.state == PRIV_BOX_RUNNING;
	return 0;
}

int job_stop(const struct job *j, void *reply, struct err *e)
{
	const struct priv_stop *m = j->msg;
	struct priv_stop_reply *r = reply;
	struct keeper_stop stop = {stop_signal(j), m->grace_ms};
	struct keeper_record rec = {.exit_status = PRIV_EXIT_UNKNOWN};
	auto_close int lock = -1, fd = -1;
	int known = job_lock(&lock, j, e);

	r->state = PRIV_BOX_GONE;
	r->exit_status = PRIV_EXIT_UNKNOWN;
	if (known == RECORD_NOT_FOUND)
		return 0;
	if (known < 0)
		return -1;
	r->state = PRIV_BOX_STOPPED;
	known = job_keeper(&fd, j->c, j->rec.id, e);
	if (known < 0)
		return -1;
	if (known == 0 &&
	    keeper_call(fd, KEEPER_STOP, &stop, &rec, m->grace_ms + STOP_SPARE_MS, e) == 0) {
		r->exit_status = rec.exit_status;
		return 0;
	}
	if (job_end_box(j, e) < 0) /* without a keeper there is no grace */
		return -1;
	known = record_keeper(&rec, j->c, j->rec.id, e);
	r->exit_status = known == 0 ? rec.exit_status : PRIV_EXIT_UNKNOWN;
	return known < 0 ? -1 : 0;
}

/* Everything that a lease may have here, in the order in which it holds on to the next. */
static int destroy_all(const struct job *j, struct priv_destroy_reply *r, struct err *e)
{
	auto_free char *dir = record_dir(j->c, j->rec.id);
	struct volume v = record_volume(&j->rec, j->c);
	struct tenant_seat seat = record_seat(&j->rec);
	struct volume_erasure er = {0};
	int erased;

	if (job_end_box(j, e) < 0)
		return -1;
	r->killed = true;
	if (j->c->net && j->known && j->rec.slot != RECORD_NO_SLOT &&
	    tenant_net_remove(j->c->net, &seat, e) < 0)
		return -1;
	if (fs_exists(dir) && (storage_unmount(dir, e) < 0 || overlay_unmount(dir, e) < 0 ||
			       job_grant_close(dir, e) < 0))
		return -1;
	erased = volume_erase(&v, &er, e);
	r->unmounted = er.unmounted;
	r->detached = er.detached;
	r->slots_gone = er.slots_gone;
	r->header_gone = er.header_gone;
	r->discarded = er.discarded;
	r->removed = er.removed;
	r->encrypted = er.encrypted;
	r->refused = r->refused || er.refused; /* by an earlier try, which wiped the key */
	free(r->unproven);
	r->unproven = mem_strdup(er.unproven);
	if (erased < 0)
		return -1;
	return record_remove(j->c, j->rec.id, e);
}

int job_destroy(const struct job *j, void *reply, struct err *e)
{
	struct priv_destroy_reply *r = reply;
	auto_close int lock = -1;
	struct err why;

	r->found = j->known;
	r->volume_bytes = j->rec.volume_bytes;
	if (j->known && !*j->rec.volume) {
		auto_free char *path = record_path(j->c, j->rec.id, "lease");

		r->message = mem_printf("%s cannot be read, so that its volume is not known: let "
					"the version of leased that wrote it end the lease, or "
					"remove that file and start leased again",
					path);
		return 0;
	}
	if (j->known && lend_end(j, &why) < 0) {
		r->message = mem_strdup(why.msg);
		return 0;
	}
	if (job_lock(&lock, j, e) < 0)
		return -1;
	lend_forget(j);
	for (unsigned i = 0; i < TRIES && !r->erased; i++) {
		if (i > 0)
			nanosleep(&(struct timespec){0, TRY_PAUSE_NS}, NULL);
		r->erased = destroy_all(j, r, &why) == 0;
	}
	if (r->erased)
		r->erased_at = clock_wall();
	else
		r->message = mem_strdup(why.msg);
	return 0;
}

int job_prepare(const struct helper_config *c, const char *id, uint64_t bytes, struct err *e)
{
	struct volume v = {.state_dir = c->state_dir,
			   .run_dir = c->run_dir,
			   .id = id,
			   .activation = c->activation,
			   .bytes = bytes,
			   .survives = c->survives,
			   .kept = record_log_max(c, bytes)};

	return volume_open(&v, NULL, e);
}

int job_unprepare(const struct helper_config *c, const char *id, struct err *e)
{
	struct volume v = {.state_dir = c->state_dir,
			   .run_dir = c->run_dir,
			   .id = id,
			   .activation = c->activation};
	struct volume_erasure er;

	return volume_erase(&v, &er, e);
}
