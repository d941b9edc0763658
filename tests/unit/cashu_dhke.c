/* Blinding, signing, unblinding and both DLEQ checks, against NUT-00 and NUT-12 vectors and against
 * our own mint's side. */
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "cashu/dhke.h"
#include "cashu/sign.h"
#include "cashu_vectors.h"
#include "crypto/hash.h"

static void hash_to_curve_matches_nut00(void **state)
{
	auto_json struct json *root = vectors_load("nut00_hash_to_curve");

	for (const struct json *v = vector_first(root, "vectors"); v; v = json_next(v)) {
		struct point due = vector_point(v, "Y"), y;
		uint8_t msg[32];

		vector_hex(msg, sizeof(msg), v, "message_hex");
		assert_int_equal(
			dhke_hash_to_curve(&y, (struct str){(char *)msg, sizeof(msg)}, NULL), 0);
		assert_true(point_eq(&y, &due));
	}
}

/* B_ = Y + r·G and C_ = k·B_; the vectors give the message as bytes, which no secret could be. */
static void blinding_matches_nut00(void **state)
{
	auto_json struct json *root = vectors_load("nut00_blinding");

	for (const struct json *v = vector_first(root, "blinded_messages"); v; v = json_next(v)) {
		struct point due = vector_point(v, "B_"), y, b;
		uint8_t x[32], r[32];

		vector_hex(x, sizeof(x), v, "x_hex");
		vector_hex(r, sizeof(r), v, "r");
		assert_int_equal(dhke_hash_to_curve(&y, (struct str){(char *)x, sizeof(x)}, NULL),
				 0);
		assert_true(point_add_base_public(&b, &y, r));
		assert_true(point_eq(&b, &due));
	}
	for (const struct json *v = vector_first(root, "blind_signatures"); v; v = json_next(v)) {
		struct secret k = vector_secret(v, "k");
		struct blinded m = {.amount = SAT(1)};
		uint8_t due[POINT_COMPRESSED];
		struct blind_sig sig;

		vector_hex(m.b, sizeof(m.b), v, "B_");
		vector_hex(due, sizeof(due), v, "C_");
		assert_int_equal(sign_blinded(&sig, &m, &k, NULL), 0);
		assert_memory_equal(sig.c, due, sizeof(due));
	}
}

static void hash_e_matches_nut12(void **state)
{
	auto_json struct json *root = vectors_load("nut12_dleq");

	for (const struct json *v = vector_first(root, "hash_e"); v; v = json_next(v)) {
		struct point r1 = vector_point(v, "R1"), r2 = vector_point(v, "R2"),
			     k = vector_point(v, "K"), c = vector_point(v, "C_");
		uint8_t due[32], e[32];

		vector_hex(due, sizeof(due), v, "e");
		dhke_hash_e(e, (const struct point *const[]){&r1, &r2, &k, &c});
		assert_memory_equal(e, due, sizeof(e));
	}
}

static void dleq_nonce_matches_nut12(void **state)
{
	auto_json struct json *root = vectors_load("nut12_dleq");

	for (const struct json *v = vector_first(root, "deterministic_nonce"); v;
	     v = json_next(v)) {
		struct secret a = vector_secret(v, "a");
		struct blinded m = {.amount = SAT(1)};
		uint8_t e[32], s[32];
		struct blind_sig sig;

		vector_hex(m.b, sizeof(m.b), v, "B_");
		vector_hex(e, sizeof(e), v, "e");
		vector_hex(s, sizeof(s), v, "s");
		assert_int_equal(sign_blinded(&sig, &m, &a, NULL), 0);
		assert_memory_equal(sig.dleq.e, e, sizeof(e));
		assert_memory_equal(sig.dleq.s, s, sizeof(s));
	}
}

static void alice_accepts_nut12(void **state)
{
	auto_json struct json *root = vectors_load("nut12_dleq");

	for (const struct json *v = vector_first(root, "blind_signature_valid"); v;
	     v = json_next(v)) {
		const struct json *j = vector_at(v, "blind_signature");
		struct point a = vector_point(v, "A"), b = vector_point(v, "B_"),
			     c = vector_point(j, "C_"), other;
		struct blind_sig sig;

		assert_int_equal(blind_sig_from_json(&sig, j, NULL), 0);
		assert_true(dhke_verify_sig(&sig.dleq, &b, &c, &a));
		assert_true(point_add(&other, &b, &c));
		assert_false(dhke_verify_sig(&sig.dleq, &other, &c, &a));
		assert_false(dhke_verify_sig(&sig.dleq, &b, &other, &a));
		assert_false(dhke_verify_sig(&sig.dleq, &b, &c, &other));
	}
}

