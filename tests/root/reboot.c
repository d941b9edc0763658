/*
 * What a reboot leaves of leases whose volumes survive it: everything in memory is thrown away, and
 * the next helper has them in its list, with their data. Needs a static busybox.
 */
#include "helper_world.h"

#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "backend/cgroup.h"
#include "base/child.h"
#include "base/fs.h"
#include "base/hex.h"
#include "base/mem.h"
#include "helper/storage.h"
#include "volume/overlay.h"

#define ID   "00000000000000b1"
#define KEPT "00000000000000b2"

static int set_up_survivor(void **state)
{
	struct priv_ping ping = {PRIV_VERSION};
	struct answer a;
	struct world *w;

	if (set_up(state))
		return -1;
	w = *state;
	do_ping(w, &ping, &a); /* it listens to signals by now */
	helper_down(w, SIGTERM);
	w->c.survives = true;
	w->prepared = (struct helper_prepared){VOLUME, 1};
	w->c.prepared = &w->prepared;
	w->c.nprepared = 1;
	helper_up(w);
	return 0;
}

static int close_one(void *ctx, const char *id)
{
	const struct world *w = ctx;
	struct volume v = {
		.state_dir = w->state, .run_dir = w->run, .id = id, .activation = w->c.activation};

	return volume_close(&v, NULL);
}

static int close_volumes(void *ctx, struct err *e)
{
	const struct world *const *w = ctx;

	return volume_each((*w)->state, (*w)->run, close_one, (void *)*w, e);
}

/* In a child: the next helper's workers must not find a library that has files open. */
static bool is_emptied(const struct world *w, const char *dir, struct err *e)
{
	if (storage_unmount(dir, e) < 0 || overlay_unmount(dir, e) < 0 ||
	    child_call(close_volumes, &w, sizeof(w), e) < 0)
		return false;
	return umount2(w->run, UMOUNT_NOFOLLOW) == 0 || err_sys(e, "unmount %s", w->run) == 0;
}

static void empty(struct world *w, const char *dir)
{
	struct err e;

	/* workers of the killed helper may still make the next prepared volume */
	for (int i = 0; !is_emptied(w, dir, &e); i++) {
		if (i == 100)
			fail_msg("%s", e.msg);
		pause_ms(100);
	}
	assert_int_equal(mount("tmpfs", w->run, "tmpfs", 0, "mode=0711"), 0);
}

/* The helper is killed, then all processes of the lease and its keeper, and memory is emptied. */
static void reboot(struct world *w, const char *id)
{
	auto_free char *box = mem_printf("%s/%s", w->cgroup, id);
	auto_free char *keeper = mem_printf("%s.keeper", box);
	auto_free char *dir = mem_printf("%s/leases/%s", w->run, id);
	struct err e;

	helper_down(w, SIGKILL);
	for (unsigned n = 0; n == 0; pause_ms(10)) /* it goes there after its answer */
		assert_int_equal(cgroup_count(keeper, &n, &e), 0);
	assert_int_equal(cgroup_kill(keeper, 10000, &e), 0);
	assert_int_equal(cgroup_kill(box, 10000, &e), 0);
	assert_int_equal(cgroup_remove(keeper, &e), 0);
	assert_int_equal(cgroup_remove(box, &e), 0);
	empty(w, dir);
	helper_up(w);
}

static void test_survives(void **state)
{
	struct world *w = *state;
	auto_free char *kept = mem_printf("%s/leases/%s", w->state, ID);
	auto_free char *headers = mem_printf("%s/headers/%s", w->state, ID);
	struct priv_inspect_reply r;
	struct priv_start m;
	struct answer a;

	run_script(w, ID, "echo precious >/root/data; sync; sleep 1000");
	exec_sh(w, ID, "cat /root/data", &a);
	assert_out(&a, "precious\n");
	free_answer(&a, PRIV_BOX_EXEC);
	reboot(w, ID);
	r = inspect(w, ID);
	assert_int_equal(r.state, PRIV_BOX_STOPPED);
	assert_int_equal(r.started_ms, 0); /* what core knows it by */
	fill_start(&m, ID, "sleep 1000");
	m.generation = 2;
	start_ok(w, &m);
	spec_clear(&m.spec);
	exec_sh(w, ID, "cat /root/data", &a);
	assert_out(&a, "precious\n");
	free_answer(&a, PRIV_BOX_EXEC);
	destroy_ok(w, ID);
	assert_false(fs_exists(kept));
	assert_false(fs_exists(headers));
}

