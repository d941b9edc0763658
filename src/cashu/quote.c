/* NUT-20 messages, both formats. */
#include "cashu/quote.h"

#include "base/hex.h"
#include "crypto/hash.h"

#define FRAME_DOMAIN "Cashu_MintQuoteSig_v1"

static void add_framed(struct sha256_ctx *c, const void *p, size_t n)
{
	const uint8_t len[4] = {(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8),
				(uint8_t)n};

	sha256_add(c, len, sizeof(len));
	sha256_add(c, p, n);
}

/* Minimal big-endian bytes, at least one. */
static void add_amount(struct sha256_ctx *c, uint64_t n)
{
	uint8_t raw[8];
	size_t skip = 0;

	for (size_t i = 0; i < 8; i++)
		raw[i] = (uint8_t)(n >> 8 * (7 - i));
	while (skip < 7 && raw[skip] == 0)
		skip++;
	add_framed(c, raw + skip, 8 - skip);
}

static void add_hex(struct sha256_ctx *c, const uint8_t point[static POINT_COMPRESSED])
{
	char text[2 * POINT_COMPRESSED + 1];

	hex_encode(text, point, POINT_COMPRESSED);
	sha256_add(c, text, 2 * POINT_COMPRESSED);
}

void quote_hash(uint8_t out[static 32], enum quote_format f, struct str quote,
		const struct blinded *outputs, size_t n)
{
	AUTO(sha256_free) struct sha256_ctx *c = sha256_new();

	if (f == QUOTE_LEGACY) {
		sha256_add(c, quote.p, quote.n);
		for (size_t i = 0; i < n; i++)
			add_hex(c, outputs[i].b);
	} else {
		sha256_add(c, FRAME_DOMAIN, sizeof(FRAME_DOMAIN) - 1);
		add_framed(c, quote.p, quote.n);
		for (size_t i = 0; i < n; i++) {
			add_amount(c, sat_raw(outputs[i].amount));
			add_framed(c, outputs[i].b, POINT_COMPRESSED);
		}
	}
	sha256_end(c, out);
}

void quote_sign(uint8_t sig[static 64], const uint8_t hash[static 32], const struct secret *k)
{
	schnorr_sign(sig, hash, k);
}

bool quote_verify(const uint8_t sig[static 64], const uint8_t hash[static 32],
		  const uint8_t key[static POINT_COMPRESSED])
{
	struct pubkey x;

	for (size_t i = 0; i < sizeof(x.b); i++)
		x.b[i] = key[i + 1];
	return schnorr_verify(sig, hash, 32, &x);
}
