/* What the jobs share: locks, paths, keepers. */
#include "helper/job.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "backend/cgroup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/step.h"
#include "helper/probe.h"
#include "net/stream.h"
#include "spec/ref.h"
#include "volume/overlay.h"

#define KEEPER_TIMEOUT_MS 20000
#define KEEPER_EXIT_MS	  3000

int job_lock(int *fd, const struct job *j, struct err *e)
{
	auto_free char *path = record_path(j->c, j->rec.id, "lock");
	auto_close int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct stat st;

	if (lock < 0 && errno == ENOENT)
		return RECORD_NOT_FOUND;
	if (lock < 0 || flock(lock, LOCK_EX) < 0 || fstat(lock, &st) < 0)
		return err_sys(e, "lock %s", path);
	if (st.st_nlink == 0)
		return RECORD_NOT_FOUND;
	*fd = steal_fd(&lock);
	return 0;
}

char *job_cgroup(const struct helper_config *c, const char *id)
{
	return mem_printf("%s/%s", c->cgroup, id);
}

void box_paths_free(struct box_paths *p)
{
	free(p->dir);
	free(p->runtime_root);
	free(p->cgroup);
	free(p->root);
	free(p->probe);
	free(p->socket);
}

/* Which program runs it, and where that has its state. */
static void set_runtime(struct box *box, struct box_paths *p, const struct job *j)
{
	const struct helper_config *c = j->c;

	if (j->backend == &backend_docker) {
		p->runtime_root = mem_strdup(c->docker_host ? c->docker_host : "");
		box->runtime = c->docker ? c->docker : "docker";
		box->owner = c->state_dir; /* no other agent has it */
	} else {
		p->runtime_root = mem_printf("%s/runtime", c->run_dir);
		box->runtime = c->runtime;
	}
	box->runtime_root = p->runtime_root;
}

struct box job_box(struct box_paths *p, const struct job *j)
{
	uint32_t ids = j->backend->shares_ids ? 0 : record_ids(&j->rec, j->c);
	struct box box;

	p->dir = record_dir(j->c, j->rec.id);
	p->cgroup = job_cgroup(j->c, j->rec.id);
	p->root = overlay_root(p->dir);
	p->probe = mem_printf("%s/leased-probe", j->c->libexec_dir);
	p->socket = mem_printf("%s/%s", p->dir, KEEPER_INSIDE);
	box = (struct box){.id = j->rec.id,
			   .dir = p->dir,
			   .cgroup = p->cgroup,
			   .root = p->root,
			   .probe = fs_exists(p->probe) ? p->probe : NULL,
			   .socket = p->socket,
			   .id_base = ids,
			   .id_count = ids ? 65536 : 0};
	set_runtime(&box, p, j);
	return box;
}

void job_store_init(struct job_store *st, const struct helper_config *c, const char *ref)
{
	*st = (struct job_store){.dir = mem_printf("%s/images", c->state_dir),
				 .leases = mem_printf("%s/leases", c->run_dir)};
	if (ref && strncmp(ref, "oci:", 4) == 0) {
		char *slash;

		st->folder = mem_strdup(ref + 4);
		slash = strrchr(st->folder, '/');
		if (slash)
			slash[slash == st->folder] = '\0';
		st->layouts[0] = st->folder;
	}
	st->s = (struct image_store){.dir = st->dir,
				     .layouts = st->layouts,
				     .bytes_max = c->image_bytes,
				     .store_max = c->store_max,
				     .spare = JOB_DISK_SPARE,
				     .leases = st->leases};
}

void job_store_free(struct job_store *st)
{
	free(st->dir);
	free(st->leases);
	free(st->folder);
}

/* As the buyer wrote it, in the one way in which it is known here. */
static char *pulled_ref(const struct helper_config *c, const char *name)
{
	char text[SPEC_REF_TEXT_MAX + 1];
	struct spec_ref r;

	if (!c->pull || spec_ref_parse(&r, str_of(name), c->pull->home, NULL))
		return NULL;
	spec_ref_write(text, &r);
	return mem_strdup(text);
}

char *job_find_image(const struct helper_config *c, const char *name)
{
	for (size_t i = 0; i < c->nimages; i++) {
		const struct helper_image *im = &c->images[i];

		if (spec_ref_is_pattern(str_of(im->ref)))
			continue;
		if (strcmp(im->name, name) == 0 || strcmp(im->ref, name) == 0)
			return mem_strdup(im->ref);
	}
	for (size_t i = 0; c->pull && i < c->nimages; i++)
		if (spec_ref_sold(name, c->images[i].name, c->pull->home))
			return pulled_ref(c, name);
	return NULL;
}

bool job_is_pulled(const char *ref)
{
	return strncmp(ref, "oci:", 4) != 0;
}

bool job_has_image(const struct helper_config *c, const char *digest)
{
	auto_image struct image *img = image_new();
	auto_job_store struct job_store store;
	struct err err;

	job_store_init(&store, c, NULL);
	return image_load(img, &store.s, digest, &err) == 0;
}

