/* Bodies and answers of the mint's interface: exact text out, and every way in which an answer can
 * differ from what was asked. */
#include <string.h>

#include "base/mem.h"
#include "cashu/mint.h"
#include "cashu_vectors.h"

#define ID   "0011223344556677"
#define ID2  "0011223344556688"
#define P1   "02aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define P2   "03bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define S32  "1111111111111111111111111111111111111111111111111111111111111111"
#define DLEQ "\"dleq\":{\"e\":\"" S32 "\",\"s\":\"" S32 "\"}"

#define SIG(amount, id, c) "{\"amount\":" amount ",\"id\":\"" id "\",\"C_\":\"" c "\"," DLEQ "}"
#define OUT(amount, b)	   "{\"amount\":" amount ",\"id\":\"" ID "\",\"B_\":\"" b "\"}"

static const struct blinded asked[] = {
	{SAT(1), {8, {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77}}, {2, [1 ... 32] = 0xaa}},
	{SAT(4), {8, {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77}}, {3, [1 ... 32] = 0xbb}},
};
static const struct blinded_list list = {asked, 2};

static void swap_body_has_no_dleq(void **state)
{
	struct proof in = {.amount = SAT(8), .secret = (char *)"a\"b", .c = {2}};
	struct output out = {.pub = asked[0]};
	const struct proofs inputs = {&in, 1};
	const struct outputs outputs = {&out, 1};
	auto_buf struct buf b = BUF(4096);

	in.id = asked[0].id;
	memset(in.c + 1, 0xaa, 32);
	in.dleq = (struct dleq){.present = true, .has_r = true};
	in.witness = (char *)"{\"signatures\":[]}";
	cashu_swap_body(&b, &inputs, &outputs);
	assert_string_equal(
		b.p,
		"{\"inputs\":[{\"amount\":8,\"id\":\"" ID "\",\"secret\":\"a\\\"b\",\"C\":\"" P1
		"\",\"witness\":\"{\\\"signatures\\\":[]}\"}],\"outputs\":[" OUT("1", P1) "]}");
}

static int signatures(const char *body)
{
	auto_blind_sigs struct blind_sigs s = {0};
	struct err e;

	return cashu_signatures_parse(&s, list, str_of(body), &e);
}

static void signatures_must_fit(void **state)
{
	assert_int_equal(signatures("{\"signatures\":[" SIG("1", ID, P1) "," SIG("4", ID, P2) "]}"),
			 0);
	/* order, number, amount, keyset, point, DLEQ */
	assert_int_equal(signatures("{\"signatures\":[" SIG("4", ID, P2) "," SIG("1", ID, P1) "]}"),
			 -1);
	assert_int_equal(signatures("{\"signatures\":[" SIG("1", ID, P1) "]}"), -1);
	assert_int_equal(signatures("{\"signatures\":[" SIG("1", ID, P1) "," SIG(
				 "4", ID, P2) "," SIG("4", ID, P2) "]}"),
			 -1);
	assert_int_equal(signatures("{\"signatures\":[" SIG("1", ID, P1) "," SIG("8", ID, P2) "]}"),
			 -1);
	assert_int_equal(
		signatures("{\"signatures\":[" SIG("1", ID, P1) "," SIG("4", ID2, P2) "]}"), -1);
	assert_int_equal(
		signatures("{\"signatures\":[" SIG("1", ID, P1) "," SIG("4", ID, "02aa") "]}"), -1);
	assert_int_equal(
		signatures("{\"signatures\":[" SIG("1", ID, P1) ",{\"amount\":4,\"id\":\"" ID
								"\",\"C_\":\"" P2 "\"}]}"),
		-1);
	assert_int_equal(
		signatures("{\"signatures\":[" SIG("1.0", ID, P1) "," SIG("4", ID, P2) "]}"), -1);
	assert_int_equal(signatures("{}"), -1);
	assert_int_equal(signatures(""), -1);
	assert_int_equal(signatures("<html>"), -1);
}

