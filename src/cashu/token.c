/* Tokens V3 and V4 (NUT-00): text to struct and back. */
#include "cashu/token.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "cashu/cbor.h"

#define MINT_MAX 512
#define MEMO_MAX 4096

struct cashu_token *token_new(const char *mint, const char *unit, const char *memo)
{
	struct cashu_token *t = mem_zero(sizeof(*t));

	t->mint = mem_strdup(mint);
	t->unit = mem_strdup(unit);
	t->memo = mem_strdup(memo);
	return t;
}

void token_free(struct cashu_token *t)
{
	if (!t)
		return;
	proofs_free(&t->proofs);
	free(t->mint);
	free(t->unit);
	free(t->memo);
	free(t);
}

static void text_set(char **to, struct str s)
{
	free(*to);
	*to = mem_strndup(s.p, s.n);
}

/* --- V3: {"token":[{"mint","proofs":[…]}],"unit","memo"} --- */

static int v3_entry(struct cashu_token *t, const struct json *entry, size_t max, struct err *e)
{
	auto_proofs struct proofs more = {0};
	const struct json *array;
	struct str mint;

	if (json_str(entry, "mint", MINT_MAX, &mint, e) ||
	    json_child(entry, "proofs", JSON_ARRAY, &array, e))
		return -1;
	if (t->mint && !str_is(mint, t->mint))
		return err_set(e, ERRK_INPUT, "token of more than one mint");
	if (json_count(array) > max - t->proofs.n)
		return err_set(e, ERRK_LIMIT, "more than %zu proofs", max);
	if (proofs_from_json(&more, array, e))
		return -1;
	text_set(&t->mint, mint);
	for (size_t i = 0; i < more.n; i++)
		proofs_add_take(&t->proofs, &more.v[i]);
	return 0;
}

static int v3_decode(struct cashu_token *t, struct str text, size_t max, struct err *e)
{
	auto_json struct json *root = NULL;
	const struct json *entries;
	struct str unit = STR("sat"), memo = {0};

	if (json_parse(&root, text, NULL, e) ||
	    json_child(root, "token", JSON_ARRAY, &entries, e) ||
	    json_opt_str(root, "unit", KEYSET_UNIT_MAX, &unit, e) ||
	    json_opt_str(root, "memo", MEMO_MAX, &memo, e))
		return -1;
	for (const struct json *j = json_first(entries); j; j = json_next(j))
		if (v3_entry(t, j, max, e))
			return -1;
	text_set(&t->unit, unit);
	if (memo.n)
		text_set(&t->memo, memo);
	return 0;
}

/* --- V4: {m, u, d?, t:[{i, p:[{a, s, c, d?{e,s,r}, w?}]}]} --- */

struct v4 {
	struct cashu_token *token;
	size_t max;
	struct keyset_id id; /* of the group being read; n is 0 until `i` came */
};

/* Members have one letter; anything longer is unknown. */
static char letter(struct str key)
{
	return key.n == 1 ? key.p[0] : '\0';
}

static int fixed_bytes(uint8_t *out, size_t n, struct cbor *c, struct err *e)
{
	struct str raw;

	if (cbor_bytes(c, n, &raw, e))
		return -1;
	if (raw.n != n)
		return err_set(e, ERRK_INPUT, "%zu bytes where %zu are due", raw.n, n);
	memcpy(out, raw.p, n);
	return 0;
}

static int v4_text(char **out, size_t max, struct cbor *c, struct err *e)
{
	struct str s;

	if (cbor_text(c, max, &s, e))
		return -1;
	if (s.n)
		text_set(out, s);
	return 0;
}

enum { DLEQ_E = 1, DLEQ_S = 2 };

struct v4_dleq {
	struct dleq *dleq;
	unsigned seen;
};

static int v4_dleq_member(void *ctx, struct str key, struct cbor *c, struct err *e)
{
	struct v4_dleq *d = ctx;

	switch (letter(key)) {
	case 'e':
		d->seen |= DLEQ_E;
		return fixed_bytes(d->dleq->e, 32, c, e);
	case 's':
		d->seen |= DLEQ_S;
		return fixed_bytes(d->dleq->s, 32, c, e);
	case 'r':
		d->dleq->has_r = true;
		return fixed_bytes(d->dleq->r.b, 32, c, e);
	default:
		return CBOR_UNKNOWN;
	}
}

