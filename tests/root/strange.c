/*
 * Records of leases that another version of the helper wrote, or that are damaged: none stops the
 * helper, ends a lease or lets its disk be taken for nobody's. Needs a static busybox.
 */
#include "helper_world.h"

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "volume/overlay.h"

#ifdef WITH_DOCKER
#include "contract/dockerd.h"
#endif

#define ID    "00000000000000c1"
#define OTHER "00000000000000c2"

static char *record_file(const struct world *w, const char *id)
{
	return mem_printf("%s/leases/%s/lease", w->run, id);
}

enum rest { REST_KEPT, REST_GONE };

/* The helper dies, `head` stands where the record's first line was, and another helper comes. */

static void rewrite(struct world *w, const char *head, enum rest rest, const char *tail)
{
	auto_free char *path = record_file(w, ID);
	auto_buf struct buf text = BUF(65536), next = BUF(65536);
	struct str line, from;
	struct err e;

	helper_down(w, SIGKILL);
	assert_int_equal(fs_read(&text, path, &e), 0);
	from = buf_view(&text);
	assert_true(str_cut(&from, '\n', &line));
	assert_true(str_starts(line, "leased record "));
	buf_puts(&next, head);
	if (!*head)
		from.n -= 2; /* without what came after those without a head: own_key, kept */
	if (rest == REST_KEPT)
		buf_str(&next, from);
	buf_puts(&next, tail);
	assert_int_equal(fs_write(path, next.p, next.n, 0600, &e), 0);
	helper_up(w);
}

static uint32_t strange(struct world *w)
{
	struct priv_node node = {0};
	struct answer a;
	uint32_t n;

	do_node(w, &node, &a);
	n = a.r.node.strange;
	free_answer(&a, PRIV_NODE);
	return n;
}

static void assert_works(struct world *w, const char *id)
{
	struct answer a;

	exec_sh(w, id, "echo alive", &a);
	assert_out(&a, "alive\n");
	free_answer(&a, PRIV_BOX_EXEC);
}

/* It runs, moves its end and says so; what needs the record is refused; others go on. */
static void assert_only_runs_and_ends(struct world *w)
{
	struct priv_deadline late = {.id = ID, .deadline = clock_wall() + 5000};
	char *argv[] = {"true", NULL};
	struct priv_exec run = {.id = ID, .argv = {argv, 1}, .timeout_ms = 50000};
	struct priv_grow more = {.id = ID, .volume_bytes = 2 * VOLUME};
	struct priv_start again;
	struct priv_inspect_reply r = inspect(w, ID);
	struct answer a;

	name_exec(&run);
	assert_int_equal(strange(w), 1);
	assert_int_equal(r.state, PRIV_BOX_RUNNING);
	assert_true(r.deadline > clock_wall());
	do_exec(w, &run, &a);
	assert_int_equal(a.err.kind, ERRK_STATE);
	fill_start(&again, ID, "sleep 1000");
	again.generation = 2;
	do_start(w, &again, &a);
	spec_clear(&again.spec);
	assert_int_equal(a.err.kind, ERRK_STATE);
	do_grow(w, &more, &a);
	assert_int_equal(a.err.kind, ERRK_STATE);
	do_deadline(w, &late, &a);
	assert_int_equal(a.err.kind, 0);
	assert_true(a.r.deadline.found);
	assert_int_equal(inspect(w, ID).deadline, late.deadline);
	if (w->c.id_slots == 0)
		return; /* here nothing shows its place in the network */
	run_script(w, OTHER, "sleep 1000");
	assert_works(w, OTHER);
	destroy_ok(w, OTHER);
	assert_int_equal(inspect(w, ID).state, PRIV_BOX_RUNNING);
}

static void records_of_the_first_version_are_taken_over(void **state)
{
	struct world *w = *state;
	struct priv_deadline late = {.id = ID, .deadline = clock_wall() + 5000};
	auto_free char *path = record_file(w, ID);
	struct answer a;

	run_script(w, ID, "sleep 1000");
	rewrite(w, "", REST_KEPT, "");
	assert_false(mentions(path, "leased record"));
	assert_int_equal(strange(w), 0);
	assert_works(w, ID);
	do_deadline(w, &late, &a);
	assert_int_equal(a.err.kind, 0);
	assert_true(mentions(path, "leased record")); /* in the form of now */
	rewrite(w, "leased record 9 2\n", REST_KEPT, "a field of another day");
	assert_int_equal(strange(w), 0);
	assert_works(w, ID);
	destroy_ok(w, ID);
	assert_nothing_left(w, ID);
}

static void one_of_a_newer_version_runs_on_and_ends(void **state)
{
	struct world *w = *state;

	run_script(w, ID, "sleep 1000");
	rewrite(w, "leased record 9 9\n", REST_KEPT, "a field of another day");
	assert_only_runs_and_ends(w);
	destroy_ok(w, ID);
	assert_nothing_left(w, ID);
	assert_int_equal(strange(w), 0);
}

static void a_damaged_one_runs_on_and_ends(void **state)
{
	struct world *w = *state;

	run_script(w, ID, "sleep 1000");
	rewrite(w, "leased record 3 3\n", REST_GONE, "\1\2\3");
	assert_only_runs_and_ends(w);
	destroy_ok(w, ID);
	assert_nothing_left(w, ID);
}

static void wait_prepared(struct world *w)
{
	struct priv_node node = {0};
	uint32_t ready = 0;

	for (int i = 0; ready == 0 && i < 400; i++) {
		struct answer a;

		pause_ms(50);
		do_node(w, &node, &a);
		ready = a.r.node.prepared;
		free_answer(&a, PRIV_NODE);
	}
	assert_int_equal(ready, 1);
}

