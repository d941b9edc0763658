/* Keyset ids, keys, resolution and fees: NUT-01 and NUT-02 vectors. */
#include <string.h>

#include "base/mem.h"
#include "cashu/keyset.h"
#include "cashu/proof.h"
#include "cashu_vectors.h"

static struct keyset *keyset_of(const struct json *v)
{
	struct keyset *k = keyset_new();
	struct err e;

	if (keyset_id_parse(&k->id, vector_text(v, "id"), &e) ||
	    keyset_keys_from_json(k, vector_at(v, "keys"), &e))
		fail_msg("%s", e.msg);
	if (json_get(v, "unit")) {
		struct str unit = vector_text(v, "unit");

		memcpy(k->unit, unit.p, unit.n);
	}
	if (json_get(v, "input_fee_ppk"))
		k->fee_ppk = (uint32_t)vector_number(v, "input_fee_ppk");
	if (json_get(v, "final_expiry"))
		k->final_expiry = (int64_t)vector_number(v, "final_expiry");
	return k;
}

static void ids_follow_from_keys(void **state)
{
	static const char *const lists[] = {"v1", "v2"};
	auto_json struct json *root = vectors_load("nut02_keyset_id");

	for (size_t i = 0; i < 2; i++)
		for (const struct json *v = vector_first(root, lists[i]); v; v = json_next(v)) {
			AUTO(keyset_free) struct keyset *k = keyset_of(v);
			struct err e;

			if (keyset_verify(k, &e))
				fail_msg("%s", e.msg);
			k->keys[0].bytes[5] ^= 1;
			assert_int_equal(keyset_verify(k, NULL), -1);
		}
}

/* The fee is part of a v2 id, not of a v1 id. */
static void fee_is_bound_in_v2(void **state)
{
	auto_json struct json *root = vectors_load("nut02_keyset_id");
	AUTO(keyset_free) struct keyset *k = keyset_of(vector_first(root, "v2"));

	k->fee_ppk++;
	assert_int_equal(keyset_verify(k, NULL), -1);
}

static void short_ids_resolve_or_are_ambiguous(void **state)
{
	auto_json struct json *root = vectors_load("nut02_keyset_id");
	auto_keysets struct keysets s = {0};
	const struct keyset *found;
	struct keyset *twin;
	struct keyset_id id;

	for (const struct json *v = vector_first(root, "v2"); v; v = json_next(v))
		keysets_add_take(&s, keyset_of(v));
	for (const struct json *v = vector_first(root, "v2"); v; v = json_next(v)) {
		assert_int_equal(keyset_id_parse(&id, vector_text(v, "short_id"), NULL), 0);
		assert_int_equal(keysets_resolve(&found, &s, &id), KEYSET_FOUND);
		assert_int_equal(keyset_id_parse(&id, vector_text(v, "id"), NULL), 0);
		assert_true(keyset_id_eq(&found->id, &id));
	}
	twin = keyset_of(vector_first(root, "v2"));
	twin->id.b[20] ^= 1;
	keysets_add_take(&s, twin);
	assert_int_equal(keysets_resolve(&found, &s, &s.v[0]->id), KEYSET_FOUND);
	id = (struct keyset_id){.n = KEYSET_ID_SHORT};
	memcpy(id.b, s.v[0]->id.b, KEYSET_ID_SHORT);
	assert_int_equal(keysets_resolve(&found, &s, &id), KEYSET_AMBIGUOUS);
	id.b[7] ^= 1;
	assert_int_equal(keysets_resolve(&found, &s, &id), KEYSET_NOT_FOUND);
	id.b[0] = 2; /* BLS keysets to come */
	assert_int_equal(keysets_resolve(&found, &s, &id), KEYSET_BAD_VERSION);
	assert_int_equal(keyset_id_parse(&id, STR("I2yN+iRYfkzT"), NULL), 0);
	assert_int_equal(keysets_resolve(&found, &s, &id), KEYSET_BAD_VERSION);
}

