/* Keyset ids, keys and fees (NUT-01, NUT-02). */
#include "cashu/keyset.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "crypto/hash.h"

enum { VERSION_BYTE_V1 = 0x00, VERSION_BYTE_V2 = 0x01 };
#define LEGACY_TEXT	12 /* base64 of nine bytes */
#define EXPIRY_MARGIN_S 3600

enum keyset_version keyset_id_version(const struct keyset_id *id)
{
	if (id->n == KEYSET_ID_LEGACY)
		return KEYSET_LEGACY;
	if (id->n == KEYSET_ID_V1 && id->b[0] == VERSION_BYTE_V1)
		return KEYSET_V1;
	if (id->n == KEYSET_ID_SHORT && id->b[0] == VERSION_BYTE_V2)
		return KEYSET_V2_SHORT;
	if (id->n == KEYSET_ID_V2 && id->b[0] == VERSION_BYTE_V2)
		return KEYSET_V2;
	return KEYSET_UNKNOWN;
}

const char *keyset_version_name(enum keyset_version v)
{
	switch (v) {
	case KEYSET_LEGACY:
		return "legacy";
	case KEYSET_V1:
		return "v1";
	case KEYSET_V2_SHORT:
		return "v2 (short)";
	case KEYSET_V2:
		return "v2";
	case KEYSET_UNKNOWN:
		break;
	}
	return "unknown";
}

int keyset_id_from_bytes(struct keyset_id *out, const void *p, size_t n, struct err *e)
{
	*out = (struct keyset_id){0};
	if (n != KEYSET_ID_V1 && n != KEYSET_ID_LEGACY && n != KEYSET_ID_V2)
		return err_set(e, ERRK_INPUT, "keyset id of %zu bytes", n);
	out->n = (uint8_t)n;
	memcpy(out->b, p, n);
	return 0;
}

int keyset_id_parse(struct keyset_id *out, struct str text, struct err *e)
{
	auto_buf struct buf raw = BUF(KEYSET_ID_LEGACY);

	*out = (struct keyset_id){0};
	if (text.n == 2 * KEYSET_ID_V1 || text.n == 2 * KEYSET_ID_V2) {
		out->n = (uint8_t)(text.n / 2);
		return hex_decode(out->b, out->n, text, e) ? err_wrap(e, "keyset id") : 0;
	}
	if (text.n != LEGACY_TEXT)
		return err_set(e, ERRK_INPUT, "keyset id of %zu characters", text.n);
	if (base64_decode(&raw, text, BASE64_ANY, e))
		return err_wrap(e, "keyset id");
	return keyset_id_from_bytes(out, raw.p, raw.n, e);
}

void keyset_id_text(char out[static KEYSET_ID_TEXT], const struct keyset_id *id)
{
	auto_buf struct buf text = BUF(KEYSET_ID_TEXT);

	if (id->n != KEYSET_ID_LEGACY) {
		hex_encode(out, id->b, id->n);
		return;
	}
	base64_encode(&text, id->b, id->n, BASE64_STD);
	assert(text.n == LEGACY_TEXT);
	memcpy(out, text.p, LEGACY_TEXT);
	out[LEGACY_TEXT] = '\0';
}

bool keyset_id_eq(const struct keyset_id *a, const struct keyset_id *b)
{
	return a->n == b->n && memcmp(a->b, b->b, a->n) == 0;
}

struct keyset *keyset_new(void)
{
	return mem_zero(sizeof(struct keyset));
}

void keyset_free(struct keyset *k)
{
	if (!k)
		return;
	free(k->keys);
	free(k);
}

static int key_order(const void *a, const void *b)
{
	uint64_t x = ((const struct keyset_key *)a)->amount;
	uint64_t y = ((const struct keyset_key *)b)->amount;

	return x < y ? -1 : x > y;
}

static int key_parse(struct keyset_key *out, const struct json *member, struct err *e)
{
	struct str hex;

	if (str_u64(json_key(member), (uint64_t)1 << 63, &out->amount, e))
		return err_wrap(e, "amount of a key");
	if (out->amount == 0)
		return err_set(e, ERRK_INPUT, "key for amount 0");
	if (!json_as_str(member, &hex) || hex_decode(out->bytes, sizeof(out->bytes), hex, e))
		return err_set(e, ERRK_INPUT, "key for %llu is not 66 hex characters",
			       (unsigned long long)out->amount);
	return point_parse(&out->point, out->bytes, e);
}

int keyset_keys_from_json(struct keyset *k, const struct json *object, struct err *e)
{
	size_t n = json_count(object);
	auto_free struct keyset_key *keys = NULL;
	size_t i = 0;

	if (n == 0 || n > KEYSET_KEYS_MAX)
		return err_set(e, ERRK_LIMIT, "keyset with %zu keys", n);
	keys = mem_array(n, sizeof(*keys));
	for (const struct json *j = json_first(object); j; j = json_next(j))
		if (key_parse(&keys[i++], j, e))
			return -1;
	qsort(keys, n, sizeof(*keys), key_order);
	for (i = 1; i < n; i++)
		if (keys[i].amount == keys[i - 1].amount)
			return err_set(e, ERRK_INPUT, "two keys for one amount");
	free(k->keys);
	k->keys = steal(&keys);
	k->n = n;
	return 0;
}

int keyset_keys_parse(struct keyset *k, struct str json, struct err *e)
{
	auto_json struct json *root = NULL;

	if (json_parse(&root, json, NULL, e))
		return -1;
	if (json_type(root) != JSON_OBJECT)
		return err_set(e, ERRK_INPUT, "keys are not an object");
	return keyset_keys_from_json(k, root, e);
}

