/*
 * BOX_EXEC with an image: another root beside the lease's main process, for one command. It has a
 * place, LEASES/ID/beside/NAME, which is locked by the process that will end it; a place that
 * nobody holds is swept by the next one. What it writes lies on the lease's volume.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "backend/cgroup.h"
#include "base/fs.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/step.h"
#include "helper/job.h"
#include "helper/storage.h"
#include "oci/runtime.h"
#include "spec/read.h"
#include "volume/overlay.h"

#define PLACES "beside"
/* The kernel ends mount namespaces behind our back: what they hold is free a moment later. */
#define TRIES	     5
#define TRY_PAUSE_NS 100000000

enum { NOT_RUNNING = 1 };

/* --- places --- */

struct place {
	char *dir;   /* on tmpfs: bundle, lock, hold of the image */
	char *files; /* on the volume */
	char *id, *cgroup;
};

static void place_clear(struct place *p)
{
	free(p->dir);
	free(p->files);
	free(p->id);
	free(p->cgroup);
}
#define auto_place __attribute__((cleanup(place_clear)))

static char *volume_mnt(const struct job *j)
{
	struct volume v = record_volume(&j->rec, j->c);

	return volume_path(&v);
}

static void place_init(struct place *p, const struct job *j, const char *name)
{
	auto_free char *mnt = volume_mnt(j);
	auto_free char *group = job_cgroup(j->c, j->rec.id);

	p->dir = mem_printf("%s/leases/%s/" PLACES "/%s", j->c->run_dir, j->rec.id, name);
	p->files = mem_printf("%s/" PLACES "/%s", mnt, name);
	p->id = mem_printf("%s.%s", j->rec.id, name);
	p->cgroup = mem_printf("%s.%s", group, name);
}

static struct box place_box(const struct place *p, const struct box *main)
{
	struct box box = *main;

	box.id = p->id;
	box.dir = p->dir;
	box.cgroup = p->cgroup;
	return box;
}

enum remains { REMAINS_GO, REMAINS_STAY };

static int end_place(const struct job *j, const char *name, enum remains files, struct err *e)
{
	auto_box_paths struct box_paths paths = {0};
	auto_place struct place p = {0};
	struct box main = job_box(&paths, j), box;
	bool delivered;

	place_init(&p, j, name);
	box = place_box(&p, &main);
	if (j->backend->exec_signal(&main, name, SIGKILL, &delivered, e) < 0 ||
	    j->backend->destroy(&box, e) < 0 || overlay_unmount(p.dir, e) < 0)
		return -1;
	if (files == REMAINS_GO && fs_remove_tree(p.files, e) < 0)
		return -1;
	return fs_remove_tree(p.dir, e);
}

static int end_patiently(const struct job *j, const char *name, enum remains files, struct err *e)
{
	int r = end_place(j, name, files, e);

	for (unsigned i = 1; i < TRIES && r < 0; i++) {
		nanosleep(&(struct timespec){0, TRY_PAUSE_NS}, NULL);
		r = end_place(j, name, files, e);
	}
	return r;
}

/* -1 where there is none, or somebody holds it; with LOCK_EX that is waited for. */
static int lock_place(const char *dir, int how)
{
	auto_free char *path = mem_printf("%s/lock", dir);
	auto_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	return fd < 0 || flock(fd, how) < 0 ? -1 : steal_fd(&fd);
}

typedef int each_fn(const struct job *j, const char *name, void *ctx, struct err *e);

static int each_name(const struct job *j, const char *path, each_fn *fn, void *ctx, struct err *e)
{
	auto_closedir DIR *d = opendir(path);
	const struct dirent *entry;

	if (!d)
		return errno == ENOENT || errno == ENOTDIR ? 0 : err_sys(e, "open %s", path);
	while ((entry = readdir(d)))
		if (hex_is(str_of(entry->d_name), PRIV_EXEC_LEN / 2) &&
		    fn(j, entry->d_name, ctx, e) < 0)
			return -1;
	return 0;
}

static char *places_dir(const struct job *j)
{
	return record_path(j->c, j->rec.id, PLACES);
}

static int end_each(const struct job *j, const char *name, void *ctx, struct err *e)
{
	auto_place struct place p = {0};
	auto_close int lock = -1;

	place_init(&p, j, name);
	lock = lock_place(p.dir,
			  LOCK_EX); /* its command is dead: whoever minds it is nearly done */
	return end_patiently(j, name, REMAINS_STAY, e);
}

int job_end_beside(const struct job *j, struct err *e)
{
	auto_free char *dir = places_dir(j);

	return each_name(j, dir, end_each, NULL, e);
}

