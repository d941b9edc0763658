/* Proofs, blinded outputs and signatures: ownership and JSON. */
#include "cashu/proof.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"

static void text_wipe(char *s)
{
	if (s)
		wipe(s, strlen(s));
	free(s);
}

void proof_wipe(struct proof *p)
{
	text_wipe(p->secret);
	free(p->witness);
	wipe(p, sizeof(*p));
}

void proof_copy(struct proof *to, const struct proof *from)
{
	*to = *from;
	to->secret = mem_strdup(from->secret);
	to->witness = mem_strdup(from->witness);
}

void proofs_free(struct proofs *s)
{
	for (size_t i = 0; i < s->n; i++)
		proof_wipe(&s->v[i]);
	free(s->v);
	*s = (struct proofs){0};
}

void proofs_add_take(struct proofs *s, struct proof *p)
{
	s->v = mem_grow(s->v, s->n + 1, sizeof(*s->v));
	s->v[s->n++] = *p;
	*p = (struct proof){0};
}

void outputs_free(struct outputs *s)
{
	for (size_t i = 0; i < s->n; i++) {
		text_wipe(s->v[i].secret);
		secret_wipe(&s->v[i].r);
	}
	free(s->v);
	*s = (struct outputs){0};
}

void blind_sigs_free(struct blind_sigs *s)
{
	free(s->v);
	*s = (struct blind_sigs){0};
}