void keyset_keys_write(struct buf *out, const struct keyset *k)
{
	buf_byte(out, '{');
	for (size_t i = 0; i < k->n; i++) {
		buf_printf(out, "%s\"%llu\":\"", i ? "," : "",
			   (unsigned long long)k->keys[i].amount);
		buf_hex(out, k->keys[i].bytes, sizeof(k->keys[i].bytes));
		buf_byte(out, '"');
	}
	buf_byte(out, '}');
}

/* "00" and the first 14 hex characters of SHA-256 over the keys by ascending amount. */
static void derive_v1(struct keyset_id *out, const struct keyset *k)
{
	struct str parts[KEYSET_KEYS_MAX];
	uint8_t hash[32];

	for (size_t i = 0; i < k->n; i++)
		parts[i] = (struct str){(const char *)k->keys[i].bytes, POINT_COMPRESSED};
	sha256_parts(hash, parts, k->n);
	out->n = KEYSET_ID_V1;
	out->b[0] = VERSION_BYTE_V1;
	memcpy(out->b + 1, hash, KEYSET_ID_V1 - 1);
}

/* "01" and SHA-256 over "amount:hexkey,…|unit:u|input_fee_ppk:n|final_expiry:n". */
static void derive_v2(struct keyset_id *out, const struct keyset *k)
{
	auto_buf struct buf text = BUF((KEYSET_KEYS_MAX + 1) * 128);

	for (size_t i = 0; i < k->n; i++) {
		buf_printf(&text, "%s%llu:", i ? "," : "", (unsigned long long)k->keys[i].amount);
		buf_hex(&text, k->keys[i].bytes, sizeof(k->keys[i].bytes));
	}
	buf_printf(&text, "|unit:%s", k->unit);
	if (k->fee_ppk)
		buf_printf(&text, "|input_fee_ppk:%u", k->fee_ppk);
	if (k->final_expiry)
		buf_printf(&text, "|final_expiry:%lld", (long long)k->final_expiry);
	out->n = KEYSET_ID_V2;
	out->b[0] = VERSION_BYTE_V2;
	sha256(out->b + 1, text.p, text.n);
}

void keyset_derive_id(struct keyset_id *out, const struct keyset *k, enum keyset_version version)
{
	assert(k->n > 0 && (version == KEYSET_V1 || version == KEYSET_V2));
	*out = (struct keyset_id){0};
	if (version == KEYSET_V1)
		derive_v1(out, k);
	else
		derive_v2(out, k);
}

int keyset_verify(const struct keyset *k, struct err *e)
{
	enum keyset_version version = keyset_id_version(&k->id);
	struct keyset_id derived;

	if (version != KEYSET_V1 && version != KEYSET_V2)
		return err_set(e, ERRK_DENIED, "keyset id version is %s, not v1 or v2",
			       keyset_version_name(version));
	if (k->n == 0)
		return err_set(e, ERRK_STATE, "keyset without keys");
	keyset_derive_id(&derived, k, version);
	if (!keyset_id_eq(&derived, &k->id))
		return err_set(e, ERRK_PEER, "keyset id does not follow from its keys");
	return 0;
}

const struct keyset_key *keyset_find_key(const struct keyset *k, struct sat amount)
{
	const struct keyset_key wanted = {.amount = sat_raw(amount)};

	if (k->n == 0)
		return NULL;
	return bsearch(&wanted, k->keys, k->n, sizeof(wanted), key_order);
}

void keysets_free(struct keysets *s)
{
	for (size_t i = 0; i < s->n; i++)
		keyset_free(s->v[i]);
	free(s->v);
	*s = (struct keysets){0};
}

void keysets_add_take(struct keysets *s, struct keyset *k)
{
	s->v = mem_grow(s->v, s->n + 1, sizeof(*s->v));
	s->v[s->n++] = k;
}

/* NUT-00: "if more than one keyset matches a short id, the wallet must fail". */
enum keyset_found keysets_resolve(const struct keyset **out, const struct keysets *s,
				  const struct keyset_id *id)
{
	enum keyset_version version = keyset_id_version(id);
	const struct keyset *found = NULL;

	*out = NULL;
	if (version == KEYSET_UNKNOWN || version == KEYSET_LEGACY)
		return KEYSET_BAD_VERSION;
	for (size_t i = 0; i < s->n; i++) {
		const struct keyset *k = s->v[i];

		if (version == KEYSET_V2_SHORT ? memcmp(k->id.b, id->b, KEYSET_ID_SHORT) != 0
					       : !keyset_id_eq(&k->id, id))
			continue;
		if (found)
			return KEYSET_AMBIGUOUS;
		found = k;
	}
	*out = found;
	return found ? KEYSET_FOUND : KEYSET_NOT_FOUND;
}

static bool expires_later(const struct keyset *a, const struct keyset *b)
{
	if (b->final_expiry == 0)
		return false;
	return a->final_expiry == 0 || a->final_expiry > b->final_expiry;
}

const struct keyset *keysets_choose(const struct keysets *s, const char *unit, int64_t now)
{
	const struct keyset *best = NULL;

	for (size_t i = 0; i < s->n; i++) {
		const struct keyset *k = s->v[i];

		if (!k->active || strcmp(k->unit, unit) != 0)
			continue;
		if (k->final_expiry && k->final_expiry - now < EXPIRY_MARGIN_S)
			continue;
		if (!best || k->fee_ppk < best->fee_ppk ||
		    (k->fee_ppk == best->fee_ppk && expires_later(k, best)))
			best = k;
	}
	return best;
}

struct sat keyset_fee(uint64_t sum_ppk)
{
	return SAT(sum_ppk / 1000 + (sum_ppk % 1000 != 0));
}

struct sat keyset_fee_of(const struct keyset *k, size_t inputs)
{
	assert(inputs <= 1000);
	return keyset_fee((uint64_t)k->fee_ppk * inputs);
}