static int sweep_or_count(const struct job *j, const char *name, void *ctx, struct err *e)
{
	unsigned *n = ctx;
	auto_place struct place p = {0};
	auto_close int lock = -1;

	place_init(&p, j, name);
	lock = lock_place(p.dir, LOCK_EX | LOCK_NB);
	if (lock < 0) {
		++*n;
		return 0;
	}
	log_warn("lease %s: nobody minds %s", j->rec.id, name);
	return end_patiently(j, name, REMAINS_GO, e);
}

static int sweep_files(const struct job *j, const char *name, void *ctx, struct err *e)
{
	auto_place struct place p = {0};

	place_init(&p, j, name);
	return fs_exists(p.dir) ? 0 : fs_remove_tree(p.files, e);
}

/* --- one of them --- */

struct beside {
	const struct job *j;
	const struct priv_exec *m;
	struct spec spec;
	struct image *img;
	char *ref;
	struct box_paths paths;
	struct box main, box;
	struct job_grant grant; /* the lease's */
	struct place place;
	struct storage storage; /* what the lease's spec wants, where its main container has it */
	int lock, pidfd, user, net, cgroup; /* namespaces of the main process */
	char *joined[3];
	struct box_joined join;
};

static void beside_clear(struct beside *b)
{
	spec_clear(&b->spec);
	image_free(b->img);
	free(b->ref);
	box_paths_free(&b->paths);
	place_clear(&b->place);
	storage_clear(&b->storage);
	job_grant_clear(&b->grant);
	for (size_t i = 0; i < ARRAY_SIZE(b->joined); i++)
		free(b->joined[i]);
	auto_close_p(&b->lock);
	auto_close_p(&b->pidfd);
	auto_close_p(&b->user);
	auto_close_p(&b->net);
	auto_close_p(&b->cgroup);
}

/* What the lease gives: limits, powers and names are those of its main container. */
static void take_from_lease(struct spec *s, const struct spec *lease)
{
	auto_spec struct spec own = {0};

	spec_copy(&own, lease);
	s->limits = own.limits;
	s->powers = own.powers;
	s->gpu = own.gpu;
	memcpy(s->hostname, own.hostname, sizeof(s->hostname));
	s->network = own.network;
	s->sysctls = own.sysctls;
	own.sysctls = (struct spec_map){0};
	s->secrets = own.secrets;
	own.secrets = (struct spec_map){0};
}

static int fill_argv(struct spec *s, const struct priv_exec *m, struct err *e)
{
	s->has_entrypoint = m->has_entrypoint;
	for (size_t i = 0; i < m->entrypoint.n; i++)
		if (spec_add_entrypoint(s, str_of(m->entrypoint.v[i]), e) < 0)
			return -1;
	for (size_t i = 0; i < m->argv.n; i++)
		if (spec_add_arg(s, str_of(m->argv.v[i]), e) < 0)
			return -1;
	return 0;
}

/* Not what the other image declares: that is in its root. */
static void find_storage(struct beside *b, const struct spec *lease)
{
	auto_image struct image *none = image_new();
	auto_free char *dir = record_dir(b->j->c, b->j->rec.id);

	storage_find(&b->storage, dir, lease, &none->config);
}

static int fill_spec(struct beside *b, struct err *e)
{
	const struct priv_exec *m = b->m;
	auto_image struct image *img = image_new();
	auto_spec struct spec lease = {0};
	struct spec *s = &b->spec;

	if (job_load_spec(&lease, img, b->j, e) < 0)
		return -1;
	take_from_lease(s, &lease);
	find_storage(b, &lease);
	s->read_only = m->read_only;
	if (spec_set_image(s, str_of(m->image), e) < 0 ||
	    (*m->digest && spec_set_digest(s, str_of(m->digest), e) < 0) ||
	    fill_argv(s, m, e) < 0 || job_split_env(s, &m->env, e) < 0 ||
	    (*m->cwd && spec_set_workdir(s, str_of(m->cwd), e) < 0) ||
	    (*m->user && spec_set_user(s, str_of(m->user), e) < 0))
		return -1;
	if (!*s->hostname && spec_set_hostname(s, str_of(b->j->rec.id), e) < 0)
		return -1;
	return spec_check(s, e);
}

static int check(struct beside *b, struct err *e)
{
	const struct oci_runtime *r = oci_runtime(b->j->c->runtime);

	if (strcmp(r->isolation, "shared-kernel") != 0 || !r->exec_group ||
	    (unsigned)cgroup_version() < r->exec_group)
		return err_set(e, ERRK_STATE, "%s runs no second image in a lease here", r->name);
	if (!hex_is(str_of(b->m->name), PRIV_EXEC_LEN / 2))
		return err_set(e, ERRK_INPUT, "not the name of a command");
	b->ref = job_find_image(b->j->c, b->m->image);
	if (!b->ref)
		return err_set(e, ERRK_DENIED, "image %s is not offered", b->m->image);
	return fill_spec(b, e);
}

