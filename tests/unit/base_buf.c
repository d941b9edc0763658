/* Buffers and the small things beside them: clock, steps, random numbers. */
#include "unit.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secret.h"
#include "base/step.h"

static void a_buffer_stops_at_its_maximum(void **state)
{
	auto_buf struct buf b = BUF(5);
	struct err e = {0};

	buf_puts(&b, "12345");
	assert_int_equal(buf_check(&b, "x", &e), 0);
	buf_byte(&b, '6');
	assert_int_equal(buf_check(&b, "x", &e), -1);
	assert_int_equal(e.kind, ERRK_LIMIT);
	assert_view(b, "12345");
	buf_puts(&b, "");
	assert_true(b.failed);
}

static void a_buffer_grows_and_stays_terminated(void **state)
{
	auto_buf struct buf b = BUF(100000);
	int i;

	for (i = 0; i < 10000; i++)
		buf_printf(&b, "%d,", i % 10);
	assert_int_equal(b.n, 20000);
	assert_int_equal(strlen(b.p), 20000);
	buf_truncate(&b, 4);
	assert_view(b, "0,1,");
	memset(buf_extend(&b, 2), 'x', 2);
	assert_view(b, "0,1,xx");
	assert_null(buf_extend(&b, 100000));
}

static void an_empty_buffer_is_an_empty_string(void **state)
{
	auto_buf struct buf b = BUF(8);
	char *s = buf_steal(&b);

	assert_string_equal(s, "");
	free(s);
	assert_string_equal(buf_view(&b).p, "");
}

/* NIP-01: the seven named escapes, all else verbatim; control bytes as \u00xx. */
static void json_strings_are_escaped_as_nip01_says(void **state)
{
	auto_buf struct buf b = BUF(256);

	buf_json(&b, STR("\n\"\\\r\t\b\f/<\x01\x1f\x7f\xc3\xbc"));
	assert_view(b, "\"\\n\\\"\\\\\\r\\t\\b\\f/<\\u0001\\u001f\x7f\xc3\xbc\"");
}

static int64_t fixed_ms(void *ctx)
{
	return *(int64_t *)ctx;
}

static void times_are_read_as_people_write_them(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} rows[] = {
		{"1795369260", 1795369260000},
		{"1795369260.25", 1795369260250},
		{"2026-11-22T17:41:00Z", 1795369260000},
		{"2026-11-22 17:41:00", 1795369260000},
		{"2026-11-22T17:41", 1795369260000},
		{"2026-11-22T17:41:00.123456789Z", 1795369260123},
		{"2026-11-22T18:41:00.5+01:00", 1795369260500},
		{"2026-11-22T12:11:00-05:30", 1795369260000},
		{"2026-11-22", 1795305600000},
	};
	static const char *const bad[] = {"",
					  "10m",
					  "yesterday",
					  "2026-13-01",
					  "2026-11-22T17:41:00+1",
					  "2026-11-22T17:41:00Zz",
					  "1.2.3",
					  "-5"};
	int64_t ms;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(clock_parse(&ms, str_of(rows[i].text), CLOCK_UTC, NULL), 0);
		assert_int_equal(ms, rows[i].ms);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(clock_parse(&ms, str_of(bad[i]), CLOCK_UTC, NULL), -1);
}

static void the_clock_can_be_replaced(void **state)
{
	int64_t ms = 1795369260999;
	const struct clock_source src = {fixed_ms, fixed_ms, &ms};
	char text[21];

	clock_replace(&src);
	assert_int_equal(clock_wall(), 1795369260);
	assert_int_equal(clock_mono_ms(), ms);
	clock_replace(NULL);
	assert_true(clock_wall() != 1795369260);
	clock_format(text, 1795369260);
	assert_string_equal(text, "2026-11-22T17:41:00Z");
	clock_format(text, INT64_MAX);
	assert_string_equal(text, "9999-12-31T23:59:59Z");
}

static void an_armed_step_kills_at_its_passing(void **state)
{
	struct err e = {0};
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (step_arm("LEASE_PAID:2", &e))
			_exit(1);
		step_at(STEP_LEASE_PAID);
		step_at(STEP_LEASE_ASKED);
		if (write(STDERR_FILENO, "", 0))
			_exit(2);
		step_at(STEP_LEASE_PAID);
		_exit(3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(step_arm("NO_SUCH", &e), -1);
	assert_int_equal(step_arm("LEASE_PAID:0", &e), -1);
	assert_string_equal(step_name(STEP_LEASE_PAID), "LEASE_PAID");
	assert_int_equal(step_kind(STEP_PLAN_SENT), STEP_WIRE);
}

static unsigned passed[STEP_COUNT];

static void count_passing(enum step s)
{
	passed[s]++;
}

static void a_watcher_sees_every_passing(void **state)
{
	step_watch(count_passing);
	step_at(STEP_LEASE_PAID);
	step_at(STEP_LEASE_PAID);
	step_watch(NULL);
	step_at(STEP_LEASE_PAID);
	assert_int_equal(passed[STEP_LEASE_PAID], 2);
	assert_int_equal(passed[STEP_LEASE_ASKED], 0);
}

static void random_numbers_stay_below(void **state)
{
	bool seen[3] = {false};
	int i;

	for (i = 0; i < 200; i++)
		seen[rand_below(3)] = true;
	assert_true(seen[0] && seen[1] && seen[2]);
	assert_int_equal(rand_below(1), 0);
	assert_true(secret_eq("abc", "abc", 3));
	assert_false(secret_eq("abc", "abd", 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_buffer_stops_at_its_maximum),
		cmocka_unit_test(a_buffer_grows_and_stays_terminated),
		cmocka_unit_test(an_empty_buffer_is_an_empty_string),
		cmocka_unit_test(json_strings_are_escaped_as_nip01_says),
		cmocka_unit_test(times_are_read_as_people_write_them),
		cmocka_unit_test(the_clock_can_be_replaced),
		cmocka_unit_test(an_armed_step_kills_at_its_passing),
		cmocka_unit_test(a_watcher_sees_every_passing),
		cmocka_unit_test(random_numbers_stay_below),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