/* What the lease wrote lies over the image that it had, also where nothing in memory knows that. */
static void test_another_image_after(void **state)
{
	struct world *w = *state;
	const struct helper_image images[] = {{"busybox", w->ref}, {"other", w->ref}};
	static const char *const names[] = {"busybox", "other", "other"};
	struct priv_ping ping = {PRIV_VERSION};
	struct answer ready;

	do_ping(w, &ping, &ready); /* it listens to signals by now */
	helper_down(w, SIGTERM);
	w->c.images = images;
	w->c.nimages = 2;
	helper_up(w);
	for (uint32_t i = 0; i < 3; i++) {
		struct priv_start m;
		struct answer a;

		fill_start(&m, ID, "exec sleep 1000");
		m.generation = i + 1;
		assert_int_equal(spec_set_image(&m.spec, str_of(names[i]), NULL), 0);
		spec_storage_put(&m.spec.storage,
				 &(struct spec_mount){.type = SPEC_ANONYMOUS, .path = "/root"});
		start_ok(w, &m);
		spec_clear(&m.spec);
		exec_sh(w, ID, "ls -d /lost 2>/dev/null; ls /root; touch /lost /root/kept; sync",
			&a);
		assert_out(&a, i == 0 ? "" : i == 1 ? "kept\n" : "/lost\nkept\n");
		free_answer(&a, PRIV_BOX_EXEC);
		reboot(w, ID);
	}
	destroy_ok(w, ID);
	do_ping(w, &ping, &ready);
	helper_down(w, SIGTERM);
	w->c.images = &w->image;
	w->c.nimages = 1;
	helper_up(w);
}

/* A kept volume: core asks for it again, and the next lease finds what the last one wrote. */
static void test_kept_survives(void **state)
{
	struct world *w = *state;
	struct spec_mount at = {.type = SPEC_KEPT, .path = "/data", .lease = KEPT};
	auto_free char *dir = mem_printf("%s/leases/%s", w->run, KEPT);
	struct priv_start m;
	struct answer a;

	for (int boot = 0; boot < 2; boot++) {
		fill_start(&m, KEPT, "");
		spec_clear(&m.spec);
		memcpy(m.spec.kept, "data", sizeof("data"));
		m.spec.limits.disk = VOLUME;
		start_ok(w, &m);
		spec_clear(&m.spec);
		fill_start(&m, ID, "echo $0 >> /data/x; sync; sleep 1000");
		spec_storage_put(&m.spec.storage, &at);
		start_ok(w, &m);
		spec_clear(&m.spec);
		exec_sh(w, ID, "until [ -s /data/x ]; do sleep 0.1; done; wc -l < /data/x", &a);
		assert_out(&a, boot ? "2\n" : "1\n");
		free_answer(&a, PRIV_BOX_EXEC);
		destroy_ok(w, ID);
		if (boot)
			continue;
		helper_down(w, SIGKILL);
		empty(w, dir);
		helper_up(w);
		assert_int_equal(inspect(w, KEPT).state, PRIV_BOX_STOPPED);
	}
	destroy_ok(w, KEPT);
}

/* One that nobody wants any more after the reboot is erased as any other. */
static void test_destroyed_after(void **state)
{
	struct world *w = *state;
	auto_free char *kept = mem_printf("%s/leases/%s", w->state, ID);

	run_script(w, ID, "sleep 1000");
	assert_true(fs_exists(kept));
	reboot(w, ID);
	destroy_ok(w, ID);
	assert_false(fs_exists(kept));
}

/* Nobody's copy of it is taken for a lease that is gone. */
static void test_destroyed_before(void **state)
{
	struct world *w = *state;

	run_script(w, ID, "true");
	destroy_ok(w, ID);
	helper_down(w, SIGTERM);
	helper_up(w);
	assert_int_equal(inspect(w, ID).state, PRIV_BOX_GONE);
}

static uint32_t count_prepared(struct world *w)
{
	struct priv_node node = {0};
	struct answer a;
	uint32_t n;

	do_node(w, &node, &a);
	n = a.r.node.prepared;
	free_answer(&a, PRIV_NODE);
	return n;
}

