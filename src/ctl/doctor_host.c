/* doctor's look at the machine itself. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/proc.h"
#include "ctl/doctor.h"
#include "oci/runtime.h"

enum { RUN_MS = 10000, KERNEL_MAJOR = 5, KERNEL_MINOR = 12 };

static void check_root(struct doctor *d)
{
	if (geteuid() == 0)
		doctor_say(d, DOCTOR_OK, "root", NULL, "yes");
	else
		doctor_say(d, DOCTOR_WARN, "root", "sudo leasectl doctor",
			   "no: some checks are less sure");
}

/* Id-mapped mounts came with 5.12. */
static void check_kernel(struct doctor *d)
{
	struct str rest, major = {NULL, 0}, minor = {NULL, 0};
	uint64_t a = 0, b = 0;
	struct utsname u;
	bool fine;

	uname(&u);
	rest = str_of(u.release);
	fine = str_cut(&rest, '.', &major) && str_cut(&rest, '.', &minor) &&
	       str_u64(major, 999, &a, NULL) == 0 && str_u64(minor, 999, &b, NULL) == 0 &&
	       (a > KERNEL_MAJOR || (a == KERNEL_MAJOR && b >= KERNEL_MINOR));
	doctor_say(d, fine ? DOCTOR_OK : DOCTOR_FAIL, "kernel", "Linux 5.12 or newer", "%s",
		   u.release);
}

static void check_cgroup(struct doctor *d)
{
	struct statfs fs;

	if (statfs("/sys/fs/cgroup", &fs))
		doctor_say(d, DOCTOR_FAIL, "cgroup", "mount it", "/sys/fs/cgroup is not there");
	else if (fs.f_type == CGROUP2_SUPER_MAGIC)
		doctor_say(d, DOCTOR_OK, "cgroup", NULL, "version 2");
	else
		doctor_say(d, d->conf->allow_cgroup_v1 ? DOCTOR_WARN : DOCTOR_FAIL, "cgroup",
			   "boot with systemd.unified_cgroup_hierarchy=1, or allow_cgroup_v1 = yes",
			   "version 1");
}

static void check_overlay(struct doctor *d)
{
	auto_buf struct buf b = BUF(1 << 16);

	if (fs_read(&b, "/proc/filesystems", NULL) == 0 && strstr(b.p, "\toverlay\n"))
		doctor_say(d, DOCTOR_OK, "overlay", NULL, "there");
	else
		doctor_say(d, DOCTOR_FAIL, "overlay", "modprobe overlay", "not in the kernel");
}

/* The node alone says nothing: a kernel without the driver refuses to open it. */
static bool device_works(const char *path)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	return fd >= 0 || errno == EACCES || errno == EPERM;
}

static void check_device(struct doctor *d, const char *what, const char *path, const char *fix)
{
	bool works = device_works(path);

	doctor_say(d, works ? DOCTOR_OK : DOCTOR_FAIL, what, fix, "%s %s", path,
		   works ? "works" : "does not work");
}

/* First line of `PROGRAM --version`; false where it does not run. */
static bool version_of(const char *program, char *line, size_t size)
{
	const char *const argv[] = {program, "--version", NULL};
	struct proc_spec s = {.argv = argv};
	struct proc_result r = {0};
	struct str rest, first = {NULL, 0};
	bool fine = proc_run(&s, NULL, 0, RUN_MS, &r, NULL) == 0 && r.status == 0;

	rest = buf_view(&r.out);
	str_cut(&rest, '\n', &first);
	str_printable(line, size, first);
	proc_result_free(&r);
	return fine;
}

static void check_program(struct doctor *d, const char *what, const char *program, const char *fix)
{
	char line[120];
	bool fine = version_of(program, line, sizeof(line));

	if (fine)
		doctor_say(d, DOCTOR_OK, what, NULL, "%s", line);
	else
		doctor_say(d, DOCTOR_FAIL, what, fix, "%s does not run", program);
}

static void check_runtime_age(struct doctor *d)
{
	struct str word, version;
	struct err why;
	char line[120];

	if (!version_of(d->conf->runtime, line, sizeof(line)))
		return;		/* said already */
	version = str_of(line); /* "runc version 1.1.5+ds1" */
	while (version.n > 0 && (version.p[0] < '0' || version.p[0] > '9'))
		if (!str_cut(&version, ' ', &word))
			break;
	if (oci_runtime_check(oci_runtime(d->conf->runtime), version, &why) == OCI_RUNTIME_OLD)
		doctor_say(d, d->conf->refuse_old_runtime ? DOCTOR_FAIL : DOCTOR_WARN,
			   "runtime age", "a newer one; until then offers say that it is old", "%s",
			   why.msg);
}

static void check_runtime(struct doctor *d)
{
	check_program(d, "runtime", d->conf->runtime,
		      "install runc or crun, or set [runtime] path");
	check_runtime_age(d);
}

