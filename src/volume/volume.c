/* A volume's life, each step from whatever state the last one left: see volume.h. */
#include "volume/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fs.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/secret.h"
#include "base/step.h"
#include "volume/extent.h"
#include "volume/loop.h"
#include "volume/luks.h"
#include "volume/mounts.h"
#include "volume/paths.h"
#include "volume/server.h"

#define MKFS_MS 120000
#define GRAIN	(UINT64_C(1) << 20)
#define BLOCK	4096
/* The payload is a hole of so much at least, and the disk that is made of it, too: only the file
 * system on it has the size that counts, and grows by one call to the kernel. */
#define ROOM (UINT64_C(1) << 40)

/* Its header is made by the same library. */
static int probe_fuse(struct err *e)
{
	return server_probe(e) < 0 ? -1 : luks_probe_library(e);
}

static const struct {
	const char *name;
	int (*probe)(struct err *e);
} ACTIVATIONS[] = {
	[VOLUME_PLAIN] = {"none", NULL},
	[VOLUME_FUSE] = {"fuse", probe_fuse},
	[VOLUME_DM_CRYPT] = {"dm-crypt", luks_probe},
};

const char *volume_activation_name(enum volume_activation a)
{
	return ACTIVATIONS[a].name;
}

int volume_activation_parse(enum volume_activation *a, struct str s, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(ACTIVATIONS); i++)
		if (str_is(s, ACTIVATIONS[i].name)) {
			*a = (enum volume_activation)i;
			return 0;
		}
	return err_set(e, ERRK_INPUT, "encryption: write dm-crypt, fuse or none");
}

int volume_probe(enum volume_activation a, struct err *e)
{
	if (access("/dev/loop-control", R_OK | W_OK))
		return err_set(e, ERRK_STATE, "this host has no loop devices (/dev/loop-control)");
	return ACTIVATIONS[a].probe ? ACTIVATIONS[a].probe(e) : 0;
}

static uint64_t payload_bytes(const struct volume *v)
{
	return (v->bytes + GRAIN - 1) / GRAIN * GRAIN;
}

/* What the payload file has room for; 0: there is none. */
static uint64_t room_of(const struct paths *p)
{
	struct stat st;

	return lstat(p->data, &st) || !S_ISREG(st.st_mode) ? 0 : (uint64_t)st.st_size;
}

static struct server server_of(const struct paths *p)
{
	return (struct server){
		.header = p->header,
		.payload = p->data,
		.header_bytes = LUKS1_HEADER_SIZE,
		.payload_bytes = room_of(p),
		.key = p->key,
		.descriptor = p->descriptor,
		.disk = p->disk,
		.record = p->server,
		.log = p->log,
	};
}

/* A host's file system whose files cannot be so large gives what is needed now. */
static int make_room(int fd, const struct volume *v, struct err *e)
{
	uint64_t need = payload_bytes(v);

	if (need < ROOM && ftruncate(fd, (off_t)ROOM) == 0)
		return 0;
	return ftruncate(fd, (off_t)need)
		       ? err_sys(e, "volume of %llu bytes", (unsigned long long)need)
		       : 0;
}

static int make_payload(const struct volume *v, const struct paths *p, struct err *e)
{
	auto_close int fd = -1;

	if (unlink(p->data) && errno != ENOENT)
		return err_sys(e, "remove %s", p->data);
	fd = open(p->data, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(e, "create %s", p->data);
	if (make_room(fd, v, e))
		return -1;
	step_at(STEP_VOLUME_PAYLOAD);
	return 0;
}

static int make_header(const struct volume *v, const struct paths *p, const struct luks_key *key,
		       struct err *e)
{
	if (v->activation == VOLUME_DM_CRYPT)
		return luks2_format(p->header, p->data, key, e);
	return luks1_format(p->header, key, e);
}

static int sync_file(const char *path, struct err *e)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 || fsync(fd) ? err_sys(e, "sync %s", path) : 0;
}

static bool in_memory(const struct volume *v, const struct paths *p, struct err *e)
{
	const char *where = v->own_key ? p->run : p->home;

	if ((v->survives && !v->own_key) || fs_is_memory(where))
		return true;
	err_set(e, ERRK_STATE, "%s is not memory: keys would reach the disk", where);
	return false;
}

static int put_key(struct luks_key *key, const struct volume *v, const struct paths *p,
		   struct err *e)
{
	if (!v->key)
		return err_set(e, ERRK_STATE, "it needs its key");
	return luks_key_put(key, v->key, p->key, e);
}

