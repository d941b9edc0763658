/* BOX_START: image, volume, root, bundle, keeper; each stage timed and safe to repeat. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/step.h"
#include "helper/job.h"
#include "helper/lend.h"
#include "helper/offer.h"
#include "helper/storage.h"
#include "volume/overlay.h"

#define START_TIMEOUT_MS 130000 /* the keeper's create and start, each with its own */

/* One start on its way through the stages. */
struct start {
	const struct job *j;
	const struct priv_start *m;
	struct spec spec; /* as sent, pinned to the image that was found */
	char *ref;	  /* of its image */
	struct image *img;
	struct volume volume;
	char *mount; /* where the volume is */
	struct box_paths paths;
	struct box box;
	struct storage storage;
	struct job_grant grant;
	pid_t disk; /* server of a fuse volume */
	bool locked;
	struct priv_start_reply *r;
};

typedef int stage_fn(struct start *s, struct err *e);

int job_check_disk(const struct job *j, struct err *e)
{
	struct volume v = record_volume(&j->rec, j->c);
	auto_free char *payload = mem_printf("%s/volumes/%s", j->c->state_dir, v.id);
	struct statvfs fs;
	uint64_t left, want = j->rec.volume_bytes + j->promised + JOB_DISK_SPARE;

	if (statvfs(j->c->state_dir, &fs) < 0)
		return err_sys(e, "look at %s", j->c->state_dir);
	left = (uint64_t)fs.f_bavail * fs.f_frsize;
	/* one that is there has its room, also after a restart of the host */
	if (!j->prepared && !fs_exists(payload) && left < want)
		return err_set(e, ERRK_LIMIT,
			       "the disk has %" PRIu64 " bytes left, needed are %" PRIu64, left,
			       want);
	return 0;
}

static int stage_check(struct start *s, struct err *e)
{
	const char *assets[SPEC_ASSETS_MAX + 1];
	struct spec_policy policy;

	offer_policy(&policy, s->j->c, offer_find(s->j->c, s->j->rec.offer), s->m->spec.template);
	storage_policy(&policy, assets, s->j->c);
	spec_copy(&s->spec, &s->m->spec);
	s->volume = record_volume(&s->j->rec, s->j->c);
	s->mount = volume_path(&s->volume);
	s->box = job_box(&s->paths, s->j);
	if (!priv_card_valid(s->m->card) || !priv_card_valid(s->m->topup))
		return err_set(e, ERRK_INPUT, "what the lease is told is not a JSON object");
	if (spec_check(&s->spec, e) < 0 || spec_policy_check(&policy, &s->spec, e) < 0)
		return -1;
	s->ref = job_find_image(s->j->c, s->spec.image);
	if (!s->ref)
		return err_set(e, ERRK_DENIED, "image %s is not offered", s->spec.image);
	return job_check_disk(s->j, e);
}

static int save_spec(const struct start *s, struct err *e)
{
	auto_buf struct buf text = BUF(SPEC_JSON_MAX);
	auto_free char *path = record_path(s->j->c, s->j->rec.id, "spec");

	spec_write(&text, &s->spec);
	if (buf_check(&text, "spec", e) < 0)
		return -1;
	return fs_write(path, text.p, text.n, 0600, e);
}

/* Before anything of it is touched: to wait for a key is no failure. */
static int stage_key(struct start *s, struct err *e)
{
	int r;

	s->volume.key = s->j->key;
	r = volume_unlock(&s->volume, e);
	if (r <= 0)
		return r;
	s->locked = true;
	return err_set(e, ERRK_STATE,
		       r == VOLUME_WRONG_KEY ? "this is not the key of its volume"
					     : "its volume needs the key that its buyer brought");
}

/* The process that served its disk died, and the lease by that: what its last start mounted still
 * holds what was served. */
static int revive(struct start *s, struct err *e)
{
	log_broken("lease %s: the process that served its disk is gone; it is repaired and served "
		   "again",
		   s->j->rec.id);
	if (storage_unmount(s->paths.dir, e) < 0 || overlay_unmount(s->paths.dir, e) < 0)
		return -1;
	return volume_revive(&s->volume, &s->disk, e);
}

static int stage_volume(struct start *s, struct err *e)
{
	if (volume_is_dead(&s->volume))
		return revive(s, e);
	if (!volume_is_mounted(&s->volume))
		return volume_open(&s->volume, &s->disk, e);
	s->disk = volume_server(&s->volume);
	return 0;
}