static void states_are_put_in_order(void **state)
{
	const struct y_bytes ys[] = {{{2, [1 ... 32] = 0xaa}}, {{3, [1 ... 32] = 0xbb}}};
	auto_y_states struct y_states s = {0};
	auto_buf struct buf b = BUF(1024);
	struct err e;

	cashu_checkstate_body(&b, ys, 2);
	assert_string_equal(b.p, "{\"Ys\":[\"" P1 "\",\"" P2 "\"]}");
	assert_int_equal(cashu_checkstate_parse(&s, ys, 2,
						STR("{\"states\":[{\"Y\":\"" P2
						    "\",\"state\":\"SPENT\",\"witness\":\"w\"},"
						    "{\"Y\":\"" P1
						    "\",\"state\":\"PENDING\",\"witness\":null}]}"),
						&e),
			 0);
	assert_int_equal(s.v[0].state, PROOF_PENDING);
	assert_null(s.v[0].witness);
	assert_int_equal(s.v[1].state, PROOF_SPENT);
	assert_string_equal(s.v[1].witness, "w");
}

static void states_must_be_complete(void **state)
{
	static const char *const bad[] = {
		"{\"states\":[]}",
		"{\"states\":[{\"Y\":\"" P1 "\",\"state\":\"SPENT\"}]}",
		"{\"states\":[{\"Y\":\"" P1 "\",\"state\":\"SPENT\"},{\"Y\":\"" P1
		"\",\"state\":\"SPENT\"}]}",
		"{\"states\":[{\"Y\":\"" P1 "\",\"state\":\"SPENT\"},{\"Y\":\"" P2
		"\",\"state\":\"spent\"}]}",
		"{\"states\":[{\"Y\":\"" P1 "\",\"state\":\"SPENT\"},{\"Y\":\"" P2 "\"}]}",
	};
	const struct y_bytes ys[] = {{{2, [1 ... 32] = 0xaa}}, {{3, [1 ... 32] = 0xbb}}};
	struct y_states s;
	struct err e;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(cashu_checkstate_parse(&s, ys, 2, str_of(bad[i]), &e), -1);
		assert_null(s.v);
	}
}

static void restored_outputs_are_matched_by_b(void **state)
{
	auto_restored struct restored_list s = {0};
	struct err e;

	assert_int_equal(
		cashu_restore_parse(
			&s, list,
			STR("{\"outputs\":[" OUT("0", P2) "," OUT("1", P1) "],\"signatures\":[" SIG(
				"4", ID, P1) ","
					     "{\"amount\":1,\"id\":\"" ID "\",\"C_\":\"" P2
					     "\"}]}"),
			&e),
		0);
	assert_int_equal(s.n, 2);
	assert_int_equal(s.v[0].index, 0);
	assert_int_equal(s.v[0].sig.c[0], 3);
	assert_false(s.v[0].sig.dleq.present);
	assert_int_equal(s.v[1].index, 1);
	assert_int_equal(sat_raw(s.v[1].sig.amount), 4);
}

static void restore_gives_only_what_was_asked(void **state)
{
	static const char *const bad[] = {
		"{\"outputs\":[" OUT("1", P1) "],\"signatures\":[]}",
		"{\"outputs\":[" OUT("1", P1) "," OUT("1", P1) "],\"signatures\":[" SIG(
			"1", ID, P1) "," SIG("1", ID, P1) "]}",
		"{\"outputs\":[" OUT("1", "02" S32) "],\"signatures\":[" SIG("1", ID, P1) "]}",
	};
	struct restored_list s;
	struct err e;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(cashu_restore_parse(&s, list, str_of(bad[i]), &e), -1);
		assert_null(s.v);
	}
	assert_int_equal(
		cashu_restore_parse(&s, list, STR("{\"outputs\":[],\"signatures\":[]}"), &e), 0);
	assert_int_equal(s.n, 0);
	restored_free(&s);
	/* which keyset signed it is for the caller to judge */
	assert_int_equal(
		cashu_restore_parse(&s, list,
				    STR("{\"outputs\":[" OUT("1", P1) "],\"signatures\":[" SIG(
					    "1", ID2, P1) "]}"),
				    &e),
		0);
	assert_int_equal(s.n, 1);
	restored_free(&s);
}

