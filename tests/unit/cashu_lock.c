/* Locks: the table of hostile ones is the judge of lock_parse; NUT-11 vectors judge the mint's
 * check. */
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "cashu/lock.h"
#include "cashu/p2pk.h"
#include "cashu_vectors.h"
#include "crypto/hash.h"

#define PAST   "1600000000"
#define FUTURE "4000000000"

static struct secret key_named(const char *name)
{
	struct secret k;

	sha256(k.b, name, strlen(name));
	return k;
}

static struct lock_key public_named(const char *name)
{
	struct secret k = key_named(name);
	struct lock_key p;

	assert_true(lock_key_of(&p, &k));
	return p;
}

struct blank {
	const char *name;
	char value[80];
};

enum { BLANKS = 9 };

static void blanks_fill(struct blank b[static BLANKS])
{
	struct lock_key p = public_named("provider"), x = public_named("maker"), flipped = p;
	size_t i = 0;

	flipped.b[0] ^= 1;
	b[i].name = "{P}";
	hex_encode(b[i++].value, p.b, sizeof(p.b));
	b[i].name = "{X}";
	hex_encode(b[i++].value, x.b, sizeof(x.b));
	b[i].name = "{P_OTHER_PARITY}";
	hex_encode(b[i++].value, flipped.b, sizeof(p.b));
	b[i].name = "{P_X_ONLY}";
	hex_encode(b[i++].value, p.b + 1, 32);
	b[i].name = "{P_UPPER}";
	hex_encode(b[i].value, p.b, sizeof(p.b));
	for (char *c = b[i++].value; *c; c++)
		if (*c >= 'a')
			*c = (char)(*c - 'a' + 'A');
	b[i++] = (struct blank){"{PAST}", PAST};
	b[i++] = (struct blank){"{FUTURE}", FUTURE};
	b[i++] = (struct blank){"{NONCE}",
				"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"};
	b[i++] = (struct blank){"{PAST_FULLWIDTH}", "\xef\xbc\x91\xef\xbc\x96\xef\xbc\x90"};
	assert_int_equal(i, BLANKS);
}

/* The template with its {NAMES} filled in. */
static void template_fill(struct buf *out, struct str text, const struct blank *b)
{
	while (text.n > 0) {
		size_t i = 0;

		while (i < BLANKS && !str_starts(text, b[i].name))
			i++;
		if (i == BLANKS) {
			buf_byte(out, (uint8_t)*text.p);
			text = (struct str){text.p + 1, text.n - 1};
			continue;
		}
		buf_puts(out, b[i].value);
		text = (struct str){text.p + strlen(b[i].name), text.n - strlen(b[i].name)};
	}
}

static bool taken_as_ours(struct str secret)
{
	struct lock_key ours = public_named("provider");
	struct lock l;

	return lock_parse(&l, secret) == LOCK_OK && lock_is_to(&l, &ours);
}

static void hostile_locks_are_refused(void **state)
{
	auto_json struct json *root = vectors_load("p2pk_hostile_locks");
	struct blank blanks[BLANKS] = {0};
	size_t accepted = 0;

	blanks_fill(blanks);
	for (const struct json *v = vector_first(root, "secrets"); v; v = json_next(v)) {
		auto_buf struct buf secret = BUF(4096);
		struct str due = vector_text(v, "leased");
		struct lock l;

		template_fill(&secret, vector_text(v, "secret"), blanks);
		assert_null(strstr(secret.p, "{P"));
		assert_null(strstr(secret.p, "{N"));
		if (str_is(due, "accept") != taken_as_ours(buf_view(&secret)) &&
		    !str_is(due, "either"))
			fail_msg("%s: wrongly judged", vector_text(v, "name").p);
		accepted += str_is(due, "accept");
		/* never "plain": who has such a token is not who may spend it */
		assert_int_not_equal(lock_parse(&l, buf_view(&secret)), LOCK_PLAIN);
	}
	assert_true(accepted > 0);
}

static void lock_kind_is(const char *secret, enum lock_kind due)
{
	struct lock l;

	if (lock_parse(&l, str_of(secret)) != due)
		fail_msg("%s is not %d", secret, due);
}

