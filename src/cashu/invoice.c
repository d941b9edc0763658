/* BOLT11: a human-readable part with the amount, then groups of five bits: time, fields, signature.
 */
#include "cashu/invoice.h"

#include <string.h>

#include "base/hex.h"
#include "crypto/hash.h"
#include "crypto/secp.h"

#define EXPIRY_USUAL 3600
#define TIME_MAX     ((uint64_t)1 << 40)
#define NEVER	     ((int64_t)1 << 41)

enum { WORDS_TIME = 7, WORDS_HASH = 52, WORDS_SIGNATURE = 104, WORDS_FIELD = 3 };
enum { FIELD_HASH = 1, FIELD_FEATURES = 5, FIELD_EXPIRY = 6, FIELD_TEXT = 13, FIELD_SECRET = 16 };

/* --- reading --- */

static struct str without_scheme(struct str text)
{
	static const char *const schemes[] = {"lightning:", "LIGHTNING:"};

	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
		if (str_starts(text, schemes[i]))
			return (struct str){text.p + strlen(schemes[i]),
					    text.n - strlen(schemes[i])};
	return text;
}

/* Tenths of a millisatoshi in one of the unit: a bitcoin has 10^12. */
static uint64_t unit_of(char c)
{
	switch (c) {
	case 'm':
		return 1000000000;
	case 'u':
		return 1000000;
	case 'n':
		return 1000;
	case 'p':
		return 1;
	default:
		return 0;
	}
}

static int amount_read(struct invoice *out, struct str text, struct err *e)
{
	uint64_t unit = 1000000000000, n;

	if (text.n == 0)
		return 0;
	if (unit_of(text.p[text.n - 1])) {
		unit = unit_of(text.p[text.n - 1]);
		text.n--;
	}
	if (str_u64(text, AMOUNT_MSAT_MAX * 10, &n, e) < 0 || n == 0)
		return err_set(e, ERRK_INPUT, "invoice: bad amount");
	if (n > AMOUNT_MSAT_MAX * 10 / unit)
		return err_set(e, ERRK_LIMIT, "invoice: the amount is too large");
	if (n * unit % 10 != 0)
		return err_set(e, ERRK_INPUT, "invoice: less than a millisatoshi");
	if (!msat_make(&out->amount, n * unit / 10))
		return err_set(e, ERRK_LIMIT, "invoice: the amount is too large");
	out->has_amount = true;
	return 0;
}

static int prefix_read(struct invoice *out, struct str hrp, struct err *e)
{
	static const char *const networks[] = {"bcrt", "bc", "tbs", "tb"};

	if (!str_starts(hrp, "ln"))
		return err_set(e, ERRK_INPUT, "not a Lightning invoice");
	hrp = (struct str){hrp.p + 2, hrp.n - 2};
	for (size_t i = 0; i < ARRAY_SIZE(networks); i++) {
		size_t n = strlen(networks[i]);

		if (!str_starts(hrp, networks[i]))
			continue;
		memcpy(out->network, networks[i], n + 1);
		return amount_read(out, (struct str){hrp.p + n, hrp.n - n}, e);
	}
	return err_set(e, ERRK_INPUT, "invoice: unknown network");
}

static uint64_t number_of(const uint8_t *words, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 5 | words[i];
	return v;
}

/* The whole bytes in `n` groups. */
static void bytes_of(struct buf *out, const uint8_t *words, size_t n)
{
	uint32_t acc = 0;
	unsigned bits = 0;

	for (size_t i = 0; i < n; i++) {
		acc = (acc << 5 | words[i]) & 0xfff;
		bits += 5;
		if (bits < 8)
			continue;
		bits -= 8;
		buf_byte(out, (uint8_t)(acc >> bits));
	}
}

struct found {
	bool hash, expiry;
	uint64_t seconds;
};

static int field_read(struct invoice *out, struct found *f, const uint8_t *field, size_t n,
		      struct err *e)
{
	const uint8_t *words = field + WORDS_FIELD;
	auto_buf struct buf bytes = BUF(64);

	if (field[0] == FIELD_HASH && n == WORDS_HASH) {
		if (f->hash)
			return err_set(e, ERRK_INPUT, "invoice: two payment hashes");
		bytes_of(&bytes, words, n);
		memcpy(out->hash, bytes.p, sizeof(out->hash));
		f->hash = true;
	}
	if (field[0] == FIELD_EXPIRY) {
		if (f->expiry || n > 12)
			return err_set(e, ERRK_INPUT, "invoice: bad expiry");
		f->seconds = number_of(words, n);
		f->expiry = true;
	}
	return 0;
}

static int fields_read(struct invoice *out, const uint8_t *words, size_t n, struct err *e)
{
	struct found f = {.seconds = EXPIRY_USUAL};

	for (size_t i = 0; i < n;) {
		size_t length;

		if (n - i < WORDS_FIELD)
			return err_set(e, ERRK_INPUT, "invoice: a field is cut off");
		length = (size_t)words[i + 1] << 5 | words[i + 2];
		if (length > n - i - WORDS_FIELD)
			return err_set(e, ERRK_INPUT, "invoice: a field is cut off");
		if (field_read(out, &f, words + i, length, e) < 0)
			return -1;
		i += WORDS_FIELD + length;
	}
	if (!f.hash)
		return err_set(e, ERRK_INPUT, "invoice: no payment hash");
	out->expires = f.seconds < TIME_MAX ? out->created + (int64_t)f.seconds : NEVER;
	return 0;
}

