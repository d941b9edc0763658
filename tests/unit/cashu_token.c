/* Token text: NUT-00 vectors, tokens of other implementations, limits, and what must be refused. */
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "cashu/cbor.h"
#include "cashu/token.h"
#include "cashu_vectors.h"

static struct cashu_token *decode(struct str text)
{
	struct cashu_token *t = NULL;
	struct err e;

	if (token_decode(&t, text, TOKEN_LIMITS_WALLET, &e))
		fail_msg("%.*s: %s", (int)text.n, text.p, e.msg);
	return t;
}

static void refuse(struct str text)
{
	struct cashu_token *t = NULL;
	struct err e;

	if (token_decode(&t, text, TOKEN_LIMITS_REQUEST, &e) != -1)
		fail_msg("taken: %.*s", (int)text.n, text.p);
	assert_null(t);
}

static void compare_proof_v3(const struct proof *p, const struct json *j)
{
	uint8_t c[POINT_COMPRESSED];
	char id[KEYSET_ID_TEXT];

	assert_int_equal(sat_raw(p->amount), vector_number(j, "amount"));
	assert_true(str_is(vector_text(j, "secret"), p->secret));
	vector_hex(c, sizeof(c), j, "C");
	assert_memory_equal(p->c, c, sizeof(c));
	keyset_id_text(id, &p->id);
	assert_true(str_is(vector_text(j, "id"), id));
}

static void v3_reads_nut00(void **state)
{
	auto_json struct json *root = vectors_load("nut00_token_v3");

	for (const struct json *v = vector_first(root, "valid"); v; v = json_next(v)) {
		const struct json *due = vector_at(v, "decoded_json");
		const struct json *entry = json_first(vector_at(due, "token"));
		AUTO(token_free)
		struct cashu_token *t = decode(vector_text(v, "serialized"));
		size_t i = 0;

		assert_true(str_is(vector_text(entry, "mint"), t->mint));
		assert_true(str_is(vector_text(due, "unit"), t->unit));
		assert_true(str_is(vector_text(due, "memo"), t->memo));
		assert_int_equal(t->proofs.n, json_count(vector_at(entry, "proofs")));
		for (const struct json *p = vector_first(entry, "proofs"); p; p = json_next(p))
			compare_proof_v3(&t->proofs.v[i++], p);
	}
	for (const struct json *v = vector_first(root, "invalid"); v; v = json_next(v))
		refuse(vector_text(v, "serialized"));
}

static void compare_v4(const struct cashu_token *t, const struct json *due)
{
	size_t i = 0;

	assert_true(str_is(vector_text(due, "m"), t->mint));
	assert_true(str_is(vector_text(due, "u"), t->unit));
	for (const struct json *group = vector_first(due, "t"); group; group = json_next(group))
		for (const struct json *j = vector_first(group, "p"); j; j = json_next(j)) {
			const struct proof *p = &t->proofs.v[i++];
			uint8_t c[POINT_COMPRESSED];
			char id[KEYSET_ID_TEXT];

			assert_true(i <= t->proofs.n);
			assert_int_equal(sat_raw(p->amount), vector_number(j, "a"));
			assert_true(str_is(vector_text(j, "s"), p->secret));
			vector_hex(c, sizeof(c), j, "c");
			assert_memory_equal(p->c, c, sizeof(c));
			keyset_id_text(id, &p->id);
			assert_true(str_is(vector_text(group, "i"), id));
		}
	assert_int_equal(i, t->proofs.n);
}

/* Also writes: the published bytes come back where their order of members is ours. */
static void v4_reads_and_writes_nut00(void **state)
{
	auto_json struct json *root = vectors_load("nut00_token_v4");

	for (const struct json *v = vector_first(root, "vectors"); v; v = json_next(v)) {
		struct str text = vector_text(v, "serialized");
		AUTO(token_free) struct cashu_token *t = decode(text);
		auto_buf struct buf again = BUF(4096);

		compare_v4(t, vector_at(v, "decoded"));
		while (text.n > 0 && text.p[text.n - 1] == '=')
			text.n--;
		assert_int_equal(token_encode(&again, t, NULL), 0);
		assert_true(str_eq(buf_view(&again), text));
	}
}