/* Without a holder nothing of the lease waits for it, however long that takes. */
static int bring_image(struct beside *b, const char *holder, struct err *e)
{
	auto_job_store struct job_store store;
	int r;

	job_store_init(&store, b->j->c, b->ref);
	store.s.holder = holder;
	store.s.spare += b->j->promised;
	image_free(b->img);
	b->img = image_new();
	r = image_ensure(b->img, &store.s, job_is_pulled(b->ref) ? b->m->digest : b->ref,
			 b->m->digest, e);
	return r == IMAGE_NOT_FOUND
		       ? err_set(e, ERRK_STATE, "image %s is not there any more", b->m->image)
		       : r;
}

/* By descriptors: whoever gets the process's number later, these are its namespaces. */
static int open_namespace(int *fd, char **path, pid_t pid, const char *name, struct err *e)
{
	auto_free char *link = mem_printf("/proc/%d/ns/%s", (int)pid, name);

	*fd = open(link, O_RDONLY | O_CLOEXEC);
	if (*fd < 0)
		return err_sys(e, "open %s", link);
	*path = mem_printf("/proc/%d/fd/%d", (int)getpid(), *fd);
	return 0;
}

static int join_main(struct beside *b, struct err *e)
{
	struct keeper_record rec;
	int known = job_state(&rec, b->j, e);

	if (known < 0)
		return -1;
	if (known != 0 || rec.state != PRIV_BOX_RUNNING)
		return NOT_RUNNING;
	b->pidfd = (int)syscall(SYS_pidfd_open, (pid_t)rec.pid, 0);
	if (b->pidfd < 0)
		return errno == ESRCH ? NOT_RUNNING : err_sys(e, "pidfd_open");
	if (open_namespace(&b->user, &b->joined[0], (pid_t)rec.pid, "user", e) < 0 ||
	    open_namespace(&b->net, &b->joined[1], (pid_t)rec.pid, "net", e) < 0 ||
	    open_namespace(&b->cgroup, &b->joined[2], (pid_t)rec.pid, "cgroup", e) < 0)
		return -1;
	if (!record_alive(rec.pid, rec.pid_started))
		return NOT_RUNNING;
	b->join = (struct box_joined){b->pidfd, b->joined[0], b->joined[1], b->joined[2]};
	return 0;
}

/* Through which the runtime finds the root, as root of the lease's user namespace. */
static int make_folder(const char *path)
{
	return mkdir(path, 0711) < 0 ? -1 : chmod(path, 0711);
}

/* The lease's lock is held: nobody ends, stops or starts it meanwhile. */
static int make_place(struct beside *b, struct err *e)
{
	auto_free char *dir = places_dir(b->j), *mnt = volume_mnt(b->j);
	auto_free char *files = mem_printf("%s/" PLACES, mnt);
	unsigned n = 0;

	if (each_name(b->j, dir, sweep_or_count, &n, e) < 0 ||
	    each_name(b->j, files, sweep_files, NULL, e) < 0)
		return -1;
	if (n >= JOB_COMMANDS_MAX)
		return err_set(e, ERRK_LIMIT, "%d images run in it already", JOB_COMMANDS_MAX);
	if (make_folder(dir) < 0 && errno != EEXIST)
		return err_sys(e, "make %s", dir);
	if (make_folder(b->place.dir) < 0)
		return errno == EEXIST ? err_set(e, ERRK_INPUT, "the command's name was used")
				       : err_sys(e, "make %s", b->place.dir);
	b->lock = lock_place(b->place.dir, LOCK_EX | LOCK_NB);
	if (b->lock < 0)
		return err_sys(e, "lock %s", b->place.dir);
	step_at(STEP_BESIDE_SEATED);
	return 0;
}

static int take_place(struct beside *b, struct err *e)
{
	auto_close int lease = -1;
	int r = job_lock(&lease, b->j, e);

	if (r != 0)
		return r < 0 ? -1 : NOT_RUNNING;
	r = join_main(b, e);
	return r == 0 ? make_place(b, e) : r;
}

/* As those of the lease: with private copies there, they are private here, too. */
static int find_layers(size_t *n, char **layers, const struct beside *b, struct err *e)
{
	auto_free char *mnt = volume_mnt(b->j);
	auto_free char *theirs = mem_printf("%s/layers", mnt);
	auto_free char *folder = mem_printf("%s/layers", b->place.files);
	auto_job_store struct job_store store;

	job_store_init(&store, b->j->c, NULL);
	if (!fs_exists(theirs)) {
		*n = image_layers(b->img, &store.s, layers);
		return 0;
	}
	if (image_copy_layers(b->img, &store.s, folder, e) < 0)
		return -1;
	*n = image_layer_copies(b->img, &store.s, folder, layers);
	return 0;
}

