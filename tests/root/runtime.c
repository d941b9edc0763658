/*
 * From an image layout to a running container, with what is below the backend only: pull, overlay
 * with mapped ids on an encrypted volume, config.json, runc. Needs a static busybox.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "backend/cgroup.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/str.h"
#include "image/image.h"
#include "make_layout.h"
#include "oci/oci.h"
#include "volume/mounts.h"
#include "volume/overlay.h"
#include "volume/volume.h"

#define ID_BASE	 500000
#define ID_COUNT 65536

static struct place {
	char state[64], run[64];
	char *layouts[2], *layout, *store_dir, *lease, *cgroup;
	struct image_store store;
	struct image *image;
} place;

static void must(int r, const struct err *e)
{
	if (r)
		fail_msg("%s", e->msg);
}

/* An image that tries to lead the runtime astray: /dev and /etc are links to the host's. */
static void make_box(void)
{
	auto_buf struct buf busybox = BUF(16 << 20);
	struct err e;

	must(fs_read(&busybox, "/bin/busybox", &e), &e);
	{
		const struct tar_entry entries[] = {
			{"bin/busybox", S_IFREG, 0755, busybox.p, .content_n = busybox.n},
			{"bin/sh", S_IFLNK, .content = "busybox"},
			{"dev", S_IFLNK, .content = "/var/tmp"},
			{"home/file", S_IFREG, .content = "below\n"},
		};
		const struct tar_layer layer = {entries, ARRAY_SIZE(entries), IMAGE_GZIP,
						LAYER_HONEST};

		make_layout(place.layout, "latest", &layer, 1,
			    "{\"Entrypoint\":[\"/bin/sh\",\"-c\"],\"Env\":[\"WHO=image\"]}");
	}
}

static int make_place(void **state)
{
	struct err e;

	memcpy(place.state, "/var/tmp/leased-test-XXXXXX", 28);
	memcpy(place.run, "/dev/shm/leased-test-XXXXXX", 28);
	if (!mkdtemp(place.state) || !mkdtemp(place.run) || chmod(place.run, 0711))
		return -1;
	place.layouts[0] = mem_printf("%s/layouts", place.state);
	place.layout = mem_printf("%s/layouts/box", place.state);
	place.store_dir = mem_printf("%s/store", place.state);
	place.lease = mem_printf("%s/lease", place.run);
	place.cgroup = mem_printf("/leased-test-%d", (int)getpid());
	place.store = (struct image_store){.dir = place.store_dir,
					   .layouts = (const char *const *)place.layouts};
	place.image = image_new();
	make_box();
	if (mkdir(place.lease, 0711))
		return -1;
	if (image_ensure(place.image, &place.store, "oci:box", NULL, &e)) {
		print_error("%s\n", e.msg);
		return -1;
	}
	return 0;
}

static int remove_place(void **state)
{
	struct err e;

	if (cgroup_remove(place.cgroup, &e) < 0)
		print_error("%s\n", e.msg);
	image_free(place.image);
	free(place.layouts[0]);
	free(place.layout);
	free(place.store_dir);
	free(place.lease);
	free(place.cgroup);
	return fs_remove_tree(place.state, NULL) || fs_remove_tree(place.run, NULL);
}

static struct volume the_volume(enum volume_activation a)
{
	return (struct volume){.state_dir = place.state,
			       .run_dir = place.run,
			       .id = "box",
			       .activation = a,
			       .bytes = 64 << 20};
}

static void open_root(const struct volume *v, uint32_t id_base)
{
	char *lower[IMAGE_LAYERS_MAX];
	auto_free char *mnt = volume_path(v);
	struct overlay o = {.lower = (const char *const *)lower,
			    .nlower = place.image->nlayers,
			    .volume = mnt,
			    .run = place.lease,
			    .id_base = id_base,
			    .id_count = id_base ? ID_COUNT : 0,
			    .hostname = "box",
			    .resolv = "nameserver 192.0.2.1\n"};
	struct err e;

	must(volume_open(v, NULL, &e) < 0, &e);
	image_layers(place.image, &place.store, lower);
	must(overlay_mount(&o, &e), &e);
	must(overlay_mount(&o, &e), &e);
	for (size_t i = 0; i < place.image->nlayers; i++)
		free(lower[i]);
}