static void raw_reads_nut00(void **state)
{
	auto_json struct json *root = vectors_load("nut00_token_v4");

	for (const struct json *v = vector_first(root, "raw_binary"); v; v = json_next(v)) {
		struct str hex = vector_text(v, "token_hex");
		uint8_t raw[1024];

		assert_int_equal(hex_decode(raw, hex.n / 2, hex, NULL), 0);
		{
			AUTO(token_free)
			struct cashu_token *t = decode((struct str){(char *)raw, hex.n / 2});

			compare_v4(t, vector_at(v, "decoded"));
		}
	}
}

static void compare_interop(const struct cashu_token *t, const struct json *v)
{
	const struct json *unit = json_get(v, "unit"), *memo = json_get(v, "memo");
	size_t dleq = 0, witness = 0;
	struct sat sum;

	for (size_t i = 0; i < t->proofs.n; i++) {
		dleq += t->proofs.v[i].dleq.present;
		witness += t->proofs.v[i].witness != NULL;
	}
	assert_int_equal(proofs_sum(&sum, &t->proofs, NULL), 0);
	assert_int_equal(sat_raw(sum), vector_number(v, "amount"));
	assert_int_equal(t->proofs.n, vector_number(v, "proofs"));
	assert_int_equal(dleq, vector_number(v, "with_dleq"));
	assert_int_equal(witness, vector_number(v, "with_witness"));
	assert_true(str_is(vector_string(json_first(vector_at(v, "mints"))), t->mint));
	assert_true(unit ? str_is(vector_string(unit), t->unit) : str_is(STR("sat"), t->unit));
	assert_true(memo ? str_is(vector_string(memo), t->memo) : !t->memo);
	for (const struct json *id = vector_first(v, "keyset_ids"); id; id = json_next(id)) {
		size_t found = 0;

		for (size_t i = 0; i < t->proofs.n; i++) {
			char text[KEYSET_ID_TEXT];

			keyset_id_text(text, &t->proofs.v[i].id);
			found += str_is(vector_string(id), text);
		}
		assert_true(found > 0);
	}
}

static void tokens_of_others_read(void **state)
{
	auto_json struct json *root = vectors_load("token_interop");

	for (const struct json *v = vector_first(root, "vectors"); v; v = json_next(v)) {
		auto_free char *uri = NULL;
		struct str text = vector_text(v, "token");
		AUTO(token_free) struct cashu_token *t = decode(text);

		compare_interop(t, v);
		uri = mem_printf(" cashu:%.*s\n", (int)text.n, text.p);
		{
			AUTO(token_free) struct cashu_token *same = decode(str_of(uri));

			compare_interop(same, v);
		}
	}
}

/* What a wallet sends: several keysets, DLEQ, witness, a v2 id that becomes short. */
static void writing_and_reading_is_identity(void **state)
{
	AUTO(token_free)
	struct cashu_token *t = token_new("https://mint.example", "sat", "hi"), *u = NULL;
	auto_buf struct buf text = BUF(1 << 16), again = BUF(1 << 16);

	for (unsigned i = 0; i < 4; i++) {
		struct proof p = {.amount = SAT(1u << i), .c = {2, (uint8_t)i}};

		p.id = i % 2 ? (struct keyset_id){8, {0, 1}} : (struct keyset_id){33, {1, 1}};
		p.secret = mem_printf("[\"P2PK\",{\"n\":\"%u\\u00e9\"}]", i);
		p.witness = i == 3 ? mem_strdup("{\"signatures\":[]}") : NULL;
		p.dleq = (struct dleq){i > 0, {1}, {2}, i > 1, {{3}}};
		proofs_add_take(&t->proofs, &p);
	}
	assert_int_equal(token_encode(&text, t, NULL), 0);
	u = decode(buf_view(&text));
	assert_int_equal(u->proofs.n, 4);
	assert_int_equal(u->proofs.v[0].id.n, KEYSET_ID_SHORT);
	assert_string_equal(u->proofs.v[1].secret, t->proofs.v[2].secret); /* grouped by keyset */
	assert_true(u->proofs.v[1].dleq.has_r);
	assert_string_equal(u->proofs.v[3].witness, "{\"signatures\":[]}");
	assert_int_equal(token_encode(&again, u, NULL), 0);
	assert_true(str_eq(buf_view(&text), buf_view(&again)));
}