static int encrypt(const struct volume *v, const struct paths *p, struct err *e)
{
	auto_luks_key struct luks_key key = {0};

	if (v->activation == VOLUME_PLAIN)
		return 0;
	if (!in_memory(v, p, e) ||
	    (v->own_key ? put_key(&key, v, p, e) : luks_key_make(&key, p->key, e)))
		return -1;
	step_at(STEP_VOLUME_KEY);
	return make_header(v, p, &key, e) ? -1 : sync_file(p->header, e);
}

/* The mark is written last: without it nothing of what is there is used. */
static bool is_created(const struct paths *p)
{
	return fs_exists(p->made) && room_of(p) > 0;
}

/* One that is to be larger than its room, before anything uses it. */
static int extend(const struct volume *v, const struct paths *p, struct err *e)
{
	auto_close int fd = -1;

	if (room_of(p) >= payload_bytes(v))
		return 0;
	fd = open(p->data, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? err_sys(e, "open %s", p->data) : make_room(fd, v, e);
}

static int mark(const char *path, struct err *e)
{
	return fs_write(path, "", 0, 0600, e);
}

static int create(const struct volume *v, const struct paths *p, struct err *e)
{
	if (is_created(p)) /* its folder there is gone with a reboot */
		return fs_mkdirs(p->run, 0700, e) ? -1 : extend(v, p, e);
	/* a half-made one, or one whose header is gone, is of no use to anybody */
	if (volume_close(v, e) || fs_remove_tree(p->run, e) || fs_remove_tree(p->kept, e) ||
	    fs_mkdirs(p->state_parent, 0700, e) || fs_mkdirs(p->run, 0700, e) ||
	    fs_mkdirs(p->home, 0700, e))
		return -1;
	if (make_payload(v, p, e) || encrypt(v, p, e) || mark(p->made, e))
		return -1;
	step_at(STEP_VOLUME_CREATED);
	return 0;
}

/* 0: `v->key` opens what is there, and lies where that is looked for. */
static int try_and_put(const struct volume *v, const struct paths *p, struct err *e)
{
	auto_luks_key struct luks_key key = {0};
	int r;

	if (luks_key_take(&key, v->key, e))
		return -1;
	r = luks_try(p->header, &key, e);
	if (r)
		return r < 0 ? -1 : VOLUME_WRONG_KEY;
	if (fs_mkdirs(p->run, 0700, e) || !in_memory(v, p, e) || put_key(&key, v, p, e))
		return -1;
	step_at(STEP_VOLUME_UNLOCKED);
	return 0;
}

int volume_unlock(const struct volume *v, struct err *e)
{
	auto_paths struct paths p = {0};
	int r = 0;

	if (!v->own_key)
		return 0;
	if (paths_make(&p, v, e))
		return -1;
	if (!is_created(&p))
		return v->key ? 0 : VOLUME_LOCKED;
	if (!fs_exists(p.key))
		r = v->key ? try_and_put(v, &p, e) : VOLUME_LOCKED;
	return r < 0 ? err_wrap(e, "unlock volume %s", v->id) : r;
}

bool volume_is_locked(const struct volume *v)
{
	auto_paths struct paths p = {0};

	return v->own_key && (paths_make(&p, v, NULL) || !is_created(&p) || !fs_exists(p.key));
}

int volume_create(const struct volume *v, struct err *e)
{
	auto_paths struct paths p = {0};

	if (paths_make(&p, v, e))
		return -1;
	return create(v, &p, e) ? err_wrap(e, "create volume %s", v->id) : 0;
}

int volume_serve(const struct volume *v, pid_t *pid, struct err *e)
{
	auto_paths struct paths p = {0};
	struct server server;

	*pid = 0;
	if (v->activation != VOLUME_FUSE)
		return 0;
	if (paths_make(&p, v, e))
		return -1;
	server = server_of(&p);
	*pid = server_find(&server);
	if (*pid)
		return VOLUME_SERVED;
	if (server_join(&server, e) || server_start(&server, pid, e))
		return err_wrap(e, "serve volume %s", v->id);
	step_at(STEP_VOLUME_SERVED);
	return 0;
}

static char *mapper_name(const struct volume *v)
{
	return mem_printf("leased-%s", v->id);
}

static char *mapper_node(const struct volume *v)
{
	auto_free char *name = mapper_name(v);

	return mem_printf("/dev/mapper/%s", name);
}

static int attach_mapper(char **device, const struct volume *v, const struct paths *p,
			 struct err *e)
{
	auto_luks_key struct luks_key key = {0};
	auto_free char *name = mapper_name(v);
	auto_free char *loop = NULL;

	if (loop_attach(&loop, p->data, e))
		return -1;
	if (!luks_is_open(name) && (luks_close(name, e) || luks_key_read(&key, p->key, e) ||
				    luks2_open(name, p->header, loop, &key, e)))
		return -1;
	if (loop_let_go(loop, e))
		return -1;
	*device = mapper_node(v);
	return 0;
}

static int attach(char **device, const struct volume *v, const struct paths *p, struct err *e)
{
	struct server server = server_of(p);
	int r;

	if (v->activation == VOLUME_DM_CRYPT) {
		r = attach_mapper(device, v, p, e);
	} else if (v->activation == VOLUME_FUSE) {
		if (!server_find(&server))
			return err_set(e, ERRK_STATE, "nothing serves the disk");
		r = loop_attach(device, p->disk, e);
	} else {
		r = loop_attach(device, p->data, e);
	}
	if (r == 0)
		step_at(STEP_VOLUME_ATTACHED);
	return r;
}

/* Without a journal where the volume does not survive what a journal is for. */
static int make_file_system(const struct volume *v, const char *device, struct err *e)
{
	auto_free char *blocks = mem_printf("%llu", (unsigned long long)(payload_bytes(v) / BLOCK));
	auto_free char *inodes = mem_printf("%llu", (unsigned long long)v->inodes);
	uint64_t share = v->kept / (v->bytes / 100000 + 1); /* thousandths of a percent */
	auto_free char *kept =
		mem_printf("%u.%03u", (unsigned)share / 1000, (unsigned)share % 1000);
	const char *argv[16] = {"mkfs.ext4",
				"-q",
				"-F",
				"-b",
				"4096",
				"-m",
				kept,
				"-O",
				v->survives ? "has_journal" : "^has_journal",
				"-E",
				"nodiscard,lazy_itable_init=1",
				device,
				blocks};

	if (v->inodes) {
		argv[11] = "-N";
		argv[12] = inodes;
		argv[13] = device;
		argv[14] = blocks;
	}
	return proc_check(argv, MKFS_MS, e);
}

/* Blocks that the allocator never used stay holes: no background writing of inode tables. What is
 * deleted becomes holes again, where the disk passes that on. The server does not: volume_trim. */
static int mount_device(const char *device, const struct paths *p, struct err *e)
{
	auto_free char *options = mem_printf("noinit_itable,discard,resuid=%u", VOLUME_KEEPER);

	if (mkdir(p->mount, 0711) && errno != EEXIST)
		return err_sys(e, "mkdir %s", p->mount);
	if (mount(device, p->mount, "ext4", MS_NOSUID | MS_NODEV | MS_NOATIME, options))
		return err_sys(e, "mount %s", p->mount);
	return 0;
}

static int fit(const struct volume *v, const struct paths *p, const char *device, struct err *e)
{
	int r = extent_grow(device, p->mount, payload_bytes(v), e);

	if (r == 0)
		step_at(STEP_VOLUME_GROWN);
	return r;
}

/* The mark says that a kill may have left it half grown: it is not used before that is repaired. */
static int grow_unmounted(const struct volume *v, const struct paths *p, const char *device,
			  struct err *e)
{
	if (mark(p->growing, e))
		return -1;
	step_at(STEP_VOLUME_GROWING);
	if (extent_grow_unmounted(device, payload_bytes(v), e))
		return -1;
	return unlink(p->growing) ? err_sys(e, "remove %s", p->growing) : 0;
}

static int mount_as_large(const struct volume *v, const struct paths *p, const char *device,
			  struct err *e)
{
	int r;

	if (fs_exists(p->growing) && grow_unmounted(v, p, device, e))
		return -1;
	if (mount_device(device, p, e))
		return -1;
	r = fit(v, p, device, e);
	if (r != EXTENT_NOT_NOW)
		return r;
	if (mounts_remove(p->mount, e) || grow_unmounted(v, p, device, e) ||
	    mount_device(device, p, e))
		return -1;
	return fit(v, p, device, e) ? -1 : 0;
}

static int grow_mounted(const struct volume *v, const struct paths *p, struct err *e)
{
	auto_free char *device = NULL;
	int r = 0;

	if (v->activation == VOLUME_DM_CRYPT)
		device = mapper_node(v);
	else
		r = loop_find(&device, v->activation == VOLUME_FUSE ? p->disk : p->data, e);
	if (r == LOOP_NONE)
		return err_set(e, ERRK_STATE, "its loop device is gone");
	return r < 0 ? -1 : fit(v, p, device, e);
}

static int mount_volume(const struct volume *v, const struct paths *p, struct err *e)
{
	auto_free char *device = NULL;

	if (mounts_has(p->mount))
		return 0;
	if (!is_created(p))
		return err_set(e, ERRK_STATE, "it was not created");
	if (attach(&device, v, p, e))
		return -1;
	if (!fs_exists(p->ready)) {
		if (make_file_system(v, device, e) || mark(p->ready, e))
			return -1;
		step_at(STEP_VOLUME_FORMATTED);
	}
	if (mount_as_large(v, p, device, e))
		return -1;
	if (v->activation != VOLUME_DM_CRYPT && loop_let_go(device, e))
		return -1;
	step_at(STEP_VOLUME_OPENED);
	return 0;
}

int volume_mount(const struct volume *v, struct err *e)
{
	auto_paths struct paths p = {0};

	if (paths_make(&p, v, e))
		return -1;
	return mount_volume(v, &p, e) ? err_wrap(e, "mount volume %s", v->id) : 0;
}

int volume_open(const struct volume *v, pid_t *pid, struct err *e)
{
	pid_t server;
	int r;

	if (volume_create(v, e))
		return -1;
	r = volume_serve(v, &server, e);
	if (r < 0)
		return -1;
	if (pid)
		*pid = server;
	return volume_mount(v, e);
}

int volume_grow(const struct volume *v, struct err *e)
{
	auto_paths struct paths p = {0};
	int r;

	if (paths_make(&p, v, e))
		return -1;
	if (!mounts_has(p.mount))
		return 0;
	r = grow_mounted(v, &p, e);
	if (r)
		(void)err_wrap(e, "grow volume %s", v->id);
	return r == EXTENT_NOT_NOW ? VOLUME_GROWS_CLOSED : r;
}

char *volume_path(const struct volume *v)
{
	auto_paths struct paths p = {0};

	return paths_make(&p, v, NULL) ? NULL : steal(&p.mount);
}

bool volume_is_mounted(const struct volume *v)
{
	auto_paths struct paths p = {0};

	return paths_make(&p, v, NULL) == 0 && mounts_has(p.mount);
}

pid_t volume_server(const struct volume *v)
{
	auto_paths struct paths p = {0};
	struct server server;

	if (paths_make(&p, v, NULL))
		return 0;
	server = server_of(&p);
	return server_find(&server);
}

/* Whatever the activation was: what is not there needs no closing. */
static int close_all(const struct volume *v, const struct paths *p, struct err *e)
{
	auto_free char *name = mapper_name(v);
	struct server server = server_of(p);

	if (mounts_remove(p->mount, e))
		return -1;
	/* Mount namespaces that began meanwhile (services, other containers) have copies of the
	 * mount, which hold the disk. The kernel ends them with the folder. */
	if (rmdir(p->mount) && errno != ENOENT)
		return err_sys(e, "remove %s", p->mount);
	step_at(STEP_VOLUME_UNMOUNTED);
	if (luks_close(name, e) || loop_detach(p->disk, e) || loop_detach(p->data, e))
		return -1;
	step_at(STEP_VOLUME_DETACHED);
	return server_stop(&server, e);
}

int volume_close(const struct volume *v, struct err *e)
{
	auto_paths struct paths p = {0};

	if (paths_make(&p, v, e))
		return -1;
	if (close_all(v, &p, e))
		return err_wrap(e, "close volume %s", v->id);
	step_at(STEP_VOLUME_CLOSED);
	return 0;
}

bool volume_is_dead(const struct volume *v)
{
	return v->activation == VOLUME_FUSE && volume_is_mounted(v) && !volume_server(v);
}

/* What it lost was never on the disk; the mark has the rest looked through before it is used. */
int volume_revive(const struct volume *v, pid_t *pid, struct err *e)
{
	auto_paths struct paths p = {0};

	if (paths_make(&p, v, e) || mark(p.growing, e) || volume_close(v, e))
		return -1;
	return volume_open(v, pid, e);
}
