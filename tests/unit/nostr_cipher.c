/* NIP-04 and NIP-44 against their vectors. */
#include "nostr_util.h"

#include "crypto/hash.h"
#include "nostr/nip04.h"
#include "nostr/nip44.h"

static void test_nip04(void **state)
{
	auto_json struct json *j = vector_load("nip04.json");
	size_t n = 0;

	each(v, json_get(j, "vectors"))
	{
		auto_buf struct buf text = BUF(NIP04_MAX), payload = BUF(NIP04_MAX);
		struct secret mine = secret_of(v, "secret_hex");
		struct secret theirs = secret_of(v, "peer_secret_hex");
		struct pubkey peer = pubkey_in(v, "peer_pubkey"), me;
		struct err e = {0};

		assert_int_equal(nip04_decrypt(&text, &mine, &peer, text_of(v, "payload"), &e), 0);
		assert_true(str_eq(buf_view(&text), text_of(v, "plaintext")));
		assert_int_equal(nip04_encrypt(&payload, &mine, &peer, buf_view(&text), &e), 0);
		assert_true(pubkey_of(&me, &mine));
		buf_reset(&text);
		assert_int_equal(nip04_decrypt(&text, &theirs, &me, buf_view(&payload), &e), 0);
		assert_true(str_eq(buf_view(&text), text_of(v, "plaintext")));
		n++;
	}
	assert_int_equal(n, 9);
	each(v, json_get(j, "invalid"))
	{
		auto_buf struct buf text = BUF(NIP04_MAX);
		struct secret mine = secret_of(v, "secret_hex");
		struct pubkey peer = pubkey_in(v, "peer_pubkey");

		assert_int_equal(nip04_decrypt(&text, &mine, &peer, text_of(v, "payload"), NULL),
				 -1);
		n++;
	}
	assert_int_equal(n, 9 + 6);
}

static void test_conversation_keys(void **state)
{
	auto_json struct json *j = vector_load("nip44.vectors.json");
	const struct json *v2 = json_get(j, "v2");
	size_t n = 0;

	each(v, json_get(json_get(v2, "valid"), "get_conversation_key"))
	{
		struct secret mine = secret_of(v, "sec1"), key;
		struct secret want = secret_of(v, "conversation_key");
		struct pubkey peer = pubkey_in(v, "pub2");

		assert_int_equal(nip44_key(&key, &mine, &peer, NULL), 0);
		assert_memory_equal(key.b, want.b, 32);
		n++;
	}
	assert_int_equal(n, 35);
	each(v, json_get(json_get(v2, "invalid"), "get_conversation_key"))
	{
		struct secret mine = secret_of(v, "sec1"), key;
		struct pubkey peer = pubkey_in(v, "pub2");

		assert_int_equal(nip44_key(&key, &mine, &peer, NULL), -1);
		n++;
	}
	assert_int_equal(n, 35 + 8);
}

static void test_message_keys(void **state)
{
	auto_json struct json *j = vector_load("nip44.vectors.json");
	const struct json *m = json_get(json_get(json_get(j, "v2"), "valid"), "get_message_keys");
	struct secret key = secret_of(m, "conversation_key");
	size_t n = 0;

	each(v, json_get(m, "keys"))
	{
		uint8_t nonce[32], got[76], want[76];

		bytes_of(nonce, 32, v, "nonce");
		bytes_of(want, 32, v, "chacha_key");
		bytes_of(want + 32, 12, v, "chacha_nonce");
		bytes_of(want + 44, 32, v, "hmac_key");
		hkdf_expand(got, sizeof(got), key.b, nonce, sizeof(nonce));
		assert_memory_equal(got, want, sizeof(got));
		n++;
	}
	assert_int_equal(n, 32);
}

static void test_padding(void **state)
{
	auto_json struct json *j = vector_load("nip44.vectors.json");
	size_t n = 0;

	each(v, json_get(json_get(json_get(j, "v2"), "valid"), "calc_padded_len"))
	{
		uint64_t len = 0, want = 0;

		assert_true(json_as_u64(json_first(v), &len));
		assert_true(json_as_u64(json_next(json_first(v)), &want));
		assert_int_equal(nip44_padded(len), want);
		n++;
	}
	assert_int_equal(n, 24);
}

static void test_messages(void **state)
{
	auto_json struct json *j = vector_load("nip44.vectors.json");
	size_t n = 0;

	each(v, json_get(json_get(json_get(j, "v2"), "valid"), "encrypt_decrypt"))
	{
		auto_buf struct buf text = BUF(1 << 17), payload = BUF(1 << 18);
		struct secret key = secret_of(v, "conversation_key");
		uint8_t nonce[32];

		bytes_of(nonce, 32, v, "nonce");
		assert_int_equal(
			nip44_encrypt_nonce(&payload, &key, nonce, text_of(v, "plaintext"), NULL),
			0);
		assert_true(str_eq(buf_view(&payload), text_of(v, "payload")));
		assert_int_equal(nip44_decrypt(&text, &key, buf_view(&payload), NULL), 0);
		assert_true(str_eq(buf_view(&text), text_of(v, "plaintext")));
		n++;
	}
	assert_int_equal(n, 10);
}

