#include "nostr/nip44.h"

#include <string.h>

#include "base/hex.h"
#include "crypto/cipher.h"
#include "crypto/hash.h"

enum {
	VERSION_2 = 2,
	NONCE = 32,
	MAC = 32,
	HEAD = 1 + NONCE,
	LONG_TEXT = 65536,     /* from here on the length prefix is 00 00 and four bytes */
	TEXT_MAX = 128 * 1024, /* of nip44_encrypt_nonce */
	SEALED_MIN = HEAD + 2 + 32 + MAC,
};

struct message_keys {
	uint8_t chacha[32], nonce[12], mac[32];
};
_Static_assert(sizeof(struct message_keys) == 76, "HKDF fills it in one go");

static void message_keys_wipe(struct message_keys *k)
{
	wipe(k, sizeof(*k));
}
#define auto_keys __attribute__((cleanup(message_keys_wipe)))

int nip44_key(struct secret *out, const struct secret *mine, const struct pubkey *theirs,
	      struct err *e)
{
	auto_secret struct secret x;

	if (!ecdh_x(x.b, theirs, mine))
		return err_set(e, ERRK_INPUT, "nip44: not a key");
	hkdf_extract(out->b, "nip44-v2", 8, x.b, sizeof(x.b));
	return 0;
}

static void derive(struct message_keys *k, const struct secret *key, const uint8_t nonce[static 32])
{
	hkdf_expand((uint8_t *)k, sizeof(*k), key->b, nonce, NONCE);
}

uint64_t nip44_padded(uint64_t n)
{
	uint64_t power = 32, chunk;

	if (n <= 32)
		return 32;
	while (power < n)
		power *= 2;
	chunk = power <= 256 ? 32 : power / 8;
	return (n + chunk - 1) / chunk * chunk;
}

/* Length prefix, text, zeros. */
static void pad(struct buf *out, struct str text)
{
	static const uint8_t zeros[64];
	uint64_t left = nip44_padded(text.n) - text.n;
	uint32_t n = (uint32_t)text.n;

	if (n >= LONG_TEXT) {
		buf_add(out, (uint8_t[]){0, 0, n >> 24, (n >> 16) & 0xff}, 4);
		n &= 0xffff;
	}
	buf_add(out, (uint8_t[]){n >> 8, n & 0xff}, 2);
	buf_str(out, text);
	for (; left > sizeof(zeros); left -= sizeof(zeros))
		buf_add(out, zeros, sizeof(zeros));
	buf_add(out, zeros, left);
}

static int unpad(struct str *text, struct str padded, struct err *e)
{
	const uint8_t *p = (const uint8_t *)padded.p;
	uint64_t n = ((uint64_t)p[0] << 8) | p[1], head = 2, i;

	if (n == 0 && padded.n > 6) {
		n = ((uint64_t)p[2] << 24) | ((uint64_t)p[3] << 16) | ((uint64_t)p[4] << 8) | p[5];
		head = 6;
		if (n < LONG_TEXT)
			n = 0;
	}
	if (n == 0 || padded.n != head + nip44_padded(n))
		return err_set(e, ERRK_INPUT, "nip44: bad padding");
	for (i = head + n; i < padded.n; i++)
		if (p[i])
			return err_set(e, ERRK_INPUT, "nip44: padding is not zero");
	*text = (struct str){padded.p + head, n};
	return 0;
}

int nip44_encrypt_nonce(struct buf *out, const struct secret *key, const uint8_t nonce[static 32],
			struct str text, struct err *e)
{
	auto_buf struct buf b = BUF(2 * TEXT_MAX);
	auto_keys struct message_keys k;
	uint8_t mac[MAC];

	if (text.n == 0 || text.n > TEXT_MAX)
		return err_set(e, ERRK_LIMIT, "nip44: %zu bytes cannot be sent", text.n);
	derive(&k, key, nonce);
	buf_byte(&b, VERSION_2);
	buf_add(&b, nonce, NONCE);
	pad(&b, text);
	chacha20((uint8_t *)b.p + HEAD, (const uint8_t *)b.p + HEAD, b.n - HEAD, k.chacha, k.nonce);
	hmac_sha256(mac, k.mac, sizeof(k.mac), b.p + 1, b.n - 1);
	buf_add(&b, mac, sizeof(mac));
	base64_encode(out, b.p, b.n, BASE64_STD);
	return buf_check(out, "nip44 payload", e);
}

int nip44_encrypt(struct buf *out, const struct secret *key, struct str text, struct err *e)
{
	uint8_t nonce[NONCE];

	if (text.n > NIP44_SEND_MAX)
		return err_set(e, ERRK_LIMIT, "nip44: more than %d bytes", NIP44_SEND_MAX);
	rand_bytes(nonce, sizeof(nonce));
	return nip44_encrypt_nonce(out, key, nonce, text, e);
}

int nip44_check(struct str payload, struct err *e)
{
	if (payload.n == 0 || payload.p[0] == '#')
		return err_set(e, ERRK_INPUT, "nip44: unsupported version");
	if (payload.n < NIP44_PAYLOAD_MIN || payload.n > NIP44_PAYLOAD_MAX)
		return err_set(e, ERRK_INPUT, "nip44: payload of %zu characters", payload.n);
	/* The version byte is in the first six bits and two more: 'A' and 'g'…'v' say 2. */
	if (payload.p[0] != 'A' || payload.p[1] < 'g' || payload.p[1] > 'v')
		return err_set(e, ERRK_INPUT, "nip44: unsupported version");
	return 0;
}

int nip44_decrypt(struct buf *out, const struct secret *key, struct str payload, struct err *e)
{
	auto_buf struct buf b = BUF(NIP44_PAYLOAD_MAX);
	auto_keys struct message_keys k;
	uint8_t mac[MAC], *sealed;
	struct str text;
	size_t n;

	if (nip44_check(payload, e) < 0 || base64_decode(&b, payload, BASE64_STD, e) < 0)
		return -1;
	if (b.n < SEALED_MIN || b.p[0] != VERSION_2)
		return err_set(e, ERRK_INPUT, "nip44: payload too short");
	sealed = (uint8_t *)b.p + HEAD;
	n = b.n - HEAD - MAC;
	derive(&k, key, (const uint8_t *)b.p + 1);
	hmac_sha256(mac, k.mac, sizeof(k.mac), b.p + 1, NONCE + n);
	if (!secret_eq(mac, sealed + n, MAC))
		return err_set(e, ERRK_INPUT, "nip44: wrong MAC");
	chacha20(sealed, sealed, n, k.chacha, k.nonce);
	if (unpad(&text, (struct str){(const char *)sealed, n}, e) < 0)
		return -1;
	buf_str(out, text);
	return buf_check(out, "nip44 text", e);
}
