/*
 * Volumes on this host, as root: every activation that it can do is opened, written, closed, opened
 * again and erased; then killed after each step and repeated. Afterwards mounts, loop devices,
 * servers and files are as before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/step.h"
#include "volume/luks.h"
#include "volume/speed.h"
#include "volume_place.h"

#define BIG    ((size_t)16 << 20)
#define MARKER "a tenant wrote these very words"

static void write_marker(const struct volume *v)
{
	auto_free char *path = place_file(v, "marker");
	struct err e;

	must(fs_write(path, MARKER, strlen(MARKER), 0600, &e), &e);
	sync();
}

static void check_marker(const struct volume *v)
{
	auto_free char *path = place_file(v, "marker");
	auto_buf struct buf text = BUF(256);
	struct err e;

	must(fs_read(&text, path, &e), &e);
	assert_string_equal(text.p, MARKER);
}

/* Is MARKER anywhere in the payload file? */
static bool payload_has_marker(const struct volume *v)
{
	auto_free char *path = mem_printf("%s/volumes/%s", v->state_dir, v->id);
	auto_free char *text = mem_zero(v->bytes + 1);
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, v->bytes);

	assert_true(n > 0);
	return memmem(text, (size_t)n, MARKER, strlen(MARKER)) != NULL;
}

/* `tried`: its key was there to try with. */
static void erase_as(const struct volume *v, bool tried)
{
	struct volume_erasure r;
	struct err e;

	must(volume_erase(v, &r, &e), &e);
	assert_true(r.unmounted && r.detached && r.slots_gone && r.header_gone && r.removed);
	assert_true(r.discarded);
	assert_int_equal(r.encrypted, v->activation != VOLUME_PLAIN);
	assert_int_equal(r.refused, r.encrypted && tried);
	place_check_gone(v);
}

static void erase(const struct volume *v)
{
	erase_as(v, true);
}

/* So many files have room: the quota of its inodes. */
static uint64_t count_files(const struct volume *v)
{
	auto_free char *mnt = volume_path(v);
	struct statvfs fs;

	assert_int_equal(statvfs(mnt, &fs), 0);
	return fs.f_files;
}

static void test_life(void **state)
{
	struct volume v = place_volume(*state, UNDER_TEST);
	struct err e;
	pid_t pid;

	must(volume_open(&v, &pid, &e), &e);
	assert_int_equal(pid > 0, UNDER_TEST == VOLUME_FUSE);
	assert_int_equal(count_files(&v), v.inodes);
	write_marker(&v);
	must(volume_open(&v, &pid, &e), &e);
	must(volume_close(&v, &e), &e);
	assert_false(volume_is_mounted(&v));
	assert_int_equal(payload_has_marker(&v), UNDER_TEST == VOLUME_PLAIN);
	must(volume_open(&v, &pid, &e), &e);
	check_marker(&v);
	erase(&v);
	erase_as(&v, false);
}

