#include "nostr/nip04.h"

#include <string.h>

#include "base/hex.h"
#include "crypto/cipher.h"

int nip04_encrypt(struct buf *out, const struct secret *mine, const struct pubkey *theirs,
		  struct str text, struct err *e)
{
	auto_buf struct buf sealed = BUF(NIP04_MAX + 16);
	auto_secret struct secret key;
	uint8_t iv[16];

	if (text.n > NIP04_MAX)
		return err_set(e, ERRK_LIMIT, "nip04: message too long");
	if (!ecdh_x(key.b, theirs, mine))
		return err_set(e, ERRK_INPUT, "nip04: not a key");
	rand_bytes(iv, sizeof(iv));
	aes_cbc_encrypt(&sealed, text.p, text.n, key.b, iv);
	base64_encode(out, sealed.p, sealed.n, BASE64_STD);
	buf_puts(out, "?iv=");
	base64_encode(out, iv, sizeof(iv), BASE64_STD);
	return buf_check(out, "nip04 payload", e);
}

/* "base64?iv=base64" to ciphertext and 16 bytes. */
static int split(struct buf *sealed, struct buf *iv, struct str payload, struct err *e)
{
	struct str rest = payload, text;

	if (payload.n > NIP04_MAX || !str_cut(&rest, '?', &text) || !str_starts(rest, "iv="))
		return err_set(e, ERRK_INPUT, "nip04: not a payload");
	rest.p += 3;
	rest.n -= 3;
	if (base64_decode(sealed, text, BASE64_STD, e) < 0 ||
	    base64_decode(iv, rest, BASE64_STD, e) < 0)
		return -1;
	if (iv->n != 16 || sealed->n == 0 || sealed->n % 16)
		return err_set(e, ERRK_INPUT, "nip04: bad length");
	return 0;
}

int nip04_decrypt(struct buf *out, const struct secret *mine, const struct pubkey *theirs,
		  struct str payload, struct err *e)
{
	auto_buf struct buf sealed = BUF(NIP04_MAX), iv = BUF(64), plain = BUF(NIP04_MAX);
	auto_secret struct secret key;

	if (split(&sealed, &iv, payload, e) < 0)
		return -1;
	if (!ecdh_x(key.b, theirs, mine))
		return err_set(e, ERRK_INPUT, "nip04: not a key");
	if (aes_cbc_decrypt(&plain, sealed.p, sealed.n, key.b, (const uint8_t *)iv.p, e) < 0)
		return -1;
	if (!utf8_valid(buf_view(&plain)))
		return err_set(e, ERRK_INPUT, "nip04: not text");
	buf_str(out, buf_view(&plain));
	return buf_check(out, "nip04 message", e);
}
