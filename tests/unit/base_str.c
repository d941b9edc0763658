/* Slices, strict numbers, UTF-8 and what a terminal may be shown. */
#include "unit.h"

static void cut_gives_every_piece_once(void **state)
{
	struct str rest = STR("a,,b,"), piece;
	static const char *const want[] = {"a", "", "b", ""};
	size_t i;

	for (i = 0; str_cut(&rest, ',', &piece); i++)
		assert_str(piece, want[i]);
	assert_int_equal(i, 4);
	rest = str_of(NULL);
	assert_false(str_cut(&rest, ',', &piece));
	rest = STR("");
	assert_true(str_cut(&rest, ',', &piece));
	assert_int_equal(piece.n, 0);
	assert_false(str_cut(&rest, ',', &piece));
}

static void trim_cuts_both_ends(void **state)
{
	assert_str(str_trim(STR(" \t a b\r\n")), "a b");
	assert_str(str_trim(STR(" \n")), "");
}

static void u64_takes_only_plain_numbers(void **state)
{
	static const char *const bad[] = {"",
					  "-1",
					  "+1",
					  "01",
					  "1 ",
					  " 1",
					  "1.0",
					  "0x1",
					  "1e3",
					  "18446744073709551616",
					  "99999999999999999999",
					  "1a"};
	struct err e = {0};
	uint64_t v = 7;
	size_t i;

	assert_int_equal(str_u64(STR("0"), 9, &v, &e), 0);
	assert_int_equal(v, 0);
	assert_int_equal(str_u64(STR("18446744073709551615"), UINT64_MAX, &v, &e), 0);
	assert_true(v == UINT64_MAX);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (str_u64(str_of(bad[i]), UINT64_MAX, &v, &e) != -1)
			fail_msg("took %s", bad[i]);
	assert_int_equal(str_u64(STR("11"), 10, &v, &e), -1);
	assert_non_null(strstr(e.msg, "more than 10"));
}

static void duration_knows_four_units(void **state)
{
	struct err e = {0};
	int64_t s;

	assert_int_equal(str_duration(STR("90"), 1000, &s, &e), 0);
	assert_int_equal(s, 90);
	assert_int_equal(str_duration(STR("10m"), 1000, &s, &e), 0);
	assert_int_equal(s, 600);
	assert_int_equal(str_duration(STR("3d"), 300000, &s, &e), 0);
	assert_int_equal(s, 259200);
	assert_int_equal(str_duration(STR("3d"), 1000, &s, &e), -1);
	assert_int_equal(str_duration(STR("1w"), 9999999, &s, &e), -1);
	assert_int_equal(str_duration(STR("h"), 9999999, &s, &e), -1);
	assert_int_equal(str_duration(STR("9223372036854775807d"), INT64_MAX, &s, &e), -1);
}

static void bytes_refuse_a_small_m(void **state)
{
	struct err e = {0};
	uint64_t n;

	assert_int_equal(str_bytes(STR("512Mi"), UINT64_MAX, &n, &e), 0);
	assert_int_equal(n, 536870912);
	assert_int_equal(str_bytes(STR("2G"), UINT64_MAX, &n, &e), 0);
	assert_int_equal(n, 2000000000);
	assert_int_equal(str_bytes(STR("4096"), UINT64_MAX, &n, &e), 0);
	assert_int_equal(n, 4096);
	assert_int_equal(str_bytes(STR("512m"), UINT64_MAX, &n, &e), -1);
	assert_non_null(strstr(e.msg, "512Mi"));
	assert_int_equal(str_bytes(STR("20000000Ti"), UINT64_MAX, &n, &e), -1);
	assert_int_equal(str_bytes(STR("1GiB"), UINT64_MAX, &n, &e), -1);
}

static void millicores_take_decimals(void **state)
{
	static const struct {
		const char *text;
		uint64_t want;
	} good[] = {{"2", 2000}, {"0.5", 500}, {"500m", 500}, {"1.25", 1250}, {"0.001", 1}};
	static const char *const bad[] = {"0.0001", ".5", "1.", "1.5m", "-1", "1,5", "m"};
	struct err e = {0};
	uint64_t v;
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(str_millicores(str_of(good[i].text), 9999, &v, &e), 0);
		assert_int_equal(v, good[i].want);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (str_millicores(str_of(bad[i]), 9999, &v, &e) != -1)
			fail_msg("took %s", bad[i]);
	assert_int_equal(str_millicores(STR("10"), 9999, &v, &e), -1);
}

static void utf8_is_strict(void **state)
{
	assert_true(utf8_valid(STR("gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\xa2")));
	assert_false(utf8_valid(STR("a\0b")));
	assert_false(utf8_valid(STR("\xc0\xaf")));	   /* overlong */
	assert_false(utf8_valid(STR("\xe0\x80\x80")));	   /* overlong */
	assert_false(utf8_valid(STR("\xed\xa0\x80")));	   /* surrogate */
	assert_false(utf8_valid(STR("\xf4\x90\x80\x80"))); /* above U+10FFFF */
	assert_false(utf8_valid(STR("\xe2\x82")));	   /* cut */
	assert_false(utf8_valid(STR("\x80")));
}

static void names_are_narrow(void **state)
{
	assert_true(str_is_name(STR("a-1"), 8));
	assert_false(str_is_name(STR("-a"), 8));
	assert_false(str_is_name(STR("A"), 8));
	assert_false(str_is_name(STR("a/b"), 8));
	assert_false(str_is_name(STR(""), 8));
	assert_false(str_is_name(STR("123456789"), 8));
}

static void printable_keeps_terminals_safe(void **state)
{
	char dst[16];

	str_printable(dst, sizeof(dst), STR("a\x1b[31m\n\xc2\x9b"));
	assert_string_equal(dst, "a?[31m??");
	str_printable(dst, sizeof(dst),
		      STR("\xe2\x80\xae"
			  "abc")); /* right-to-left override */
	assert_string_equal(dst, "?abc");
	str_printable(dst, 4,
		      STR("ab\xc3\xbc"
			  "c")); /* no half character */
	assert_string_equal(dst, "ab");
	str_printable(dst, sizeof(dst),
		      STR("\xff"
			  "x"));
	assert_string_equal(dst, "?x");
}

/* Every byte at every place of a text that is looked at in eights. */
static void test_plain(void **state)
{
	char text[21];

	(void)state;
	assert_int_equal(str_plain(STR("")), 0);
	for (size_t at = 0; at < sizeof(text); at++) {
		for (int c = 0; c < 256; c++) {
			bool plain = c >= ' ' && c < 0x80 && c != '"' && c != '\\';

			memset(text, 'x', sizeof(text));
			text[at] = (char)c;
			assert_int_equal(str_plain((struct str){text, sizeof(text)}),
					 plain ? sizeof(text) : at);
		}
	}
	memset(text, 0x7f, sizeof(text));
	assert_int_equal(str_plain((struct str){text, sizeof(text)}), sizeof(text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(cut_gives_every_piece_once),
		cmocka_unit_test(trim_cuts_both_ends),
		cmocka_unit_test(u64_takes_only_plain_numbers),
		cmocka_unit_test(duration_knows_four_units),
		cmocka_unit_test(bytes_refuse_a_small_m),
		cmocka_unit_test(millicores_take_decimals),
		cmocka_unit_test(utf8_is_strict),
		cmocka_unit_test(names_are_narrow),
		cmocka_unit_test(printable_keeps_terminals_safe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