static int mount_root(struct beside *b, struct err *e)
{
	char *layers[IMAGE_LAYERS_MAX] = {NULL};
	struct overlay o = {.lower = (const char *const *)layers,
			    .volume = b->place.files,
			    .run = b->place.dir,
			    .id_base = b->main.id_base,
			    .id_count = b->main.id_count,
			    .hostname = b->spec.hostname,
			    .resolv = b->j->c->resolv_conf};
	struct stat st;
	int r;

	if (fs_mkdirs(b->place.files, 0700, e) < 0)
		return -1;
	if (stat(b->place.files, &st) < 0)
		return err_sys(e, "look at %s", b->place.files);
	b->box.disk_major = major(st.st_dev);
	b->box.disk_minor = minor(st.st_dev);
	if (find_layers(&o.nlower, layers, b, e) < 0)
		return -1;
	r = overlay_mount(&o, e);
	for (size_t i = 0; i < o.nlower; i++)
		free(layers[i]);
	if (r == 0)
		step_at(STEP_BESIDE_MOUNTED);
	return r;
}

/* The runtime would look for its way through a volume in which somebody makes links meanwhile. */
static int check_storage(const struct spec_mounts *m, struct err *e)
{
	for (size_t i = 0; i < m->n; i++)
		for (size_t k = 0; k < m->n; k++)
			if (i != k && m->v[i].type != SPEC_TMPFS &&
			    text_is_below(str_of(m->v[k].path), m->v[i].path))
				return err_set(
					e, ERRK_DENIED,
					"storage[%zu].path: another image does not run where "
					"it is below a volume",
					k);
	return 0;
}

static int take_storage(struct beside *b, const char *root, struct err *e)
{
	if (storage_resolve(&b->storage, root, e) < 0 || check_storage(&b->storage.mounts, e) < 0)
		return -1;
	spec_storage_copy(&b->spec.storage, &b->storage.mounts);
	b->box.volumes = (const char *const *)b->storage.at;
	return 0;
}

static void ended(void *ctx)
{
	const struct beside *b = ctx;
	struct err err;

	if (end_patiently(b->j, b->m->name, REMAINS_GO, &err) < 0)
		log_warn("lease %s: %s", b->j->rec.id, err.msg); /* swept later */
}

/* `left`: a process has it that will call ended. */
static int run_placed(struct beside *b, struct priv_exec_reply *r, bool *left, struct err *e)
{
	auto_free char *holder = mem_printf("%s/" PLACES "/%s", b->j->rec.id, b->m->name);
	auto_free char *root = overlay_root(b->place.dir);
	struct backend_exec x = {.beside = &b->box, .hold = b->lock, .ended = ended, .ctx = b};

	if (bring_image(b, holder, e) < 0 || mount_root(b, e) < 0 || take_storage(b, root, e) < 0 ||
	    job_grant_join(&b->grant, &b->box, b->j, e) < 0 ||
	    image_find_user(&x.user, root, oci_user(&b->spec, &b->img->config), e) < 0)
		return -1;
	b->box.spec = &b->spec;
	b->box.image = &b->img->config;
	b->box.root = root;
	b->box.user = x.user;
	b->box.joined = &b->join;
	if (job_run_command(b->j, &b->main, &x, r, e) < 0)
		return -1;
	*left = b->m->detach && r->exit_status == 0;
	return 0;
}

int job_beside(const struct job *j, void *reply, struct err *e)
{
	__attribute__((cleanup(beside_clear))) struct beside b = {
		.j = j, .m = j->msg, .lock = -1, .pidfd = -1, .user = -1, .net = -1, .cgroup = -1};
	struct priv_exec_reply *r = reply;
	bool left = false;
	int rc;

	if (check(&b, e) < 0 || bring_image(&b, NULL, e) < 0)
		return -1;
	b.main = job_box(&b.paths, j);
	if (b.main.socket && !fs_exists(b.main.socket))
		b.main.socket = NULL; /* its keeper is older */
	place_init(&b.place, j, b.m->name);
	b.box = place_box(&b.place, &b.main);
	rc = take_place(&b, e);
	if (rc != 0) {
		r->outcome = PRIV_EXEC_NOT_RUNNING;
		return rc < 0 ? -1 : 0;
	}
	rc = run_placed(&b, r, &left, e);
	if (!left)
		ended(&b);
	return rc;
}
