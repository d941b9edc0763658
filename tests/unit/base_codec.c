/* Hex, base64 (RFC 4648) and bech32 (BIP-173, BIP-350). */
#include "unit.h"

#include "base/hex.h"

static void hex_is_lower_case_and_exact(void **state)
{
	struct err e = {0};
	uint8_t out[2];
	char text[5];

	assert_int_equal(hex_decode(out, 2, STR("0aff"), &e), 0);
	assert_int_equal(out[0], 10);
	hex_encode(text, out, 2);
	assert_string_equal(text, "0aff");
	assert_int_equal(hex_decode(out, 2, STR("0AFF"), &e), -1);
	assert_int_equal(hex_decode(out, 2, STR("0af"), &e), -1);
	assert_int_equal(hex_decode(out, 2, STR("0aff0"), &e), -1);
	assert_int_equal(hex_decode(out, 2, STR("0ag0"), &e), -1);
	assert_false(hex_is(STR("0aff"), 1));
}

static void check_base64(const char *plain, const char *std, const char *url)
{
	auto_buf struct buf b = BUF(64);
	struct err e = {0};

	base64_encode(&b, plain, strlen(plain), BASE64_STD);
	assert_view(b, std);
	buf_reset(&b);
	base64_encode(&b, plain, strlen(plain), BASE64_URL);
	assert_view(b, url);
	buf_reset(&b);
	assert_int_equal(base64_decode(&b, str_of(std), BASE64_STD, &e), 0);
	assert_view(b, plain);
	buf_reset(&b);
	assert_int_equal(base64_decode(&b, str_of(url), BASE64_URL, &e), 0);
	assert_view(b, plain);
	buf_reset(&b);
	assert_int_equal(base64_decode(&b, str_of(std), BASE64_ANY, &e), 0);
	assert_view(b, plain);
}

static void base64_goes_both_ways(void **state)
{
	check_base64("", "", "");
	check_base64("f", "Zg==", "Zg");
	check_base64("fo", "Zm8=", "Zm8");
	check_base64("foo", "Zm9v", "Zm9v");
	check_base64("foobar", "Zm9vYmFy", "Zm9vYmFy");
	check_base64("\xfb\xff\xfe", "+//+", "-__-");
}

static void base64_refuses_what_is_not_canonical(void **state)
{
	static const char *const bad[] = {"Zg",	    "Zg=",  "Zg===", "Zh==", "Zm9", "Z",
					  "Zm9v\n", "Zm9-", "=",     "====", "Zm=v"};
	struct err e = {0};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		auto_buf struct buf b = BUF(64);

		if (base64_decode(&b, str_of(bad[i]), BASE64_STD, &e) != -1)
			fail_msg("took %s", bad[i]);
	}
}

static void base64_honours_the_maximum(void **state)
{
	auto_buf struct buf b = BUF(2);
	struct err e = {0};

	assert_int_equal(base64_decode(&b, STR("Zm9v"), BASE64_STD, &e), -1);
	assert_int_equal(e.kind, ERRK_LIMIT);
}

static void check_bech32(const char *text, enum bech32_kind kind)
{
	auto_buf struct buf data = BUF(BECH32_MAX);
	auto_buf struct buf back = BUF(BECH32_MAX);
	struct err e = {0};
	char hrp[17];

	if (bech32_decode(hrp, &data, kind, str_of(text), &e))
		fail_msg("%s: %s", text, e.msg);
	assert_int_equal(bech32_encode(&back, hrp, kind, data.p, data.n, &e), 0);
	assert_view(back, text);
}

static void bech32_goes_both_ways(void **state)
{
	check_bech32("npub1zutzeysacnf9rru6zqwmxd54mud0k44tst6l70ja5mhv8jjumytsd2x7nu", BECH32);
	check_bech32("nsec10allq0gjx7fddtzef0ax00mdps9t2kmtrldkyjfs8l5xruwvh2dq0lhhkp", BECH32);
	check_bech32("a1lqfn3a", BECH32M);
}

static void bech32_of_a_known_key(void **state)
{
	static const uint8_t want[4] = {0x17, 0x16, 0x2c, 0x92};
	auto_buf struct buf data = BUF(BECH32_MAX);
	struct err e = {0};
	char hrp[17];

	assert_int_equal(bech32_decode(hrp, &data, BECH32,
				       STR("NPUB1ZUTZEYSACNF9RRU6ZQWMXD54MUD0K44TST6L70JA5MHV8JJ"
					   "UMYTSD2X7NU"),
				       &e),
			 0);
	assert_string_equal(hrp, "npub");
	assert_int_equal(data.n, 32);
	assert_memory_equal(data.p, want, 4);
}

static void bech32_refuses(void **state)
{
	static const char *const bad[] = {
		"npub1zutzeysacnf9rru6zqwmxd54mud0k44tst6l70ja5mhv8jjumytsd2x7nx", /* checksum */
		"Npub1zutzeysacnf9rru6zqwmxd54mud0k44tst6l70ja5mhv8jjumytsd2x7nu", /* case */
		"1zutzeysac",
		"npub1",
		"npub",
		"",
		"a12uel5l"
		"b",
		"A1LQFN3A", /* BECH32M */
		"waytoolonghumanreadablepart1qqqqqqqqqqqq",
	};
	struct err e = {0};
	char hrp[17];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		auto_buf struct buf b = BUF(BECH32_MAX);

		if (bech32_decode(hrp, &b, BECH32, str_of(bad[i]), &e) != -1)
			fail_msg("took %s", bad[i]);
	}
}

static void bech32_encoder_knows_its_limits(void **state)
{
	auto_buf struct buf b = BUF(2 * BECH32_MAX);
	auto_free char *big = mem_zero(4000);
	struct err e = {0};

	assert_int_equal(bech32_encode(&b, "npub", BECH32, big, 4000, &e), -1);
	assert_int_equal(bech32_encode(&b, "", BECH32, big, 1, &e), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hex_is_lower_case_and_exact),
		cmocka_unit_test(base64_goes_both_ways),
		cmocka_unit_test(base64_refuses_what_is_not_canonical),
		cmocka_unit_test(base64_honours_the_maximum),
		cmocka_unit_test(bech32_goes_both_ways),
		cmocka_unit_test(bech32_of_a_known_key),
		cmocka_unit_test(bech32_refuses),
		cmocka_unit_test(bech32_encoder_knows_its_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
