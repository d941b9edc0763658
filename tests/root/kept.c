/*
 * Volumes that outlive leases by the helper and the real runtime: written by one lease, read by the
 * next ones, in part, by nobody else; gone when they end, whoever uses them. Needs a static
 * busybox.
 */
#include "helper_world.h"

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define VOL    "00000000000000b1"
#define FIRST  "00000000000000b2"
#define SECOND "00000000000000b3"
#define THIRD  "00000000000000b4"
#define OTHERS "89be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"

static void fill_volume(struct priv_start *m)
{
	fill_start(m, VOL, "");
	spec_clear(&m->spec);
	memcpy(m->spec.kept, "data", sizeof("data"));
	m->spec.limits.disk = VOLUME;
}

static void keep(struct world *w)
{
	struct priv_start m;

	fill_volume(&m);
	start_ok(w, &m);
	spec_clear(&m.spec);
}

static void fill_user(struct priv_start *m, const char *id, const char *subpath, bool read_only)
{
	struct spec_mount v = {SPEC_KEPT, "/data", .lease = VOL, .read_only = read_only};

	snprintf(v.subpath, sizeof(v.subpath), "%s", subpath);
	fill_start(m, id, "sleep 1000");
	spec_storage_put(&m->spec.storage, &v);
}

static void attach(struct world *w, const char *id, const char *subpath, bool read_only)
{
	struct priv_start m;

	fill_user(&m, id, subpath, read_only);
	start_ok(w, &m);
	spec_clear(&m.spec);
}

static void start_refused(struct world *w, struct priv_start *m, const char *word)
{
	struct answer a;

	do_start(w, m, &a);
	assert_int_equal(a.err.kind, 0);
	assert_int_equal(a.r.start.outcome, PRIV_START_FAILED);
	if (!strstr(a.r.start.message, word))
		fail_msg("\"%s\" does not say \"%s\"", a.r.start.message, word);
	free_answer(&a, PRIV_BOX_START);
	spec_clear(&m->spec);
	destroy_ok(w, m->id);
}

static void says(struct world *w, const char *id, const char *script, const char *want)
{
	struct answer a;

	exec_sh(w, id, script, &a);
	assert_int_equal(a.r.exec.outcome, PRIV_EXEC_DONE);
	assert_out(&a, want);
	free_answer(&a, PRIV_BOX_EXEC);
}

/* --- tests --- */

/* Every lease sees the files of the one before as those of the same users of its own. */
static void outlives_the_leases_that_use_it(void **state)
{
	struct world *w = *state;

	keep(w);
	keep(w); /* again: it is there */
	attach(w, FIRST, "", false);
	says(w, FIRST, "stat -c '%u %g %a' /data; echo kept > /data/file; chown 7:8 /data/file",
	     "0 0 755\n");
	destroy_ok(w, FIRST);
	assert_int_equal(inspect(w, VOL).state, PRIV_BOX_STOPPED);
	attach(w, SECOND, "", false);
	says(w, SECOND, "cat /data/file; stat -c '%u %g' /data/file", "kept\n7 8\n");
	destroy_ok(w, SECOND);
	destroy_ok(w, VOL);
}

static void read_by_many_written_by_one(void **state)
{
	struct world *w = *state;

	keep(w);
	attach(w, FIRST, "", false);
	attach(w, SECOND, "", true);
	attach(w, THIRD, "", true);
	says(w, FIRST, "echo one > /data/x", "");
	says(w, SECOND, "cat /data/x; touch /data/y || echo ro", "one\nro\n");
	says(w, THIRD, "cat /data/x; grep -c ' /data ext4 .*ro,nosuid,nodev' /proc/self/mounts",
	     "one\n1\n");
	destroy_ok(w, THIRD);
	says(w, SECOND, "cat /data/x", "one\n");
	destroy_ok(w, VOL);
	destroy_ok(w, FIRST);
	destroy_ok(w, SECOND);
}

static void a_folder_of_it(void **state)
{
	struct world *w = *state;
	struct priv_start m;

	keep(w);
	attach(w, FIRST, "a/b", false); /* made where it is not there */
	says(w, FIRST, "stat -c '%u %a' /data; echo in > /data/file", "0 755\n");
	destroy_ok(w, FIRST);
	attach(w, SECOND, "", false);
	says(w, SECOND,
	     "cat /data/a/b/file; ln -s /etc /data/link; ln -s a /data/rel; ln -s ../../.. "
	     "/data/up; "
	     "echo x > /data/plain",
	     "in\n");
	fill_user(&m, THIRD, "link", true);
	start_refused(w, &m, "is no folder");
	fill_user(&m, THIRD, "rel/b", true);
	start_refused(w, &m, "is no folder");
	fill_user(&m, THIRD, "up", false);
	start_refused(w, &m, "is no folder");
	fill_user(&m, THIRD, "plain/x", false);
	start_refused(w, &m, "is no folder");
	fill_user(&m, THIRD, "nowhere", true);
	start_refused(w, &m, "is not there");
	attach(w, THIRD, "a", true);
	says(w, THIRD, "cat /data/b/file", "in\n");
	destroy_ok(w, THIRD);
	destroy_ok(w, SECOND);
	destroy_ok(w, VOL);
}

