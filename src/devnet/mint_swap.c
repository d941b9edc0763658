/* Swapping, state check and restore (NUT-03, 07, 09), and the checks that melting shares. */
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/mem.h"
#include "cashu/dhke.h"
#include "cashu/p2pk.h"
#include "cashu/sign.h"
#include "devnet/mint_internal.h"

void blinded_vec_free(struct blinded_vec *s)
{
	free(s->v);
	*s = (struct blinded_vec){0};
}

void spend_free(struct spend *s)
{
	proofs_free(&s->proofs);
	free(s->ys);
	s->ys = NULL;
}

/* --- inputs --- */

static int check_proofs(struct spend *s, struct mint_node *m, struct ask *q, uint64_t *ppk)
{
	struct err why;

	*ppk = 0;
	for (size_t i = 0; i < s->proofs.n; i++) {
		const struct proof *p = &s->proofs.v[i];
		const struct mint_keyset *k = mint_keys_find(m->keys, &p->id);
		const struct secret *key = k ? mint_keyset_secret(k, p->amount) : NULL;

		if (!k)
			return mint_refuse(q, 12001, "keyset is not known");
		if (!key || sign_check_proof(s->ys[i], p, key, &why) < 0)
			return mint_refuse(q, 10001, "proof could not be verified");
		for (size_t j = 0; j < i; j++) {
			if (memcmp(s->ys[i], s->ys[j], POINT_COMPRESSED) == 0)
				return mint_refuse(q, 11007, "duplicate inputs");
		}
		*ppk += k->public->fee_ppk;
	}
	return 0;
}

int mint_read_inputs(struct spend *out, struct mint_node *m, struct ask *q, struct err *e)
{
	const struct json *list = json_get(q->body, "inputs");
	struct err why;
	uint64_t ppk;
	int rc;

	*out = (struct spend){0};
	if (!list || proofs_from_json(&out->proofs, list, &why) < 0)
		return mint_refuse(q, 0, "inputs: %s", list ? why.msg : "none");
	out->ys = mem_array(out->proofs.n, POINT_COMPRESSED);
	rc = check_proofs(out, m, q, &ppk);
	if (rc == 0 && proofs_sum(&out->sum, &out->proofs, &why) < 0)
		rc = mint_refuse(q, 11007, "%s", why.msg);
	out->fee = keyset_fee(rc == 0 ? ppk : 0);
	return rc;
}

int mint_check_locks(const struct spend *s, const struct blinded_vec *outputs, struct str quote,
		     struct ask *q)
{
	struct p2pk_tx tx = {
		.inputs = &s->proofs,
		.outputs = outputs->v,
		.n_outputs = outputs->n,
		.quote = quote,
	};
	struct err why;

	if (p2pk_check(&tx, clock_wall(), &why) < 0)
		return mint_refuse(q, 20008, "%s", why.msg);
	return 0;
}

int mint_claim_inputs(struct tx **tx, struct mint_node *m, const struct spend *s, struct ask *q,
		      struct err *e)
{
	struct fault_scene scene = {.path = q->path, .kind = -1};
	struct fault fault;
	enum proof_row row;

	for (size_t i = 0; i < s->proofs.n; i++) {
		if (mint_store_proof(&row, NULL, m->db, s->ys[i], e) < 0)
			return -1;
		if (row == PROOF_ROW_SPENT)
			return mint_refuse(q, 11001, "proofs already spent");
		if (row == PROOF_ROW_PENDING)
			return mint_refuse(q, 11002, "proofs are pending");
	}
	row = faults_take(m->faults, FAULT_PENDING, &scene, &fault) ? PROOF_ROW_PENDING
								    : PROOF_ROW_SPENT;
	for (size_t i = 0; i < s->proofs.n; i++) {
		const struct proof *p = &s->proofs.v[i];
		struct proof_mark mark = {row, p->amount, str_of(p->witness)};

		if (mint_store_set_proof(*tx, s->ys[i], &mark, e) < 0)
			return -1;
	}
	if (row == PROOF_ROW_SPENT)
		return 0;
	if (db_commit(tx, e) < 0)
		return -1;
	q->status = 0; /* nobody hears of it */
	return MINT_REFUSED_ASK;
}

/* --- outputs --- */

static int check_output(const struct blinded *b, struct mint_node *m, struct ask *q,
			enum outputs_kind kind)
{
	const struct mint_keyset *k = mint_keys_find(m->keys, &b->id);

	if (!k)
		return mint_refuse(q, 12001, "keyset is not known");
	if (!k->public->active)
		return mint_refuse(q, 12002, "keyset is inactive, cannot sign messages");
	if (kind == OUTPUTS_FULL && !mint_keyset_secret(k, b->amount))
		return mint_refuse(q, 11006, "no key for this amount");
	return 0;
}