static void close_root(const struct volume *v)
{
	struct volume_erasure r;
	struct err e;

	must(overlay_unmount(place.lease, &e), &e);
	must(volume_erase(v, &r, &e), &e);
}

/* What the spec adds to a plain one, as JSON members with a comma behind; see write_config. */
struct box_case {
	const char *command, *members;
	uint32_t id_base;
	const struct spec_grant *grant;
	uint64_t caps;
	dev_t disk;
};

static void read_case(struct spec *s, const struct box_case *b)
{
	auto_free char *text = mem_printf(
		"{%s\"limits\":{\"cpu\":500,\"memory\":\"64Mi\",\"pids\":64,\"disk\":\"64Mi\"%s}}",
		b->members ? b->members : "",
		b->disk ? ",\"io\":{\"read\":\"1Mi\",\"write\":\"1Mi\"}" : "");
	struct err e;

	must(spec_decode(s, str_of(text), &e), &e);
	must(spec_add_arg(s, str_of(b->command), &e), &e);
	must(spec_set_env(s, STR("WHO"), STR("spec"), &e), &e);
}

static void write_config(const struct box_case *b)
{
	auto_free char *root = overlay_root(place.lease);
	auto_free char *path = mem_printf("%s/config.json", place.lease);
	auto_free char *box = mem_printf("%s/box", place.cgroup);
	auto_buf struct buf text = BUF(OCI_CONFIG_MAX);
	auto_spec struct spec s = {0};
	struct oci_placement p = {.rootfs = root,
				  .cgroup = box,
				  .hostname = "box",
				  .id_base = b->id_base,
				  .id_count = b->id_base ? ID_COUNT : 0,
				  .grant = b->grant,
				  .caps = b->caps,
				  .disk_major = major(b->disk),
				  .disk_minor = minor(b->disk),
				  .cgroup_version = (unsigned)cgroup_version()};
	struct rlimit files;
	struct err e;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	p.nofile = files.rlim_max;
	read_case(&s, b);
	must(image_find_user(&p.user, root, oci_user(&s, &place.image->config), &e), &e);
	must(oci_config(&text, &s, &place.image->config, &p, &e), &e);
	must(fs_write(path, text.p, text.n, 0600, &e), &e);
}

/* Run it to its end; its standard output goes to `out`. */
static void run_box(struct buf *out, const struct box_case *b)
{
	auto_free char *root = mem_printf("%s/runtime", place.run);
	const char *runtime = getenv("LEASED_TEST_RUNTIME");
	const char *argv[] = {runtime ? runtime : "runc", "--root", root, "run", "-b", place.lease,
			      "leased-test-box",	  NULL};
	struct proc_spec spec = {.argv = argv};
	struct proc_result r = {.out = BUF(65536), .err = BUF(4096)};
	struct err e;

	write_config(b);
	must(proc_run(&spec, NULL, 0, 60000, &r, &e), &e);
	if (r.status)
		fail_msg("status %d: %s %s", r.status, r.out.p ? r.out.p : "",
			 r.err.p ? r.err.p : "");
	buf_str(out, buf_view(&r.out));
	proc_result_free(&r);
}

static void check_box(uint32_t id_base)
{
	struct volume v = the_volume(VOLUME_PLAIN);
	auto_buf struct buf out = BUF(65536);
	auto_free char *file = NULL;
	struct stat st;

	open_root(&v, id_base);
	run_box(&out,
		&(struct box_case){
			.command = "b=/bin/busybox; $b cat /home/file; echo more >> /home/file; $b "
				   "cat /home/file; "
				   "$b id -u; $b hostname; echo $WHO $HOME; $b grep NoNewPrivs "
				   "/proc/self/status; "
				   "$b grep CapEff /proc/self/status; $b cat /etc/resolv.conf; "
				   "$b stat -c %u:%a /home/file; $b ls /dev | $b grep -c shm; "
				   "$b mount -t tmpfs x /home 2>&1; $b cat /proc/self/cgroup | $b "
				   "head -1; exit 0",
			.id_base = id_base});
	assert_non_null(strstr(out.p, "below\nbelow\nmore\n0\nbox\nspec "));
	assert_non_null(strstr(out.p, "NoNewPrivs:\t1"));
	assert_non_null(strstr(out.p, "CapEff:\t00000000800405fb"));
	assert_non_null(strstr(out.p, "nameserver 192.0.2.1"));
	assert_non_null(strstr(out.p, "0:644\n1\n"));
	assert_non_null(strstr(out.p, "ermi")); /* mount: permission denied, or not permitted */
	file = mem_printf("%s/volumes/box/mnt/upper/home/file", place.run);
	assert_int_equal(lstat(file, &st), 0);
	assert_int_equal(st.st_uid, id_base);
	close_root(&v);
	/* the link that the image has for /dev was never followed */
	assert_false(fs_exists("/var/tmp/shm"));
}

