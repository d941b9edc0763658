/* NUT-11 from the mint's side. A secret becomes a fixed-size struct of conditions; the keys in it
 * are compared by their x coordinate, because both parities are the same signer. */
#include "cashu/p2pk.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "crypto/hash.h"

#define KEYS_MAX    16
#define KEY_HEX_LEN (2 * POINT_COMPRESSED)

struct key_list {
	struct pubkey v[KEYS_MAX];
	size_t n;
	uint64_t need;
};

enum sigflag { SIG_INPUTS, SIG_ALL };

struct conditions { /* comparable with memcmp: always made from zeroed memory */
	struct key_list main;
	struct key_list refund;
	uint64_t locktime; /* 0: none */
	enum sigflag flag;
};

struct signatures {
	uint8_t v[KEYS_MAX][64];
	size_t n;
};

/* Keys in capitals are the same keys (NUT-11, "case insensitive"). */
static int key_add(struct key_list *l, const struct json *j, struct err *e)
{
	char lower[KEY_HEX_LEN];
	uint8_t raw[POINT_COMPRESSED];
	struct point p;
	struct str hex;

	if (!json_as_str(j, &hex) || hex.n != KEY_HEX_LEN)
		return err_set(e, ERRK_INPUT, "lock key is not 66 characters");
	for (size_t i = 0; i < KEY_HEX_LEN; i++)
		lower[i] = hex.p[i] >= 'A' && hex.p[i] <= 'F' ? (char)(hex.p[i] | 0x20) : hex.p[i];
	if (hex_decode(raw, sizeof(raw), (struct str){lower, sizeof(lower)}, e) ||
	    point_parse(&p, raw, e))
		return err_wrap(e, "lock key");
	if (l->n == KEYS_MAX)
		return err_set(e, ERRK_LIMIT, "more than %d keys in a lock", KEYS_MAX);
	memcpy(l->v[l->n].b, raw + 1, sizeof(l->v[l->n].b));
	for (size_t i = 0; i < l->n; i++)
		if (pubkey_eq(&l->v[i], &l->v[l->n]))
			return err_set(e, ERRK_INPUT, "a key comes twice in a lock");
	l->n++;
	return 0;
}

static int keys_add(struct key_list *l, const struct json *first, struct err *e)
{
	for (const struct json *j = first; j; j = json_next(j))
		if (key_add(l, j, e))
			return -1;
	return 0;
}

static int number(uint64_t *out, struct str s, uint64_t max, struct err *e)
{
	return str_u64(s, max, out, e) ? err_wrap(e, "number in a lock") : 0;
}

static int flag_set(enum sigflag *out, struct str s, struct err *e)
{
	if (!str_is(s, "SIG_INPUTS") && !str_is(s, "SIG_ALL"))
		return err_set(e, ERRK_INPUT, "unknown sigflag");
	*out = str_is(s, "SIG_ALL") ? SIG_ALL : SIG_INPUTS;
	return 0;
}

/* NUT-10: a tag is an array of non-empty strings; unknown names are left alone. */
static int tag_take(struct conditions *c, const struct json *tag, struct err *e)
{
	const struct json *first = json_first(tag);
	struct str name, value = {0};

	if (json_type(tag) != JSON_ARRAY || !json_as_str(first, &name))
		return err_set(e, ERRK_INPUT, "malformed tag");
	for (const struct json *j = first; j; j = json_next(j)) {
		struct str s;

		if (!json_as_str(j, &s) || s.n == 0)
			return err_set(e, ERRK_INPUT, "tag with something else than text");
	}
	if (str_is(name, "pubkeys"))
		return keys_add(&c->main, json_next(first), e);
	if (str_is(name, "refund"))
		return keys_add(&c->refund, json_next(first), e);
	if (json_next(first))
		(void)json_as_str(json_next(first), &value);
	if (str_is(name, "sigflag"))
		return flag_set(&c->flag, value, e);
	if (str_is(name, "locktime"))
		return number(&c->locktime, value, INT64_MAX, e);
	if (str_is(name, "n_sigs"))
		return number(&c->main.need, value, KEYS_MAX, e);
	if (str_is(name, "n_sigs_refund"))
		return number(&c->refund.need, value, KEYS_MAX, e);
	return 0;
}

static int body_take(struct conditions *c, const struct json *body, struct err *e)
{
	const struct json *tags = json_get(body, "tags");

	memset(c, 0, sizeof(*c));
	c->main.need = 1;
	c->refund.need = 1;
	if (key_add(&c->main, json_get(body, "data"), e))
		return -1;
	if (tags && json_type(tags) != JSON_ARRAY)
		return err_set(e, ERRK_INPUT, "tags are not a list");
	for (const struct json *j = tags ? json_first(tags) : NULL; j; j = json_next(j))
		if (tag_take(c, j, e))
			return -1;
	if (c->main.need == 0 || c->main.need > c->main.n || c->refund.need == 0 ||
	    (c->refund.n && c->refund.need > c->refund.n))
		return err_set(e, ERRK_INPUT, "lock wants an impossible number of signatures");
	return 0;
}

enum { SECRET_PLAIN = 1 };

