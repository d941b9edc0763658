/* Mounting a container's root: see overlay.h. */
#include "volume/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "volume/bind.h"
#include "volume/mounts.h"

#define LOWER_MAX   127
#define OPTIONS_MAX 4096 /* the kernel takes one page */

char *overlay_root(const char *run)
{
	return mem_printf("%s/rootfs", run);
}

char *overlay_volume(const char *run)
{
	static const char key[] = "upperdir=", folder[] = "/upper,";
	auto_free char *root = overlay_root(run);
	auto_free char *line = mounts_line(root);
	const char *from = line ? strstr(line, key) : NULL;
	const char *to = from ? strstr(from, folder) : NULL;

	return to ? mem_strndup(from + strlen(key), (size_t)(to - from) - strlen(key)) : NULL;
}

struct init_entry {
	const char *name;
	mode_t mode;
};

/* What an image must not have as links: here the runtime mounts and we write. */
static const struct init_entry FOLDERS[] = {
	{"dev", 0755}, {"proc", 0555}, {"sys", 0555}, {"run", 0755}, {"tmp", 01777}, {"etc", 0755},
};

static int own(int dir, const char *name, const struct overlay *o, struct err *e)
{
	if (o->id_count && fchownat(dir, name, o->id_base, o->id_base, AT_SYMLINK_NOFOLLOW))
		return err_sys(e, "chown %s", name);
	return 0;
}

static int make_folder(int dir, const char *name, mode_t mode, const struct overlay *o,
		       struct err *e)
{
	if ((mkdirat(dir, name, mode) && errno != EEXIST) || fchmodat(dir, name, mode, 0))
		return err_sys(e, "mkdir %s", name);
	return own(dir, name, o, e);
}

static int make_file(int dir, const char *name, const char *text, const struct overlay *o,
		     struct err *e)
{
	auto_close int fd =
		openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);

	if (fd < 0 || fchmod(fd, 0644))
		return err_sys(e, "create %s", name);
	if (fs_write_all(fd, text, strlen(text), e))
		return -1;
	return own(dir, name, o, e);
}