/* The image's layers, topmost first: the store's, or the lease's own copies. */
static int find_layers(size_t *n, char **layers, const struct start *s, const struct image *img,
		       struct err *e)
{
	auto_job_store struct job_store store;
	auto_free char *folder = mem_printf("%s/layers", s->mount);

	job_store_init(&store, s->j->c, NULL);
	/* once private, always: what the offer says may have changed since */
	if (!s->m->private_layers && !fs_exists(folder)) {
		*n = image_layers(img, &store.s, layers);
		return 0;
	}
	if (image_copy_layers(img, &store.s, folder, e) < 0)
		return -1;
	*n = image_layer_copies(img, &store.s, folder, layers);
	return 0;
}

static int mount_root(struct start *s, const struct image *img, struct err *e)
{
	char *layers[IMAGE_LAYERS_MAX] = {NULL};
	struct overlay o = {.lower = (const char *const *)layers,
			    .volume = s->mount,
			    .run = s->paths.dir,
			    .id_base = s->box.id_base,
			    .id_count = s->box.id_count,
			    .hostname = *s->spec.hostname ? s->spec.hostname : s->j->rec.id,
			    .resolv = s->j->c->resolv_conf};
	int r;

	/* the layers may be others than those of the last start */
	if (overlay_unmount(s->paths.dir, e) < 0 || find_layers(&o.nlower, layers, s, img, e) < 0)
		return -1;
	r = overlay_mount(&o, e);
	for (size_t i = 0; i < o.nlower; i++)
		free(layers[i]);
	return r;
}

/* Which image the lease's root lies on. */
struct was {
	char image[SPEC_IMAGE_MAX + 1];
	char digest[SPEC_DIGEST_SIZE];
};

static char *was_path(const struct start *s)
{
	return mem_printf("%s/image", s->mount);
}

/* By its last start; that is in memory, and for one that survives a reboot on its disk, too. */
static bool was_of_record(struct was *w, const struct start *s)
{
	auto_buf struct buf text = BUF(SPEC_JSON_MAX);
	auto_free char *path = record_path(s->j->c, s->j->rec.id, "spec");
	auto_spec struct spec spec = {0};

	if (fs_read(&text, path, NULL) || spec_decode(&spec, buf_view(&text), NULL) || !spec.image)
		return false;
	snprintf(w->image, sizeof(w->image), "%s", spec.image);
	memcpy(w->digest, spec.digest, sizeof(w->digest));
	return true;
}

static bool was_of_disk(struct was *w, const struct start *s)
{
	auto_buf struct buf text = BUF(sizeof(*w) + 2);
	auto_free char *path = was_path(s);
	struct str image, digest;

	if (fs_read(&text, path, NULL))
		return false;
	digest = buf_view(&text);
	str_cut(&digest, '\n', &image);
	digest = str_trim(digest);
	if (image.n > SPEC_IMAGE_MAX || !spec_is_digest(digest))
		return false;
	snprintf(w->image, sizeof(w->image), "%.*s", (int)image.n, image.p);
	snprintf(w->digest, sizeof(w->digest), "%.*s", (int)digest.n, digest.p);
	return true;
}

/* None rather than a wrong one, on a disk that is full. */
static void note_image(const struct start *s)
{
	auto_free char *path = was_path(s);
	auto_free char *text = mem_printf("%s\n%s\n", s->spec.image, s->spec.digest);
	struct was was = {{0}, {0}};
	struct err why;

	if (!s->j->rec.survives || (was_of_disk(&was, s) && !strcmp(was.image, s->spec.image) &&
				    !strcmp(was.digest, s->spec.digest)))
		return;
	if (fs_write(path, text, strlen(text), 0600, &why) == 0)
		return;
	log_warn("lease %s: %s", s->j->rec.id, why.msg);
	(void)unlink(path);
}

/* The lease has a disk that a start before a reboot left. */
static bool has_disk(const struct start *s)
{
	auto_free char *payload = mem_printf("%s/volumes/%s", s->j->c->state_dir, s->j->rec.volume);

	return s->j->rec.survives && !s->j->prepared && fs_exists(payload);
}

/* 1: of another name than at its last start; then its root begins anew. */
static int find_was(struct was *w, struct start *s, struct err *e)
{
	bool known = was_of_record(w, s);

	if (!known && has_disk(s)) {
		if (stage_volume(s, e) < 0)
			return -1;
		known = was_of_disk(w, s);
	}
	return known && strcmp(w->image, s->spec.image) != 0;
}

