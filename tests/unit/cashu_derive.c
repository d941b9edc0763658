/* What follows from a seed (NUT-13, NUT-20 keys, ours), and NUT-20 messages. */
#include <string.h>

#include "base/mem.h"
#include "cashu/derive.h"
#include "cashu/lock.h"
#include "cashu/quote.h"
#include "cashu_vectors.h"

static struct seed seed_of(const struct json *root)
{
	struct seed s;

	vector_hex(s.b, sizeof(s.b), root, "bip39_seed_hex_derived");
	return s;
}

static void outputs_match_nut13(void **state)
{
	static const char *const versions[] = {"v1", "v2"};
	auto_json struct json *root = vectors_load("nut13_derivation");
	struct seed seed = seed_of(root);

	for (size_t i = 0; i < 2; i++) {
		const struct json *part = vector_at(root, versions[i]);
		struct keyset_id id;

		assert_int_equal(keyset_id_parse(&id, vector_text(part, "keyset_id"), NULL), 0);
		for (const struct json *v = vector_first(part, "vectors"); v; v = json_next(v)) {
			struct secret secret = vector_secret(v, "secret"),
				      r = vector_secret(v, "r");
			struct derived d;
			struct err e;

			if (derive_output(&d, &seed, &id, vector_number(v, "counter"), &e))
				fail_msg("%s", e.msg);
			assert_memory_equal(d.secret.b, secret.b, 32);
			assert_memory_equal(d.r.b, r.b, 32);
		}
	}
}

static void odd_keysets_derive_nothing(void **state)
{
	auto_json struct json *root = vectors_load("nut13_derivation");
	const struct keyset_id shortened = {8, {1, 2, 3}}, v1 = {8, {0, 2, 3}};
	struct seed seed = seed_of(root);
	struct derived d;

	assert_int_equal(derive_output(&d, &seed, &shortened, 0, NULL), -1);
	assert_int_equal(derive_output(&d, &seed, &v1, 0x80000000u, NULL), -1);
	assert_int_equal(derive_output(&d, &seed, &v1, 0x7fffffffu, NULL), 0);
}

/* The same path gives the same token again; any other step of the path gives another. */
static void refunds_are_repeatable_and_apart(void **state)
{
	auto_json struct json *root = vectors_load("nut13_derivation");
	struct seed seed = seed_of(root);
	const struct refund_path paths[] = {
		{STR("lease-a"), 0, 0}, {STR("lease-a"), 0, 1},	  {STR("lease-a"), 1, 0},
		{STR("lease-b"), 0, 0}, {STR("lease-a\0"), 0, 0},
	};
	struct derived d[ARRAY_SIZE(paths)], again;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		assert_int_equal(derive_refund(&d[i], &seed, &paths[i], NULL), 0);
		assert_int_equal(derive_refund(&again, &seed, &paths[i], NULL), 0);
		assert_memory_equal(&d[i], &again, sizeof(again));
		assert_true(scalar_valid(again.r.b));
		for (size_t k = 0; k < i; k++) {
			assert_memory_not_equal(d[i].secret.b, d[k].secret.b, 32);
			assert_memory_not_equal(d[i].r.b, d[k].r.b, 32);
		}
	}
	assert_int_equal(derive_refund(&again, &seed, &(struct refund_path){{0}, 0, 0}, NULL), -1);
}

static void payment_keys_differ_by_mint_and_agent(void **state)
{
	auto_json struct json *root = vectors_load("nut13_derivation");
	struct seed seed = seed_of(root), other = seed;
	struct secret k[4], again;

	other.b[0] ^= 1;
	derive_payment_key(&k[0], &seed, STR("agent1"), STR("https://a"));
	derive_payment_key(&k[1], &seed, STR("agent2"), STR("https://a"));
	derive_payment_key(&k[2], &seed, STR("agent1"), STR("https://b"));
	derive_payment_key(&k[3], &other, STR("agent1"), STR("https://a"));
	derive_payment_key(&again, &seed, STR("agent1"), STR("https://a"));
	assert_memory_equal(&again, &k[0], sizeof(again));
	for (size_t i = 0; i < 4; i++) {
		assert_true(scalar_valid(k[i].b));
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(&k[i], &k[j], sizeof(again));
	}
}

