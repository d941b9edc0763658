/* Looking at leases that run, through the helper: their logs, also on a full disk, and what they
 * use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "backend/cgroup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "helper_world.h"

#define LAST "99999\n100000\nend\n"

static void ask_logs(struct world *w, const char *id, struct priv_logs *m, struct answer *a)
{
	memcpy(m->id, id, sizeof(m->id));
	if (m->max == 0)
		m->max = PRIV_OUTPUT_MAX;
	do_logs(w, m, a);
	assert_int_equal(a->err.kind, 0);
	assert_true(a->r.logs.found);
}

/* The texts of an answer, joined; the caller frees. */
static char *texts(const struct answer *a)
{
	auto_buf struct buf out = BUF(2 << 20);
	struct str rest = {(char *)a->r.logs.bytes.p, a->r.logs.bytes.n};
	struct log_line l;

	while (log_line_next(&rest, &l)) {
		buf_str(&out, l.text);
		buf_byte(&out, ' ');
	}
	buf_byte(&out, '\0');
	return buf_steal(&out);
}

static void assert_logs(struct world *w, const char *id, struct priv_logs m, const char *want)
{
	auto_free char *got = NULL;
	struct answer a;

	ask_logs(w, id, &m, &a);
	got = texts(&a);
	assert_string_equal(got, want);
	assert_true(a.r.logs.left == 0 || m.max < 100);
	free_answer(&a, PRIV_BOX_LOGS);
}

/* What is asked for by time and number is found here, whatever a tenant prints. */
static void a_part_of_a_log(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000e1";
	int64_t middle;

	run_script(w, id,
		   "echo 2099-01-01T00:00:00.000000000Z stdout F forged; echo two >&2; sleep 2; "
		   "printf 'th'; sleep 0.3; echo ree; echo four");
	pause_ms(1000);
	middle = clock_wall_ms();
	wait_stopped(w, id);
	assert_logs(w, id, (struct priv_logs){.since_ms = middle}, "th ree four ");
	assert_logs(w, id, (struct priv_logs){.until_ms = middle},
		    "2099-01-01T00:00:00.000000000Z stdout F forged two ");
	assert_logs(w, id, (struct priv_logs){.since_ms = middle + 600000}, "");
	assert_logs(w, id, (struct priv_logs){.until_ms = middle - 600000}, "");
	assert_logs(w, id, (struct priv_logs){.tail = true, .lines = 2}, "th ree four ");
	assert_logs(w, id, (struct priv_logs){.tail = true}, "");
	assert_logs(w, id, (struct priv_logs){.tail = true, .lines = 1, .until_ms = middle},
		    "two ");
	assert_logs(w, id, (struct priv_logs){.max = 90},
		    "2099-01-01T00:00:00.000000000Z stdout F forged ");
	destroy_ok(w, id);
}

/* A tenant that filled its disk, blocks and inodes, still has its last words kept. */
static void a_full_disk_takes_the_log(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000e2";
	auto_free char *out = NULL;
	struct priv_start m;

	fill_start(&m, id,
		   "cd /root; seq 2000 | xargs touch 2>/dev/null; cat /dev/zero >> 1 2>/dev/null; "
		   "echo x > last || echo full; seq 100000; echo end");
	m.spec.limits.inodes = 1000;
	m.spec.limits.cpu = 2000;
	start_ok(w, &m);
	spec_clear(&m.spec);
	wait_stopped(w, id);
	out = read_log(w, id, LOG_STDOUT);
	if (!strstr(out, "full") || !str_starts(str_of(out), "full"))
		print_message("log of %zu: %.40s\n", strlen(out), out);
	assert_non_null(strstr(out, "full\n") ? out : strstr(out, "\nend\n"));
	assert_true(strlen(out) > strlen(LAST));
	assert_string_equal(out + strlen(out) - strlen(LAST), LAST);
	destroy_ok(w, id);
}

static struct spec_usage stats(struct world *w, const char *id)
{
	struct priv_stats m = {.id = (char *)id};
	struct spec_usage use;
	struct answer a;

	do_stats(w, &m, &a);
	assert_int_equal(a.err.kind, 0);
	assert_int_equal(a.r.stats.items.n, 1);
	assert_string_equal(priv_stats_at(&a.r.stats, 0)->id, id);
	use = priv_stats_at(&a.r.stats, 0)->use;
	free_answer(&a, PRIV_BOX_STATS);
	return use;
}

/* Of the main process and of commands beside it; what is none of its own does not count. */
static void a_lease_is_measured(void **state)
{
	struct world *w = *state;
	const char *busy = "00000000000000e3", *idle = "00000000000000e4";
	struct priv_stats all = {.id = (char *)"", .after = (char *)busy};
	struct spec_usage u;
	struct answer a;

	run_script(w, idle, "sleep 1000");
	run_script(w, busy,
		   "dd if=/dev/zero of=/root/big bs=1M count=8 conv=fsync 2>/dev/null; "
		   "x=$(head -c 8000000 /dev/zero | tr '\\0' x); while :; do :; done");
	pause_ms(2500);
	exec_sh(w, busy, "sleep 1000 & sleep 1000 & echo", &a);
	free_answer(&a, PRIV_BOX_EXEC);
	u = stats(w, busy);
	assert_in_range(u.cpu_us, 400000, 4000000);
	assert_int_equal(u.cpu_limit, 500);
	assert_in_range(u.memory, 8000000, 64 << 20);
	assert_true(u.memory_peak >= u.memory);
	assert_int_equal(u.memory_limit, 64 << 20);
	assert_in_range(u.pids, 1, 8);
	assert_int_equal(u.pids_limit, 64);
	assert_in_range(u.disk_used, 8 << 20, 16 << 20);
	assert_in_range(u.disk_size, 40 << 20, VOLUME);
	if (cgroup_version() == 2)
		assert_in_range(u.disk_written, 8 << 20, 24 << 20);
	else
		print_message(
			"# cgroup version 1 does not say who wrote what lay in memory first\n");
	u = stats(w, idle);
	assert_in_range(u.cpu_us, 1, 400000);
	assert_in_range(u.disk_written, 0, 4 << 20);
	do_stats(w, &all, &a);
	assert_int_equal(a.r.stats.items.n, 1);
	assert_string_equal(priv_stats_at(&a.r.stats, 0)->id, idle);
	free_answer(&a, PRIV_BOX_STATS);
	destroy_ok(w, busy);
	all.id = (char *)busy;
	do_stats(w, &all, &a);
	assert_int_equal(a.r.stats.items.n, 0);
	free_answer(&a, PRIV_BOX_STATS);
	destroy_ok(w, idle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_part_of_a_log),
		cmocka_unit_test(a_full_disk_takes_the_log),
		cmocka_unit_test(a_lease_is_measured),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