static struct cashu_token *big_token(size_t n)
{
	struct cashu_token *t = token_new("https://mint.example", "sat", NULL);

	for (size_t i = 0; i < n; i++) {
		struct proof p = {.amount = SAT(1), .id = {8, {0}}, .c = {2}};

		p.secret = mem_printf("%zu", i);
		proofs_add_take(&t->proofs, &p);
	}
	return t;
}

static void limits_hold(void **state)
{
	const size_t sizes[] = {64, 65, PROOFS_MAX, PROOFS_MAX + 1};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		AUTO(token_free) struct cashu_token *t = big_token(sizes[i]), *u = NULL;
		auto_buf struct buf text = BUF(1 << 20);
		struct err e;

		assert_int_equal(token_encode(&text, t, NULL), 0);
		assert_int_equal(token_decode(&u, buf_view(&text), TOKEN_LIMITS_REQUEST, &e),
				 sizes[i] <= 64 ? 0 : -1);
		assert_true(sizes[i] <= 64 || e.kind == ERRK_LIMIT);
		token_free(steal(&u));
		assert_int_equal(token_decode(&u, buf_view(&text), TOKEN_LIMITS_WALLET, NULL),
				 sizes[i] <= PROOFS_MAX ? 0 : -1);
	}
}

/* {"t":[{"i":id,"p":[proof, proof]}],"m":…,"u":…} with two proofs; `same`: of one secret. */
static void v4_text(struct buf *out, const char *first_secret, const char *second_secret,
		    uint64_t amount)
{
	auto_buf struct buf raw = BUF(4096);
	const char *secrets[] = {first_secret, second_secret};

	cbor_put_map(&raw, 3);
	cbor_put_text(&raw, STR("m"));
	cbor_put_text(&raw, STR("https://m"));
	cbor_put_text(&raw, STR("u"));
	cbor_put_text(&raw, STR("sat"));
	cbor_put_text(&raw, STR("t"));
	cbor_put_array(&raw, 1);
	cbor_put_map(&raw, 2);
	cbor_put_text(&raw, STR("i"));
	cbor_put_bytes(&raw, "\0\1\2\3\4\5\6\7", 8);
	cbor_put_text(&raw, STR("p"));
	cbor_put_array(&raw, 2);
	for (size_t i = 0; i < 2; i++) {
		uint8_t c[POINT_COMPRESSED] = {2, (uint8_t)i};

		cbor_put_map(&raw, 3);
		cbor_put_text(&raw, STR("a"));
		cbor_put_u64(&raw, amount);
		cbor_put_text(&raw, STR("s"));
		cbor_put_text(&raw, str_of(secrets[i]));
		cbor_put_text(&raw, STR("c"));
		cbor_put_bytes(&raw, c, sizeof(c));
	}
	buf_reset(out);
	buf_puts(out, "cashuB");
	base64_encode(out, raw.p, raw.n, BASE64_URL);
}