static void quote_keys_match_nut20(void **state)
{
	auto_json struct json *seeds = vectors_load("nut13_derivation");
	auto_json struct json *root = vectors_load("nut20_mint_quote_signature");
	const struct json *part = vector_at(root, "quote_key_derivation");
	struct seed seed = seed_of(seeds); /* of the same words */
	uint32_t counter = 0;

	assert_true(str_eq(vector_text(part, "mnemonic"), vector_text(seeds, "mnemonic")));
	for (const struct json *v = vector_first(part, "pubkeys"); v; v = json_next(v)) {
		struct lock_key due, have;
		struct secret k;

		assert_int_equal(lock_key_parse(&due, vector_string(v), NULL), 0);
		assert_int_equal(derive_quote_key(&k, &seed, counter++, NULL), 0);
		assert_true(lock_key_of(&have, &k));
		assert_memory_equal(have.b, due.b, sizeof(due.b));
	}
}

static bool quote_accepts(const struct json *part, const char *which, enum quote_format f)
{
	const struct json *v = vector_at(part, which);
	struct blinded outputs[8];
	uint8_t hash[32], sig[64], key[POINT_COMPRESSED];
	size_t n = 0;

	for (const struct json *o = vector_first(v, "outputs"); o; o = json_next(o))
		assert_int_equal(blinded_from_json(&outputs[n++], o, NULL), 0);
	vector_hex(sig, sizeof(sig), v, "signature");
	vector_hex(key, sizeof(key), part, "pubkey");
	quote_hash(hash, f, vector_text(v, "quote"), outputs, n);
	return quote_verify(sig, hash, key);
}

static void quote_signatures_match_nut20(void **state)
{
	auto_json struct json *root = vectors_load("nut20_mint_quote_signature");
	const struct json *legacy = vector_at(root, "legacy");
	const struct json *framed = vector_at(root, "length_framed");

	assert_true(quote_accepts(legacy, "valid", QUOTE_LEGACY));
	assert_false(quote_accepts(legacy, "valid", QUOTE_FRAMED));
	assert_false(quote_accepts(legacy, "invalid_signature", QUOTE_LEGACY));
	assert_true(quote_accepts(framed, "valid", QUOTE_FRAMED));
	assert_false(quote_accepts(framed, "valid", QUOTE_LEGACY));
}

static void our_quote_signatures_verify(void **state)
{
	auto_json struct json *root = vectors_load("nut20_mint_quote_signature");
	const struct json *framed = vector_at(root, "length_framed");
	struct secret k = vector_secret(framed, "secret_key");
	const struct blinded outputs[] = {{.amount = SAT(256), .b = {2, 1}}};
	uint8_t hash[32], sig[64], key[POINT_COMPRESSED];

	vector_hex(key, sizeof(key), framed, "pubkey");
	quote_hash(hash, QUOTE_FRAMED, STR("q"), outputs, 1);
	quote_sign(sig, hash, &k);
	assert_true(quote_verify(sig, hash, key));
	hash[0] ^= 1;
	assert_false(quote_verify(sig, hash, key));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(outputs_match_nut13),
		cmocka_unit_test(odd_keysets_derive_nothing),
		cmocka_unit_test(refunds_are_repeatable_and_apart),
		cmocka_unit_test(payment_keys_differ_by_mint_and_agent),
		cmocka_unit_test(quote_keys_match_nut20),
		cmocka_unit_test(quote_signatures_match_nut20),
		cmocka_unit_test(our_quote_signatures_verify),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
