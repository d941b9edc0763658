/* The one lock: parser, writer, signatures. The parser knows a single shape and says "unsupported"
 * to all others: two mints read them differently, some as "anyone can spend". */
#include "cashu/lock.h"

#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "crypto/hash.h"

#define NONCE_MIN 16
#define NONCE_MAX 128

bool lock_key_of(struct lock_key *out, const struct secret *k)
{
	struct point p;

	if (!point_base(&p, k))
		return false;
	point_write(out->b, &p);
	return true;
}

int lock_key_parse(struct lock_key *out, struct str hex, struct err *e)
{
	struct point p;

	if (hex_decode(out->b, sizeof(out->b), hex, e) || point_parse(&p, out->b, e))
		return err_wrap(e, "public key");
	return 0;
}

bool lock_is_to(const struct lock *l, const struct lock_key *ours)
{
	return memcmp(l->key.b, ours->b, sizeof(ours->b)) == 0;
}

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_alnum(s.p[i]) && !memchr("+/=_-", s.p[i], 5))
			return false;
	return s.n > 0;
}

static bool nonce_ok(const struct json *j)
{
	struct str s;

	if (!json_as_str(j, &s) || s.n < NONCE_MIN || s.n > NONCE_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!is_alnum(s.p[i]))
			return false;
	return true;
}

/* [1-9][0-9]{8,10}: nothing that one mint reads as a number and another as something else. */
static bool locktime_ok(struct lock *l, struct str value)
{
	uint64_t n;

	if (value.n < 9 || value.n > 11 || value.p[0] == '0' ||
	    str_u64(value, UINT64_MAX, &n, NULL))
		return false;
	l->locktime = (int64_t)n;
	return true;
}

static bool refund_ok(struct lock *l, struct str value)
{
	if (lock_key_parse(&l->refund, value, NULL))
		return false;
	l->has_refund = true;
	return true;
}

enum tag {
	TAG_SIGFLAG,
	TAG_LOCKTIME,
	TAG_REFUND,
	TAG_N_SIGS,
	TAG_N_SIGS_REFUND,
	TAG_COUNT,
};

static enum tag tag_of(struct str name)
{
	static const char *const names[TAG_COUNT] = {
		[TAG_SIGFLAG] = "sigflag",
		[TAG_LOCKTIME] = "locktime",
		[TAG_REFUND] = "refund",
		[TAG_N_SIGS] = "n_sigs",
		[TAG_N_SIGS_REFUND] = "n_sigs_refund",
	};
	enum tag t = 0;

	while (t < TAG_COUNT && !str_is(name, names[t]))
		t++;
	return t;
}

/* One tag: a known name, one value, and each name once. */
static bool tag_ok(struct lock *l, unsigned *seen, const struct json *j)
{
	struct str name, value;
	enum tag t;

	if (json_type(j) != JSON_ARRAY || json_count(j) != 2 ||
	    !json_as_str(json_first(j), &name) || !json_as_str(json_next(json_first(j)), &value))
		return false;
	t = tag_of(name);
	if (t == TAG_COUNT || *seen & 1u << t)
		return false;
	*seen |= 1u << t;
	switch (t) {
	case TAG_SIGFLAG:
		return str_is(value, "SIG_INPUTS");
	case TAG_LOCKTIME:
		return locktime_ok(l, value);
	case TAG_REFUND:
		return refund_ok(l, value);
	case TAG_N_SIGS:
	case TAG_N_SIGS_REFUND:
		return str_is(value, "1");
	case TAG_COUNT:
		break;
	}
	return false;
}

static bool tags_ok(struct lock *l, const struct json *tags)
{
	unsigned seen = 0;

	if (!tags || json_type(tags) != JSON_ARRAY)
		return false;
	for (const struct json *j = json_first(tags); j; j = json_next(j))
		if (!tag_ok(l, &seen, j))
			return false;
	return true;
}

/* ["P2PK",{"nonce","data","tags"}], members in any order (the scan saw that each comes once). */
static bool shape_ok(struct lock *l, const struct json *root)
{
	const struct json *kind, *body;
	struct str text;

	if (json_type(root) != JSON_ARRAY || json_count(root) != 2)
		return false;
	kind = json_first(root);
	body = json_next(kind);
	if (!json_as_str(kind, &text) || !str_is(text, "P2PK"))
		return false;
	if (json_type(body) != JSON_OBJECT || json_count(body) != 3 ||
	    !nonce_ok(json_get(body, "nonce")) || !json_as_str(json_get(body, "data"), &text) ||
	    lock_key_parse(&l->key, text, NULL))
		return false;
	return tags_ok(l, json_get(body, "tags"));
}

enum lock_kind lock_parse(struct lock *out, struct str secret)
{
	const struct json_limits lim = {.bytes = LOCK_SECRET_MAX, .depth = 4, .nodes = 64};
	auto_json struct json *root = NULL;

	*out = (struct lock){0};
	if (is_plain(secret))
		return LOCK_PLAIN;
	/* no escapes: none is needed, and mints differ on what they compare */
	if (secret.n > LOCK_SECRET_MAX || memchr(secret.p, '\\', secret.n) ||
	    json_parse(&root, secret, &lim, NULL) || !shape_ok(out, root))
		return LOCK_UNSUPPORTED;
	/* either parity of the same x is the same signer */
	if (out->has_refund && memcmp(out->key.b + 1, out->refund.b + 1, 32) == 0)
		return LOCK_UNSUPPORTED;
	return LOCK_OK;
}

void lock_write(struct buf *out, const struct lock *l, const uint8_t nonce[static 32])
{
	buf_puts(out, "[\"P2PK\",{\"nonce\":\"");
	buf_hex(out, nonce, 32);
	buf_puts(out, "\",\"data\":\"");
	buf_hex(out, l->key.b, sizeof(l->key.b));
	buf_puts(out, "\",\"tags\":[[\"sigflag\",\"SIG_INPUTS\"]");
	if (l->locktime)
		buf_printf(out, ",[\"locktime\",\"%lld\"]", (long long)l->locktime);
	if (l->has_refund) {
		buf_puts(out, ",[\"refund\",\"");
		buf_hex(out, l->refund.b, sizeof(l->refund.b));
		buf_puts(out, "\"]");
	}
	buf_puts(out, "]}]");
}

void lock_sign(uint8_t sig[static 64], struct str secret, const struct secret *k)
{
	uint8_t hash[32];

	sha256(hash, secret.p, secret.n);
	schnorr_sign(sig, hash, k);
}

bool lock_verify(const uint8_t sig[static 64], struct str secret, const struct lock_key *key)
{
	struct pubkey x;
	uint8_t hash[32];

	memcpy(x.b, key->b + 1, sizeof(x.b));
	sha256(hash, secret.p, secret.n);
	return schnorr_verify(sig, hash, sizeof(hash), &x);
}

char *lock_witness(const uint8_t sig[static 64])
{
	char hex[129];

	hex_encode(hex, sig, 64);
	return mem_printf("{\"signatures\":[\"%s\"]}", hex);
}