static void plain_is_only_plain_text(void **state)
{
	lock_kind_is("407915bc212be61a77e3e6d2aeb4c727980bda51cd06a6afc29e2861768a7837",
		     LOCK_PLAIN);
	lock_kind_is("F+x/_-=", LOCK_PLAIN);
	lock_kind_is("", LOCK_UNSUPPORTED);
	lock_kind_is("[]", LOCK_UNSUPPORTED);
	lock_kind_is("two words", LOCK_UNSUPPORTED);
	lock_kind_is("{\"a\":1}", LOCK_UNSUPPORTED);
	lock_kind_is("caf\xc3\xa9", LOCK_UNSUPPORTED);
}

static void what_we_write_we_take(void **state)
{
	const struct lock full = {public_named("provider"), true, public_named("buyer"),
				  1900000000};
	const struct lock bare = {.key = public_named("provider")};
	const struct lock *const locks[] = {&full, &bare};
	const uint8_t nonce[32] = {7};

	for (size_t i = 0; i < ARRAY_SIZE(locks); i++) {
		auto_buf struct buf text = BUF(LOCK_SECRET_MAX);
		struct lock l;

		lock_write(&text, locks[i], nonce);
		assert_int_equal(buf_check(&text, "lock", NULL), 0);
		assert_int_equal(lock_parse(&l, buf_view(&text)), LOCK_OK);
		assert_memory_equal(l.key.b, locks[i]->key.b, POINT_COMPRESSED);
		assert_int_equal(l.has_refund, locks[i]->has_refund);
		assert_int_equal(l.locktime, locks[i]->locktime);
		assert_memory_equal(l.refund.b, locks[i]->refund.b, POINT_COMPRESSED);
	}
}

/* Mint's view of one input. */
static int spend(const char *secret, const char *witness, int64_t now)
{
	struct proof p = {.secret = (char *)secret, .witness = (char *)witness};
	const struct proofs in = {&p, 1};
	const struct p2pk_tx tx = {.inputs = &in};
	struct err e;

	return p2pk_check(&tx, now, &e);
}

static void both_keys_open_in_their_time(void **state)
{
	const struct lock lock = {public_named("provider"), true, public_named("buyer"),
				  1900000000};
	struct secret provider = key_named("provider"), buyer = key_named("buyer");
	auto_buf struct buf text = BUF(LOCK_SECRET_MAX);
	auto_free char *by_provider = NULL, *by_buyer = NULL;
	const uint8_t nonce[32] = {7};
	uint8_t sig[64];

	lock_write(&text, &lock, nonce);
	lock_sign(sig, buf_view(&text), &provider);
	assert_true(lock_verify(sig, buf_view(&text), &lock.key));
	assert_false(lock_verify(sig, buf_view(&text), &lock.refund));
	assert_false(lock_verify(sig, STR("another"), &lock.key));
	by_provider = lock_witness(sig);
	lock_sign(sig, buf_view(&text), &buyer);
	by_buyer = lock_witness(sig);
	assert_int_equal(spend(text.p, by_provider, 1800000000), 0);
	assert_int_equal(spend(text.p, by_buyer, 1800000000), -1);
	assert_int_equal(spend(text.p, NULL, 1800000000), -1);
	assert_int_equal(spend(text.p, by_buyer, 1900000001), 0);
	assert_int_equal(spend(text.p, by_provider, 1900000001), 0);
	assert_int_equal(spend("plain", NULL, 0), 0);
}

static void mint_agrees_with_nut11(void **state)
{
	auto_json struct json *root = vectors_load("nut11_p2pk_sig_inputs");
	size_t judged = 0;

	for (const struct json *v = vector_first(root, "vectors"); v; v = json_next(v)) {
		struct proof p;
		bool due;

		assert_int_equal(proof_from_json(&p, vector_at(v, "proof"), NULL), 0);
		if (json_as_bool(json_get(v, "expect_spendable"), &due)) {
			if ((spend(p.secret, p.witness, 1700000000) == 0) != due)
				fail_msg("%s: wrongly judged", vector_text(v, "name").p);
			judged++;
		}
		proof_wipe(&p);
	}
	assert_int_equal(judged, 8);
}