static void info_is_read(void **state)
{
	struct mint_info i;
	struct err e;

	assert_int_equal(
		cashu_info_parse(
			&i,
			STR("{\"name\":\"m\\u001b\",\"version\":\"Nutshell/0.20.3\",\"nuts\":{"
			    "\"4\":{\"methods\":[],\"disabled\":true},\"7\":{\"supported\":true},"
			    "\"9\":{\"supported\":false},\"11\":{\"supported\":true},\"15\":[],"
			    "\"19\":{\"ttl\":60,\"cached_endpoints\":[{\"method\":\"POST\","
			    "\"path\":\"/v1/swap\"}]},\"x\":1}}"),
			&e),
		0);
	assert_string_equal(i.name, "m?");
	assert_false(mint_info_has(&i, 4));
	assert_true(mint_info_has(&i, 7));
	assert_false(mint_info_has(&i, 9));
	assert_true(mint_info_has(&i, 11));
	assert_true(mint_info_has(&i, 15));
	assert_false(mint_info_has(&i, 12));
	assert_true(i.swap_cached);
	assert_int_equal(i.cache_ttl, 60);
	assert_false(i.swap_protected);
	assert_int_equal(
		cashu_info_parse(&i,
				 STR("{\"nuts\":{\"22\":{\"protected_endpoints\":[{\"method\":"
				     "\"POST\",\"path\":\"^/v1/.*\"}]}}}"),
				 &e),
		0);
	assert_true(i.swap_protected);
	assert_int_equal(cashu_info_parse(&i, STR("{}"), &e), -1);
}

#define LISTED(id, more) "{\"id\":\"" id "\",\"unit\":\"sat\",\"active\":true" more "}"

static void keysets_that_we_cannot_use_are_left_out(void **state)
{
	auto_keysets struct keysets s = {0};
	size_t left_out;
	struct err e;

	assert_int_equal(
		cashu_keysets_parse(
			&s, &left_out,
			STR("{\"keysets\":[" LISTED(
				ID,
				",\"input_fee_ppk\":100,\"final_expiry\":"
				"null") "," LISTED("02" S32,
						   "") "," LISTED("I2yN+iRYfkzT",
								  "") "," LISTED(ID2, ",\"input_"
										      "fee_ppk\":"
										      "10001") "]"
											       "}"),
			&e),
		0);
	assert_int_equal(s.n, 1);
	assert_int_equal(left_out, 3);
	assert_int_equal(s.v[0]->fee_ppk, 100);
	assert_true(s.v[0]->active);
	assert_int_equal(s.v[0]->final_expiry, 0);
	keysets_free(&s);
	assert_int_equal(cashu_keysets_parse(
				 &s, &left_out,
				 STR("{\"keysets\":[" LISTED(ID, "") "," LISTED(ID, "") "]}"), &e),
			 -1);
}

/* {"keysets":[{"id","unit","keys"}]} from a published keyset. */
static void keys_body(struct buf *b, const struct json *v, const struct keyset *k)
{
	struct str id = vector_text(v, "id");

	buf_printf(b, "{\"keysets\":[{\"id\":\"%.*s\",\"unit\":\"sat\",\"keys\":", (int)id.n, id.p);
	keyset_keys_write(b, k);
	buf_puts(b, "}]}");
}

static void keys_must_give_the_id(void **state)
{
	auto_json struct json *root = vectors_load("nut02_keyset_id");
	const struct json *v = vector_first(root, "v1");
	AUTO(keyset_free) struct keyset *k = keyset_new();
	AUTO(keyset_free) struct keyset *all = keyset_new();
	auto_buf struct buf body = BUF(1 << 16), bad = BUF(1 << 16);
	struct err e;

	assert_int_equal(keyset_id_parse(&k->id, vector_text(v, "id"), &e), 0);
	memcpy(k->unit, "sat", 4);
	assert_int_equal(keyset_keys_from_json(all, vector_at(v, "keys"), &e), 0);
	keys_body(&body, v, all);
	assert_int_equal(cashu_keys_parse(k, buf_view(&body), &e), 0);
	assert_int_equal(k->n, all->n);
	all->n--;
	keys_body(&bad, v, all);
	assert_int_equal(cashu_keys_parse(k, buf_view(&bad), &e), -1);
	assert_int_equal(k->n, 0);
	memcpy(k->unit, "usd", 4);
	assert_int_equal(cashu_keys_parse(k, buf_view(&body), &e), -1);
	k->id.b[3] ^= 1;
	assert_int_equal(cashu_keys_parse(k, buf_view(&body), &e), -1);
}

#define QUOTE(more) "{\"quote\":\"q-1\",\"request\":\"lnbc1\"" more "}"