#define B "b=/bin/busybox; "

static struct box_case box_with(const char *members, const char *command)
{
	struct err e;
	uint32_t base = overlay_probe_idmap("/var/tmp", &e) ? 0 : ID_BASE;

	return (struct box_case){.command = command, .members = members, .id_base = base};
}

/* Run one box on a fresh volume. */
static void run_case(struct buf *out, struct box_case *b)
{
	struct volume v = the_volume(VOLUME_PLAIN);
	auto_free char *mnt = volume_path(&v);
	struct stat st;

	open_root(&v, b->id_base);
	if (b->disk) {
		assert_int_equal(stat(mnt, &st), 0);
		b->disk = st.st_dev;
	}
	run_box(out, b);
	close_root(&v);
}

static void test_read_only_root(void **state)
{
	struct box_case b = box_with(
		"\"read_only\":true,\"storage\":[{\"type\":\"tmpfs\",\"path\":\"/scratch/a\","
		"\"size\":\"1Mi\",\"mode\":\"0711\"}],",
		B "echo x 2>/dev/null > /home/new || echo refused; echo x > /run/a && echo x > "
		  "/tmp/a && echo scratch; "
		  "$b stat -c %a /scratch/a /tmp /run; "
		  "$b dd if=/dev/zero of=/scratch/a/big bs=64k count=64 2>/dev/null || echo full; "
		  "$b stat -c %s /scratch/a/big; $b grep scratch/a /proc/mounts");
	auto_buf struct buf out = BUF(65536);

	run_case(&out, &b);
	assert_non_null(strstr(out.p, "refused\nscratch\n711\n1777\n755\nfull\n1048576\n"));
	assert_non_null(strstr(out.p, "nosuid,nodev"));
}

static void test_powers(void **state)
{
	struct box_case b = box_with(
		"\"capabilities\":{\"drop\":[\"CHOWN\",\"SETUID\"]},"
		"\"rlimits\":{\"nofile\":{\"soft\":32,\"hard\":64},\"fsize\":{\"hard\":8192}},"
		"\"sysctls\":{\"net.ipv4.ip_local_port_range\":\"20000 20100\","
		"\"kernel.shmmni\":\"77\",\"fs.mqueue.msg_max\":\"7\"},",
		B "$b grep CapBnd /proc/self/status; ulimit -Sn; ulimit -Hn; "
		  "$b dd if=/dev/zero of=/home/big bs=4096 count=4 2>/dev/null; "
		  "$b stat -c %s /home/big; cd /proc/sys; $b cat net/ipv4/ip_local_port_range "
		  "net/ipv4/ping_group_range kernel/shmmni fs/mqueue/msg_max; "
		  "echo 1 2>/dev/null > kernel/shmmni || echo read-only");
	auto_buf struct buf out = BUF(65536);

	run_case(&out, &b);
	assert_non_null(strstr(out.p, "CapBnd:\t000000008004057a\n32\n64\n8192\n20000\t20100\n"));
	assert_non_null(strstr(out.p, b.id_base ? "0\t65535\n77\n7\n" : "0\t2147483647\n77\n7\n"));
	assert_non_null(strstr(out.p, "read-only"));
}

