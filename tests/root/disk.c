/* The disk of a lease, by helper, keeper and the real runtime: it grows. */
#include "helper_world.h"

#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "base/mem.h"

static bool grow(struct world *w, const char *id, uint64_t bytes, const char *why_not)
{
	struct priv_grow m = {.volume_bytes = bytes};
	struct answer a;
	bool grown;

	memcpy(m.id, id, sizeof(m.id));
	do_grow(w, &m, &a);
	if (a.err.kind)
		fail_msg("%s", a.err.msg);
	assert_true(a.r.grow.found);
	grown = a.r.grow.grown;
	assert_true(grown || (why_not && strstr(a.r.grow.message, why_not)));
	free_answer(&a, PRIV_BOX_GROW);
	return grown;
}

static void stop_ok(struct world *w, const char *id)
{
	struct priv_stop m = {.grace_ms = 5000};
	struct answer a;

	memcpy(m.id, id, sizeof(m.id));
	do_stop(w, &m, &a);
	assert_int_equal(a.r.stop.state, PRIV_BOX_STOPPED);
}

static uint64_t bytes_of(struct world *w, const char *id)
{
	struct record r;
	struct err err;

	assert_int_equal(record_read(&r, &w->c, id, &err), 0);
	return r.volume_bytes;
}

/* At once where the host can, else while it is stopped; its data and its log are what they were. */
static void a_disk_grows(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000c3";
	auto_free char *out = NULL;
	struct priv_start m;

	fill_start(
		&m, id,
		"cat /root/kept 2>/dev/null; df -m / | awk 'NR == 2 {print ($2 > 150)}'; echo kept"
		" > /root/kept; trap 'exit 7' TERM; while :; do sleep 0.1; done");
	start_ok(w, &m);
	wait_line(w, id, "0");
	assert_false(grow(w, id, (uint64_t)1 << 44, "bytes left"));
	if (!grow(w, id, 3 * VOLUME, "not while it runs")) {
		assert_int_equal(bytes_of(w, id), VOLUME);
		stop_ok(w, id);
		assert_true(grow(w, id, 3 * VOLUME, NULL));
	} else {
		stop_ok(w, id);
	}
	assert_true(grow(w, id, 3 * VOLUME, NULL));
	assert_true(grow(w, id, 2 * VOLUME, NULL)); /* it has as much */
	assert_int_equal(bytes_of(w, id), 3 * VOLUME);
	helper_down(w, SIGKILL);
	helper_up(w);
	assert_int_equal(inspect(w, id).state, PRIV_BOX_STOPPED);
	m.generation = 2;
	start_ok(w, &m);
	spec_clear(&m.spec);
	wait_line(w, id, "1");
	out = read_log(w, id, LOG_STDOUT);
	assert_string_equal(out, "0\nkept\n1\n");
	destroy_ok(w, id);
}

static void grown(void *ctx, const struct priv_grow_reply *r, const struct err *e)
{
	struct answer *a = ctx;

	a->done = true;
	a->r.grow.grown = !e && r->grown;
}

/* Each alone would fit. */
static void two_at_once_get_no_room_twice(void **state)
{
	static const char *const ids[] = {"00000000000000c4", "00000000000000c5"};
	struct world *w = *state;
	struct priv_ping ping = {PRIV_VERSION};
	struct priv_grow m = {.volume_bytes = 10 * VOLUME};
	struct answer a[2] = {{0}};

	do_ping(w, &ping, &a[0]); /* it listens to signals by now */
	helper_down(w, SIGTERM);
	assert_int_equal(mount("tmpfs", w->state, "tmpfs", 0, "mode=0700,size=1100m"), 0);
	helper_up(w);
	for (int i = 0; i < 2; i++) {
		run_script(w, ids[i], "sleep 1000");
		stop_ok(w, ids[i]);
	}
	for (int i = 0; i < 2; i++) {
		memcpy(m.id, ids[i], sizeof(m.id));
		a[i] = (struct answer){0};
		priv_client_grow(w->client, &m, grown, &a[i]);
	}
	for (int i = 0; i < 2; i++)
		wait_answer(w, &a[i]);
	assert_int_equal(a[0].r.grow.grown + a[1].r.grow.grown, 1);
	for (int i = 0; i < 2; i++)
		destroy_ok(w, ids[i]);
	do_ping(w, &ping, &a[0]);
	helper_down(w, SIGTERM);
	assert_int_equal(umount(w->state), 0);
	helper_up(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_disk_grows),
		cmocka_unit_test(two_at_once_get_no_room_twice),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