static int load_was(struct image *img, const struct was *w, const struct job *j, struct err *e)
{
	auto_job_store struct job_store store;
	int r;

	job_store_init(&store, j->c, NULL);
	r = image_load(img, &store.s, w->digest, e);
	return r == IMAGE_NOT_FOUND
		       ? err_set(e, ERRK_STATE,
				 "image %s, which the lease had before, is not in the store; start "
				 "it with that one first",
				 w->image)
		       : r;
}

/* What shall survive is copied from the old root, as long as its image is held. */
static int save_root(struct start *s, const struct was *was, struct err *e)
{
	auto_image struct image *img = image_new();
	auto_storage struct storage st = {0};
	auto_free char *upper = mem_printf("%s/upper", s->mount);

	if (stage_volume(s, e) < 0)
		return -1;
	if (!fs_exists(upper)) /* an earlier try came further than this */
		return 0;
	if (load_was(img, was, s->j, e) < 0)
		return -1;
	storage_find(&st, s->paths.dir, &s->spec, &img->config);
	if (storage_unmount(s->paths.dir, e) < 0 || mount_root(s, img, e) < 0 ||
	    storage_fill(&st, s->j, &s->box, s->mount, e) < 0 ||
	    overlay_unmount(s->paths.dir, e) < 0)
		return -1;
	step_at(STEP_ROOT_SAVED);
	return 0;
}

static int drop_root(const struct start *s, struct err *e)
{
	static const char *const PARTS[] = {"upper", "work"};

	for (size_t i = 0; i < ARRAY_SIZE(PARTS); i++) {
		auto_free char *path = mem_printf("%s/%s", s->mount, PARTS[i]);

		if (fs_remove_tree(path, e) < 0)
			return -1;
	}
	step_at(STEP_ROOT_DROPPED);
	return 0;
}

static int stage_image(struct start *s, struct err *e)
{
	auto_job_store struct job_store store;
	struct was was = {{0}, {0}};
	int r, other = find_was(&was, s, e);

	if (other < 0)
		return -1;
	job_store_init(&store, s->j->c, s->ref);
	store.s.holder = s->j->rec.id;
	store.s.spare += s->j->promised;
	if (other && (save_root(s, &was, e) < 0 || image_keep_before(&store.s, e) < 0))
		return -1;
	s->img = image_new();
	/* what is pulled was pulled before (helper.c): only the store has it */
	r = image_ensure(s->img, &store.s, job_is_pulled(s->ref) ? s->spec.digest : s->ref,
			 s->spec.digest, e);
	if (r == IMAGE_NOT_FOUND)
		return err_set(e, ERRK_STATE, "image %s is not there any more", s->spec.image);
	if (r < 0)
		return -1;
	memcpy(s->spec.digest, s->img->digest, sizeof(s->spec.digest));
	if ((other && drop_root(s, e) < 0) || image_let_before_go(&store.s, e) < 0)
		return -1;
	return save_spec(s, e);
}

static int find_disk(struct start *s, struct err *e)
{
	struct stat st;

	if (stat(s->mount, &st) < 0)
		return err_sys(e, "look at %s", s->mount);
	s->box.disk_major = major(st.st_dev);
	s->box.disk_minor = minor(st.st_dev);
	return 0;
}

/* The runtime is given paths as they are in the root. */
static int mount_storage(struct start *s, struct err *e)
{
	storage_find(&s->storage, s->paths.dir, &s->spec, &s->img->config);
	if (storage_unmount(s->paths.dir, e) < 0 ||
	    storage_resolve(&s->storage, s->box.root, e) < 0 ||
	    storage_mount(&s->storage, s->j, &s->box, s->mount, e) < 0)
		return -1;
	free(s->spec.storage.v);
	spec_storage_copy(&s->spec.storage, &s->storage.mounts);
	s->box.volumes = (const char *const *)s->storage.at;
	return 0;
}

static int stage_bundle(struct start *s, struct err *e)
{
	s->box.spec = &s->spec;
	s->box.image = &s->img->config;
	note_image(s);
	if (find_disk(s, e) < 0 || mount_root(s, s->img, e) < 0 || mount_storage(s, e) < 0 ||
	    job_grant_open(&s->grant, &s->box, s->j, e) < 0 ||
	    image_find_user(&s->box.user, s->box.root, oci_user(&s->spec, &s->img->config), e) < 0)
		return -1;
	return s->j->backend->prepare(&s->box, e);
}

