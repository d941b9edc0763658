/* Hashes, ciphers, curve and seed words against published vectors. */
#include "unit.h"

#include "base/hex.h"
#include "base/json.h"
#include "crypto/bip39.h"
#include "crypto/cipher.h"
#include "crypto/hash.h"
#include "crypto/secp.h"

/* Decode up to `max` bytes of hex in either case. */
static size_t unhex(uint8_t *out, size_t max, struct str s)
{
	auto_free char *lower = mem_strndup(s.p, s.n);
	struct err e = {0};
	size_t i;

	for (i = 0; i < s.n; i++)
		if (lower[i] >= 'A' && lower[i] <= 'F')
			lower[i] = (char)(lower[i] - 'A' + 'a');
	assert_true(s.n / 2 <= max);
	assert_int_equal(hex_decode(out, s.n / 2, str_of(lower), &e), 0);
	return s.n / 2;
}

static void assert_hex(const void *p, size_t n, const char *want)
{
	auto_free char *text = mem_zero(2 * n + 1);

	hex_encode(text, p, n);
	assert_string_equal(text, want);
}

static void sha256_of_abc(void **state)
{
	static const char want[] =
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
	const struct str parts[] = {STR("a"), STR(""), STR("bc")};
	struct sha256_ctx *c = sha256_new();
	uint8_t h[32];

	sha256(h, "abc", 3);
	assert_hex(h, 32, want);
	sha256_parts(h, parts, 3);
	assert_hex(h, 32, want);
	sha256_add(c, "ab", 2);
	sha256_add(c, "c", 1);
	sha256_end(c, h);
	sha256_free(c);
	assert_hex(h, 32, want);
}

