/* Lightning invoices: examples of BOLT11 itself, what is written is read, and what is broken is
 * refused. */
#include "unit.h"

#include "base/hex.h"
#include "base/mem.h"
#include "cashu/invoice.h"

#define HASH "0001020304050607080900010203040506070809000102030405060708090102"

static const struct {
	const char *text, *network, *hash;
	uint64_t msat;
	int64_t created, life;
} good[] = {
	{"lnbc2500u1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5xysxxatsyp3k7e"
	 "nxv4jsxqz"
	 "puaztrnwngzn3kdzw5hydlzf03qdgm2hdq27cqv3agm2awhz5se903vruatfhq77w3ls4evs3ch9zw97j25emudup"
	 "q63nyw24"
	 "cg27h2rspfj9srp",
	 "bc", HASH, 250000000, 1496314658, 60},
	{"lnbc2500u1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpquwpc4curk03c9w"
	 "lrswe78q4e"
	 "yqc7d8d0xqzpuyk0sg5g70me25alkluzd2x62aysf2pyy8edtjeevuv4p2d5p76r4zkmneet7uvyakky2zr4cusd4"
	 "5tftc9c5"
	 "fh0nnqpnl2jfll544esqchsrny",
	 "bc", HASH, 250000000, 1496314658, 60},
	{"lntb20m1pvjluezhp58yjmdan79s6qqdhdzgynm4zwqd5d7xmw5fk98klysy043l2ahrqspp5qqqsyqcyq5rqwzqf"
	 "qqqsyqcyq5"
	 "rqwzqfqqqsyqcyq5rqwzqfqypqfpp3x9et2e20v6pu37c5d9vax37wxq72un98kmzzhznpurw9sgl2v0nklu2g4d0"
	 "keph5t7t"
	 "j9tcqd8rexnd07ux4uv2cjvcqwaxgj7v4uwn5wmypjd5n69z2xm3xgksg28nwht7f6zspwp3f9t",
	 "tb", HASH, 2000000000, 1496314658, 3600},
	{"lnbc20m1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqhp58yjmdan79s6qqdhd"
	 "zgynm4zwqd"
	 "5d7xmw5fk98klysy043l2ahrqsfpp3qjmp7lwpagxun9pygexvgpjdc4jdj85fr9yq20q82gphp2nflc7jtzrcazr"
	 "ra7wwgzxq"
	 "c8u7754cdlpfrmccae92qgzqvzq2ps8pqqqqqqpqqqqq9qqqvpeuqafqxu92d8lr6fvg0r5gv0heeeqgcrqlnm6jh"
	 "phu9y00rr"
	 "hy4grqszsvpcgpy9qqqqqqgqqqqq7qqzqj9n4evl6mr5aj9f58zp6fyjzup6ywn3x6sk8akg5v4tgn2q8g4fhx05w"
	 "f6juaxu97"
	 "60yp46454gpg5mtzgerlzezqcqvjnhjh8z3g2qqdhhwkj",
	 "bc", HASH, 2000000000, 1496314658, 3600},
};

static void spec_examples(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct invoice v;
		char hash[65];
		struct err e;

		if (invoice_read(&v, str_of(good[i].text), &e) < 0)
			fail_msg("%zu: %s", i, e.msg);
		hex_encode(hash, v.hash, sizeof(v.hash));
		assert_string_equal(v.network, good[i].network);
		assert_string_equal(hash, good[i].hash);
		assert_true(v.has_amount);
		assert_int_equal(msat_raw(v.amount), good[i].msat);
		assert_int_equal(v.created, good[i].created);
		assert_int_equal(v.expires, good[i].created + good[i].life);
	}
}

static char *upper(const char *text)
{
	char *out = mem_strdup(text);

	for (char *p = out; *p; p++)
		if (*p >= 'a' && *p <= 'z')
			*p = (char)(*p - 'a' + 'A');
	return out;
}

static void spellings(void **state)
{
	auto_free char *shout = upper(good[0].text), *uri = mem_printf("LIGHTNING:%s", shout);
	auto_free char *mixed = mem_strdup(good[0].text);
	auto_buf struct buf text = BUF(4096);
	struct invoice v;
	struct err e;

	(void)state;
	assert_int_equal(invoice_read(&v, str_of(shout), &e), 0);
	assert_int_equal(invoice_read(&v, str_of(uri), &e), 0);
	assert_int_equal(invoice_canonical(&text, str_of(uri), &e), 0);
	assert_string_equal(text.p, good[0].text);
	mixed[10] = 'P';
	assert_int_equal(invoice_read(&v, str_of(mixed), &e), -1);
}