int invoice_read(struct invoice *out, struct str text, struct err *e)
{
	auto_buf struct buf words = BUF(INVOICE_TEXT_MAX);
	const uint8_t *w;
	char hrp[33];

	*out = (struct invoice){0};
	text = without_scheme(text);
	if (text.n > INVOICE_TEXT_MAX)
		return err_set(e, ERRK_LIMIT, "invoice: longer than %d characters",
			       INVOICE_TEXT_MAX);
	if (bech32_decode_words(hrp, &words, text, e) < 0)
		return err_wrap(e, "invoice");
	if (prefix_read(out, str_of(hrp), e) < 0)
		return -1;
	if (words.n < WORDS_TIME + WORDS_SIGNATURE)
		return err_set(e, ERRK_INPUT, "invoice: too short");
	w = (const uint8_t *)words.p;
	out->created = (int64_t)number_of(w, WORDS_TIME);
	return fields_read(out, w + WORDS_TIME, words.n - WORDS_TIME - WORDS_SIGNATURE, e);
}

int invoice_canonical(struct buf *out, struct str text, struct err *e)
{
	text = without_scheme(text);
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		buf_byte(out, (uint8_t)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c));
	}
	return buf_check(out, "invoice", e);
}

struct sat invoice_sat(const struct invoice *i)
{
	return msat_ceil(i->amount);
}

/* --- writing --- */

static void put_number(struct buf *words, uint64_t v, unsigned groups)
{
	while (groups-- > 0)
		buf_byte(words, (uint8_t)(v >> (5 * groups) & 31));
}

static void put_bytes(struct buf *words, const uint8_t *p, size_t n)
{
	uint32_t acc = 0;
	unsigned bits = 0;

	for (size_t i = 0; i < n; i++) {
		acc = (acc << 8 | p[i]) & 0xfffff;
		for (bits += 8; bits >= 5;) {
			bits -= 5;
			buf_byte(words, (uint8_t)(acc >> bits & 31));
		}
	}
	if (bits > 0)
		buf_byte(words, (uint8_t)(acc << (5 - bits) & 31));
}

static void put_field(struct buf *words, uint8_t type, const uint8_t *p, size_t n)
{
	buf_byte(words, type);
	put_number(words, (n * 8 + 4) / 5, 2);
	put_bytes(words, p, n);
}

/* What payers of today insist on: payment secret (bit 14) and variable onion (bit 8). */
static void put_features(struct buf *words)
{
	buf_byte(words, FIELD_FEATURES);
	put_number(words, 3, 2);
	put_number(words, 1u << 14 | 1u << 8, 3);
}

static void put_fields(struct buf *words, const struct invoice *i, const uint8_t *secret)
{
	put_number(words, (uint64_t)i->created, WORDS_TIME);
	put_field(words, FIELD_HASH, i->hash, sizeof(i->hash));
	put_field(words, FIELD_SECRET, secret, 32);
	put_field(words, FIELD_TEXT, (const uint8_t *)"trial", 5);
	buf_byte(words, FIELD_EXPIRY);
	put_number(words, 6, 2);
	put_number(words, (uint64_t)(i->expires - i->created), 6);
	put_features(words);
}

/* Over the human-readable part and the groups, filled up with zero bits to whole bytes. */
static void put_signature(struct buf *words, const char *hrp, const struct secret *key)
{
	auto_buf struct buf text = BUF(INVOICE_TEXT_MAX);
	uint8_t hash[32], sig[65];
	size_t n = words->n;

	while (words->n * 5 % 8 != 0 && (words->n - n) * 5 < 8)
		buf_byte(words, 0);
	buf_puts(&text, hrp);
	bytes_of(&text, (const uint8_t *)words->p, words->n);
	buf_truncate(&text, strlen(hrp) + (n * 5 + 7) / 8);
	buf_truncate(words, n);
	sha256(hash, text.p, text.n);
	ecdsa_sign(sig, hash, key);
	put_bytes(words, sig, sizeof(sig));
}

int invoice_write(struct buf *out, const struct invoice *i, const uint8_t secret[static 32],
		  const struct secret *key, struct err *e)
{
	auto_buf struct buf hrp = BUF(32), words = BUF(INVOICE_TEXT_MAX);

	buf_printf(&hrp, "ln%s", i->network);
	if (i->has_amount)
		buf_printf(&hrp, "%llup", (unsigned long long)msat_raw(i->amount) * 10);
	put_fields(&words, i, secret);
	if (buf_check(&hrp, "invoice", e) < 0 || buf_check(&words, "invoice", e) < 0)
		return -1;
	put_signature(&words, hrp.p, key);
	return bech32_encode_words(out, hrp.p, buf_view(&words), e);
}
