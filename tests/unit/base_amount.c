/* Money: nothing overflows, nothing rounds by itself. */
#include "unit.h"

#include "base/amount.h"

static void constructors_have_a_ceiling(void **state)
{
	struct msat m;
	struct sat s;

	assert_true(msat_make(&m, AMOUNT_MSAT_MAX));
	assert_false(msat_make(&m, AMOUNT_MSAT_MAX + 1));
	assert_true(sat_make(&s, AMOUNT_MSAT_MAX / 1000));
	assert_false(sat_make(&s, AMOUNT_MSAT_MAX / 1000 + 1));
}

static void arithmetic_is_checked(void **state)
{
	struct msat m;
	struct sat s;

	assert_true(sat_add(&s, SAT(2), SAT(3)));
	assert_int_equal(sat_raw(s), 5);
	assert_false(sat_add(&s, SAT(AMOUNT_MSAT_MAX / 1000), SAT(1)));
	assert_false(sat_sub(&s, SAT(2), SAT(3)));
	assert_false(msat_mul(&m, MSAT(AMOUNT_MSAT_MAX), UINT64_MAX));
	assert_false(msat_add(&m, MSAT(UINT64_MAX), MSAT(1)));
	assert_true(msat_of_sat(&m, SAT(7)));
	assert_int_equal(msat_raw(m), 7000);
	assert_int_equal(sat_raw(msat_floor(MSAT(1999))), 1);
	assert_int_equal(sat_raw(msat_ceil(MSAT(1001))), 2);
	assert_int_equal(sat_raw(msat_ceil(MSAT(1000))), 1);
}

static void split_sums_to_the_amount(void **state)
{
	struct sat parts[64];
	uint64_t sum = 0, amount = 0x15005;
	size_t i, n = sat_split(parts, SAT(amount));

	for (i = 0; i < n; i++) {
		assert_true(i == 0 || sat_cmp(parts[i - 1], parts[i]) < 0);
		sum += sat_raw(parts[i]);
	}
	assert_int_equal(sum, amount);
	assert_int_equal(sat_split(parts, SAT(0)), 0);
}

static void prices_are_read_exactly(void **state)
{
	static const char *const bad[] = {"10",	      "10sat",	   "10sat/w", "sat/h",
					  "1.5sat/h", "10 sat/h",  "10/h",    "10msat",
					  "-1sat/h",  "10sat/h/h", ""};
	struct err e = {0};
	struct price p;
	size_t i;

	assert_int_equal(price_parse(&p, STR("10sat/h"), &e), 0);
	assert_int_equal(p.msat, 10000);
	assert_int_equal(p.per, 3600);
	assert_int_equal(price_parse(&p, STR("500msat/s"), &e), 0);
	assert_int_equal(p.msat, 500);
	assert_int_equal(p.per, 1);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (price_parse(&p, str_of(bad[i]), &e) != -1)
			fail_msg("took %s", bad[i]);
}

/* What `seconds` cost always buys at least those seconds, and a millisatoshi less does not. */
static void cost_and_seconds_are_inverse(void **state)
{
	static const struct price prices[] = {{10000, 3600}, {500, 1}, {1, 86400}, {7, 3}};
	uint64_t s;
	size_t i;

	for (i = 0; i < sizeof(prices) / sizeof(prices[0]); i++) {
		for (s = 1; s < 5000; s += 7) {
			struct msat m;

			assert_true(price_cost(&m, prices[i], s));
			assert_true(price_seconds(prices[i], m, 1000000) >= s);
			assert_true(price_seconds(prices[i], MSAT(msat_raw(m) - 1), 1000000) < s);
		}
	}
	assert_int_equal(price_seconds((struct price){0, 1}, MSAT(0), 60), 60);
	assert_int_equal(price_seconds(prices[2], MSAT(AMOUNT_MSAT_MAX), 60), 60);
	assert_false(price_cost(&(struct msat){0}, (struct price){AMOUNT_MSAT_MAX, 1}, UINT64_MAX));
}

static void amounts_are_whole_sats(void **state)
{
	struct err e = {0};
	struct sat s;

	assert_int_equal(sat_parse(&s, STR("21sat"), &e), 0);
	assert_int_equal(sat_raw(s), 21);
	assert_int_equal(sat_parse(&s, STR("0"), &e), 0);
	assert_int_equal(sat_parse(&s, STR("sat"), &e), -1);
	assert_int_equal(sat_parse(&s, STR("1.5"), &e), -1);
	assert_int_equal(sat_parse(&s, STR("9007199254741"), &e), -1);
}

static void prices_add_exactly(void **state)
{
	struct price p;

	assert_true(price_add(&p, (struct price){10000, 3600}, (struct price){1, 1}));
	assert_true(p.msat == 13600 && p.per == 3600);
	assert_true(price_add(&p, (struct price){1, 86400}, (struct price){7, 3600}));
	assert_true(p.msat == 169 && p.per == 86400);
	assert_true(price_add(&p, (struct price){1, 6}, (struct price){1, 4}));
	assert_true(p.msat == 5 && p.per == 12);
	assert_false(price_add(&p, (struct price){AMOUNT_MSAT_MAX, 1}, (struct price){1, 1}));
	assert_false(price_add(&p, (struct price){1, UINT64_MAX}, (struct price){1, 2}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(constructors_have_a_ceiling),
		cmocka_unit_test(arithmetic_is_checked),
		cmocka_unit_test(split_sums_to_the_amount),
		cmocka_unit_test(prices_are_read_exactly),
		cmocka_unit_test(prices_add_exactly),
		cmocka_unit_test(cost_and_seconds_are_inverse),
		cmocka_unit_test(amounts_are_whole_sats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