/* Any one character changed, or the end cut off. */
static void damaged(void **state)
{
	size_t n = strlen(good[0].text);
	struct invoice v;
	struct err e;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		auto_free char *text = mem_strdup(good[0].text);

		text[i] = text[i] == 'q' ? 'p' : 'q';
		assert_int_equal(invoice_read(&v, str_of(text), &e), -1);
		assert_int_equal(invoice_read(&v, (struct str){good[0].text, i}, &e), -1);
	}
}

static int written(struct buf *out, struct invoice *v, uint64_t msat)
{
	const struct secret key = {{5}};
	struct err e;

	*v = (struct invoice){.network = "bcrt", .created = 1700000000, .expires = 1700000600};
	memset(v->hash, 0xab, sizeof(v->hash));
	v->has_amount = msat > 0;
	assert_true(msat_make(&v->amount, msat));
	return invoice_write(out, v, key.b, &key, &e);
}

static void round_trip(void **state)
{
	static const uint64_t amounts[] = {0,	 1,	999,	   1000,
					   1001, 21000, 123456789, AMOUNT_MSAT_MAX};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(amounts); i++) {
		auto_buf struct buf text = BUF(4096);
		struct invoice in, out;
		struct err e;

		assert_int_equal(written(&text, &in, amounts[i]), 0);
		if (invoice_read(&out, buf_view(&text), &e) < 0)
			fail_msg("%s: %s", text.p, e.msg);
		assert_string_equal(out.network, "bcrt");
		assert_int_equal(out.has_amount, amounts[i] > 0);
		assert_int_equal(msat_raw(out.amount), amounts[i]);
		assert_int_equal(out.created, in.created);
		assert_int_equal(out.expires, in.expires);
		assert_memory_equal(out.hash, in.hash, 32);
		assert_int_equal(sat_raw(invoice_sat(&out)), (amounts[i] + 999) / 1000);
	}
}

/* Good checksums around bad contents: the words of a good one with one field changed. */
static void reworded(void **state)
{
	static const struct {
		const char *hrp, *why;
	} bad[] = {
		{"lnbc0", "amount"},	      {"lnbc01n", "amount"},
		{"lnbc1x", "amount"},	      {"lnbc1p", "millisatoshi"},
		{"lnbc15p", "millisatoshi"},  {"lnbc90072000000", "amount"},
		{"lnbc9999999999m", "large"}, {"bc1", "not a Lightning"},
		{"lnxy", "network"},	      {"lnbc-1n", "amount"},
		{"lnbcn", "amount"},
	};
	auto_buf struct buf words = BUF(4096), short_ = BUF(4096);
	struct invoice v;
	char hrp[33];
	struct err e;

	(void)state;
	assert_int_equal(bech32_decode_words(hrp, &words, str_of(good[0].text), &e), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		auto_buf struct buf text = BUF(4096);

		assert_int_equal(bech32_encode_words(&text, bad[i].hrp, buf_view(&words), &e), 0);
		assert_int_equal(invoice_read(&v, buf_view(&text), &e), -1);
		if (!strstr(e.msg, bad[i].why))
			fail_msg("%s: %s", bad[i].hrp, e.msg);
	}
	/* the payment hash twice; its length beyond the end */
	for (unsigned i = 0; i < 2; i++) {
		auto_buf struct buf text = BUF(4096), twice = BUF(4096);

		buf_add(&twice, words.p, 7 + 55);
		buf_add(&twice, words.p + 7, words.n - 7);
		if (i == 1)
			twice.p[7 + 1] = 31;
		assert_int_equal(bech32_encode_words(&text, "lnbc1m", buf_view(&twice), &e), 0);
		assert_int_equal(invoice_read(&v, buf_view(&text), &e), -1);
		assert_non_null(strstr(e.msg, i ? "cut off" : "two payment hashes"));
	}
	buf_add(&short_, words.p, 110);
	buf_reset(&words);
	assert_int_equal(bech32_encode_words(&words, "lnbc1m", buf_view(&short_), &e), 0);
	assert_int_equal(invoice_read(&v, buf_view(&words), &e), -1);
	assert_non_null(strstr(e.msg, "too short"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spec_examples), cmocka_unit_test(spellings),
		cmocka_unit_test(damaged),	 cmocka_unit_test(round_trip),
		cmocka_unit_test(reworded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