static int mint_quote(const char *body, bool *paid, bool *issued)
{
	auto_mint_quote struct mint_quote q = {0};
	struct err e;
	int rc = cashu_mint_quote_parse(&q, str_of(body), &e);

	*paid = q.paid;
	*issued = q.issued;
	return rc;
}

static void quotes_of_both_ages_are_read(void **state)
{
	bool paid, issued;

	assert_int_equal(mint_quote(QUOTE(",\"state\":\"UNPAID\",\"expiry\":null"), &paid, &issued),
			 0);
	assert_false(paid || issued);
	assert_int_equal(mint_quote(QUOTE(",\"state\":\"PAID\",\"expiry\":9"), &paid, &issued), 0);
	assert_true(paid && !issued);
	assert_int_equal(mint_quote(QUOTE(",\"state\":\"ISSUED\""), &paid, &issued), 0);
	assert_true(!paid && issued);
	assert_int_equal(
		mint_quote(QUOTE(",\"amount_paid\":8,\"amount_issued\":0"), &paid, &issued), 0);
	assert_true(paid && !issued);
	assert_int_equal(
		mint_quote(QUOTE(",\"amount_paid\":8,\"amount_issued\":8"), &paid, &issued), 0);
	assert_true(!paid && issued);
	assert_int_equal(mint_quote(QUOTE(""), &paid, &issued), -1);
	assert_int_equal(mint_quote("{\"quote\":\"../x\",\"request\":\"l\",\"state\":\"PAID\"}",
				    &paid, &issued),
			 -1);
	assert_int_equal(
		mint_quote("{\"quote\":\"\",\"request\":\"l\",\"state\":\"PAID\"}", &paid, &issued),
		-1);
}

static void quote_bodies_are_exact(void **state)
{
	struct output out = {.pub = asked[0]};
	const struct outputs outputs = {&out, 1};
	const uint8_t sig[64] = {0xff};
	auto_buf struct buf b = BUF(4096);

	cashu_mint_quote_body(&b, SAT(21), "sat", NULL);
	assert_string_equal(b.p, "{\"amount\":21,\"unit\":\"sat\"}");
	buf_reset(&b);
	cashu_mint_quote_body(&b, SAT(21), "sat", asked[0].b);
	assert_string_equal(b.p, "{\"amount\":21,\"unit\":\"sat\",\"pubkey\":\"" P1 "\"}");
	buf_reset(&b);
	cashu_mint_body(&b, STR("q"), &outputs, NULL);
	assert_string_equal(b.p, "{\"quote\":\"q\",\"outputs\":[" OUT("1", P1) "]}");
	buf_reset(&b);
	cashu_mint_body(&b, STR("q"), &outputs, sig);
	assert_non_null(strstr(b.p, ",\"signature\":\"ff00"));
	buf_reset(&b);
	cashu_melt_quote_body(&b, STR("lnbc1"), "sat", MSAT(0));
	assert_string_equal(b.p, "{\"request\":\"lnbc1\",\"unit\":\"sat\"}");
	buf_reset(&b);
	cashu_melt_quote_body(&b, STR("lnbc1"), "sat", MSAT(21000));
	assert_string_equal(b.p, "{\"request\":\"lnbc1\",\"unit\":\"sat\",\"options\":"
				 "{\"amountless\":{\"amount_msat\":21000}}}");
}

static void melts_are_read(void **state)
{
	auto_melt_quote struct melt_quote q = {0};
	struct err e;

	assert_int_equal(
		cashu_melt_parse(&q,
				 STR("{\"quote\":\"q\",\"amount\":10,\"fee_reserve\":2,\"state\":"
				     "\"PAID\",\"expiry\":5,\"payment_preimage\":\"ab\","
				     "\"change\":[" SIG("2", ID, P1) "]}"),
				 &e),
		0);
	assert_int_equal(q.state, MELT_PAID);
	assert_int_equal(sat_raw(q.fee_reserve), 2);
	assert_string_equal(q.preimage, "ab");
	assert_int_equal(q.change.n, 1);
	melt_quote_free(&q);
	assert_int_equal(
		cashu_melt_parse(&q,
				 STR("{\"quote\":\"q\",\"amount\":10,\"fee_reserve\":2,\"state\":"
				     "\"LOST\"}"),
				 &e),
		-1);
}