/* The keeper gets one end of a socket pair as descriptor 3, a file for its own complaints, the
 * lease's folder, and nothing of ours. */
static int start_keeper(const struct start *s, int *link, struct err *e)
{
	auto_free char *program = mem_printf("%s/leased-keeper", s->j->c->libexec_dir);
	auto_free char *log = record_path(s->j->c, s->j->rec.id, "keeper.log");
	const char *const argv[] = {program, s->j->rec.id, NULL};
	const char *const test_env[] = {getenv("LEASED_TEST_KEEPER"),
					NULL}; /* "LEASED_TEST_STEP=…" */
	auto_close int errors = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	int pair[2];
	pid_t pid;
	int r;

	if (errors < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "start the keeper");
	r = proc_start(&pid,
		       &(struct proc_spec){.argv = argv,
					   .envp = *test_env ? test_env : NULL,
					   .cwd = s->paths.dir,
					   .in = -1,
					   .out = errors,
					   .err = errors,
					   .keep = (const int[]){pair[1], -1}},
		       e);
	close(pair[1]);
	if (r < 0) {
		close(pair[0]);
		return -1;
	}
	*link = pair[0];
	step_at(STEP_KEEPER_STARTED);
	return 0;
}

static uint32_t us_since(int64_t from)
{
	int64_t us = clock_mono_us() - from;

	return us < 0 ? 0 : us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static int join_table(const struct start *s, const struct tenant_net *net, struct err *e)
{
	struct tenant_seat seat = record_seat(&s->j->rec);

	if (s->m->generation > 1 && tenant_net_forget(net, seat.slot, e) < 0)
		return -1;
	return tenant_net_add(net, &seat, e);
}

/* Of its own; NULL: none, or the host's. */
static const struct tenant_net *network_of(const struct job *j, const struct spec *s)
{
	return s->network == SPEC_NETWORK_NONE || j->rec.powers.host_network ? NULL : j->c->net;
}

static int stage_keeper(struct start *s, struct err *e)
{
	auto_free char *log_dir = record_log_dir(s->j->c, &s->j->rec);
	struct keeper_start m = {.generation = s->m->generation,
				 .deadline = s->j->rec.deadline,
				 .backend = (char *)s->j->backend->name,
				 .dir = s->paths.dir,
				 .runtime = (char *)s->box.runtime,
				 .runtime_root = s->paths.runtime_root,
				 .cgroup = s->paths.cgroup,
				 .log_dir = log_dir,
				 .log_max = record_log_max(s->j->c, s->j->rec.volume_bytes),
				 .out_uid = s->box.id_base + s->box.user.uid,
				 .disk_pid = (uint32_t)s->disk,
				 .net_link = (char *)"",
				 .net_prefix6 = (char *)"",
				 .seconds = s->m->seconds,
				 .card = s->m->card,
				 .topup = s->m->topup,
				 .net_slot = s->j->rec.slot,
				 .tty = s->spec.tty};
	struct keeper_start_reply kr = {.stage = PRIV_STAGE_KEEPER};
	const struct tenant_net *net = network_of(s->j, &s->spec);
	char prefix6[INET6_ADDRSTRLEN];
	auto_close int link = -1;
	int64_t from = clock_mono_us();

	memcpy(m.id, s->j->rec.id, sizeof(m.id));
	if (net) {
		m.net_link = (char *)net->link;
		m.net_base = net->base;
	}
	if (net && net->has6)
		m.net_prefix6 = (char *)inet_ntop(AF_INET6, net->prefix6, prefix6, sizeof(prefix6));
	/* the keeper loads meanwhile */
	if (start_keeper(s, &link, e) < 0 || (net && join_table(s, net, e) < 0) ||
	    keeper_call(link, KEEPER_START, &m, &kr, START_TIMEOUT_MS, e) < 0)
		return -1;
	s->r->create_us = kr.create_us;
	s->r->start_us = kr.start_us;
	s->r->keeper_us = us_since(from) - kr.create_us - kr.start_us;
	s->r->started_ms = kr.started_ms;
	if (!kr.running) {
		s->r->stage = kr.stage;
		err_set(e, ERRK_PEER, "%s", kr.message);
	}
	free(kr.message);
	return kr.running ? 0 : -1;
}

static int run_stages(struct start *s, struct err *e)
{
	struct priv_start_reply *r = s->r;
	const struct {
		enum priv_stage stage;
		stage_fn *run;
		uint32_t *us;
	} stages[] = {
		{PRIV_STAGE_CHECK, stage_check, NULL},
		{PRIV_STAGE_VOLUME, stage_key, NULL},
		{PRIV_STAGE_IMAGE, stage_image, &r->image_us},
		{PRIV_STAGE_VOLUME, stage_volume, &r->volume_us},
		{PRIV_STAGE_BUNDLE, stage_bundle, &r->bundle_us},
		{PRIV_STAGE_KEEPER, stage_keeper, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(stages); i++) {
		int64_t from = clock_mono_us();

		r->stage = stages[i].stage;
		if (stages[i].run(s, e) < 0)
			return -1;
		if (stages[i].us)
			*stages[i].us = us_since(from);
	}
	return 0;
}

/* A generation that was started is not started again, whatever became of it. */
static int started_before(const struct job *j, const struct priv_start *m,
			  struct priv_start_reply *r, struct err *e)
{
	struct keeper_record rec;
	int known = job_state(&rec, j, e);

	if (known < 0)
		return -1;
	if (known == 0 && rec.generation >= m->generation) {
		r->outcome = PRIV_START_RUNNING;
		r->started_ms = rec.started_ms;
		return 1;
	}
	return known == 0 && rec.state == PRIV_BOX_RUNNING
		       ? err_set(e, ERRK_STATE, "an earlier start of it runs")
		       : 0;
}

/* Under which ports and address it is seen outside. */
static void tell_network(const struct job *j, const struct priv_start *m,
			 struct priv_start_reply *r)
{
	const struct tenant_net *net = network_of(j, &m->spec);
	char text[INET6_ADDRSTRLEN] = "";
	uint8_t addr[16];

	if (!net)
		return;
	r->source_first = tenant_ports_of(&net->source, j->rec.slot);
	r->source_count = net->source.each;
	if (!net->has6)
		return;
	tenant_net_lease_addr6(addr, net, j->rec.slot);
	r->address6 = mem_strdup(inet_ntop(AF_INET6, addr, text, sizeof(text)) ? text : "");
}

/* A start that failed on the way never was one. */
static void take_back(const struct job *j)
{
	auto_free char *state = record_path(j->c, j->rec.id, KEEPER_STATE);
	struct err err;

	if (job_end_box(j, &err) < 0)
		log_warn("lease %s: %s", j->rec.id, err.msg);
	else
		unlink(state);
}

/* A daemon that does not answer may not for long: the buyer is not kept waiting, and whoever ends
 * the lease asks it again. */
static int not_now(const struct job *j, struct priv_start_reply *r, const struct err *why,
		   struct err *e)
{
	if (j->backend != &backend_docker) {
		*e = *why;
		return -1;
	}
	r->outcome = PRIV_START_FAILED;
	r->message = mem_strdup(why->msg);
	return 0;
}

/* A disk that nobody serves any more is not held by other leases either. */
static int recall_dead(const struct job *j, struct err *e)
{
	struct volume v = record_volume(&j->rec, j->c);

	return volume_is_dead(&v) ? lend_recall(j, e) : 0;
}

int job_start(const struct job *j, void *reply, struct err *e)
{
	const struct priv_start *m = j->msg;
	struct priv_start_reply *r = reply;
	struct start s = {.j = j, .m = m, .r = r};
	auto_close int lock = -1;
	struct err why;
	int before;

	tell_network(j, m, r);
	if (!*m->spec.kept && recall_dead(j, e) < 0)
		return -1;
	before = job_lock(&lock, j, e);
	if (before == RECORD_NOT_FOUND)
		return err_set(e, ERRK_STATE, "the lease was destroyed");
	if (before == 0 && *m->spec.kept) {
		job_keep(j, r);
		return 0;
	}
	before = before < 0 ? -1 : started_before(j, m, r, e);
	if (before != 0)
		return before < 0 ? -1 : 0;
	r->stage = PRIV_STAGE_CHECK;
	if (job_end_box(j, &why) < 0) /* what an earlier attempt left */
		return not_now(j, r, &why, e);
	r->prepared = j->prepared;
	if (run_stages(&s, &why) < 0) {
		r->outcome = s.locked ? PRIV_START_LOCKED : PRIV_START_FAILED;
		r->message = mem_strdup(why.msg);
		if (r->stage >= PRIV_STAGE_KEEPER)
			take_back(j);
	}
	storage_clear(&s.storage);
	spec_clear(&s.spec);
	job_grant_clear(&s.grant);
	image_free(s.img);
	free(s.ref);
	free(s.mount);
	box_paths_free(&s.paths);
	return 0;
}