static char *volume_of(struct world *w, char name[static VOLUME_ID_MAX + 1])
{
	struct record r;
	struct err e;

	assert_int_equal(record_read(&r, &w->c, ID, &e), 0);
	memcpy(name, r.volume, sizeof(r.volume));
	return mem_printf("%s/volumes/%s", w->state, name);
}

/* Its volume was prepared ahead, so only the record names it: without that it is left alone, and
 * not said to be erased, until the operator takes the record away. */
static void a_volume_that_nobody_names_is_left_alone(void **state)
{
	struct world *w = *state;
	auto_free char *dir = mem_printf("%s/leases/" ID, w->run);
	auto_free char *path = record_file(w, ID);
	auto_free char *file = NULL;
	struct priv_stop stop = {.id = ID};
	struct priv_destroy end = {.id = ID};
	char name[VOLUME_ID_MAX + 1];
	struct answer a;
	struct err e;

	helper_down(w, SIGTERM);
	w->prepared = (struct helper_prepared){VOLUME, 1};
	w->c.prepared = &w->prepared;
	w->c.nprepared = 1;
	helper_up(w);
	wait_prepared(w);
	run_script(w, ID, "sleep 1000");
	file = volume_of(w, name);
	assert_int_equal(strncmp(name, "pool-", 5), 0);
	do_stop(w, &stop, &a);
	assert_int_equal(a.err.kind, 0);
	for (int i = 0; overlay_unmount(dir, &e) < 0; i++) {
		if (i == 100)
			fail_msg("%s", e.msg);
		pause_ms(50);
	}
	rewrite(w, "what is this", REST_GONE, "?\n");
	wait_prepared(w); /* after the sweep */
	assert_true(fs_exists(file));
	do_destroy(w, &end, &a);
	assert_int_equal(a.err.kind, 0);
	assert_false(a.r.destroy.erased);
	assert_non_null(strstr(a.r.destroy.message, "cannot be read"));
	free_answer(&a, PRIV_BOX_DESTROY);
	assert_true(fs_exists(file));
	helper_down(w, SIGKILL);
	assert_int_equal(unlink(path), 0);
	helper_up(w);
	destroy_ok(w, ID);
	for (int i = 0; fs_exists(file) && i < 400; i++)
		pause_ms(50);
	assert_false(fs_exists(file));
	assert_nothing_left(w, ID);
}

/* Nothing is made or measured on the side when a helper is killed. */
static int set_up_quiet(void **state)
{
	struct priv_node node = {0};
	uint64_t speed = 0;

	if (set_up(state))
		return -1;
	for (int i = 0; speed == 0 && i < 600; i++) {
		struct answer a;

		do_node(*state, &node, &a);
		speed = a.r.node.volume_speed;
		free_answer(&a, PRIV_NODE);
		pause_ms(50);
	}
	return speed > 0 ? 0 : -1;
}

#ifdef WITH_DOCKER

static void assert_containers(const char *want)
{
	static const char *const list[] = {"ps", "--all", "--format", "{{.Names}}", NULL};
	auto_free char *there = docker_says(list);

	assert_string_equal(there, want);
}

static void run_and_damage(struct world *w)
{
	run_script(w, ID, "sleep 1000");
	run_script(w, OTHER, "sleep 1000");
	rewrite(w, "leased record 3 3\n", REST_GONE, "\1\2\3");
	assert_int_equal(strange(w), 1);
	assert_int_equal(inspect(w, ID).state, PRIV_BOX_RUNNING);
}

static void ends_without(struct world *w)
{
	destroy_ok(w, ID);
	assert_containers("leased-" OTHER);
	destroy_ok(w, OTHER);
	assert_containers("");
}

/* With its container, which its record would name. */
static void docker_ends_a_damaged_one(void **state)
{
	run_and_damage(*state);
	ends_without(*state);
}

/* Nothing is said to be erased that the daemon may still have. */
static void docker_away_keeps_its_volume(void **state)
{
	struct world *w = *state;
	auto_free char *volume = mem_printf("%s/volumes/" ID, w->state);
	struct priv_destroy end = {.id = ID};
	struct answer a;
	struct err e;

	run_and_damage(w);
	kill(dockerd.pid, SIGKILL);
	waitpid(dockerd.pid, NULL, 0);
	do_destroy(w, &end, &a);
	assert_int_equal(a.err.kind, 0);
	assert_false(a.r.destroy.erased);
	assert_true(fs_exists(volume));
	free_answer(&a, PRIV_BOX_DESTROY);
	dockerd_reap();
	assert_null(dockerd_start(&e));
	ends_without(w);
}

static int with_daemon(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(docker_ends_a_damaged_one, set_up_quiet, tear_down),
		cmocka_unit_test_setup_teardown(docker_away_keeps_its_volume, set_up_quiet,
						tear_down),
	};
	const char *full = getenv("LEASED_FULL"); /* who waits for the daemon waits long */

	setenv("LEASED_TEST_DOCKER", dockerd.host, 1);
	return _cmocka_run_group_tests("strange_docker", tests, full && *full ? 2 : 1, NULL, NULL);
}

int main(void)
{
	return dockerd_main(with_daemon);
}
#else
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(records_of_the_first_version_are_taken_over,
						set_up_quiet, tear_down),
		cmocka_unit_test_setup_teardown(one_of_a_newer_version_runs_on_and_ends,
						set_up_quiet, tear_down),
		cmocka_unit_test_setup_teardown(a_damaged_one_runs_on_and_ends, set_up_quiet,
						tear_down),
		cmocka_unit_test_setup_teardown(a_volume_that_nobody_names_is_left_alone,
						set_up_quiet, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
