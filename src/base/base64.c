/* Base64 of RFC 4648, both alphabets; non-canonical trailing bits are refused. */
#include <string.h>

#include "base/hex.h"

/* Value + 1 of each character. */
static const uint8_t values[][256] = {
#define RUN4(c, v)  [c] = (v), [(c) + 1] = (v) + 1, [(c) + 2] = (v) + 2, [(c) + 3] = (v) + 3
#define RUN10(c, v) RUN4(c, v), RUN4((c) + 4, (v) + 4), [(c) + 8] = (v) + 8, [(c) + 9] = (v) + 9
#define RUN26(c, v)                                                                                \
	RUN10(c, v), RUN10((c) + 10, (v) + 10), RUN4((c) + 20, (v) + 20),                          \
		[(c) + 24] = (v) + 24, [(c) + 25] = (v) + 25
#define COMMON RUN26('A', 1), RUN26('a', 27), RUN10('0', 53)
	[BASE64_STD] = {COMMON, ['+'] = 63, ['/'] = 64},
	[BASE64_URL] = {COMMON, ['-'] = 63, ['_'] = 64},
	[BASE64_ANY] = {COMMON, ['+'] = 63, ['/'] = 64, ['-'] = 63, ['_'] = 64},
};

static struct str cut_padding(struct str s)
{
	if (s.n >= 4 && s.n % 4 == 0 && s.p[s.n - 1] == '=')
		s.n -= s.p[s.n - 2] == '=' ? 2 : 1;
	return s;
}

/* Four characters to three bytes. False: one of them is none of the alphabet. */
static bool decode_quad(uint8_t to[static 3], const char *p, const uint8_t *value)
{
	uint32_t a = value[(uint8_t)p[0]], b = value[(uint8_t)p[1]], c = value[(uint8_t)p[2]],
		 d = value[(uint8_t)p[3]];
	uint32_t acc = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);

	to[0] = (uint8_t)(acc >> 16);
	to[1] = (uint8_t)(acc >> 8);
	to[2] = (uint8_t)acc;
	return a && b && c && d;
}

enum tail { TAIL_GOOD, TAIL_CHARACTER, TAIL_BITS };

/* The last two or three characters to one or two bytes; what they say beyond that must be 0. */
static enum tail decode_tail(uint8_t *to, struct str rest, const uint8_t *value)
{
	char quad[4] = {'A', 'A', 'A', 'A'};
	uint8_t bytes[3];

	if (rest.n == 0)
		return TAIL_GOOD;
	memcpy(quad, rest.p, rest.n);
	if (!decode_quad(bytes, quad, value))
		return TAIL_CHARACTER;
	memcpy(to, bytes, rest.n - 1);
	return bytes[rest.n - 1] ? TAIL_BITS : TAIL_GOOD;
}

static enum tail decode(uint8_t *to, struct str body, const uint8_t *value)
{
	size_t i = 0;

	for (; i + 4 <= body.n; i += 4, to += 3)
		if (!decode_quad(to, body.p + i, value))
			return TAIL_CHARACTER;
	return decode_tail(to, (struct str){body.p + i, body.n - i}, value);
}

int base64_decode(struct buf *out, struct str s, enum base64_alphabet a, struct err *e)
{
	struct str body = cut_padding(s);
	size_t before = out->n;
	uint8_t *to;

	if (body.n % 4 == 1 || (a == BASE64_STD && s.n % 4))
		return err_set(e, ERRK_INPUT, "base64: wrong length");
	to = buf_extend(out, body.n / 4 * 3 + (body.n % 4 ? body.n % 4 - 1 : 0));
	if (!to)
		return buf_check(out, "base64", e);
	switch (decode(to, body, values[a])) {
	case TAIL_GOOD:
		return 0;
	case TAIL_CHARACTER:
		buf_truncate(out, before);
		return err_set(e, ERRK_INPUT, "base64: a bad character");
	case TAIL_BITS:
		break;
	}
	buf_truncate(out, before);
	return err_set(e, ERRK_INPUT, "base64: stray bits at the end");
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
