/* Other images beside a lease's main process: BOX_EXEC with an image, on this host. */
#include "helper_world.h"

#include <cmocka.h>
#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "backend/cgroup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/proc.h"

static struct helper_image images[2];

static int set_up_two(void **state)
{
	const char *source = getenv("SOURCE_DIR");
	auto_free char *script = mem_printf("%s/contrib/make-image", source ? source : ".");
	auto_free char *layout = NULL;
	struct world *w;
	struct err err;

	if (set_up(state) < 0)
		return -1;
	w = *state;
	layout = mem_printf("%s/other", w->dir);
	const char *const argv[] = {script, layout, NULL};
	if (proc_check(argv, 60000, &err) < 0) {
		print_message("%s\n", err.msg);
		return -1;
	}
	images[0] = w->image;
	images[1] = (struct helper_image){"other", mem_printf("oci:%s:latest", layout)};
	helper_down(w, SIGTERM);
	umask(077); /* as leased has it */
	w->c.images = images;
	w->c.nimages = 2;
	helper_up(w);
	return 0;
}

static void restart(struct world *w, const char *step)
{
	helper_down(w, SIGKILL);
	w->step = step;
	helper_up(w);
}

/* --- asking --- */

struct wish {
	const char *id, *script, *user, *input;
	bool detach;
	uint32_t timeout_ms;
	char name[PRIV_EXEC_LEN + 1];
};

static void fill(struct priv_exec *m, char **argv, struct wish *x)
{
	argv[0] = (char *)"sh";
	argv[1] = (char *)"-c";
	argv[2] = (char *)x->script;
	*m = (struct priv_exec){.argv = {argv, 3},
				.image = (char *)"other",
				.user = (char *)x->user,
				.timeout_ms = x->timeout_ms ? x->timeout_ms : 50000,
				.output_max = 65536,
				.detach = x->detach};
	if (x->input)
		m->input = (struct wire_blob){(uint8_t *)x->input, strlen(x->input)};
	memcpy(m->id, x->id, PRIV_ID_LEN + 1);
	name_exec(m);
	memcpy(x->name, m->name, sizeof(x->name));
}

static void ask(struct world *w, struct wish *x, struct answer *a)
{
	char *argv[4] = {NULL};
	struct priv_exec m;

	fill(&m, argv, x);
	do_exec(w, &m, a);
	if (a->r.exec.outcome == PRIV_EXEC_FAILED)
		print_message("# %s\n", a->r.exec.message);
	if (a->r.exec.err.n)
		print_message("# %.*s\n", (int)a->r.exec.err.n, a->r.exec.err.p);
}

/* Runs to its end with this status and this output. */
static void expect(struct world *w, const char *id, const char *script, uint32_t status,
		   const char *out)
{
	struct wish x = {.id = id, .script = script};
	struct answer a;

	ask(w, &x, &a);
	assert_int_equal(a.err.kind, 0);
	assert_int_equal(a.r.exec.outcome, PRIV_EXEC_DONE);
	assert_int_equal(a.r.exec.exit_status, status);
	assert_out(&a, out);
	free_answer(&a, PRIV_BOX_EXEC);
}

static void start_detached(struct world *w, struct wish *x)
{
	struct answer a;

	x->detach = true;
	ask(w, x, &a);
	assert_int_equal(a.err.kind, 0);
	assert_int_equal(a.r.exec.outcome, PRIV_EXEC_DONE);
	assert_int_equal(a.r.exec.exit_status, 0);
	free_answer(&a, PRIV_BOX_EXEC);
}

static bool send_kill(struct world *w, const char *id, const char *command)
{
	struct priv_signal m = {.signal = SIGKILL, .command = (char *)command};
	struct answer a;

	memcpy(m.id, id, sizeof(m.id));
	do_signal(w, &m, &a);
	assert_int_equal(a.err.kind, 0);
	return a.r.signal.delivered;
}

/* --- what is there --- */

/* Names in `dir` that begin so. */
static unsigned count(const char *dir, const char *prefix)
{
	auto_closedir DIR *d = opendir(dir);
	const struct dirent *entry;
	unsigned n = 0;

	while (d && (entry = readdir(d)))
		n += entry->d_name[0] != '.' && strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
	return n;
}

struct left {
	unsigned places, files, runtimes, groups;
	bool mounted;
};

static struct left look(struct world *w, const char *id)
{
	auto_free char *places = mem_printf("%s/leases/%s/beside", w->run, id);
	auto_free char *files = mem_printf("%s/volumes/%s/mnt/beside", w->run, id);
	auto_free char *runtimes = mem_printf("%s/runtime", w->run);
	auto_free char *groups =
		mem_printf("/sys/fs/cgroup%s%s", cgroup_version() == 2 ? "" : "/pids", w->cgroup);
	auto_free char *prefix = mem_printf("%s.", id), *keeper = mem_printf("%s.keeper", id);