static void bad_proofs_are_refused(void **state)
{
	auto_buf struct buf text = BUF(8192);

	v4_text(&text, "one", "two", 1);
	token_free(decode(buf_view(&text)));
	v4_text(&text, "one", "one", 1); /* twice the same money */
	refuse(buf_view(&text));
	v4_text(&text, "one", "two", 0);
	refuse(buf_view(&text));
	v4_text(&text, "one", "two", AMOUNT_MSAT_MAX / 1000); /* sum overflows */
	refuse(buf_view(&text));
	v4_text(&text, "one", "two", (uint64_t)1 << 63);
	refuse(buf_view(&text));
	v4_text(&text, "", "two", 1);
	refuse(buf_view(&text));
	v4_text(&text, "\xff", "two", 1); /* not UTF-8 */
	refuse(buf_view(&text));
}

static void odd_texts_are_refused(void **state)
{
	refuse(STR(""));
	refuse(STR("cashuA"));
	refuse(STR("cashuB"));
	refuse(STR("cashuC"));
	refuse(STR("crawB"));
	refuse(STR("crawB\xbf\xff")); /* a map of indefinite length */
	refuse(STR("crawB\xa1\x61t\x9a\xff\xff\xff\xff"));
	refuse(STR("cashuB!!!!"));
	refuse(STR("cashuAe30")); /* {} */
	/* two mints: {"token":[{"mint":"a","proofs":[…]},{"mint":"b","proofs":[…]}]} */
	{
		const char *json =
			"{\"token\":[{\"mint\":\"a\",\"proofs\":[{\"amount\":1,\"id\":"
			"\"0011223344556677\","
			"\"secret\":\"x\",\"C\":"
			"\"02aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			"aaaaaaaaaa\"}]},{\"mint\":\"b\",\"proofs\":[{\"amount\":1,\"id\":"
			"\"0011223344556677\",\"secret\":\"y\",\"C\":"
			"\"02aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}]}]}";
		auto_buf struct buf text = BUF(4096);

		buf_puts(&text, "cashuA");
		base64_encode(&text, json, strlen(json), BASE64_URL);
		refuse(buf_view(&text));
	}
}

static void cbor_is_strict(void **state)
{
	struct cbor c;
	uint64_t n;
	struct str s;

	c = cbor_of((struct str){"\x1b\x7f\xff\xff\xff\xff\xff\xff\xff", 9});
	assert_int_equal(cbor_u64(&c, &n, NULL), 0);
	assert_true(n == INT64_MAX);
	c = cbor_of((struct str){"\x1b\x80\0\0\0\0\0\0\1", 9});
	assert_int_equal(cbor_u64(&c, &n, NULL), -1);
	c = cbor_of(STR("\x5f")); /* indefinite */
	assert_int_equal(cbor_bytes(&c, 9, &s, NULL), -1);
	c = cbor_of(STR("\x5b\xff\xff\xff\xff\xff\xff\xff\xff"));
	assert_int_equal(cbor_bytes(&c, SIZE_MAX, &s, NULL), -1);
	c = cbor_of(STR("\x81\x81\x81\x81\x81\x81\x81\x81\x81\x01")); /* nine deep */
	assert_int_equal(cbor_skip(&c, NULL), -1);
	c = cbor_of(STR("\x81\x81\x81\x81\x81\x81\x81\x01"));
	assert_int_equal(cbor_skip(&c, NULL), 0);
	assert_true(cbor_end(&c));
	c = cbor_of(STR("\x9b\x7f\xff\xff\xff\xff\xff\xff\xff\x01"));
	assert_int_equal(cbor_skip(&c, NULL), -1);
	c = cbor_of(STR("\xbb\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
	assert_int_equal(cbor_skip(&c, NULL), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(v3_reads_nut00),
		cmocka_unit_test(v4_reads_and_writes_nut00),
		cmocka_unit_test(raw_reads_nut00),
		cmocka_unit_test(tokens_of_others_read),
		cmocka_unit_test(writing_and_reading_is_identity),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(bad_proofs_are_refused),
		cmocka_unit_test(odd_texts_are_refused),
		cmocka_unit_test(cbor_is_strict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