/* A lease that cannot be written down takes no prepared volume, and no reboot knows it. */
static void test_written_nowhere(void **state)
{
	struct world *w = *state;
	auto_free char *dir = mem_printf("%s/leases/%s", w->run, ID);
	auto_free char *kept = mem_printf("%s/leases/%s", w->state, ID);
	struct priv_start m;
	struct answer a;
	struct err e;

	for (int i = 0; i < 600 && count_prepared(w) == 0; i++)
		pause_ms(50);
	assert_int_equal(count_prepared(w), 1);
	assert_int_equal(fs_write(dir, "", 0, 0600, &e), 0);
	fill_start(&m, ID, "true");
	do_start(w, &m, &a);
	assert_int_equal(a.err.kind, ERRK_SYS);
	spec_clear(&m.spec);
	unlink(dir);
	assert_int_equal(count_prepared(w), 1);
	assert_false(fs_exists(kept));
}

#define HEX   "00112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210"
#define OTHER "10112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210"

static void start_with(struct world *w, const char *script, const char *key, uint32_t generation,
		       struct answer *a)
{
	struct priv_start m;

	fill_start(&m, ID, script);
	m.generation = generation;
	m.spec.own_key = true;
	m.key = (struct wire_blob){(uint8_t *)key, strlen(key)};
	do_start(w, &m, a);
	spec_clear(&m.spec);
	assert_int_equal(a->err.kind, 0);
	assert_false(a->r.start.prepared);
}

static void runs_with(struct world *w, const char *script, const char *key, uint32_t generation)
{
	struct answer a;

	start_with(w, script, key, generation, &a);
	if (*a.r.start.message)
		print_message("start: %s\n", a.r.start.message);
	assert_int_equal(a.r.start.outcome, PRIV_START_RUNNING);
	free_answer(&a, PRIV_BOX_START);
}

static void locked_with(struct world *w, const char *key, uint32_t generation, const char *why)
{
	struct answer a;

	start_with(w, "sleep 1000", key, generation, &a);
	assert_int_equal(a.r.start.outcome, PRIV_START_LOCKED);
	assert_non_null(strstr(a.r.start.message, why));
	free_answer(&a, PRIV_BOX_START);
}

/* All bytes of it that are not holes, in pieces that overlap. */
static bool holds_key(const char *path)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	uint8_t raw[sizeof(HEX) / 2];
	static char piece[1 << 20];
	off_t at = 0, next;
	ssize_t n;

	assert_true(fd >= 0);
	assert_int_equal(hex_decode(raw, sizeof(raw), STR(HEX), NULL), 0);
	while ((at = lseek(fd, at, SEEK_DATA)) >= 0) {
		n = pread(fd, piece, sizeof(piece), at);
		if (n <= 0)
			break;
		if (memmem(piece, (size_t)n, HEX, sizeof(HEX) - 1) ||
		    memmem(piece, (size_t)n, raw, sizeof(raw)))
			return true;
		next = at + n - (off_t)sizeof(HEX);
		at = next > at ? next : at + n;
	}
	return false;
}

static int files_seen;

static int look(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)at;
	if (type != FTW_F)
		return 0;
	files_seen++;
	return holds_key(path);
}

static void assert_not_on_disk(struct world *w)
{
	files_seen = 0;
	assert_int_equal(nftw(w->state, look, 16, FTW_PHYS | FTW_MOUNT), 0);
	assert_true(files_seen > 3); /* record, header, payload … */
}

static bool is_encrypted(const struct world *w)
{
	if (w->c.activation != VOLUME_PLAIN)
		return true;
	print_message("# not here: volumes are not encrypted\n");
	return false;
}

/* What a buyer's key opens waits for it after a reboot, and for no other. */
static void test_own_key(void **state)
{
	struct world *w = *state;
	auto_free char *payload = mem_printf("%s/volumes/%s", w->state, ID);
	auto_free char *key = mem_printf("%s/volumes/%s/key", w->run, ID);
	struct answer a;

	if (!is_encrypted(w))
		return;
	locked_with(w, "", 1, "needs the key");
	assert_false(fs_exists(payload));
	runs_with(w, "echo precious >/root/data; sync; sleep 1000", HEX, 1);
	exec_sh(w, ID, "until [ -s /root/data ]; do sleep 0.1; done; cat /root/data", &a);
	assert_out(&a, "precious\n");
	free_answer(&a, PRIV_BOX_EXEC);
	assert_true(holds_key(key)); /* what is looked for would be found */
	assert_not_on_disk(w);
	reboot(w, ID);
	assert_int_equal(inspect(w, ID).state, PRIV_BOX_STOPPED);
	locked_with(w, "", 2, "needs the key");
	locked_with(w, OTHER, 3, "not the key");
	assert_false(fs_exists(key));
	runs_with(w, "sleep 1000", HEX, 4);
	exec_sh(w, ID, "cat /root/data", &a);
	assert_out(&a, "precious\n");
	free_answer(&a, PRIV_BOX_EXEC);
	assert_not_on_disk(w);
	destroy_ok(w, ID);
	assert_false(fs_exists(key));
}