static int text_order(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool has_twins(const struct proofs *s)
{
	auto_free const char **sorted = mem_array(s->n + 1, sizeof(*sorted));

	for (size_t i = 0; i < s->n; i++)
		sorted[i] = s->v[i].secret;
	qsort(sorted, s->n, sizeof(*sorted), text_order);
	for (size_t i = 1; i < s->n; i++)
		if (strcmp(sorted[i - 1], sorted[i]) == 0)
			return true;
	return false;
}

int proofs_sum(struct sat *out, const struct proofs *s, struct err *e)
{
	*out = SAT(0);
	for (size_t i = 0; i < s->n; i++)
		if (!sat_add(out, *out, s->v[i].amount))
			return err_set(e, ERRK_LIMIT, "sum of the proofs is too large");
	if (has_twins(s))
		return err_set(e, ERRK_DENIED, "a proof comes twice");
	return 0;
}

int proofs_fee(struct sat *out, const struct proofs *s, const struct keysets *known, struct err *e)
{
	const struct keyset *k;
	uint64_t ppk = 0; /* cannot overflow: KEYSET_FEE_MAX and PROOFS_MAX */

	for (size_t i = 0; i < s->n; i++) {
		if (keysets_resolve(&k, known, &s->v[i].id) != KEYSET_FOUND)
			return err_set(e, ERRK_STATE, "a proof's keyset is not known");
		ppk += k->fee_ppk;
	}
	*out = keyset_fee(ppk);
	return 0;
}

static int amount_from_json(struct sat *out, const struct json *j, struct err *e)
{
	uint64_t n;

	if (json_u64(j, "amount", AMOUNT_MSAT_MAX, &n, e))
		return -1;
	if (!sat_make(out, n))
		return err_set(e, ERRK_LIMIT, "amount is too large");
	return 0;
}

static int id_from_json(struct keyset_id *out, const struct json *j, struct err *e)
{
	struct str text;

	if (json_str(j, "id", KEYSET_ID_TEXT, &text, e))
		return -1;
	return keyset_id_parse(out, text, e);
}

static int dleq_from_json(struct dleq *out, const struct json *parent, struct err *e)
{
	const struct json *j = json_get(parent, "dleq");

	*out = (struct dleq){0};
	if (!j)
		return 0;
	if (json_type(j) != JSON_OBJECT)
		return err_set(e, ERRK_INPUT, "dleq is not an object");
	if (json_hex(j, "e", out->e, 32, e) || json_hex(j, "s", out->s, 32, e))
		return err_wrap(e, "dleq");
	out->present = true;
	out->has_r = json_get(j, "r") != NULL;
	if (out->has_r && json_hex(j, "r", out->r.b, 32, e))
		return err_wrap(e, "dleq");
	return 0;
}

static void dleq_to_json(struct buf *b, const struct dleq *d, enum proof_part part)
{
	buf_puts(b, ",\"dleq\":{\"e\":\"");
	buf_hex(b, d->e, 32);
	buf_puts(b, "\",\"s\":\"");
	buf_hex(b, d->s, 32);
	if (part == PROOF_FOR_TOKEN && d->has_r) {
		buf_puts(b, "\",\"r\":\"");
		buf_hex(b, d->r.b, 32);
	}
	buf_puts(b, "\"}");
}

/* The members that all three share: "amount", "id" and the hex point `key`. */
static void head_to_json(struct buf *b, struct sat amount, const struct keyset_id *id)
{
	char text[KEYSET_ID_TEXT];

	keyset_id_text(text, id);
	buf_printf(b, "{\"amount\":%llu,\"id\":\"%s\"", (unsigned long long)sat_raw(amount), text);
}

static void point_to_json(struct buf *b, const char *key, const uint8_t point[static 33])
{
	buf_printf(b, ",\"%s\":\"", key);
	buf_hex(b, point, POINT_COMPRESSED);
	buf_byte(b, '"');
}

int proof_from_json(struct proof *out, const struct json *j, struct err *e)
{
	struct str secret, witness = {0};

	*out = (struct proof){0};
	if (amount_from_json(&out->amount, j, e) || id_from_json(&out->id, j, e) ||
	    json_str(j, "secret", PROOF_SECRET_MAX, &secret, e) ||
	    json_hex(j, "C", out->c, sizeof(out->c), e) || dleq_from_json(&out->dleq, j, e) ||
	    json_opt_str(j, "witness", PROOF_WITNESS_MAX, &witness, e))
		return err_wrap(e, "proof");
	if (sat_is_zero(out->amount) || secret.n == 0)
		return err_set(e, ERRK_INPUT, "proof without amount or secret");
	out->secret = mem_strndup(secret.p, secret.n);
	if (witness.n)
		out->witness = mem_strndup(witness.p, witness.n);
	return 0;
}

void proof_to_json(struct buf *b, const struct proof *p, enum proof_part part)
{
	head_to_json(b, p->amount, &p->id);
	buf_puts(b, ",\"secret\":");
	buf_json(b, str_of(p->secret));
	point_to_json(b, "C", p->c);
	if (part == PROOF_FOR_TOKEN && p->dleq.present)
		dleq_to_json(b, &p->dleq, part);
	if (p->witness) {
		buf_puts(b, ",\"witness\":");
		buf_json(b, str_of(p->witness));
	}
	buf_byte(b, '}');
}

int proofs_from_json(struct proofs *out, const struct json *array, struct err *e)
{
	auto_proofs struct proofs s = {0};
	size_t n = json_count(array);

	*out = s;
	if (json_type(array) != JSON_ARRAY || n == 0)
		return err_set(e, ERRK_INPUT, "no proofs");
	if (n > PROOFS_MAX)
		return err_set(e, ERRK_LIMIT, "more than %d proofs", PROOFS_MAX);
	s.v = mem_array(n, sizeof(*s.v));
	for (const struct json *j = json_first(array); j; j = json_next(j))
		if (proof_from_json(&s.v[s.n++], j, e))
			return -1;
	*out = s;
	s = (struct proofs){0};
	return 0;
}

void proofs_to_json(struct buf *b, const struct proofs *s, enum proof_part part)
{
	buf_byte(b, '[');
	for (size_t i = 0; i < s->n; i++) {
		if (i)
			buf_byte(b, ',');
		proof_to_json(b, &s->v[i], part);
	}
	buf_byte(b, ']');
}

int blinded_from_json(struct blinded *out, const struct json *j, struct err *e)
{
	*out = (struct blinded){0};
	if (amount_from_json(&out->amount, j, e) || id_from_json(&out->id, j, e) ||
	    json_hex(j, "B_", out->b, sizeof(out->b), e))
		return err_wrap(e, "output");
	return 0;
}

void blinded_to_json(struct buf *b, const struct blinded *m)
{
	head_to_json(b, m->amount, &m->id);
	point_to_json(b, "B_", m->b);
	buf_byte(b, '}');
}

int blind_sig_from_json(struct blind_sig *out, const struct json *j, struct err *e)
{
	*out = (struct blind_sig){0};
	if (amount_from_json(&out->amount, j, e) || id_from_json(&out->id, j, e) ||
	    json_hex(j, "C_", out->c, sizeof(out->c), e) || dleq_from_json(&out->dleq, j, e))
		return err_wrap(e, "signature");
	return 0;
}

void blind_sig_to_json(struct buf *b, const struct blind_sig *s)
{
	head_to_json(b, s->amount, &s->id);
	point_to_json(b, "C_", s->c);
	if (s->dleq.present)
		dleq_to_json(b, &s->dleq, PROOF_FOR_MINT);
	buf_byte(b, '}');
}