static int read_outputs(struct blinded_vec *out, const struct json *list, struct mint_node *m,
			struct ask *q, enum outputs_kind kind)
{
	size_t n = list ? json_count(list) : 0;
	struct err why;
	int rc = 0;

	if (n > PROOFS_MAX)
		return mint_refuse(q, 11015, "too many outputs");
	out->v = mem_array(n, sizeof(*out->v));
	for (const struct json *j = n ? json_first(list) : NULL; j && rc == 0; j = json_next(j)) {
		struct blinded *b = &out->v[out->n];

		if (blinded_from_json(b, j, &why) < 0)
			return mint_refuse(q, 0, "outputs: %s", why.msg);
		for (size_t i = 0; i < out->n; i++) {
			if (memcmp(out->v[i].b, b->b, sizeof(b->b)) == 0)
				return mint_refuse(q, 11008, "duplicate outputs");
		}
		out->n++;
		rc = check_output(b, m, q, kind);
	}
	return rc;
}

int mint_read_outputs(struct blinded_vec *out, struct mint_node *m, struct ask *q,
		      enum outputs_kind kind, struct err *e)
{
	const struct json *list = json_get(q->body, "outputs");
	int rc;

	*out = (struct blinded_vec){0};
	if (list && json_type(list) != JSON_ARRAY)
		return mint_refuse(q, 0, "outputs: not an array");
	rc = read_outputs(out, list, m, q, kind);
	if (rc == 0 && kind == OUTPUTS_FULL && !out->n)
		return mint_refuse(q, 0, "no outputs");
	return rc;
}

int mint_sign_outputs(struct blind_sigs *sigs, struct tx *tx, struct mint_node *m,
		      const struct blinded_vec *outputs, struct ask *q, struct err *e)
{
	sigs->v = mem_array(outputs->n, sizeof(*sigs->v));
	for (size_t i = 0; i < outputs->n; i++) {
		const struct blinded *b = &outputs->v[i];
		const struct mint_keyset *k = mint_keys_find(m->keys, &b->id);
		struct blind_sig before, *sig = &sigs->v[i];
		struct err why;
		bool found;

		if (mint_store_signed(&found, &before, m->db, b->b, e) < 0)
			return -1;
		if (found)
			return mint_refuse(q, 11003, "outputs have already been signed before");
		if (sign_blinded(sig, b, mint_keyset_secret(k, b->amount), &why) < 0)
			return mint_refuse(q, 0, "%s", why.msg);
		sigs->n++;
		if (mint_store_add_signed(tx, b->b, sig, e) < 0)
			return -1;
	}
	return 0;
}

void mint_write_signatures(struct jsonw *w, const char *key, struct mint_node *m,
			   const struct ask *q, const struct blind_sigs *sigs)
{
	struct fault_scene scene = {.path = q->path, .kind = -1};
	struct fault fault = {.lie = LIE_EVENT}; /* no lie at a mint */
	size_t n = sigs->n;

	if (n && faults_take(m->faults, FAULT_LIE, &scene, &fault) && fault.lie == LIE_COUNT)
		n--;
	jsonw_array(w, key);
	for (size_t i = 0; i < n; i++) {
		struct blind_sig sig = sigs->v[i];
		auto_buf struct buf b = BUF(2048);

		if (fault.lie == LIE_SIGNATURE && i == 0)
			sig.c[0] ^= 1; /* the negated point */
		if (fault.lie == LIE_AMOUNT && i == 0)
			(void)!sat_add(&sig.amount, sig.amount, sig.amount);
		blind_sig_to_json(&b, &sig);
		jsonw_raw(w, NULL, buf_view(&b));
	}
	jsonw_end_array(w);
}

/* --- POST /v1/swap --- */

static int sum_outputs(struct sat *sum, const struct blinded_vec *outputs, struct ask *q)
{
	*sum = SAT(0);
	for (size_t i = 0; i < outputs->n; i++) {
		if (!sat_add(sum, *sum, outputs->v[i].amount))
			return mint_refuse(q, 11005, "the sum of the outputs is too big");
	}
	return 0;
}

static int check_balance(const struct spend *s, const struct blinded_vec *outputs, struct ask *q)
{
	struct sat asked, with_fee;
	int rc = sum_outputs(&asked, outputs, q);

	if (rc != 0)
		return rc;
	if (!sat_add(&with_fee, asked, s->fee) || sat_cmp(with_fee, s->sum) != 0)
		return mint_refuse(
			q, 11005, "inputs (%llu) minus fees (%llu) are not outputs (%llu)",
			(unsigned long long)sat_raw(s->sum), (unsigned long long)sat_raw(s->fee),
			(unsigned long long)sat_raw(asked));
	return 0;
}