static void nobody_elses(void **state)
{
	struct world *w = *state;
	struct priv_start m;

	keep(w);
	fill_user(&m, FIRST, "", true);
	memcpy(m.owner, OTHERS, sizeof(m.owner));
	start_refused(w, &m, "you have no lease " VOL " here");
	run_script(w, SECOND, "sleep 1000"); /* a lease's own disk is none */
	fill_user(&m, FIRST, "", true);
	memcpy(m.spec.storage.v[0].lease, SECOND, sizeof(SECOND));
	start_refused(w, &m, "is no kept volume");
	destroy_ok(w, SECOND);
	fill_volume(&m); /* it runs nothing */
	memcpy(m.id, FIRST, sizeof(FIRST));
	assert_int_equal(spec_set_image(&m.spec, STR("busybox"), NULL), 0);
	start_refused(w, &m, "nothing else");
	destroy_ok(w, VOL);
}

/* Whoever uses it is stopped first, and cannot take it again. */
static void ends_while_it_is_used(void **state)
{
	struct world *w = *state;
	struct priv_start m;
	struct answer a;

	keep(w);
	attach(w, FIRST, "", false);
	attach(w, SECOND, "a", false);
	says(w, FIRST, "(cd /data; exec sleep 1000) > /dev/null 2>&1 &", "");
	destroy_ok(w, VOL);
	assert_int_equal(inspect(w, FIRST).state, PRIV_BOX_STOPPED);
	assert_int_equal(inspect(w, SECOND).state, PRIV_BOX_STOPPED);
	fill_user(&m, FIRST, "", false);
	m.generation = 2;
	do_start(w, &m, &a);
	assert_int_equal(a.r.start.outcome, PRIV_START_FAILED);
	free_answer(&a, PRIV_BOX_START);
	spec_clear(&m.spec);
	destroy_ok(w, FIRST);
	destroy_ok(w, SECOND);
}

static void killed_while_it_is_made(void **state)
{
	static const char *const steps[] = {"VOLUME_CREATED", "VOLUME_OPENED", "VOLUME_KEPT"};
	struct world *w = *state;
	struct priv_start m;
	struct answer a;

	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		helper_down(w, SIGKILL);
		w->step = steps[i];
		helper_up(w);
		fill_volume(&m);
		do_start(w, &m, &a);
		assert_int_equal(a.err.kind, ERRK_SYS);
		spec_clear(&m.spec);
		helper_down(w, SIGKILL);
		w->step = NULL;
		helper_up(w);
		keep(w);
		attach(w, FIRST, "", false);
		destroy_ok(w, FIRST);
		destroy_ok(w, VOL);
	}
}

static bool grow(struct world *w, uint64_t bytes)
{
	struct priv_grow m = {.id = VOL, .volume_bytes = bytes};
	struct answer a;
	bool grown;

	do_grow(w, &m, &a);
	assert_int_equal(a.err.kind, 0);
	grown = a.r.grow.grown;
	if (!grown && !strstr(a.r.grow.message, "not while it is used"))
		fail_msg("%s", a.r.grow.message);
	free_answer(&a, PRIV_BOX_GROW);
	return grown;
}

/* At once where the host can; else, where somebody uses it, not, and nothing changes for them. */
static void grows(void **state)
{
	static const char size[] = "df -m /data | awk 'NR == 2 {print ($2 > 100)}'";
	struct world *w = *state;
	bool at_once;

	keep(w);
	attach(w, FIRST, "", false);
	says(w, FIRST, "echo kept > /data/file", "");
	at_once = grow(w, 2 * VOLUME);
	says(w, FIRST, size, at_once ? "1\n" : "0\n");
	says(w, FIRST, "cat /data/file; echo more >> /data/file", "kept\n");
	destroy_ok(w, FIRST);
	assert_true(grow(w, 2 * VOLUME));
	keep(w);
	attach(w, SECOND, "", false);
	says(w, SECOND, size, "1\n");
	says(w, SECOND, "cat /data/file", "kept\nmore\n");
	destroy_ok(w, SECOND);
	destroy_ok(w, VOL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(outlives_the_leases_that_use_it),
		cmocka_unit_test(read_by_many_written_by_one),
		cmocka_unit_test(a_folder_of_it),
		cmocka_unit_test(nobody_elses),
		cmocka_unit_test(grows),
		cmocka_unit_test(ends_while_it_is_used),
		cmocka_unit_test(killed_while_it_is_made),
	};
	const char *only = getenv("LEASED_TEST_FILTER");

	cmocka_set_test_filter(only && *only ? only : NULL);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