/* HTLC is not ours: refused whatever the vector says. */
static void mint_agrees_with_sig_all(void **state)
{
	auto_json struct json *root = vectors_load("nut11_nut14_sig_all");

	for (const struct json *v = vector_first(root, "vectors"); v; v = json_next(v)) {
		const struct json *req = vector_at(v, "request");
		struct blinded outputs[8];
		auto_proofs struct proofs in = {0};
		struct p2pk_tx tx = {&in, outputs, 0, {0}};
		bool due = false;
		struct err e;

		assert_int_equal(proofs_from_json(&in, vector_at(req, "inputs"), &e), 0);
		for (const struct json *o = vector_first(req, "outputs"); o; o = json_next(o))
			assert_int_equal(blinded_from_json(&outputs[tx.n_outputs++], o, &e), 0);
		if (json_get(req, "quote"))
			tx.quote = vector_text(req, "quote");
		assert_true(json_as_bool(vector_at(v, "expect_valid"), &due));
		due = due && !str_starts(vector_text(v, "name"), "HTLC");
		if ((p2pk_check(&tx, 1700000000, &e) == 0) != due)
			fail_msg("%s: wrongly judged: %s", vector_text(v, "name").p, e.msg);
		outputs[0].b[32] ^= 1;
		assert_int_equal(p2pk_check(&tx, 1700000000, &e), -1);
	}
}

static void secret_with_tag(struct buf *out, struct str tag)
{
	struct lock_key p = public_named("provider");

	buf_reset(out);
	buf_puts(out, "[\"P2PK\",{\"nonce\":\"00112233445566778899aabbccddeeff\",\"data\":\"");
	buf_hex(out, p.b, sizeof(p.b));
	buf_puts(out, "\",\"tags\":[");
	buf_str(out, tag);
	buf_puts(out, "]}]");
}

static void malformed_tags_are_refused(void **state)
{
	const struct str tags[] = {STR("[]"), STR("[\"locktime\",1765300829]"),
				   STR("[\"locktime\",\"\"]"), STR("\"locktime\"")};
	auto_buf struct buf text = BUF(LOCK_SECRET_MAX);
	struct secret k = key_named("provider");
	struct lock l;

	for (size_t i = 0; i < ARRAY_SIZE(tags); i++) {
		auto_free char *witness = NULL;
		uint8_t sig[64];

		secret_with_tag(&text, tags[i]);
		lock_sign(sig, buf_view(&text), &k);
		witness = lock_witness(sig);
		assert_int_equal(spend(text.p, witness, 0), -1);
		assert_int_equal(lock_parse(&l, buf_view(&text)), LOCK_UNSUPPORTED);
	}
}

/* NUT-11: keys are equal by x, in either parity and case. */
static void one_signer_counts_once(void **state)
{
	auto_json struct json *root = vectors_load("nut10_tags");
	const struct json *keys = vector_at(root, "nut11_equivalent_keys");

	for (const struct json *v = json_next(vector_first(keys, "keys")); v; v = json_next(v)) {
		struct str first = vector_string(vector_first(keys, "keys")),
			   other = vector_string(v);
		auto_free char *secret = mem_printf("[\"P2PK\",{\"nonce\":\"00\",\"data\":\"%s\","
						    "\"tags\":[[\"pubkeys\",\"%s\"],"
						    "[\"n_sigs\",\"2\"]]}]",
						    first.p, other.p);
		struct proof p = {.secret = secret};
		const struct proofs in = {&p, 1};
		struct err e;

		assert_int_equal(p2pk_check(&(struct p2pk_tx){.inputs = &in}, 0, &e), -1);
		assert_non_null(strstr(e.msg, "twice"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostile_locks_are_refused),
		cmocka_unit_test(plain_is_only_plain_text),
		cmocka_unit_test(what_we_write_we_take),
		cmocka_unit_test(both_keys_open_in_their_time),
		cmocka_unit_test(mint_agrees_with_nut11),
		cmocka_unit_test(mint_agrees_with_sig_all),
		cmocka_unit_test(malformed_tags_are_refused),
		cmocka_unit_test(one_signer_counts_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