	return (struct left){.places = count(places, ""),
			     .files = count(files, ""),
			     .runtimes = count(runtimes, prefix),
			     .groups = count(groups, prefix) - count(groups, keeper),
			     .mounted = mentions("/proc/self/mountinfo", places)};
}

static bool is_clean(const struct left *l)
{
	return l->places + l->files + l->runtimes + l->groups == 0 && !l->mounted;
}

static void assert_clean(struct world *w, const char *id)
{
	struct left l = look(w, id);
	int64_t end = clock_mono_ms() + WAIT_MS;

	while (!is_clean(&l) && clock_mono_ms() < end) {
		pause_ms(20);
		l = look(w, id);
	}
	if (!is_clean(&l))
		print_message("places %u files %u runtimes %u groups %u mounted %d\n", l.places,
			      l.files, l.runtimes, l.groups, l.mounted);
	assert_true(is_clean(&l));
}

/* --- tests --- */

static void another_root_the_same_network(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000e1";
	struct wish x = {.id = id,
			 .script = "cat; id -u; echo err >&2; exit 7",
			 .user = "nobody",
			 .input = "in "};
	struct answer a;

	run_script(w, id,
		   "echo mine >/mine; while :; do echo hello | nc -l -p 7070; done & sleep 1001");
	expect(w, id, "test -d /var/tmp && ! test -e /mine && ! grep -q guest /etc/passwd", 0, "");
	expect(w, id, "until nc 127.0.0.1 7070; do sleep 0.05; done", 0, "hello\n");
	expect(w, id,
	       "hostname; ps | grep -c 'sleep 100[1]'; ls /proc/1/root/mine 2>&1 | grep -c No", 0,
	       "00000000000000e1\n0\n1\n");
	expect(w, id,
	       "echo x >/proc/sys/kernel/hostname || echo ro; mount -t tmpfs t /tmp || echo no", 0,
	       "ro\nno\n");
	expect(w, id,
	       "grep -c 'NoNewPrivs:.*1' /proc/self/status; grep -c 'Seccomp:.*2' "
	       "/proc/self/status;"
	       "awk '{print ($2 > 0)}' /proc/self/uid_map",
	       0, w->c.id_slots ? "1\n1\n1\n" : "1\n1\n0\n");
	/* the main container sees nothing of it, and its files are on the lease's disk */
	expect(w, id, "dd if=/dev/zero of=/big bs=1M count=100 2>/dev/null || echo full", 0,
	       "full\n");
	ask(w, &x, &a);
	assert_int_equal(a.r.exec.exit_status, 7);
	assert_out(&a, "in 65534\n");
	assert_int_equal(a.r.exec.err.n, 4);
	free_answer(&a, PRIV_BOX_EXEC);
	x = (struct wish){.id = id, .script = "true", .user = "guest"}; /* of the other image */
	ask(w, &x, &a);
	assert_int_equal(a.r.exec.outcome, PRIV_EXEC_FAILED);
	free_answer(&a, PRIV_BOX_EXEC);
	assert_clean(w, id);
	destroy_ok(w, id);
}

static void add_volume(struct spec_mounts *m, size_t i, const char *path)
{
	m->v[i] = (struct spec_mount){.type = SPEC_VOLUME, .read_only = i == 1};
	snprintf(m->v[i].path, sizeof(m->v[i].path), "%s", path);
	snprintf(m->v[i].name, sizeof(m->v[i].name), "v%zu", i);
	m->n = i + 1;
}