/* STATE/volume_speed: as leased measured it, once, of what kind of volume. */
static void check_disk(struct doctor *d)
{
	auto_free char *path = mem_printf("%s/volume_speed", d->conf->state_dir);
	auto_buf struct buf text = BUF(64);
	struct str kind, rest;
	uint64_t speed = 0;

	if (fs_read(&text, path, NULL) == 0) {
		rest = str_trim(buf_view(&text));
		if (!str_cut(&rest, ' ', &kind) || str_u64(rest, INT64_MAX, &speed, NULL))
			speed = 0;
	}
	if (speed)
		doctor_say(d, DOCTOR_OK, "disk speed", NULL,
			   "%llu MB/s are written to volumes (%.*s)",
			   (unsigned long long)speed / 1000000, (int)kind.n, kind.p);
	else
		doctor_say(d, DOCTOR_OK, "disk speed", NULL,
			   "leased measures it when it starts for the first time");
	if (d->conf->disk == CONFIG_DISK_NETWORK)
		doctor_say(d, DOCTOR_WARN, "disk class", "[volume] class = local, where it is",
			   "network: offers say that it is not safe for SQLite");
}

static void check_encryption(struct doctor *d)
{
	enum config_activation a = d->conf->activation;

	if (a == CONFIG_AUTO)
		a = device_works("/dev/mapper/control") ? CONFIG_DM_CRYPT : CONFIG_FUSE;
	if (a == CONFIG_PLAIN) {
		doctor_say(d, DOCTOR_WARN, "encryption", "activation = auto",
			   "none: volumes lie open on the disk");
	} else if (a == CONFIG_DM_CRYPT) {
		check_device(d, "encryption", "/dev/mapper/control", "modprobe dm-crypt");
	} else {
		check_device(d, "encryption", "/dev/fuse", "modprobe fuse");
		check_program(d, "disk server", "qemu-storage-daemon",
			      "install qemu-system-common or qemu-utils");
	}
}

/* The folder itself, or the nearest one above that exists. */
static char *nearest(const char *path)
{
	char *at = mem_strdup(path), *slash;

	while (!fs_exists(at) && (slash = strrchr(at, '/')) && slash != at)
		*slash = '\0';
	return at;
}

static void check_run_dir(struct doctor *d)
{
	auto_free char *at = nearest(d->conf->run_dir);

	if (fs_is_memory(at))
		doctor_say(d, DOCTOR_OK, "run_dir", NULL, "%s is memory-backed", at);
	else
		doctor_say(d, DOCTOR_WARN, "run_dir", "none needed: leased mounts a tmpfs there",
			   "%s is a disk", at);
}

static void check_space(struct doctor *d)
{
	auto_free char *at = nearest(d->conf->state_dir);
	uint64_t need = 0, have;
	struct statvfs fs;
	size_t i;

	if (statvfs(at, &fs)) {
		doctor_say(d, DOCTOR_FAIL, "disk", NULL, "%s: %s", at, strerror(errno));
		return;
	}
	have = (uint64_t)fs.f_bavail * fs.f_frsize;
	for (i = 0; i < d->conf->noffers; i++)
		if (d->conf->offers[i]->disk > need)
			need = d->conf->offers[i]->disk;
	doctor_say(d, have >= need ? DOCTOR_OK : DOCTOR_FAIL, "disk",
		   "more room, or an offer with a smaller disk",
		   "%llu MiB free in %s, the largest offer needs %llu MiB",
		   (unsigned long long)have >> 20, at, (unsigned long long)need >> 20);
}

static void check_layout(struct doctor *d, const struct config_image *im)
{
	auto_free char *index = mem_printf("%s/index.json", im->path);
	bool there = fs_exists(im->kind == CONFIG_IMAGE_ARCHIVE ? im->path : index);

	doctor_say(d, there ? DOCTOR_OK : DOCTOR_FAIL, "image",
		   "copy it there: skopeo copy docker://… oci:/LAYOUT:TAG", "%s: %s %s", im->name,
		   im->path,
		   im->kind == CONFIG_IMAGE_ARCHIVE ? there ? "is a file" : "is not there"
		   : there			    ? "is a layout"
						    : "is no OCI layout");
}

static void check_images(struct doctor *d)
{
	size_t i, k;

	for (i = 0; i < d->conf->noffers; i++) {
		const struct config_offer *o = d->conf->offers[i];

		for (k = 0; k < o->nimages; k++)
			if (o->images[k].path)
				check_layout(d, &o->images[k]);
	}
}

/* Without it nothing of a registry or an archive can be sold; layouts can. */
static void check_pulls(struct doctor *d)
{
	struct err e = {0};

	if (!d->conf->pulls_images)
		return;
	if (proc_check((const char *const[]){"skopeo", "--version", NULL}, RUN_MS, &e) < 0)
		doctor_say(d, DOCTOR_FAIL, "pull", "apt install skopeo",
			   "images of registries and archives cannot be sold: %s", e.msg);
	else
		doctor_say(d, DOCTOR_OK, "pull", NULL, "skopeo brings images of registries");
	if (d->conf->ca_file && !fs_exists(d->conf->ca_file))
		doctor_say(d, DOCTOR_FAIL, "ca_file", "correct [images] ca_file", "%s is not there",
			   d->conf->ca_file);
}

void doctor_host(struct doctor *d)
{
	check_root(d);
	check_kernel(d);
	check_cgroup(d);
	check_overlay(d);
	check_device(d, "loop", "/dev/loop-control", "modprobe loop");
	check_encryption(d);
	if (config_uses(d->conf, CONFIG_OCI))
		check_runtime(d);
	check_run_dir(d);
	check_space(d);
	check_disk(d);
	check_images(d);
	check_pulls(d);
}
