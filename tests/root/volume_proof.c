/*
 * What an erase is worth: a whole disk is read before it and after it, and with the key in hand we
 * try to open what is there. The disk is a file of ours with a file system of its own, so that
 * every byte of it can be looked at.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/proc.h"
#include "volume/loop.h"
#include "volume/luks.h"
#include "volume/mounts.h"
#include "volume_place.h"

#define DISK_BYTES  ((size_t)192 << 20)
#define HEADER_MAX  ((size_t)2 << 20)
#define MARKER	    "what a tenant wrote and nobody else shall read"
#define MARKERS	    20000
#define SECTOR	    512
#define MKFS_MS	    60000
#define LUKS_MAGIC  "LUKS\xba\xbe"
#define MAGIC_BYTES 6

struct disk {
	char *image, *mount, *device;
	struct place place; /* its state folder is on the disk */
};

static int disk_make(void **state)
{
	static struct disk d;
	const struct place *p;
	void *made;
	struct err e;
	const char *argv[] = {"mkfs.ext4", "-q", "-F", NULL, NULL};
	int fd;

	if (place_make(&made) < 0)
		return -1;
	p = made;
	d.place = *p;
	d.image = mem_printf("%s/disk.img", p->state);
	d.mount = mem_printf("%s/disk", p->state);
	argv[3] = d.image;
	fd = open(d.image, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)DISK_BYTES) < 0 || close(fd) < 0 ||
	    mkdir(d.mount, 0700) < 0 || proc_check(argv, MKFS_MS, &e) < 0 ||
	    loop_attach(&d.device, d.image, &e) < 0 ||
	    mount(d.device, d.mount, "ext4", 0, NULL) < 0)
		return -1;
	memcpy(d.place.state, d.mount, strlen(d.mount) + 1);
	*state = &d;
	return 0;
}

static int disk_remove(void **state)
{
	struct disk *d = *state;
	auto_free char *top = mem_strndup(d->image, strlen(d->image) - strlen("/disk.img"));
	struct err e;

	/* namespaces that began meanwhile have copies of the mount, which end with its folder */
	if (mounts_remove(d->mount, &e) < 0 || rmdir(d->mount) < 0 ||
	    loop_detach(d->image, &e) < 0) {
		print_message("%s\n", e.msg);
		return -1;
	}
	free(d->image);
	free(d->mount);
	free(d->device);
	return fs_remove_tree(top, NULL) || fs_remove_tree(d->place.run, NULL);
}

/* Every byte of it, as it lies there now. */
static char *disk_read(const struct disk *d)
{
	auto_close int fd = open(d->device, O_RDONLY | O_CLOEXEC);
	char *all = mem_zero(DISK_BYTES);
	auto_close int folder = open(d->mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0 && folder >= 0);
	assert_int_equal(syncfs(folder), 0);
	assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	assert_int_equal(fs_read_exactly(fd, all, DISK_BYTES), 0);
	return all;
}

static bool has_marker(const char *all)
{
	return memmem(all, DISK_BYTES, MARKER, strlen(MARKER)) != NULL;
}