/* What is not a NUT-10 array is plain. */
static int conditions_of(struct conditions *out, const char *secret, struct err *e)
{
	auto_json struct json *root = NULL;
	const struct json *body;
	struct str kind;

	if (json_parse(&root, str_of(secret), NULL, NULL) || json_type(root) != JSON_ARRAY ||
	    json_count(root) != 2 || !json_as_str(json_first(root), &kind))
		return SECRET_PLAIN;
	body = json_next(json_first(root));
	if (json_type(body) != JSON_OBJECT)
		return SECRET_PLAIN;
	if (!str_is(kind, "P2PK"))
		return err_set(e, ERRK_DENIED, "spending condition is not P2PK");
	return body_take(out, body, e);
}

static int witness_take(struct signatures *out, const char *witness, struct err *e)
{
	auto_json struct json *root = NULL;
	const struct json *list;
	struct str hex;

	out->n = 0;
	if (!witness)
		return 0;
	if (json_parse(&root, str_of(witness), NULL, e) ||
	    json_child(root, "signatures", JSON_ARRAY, &list, e))
		return err_wrap(e, "witness");
	if (json_count(list) > KEYS_MAX)
		return err_set(e, ERRK_LIMIT, "more than %d signatures", KEYS_MAX);
	for (const struct json *j = json_first(list); j; j = json_next(j))
		if (!json_as_str(j, &hex) || hex_decode(out->v[out->n++], 64, hex, e))
			return err_set(e, ERRK_INPUT, "malformed signature");
	return 0;
}

/* Enough different keys signed. */
static bool path_signed(const struct key_list *keys, const struct signatures *sigs,
			const uint8_t hash[static 32])
{
	uint64_t have = 0;

	for (size_t i = 0; i < keys->n; i++)
		for (size_t k = 0; k < sigs->n; k++)
			if (schnorr_verify(sigs->v[k], hash, 32, &keys->v[i])) {
				have++;
				break;
			}
	return have >= keys->need;
}

static int witness_check(const struct conditions *c, const char *witness,
			 const uint8_t hash[static 32], int64_t now, struct err *e)
{
	bool late = c->locktime && (uint64_t)now > c->locktime;
	struct signatures sigs;

	if (late && c->refund.n == 0)
		return 0;
	if (witness_take(&sigs, witness, e))
		return -1;
	if (path_signed(&c->main, &sigs, hash) || (late && path_signed(&c->refund, &sigs, hash)))
		return 0;
	return err_set(e, ERRK_DENIED, "signatures do not open the lock");
}

/* secret ‖ C of each input, amount ‖ B_ of each output, quote of a melt. */
static void sig_all_hash(uint8_t out[static 32], const struct p2pk_tx *tx)
{
	AUTO(sha256_free) struct sha256_ctx *h = sha256_new();
	char hex[KEY_HEX_LEN + 1];

	for (size_t i = 0; i < tx->inputs->n; i++) {
		const struct proof *p = &tx->inputs->v[i];

		sha256_add(h, p->secret, strlen(p->secret));
		hex_encode(hex, p->c, sizeof(p->c));
		sha256_add(h, hex, KEY_HEX_LEN);
	}
	for (size_t i = 0; i < tx->n_outputs; i++) {
		auto_free char *amount =
			mem_printf("%llu", (unsigned long long)sat_raw(tx->outputs[i].amount));

		sha256_add(h, amount, strlen(amount));
		hex_encode(hex, tx->outputs[i].b, sizeof(tx->outputs[i].b));
		sha256_add(h, hex, KEY_HEX_LEN);
	}
	sha256_add(h, tx->quote.p, tx->quote.n);
	sha256_end(h, out);
}

/* NUT-11: with SIG_ALL every input has the same conditions; the first carries the witness. */
static int check_all(const struct p2pk_tx *tx, const struct conditions *first, int64_t now,
		     struct err *e)
{
	uint8_t hash[32];

	for (size_t i = 1; i < tx->inputs->n; i++) {
		struct conditions c;
		int rc = conditions_of(&c, tx->inputs->v[i].secret, e);

		if (rc < 0)
			return -1;
		if (rc == SECRET_PLAIN || memcmp(&c, first, sizeof(c)) != 0)
			return err_set(e, ERRK_DENIED, "SIG_ALL inputs differ");
	}
	sig_all_hash(hash, tx);
	return witness_check(first, tx->inputs->v[0].witness, hash, now, e);
}

int p2pk_check(const struct p2pk_tx *tx, int64_t now, struct err *e)
{
	for (size_t i = 0; i < tx->inputs->n; i++) {
		const struct proof *p = &tx->inputs->v[i];
		struct conditions c;
		uint8_t hash[32];
		int rc = conditions_of(&c, p->secret, e);

		if (rc < 0)
			return -1;
		if (rc == SECRET_PLAIN)
			continue;
		if (c.flag == SIG_ALL && i > 0)
			return err_set(e, ERRK_DENIED, "SIG_ALL inputs differ");
		if (c.flag == SIG_ALL)
			return check_all(tx, &c, now, e);
		sha256(hash, p->secret, strlen(p->secret));
		if (witness_check(&c, p->witness, hash, now, e))
			return -1;
	}
	return 0;
}
