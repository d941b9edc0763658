#include "base/hex.h"

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_is(struct str s, size_t n)
{
	size_t i;

	if (s.n % 2 || s.n / 2 != n)
		return false;
	for (i = 0; i < s.n; i++)
		if (nibble(s.p[i]) < 0)
			return false;
	return true;
}

int hex_decode(uint8_t *out, size_t n, struct str s, struct err *e)
{
	size_t i;

	if (!hex_is(s, n))
		return err_set(e, ERRK_INPUT, "not %zu bytes of lower-case hex", n);
	for (i = 0; i < n; i++)
		out[i] = (uint8_t)(nibble(s.p[2 * i]) << 4 | nibble(s.p[2 * i + 1]));
	return 0;
}

void hex_encode(char *out, const void *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *in = p;
	size_t i;

	for (i = 0; i < n; i++) {
		out[2 * i] = digits[in[i] >> 4];
		out[2 * i + 1] = digits[in[i] & 15];
	}
	out[2 * n] = '\0';
}
