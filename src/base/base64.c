/* Base64 of RFC 4648, both alphabets; non-canonical trailing bits are refused. */
#include "base/hex.h"

static int value_of(char c, enum base64_alphabet a)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if ((c == '+' && a != BASE64_URL) || (c == '-' && a != BASE64_STD))
		return 62;
	if ((c == '/' && a != BASE64_URL) || (c == '_' && a != BASE64_STD))
		return 63;
	return -1;
}

static struct str cut_padding(struct str s)
{
	if (s.n >= 4 && s.n % 4 == 0 && s.p[s.n - 1] == '=')
		s.n -= s.p[s.n - 2] == '=' ? 2 : 1;
	return s;
}

int base64_decode(struct buf *out, struct str s, enum base64_alphabet a, struct err *e)
{
	struct str body = cut_padding(s);
	unsigned bits = 0;
	uint32_t acc = 0;
	size_t i;
	int v;

	if (body.n % 4 == 1 || (a == BASE64_STD && s.n % 4))
		return err_set(e, ERRK_INPUT, "base64: wrong length");
	for (i = 0; i < body.n; i++) {
		v = value_of(body.p[i], a);
		if (v < 0)
			return err_set(e, ERRK_INPUT, "base64: bad character at %zu", i);
		acc = (acc << 6 | (uint32_t)v) & 0xffffff;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			buf_byte(out, (uint8_t)(acc >> bits));
		}
	}
	if (acc & ((1u << bits) - 1))
		return err_set(e, ERRK_INPUT, "base64: stray bits at the end");
	return buf_check(out, "base64", e);
}

void base64_encode(struct buf *out, const void *p, size_t n, enum base64_alphabet a)
{
	static const char std[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	static const char url[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const char *digits = a == BASE64_URL ? url : std;
	const uint8_t *in = p;
	size_t i, k, have;

	for (i = 0; i < n; i += 3) {
		char quad[4] = {'=', '=', '=', '='};
		uint32_t acc = (uint32_t)in[i] << 16;

		have = n - i < 3 ? n - i : 3;
		if (have > 1)
			acc |= (uint32_t)in[i + 1] << 8;
		if (have > 2)
			acc |= in[i + 2];
		for (k = 0; k <= have; k++)
			quad[k] = digits[acc >> (18 - 6 * k) & 63];
		buf_add(out, quad, a == BASE64_URL ? have + 1 : 4);
	}
}
