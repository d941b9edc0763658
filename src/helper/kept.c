/* Kept volumes: see kept.h. */
#include "helper/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/step.h"
#include "helper/lend.h"

int kept_make(const struct job *j, const char *path, struct err *e)
{
	uint32_t root = record_ids(&j->rec, j->c);

	if (mkdir(path, 0755) || chmod(path, 0755) || lchown(path, root, root))
		return err_sys(e, "mkdir %s", path);
	return 0;
}

/* Whole or not at all under its name. */
static int make_folder(const struct job *j, const char *mount, struct err *e)
{
	auto_free char *above = mem_printf("%s/volumes", mount);
	auto_free char *path = mem_printf("%s/" KEPT_FOLDER, mount);
	auto_free char *half = mem_printf("%s.half", path);

	if (fs_exists(path)) {
		if (kept_sweep(mount, e) < 0)
			log_warn("volume %s: %s", j->rec.id, e->msg);
		return 0;
	}
	if (fs_mkdirs(above, 0700, e) < 0 || fs_remove_tree(half, e) < 0)
		return -1;
	if (kept_make(j, half, e) < 0)
		return -1;
	return rename(half, path) ? err_sys(e, "rename %s", half) : 0;
}

/* Nobody attaches it meanwhile. */
static int serve_again(const struct job *j, const struct volume *v, struct err *e)
{
	auto_close int lock = -1;

	log_broken("volume %s: the process that serves its disk is gone; whoever uses it is "
		   "stopped, and it is opened again",
		   j->rec.id);
	return lend_recall(j, e) < 0 || kept_hold(&lock, j, e) < 0 ? -1 : volume_revive(v, NULL, e);
}

static int open_volume(const struct job *j, struct err *e)
{
	struct volume v = record_volume(&j->rec, j->c);
	auto_free char *mount = volume_path(&v);

	if (volume_is_dead(&v) && serve_again(j, &v, e) < 0)
		return -1;
	if (!volume_is_mounted(&v) && (job_check_disk(j, e) < 0 || volume_open(&v, NULL, e) < 0))
		return -1;
	return make_folder(j, mount, e);
}

void job_keep(const struct job *j, struct priv_start_reply *r)
{
	const struct priv_start *m = j->msg;
	int64_t from = clock_mono_us();
	struct err why;

	r->stage = PRIV_STAGE_CHECK;
	r->outcome = PRIV_START_FAILED;
	if (spec_check(&m->spec, &why) < 0) {
		r->message = mem_strdup(why.msg);
		return;
	}
	r->stage = PRIV_STAGE_VOLUME;
	if (open_volume(j, &why) < 0) {
		r->message = mem_strdup(why.msg);
		return;
	}
	step_at(STEP_VOLUME_KEPT);
	r->outcome = PRIV_START_RUNNING;
	r->started_ms = clock_wall_ms();
	r->volume_us = (uint32_t)(clock_mono_us() - from);
}

int job_serve(const struct job *j, void *reply, struct err *e)
{
	struct priv_stop_reply *r = reply;
	auto_close int lock = -1;
	int known = job_lock(&lock, j, e);

	r->state = PRIV_BOX_STOPPED;
	r->exit_status = PRIV_EXIT_UNKNOWN;
	if (known < 0 || (known == 0 && open_volume(j, e) < 0))
		log_broken("volume %s: %s", j->rec.id, e->msg);
	return 0;
}

static int open_one(int at, const char *name)
{
	struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
					  RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV};

	return (int)syscall(SYS_openat2, at, name, &how, sizeof(how));
}

static int make_one(int at, const char *name, const struct stat *top)
{
	if (mkdirat(at, name, 0755) && errno != EEXIST)
		return -1;
	return fchownat(at, name, top->st_uid, top->st_gid, AT_SYMLINK_NOFOLLOW);
}

int kept_open_folder(int *fd, const char *folder, const char *subpath, bool make, struct err *e)
{
	auto_close int at = open(folder, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct str name, rest = str_of(subpath);
	struct stat top;

	if (at < 0 || fstat(at, &top))
		return err_sys(e, "open %s", folder);
	while (*subpath && str_cut(&rest, '/', &name)) {
		auto_free char *one = mem_strndup(name.p, name.n);
		int next = open_one(at, one);

		if (next < 0 && errno == ENOENT && make && make_one(at, one, &top) == 0)
			next = open_one(at, one);
		if (next < 0)
			return err_set(e, ERRK_INPUT, "subpath: %s in the volume is %s", one,
				       errno == ENOENT ? "not there" : "no folder");
		close(at);
		at = next;
	}
	*fd = steal_fd(&at);
	return 0;
}