static void carol_accepts_nut12_and_nothing_else(void **state)
{
	auto_json struct json *root = vectors_load("nut12_dleq");

	for (const struct json *v = vector_first(root, "proof_valid"); v; v = json_next(v)) {
		struct point a = vector_point(v, "A"), y;
		struct proof p, bad;

		assert_int_equal(proof_from_json(&p, vector_at(v, "proof"), NULL), 0);
		assert_int_equal(dhke_hash_to_curve(&y, str_of(p.secret), NULL), 0);
		assert_true(dhke_verify_proof(&p, &y, &a));

		bad = p;
		bad.dleq.e[31] ^= 1;
		assert_false(dhke_verify_proof(&bad, &y, &a));
		bad = p;
		bad.dleq.s[0] ^= 1;
		assert_false(dhke_verify_proof(&bad, &y, &a));
		bad = p;
		bad.dleq.r.b[31] ^= 1;
		assert_false(dhke_verify_proof(&bad, &y, &a));
		bad = p;
		bad.c[0] ^= 1;
		assert_false(dhke_verify_proof(&bad, &y, &a));
		bad = p;
		memset(bad.dleq.s, 0xff, sizeof(bad.dleq.s)); /* above n */
		assert_false(dhke_verify_proof(&bad, &y, &a));
		bad = p;
		bad.dleq.has_r = false;
		assert_false(dhke_verify_proof(&bad, &y, &a));
		bad = p;
		bad.dleq.present = false;
		assert_false(dhke_verify_proof(&bad, &y, &a));
		assert_int_equal(dhke_hash_to_curve(&y, STR("another"), NULL), 0);
		assert_false(dhke_verify_proof(&p, &y, &a));
		proof_wipe(&p);
	}
}

/* A mint of one key for amount 4. */
struct bench {
	struct secret k;
	struct keyset *keyset;
	struct output out;
};

static int bench_up(void **state)
{
	struct bench *b = mem_zero(sizeof(*b));

	sha256(b->k.b, "mint", 4);
	sha256(b->out.r.b, "r", 1);
	b->keyset = keyset_new();
	b->keyset->keys = mem_array(1, sizeof(*b->keyset->keys));
	b->keyset->n = 1;
	b->keyset->keys[0].amount = 4;
	if (!point_base(&b->keyset->keys[0].point, &b->k))
		return -1;
	b->keyset->id = (struct keyset_id){8, {0, 1, 2, 3, 4, 5, 6, 7}};
	b->out.pub.amount = SAT(4);
	b->out.pub.id = b->keyset->id;
	b->out.secret = mem_strdup("a secret");
	*state = b;
	return dhke_blind(&b->out, NULL);
}

static int bench_down(void **state)
{
	struct bench *b = *state;

	keyset_free(b->keyset);
	free(b->out.secret);
	free(b);
	return 0;
}

static void round_trip_gives_a_proof_that_all_accept(void **state)
{
	struct bench *b = *state;
	struct blind_sig sig;
	struct point y;
	struct proof p;
	uint8_t raw[POINT_COMPRESSED], due[POINT_COMPRESSED];

	assert_int_equal(sign_blinded(&sig, &b->out.pub, &b->k, NULL), 0);
	assert_int_equal(dhke_unblind(&p, &b->out, &sig, b->keyset, NULL), 0);
	assert_int_equal(sign_check_proof(raw, &p, &b->k, NULL), 0);
	assert_int_equal(dhke_y_bytes(due, str_of(p.secret), NULL), 0);
	assert_memory_equal(raw, due, sizeof(raw));
	assert_int_equal(dhke_hash_to_curve(&y, str_of(p.secret), NULL), 0);
	assert_true(dhke_verify_proof(&p, &y, &b->keyset->keys[0].point));
	p.c[0] ^= 1;
	assert_int_equal(sign_check_proof(raw, &p, &b->k, NULL), -1);
	proof_wipe(&p);
}

static void unblinding_refuses_another_answer(void **state)
{
	struct bench *b = *state;
	struct blind_sig good, bad;
	struct proof p;

	assert_int_equal(sign_blinded(&good, &b->out.pub, &b->k, NULL), 0);
	bad = good;
	bad.amount = SAT(8);
	assert_int_equal(dhke_unblind(&p, &b->out, &bad, b->keyset, NULL), -1);
	bad = good;
	bad.id.b[7] ^= 1;
	assert_int_equal(dhke_unblind(&p, &b->out, &bad, b->keyset, NULL), -1);
	bad = good;
	bad.c[0] ^= 1; /* a point, but another */
	assert_int_equal(dhke_unblind(&p, &b->out, &bad, b->keyset, NULL), -1);
	bad = good;
	memset(bad.c + 1, 0xff, 32); /* not on the curve */
	assert_int_equal(dhke_unblind(&p, &b->out, &bad, b->keyset, NULL), -1);
	bad = good;
	bad.dleq.e[3] ^= 1;
	assert_int_equal(dhke_unblind(&p, &b->out, &bad, b->keyset, NULL), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hash_to_curve_matches_nut00),
		cmocka_unit_test(blinding_matches_nut00),
		cmocka_unit_test(hash_e_matches_nut12),
		cmocka_unit_test(dleq_nonce_matches_nut12),
		cmocka_unit_test(alice_accepts_nut12),
		cmocka_unit_test(carol_accepts_nut12_and_nothing_else),
		cmocka_unit_test_setup_teardown(round_trip_gives_a_proof_that_all_accept, bench_up,
						bench_down),
		cmocka_unit_test_setup_teardown(unblinding_refuses_another_answer, bench_up,
						bench_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
