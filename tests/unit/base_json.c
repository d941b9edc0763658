/* JSON from strangers: what the scan refuses, and that values arrive exact. */
#include "unit.h"

#include "base/json.h"

static int parse(struct json **j, const char *text)
{
	struct err e = {0};

	return json_parse(j, str_of(text), NULL, &e);
}

static void refuses_what_is_not_strict(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"{",
		"[1,]",
		"{\"a\":1,}",
		"{a:1}",
		"{\"a\" 1}",
		"[1 2]",
		"tru",
		"nul",
		"1 2",
		"{}x",
		"[01]",
		"[-]",
		"[1.]",
		"[.5]",
		"[1e]",
		"[+1]",
		"[0x1]",
		"[NaN]",
		"\"a",
		"\"\\x\"",
		"\"\n\"",
		"\"\t\"",
		"\"\\u0000\"",
		"\"\\ud800\"",
		"\"\\ud800\\u0041\"",
		"\"\\udc00\"",
		"\"\\u12g4\"",
		"\"\\u12\"",
		"\xef\xbb\xbf{}",
		"\"\xff\"",
		"\"\xed\xa0\x80\"",
		"{\"a\":1,\"a\":2}",
		"{\"a\":1,\"\\u0061\":2}",
		"[{\"x\":{\"k\":1,\"k\":1}}]",
		"[9007199254740993]",
		"[-9007199254740993]",
		"[18446744073709551616]",
		"[0.00000000000000000000000000000000000000000001]",
		"[[[[[[[[[1]]]]]]]]]",
		"]",
		"//x\n1",
		"'a'",
	};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		auto_json struct json *j = NULL;

		if (parse(&j, bad[i]) != -1)
			fail_msg("took %s", bad[i]);
	}
}

static void refuses_a_raw_nul(void **state)
{
	auto_json struct json *j = NULL;
	struct err e = {0};

	assert_int_equal(json_parse(&j, STR("\"a\0b\""), NULL, &e), -1);
}

static void takes_what_is_json(void **state)
{
	static const char *const good[] = {
		"0",
		"-0",
		"1.5e-3",
		"true",
		"null",
		"\"\"",
		"[]",
		"{}",
		" [ 1 , 2 ] ",
		"\"\\ud83d\\ude00\"",
		"[[[[[[[[1]]]]]]]]",
		"[9007199254740992]",
		"{\"a\":{\"a\":1},\"b\":{\"a\":1}}",
		"{\"A\":1,\"a\":2}",
	};
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		auto_json struct json *j = NULL;

		if (parse(&j, good[i]) != 0)
			fail_msg("refused %s", good[i]);
	}
}

/* Each number keeps whether it was written as a plain integer, also behind others. */
static void integers_are_exact_and_plain(void **state)
{
	auto_json struct json *j = NULL;
	static const bool plain[] = {true, false, false, false, true, true, false};
	const struct json *c;
	uint64_t v;
	size_t i = 0;

	assert_int_equal(parse(&j, "[7, 7.0, 7e0, -7, 9007199254740992, 0, -0]"), 0);
	for (c = json_first(j); c; c = json_next(c), i++)
		assert_int_equal(json_as_u64(c, &v), plain[i]);
	assert_int_equal(i, 7);
	c = json_next(json_next(json_next(json_next(json_first(j)))));
	assert_true(json_as_u64(c, &v) && v == JSON_INT_MAX);
}

static void members_have_types_and_limits(void **state)
{
	auto_json struct json *j = NULL;
	struct str s = STR("unchanged");
	struct err e = {0};
	uint8_t hex[2];
	uint64_t v = 5;
	bool b = false;
	const struct json *child;

	assert_int_equal(parse(&j, "{\"s\":\"x\\u0041\",\"n\":12,\"t\":true,\"z\":null,\"h\":"
				   "\"00ff\",\"o\":{}}"),
			 0);
	assert_int_equal(json_str(j, "s", 8, &s, &e), 0);
	assert_str(s, "xA");
	assert_int_equal(json_str(j, "s", 1, &s, &e), -1);
	assert_int_equal(json_str(j, "S", 8, &s, &e), -1);
	assert_non_null(strstr(e.msg, "S"));
	assert_int_equal(json_u64(j, "n", 12, &v, &e), 0);
	assert_int_equal(json_u64(j, "n", 11, &v, &e), -1);
	assert_int_equal(json_u64(j, "s", 11, &v, &e), -1);
	v = 5;
	assert_int_equal(json_opt_u64(j, "z", 11, &v, &e), 0);
	assert_int_equal(v, 5);
	assert_int_equal(json_opt_bool(j, "t", &b, &e), 0);
	assert_true(b);
	assert_int_equal(json_opt_bool(j, "n", &b, &e), -1);
	assert_int_equal(json_hex(j, "h", hex, 2, &e), 0);
	assert_int_equal(json_hex(j, "h", hex, 1, &e), -1);
	assert_int_equal(json_child(j, "o", JSON_OBJECT, &child, &e), 0);
	assert_int_equal(json_child(j, "o", JSON_ARRAY, &child, &e), -1);
	assert_int_equal(json_count(j), 6);
	assert_str(json_key(json_first(j)), "s");
}

static void limits_are_those_of_the_caller(void **state)
{
	const struct json_limits small = {.bytes = 8, .depth = 1, .nodes = 3};
	auto_json struct json *j = NULL;
	struct err e = {0};

	assert_int_equal(json_parse(&j, STR("[1,2]"), &small, &e), 0);
	json_free(steal(&j));
	assert_int_equal(json_parse(&j, STR("[1,2,3]"), &small, &e), -1);
	assert_int_equal(json_parse(&j, STR("[[1]]"), &small, &e), -1);
	assert_int_equal(json_parse(&j, STR("[        ]"), &small, &e), -1);
	assert_int_equal(e.kind, ERRK_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_what_is_not_strict),
		cmocka_unit_test(refuses_a_raw_nul),
		cmocka_unit_test(takes_what_is_json),
		cmocka_unit_test(integers_are_exact_and_plain),
		cmocka_unit_test(members_have_types_and_limits),
		cmocka_unit_test(limits_are_those_of_the_caller),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