static void write_markers(const struct volume *v)
{
	auto_free char *path = place_file(v, "secrets");
	auto_free char *mnt = volume_path(v);
	auto_close int folder = open(mnt, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_buf struct buf text = BUF(MARKERS * sizeof(MARKER));
	struct err e;

	for (int i = 0; i < MARKERS; i++)
		buf_puts(&text, MARKER "\n");
	must(fs_write(path, text.p, text.n, 0600, &e), &e);
	assert_int_equal(syncfs(folder), 0);
}

static struct luks_key read_key(const struct volume *v)
{
	auto_free char *path = v->survives ? mem_printf("%s/headers/%s/key", v->state_dir, v->id)
					   : mem_printf("%s/volumes/%s/key", v->run_dir, v->id);
	auto_buf struct buf text = BUF(256);
	struct luks_key key = {0};
	struct err e;

	must(fs_read(&text, path, &e), &e);
	assert_int_equal(text.n, sizeof(key.hex) - 1);
	memcpy(key.hex, text.p, text.n);
	return key;
}

/* Does anything on that disk that looks like a header open with the key? */
static bool opens(const struct disk *d, const char *all, const struct luks_key *key)
{
	auto_free char *path = mem_printf("%s/candidate", d->place.run);
	bool opened = false;
	struct err e;

	for (size_t at = 0; at + HEADER_MAX <= DISK_BYTES && !opened; at += SECTOR) {
		if (memcmp(all + at, LUKS_MAGIC, MAGIC_BYTES) != 0)
			continue;
		must(fs_write(path, all + at, HEADER_MAX, 0600, &e), &e);
		opened = luks_try(path, key, &e) == 0;
		assert_int_equal(unlink(path), 0);
	}
	return opened;
}

static enum volume_activation activation(void)
{
	return volume_probe(VOLUME_DM_CRYPT, NULL) == 0 ? VOLUME_DM_CRYPT : VOLUME_FUSE;
}

static void erase(const struct volume *v, struct volume_erasure *r)
{
	struct err e;

	must(volume_erase(v, r, &e), &e);
	assert_true(r->unmounted && r->detached && r->slots_gone && r->header_gone && r->removed);
	assert_int_equal(r->refused, v->activation != VOLUME_PLAIN);
	place_check_gone(v);
}

/* What a lease leaves on a disk, from its first byte to after its erase; `copied`: does an earlier
 * copy of the disk open? What is left never does. */
static void erase_and_look(const struct disk *d, bool survives, bool copied)
{
	struct volume v = place_volume(&d->place, activation());
	auto_free char *before = NULL, *after = NULL;
	struct volume_erasure r;
	struct luks_key key;
	struct err e;

	v.survives = survives;
	must(volume_open(&v, NULL, &e), &e);
	write_markers(&v);
	key = read_key(&v);
	before = disk_read(d);
	erase(&v, &r);
	after = disk_read(d);
	assert_false(has_marker(before));
	assert_false(has_marker(after));
	assert_int_equal(opens(d, before, &key), copied);
	assert_false(opens(d, after, &key));
	assert_int_equal(memmem(before, DISK_BYTES, key.hex, 64) != NULL, copied);
	assert_null(memmem(after, DISK_BYTES, key.hex, 64));
	assert_int_equal(strstr(r.unproven, "copied header") != NULL,
			 copied); /* the record's word */
}

static void test_header_in_memory(void **state)
{
	erase_and_look(*state, false, false);
}

static void test_header_on_disk(void **state)
{
	erase_and_look(*state, true, true);
}

/* That the marker would be found: a plain volume has it before, and holes are left after. */
static void test_plain_is_seen(void **state)
{
	const struct disk *d = *state;
	struct volume v = place_volume(&d->place, VOLUME_PLAIN);
	auto_free char *before = NULL;
	struct volume_erasure r;
	struct err e;

	must(volume_open(&v, NULL, &e), &e);
	write_markers(&v);
	before = disk_read(d);
	erase(&v, &r);
	assert_true(has_marker(before));
	assert_non_null(strstr(r.unproven, "not encrypted"));
}

/* A reboot: everything in memory is gone. The one on disk opens again with its data, the other
 * one is made anew, empty. */
static void reboot(const struct disk *d, bool survives)
{
	struct volume v = place_volume(&d->place, activation());
	auto_free char *path = NULL;
	auto_free char *run = mem_printf("%s/volumes", d->place.run);
	struct volume_erasure r;
	struct err e;

	v.survives = survives;
	must(volume_open(&v, NULL, &e), &e);
	write_markers(&v);
	must(volume_close(&v, &e), &e);
	must(fs_remove_tree(run, &e), &e);
	must(volume_open(&v, NULL, &e), &e);
	path = place_file(&v, "secrets");
	assert_int_equal(fs_exists(path), survives);
	erase(&v, &r);
}

static void test_reboot(void **state)
{
	reboot(*state, true);
	reboot(*state, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header_in_memory),
		cmocka_unit_test(test_header_on_disk),
		cmocka_unit_test(test_plain_is_seen),
		cmocka_unit_test(test_reboot),
	};
	struct err e;

	if (geteuid() != 0 ||
	    (volume_probe(VOLUME_DM_CRYPT, &e) < 0 && volume_probe(VOLUME_FUSE, &e) < 0)) {
		printf("1..0 # SKIP %s\n", geteuid() ? "not root" : e.msg);
		return 0;
	}
	return cmocka_run_group_tests_name("what an erase is worth", tests, disk_make, disk_remove);
}
