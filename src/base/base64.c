/* Base64 of RFC 4648, both alphabets; non-canonical trailing bits are refused. */
#include "base/hex.h"
#include "base/secret.h"

/* Value + 1 of each character of both alphabets. */
static const uint8_t values[256] = {
#define RUN4(c, v)  [c] = (v), [(c) + 1] = (v) + 1, [(c) + 2] = (v) + 2, [(c) + 3] = (v) + 3
#define RUN10(c, v) RUN4(c, v), RUN4((c) + 4, (v) + 4), [(c) + 8] = (v) + 8, [(c) + 9] = (v) + 9
#define RUN26(c, v)                                                                                \
	RUN10(c, v), RUN10((c) + 10, (v) + 10), RUN4((c) + 20, (v) + 20),                          \
		[(c) + 24] = (v) + 24, [(c) + 25] = (v) + 25
	RUN26('A', 1), RUN26('a', 27), RUN10('0', 53), ['+'] = 63,
	['-'] = 63,    ['/'] = 64,     ['_'] = 64,
};

static int value_of(char c, enum base64_alphabet a)
{
	int v = values[(uint8_t)c] - 1;

	if (v >= 62 && ((a == BASE64_STD && (c == '-' || c == '_')) ||
			(a == BASE64_URL && (c == '+' || c == '/'))))
		return -1;
	return v;
}

static struct str cut_padding(struct str s)
{
	if (s.n >= 4 && s.n % 4 == 0 && s.p[s.n - 1] == '=')
		s.n -= s.p[s.n - 2] == '=' ? 2 : 1;
	return s;
}

/* Bytes are gathered here first: the buffer's own checks cost more than the decoding. */
struct gather {
	struct buf *out;
	uint8_t b[384];
	size_t n;
};

static void gather_flush(struct gather *g)
{
	buf_add(g->out, g->b, g->n);
	g->n = 0;
}

static void gather_byte(struct gather *g, uint8_t v)
{
	if (g->n == sizeof(g->b))
		gather_flush(g);
	g->b[g->n++] = v;
}

int base64_decode(struct buf *out, struct str s, enum base64_alphabet a, struct err *e)
{
	struct str body = cut_padding(s);
	struct gather g = {.out = out};
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
			gather_byte(&g, (uint8_t)(acc >> bits));
		}
	}
	gather_flush(&g);
	wipe(g.b, sizeof(g.b));
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
