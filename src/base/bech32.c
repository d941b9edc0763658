/* Bech32 (BIP-173) and Bech32m (BIP-350) without the 90-character limit, as NIP-19 uses it. */
#include "base/hex.h"

#include <string.h>

static const char charset[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
enum { HRP_MAX = 16, HRP_WORDS_MAX = 32, CHECK_LEN = 6 };

static uint32_t final_constant(enum bech32_kind kind)
{
	return kind == BECH32M ? 0x2bc830a3 : 1;
}

static uint32_t polymod_step(uint32_t c, uint8_t v)
{
	static const uint32_t gen[] = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3};
	uint32_t top = c >> 25;
	size_t i;

	c = (c & 0x1ffffff) << 5 ^ v;
	for (i = 0; i < 5; i++)
		if (top >> i & 1)
			c ^= gen[i];
	return c;
}

static uint32_t polymod_hrp(const char *hrp)
{
	uint32_t c = 1;
	size_t i;

	for (i = 0; hrp[i]; i++)
		c = polymod_step(c, (uint8_t)hrp[i] >> 5);
	c = polymod_step(c, 0);
	for (i = 0; hrp[i]; i++)
		c = polymod_step(c, (uint8_t)hrp[i] & 31);
	return c;
}

static char to_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* One case only, printable ASCII only. */
static bool case_ok(struct str s)
{
	bool lower = false, upper = false;
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] < 33 || s.p[i] > 126)
			return false;
		lower = lower || (s.p[i] >= 'a' && s.p[i] <= 'z');
		upper = upper || (s.p[i] >= 'A' && s.p[i] <= 'Z');
	}
	return !(lower && upper);
}

/* Length of the human-readable part: up to the last '1'. 0 where there is none that may be. */
static size_t hrp_length(struct str s, size_t max)
{
	size_t n = s.n;

	while (n && s.p[n - 1] != '1')
		n--;
	return n >= 2 && n - 1 <= max && s.n - n >= CHECK_LEN ? n - 1 : 0;
}

/* Collects groups of five bits into bytes. */
static void take_group(struct buf *out, uint32_t *acc, unsigned *bits, uint8_t v)
{
	*acc = (*acc << 5 | v) & 0xfff;
	*bits += 5;
	if (*bits < 8)
		return;
	*bits -= 8;
	buf_byte(out, (uint8_t)(*acc >> *bits));
}

static int decode_data(struct buf *out, uint32_t *check, struct str data, struct err *e)
{
	unsigned bits = 0;
	uint32_t acc = 0;
	size_t i;

	for (i = 0; i < data.n; i++) {
		const char *at = strchr(charset, to_lower(data.p[i]));

		if (!at)
			return err_set(e, ERRK_INPUT, "bech32: bad character");
		*check = polymod_step(*check, (uint8_t)(at - charset));
		if (i + CHECK_LEN < data.n)
			take_group(out, &acc, &bits, (uint8_t)(at - charset));
	}
	if (bits >= 5 || (acc & ((1u << bits) - 1)))
		return err_set(e, ERRK_INPUT, "bech32: bad padding");
	return 0;
}

int bech32_decode(char hrp[static 17], struct buf *out, enum bech32_kind kind, struct str s,
		  struct err *e)
{
	size_t i, n;
	uint32_t check;

	if (s.n > BECH32_MAX)
		return err_set(e, ERRK_LIMIT, "bech32: too long");
	n = hrp_length(s, HRP_MAX);
	if (n == 0 || !case_ok(s))
		return err_set(e, ERRK_INPUT, "not a bech32 string");
	for (i = 0; i < n; i++)
		hrp[i] = to_lower(s.p[i]);
	hrp[n] = '\0';
	check = polymod_hrp(hrp);
	if (decode_data(out, &check, (struct str){s.p + n + 1, s.n - n - 1}, e))
		return -1;
	if (check != final_constant(kind))
		return err_set(e, ERRK_INPUT, "bech32: wrong checksum");
	return buf_check(out, "bech32", e);
}

static void put_group(struct buf *out, uint32_t *check, uint8_t v)
{
	*check = polymod_step(*check, v);
	buf_byte(out, (uint8_t)charset[v]);
}

static void encode_data(struct buf *out, uint32_t *check, const uint8_t *in, size_t n)
{
	unsigned bits = 0;
	uint32_t acc = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		acc = (acc << 8 | in[i]) & 0xfff;
		for (bits += 8; bits >= 5;) {
			bits -= 5;
			put_group(out, check, acc >> bits & 31);
		}
	}
	if (bits)
		put_group(out, check, acc << (5 - bits) & 31);
}

int bech32_encode(struct buf *out, const char *hrp, enum bech32_kind kind, const void *p, size_t n,
		  struct err *e)
{
	size_t len = strlen(hrp);
	uint32_t check;
	int i;

	if (len == 0 || len > HRP_MAX || n > BECH32_MAX / 2 ||
	    len + 1 + (n * 8 + 4) / 5 + CHECK_LEN > BECH32_MAX)
		return err_set(e, ERRK_LIMIT, "bech32: too long");
	check = polymod_hrp(hrp);
	buf_puts(out, hrp);
	buf_byte(out, '1');
	encode_data(out, &check, p, n);
	for (i = 0; i < CHECK_LEN; i++)
		check = polymod_step(check, 0);
	check ^= final_constant(kind);
	for (i = 0; i < CHECK_LEN; i++)
		buf_byte(out, (uint8_t)charset[check >> (25 - 5 * i) & 31]);
	return buf_check(out, "bech32", e);
}

/* --- groups of five bits as they are --- */

int bech32_decode_words(char hrp[static 33], struct buf *words, struct str s, struct err *e)
{
	size_t n = s.n <= BECH32_MAX ? hrp_length(s, HRP_WORDS_MAX) : 0;
	uint32_t check;

	if (n == 0 || !case_ok(s))
		return err_set(e, ERRK_INPUT, "not a bech32 string");
	for (size_t i = 0; i < n; i++)
		hrp[i] = to_lower(s.p[i]);
	hrp[n] = '\0';
	check = polymod_hrp(hrp);
	for (size_t i = n + 1; i < s.n; i++) {
		const char *at = strchr(charset, to_lower(s.p[i]));

		if (!at)
			return err_set(e, ERRK_INPUT, "bech32: bad character");
		check = polymod_step(check, (uint8_t)(at - charset));
		if (i + CHECK_LEN < s.n)
			buf_byte(words, (uint8_t)(at - charset));
	}
	if (check != final_constant(BECH32))
		return err_set(e, ERRK_INPUT, "bech32: wrong checksum");
	return buf_check(words, "bech32", e);
}

int bech32_encode_words(struct buf *out, const char *hrp, struct str words, struct err *e)
{
	size_t len = strlen(hrp);
	uint32_t check;

	if (len == 0 || len > HRP_WORDS_MAX || len + 1 + words.n + CHECK_LEN > BECH32_MAX)
		return err_set(e, ERRK_LIMIT, "bech32: too long");
	check = polymod_hrp(hrp);
	buf_puts(out, hrp);
	buf_byte(out, '1');
	for (size_t i = 0; i < words.n; i++)
		put_group(out, &check, (uint8_t)words.p[i] & 31);
	for (int i = 0; i < CHECK_LEN; i++)
		check = polymod_step(check, 0);
	check ^= final_constant(BECH32);
	for (int i = 0; i < CHECK_LEN; i++)
		buf_byte(out, (uint8_t)charset[check >> (25 - 5 * i) & 31]);
	return buf_check(out, "bech32", e);
}