/* RFC 4231, test case 2 and 6 (a key longer than a block). */
static void hmac_of_rfc4231(void **state)
{
	uint8_t key[131], h[64];

	hmac_sha256(h, "Jefe", 4, "what do ya want for nothing?", 28);
	assert_hex(h, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	hmac_sha256(h, key, sizeof(key), "Test Using Larger Than Block-Size Key - Hash Key First",
		    54);
	assert_hex(h, 32, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	hmac_sha512(h, "Jefe", 4, "what do ya want for nothing?", 28);
	assert_hex(h, 64,
		   "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
		   "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737");
}

/* RFC 5869, test case 1. */
static void hkdf_of_rfc5869(void **state)
{
	uint8_t ikm[22], salt[13], info[10], prk[32], okm[42];

	memset(ikm, 0x0b, sizeof(ikm));
	unhex(salt, sizeof(salt), STR("000102030405060708090a0b0c"));
	unhex(info, sizeof(info), STR("f0f1f2f3f4f5f6f7f8f9"));
	hkdf_extract(prk, salt, sizeof(salt), ikm, sizeof(ikm));
	assert_hex(prk, 32, "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
	hkdf_expand(okm, sizeof(okm), prk, info, sizeof(info));
	assert_hex(okm, sizeof(okm),
		   "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
		   "34007208d5b887185865");
}

/* RFC 8439, 2.4.2 has counter 1: the first block of ours is skipped. */
static void chacha20_of_rfc8439(void **state)
{
	static const char text[] = "Ladies and Gentlemen of the class of '99: If I could offer you "
				   "only one tip for the future, sunscreen would be it.";
	uint8_t key[32], nonce[12], in[64 + 114] = {0}, out[64 + 114];
	int i;

	for (i = 0; i < 32; i++)
		key[i] = (uint8_t)i;
	unhex(nonce, sizeof(nonce), STR("000000000000004a00000000"));
	memcpy(in + 64, text, 114);
	chacha20(out, in, sizeof(in), key, nonce);
	assert_hex(out + 64, 16, "6e2e359a2568f98041ba0728dd0d6981");
}

static void cbc_goes_both_ways_and_checks_padding(void **state)
{
	static const uint8_t key[32] = {1}, iv[16] = {2};
	auto_buf struct buf sealed = BUF(64);
	auto_buf struct buf plain = BUF(64);
	struct err e = {0};

	aes_cbc_encrypt(&sealed, "sixteen bytes it", 16, key, iv);
	assert_int_equal(sealed.n, 32);
	assert_int_equal(aes_cbc_decrypt(&plain, sealed.p, sealed.n, key, iv, &e), 0);
	assert_view(plain, "sixteen bytes it");
	buf_reset(&plain);
	assert_int_equal(aes_cbc_decrypt(&plain, sealed.p, 16, key, iv, &e), -1);
	assert_int_equal(plain.n, 0);
	assert_int_equal(aes_cbc_decrypt(&plain, sealed.p, 15, key, iv, &e), -1);
	assert_int_equal(aes_cbc_decrypt(&plain, sealed.p, 0, key, iv, &e), -1);
}

static void a_sealed_box_opens_only_in_its_place(void **state)
{
	auto_buf struct buf sealed = BUF(128);
	auto_buf struct buf plain = BUF(64);
	struct secret key, other;
	struct err e = {0};

	secret_new(&key);
	secret_new(&other);
	aead_seal(&sealed, &key, STR("table.column"), "secret", 6);
	assert_int_equal(sealed.n, 12 + 6 + 16);
	assert_int_equal(aead_open(&plain, &key, STR("table.other"), sealed.p, sealed.n, &e), -1);
	assert_int_equal(aead_open(&plain, &other, STR("table.column"), sealed.p, sealed.n, &e),
			 -1);
	assert_int_equal(aead_open(&plain, &key, STR("table.column"), sealed.p, 27, &e), -1);
	assert_int_equal(aead_open(&plain, &key, STR("table.column"), sealed.p, sealed.n, &e), 0);
	assert_view(plain, "secret");
	sealed.p[14] ^= 1;
	assert_int_equal(aead_open(&plain, &key, STR("table.column"), sealed.p, sealed.n, &e), -1);
	assert_view(plain, "secret");
}

/* One row of test-vectors.csv: index, secret, public, aux, message, signature, result, comment. */
static void check_bip340(struct str line)
{
	uint8_t msg[128], sig[64], again[64], aux[32];
	struct str f[7];
	struct secret k;
	struct pubkey p, ours;
	size_t i, n;

	for (i = 0; i < 7; i++)
		assert_true(str_cut(&line, ',', &f[i]));
	unhex(p.b, 32, f[2]);
	n = unhex(msg, sizeof(msg), f[4]);
	unhex(sig, 64, f[5]);
	if (schnorr_verify(sig, msg, n, &p) != str_is(f[6], "TRUE"))
		fail_msg("row %.*s", (int)f[0].n, f[0].p);
	if (f[1].n == 0)
		return;
	unhex(k.b, 32, f[1]);
	unhex(aux, 32, f[3]);
	assert_true(pubkey_of(&ours, &k) && pubkey_eq(&ours, &p));
	schnorr_sign_aux(again, msg, n, &k, aux);
	assert_memory_equal(again, sig, 64);
}

static void bip340_vectors(void **state)
{
	auto_buf struct buf text = BUF(1 << 16);
	struct str rest, line;
	int rows = 0;

	unit_read(&text, "vectors/nostr/bip340-test-vectors.csv");
	rest = buf_view(&text);
	str_cut(&rest, '\n', &line);
	while (str_cut(&rest, '\n', &line)) {
		line = str_trim(line);
		if (line.n == 0)
			continue;
		check_bip340(line);
		rows++;
	}
	assert_int_equal(rows, 19);
}

static void nip06_words_give_the_known_key(void **state)
{
	static const uint32_t path[] = {44 | 0x80000000u, 1237 | 0x80000000u, 0x80000000u, 0, 0};
	auto_buf struct buf text = BUF(1 << 16);
	auto_json struct json *root = NULL;
	const struct json *list, *v;
	struct err e = {0};
	int count = 0;

	unit_read(&text, "vectors/nostr/nip06.json");
	assert_int_equal(json_parse(&root, buf_view(&text), NULL, &e), 0);
	assert_int_equal(json_child(root, "vectors", JSON_ARRAY, &list, &e), 0);
	for (v = json_first(list); v; v = json_next(v), count++) {
		struct secret want, got;
		struct pubkey pub, mine;
		struct seed seed;
		struct str words;

		assert_int_equal(json_str(v, "mnemonic", 400, &words, &e), 0);
		assert_int_equal(json_hex(v, "secret_hex", want.b, 32, &e), 0);
		assert_int_equal(json_hex(v, "public_hex", pub.b, 32, &e), 0);
		assert_int_equal(bip39_seed(&seed, words, &e), 0);
		assert_true(bip32_derive(&got, &seed, path, 5));
		assert_memory_equal(got.b, want.b, 32);
		assert_true(pubkey_of(&mine, &got) && pubkey_eq(&mine, &pub));
	}
	assert_int_equal(count, 2);
}

static void seed_words_are_checked(void **state)
{
	static const char *const bad[] = {
		"",
		"leader",
		"leader monkey parrot ring guide accident before fence cannon height naive naive",
		"leader monkey parrot ring guide accident before fence cannon height naive beam0",
		"Leader monkey parrot ring guide accident before fence cannon height naive bean",
		"leader  monkey parrot ring guide accident before fence cannon height naive bean",
		"leader monkey parrot ring guide accident before fence cannon height naive",
	};
	auto_buf struct buf words = BUF(256);
	auto_buf struct buf again = BUF(256);
	struct err e = {0};
	struct seed s;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (bip39_seed(&s, str_of(bad[i]), &e) != -1)
			fail_msg("took %s", bad[i]);
	bip39_new(&words);
	bip39_new(&again);
	assert_int_equal(bip39_seed(&s, buf_view(&words), &e), 0);
	assert_string_not_equal(words.p, again.p);
}

static void scalars_wrap_at_the_order(void **state)
{
	static const char order[] =
		"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
	uint8_t k[32], one[32] = {0}, zero[32] = {0};

	one[31] = 1;
	unhex(k, 32, str_of(order));
	assert_false(scalar_valid(k));
	assert_false(scalar_valid(zero));
	assert_false(scalar_reduce(k)); /* n mod n */
	unhex(k, 32, str_of(order));
	k[31]++;
	assert_true(scalar_reduce(k));
	assert_memory_equal(k, one, 32);
	assert_true(scalar_reduce(k));
	assert_memory_equal(k, one, 32);
	scalar_negate(k);
	assert_false(scalar_add(k, one)); /* -1 + 1 */
	memset(k, 0xff, 32);
	assert_true(scalar_reduce(k));
	assert_true(scalar_valid(k));
}

static void points_follow_the_group_law(void **state)
{
	struct secret a, b, ab;
	struct point pa, pb, x, y, z;
	uint8_t bytes[33];
	struct err e = {0};

	secret_new(&a);
	secret_new(&b);
	ab = a;
	assert_true(scalar_mul(ab.b, b.b));
	assert_true(point_base(&pa, &a) && point_base(&pb, &b) && point_base(&x, &ab));
	assert_true(point_mul(&y, &pa, &b) && point_eq(&x, &y));
	assert_true(point_mul_public(&z, &pb, a.b) && point_eq(&x, &z));
	assert_true(point_add(&x, &pa, &pb) && point_sub(&y, &x, &pb) && point_eq(&y, &pa));
	assert_true(point_add_base_public(&z, &pa, b.b) && point_eq(&z, &x));
	assert_false(point_sub(&y, &pa, &pa));
	point_write(bytes, &pa);
	assert_int_equal(point_parse(&y, bytes, &e), 0);
	assert_true(point_eq(&y, &pa));
	bytes[0] = 5;
	assert_int_equal(point_parse(&y, bytes, &e), -1);
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(point_parse(&y, bytes, &e), -1);
}

static void both_sides_of_ecdh_agree(void **state)
{
	struct secret a, b;
	struct pubkey pa, pb, off = {{0}};
	uint8_t x[32], y[32];

	secret_new(&a);
	secret_new(&b);
	assert_true(pubkey_of(&pa, &a) && pubkey_of(&pb, &b));
	assert_true(ecdh_x(x, &pb, &a) && ecdh_x(y, &pa, &b));
	assert_memory_equal(x, y, 32);
	assert_false(pubkey_valid(&off));
	assert_false(ecdh_x(x, &off, &a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_of_abc),
		cmocka_unit_test(hmac_of_rfc4231),
		cmocka_unit_test(hkdf_of_rfc5869),
		cmocka_unit_test(chacha20_of_rfc8439),
		cmocka_unit_test(cbc_goes_both_ways_and_checks_padding),
		cmocka_unit_test(a_sealed_box_opens_only_in_its_place),
		cmocka_unit_test(bip340_vectors),
		cmocka_unit_test(nip06_words_give_the_known_key),
		cmocka_unit_test(seed_words_are_checked),
		cmocka_unit_test(scalars_wrap_at_the_order),
		cmocka_unit_test(points_follow_the_group_law),
		cmocka_unit_test(both_sides_of_ecdh_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