/* What is denied says so, what is not on the list does not exist. */
static void test_seccomp(void **state)
{
	struct box_case b =
		box_with(NULL, B "$b grep Seccomp: /proc/self/status; $b swapoff /x 2>&1; "
				 "$b unshare -U $b true 2>&1; $b unshare -n $b true 2>&1; "
				 "$b nsenter -t 1 -u $b true 2>&1; $b dmesg 2>&1; "
				 "echo end");
	auto_buf struct buf out = BUF(65536);

	run_case(&out, &b);
	assert_non_null(strstr(out.p, "Seccomp:\t2\n"));
	assert_non_null(strstr(out.p, "swapoff: /x: Operation not permitted"));
	assert_non_null(strstr(out.p, "unshare(0x10000000): Function not implemented"));
	assert_non_null(strstr(out.p, "unshare(0x40000000): Function not implemented"));
	assert_non_null(strstr(out.p, "'uts': Operation not permitted"));
	assert_non_null(strstr(out.p, "klogctl: Operation not permitted"));
}

static void test_secrets(void **state)
{
	struct box_case b = box_with("\"env\":{\"KEY\":\"$S:db/key\"},"
				     "\"secrets\":{\"db\":\"{\\\"key\\\":\\\"k 1\\\"}\"},",
				     "echo \"$KEY\"");
	auto_buf struct buf out = BUF(65536);

	run_case(&out, &b);
	assert_string_equal(out.p, "k 1\n");
}

/* Hundredths of a second that a box's direct writes of 2 MiB take, by the box's own clock. */
static uint64_t time_writes(struct box_case *b)
{
	auto_buf struct buf out = BUF(65536);
	struct err e;
	uint64_t n;

	run_case(&out, b);
	must(str_u64(str_trim(str_of(out.p)), UINT64_MAX, &n, &e), &e);
	return n;
}

/* At 1 MiB a second they take two seconds, of which the first tenths are free. */
static void test_io(void **state)
{
	struct box_case b = box_with(
		NULL, B "read from x < /proc/uptime; "
			"$b dd if=/dev/zero of=/home/big bs=64k count=32 oflag=direct 2>/dev/null; "
			"read to x < /proc/uptime; "
			"echo $((${to%.*}${to#*.} - ${from%.*}${from#*.}))");
	uint64_t limited;

	b.disk = 1;
	limited = time_writes(&b);
	if (limited < 120)
		fail_msg("%d hundredths with the limit", (int)limited);
}

/* An operator's folder and device reach the container, and only what was granted. */
static void test_template(void **state)
{
	static struct spec_bind bind = {NULL, (char *)"/given", true};
	static struct spec_device device = {
		(char *)"/dev/full", (char *)"/dev/given", true, false, 0, 0, 0};
	struct spec_grant g = {.binds = &bind, .nbinds = 1, .devices = &device, .ndevices = 1};
	struct box_case b =
		box_with(NULL, B "$b ls /given; echo x 2>/dev/null > /given/new || echo cannot; "
				 "$b head -c 4 /dev/given | $b od -An -tx1; "
				 "echo x 2>/dev/null > /dev/given || echo refused");
	auto_buf struct buf out = BUF(65536);
	struct err e;

	bind.source = place.layout;
	must(spec_grant_look_up(&g, &e), &e);
	b.grant = &g;
	b.id_base = 0; /* nodes are made by the runtime: nobody can inside a user namespace */
	run_case(&out, &b);
	assert_non_null(strstr(out.p, "index.json"));
	assert_non_null(strstr(out.p, "cannot\n"));
	assert_non_null(strstr(out.p, " 00 00 00 00\nrefused\n"));
}

static void test_plain(void **state)
{
	check_box(0);
}

static void test_user_namespace(void **state)
{
	check_box(ID_BASE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_read_only_root),
		cmocka_unit_test(test_powers),
		cmocka_unit_test(test_seccomp),
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_io),
		cmocka_unit_test(test_template),
		cmocka_unit_test(test_user_namespace), /* last: only where mounts can be mapped */
	};
	size_t n = ARRAY_SIZE(tests);
	struct err e;

	if (geteuid() != 0 || access("/usr/sbin/runc", X_OK) || access("/bin/busybox", X_OK)) {
		printf("1..0 # SKIP needs root, runc and busybox-static\n");
		return 0;
	}
	if (overlay_probe_idmap("/var/tmp", &e)) {
		printf("# no id-mapped mounts here: %s\n", e.msg);
		n--;
	}
	return _cmocka_run_group_tests("runtime", tests, n, make_place, remove_place);
}