static void url_is(const char *in, const char *due)
{
	auto_free char *url = NULL;
	int rc = mint_url_normalise(&url, str_of(in), NULL);

	if (rc != (due ? 0 : -1) || (due && strcmp(url, due) != 0))
		fail_msg("%s gives %s", in, url ? url : "nothing");
}

static void urls_have_one_spelling(void **state)
{
	url_is("https://Mint.Example.COM/", "https://mint.example.com");
	url_is("HTTPS://mint.example:443//", "https://mint.example");
	url_is("http://mint.example:80", "http://mint.example");
	url_is("https://mint.example:80/Bitcoin/", "https://mint.example:80/Bitcoin");
	url_is("http://127.0.0.1:3338", "http://127.0.0.1:3338");
	url_is("http://[::1]:3338/", "http://[::1]:3338");
	url_is("http://localhost/Bitcoin:3338", "http://localhost/Bitcoin:3338");
	url_is("https://user@mint.example", NULL);
	url_is("https://mint.example?x", NULL);
	url_is("https://mint.example/#x", NULL);
	url_is("https://mint.example/a/../b", NULL);
	url_is("https://mint.example/a//b", NULL);
	url_is("https://mint.example/%41", NULL);
	url_is("https://mint.example/a b", NULL);
	url_is("https://mint.example.", NULL);
	url_is("https://m\xc3\xbcnt.example", NULL);
	url_is("https://mint.example:0", NULL);
	url_is("https://mint.example:65536", NULL);
	url_is("https://mint.example:", NULL);
	url_is("https://mint.example:0443", NULL);
	url_is("https://", NULL);
	url_is("ftp://mint.example", NULL);
	url_is("mint.example", NULL);
	url_is("", NULL);
}

static void fault_is(int status, bool sent, const char *body, enum mint_fault_kind kind, int code)
{
	const struct http_answer a = {.status = status,
				      .sent = sent,
				      .body = str_of(body),
				      .retry_after = -1,
				      .error = "why"};
	struct mint_fault f;

	mint_fault_of(&f, &a);
	if (f.kind != kind || f.code != code)
		fail_msg("%d %s: kind %s, code %d", status, body, mint_fault_name(f.kind), f.code);
}

static void faults_say_what_is_known(void **state)
{
	auto_json struct json *root = vectors_load("error_codes");

	for (const struct json *v = vector_first(root, "codes"); v; v = json_next(v)) {
		int code = (int)vector_number(v, "code");
		auto_free char *body = mem_printf("{\"detail\":\"no\",\"code\":%d}", code);

		fault_is(400, true, body, MINT_REFUSED, code);
	}
	fault_is(0, false, "", MINT_UNREACHABLE, 0);
	fault_is(0, true, "", MINT_UNKNOWN, 0);
	fault_is(422, true, "Invalid id", MINT_REFUSED, 0);
	fault_is(422, true, "{\"detail\":[{\"loc\":[]}]}", MINT_REFUSED, 0);
	fault_is(429, true, "{\"detail\":\"Rate limit exceeded.\"}", MINT_LIMITED, 0);
	fault_is(408, true, "", MINT_UNKNOWN, 0);
	fault_is(500, true, "{\"code\":11001}", MINT_UNKNOWN, 11001);
	fault_is(502, true, "<html>", MINT_UNKNOWN, 0);
	fault_is(302, true, "", MINT_UNKNOWN, 0);
	fault_is(400, true, "{\"code\":-1}", MINT_REFUSED, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(swap_body_has_no_dleq),
		cmocka_unit_test(signatures_must_fit),
		cmocka_unit_test(states_are_put_in_order),
		cmocka_unit_test(states_must_be_complete),
		cmocka_unit_test(restored_outputs_are_matched_by_b),
		cmocka_unit_test(restore_gives_only_what_was_asked),
		cmocka_unit_test(info_is_read),
		cmocka_unit_test(keysets_that_we_cannot_use_are_left_out),
		cmocka_unit_test(keys_must_give_the_id),
		cmocka_unit_test(quotes_of_both_ages_are_read),
		cmocka_unit_test(quote_bodies_are_exact),
		cmocka_unit_test(melts_are_read),
		cmocka_unit_test(urls_have_one_spelling),
		cmocka_unit_test(faults_say_what_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