/* Encrypt `text`, compare the hashes, decrypt again. */
static void check_long(const struct json *v, const struct secret *key, const uint8_t *nonce,
		       struct str text)
{
	auto_buf struct buf payload = BUF(1 << 18), back = BUF(1 << 17);
	uint8_t want[32], got[32];

	bytes_of(want, 32, v, "plaintext_sha256");
	sha256(got, text.p, text.n);
	assert_memory_equal(got, want, 32);
	assert_int_equal(nip44_encrypt_nonce(&payload, key, nonce, text, NULL), 0);
	bytes_of(want, 32, v, "payload_sha256");
	sha256(got, payload.p, payload.n);
	assert_memory_equal(got, want, 32);
	assert_int_equal(nip44_decrypt(&back, key, buf_view(&payload), NULL), 0);
	assert_true(str_eq(buf_view(&back), text));
}

static void test_long_messages(void **state)
{
	auto_json struct json *j = vector_load("nip44.vectors.json");
	size_t n = 0;

	each(v, json_get(json_get(json_get(j, "v2"), "valid"), "encrypt_decrypt_long_msg"))
	{
		auto_buf struct buf text = BUF(1 << 17);
		struct secret key = secret_of(v, "conversation_key");
		uint8_t nonce[32];
		uint64_t i;

		bytes_of(nonce, 32, v, "nonce");
		for (i = number_of(v, "repeat"); i > 0; i--)
			buf_str(&text, text_of(v, "pattern"));
		check_long(v, &key, nonce, buf_view(&text));
		n++;
	}
	assert_int_equal(n, 3);
}

static void test_extended(void **state)
{
	auto_json struct json *j = vector_load("nip44-extended.json");
	struct secret key = secret_of(j, "conversation_key");
	uint8_t nonce[32];
	size_t n = 0;

	bytes_of(nonce, 32, j, "nonce");
	each(v, json_get(j, "vectors"))
	{
		auto_buf struct buf text = BUF(1 << 17);
		uint64_t i;

		for (i = number_of(v, "plaintext_len"); i > 0; i--)
			buf_str(&text, text_of(v, "plaintext_char"));
		assert_int_equal(nip44_padded(text.n), number_of(v, "padded_len"));
		check_long(v, &key, nonce, buf_view(&text));
		n++;
	}
	assert_int_equal(n, 3);
}

static void test_invalid_payloads(void **state)
{
	auto_json struct json *j = vector_load("nip44.vectors.json");
	size_t n = 0;

	each(v, json_get(json_get(json_get(j, "v2"), "invalid"), "decrypt"))
	{
		auto_buf struct buf text = BUF(1 << 17);
		struct secret key = secret_of(v, "conversation_key");

		assert_int_equal(nip44_decrypt(&text, &key, text_of(v, "payload"), NULL), -1);
		n++;
	}
	assert_int_equal(n, 12);
}

/* The official list of lengths that cannot be sent; ours is shorter than the longest since 2026. */
static void test_lengths(void **state)
{
	auto_json struct json *j = vector_load("nip44.vectors.json");
	struct secret key = small_secret(1);

	each(v, json_get(json_get(json_get(j, "v2"), "invalid"), "encrypt_msg_lengths"))
	{
		auto_buf struct buf out = BUF(1 << 18);
		uint64_t n = 0;
		auto_free char *text = NULL;

		assert_true(json_as_u64(v, &n));
		text = mem_zero(n + 1);
		memset(text, 'x', n);
		assert_int_equal(nip44_encrypt(&out, &key, (struct str){text, n}, NULL), -1);
	}
}

static void test_caps(void **state)
{
	auto_buf struct buf out = BUF(1 << 18), text = BUF(1 << 18);
	auto_free char *big = mem_zero(NIP44_PAYLOAD_MAX + 4);
	struct secret key = small_secret(1);

	memset(big, 'g', NIP44_PAYLOAD_MAX + 4);
	big[0] = 'A';
	assert_int_equal(nip44_check((struct str){big, NIP44_PAYLOAD_MAX}, NULL), 0);
	assert_int_equal(nip44_check((struct str){big, NIP44_PAYLOAD_MAX + 4}, NULL), -1);
	assert_int_equal(nip44_encrypt(&out, &key, (struct str){big, NIP44_SEND_MAX}, NULL), 0);
	assert_int_equal(nip44_decrypt(&text, &key, buf_view(&out), NULL), 0);
	assert_int_equal(text.n, NIP44_SEND_MAX);
	assert_int_equal(nip44_encrypt(&out, &key, (struct str){big, NIP44_SEND_MAX + 1}, NULL),
			 -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nip04),	     cmocka_unit_test(test_conversation_keys),
		cmocka_unit_test(test_message_keys), cmocka_unit_test(test_padding),
		cmocka_unit_test(test_messages),     cmocka_unit_test(test_long_messages),
		cmocka_unit_test(test_extended),     cmocka_unit_test(test_invalid_payloads),
		cmocka_unit_test(test_lengths),	     cmocka_unit_test(test_caps),
	};

	return cmocka_run_group_tests_name("nostr ciphers", tests, NULL, NULL);
}