static int swap_commit(struct mint_node *m, struct ask *q, const struct spend *s,
		       const struct blinded_vec *outputs, struct err *e)
{
	struct blind_sigs sigs auto_blind_sigs = {0};
	struct jsonw w = JSONW(&q->out);
	struct tx *tx auto_tx = NULL;
	int rc;

	if (db_begin(&tx, m->db, e) < 0)
		return -1;
	rc = mint_claim_inputs(&tx, m, s, q, e);
	if (rc == 0)
		rc = mint_sign_outputs(&sigs, tx, m, outputs, q, e);
	if (rc != 0)
		return rc;
	if (db_commit(&tx, e) < 0)
		return -1;
	m->swaps++;
	jsonw_object(&w, NULL);
	mint_write_signatures(&w, "signatures", m, q, &sigs);
	jsonw_end_object(&w);
	return 0;
}

int mint_swap_do(struct mint_node *m, struct ask *q, struct err *e)
{
	struct spend s = {0};
	struct blinded_vec outputs = {0};
	int rc = mint_read_inputs(&s, m, q, e);

	if (rc == 0)
		rc = mint_read_outputs(&outputs, m, q, OUTPUTS_FULL, e);
	if (rc == 0)
		rc = mint_check_locks(&s, &outputs, STR(""), q);
	if (rc == 0)
		rc = check_balance(&s, &outputs, q);
	if (rc == 0)
		rc = swap_commit(m, q, &s, &outputs, e);
	blinded_vec_free(&outputs);
	spend_free(&s);
	return rc;
}

/* --- POST /v1/checkstate --- */

static int write_state(struct jsonw *w, struct mint_node *m, struct str y, struct ask *q,
		       struct err *e)
{
	static const char *const names[] = {
		[PROOF_ROW_NONE] = "UNSPENT",
		[PROOF_ROW_PENDING] = "PENDING",
		[PROOF_ROW_SPENT] = "SPENT",
	};
	auto_buf struct buf witness = BUF(4096);
	uint8_t raw[POINT_COMPRESSED];
	enum proof_row row;
	struct err why;

	if (hex_decode(raw, sizeof(raw), y, &why) < 0)
		return mint_refuse(q, 0, "Ys: %s", why.msg);
	if (mint_store_proof(&row, &witness, m->db, raw, e) < 0)
		return -1;
	jsonw_object(w, NULL);
	jsonw_str(w, "Y", y);
	jsonw_text(w, "state", names[row]);
	if (witness.n)
		jsonw_str(w, "witness", buf_view(&witness));
	else
		jsonw_raw(w, "witness", STR("null"));
	jsonw_end_object(w);
	return 0;
}

int mint_checkstate_do(struct mint_node *m, struct ask *q, struct err *e)
{
	const struct json *ys = json_get(q->body, "Ys");
	struct jsonw w = JSONW(&q->out);
	struct str y;

	if (!ys || json_type(ys) != JSON_ARRAY || json_count(ys) > PROOFS_MAX)
		return mint_refuse(q, 0, "Ys: not an array, or too long");
	jsonw_object(&w, NULL);
	jsonw_array(&w, "states");
	for (const struct json *j = json_first(ys); j; j = json_next(j)) {
		int rc = json_as_str(j, &y) ? write_state(&w, m, y, q, e)
					    : mint_refuse(q, 0, "Ys: not text");

		if (rc != 0)
			return rc;
	}
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	return 0;
}

/* --- POST /v1/restore --- */

int mint_restore_do(struct mint_node *m, struct ask *q, struct err *e)
{
	const struct json *list = json_get(q->body, "outputs");
	auto_buf struct buf outs = BUF(MINT_BODY_MAX), sigs = BUF(MINT_BODY_MAX);
	struct jsonw w = JSONW(&q->out);
	struct err why;

	if (!list || json_type(list) != JSON_ARRAY || json_count(list) > PROOFS_MAX)
		return mint_refuse(q, 0, "outputs: not an array, or too long");
	for (const struct json *j = json_first(list); j; j = json_next(j)) {
		struct blinded b;
		struct blind_sig sig;
		bool found;

		if (blinded_from_json(&b, j, &why) < 0)
			return mint_refuse(q, 0, "outputs: %s", why.msg);
		if (mint_store_signed(&found, &sig, m->db, b.b, e) < 0)
			return -1;
		if (!found)
			continue;
		b.amount = sig.amount;
		buf_puts(&outs, outs.n ? "," : "");
		blinded_to_json(&outs, &b);
		buf_puts(&sigs, sigs.n ? "," : "");
		blind_sig_to_json(&sigs, &sig);
	}
	jsonw_object(&w, NULL);
	jsonw_array(&w, "outputs");
	jsonw_raw(&w, NULL, buf_view(&outs));
	jsonw_end_array(&w);
	jsonw_array(&w, "signatures");
	jsonw_raw(&w, NULL, buf_view(&sigs));
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	return 0;
}