int job_load_spec(struct spec *s, struct image *img, const struct job *j, struct err *e)
{
	auto_buf struct buf text = BUF(SPEC_JSON_MAX);
	auto_free char *path = record_path(j->c, j->rec.id, "spec");
	auto_job_store struct job_store store;
	int r = fs_read(&text, path, e);

	job_store_init(&store, j->c, NULL);
	if (r == FS_NOT_FOUND)
		return err_set(e, ERRK_STATE, "the lease was never started");
	if (r < 0 || spec_decode(s, buf_view(&text), e) < 0)
		return -1;
	r = image_load(img, &store.s, s->digest, e);
	if (r == IMAGE_NOT_FOUND)
		return err_set(e, ERRK_STATE, "the lease's image is not in the store");
	return r;
}

int job_keeper(int *fd, const struct helper_config *c, const char *id, struct err *e)
{
	auto_free char *dir = record_dir(c, id);
	auto_close int dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_free char *path = NULL;

	if (dirfd < 0 && errno == ENOENT)
		return KEEPER_ABSENT;
	if (dirfd < 0)
		return err_sys(e, "open %s", dir);
	path = mem_printf("/proc/self/fd/%d/%s", dirfd, KEEPER_SOCKET); /* any length of run_dir */
	if (unix_connect(fd, path, e) == 0)
		return 0;
	return e->sys == ENOENT || e->sys == ECONNREFUSED ? KEEPER_ABSENT : -1;
}

/* A container without a keeper: its record, corrected by whether its first process is there. */
static int state_by_record(struct keeper_record *out, const struct job *j, struct err *e)
{
	int r = record_keeper(out, j->c, j->rec.id, e);

	if (r == 0 && out->state == PRIV_BOX_RUNNING && !record_alive(out->pid, out->pid_started)) {
		out->state = PRIV_BOX_STOPPED;
		out->exit_status = PRIV_EXIT_UNKNOWN;
		out->why = PRIV_WHY_EXITED;
	}
	return r;
}

int job_state(struct keeper_record *out, const struct job *j, struct err *e)
{
	struct keeper_status ask = {0};
	auto_close int fd = -1;
	int r = job_keeper(&fd, j->c, j->rec.id, e);

	if (r < 0)
		return -1;
	if (r == 0 && keeper_call(fd, KEEPER_STATUS, &ask, out, KEEPER_TIMEOUT_MS, e) == 0)
		return out->started_ms ? 0 : RECORD_NOT_FOUND;
	return state_by_record(out, j, e);
}

static void wait_gone(uint32_t pid, uint64_t started)
{
	int64_t end = clock_mono_ms() + KEEPER_EXIT_MS;
	struct timespec pause = {0, 1000000};

	while (record_alive(pid, started) && clock_mono_ms() < end)
		nanosleep(&pause, NULL);
	if (record_alive(pid, started))
		kill((pid_t)pid, SIGKILL);
}

/* KILL, then END. A keeper that does not answer is killed; the cgroup is emptied after this. */
static void end_keeper(const struct job *j)
{
	struct keeper_stop stop = {.signal = SIGKILL};
	struct keeper_end end = {0};
	struct keeper_record rec = {0};
	auto_close int fd = -1;
	struct err err;

	if (job_keeper(&fd, j->c, j->rec.id, &err) != 0)
		return;
	if (keeper_call(fd, KEEPER_STOP, &stop, &rec, KEEPER_TIMEOUT_MS, &err) == 0 &&
	    keeper_call(fd, KEEPER_END, &end, &rec, KEEPER_TIMEOUT_MS, &err) == 0)
		close(steal_fd(&fd));
	wait_gone(rec.keeper, rec.keeper_started);
}

static int end_known_box(const struct job *j, struct err *e)
{
	auto_box_paths struct box_paths paths = {0};
	struct box box = job_box(&paths, j);
	auto_free char *keeper_group = mem_printf("%s.keeper", paths.cgroup);

	end_keeper(j);
	if (j->backend->stop(&box, SIGKILL, e) < 0 || job_end_beside(j, e) < 0)
		return -1;
	step_at(STEP_BOX_KILLED);
	if (cgroup_kill(keeper_group, KEEPER_EXIT_MS, e) < 0 || cgroup_remove(keeper_group, e) < 0)
		return -1;
	return j->backend->destroy(&box, e);
}

/* Of a lease that is not in the list: a daemon remembers what the record's folder, gone with a
 * reboot, does not. And of one whose record cannot be read. */
static bool of_any_backend(const struct job *j)
{
	return !j->known || (j->rec.known != RECORD_WHOLE && !backend_find(j->rec.backend));
}

int job_end_box(const struct job *j, struct err *e)
{
	struct job other = *j;

	if (end_known_box(j, e) < 0)
		return -1;
	for (size_t i = 0; of_any_backend(j) && i < PROBE_BACKENDS; i++) {
		other.backend = probe_backend(j->c, i);
		if (other.backend && other.backend != j->backend && end_known_box(&other, e) < 0)
			return -1;
	}
	return 0;
}