static uint64_t blocks(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

static void sync_volume(const struct volume *v)
{
	auto_free char *mnt = volume_path(v);
	auto_close int fd = open(mnt, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(syncfs(fd), 0);
}

static void fill(const struct volume *v, const char *name, size_t bytes)
{
	auto_free char *path = place_file(v, name);
	auto_free char *zeros = mem_zero(bytes);
	struct err e;

	must(fs_write(path, zeros, bytes, 0600, &e), &e);
}

static void check_zeros(const struct volume *v, const char *name, size_t bytes)
{
	auto_free char *path = place_file(v, name), *zeros = mem_zero(bytes);
	auto_buf struct buf text = BUF(BIG + 1);
	struct err e;

	must(fs_read(&text, path, &e), &e);
	assert_int_equal(text.n, bytes);
	assert_memory_equal(text.p, zeros, bytes);
}

/* What a tenant deletes is the host's again. */
static void test_discard(void **state)
{
	struct volume v = place_volume(*state, UNDER_TEST);
	auto_free char *data = mem_printf("%s/volumes/%s", v.state_dir, v.id);
	auto_free char *zeros = mem_zero(BIG), *path = NULL;
	uint64_t full;
	struct err e;

	must(volume_open(&v, NULL, &e), &e);
	path = place_file(&v, "big");
	must(fs_write(path, zeros, BIG, 0600, &e), &e);
	sync_volume(&v);
	full = blocks(data);
	assert_true(full >= BIG);
	assert_int_equal(unlink(path), 0);
	sync_volume(&v);
	if (UNDER_TEST != VOLUME_FUSE)
		assert_true(blocks(data) <= full - BIG * 9 / 10);
	erase(&v);
}

/* The disk server keeps what is deleted until somebody trims: what is in files stays as it was. */
static void test_trim(void **state)
{
	struct volume v = place_volume(*state, UNDER_TEST);
	auto_free char *data = mem_printf("%s/volumes/%s", v.state_dir, v.id), *path = NULL;
	uint64_t full, before;
	struct err e;

	must(volume_trim(&v, &e), &e); /* not there: nothing to do */
	must(volume_open(&v, NULL, &e), &e);
	write_marker(&v);
	fill(&v, "kept", BIG / 4);
	fill(&v, "big", BIG);
	sync_volume(&v);
	full = blocks(data);
	path = place_file(&v, "big");
	assert_int_equal(unlink(path), 0);
	sync_volume(&v);
	before = volume_excess(&v);
	assert_int_equal(before >= BIG / 2, UNDER_TEST == VOLUME_FUSE);
	must(volume_trim(&v, &e), &e);
	assert_true(blocks(data) <= full - BIG * 3 / 4);
	assert_true(volume_excess(&v) <= before);
	check_marker(&v);
	fill(&v, "again", BIG); /* what was given back can be used */
	must(volume_close(&v, &e), &e);
	must(volume_open(&v, NULL, &e), &e);
	check_marker(&v);
	check_zeros(&v, "kept", BIG / 4);
	check_zeros(&v, "again", BIG);
	erase(&v);
}

static void test_speed(void **state)
{
	struct volume v = place_volume(*state, UNDER_TEST);
	struct err e;

	assert_int_equal(volume_speed(v.state_dir, UNDER_TEST), 0);
	must(volume_measure(&v, &e), &e);
	assert_true(volume_speed(v.state_dir, UNDER_TEST) > 1000000);
	assert_int_equal(
		volume_speed(v.state_dir, UNDER_TEST == VOLUME_PLAIN ? VOLUME_FUSE : VOLUME_PLAIN),
		0);
	place_check_gone(&v);
}

/* The header with its slots gone must not open by the key that opened it. */
static void test_slots(void **state)
{
	const struct place *p = *state;
	auto_free char *header = mem_printf("%s/header", p->run);
	struct luks_key key;
	struct err e;

	memset(key.hex, 'a', sizeof(key.hex) - 1);
	key.hex[sizeof(key.hex) - 1] = '\0';
	must(luks1_format(header, &key, &e), &e);
	assert_int_equal(luks_try(header, &key, &e), 0);
	must(luks_destroy_slots(header, &e), &e);
	assert_int_equal(luks_try(header, &key, &e), LUKS_REFUSED);
}

static void test_luks2_header(void **state)
{
	const struct place *p = *state;
	auto_free char *header = mem_printf("%s/header2", p->run);
	auto_free char *data = mem_printf("%s/data2", p->state);
	auto_close int fd = open(data, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct luks_key key;
	struct err e;

	assert_int_equal(ftruncate(fd, 64 << 20), 0);
	memset(key.hex, 'b', sizeof(key.hex) - 1);
	key.hex[sizeof(key.hex) - 1] = '\0';
	must(luks2_format(header, data, &key, &e), &e);
	assert_int_equal(luks_try(header, &key, &e), 0);
	key.hex[0] = 'c';
	assert_int_equal(luks_try(header, &key, &e), LUKS_REFUSED);
	must(luks_destroy_slots(header, &e), &e);
	key.hex[0] = 'b';
	assert_int_equal(luks_try(header, &key, &e), LUKS_REFUSED);
	assert_int_equal(unlink(data), 0);
}

static uint64_t count_bytes(const struct volume *v)
{
	auto_free char *mnt = volume_path(v);
	struct statvfs fs;

	assert_int_equal(statvfs(mnt, &fs), 0);
	return (uint64_t)fs.f_blocks * fs.f_frsize;
}

/* The kernel wants it for a mounted file system. */
static bool grows_mounted(void)
{
	return prctl(PR_CAPBSET_READ, 24 /* CAP_SYS_RESOURCE */) == 1;
}

static void grow_now(struct volume *v)
{
	struct err e;
	int r = volume_grow(v, &e);

	must(r, &e);
	assert_int_equal(r, grows_mounted() ? 0 : VOLUME_GROWS_CLOSED);
	if (r == 0)
		return;
	must(volume_close(v, &e), &e);
	must(volume_open(v, NULL, &e), &e);
	assert_int_equal(volume_grow(v, &e), 0);
}

/* While it is mounted, where the host can; then again, closed, and for less. */
static void test_grow(void **state)
{
	struct volume v = place_volume(*state, UNDER_TEST);
	uint64_t files;
	struct err e;

	must(volume_open(&v, NULL, &e), &e);
	write_marker(&v);
	files = count_files(&v);
	v.bytes = 256 << 20;
	grow_now(&v);
	assert_in_range(count_bytes(&v), 240 << 20, 256 << 20);
	assert_in_range(count_files(&v), 2 * files, 5 * files);
	fill(&v, "big", 128 << 20);
	must(volume_grow(&v, &e), &e);
	must(volume_close(&v, &e), &e);
	v.bytes = (uint64_t)5 << 30;
	must(volume_grow(&v, &e), &e); /* by its next opening */
	must(volume_open(&v, NULL, &e), &e);
	assert_in_range(count_bytes(&v), (uint64_t)4800 << 20, (uint64_t)5 << 30);
	check_marker(&v);
	v.bytes = 64 << 20;
	must(volume_grow(&v, &e), &e);
	must(volume_close(&v, &e), &e);
	must(volume_open(&v, NULL, &e), &e);
	assert_true(count_bytes(&v) > (uint64_t)4 << 30);
	check_marker(&v);
	erase(&v);
}

/* One that was made without room, by a host whose files cannot be large or long ago, says when it
 * can be had. */
static void test_grow_without_room(void **state)
{
	struct volume v = place_volume(*state, UNDER_TEST);
	auto_free char *data = mem_printf("%s/volumes/%s", v.state_dir, v.id);
	struct err e;

	must(volume_create(&v, &e), &e);
	assert_int_equal(truncate(data, (off_t)v.bytes), 0);
	must(volume_open(&v, NULL, &e), &e);
	write_marker(&v);
	v.bytes *= 2;
	assert_int_equal(volume_grow(&v, &e), VOLUME_GROWS_CLOSED);
	assert_non_null(strstr(e.msg, "until it is opened again"));
	must(volume_close(&v, &e), &e);
	must(volume_open(&v, NULL, &e), &e);
	assert_in_range(count_bytes(&v), 100 << 20, 128 << 20);
	check_marker(&v);
	erase(&v);
}

enum phase { OPENING, GROWING, REOPENING, ERASING };

static const struct {
	const char *step;
	enum phase phase;
} KILLS[] = {
	{"VOLUME_PAYLOAD", OPENING},	 {"VOLUME_KEY", OPENING},
	{"VOLUME_CREATED", OPENING},	 {"VOLUME_SERVED", OPENING},
	{"VOLUME_ATTACHED", OPENING},	 {"VOLUME_FORMATTED", OPENING},
	{"VOLUME_OPENED", OPENING},	 {"VOLUME_GROWN", GROWING},
	{"VOLUME_GROWING", REOPENING},	 {"VOLUME_GROWN", REOPENING},
	{"VOLUME_UNMOUNTED", ERASING},	 {"VOLUME_DETACHED", ERASING},
	{"VOLUME_CLOSED", ERASING},	 {"VOLUME_SLOTS_GONE", ERASING},
	{"VOLUME_HEADER_GONE", ERASING}, {"VOLUME_DISCARDED", ERASING},
	{"VOLUME_ERASED", ERASING},
};

static int do_phase(const struct volume *v, enum phase phase)
{
	struct volume larger = *v;
	struct volume_erasure r;

	larger.bytes *= 2;
	switch (phase) {
	case OPENING:
		return volume_open(v, NULL, NULL);
	case GROWING:
		return volume_grow(&larger, NULL);
	case REOPENING:
		return volume_close(v, NULL) ? -1 : volume_open(&larger, NULL, NULL);
	case ERASING:
		return volume_erase(v, &r, NULL);
	}
	return -1;
}

/* Do one phase in a child that dies at `step`. */
static void die_at(const struct volume *v, const char *step, enum phase phase)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(step_arm(step, NULL) ? 1 : do_phase(v, phase));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		fail_msg("%s was not passed (status %d)", step, status);
}

static bool is_passed(const char *step, enum phase phase)
{
	if (phase == GROWING || strcmp(step, "VOLUME_GROWING") == 0)
		return grows_mounted() == (phase == GROWING);
	if (UNDER_TEST == VOLUME_PLAIN && strcmp(step, "VOLUME_KEY") == 0)
		return false;
	return UNDER_TEST == VOLUME_FUSE || strcmp(step, "VOLUME_SERVED") != 0;
}

static void test_kill_everywhere(void **state)
{
	struct volume v = place_volume(*state, UNDER_TEST), larger = v;
	struct err e;

	larger.bytes *= 2;
	for (size_t i = 0; i < ARRAY_SIZE(KILLS); i++) {
		if (!is_passed(KILLS[i].step, KILLS[i].phase))
			continue;
		if (KILLS[i].phase != OPENING)
			must(volume_open(&v, NULL, &e), &e);
		die_at(&v, KILLS[i].step, KILLS[i].phase);
		if (KILLS[i].phase != ERASING) {
			must(volume_open(KILLS[i].phase == REOPENING ? &larger : &v, NULL, &e), &e);
			write_marker(&v);
		}
		if (KILLS[i].phase == REOPENING)
			assert_true(count_bytes(&v) > v.bytes);
		erase_as(&v, strcmp(KILLS[i].step, "VOLUME_ERASED") != 0);
	}
}

/* A header that is still somewhere is found with the key, which then stays for the next try. */
static void test_still_opens(void **state)
{
	struct volume v = place_volume(*state, UNDER_TEST);
	auto_free char *header = mem_printf("%s/volumes/%s/header", v.run_dir, v.id);
	auto_free char *key = mem_printf("%s/volumes/%s/key", v.run_dir, v.id);
	auto_free char *data = mem_printf("%s/volumes/%s", v.state_dir, v.id);
	auto_buf struct buf copy = BUF(4 << 20);
	struct volume_erasure r;
	struct err e;

	if (UNDER_TEST == VOLUME_PLAIN)
		skip();
	must(volume_create(&v, &e), &e);
	must(fs_read(&copy, header, &e), &e);
	must(fs_write(data, copy.p, copy.n, 0600, &e), &e);
	assert_int_equal(volume_erase(&v, &r, &e), -1);
	assert_non_null(strstr(e.msg, "still opens with its key"));
	assert_false(r.refused);
	assert_true(fs_exists(key));
	must(fs_write(data, "", 0, 0600, &e), &e);
	assert_int_equal(truncate(data, (off_t)v.bytes), 0);
	erase(&v);
}

/* Whoever was killed left a node, whose number is another device's by now. */
static void test_stale_node(void **state)
{
	struct volume v = place_volume(*state, UNDER_TEST);
	auto_free char *node = mem_printf("/dev/mapper/leased-%s", v.id);
	struct err e;

	if (UNDER_TEST != VOLUME_DM_CRYPT)
		skip();
	assert_int_equal(mknod(node, S_IFBLK | 0600, makedev(7, 0)), 0);
	erase_as(&v, false);
	assert_int_equal(mknod(node, S_IFBLK | 0600, makedev(7, 0)), 0);
	must(volume_open(&v, NULL, &e), &e);
	write_marker(&v);
	erase(&v);
}

/* A tenant's process that still writes keeps the volume: an error, and then the erase holds. */
static void test_busy(void **state)
{
	struct volume v = place_volume(*state, UNDER_TEST);
	auto_free char *path = NULL;
	struct volume_erasure r;
	struct err e;
	int fd;

	must(volume_open(&v, NULL, &e), &e);
	path = place_file(&v, "open");
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(volume_erase(&v, &r, &e), -1);
	assert_int_equal(e.kind, ERRK_STATE);
	assert_true(volume_is_mounted(&v));
	close(fd);
	erase(&v);
}

/* The server is killed under a mounted volume: closing still works, nothing stays. */
static void test_dead_server(void **state)
{
	struct volume v = place_volume(*state, UNDER_TEST);
	struct err e;
	pid_t pid;

	must(volume_open(&v, &pid, &e), &e);
	write_marker(&v);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	erase(&v);
}

static int count_one(void *ctx, const char *id)
{
	int *n = ctx;

	assert_string_equal(id, "t1");
	(*n)++;
	return 0;
}

static void test_each(void **state)
{
	struct volume v = place_volume(*state, UNDER_TEST);
	struct err e;
	int n = 0;

	must(volume_create(&v, &e), &e);
	must(volume_each(v.state_dir, v.run_dir, count_one, &n, &e), &e);
	assert_int_equal(n, 1);
	erase(&v);
	must(volume_each(v.state_dir, v.run_dir, count_one, &n, &e), &e);
	assert_int_equal(n, 1);
}

static void test_quota(void **state)
{
	struct volume v = place_volume(*state, UNDER_TEST);
	static char block[1 << 20];
	auto_free char *path = NULL;
	struct err e;
	int fd;

	must(volume_open(&v, NULL, &e), &e);
	path = place_file(&v, "big");
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	for (int i = 0; i < 64; i++)
		if (write(fd, block, sizeof(block)) < 0) {
			close(fd);
			erase(&v);
			return;
		}
	close(fd);
	fail_msg("64 MiB went into a volume of 64 MiB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),	     cmocka_unit_test(test_slots),
		cmocka_unit_test(test_luks2_header), cmocka_unit_test(test_still_opens),
		cmocka_unit_test(test_discard),	     cmocka_unit_test(test_trim),
		cmocka_unit_test(test_grow),	     cmocka_unit_test(test_grow_without_room),
		cmocka_unit_test(test_stale_node),   cmocka_unit_test(test_speed),
		cmocka_unit_test(test_busy),	     cmocka_unit_test(test_each),
		cmocka_unit_test(test_quota),	     cmocka_unit_test(test_kill_everywhere),
		cmocka_unit_test(test_dead_server), /* last: only where there is one */
	};
	size_t n = ARRAY_SIZE(tests) - (UNDER_TEST != VOLUME_FUSE);
	struct err e;

	if (geteuid() != 0 || volume_probe(UNDER_TEST, &e)) {
		printf("1..0 # SKIP %s\n", geteuid() ? "not root" : e.msg);
		return 0;
	}
	return _cmocka_run_group_tests("volume", tests, n, place_make, place_remove);
}