/* At the same paths as in the main container, and as writable; the roots are not shared. */
static void volumes_are_shared(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000e9";
	struct wish x = {.id = id, .script = "true"};
	struct priv_start m;
	struct answer a;

	for (unsigned nested = 0; nested < 2; nested++) {
		fill_start(&m, id, "echo main >/data/a; echo root >/a; sleep 1000");
		m.spec.storage.v = mem_array(3, sizeof(*m.spec.storage.v));
		add_volume(&m.spec.storage, 0, "/data");
		add_volume(&m.spec.storage, 1, "/fixed");
		if (nested) {
			add_volume(&m.spec.storage, 2, "/data/below");
			m.spec.storage.v[0].type = m.spec.storage.v[2].type = SPEC_ANONYMOUS;
			m.spec.storage.v[0].name[0] = m.spec.storage.v[2].name[0] = '\0';
		}
		start_ok(w, &m);
		spec_clear(&m.spec);
		if (nested) {
			ask(w, &x, &a);
			assert_int_equal(a.r.exec.outcome, PRIV_EXEC_FAILED);
			assert_non_null(strstr(a.r.exec.message, "storage[2].path"));
			free_answer(&a, PRIV_BOX_EXEC);
		} else {
			expect(w, id,
			       "until test -e /data/a; do sleep 0.05; done; cat /data/a; echo b "
			       ">/data/b; "
			       "test -e /a || echo apart; touch /fixed/x || echo ro",
			       0, "main\napart\nro\n");
			exec_sh(w, id, "cat /data/b", &a);
			assert_out(&a, "b\n");
			free_answer(&a, PRIV_BOX_EXEC);
		}
		assert_clean(w, id);
		destroy_ok(w, id);
	}
}

static void what_is_refused(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000e2";
	char *argv[] = {(char *)"/nonesuch", NULL};
	struct priv_exec m = {.argv = {argv, 1}, .image = (char *)"other", .output_max = 100};
	struct priv_stop stop = {.grace_ms = 0};
	struct answer a;

	run_script(w, id, "sleep 1000");
	memcpy(m.id, id, sizeof(m.id));
	name_exec(&m);
	do_exec(w, &m, &a);
	assert_int_equal(a.r.exec.outcome, PRIV_EXEC_DONE);
	assert_int_equal(a.r.exec.exit_status, 127);
	free_answer(&a, PRIV_BOX_EXEC);
	m.image = (char *)"secret";
	name_exec(&m);
	do_exec(w, &m, &a);
	assert_int_equal(a.r.exec.outcome, PRIV_EXEC_FAILED);
	assert_non_null(strstr(a.r.exec.message, "not offered"));
	free_answer(&a, PRIV_BOX_EXEC);
	memcpy(stop.id, id, sizeof(stop.id));
	do_stop(w, &stop, &a);
	m.image = (char *)"other";
	name_exec(&m);
	do_exec(w, &m, &a);
	assert_int_equal(a.r.exec.outcome, PRIV_EXEC_NOT_RUNNING);
	free_answer(&a, PRIV_BOX_EXEC);
	assert_clean(w, id);
	destroy_ok(w, id);
}

/* 64 processes and 64 MiB for all of a lease together. */
static void limits_hold_for_both(void **state)
{
	static const char MANY[] = "i=0; while [ $i -lt 40 ]; do sleep 1002 & i=$((i+1)); done; "
				   "echo all";
	static const char MUCH[] = "dd if=/dev/zero of=/dev/shm/b bs=1M count=28 2>/dev/null && "
				   "dd if=/dev/zero of=/dev/null bs=16M count=1 2>/dev/null && "
				   "echo fits";
	struct world *w = *state;
	const char *id = "00000000000000e3";
	struct wish x = {.id = id, .script = MANY};
	struct answer a;

	run_script(w, id, "sleep 1000");
	expect(w, id, MANY, 0, "all\n");
	expect(w, id, MUCH, 0, "fits\n");
	exec_sh(w, id, "i=0; while [ $i -lt 40 ]; do sleep 1003 & i=$((i+1)); done", &a);
	free_answer(&a, PRIV_BOX_EXEC);
	ask(w, &x, &a);
	assert_int_not_equal(a.r.exec.exit_status, 0); /* the shell cannot fork */
	assert_int_equal(a.r.exec.out.n, 0);
	free_answer(&a, PRIV_BOX_EXEC);
	exec_sh(w, id, "killall sleep", &a);
	free_answer(&a, PRIV_BOX_EXEC);
	destroy_ok(w, id);
	run_script(w, id, "dd if=/dev/zero of=/dev/shm/a bs=1M count=30; sleep 1000");
	exec_sh(w, id, "until [ $(du -m /dev/shm/a | cut -f1) = 30 ]; do sleep 0.05; done", &a);
	free_answer(&a, PRIV_BOX_EXEC);
	x.script = MUCH;
	ask(w, &x, &a);
	assert_true(a.err.kind != 0 || a.r.exec.out.n == 0);
	free_answer(&a, PRIV_BOX_EXEC);
	destroy_ok(w, id);
}