/* The helper's own restart asks for nothing. */
static void test_own_key_of_restart(void **state)
{
	struct priv_stop stop = {.id = ID};
	struct world *w = *state;
	struct answer a;

	if (!is_encrypted(w))
		return;
	runs_with(w, "sleep 1000", HEX, 1);
	helper_down(w, SIGKILL);
	helper_up(w);
	assert_int_equal(inspect(w, ID).state, PRIV_BOX_RUNNING);
	do_stop(w, &stop, &a);
	free_answer(&a, PRIV_BOX_STOP);
	runs_with(w, "sleep 1000", "", 2);
	destroy_ok(w, ID);
}

/* Where the key is there and nothing is open, the next start needs no other. */
static void test_own_key_killed(void **state)
{
	struct world *w = *state;
	struct priv_start m;
	struct answer a;

	if (!is_encrypted(w))
		return;
	runs_with(w, "echo precious >/root/data; sync; sleep 1000", HEX, 1);
	exec_sh(w, ID, "until [ -s /root/data ]; do sleep 0.1; done", &a);
	free_answer(&a, PRIV_BOX_EXEC);
	w->step = "VOLUME_UNLOCKED";
	reboot(w, ID);
	fill_start(&m, ID, "sleep 1000");
	m.generation = 2;
	m.spec.own_key = true;
	m.key = (struct wire_blob){(uint8_t *)HEX, strlen(HEX)};
	do_start(w, &m, &a);
	assert_int_equal(a.err.kind, ERRK_SYS);
	spec_clear(&m.spec);
	helper_down(w, SIGKILL);
	w->step = NULL;
	helper_up(w);
	runs_with(w, "sleep 1000", "", 2);
	exec_sh(w, ID, "cat /root/data", &a);
	assert_out(&a, "precious\n");
	free_answer(&a, PRIV_BOX_EXEC);
	destroy_ok(w, ID);
}

/* Erased without its key, and the record says who made that. */
static void test_own_key_destroyed(void **state)
{
	auto_free char *headers = NULL;
	struct priv_destroy m = {.id = ID};
	struct world *w = *state;
	struct answer a;

	if (!is_encrypted(w))
		return;
	headers = mem_printf("%s/headers/%s", w->state, ID);
	for (int locked = 0; locked < 2; locked++) {
		runs_with(w, "sleep 1000", HEX, 1);
		if (locked)
			reboot(w, ID);
		do_destroy(w, &m, &a);
		assert_true(a.r.destroy.erased);
		assert_true(a.r.destroy.slots_gone);
		assert_true(a.r.destroy.header_gone);
		assert_int_equal(a.r.destroy.refused, !locked);
		assert_non_null(strstr(a.r.destroy.unproven, "the buyer brought"));
		free_answer(&a, PRIV_BOX_DESTROY);
		assert_false(fs_exists(headers));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept_survives),
		cmocka_unit_test(test_survives),
		cmocka_unit_test(test_destroyed_after),
		cmocka_unit_test(test_destroyed_before),
		cmocka_unit_test(test_written_nowhere),
		cmocka_unit_test(test_another_image_after),
		cmocka_unit_test(test_own_key),
		cmocka_unit_test(test_own_key_of_restart),
		cmocka_unit_test(test_own_key_destroyed),
		cmocka_unit_test(test_own_key_killed),
	};

	if (geteuid() != 0 || access("/bin/busybox", X_OK) < 0) {
		printf("1..0 # SKIP %s\n", geteuid() ? "not root" : "no static busybox");
		return 0;
	}
	cmocka_set_test_filter(getenv("LEASED_TEST_FILTER"));
	return cmocka_run_group_tests_name("reboot", tests, set_up_survivor, tear_down);
}