static int v4_dleq(struct dleq *out, struct cbor *c, struct err *e)
{
	struct v4_dleq d = {.dleq = out};

	if (cbor_members(c, v4_dleq_member, &d, e))
		return -1;
	if (d.seen != (DLEQ_E | DLEQ_S))
		return err_set(e, ERRK_INPUT, "DLEQ without e or s");
	out->present = true;
	return 0;
}

static int v4_amount(struct sat *out, struct cbor *c, struct err *e)
{
	uint64_t n;

	if (cbor_u64(c, &n, e))
		return -1;
	if (!sat_make(out, n))
		return err_set(e, ERRK_LIMIT, "amount is too large");
	return 0;
}

static int v4_proof_member(void *ctx, struct str key, struct cbor *c, struct err *e)
{
	struct proof *p = ctx;

	switch (letter(key)) {
	case 'a':
		return v4_amount(&p->amount, c, e);
	case 's':
		return v4_text(&p->secret, PROOF_SECRET_MAX, c, e);
	case 'c':
		return fixed_bytes(p->c, sizeof(p->c), c, e);
	case 'd':
		return v4_dleq(&p->dleq, c, e);
	case 'w':
		return v4_text(&p->witness, PROOF_WITNESS_MAX, c, e);
	default:
		return CBOR_UNKNOWN;
	}
}

static int v4_proofs(struct v4 *v, struct cbor *c, struct err *e)
{
	struct proofs *s = &v->token->proofs;
	size_t n;

	if (cbor_array(c, v->max - s->n, &n, e))
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct proof p = {0};
		int rc = cbor_members(c, v4_proof_member, &p, e);

		proofs_add_take(s, &p);
		if (rc)
			return err_wrap(e, "proof %zu", i);
	}
	return 0;
}

static int v4_group_member(void *ctx, struct str key, struct cbor *c, struct err *e)
{
	struct v4 *v = ctx;
	struct str id;

	switch (letter(key)) {
	case 'i':
		if (cbor_bytes(c, KEYSET_ID_V2, &id, e))
			return -1;
		return keyset_id_from_bytes(&v->id, id.p, id.n, e);
	case 'p':
		return v4_proofs(v, c, e);
	default:
		return CBOR_UNKNOWN;
	}
}

static int v4_groups(struct v4 *v, struct cbor *c, struct err *e)
{
	struct proofs *s = &v->token->proofs;
	size_t n;

	if (cbor_array(c, v->max, &n, e))
		return -1;
	for (size_t i = 0; i < n; i++) {
		size_t first = s->n;

		v->id.n = 0;
		if (cbor_members(c, v4_group_member, v, e))
			return -1;
		if (v->id.n == 0)
			return err_set(e, ERRK_INPUT, "proofs without a keyset id");
		for (size_t k = first; k < s->n; k++)
			s->v[k].id = v->id;
	}
	return 0;
}

static int v4_member(void *ctx, struct str key, struct cbor *c, struct err *e)
{
	struct v4 *v = ctx;

	switch (letter(key)) {
	case 'm':
		return v4_text(&v->token->mint, MINT_MAX, c, e);
	case 'u':
		return v4_text(&v->token->unit, KEYSET_UNIT_MAX, c, e);
	case 'd':
		return v4_text(&v->token->memo, MEMO_MAX, c, e);
	case 't':
		return v4_groups(v, c, e);
	default:
		return CBOR_UNKNOWN;
	}
}

static int v4_decode(struct cashu_token *t, struct str bytes, size_t max, struct err *e)
{
	struct v4 v = {.token = t, .max = max};
	struct cbor c = cbor_of(bytes);

	if (cbor_members(&c, v4_member, &v, e))
		return -1;
	if (!cbor_end(&c))
		return err_set(e, ERRK_INPUT, "bytes after the token");
	return 0;
}

/* --- both --- */

static int token_check(const struct cashu_token *t, struct sat *sum, struct err *e)
{
	if (!t->mint || !t->unit || t->proofs.n == 0)
		return err_set(e, ERRK_INPUT, "no mint, unit or proofs");
	for (size_t i = 0; i < t->proofs.n; i++) {
		const struct proof *p = &t->proofs.v[i];

		if (sat_is_zero(p->amount) || !p->secret || p->c[0] == 0)
			return err_set(e, ERRK_INPUT, "proof %zu has no amount, secret or C", i);
	}
	return sum ? proofs_sum(sum, &t->proofs, e) : 0;
}

static int text_decode(struct cashu_token *t, struct str text, struct token_limits lim,
		       struct err *e)
{
	auto_buf struct buf raw = BUF(lim.text);
	struct str rest = str_trim(text);
	bool v3;