static void keys_are_checked_as_nut01_says(void **state)
{
	auto_json struct json *root = vectors_load("nut01_keys");
	AUTO(keyset_free) struct keyset *k = keyset_new();

	for (const struct json *v = vector_first(root, "invalid"); v; v = json_next(v))
		assert_int_equal(keyset_keys_from_json(k, vector_at(v, "keys"), NULL), -1);
	for (const struct json *v = vector_first(root, "valid"); v; v = json_next(v)) {
		AUTO(keyset_free) struct keyset *same = keyset_new();
		auto_buf struct buf text = BUF(1 << 16);

		assert_int_equal(keyset_keys_from_json(k, vector_at(v, "keys"), NULL), 0);
		keyset_keys_write(&text, k);
		assert_int_equal(keyset_keys_parse(same, buf_view(&text), NULL), 0);
		assert_int_equal(same->n, k->n);
		assert_memory_equal(same->keys, k->keys, k->n * sizeof(*k->keys));
		assert_ptr_equal(keyset_find_key(k, SAT(4)), &k->keys[2]);
		assert_null(keyset_find_key(k, SAT(3)));
	}
	assert_int_equal(keyset_keys_parse(k, STR("{}"), NULL), -1);
	assert_int_equal(keyset_keys_parse(k, STR("[]"), NULL), -1);
	assert_int_equal(keyset_keys_parse(k, STR("{\"0\":\"02\"}"), NULL), -1);
}

static void fees_round_up(void **state)
{
	struct keyset k = {.fee_ppk = 100};

	assert_int_equal(sat_raw(keyset_fee_of(&k, 0)), 0);
	assert_int_equal(sat_raw(keyset_fee_of(&k, 1)), 1);
	assert_int_equal(sat_raw(keyset_fee_of(&k, 10)), 1);
	assert_int_equal(sat_raw(keyset_fee_of(&k, 11)), 2);
	assert_int_equal(sat_raw(keyset_fee(0)), 0);
	assert_int_equal(sat_raw(keyset_fee(1001)), 2);
}

static struct keyset *listed(uint8_t name, uint32_t fee, int64_t expiry)
{
	struct keyset *k = keyset_new();

	k->id = (struct keyset_id){KEYSET_ID_V1, {0, name}};
	memcpy(k->unit, "sat", 4);
	k->active = true;
	k->fee_ppk = fee;
	k->final_expiry = expiry;
	return k;
}

static void choice_is_cheap_and_lasting(void **state)
{
	auto_keysets struct keysets s = {0};
	const int64_t now = 1000000;

	assert_null(keysets_choose(&s, "sat", now));
	keysets_add_take(&s, listed(1, 0, now + 10)); /* about to expire */
	assert_null(keysets_choose(&s, "sat", now));
	keysets_add_take(&s, listed(2, 100, 0));
	assert_int_equal(keysets_choose(&s, "sat", now)->id.b[1], 2);
	keysets_add_take(&s, listed(3, 10, now + 100000));
	keysets_add_take(&s, listed(4, 10, now + 200000));
	assert_int_equal(keysets_choose(&s, "sat", now)->id.b[1], 4);
	keysets_add_take(&s, listed(5, 10, 0));
	assert_int_equal(keysets_choose(&s, "sat", now)->id.b[1], 5);
	s.v[4]->active = false;
	assert_int_equal(keysets_choose(&s, "sat", now)->id.b[1], 4);
	assert_null(keysets_choose(&s, "usd", now));
}

static void fee_of_proofs_counts_each_keyset(void **state)
{
	auto_keysets struct keysets s = {0};
	struct proof v[3] = {{.amount = SAT(1)}, {.amount = SAT(2)}, {.amount = SAT(4)}};
	const struct proofs proofs = {v, 3};
	struct sat fee;

	keysets_add_take(&s, listed(1, 100, 0));
	keysets_add_take(&s, listed(2, 900, 0));
	v[0].id = v[1].id = s.v[0]->id;
	v[2].id = s.v[1]->id;
	assert_int_equal(proofs_fee(&fee, &proofs, &s, NULL), 0);
	assert_int_equal(sat_raw(fee), 2); /* ceil(1.1) */
	v[2].id.b[1] = 9;
	assert_int_equal(proofs_fee(&fee, &proofs, &s, NULL), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_follow_from_keys),
		cmocka_unit_test(fee_is_bound_in_v2),
		cmocka_unit_test(short_ids_resolve_or_are_ambiguous),
		cmocka_unit_test(keys_are_checked_as_nut01_says),
		cmocka_unit_test(fees_round_up),
		cmocka_unit_test(choice_is_cheap_and_lasting),
		cmocka_unit_test(fee_of_proofs_counts_each_keyset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