static int make_init_layer(int run, const struct overlay *o, struct err *e)
{
	auto_free char *hostname = mem_printf("%s\n", o->hostname);
	auto_free char *hosts = mem_printf("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n"
					   "127.0.1.1\t%s\n",
					   o->hostname);
	auto_close int init = -1;

	if (make_folder(run, "init", 0755, o, e))
		return -1;
	init = openat(run, "init", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (init < 0)
		return err_sys(e, "open the init layer");
	for (size_t i = 0; i < ARRAY_SIZE(FOLDERS); i++)
		if (make_folder(init, FOLDERS[i].name, FOLDERS[i].mode, o, e))
			return -1;
	if (make_file(init, "etc/hostname", hostname, o, e) ||
	    make_file(init, "etc/hosts", hosts, o, e))
		return -1;
	return make_file(init, "etc/resolv.conf", o->resolv ? o->resolv : "", o, e);
}

static int place_lower(const struct overlay *o, size_t n, int userns, struct err *e)
{
	auto_free char *target = mem_printf("%s/lower/%zu", o->run, n);
	auto_close int fd = -1;

	if (mkdir(target, 0755) && errno != EEXIST)
		return err_sys(e, "mkdir %s", target);
	if (bind_clone(&fd, o->lower[n], userns, BIND_READ_ONLY | BIND_SET_ID, e))
		return -1;
	if (move_mount(fd, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH))
		return err_sys(e, "mount %s", target);
	return 0;
}

static int place_lowers(const struct overlay *o, struct err *e)
{
	const struct idmap map = {0, o->id_base, o->id_count};
	auto_close int userns = -1;

	if (idmap_open(&userns, &map, e))
		return -1;
	for (size_t i = 0; i < o->nlower; i++)
		if (place_lower(o, i, userns, e))
			return -1;
	return 0;
}

/* Overlay holds copies of its lower mounts, so ours are only in the way afterwards. */
static int remove_lowers(const char *run, struct err *e)
{
	for (size_t i = 0; i < LOWER_MAX; i++) {
		auto_free char *target = mem_printf("%s/lower/%zu", run, i);

		if (!fs_exists(target))
			return 0;
		if (mounts_remove(target, e))
			return -1;
	}
	return 0;
}

static int make_upper(const struct overlay *o, struct err *e)
{
	auto_close int volume = open(o->volume, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (volume < 0)
		return err_sys(e, "open %s", o->volume);
	if (mkdirat(volume, "work", 0700) && errno != EEXIST)
		return err_sys(e, "mkdir work");
	if (fstatat(volume, "upper", &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0; /* the tenant may have changed its mode */
	return make_folder(volume, "upper", 0755, o, e);
}

/* Layers by short relative names: their absolute ones would not fit the kernel's page. */
static int build_options(struct buf *b, const struct overlay *o, struct err *e)
{
	buf_puts(b, "lowerdir=init");
	for (size_t i = 0; i < o->nlower; i++)
		buf_printf(b, ":lower/%zu", i);
	buf_printf(b, ",upperdir=%s/upper,workdir=%s/work,index=off,metacopy=off,redirect_dir=off",
		   o->volume, o->volume);
	return buf_check(b, "options of the overlay", e);
}

static int mount_here(const struct overlay *o, int run, struct err *e)
{
	auto_buf struct buf options = BUF(OPTIONS_MAX - 1);
	auto_close int before = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (build_options(&options, o, e))
		return -1;
	if (before < 0 || fchdir(run))
		return err_sys(e, "enter %s", o->run);
	r = mount("overlay", "rootfs", "overlay", MS_NOSUID | MS_NODEV, options.p);
	if (r)
		r = err_sys(e, "mount the container's root");
	if (fchdir(before) && r == 0)
		r = err_sys(e, "leave %s", o->run);
	return r;
}

static int check_writable(const char *run, struct err *e)
{
	auto_free char *root = overlay_root(run);
	struct statvfs s;

	if (statvfs(root, &s))
		return err_sys(e, "statvfs %s", root);
	if (s.f_flag & ST_RDONLY)
		return err_set(e, ERRK_SYS, "the kernel mounted the container's root read-only");
	return 0;
}

static int mount_new(const struct overlay *o, struct err *e)
{
	auto_close int run = open(o->run, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (run < 0)
		return err_sys(e, "open %s", o->run);
	if ((mkdirat(run, "lower", 0700) && errno != EEXIST) ||
	    (mkdirat(run, "rootfs", 0755) && errno != EEXIST))
		return err_sys(e, "mkdir in %s", o->run);
	if (make_init_layer(run, o, e) || make_upper(o, e) || place_lowers(o, e) ||
	    mount_here(o, run, e) || remove_lowers(o->run, e))
		return -1;
	return check_writable(o->run, e);
}

int overlay_mount(const struct overlay *o, struct err *e)
{
	auto_free char *root = overlay_root(o->run);

	if (o->nlower > LOWER_MAX)
		return err_set(e, ERRK_LIMIT, "more than %d layers", LOWER_MAX);
	if (mounts_has(root))
		return check_writable(o->run, e);
	if (overlay_unmount(o->run, e))
		return -1;
	if (mount_new(o, e) == 0)
		return 0;
	(void)!overlay_unmount(o->run, NULL); /* the first error is the one to tell */
	return -1;
}

int overlay_unmount(const char *run, struct err *e)
{
	static const char *const OURS[] = {"init", "lower", "rootfs"};
	auto_free char *root = overlay_root(run);

	if (mounts_remove(root, e) || remove_lowers(run, e))
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(OURS); i++) {
		auto_free char *path = mem_printf("%s/%s", run, OURS[i]);

		if (fs_remove_tree(path, e))
			return -1;
	}
	return 0;
}

int overlay_probe_idmap(const char *dir, struct err *e)
{
	const struct idmap map = {0, 100000, 65536};
	auto_close int userns = -1, fd = -1;

	if (idmap_open(&userns, &map, e))
		return -1;
	return bind_clone(&fd, dir, userns, BIND_READ_ONLY, e);
}
