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
#include <unistd.h>

#include "backend/cgroup.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/proc.h"
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

static void write_config(const char *command, uint32_t id_base)
{
	auto_free char *root = overlay_root(place.lease);
	auto_free char *path = mem_printf("%s/config.json", place.lease);
	auto_free char *box = mem_printf("%s/box", place.cgroup);
	auto_buf struct buf text = BUF(OCI_CONFIG_MAX);
	auto_spec struct spec s = {.limits = {500, 64 << 20, 64, 64 << 20, 0}};
	struct oci_placement p = {.rootfs = root,
				  .cgroup = box,
				  .hostname = "box",
				  .id_base = id_base,
				  .id_count = id_base ? ID_COUNT : 0};
	struct rlimit files;
	struct err e;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	p.nofile = files.rlim_max;
	must(spec_add_arg(&s, str_of(command), &e), &e);
	must(spec_set_env(&s, STR("WHO"), STR("spec"), &e), &e);
	must(image_find_user(&p.user, root, oci_user(&s, &place.image->config), &e), &e);
	must(oci_config(&text, &s, &place.image->config, &p, &e), &e);
	must(fs_write(path, text.p, text.n, 0600, &e), &e);
}

/* Run it to its end; its standard output goes to `out`. */
static void run_box(struct buf *out, const char *command, uint32_t id_base)
{
	auto_free char *root = mem_printf("%s/runc", place.run);
	const char *argv[] = {"runc",	   "--root",	      root, "run", "-b",
			      place.lease, "leased-test-box", NULL};
	struct proc_spec spec = {.argv = argv};
	struct proc_result r = {.out = BUF(65536), .err = BUF(4096)};
	struct err e;

	write_config(command, id_base);
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
		"b=/bin/busybox; $b cat /home/file; echo more >> /home/file; $b cat /home/file; "
		"$b id -u; $b hostname; echo $WHO $HOME; $b grep NoNewPrivs /proc/self/status; "
		"$b grep CapEff /proc/self/status; $b cat /etc/resolv.conf; "
		"$b stat -c %u:%a /home/file; $b ls /dev | $b grep -c shm; "
		"$b mount -t tmpfs x /home 2>&1; $b cat /proc/self/cgroup | $b head -1; exit 0",
		id_base);
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