static void ends_by_name_time_and_with_the_main_process(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000e4";
	struct wish x = {.id = id, .script = "sleep 1004 & sleep 1005"};
	struct wish slow = {.id = id, .script = "echo so far; sleep 1000", .timeout_ms = 1000};
	struct priv_signal kill_main = {.signal = SIGKILL, .command = (char *)""};
	struct answer a;

	run_script(w, id, "sleep 1000");
	start_detached(w, &x);
	assert_int_equal(look(w, id).places, 1);
	assert_true(send_kill(w, id, x.name));
	assert_clean(w, id);
	assert_false(send_kill(w, id, x.name));
	ask(w, &slow, &a);
	assert_int_equal(a.r.exec.outcome, PRIV_EXEC_TIMED_OUT);
	assert_out(&a, "so far\n");
	free_answer(&a, PRIV_BOX_EXEC);
	assert_clean(w, id);
	start_detached(w, &x);
	memcpy(kill_main.id, id, sizeof(kill_main.id));
	do_signal(w, &kill_main, &a);
	wait_stopped(w, id);
	assert_clean(w, id); /* by nobody's request */
	destroy_ok(w, id);
	assert_clean(w, id);
}

static void few_at_once_and_gone_with_the_lease(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000e5";
	struct wish x = {.id = id, .script = "sleep 1000"};
	struct answer a;

	run_script(w, id, "sleep 1000");
	for (int i = 0; i < 8; i++)
		start_detached(w, &x);
	ask(w, &x, &a);
	assert_int_equal(a.r.exec.outcome, PRIV_EXEC_FAILED);
	assert_non_null(strstr(a.r.exec.message, "8 images"));
	free_answer(&a, PRIV_BOX_EXEC);
	restart(w, NULL); /* they go on without the helper */
	assert_int_equal(look(w, id).places, 8);
	destroy_ok(w, id);
	assert_clean(w, id);
}

/* Also a short main process, again and again: whatever comes first. */
static void races_with_the_main_process(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000e6";
	struct wish x = {.id = id, .script = "sleep 1000", .detach = true};

	for (int i = 0; i < 12; i++) {
		auto_free char *script = mem_printf("sleep 0.%02d", 8 * i);
		struct answer a;

		run_script(w, id, script);
		ask(w, &x, &a);
		free_answer(&a, PRIV_BOX_EXEC);
		wait_stopped(w, id);
		assert_clean(w, id);
		destroy_ok(w, id);
	}
}

static void its_image_is_held(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000e7";
	struct wish x = {.id = id, .script = "sleep 1000"};
	struct priv_image image = {.name = (char *)"other"};
	struct priv_image_drop drop = {0};
	struct answer a;

	run_script(w, id, "sleep 1000");
	start_detached(w, &x);
	do_image(w, &image, &a);
	drop.digest = mem_strdup(a.r.image.digest);
	free_answer(&a, PRIV_IMAGE);
	do_image_drop(w, &drop, &a);
	assert_int_equal(a.r.image_drop.outcome, PRIV_DROP_IN_USE);
	assert_true(send_kill(w, id, x.name));
	assert_clean(w, id);
	do_image_drop(w, &drop, &a);
	assert_int_equal(a.r.image_drop.outcome, PRIV_DROP_DONE);
	free(drop.digest);
	destroy_ok(w, id);
}

/* What a worker leaves that was killed is swept by the next, or goes with the lease. */
static void a_worker_dies_at_every_step(void **state)
{
	static const char *const steps[] = {"BESIDE_SEATED", "BESIDE_MOUNTED", "BESIDE_RUNS"};
	struct world *w = *state;
	const char *id = "00000000000000e8";
	struct wish x = {.id = id, .script = "sleep 1000"};
	struct answer a;

	for (size_t i = 0; i < 2 * ARRAY_SIZE(steps); i++) {
		print_message("# %s\n", steps[i / 2]);
		run_script(w, id, "sleep 1000");
		restart(w, steps[i / 2]);
		ask(w, &x, &a);
		assert_int_equal(a.err.kind, ERRK_SYS);
		assert_int_equal(look(w, id).places, 1);
		restart(w, NULL);
		if (i % 2 == 0) {
			expect(w, id, "echo alive", 0, "alive\n");
			assert_clean(w, id);
		}
		destroy_ok(w, id);
		assert_clean(w, id);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_root_the_same_network),
		cmocka_unit_test(volumes_are_shared),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(limits_hold_for_both),
		cmocka_unit_test(ends_by_name_time_and_with_the_main_process),
		cmocka_unit_test(few_at_once_and_gone_with_the_lease),
		cmocka_unit_test(races_with_the_main_process),
		cmocka_unit_test(its_image_is_held),
		cmocka_unit_test(a_worker_dies_at_every_step),
	};
	const char *only = getenv("LEASED_TEST_FILTER");

	cmocka_set_test_filter(only && *only ? only : NULL);
	return cmocka_run_group_tests(tests, set_up_two, tear_down);
}