	if (str_starts(rest, "cashu:"))
		rest = (struct str){rest.p + 6, rest.n - 6};
	v3 = str_starts(rest, "cashuA");
	if (!v3 && !str_starts(rest, "cashuB"))
		return err_set(e, ERRK_INPUT, "no cashuA or cashuB");
	rest = (struct str){rest.p + 6, rest.n - 6};
	while (rest.n > 0 && rest.p[rest.n - 1] == '=')
		rest.n--; /* tokens with too much padding are about */
	if (base64_decode(&raw, rest, BASE64_ANY, e))
		return -1;
	return v3 ? v3_decode(t, buf_view(&raw), lim.proofs, e)
		  : v4_decode(t, buf_view(&raw), lim.proofs, e);
}

int token_decode(struct cashu_token **out, struct str text, struct token_limits lim, struct err *e)
{
	AUTO(token_free) struct cashu_token *t = mem_zero(sizeof(*t));
	struct sat sum;
	int rc;

	*out = NULL;
	if (text.n > lim.text)
		return err_set(e, ERRK_LIMIT, "token: longer than %zu bytes", lim.text);
	if (str_starts(text, "crawB"))
		rc = v4_decode(t, (struct str){text.p + 5, text.n - 5}, lim.proofs, e);
	else
		rc = text_decode(t, text, lim, e);
	if (rc || token_check(t, lim.loose ? NULL : &sum, e))
		return err_wrap(e, "token");
	*out = steal(&t);
	return 0;
}

static void put_key(struct buf *b, const char *key)
{
	cbor_put_text(b, str_of(key));
}

static void proof_encode(struct buf *b, const struct proof *p)
{
	cbor_put_map(b, 3 + p->dleq.present + (p->witness != NULL));
	put_key(b, "a");
	cbor_put_u64(b, sat_raw(p->amount));
	put_key(b, "s");
	cbor_put_text(b, str_of(p->secret));
	put_key(b, "c");
	cbor_put_bytes(b, p->c, sizeof(p->c));
	if (p->dleq.present) {
		put_key(b, "d");
		cbor_put_map(b, 2 + p->dleq.has_r);
		put_key(b, "e");
		cbor_put_bytes(b, p->dleq.e, 32);
		put_key(b, "s");
		cbor_put_bytes(b, p->dleq.s, 32);
		if (p->dleq.has_r) {
			put_key(b, "r");
			cbor_put_bytes(b, p->dleq.r.b, 32);
		}
	}
	if (p->witness) {
		put_key(b, "w");
		cbor_put_text(b, str_of(p->witness));
	}
}

/* The first proof with this id stands for its group. */
static bool leads_group(const struct proofs *s, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (keyset_id_eq(&s->v[k].id, &s->v[i].id))
			return false;
	return true;
}

static void group_encode(struct buf *b, const struct proofs *s, const struct keyset_id *id)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += keyset_id_eq(&s->v[i].id, id);
	cbor_put_map(b, 2);
	put_key(b, "i");
	cbor_put_bytes(b, id->b, keyset_id_version(id) == KEYSET_V2 ? KEYSET_ID_SHORT : id->n);
	put_key(b, "p");
	cbor_put_array(b, n);
	for (size_t i = 0; i < s->n; i++)
		if (keyset_id_eq(&s->v[i].id, id))
			proof_encode(b, &s->v[i]);
}

int token_encode(struct buf *out, const struct cashu_token *t, struct err *e)
{
	auto_buf struct buf raw = BUF(TOKEN_LIMITS_WALLET.text);
	size_t groups = 0;
	struct sat sum;

	if (token_check(t, &sum, e))
		return err_wrap(e, "token to be written");
	for (size_t i = 0; i < t->proofs.n; i++)
		groups += leads_group(&t->proofs, i);
	cbor_put_map(&raw, 3 + (t->memo != NULL));
	put_key(&raw, "t");
	cbor_put_array(&raw, groups);
	for (size_t i = 0; i < t->proofs.n; i++)
		if (leads_group(&t->proofs, i))
			group_encode(&raw, &t->proofs, &t->proofs.v[i].id);
	if (t->memo) {
		put_key(&raw, "d");
		cbor_put_text(&raw, str_of(t->memo));
	}
	put_key(&raw, "m");
	cbor_put_text(&raw, str_of(t->mint));
	put_key(&raw, "u");
	cbor_put_text(&raw, str_of(t->unit));
	if (buf_check(&raw, "token", e))
		return -1;
	buf_puts(out, "cashuB");
	base64_encode(out, raw.p, raw.n, BASE64_URL);
	return buf_check(out, "token", e);
}
