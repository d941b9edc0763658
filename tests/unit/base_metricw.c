/* Prometheus' text format, as its description gives it. */
#include "unit.h"

#include "base/metricw.h"

static void families_have_help_type_and_samples(void **state)
{
	auto_buf struct buf b = BUF(4096);
	struct metricw w = METRICW(&b);

	metricw_family(&w, METRIC_GAUGE, "x_leases", "How many.");
	metricw_u64(&w, METRIC_LABELS({"state", "paid"}, {"of", "me"}), 3);
	metricw_family(&w, METRIC_COUNTER, "x_total", "All.");
	metricw_u64(&w, NULL, UINT64_MAX);
	assert_view(b, "# HELP x_leases How many.\n# TYPE x_leases gauge\n"
		       "x_leases{state=\"paid\",of=\"me\"} 3\n"
		       "# HELP x_total All.\n# TYPE x_total counter\n"
		       "x_total 18446744073709551615\n");
}

static void values_of_labels_are_escaped(void **state)
{
	auto_buf struct buf b = BUF(4096);
	struct metricw w = METRICW(&b);

	metricw_family(&w, METRIC_GAUGE, "x", "X.");
	buf_reset(&b);
	metricw_u64(&w, METRIC_LABELS({"u", "a\"} 1\nx{u=\"\\"}), 0);
	assert_view(b, "x{u=\"a\\\"} 1\\nx{u=\\\"\\\\\"} 0\n");
	buf_reset(&b);
	metricw_u64(&w, METRIC_LABELS({"u", "\xc3\xa4"}), 0);
	assert_view(b, "x{u=\"\xc3\xa4\"} 0\n");
	buf_reset(&b);
	metricw_u64(&w, METRIC_LABELS({"u", "\xff\xc3\xa4"}), 0);
	assert_view(b, "x{u=\"???\"} 0\n");
	buf_reset(&b);
	metricw_u64(&w, METRIC_LABELS({"u", NULL}), 0);
	assert_view(b, "x{u=\"\"} 0\n");
}

static void fractions_are_exact(void **state)
{
	auto_buf struct buf b = BUF(4096);
	struct metricw w = METRICW(&b);

	metricw_family(&w, METRIC_GAUGE, "x", "X.");
	buf_reset(&b);
	metricw_decimal(&w, NULL, 1500, 3);
	metricw_decimal(&w, NULL, 2000, 3);
	metricw_decimal(&w, NULL, 7, 6);
	metricw_decimal(&w, NULL, 7, 0);
	metricw_decimal(&w, NULL, UINT64_MAX, 9);
	assert_view(b, "x 1.5\nx 2\nx 0.000007\nx 7\nx 18446744073.709551615\n");
}

static void times_are_a_histogram(void **state)
{
	auto_buf struct buf b = BUF(4096);
	struct metricw w = METRICW(&b);
	struct metric_times t = {{0}, 0};

	metric_times_add(&t, 5000);
	metric_times_add(&t, 5001);
	metric_times_add(&t, 400000000);
	metricw_family(&w, METRIC_HISTOGRAM, "x_seconds", "X.");
	metricw_times(&w, METRIC_LABELS({"stage", "all"}), &t);
	assert_non_null(strstr(b.p, "x_seconds_bucket{stage=\"all\",le=\"0.005\"} 1\n"
				    "x_seconds_bucket{stage=\"all\",le=\"0.01\"} 2\n"));
	assert_non_null(strstr(b.p, "x_seconds_bucket{stage=\"all\",le=\"300\"} 2\n"
				    "x_seconds_bucket{stage=\"all\",le=\"+Inf\"} 3\n"
				    "x_seconds_sum{stage=\"all\"} 400.010001\n"
				    "x_seconds_count{stage=\"all\"} 3\n"));
}

static void a_full_buffer_is_told(void **state)
{
	auto_buf struct buf b = BUF(64);
	struct metricw w = METRICW(&b);
	struct err e;

	metricw_family(&w, METRIC_GAUGE, "x", "A help that is longer than there is room for.");
	metricw_u64(&w, NULL, 1);
	assert_int_equal(buf_check(&b, "metrics", &e), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(families_have_help_type_and_samples),
		cmocka_unit_test(values_of_labels_are_escaped),
		cmocka_unit_test(fractions_are_exact),
		cmocka_unit_test(times_are_a_histogram),
		cmocka_unit_test(a_full_buffer_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
