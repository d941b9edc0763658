/* Claim a checked token with a stored swap, or release it to its sender: each Y once, for ever. */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cashu/dhke.h"
#include "wallet/payment.h"
#include "wallet/plan.h"

int claim_find(struct wallet *w, const struct y_bytes *y, struct err *e)
{
	auto_stmt struct stmt *s = db_query(w->db, "SELECT released, plan FROM claim WHERE y = ?");
	int rc;

	db_bind_blob(s, 1, y->b, sizeof(y->b));
	rc = db_step(s, e);
	if (rc <= 0)
		return rc < 0 ? -1 : CLAIM_NEW;
	if (db_i64(s, 0) != 0)
		return CLAIM_RELEASED;
	return CLAIM_PLANNED;
}

int claim_held(struct wallet *w, const struct y_bytes *y, struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(w->db, "SELECT 1 FROM proof WHERE y = ? AND state <> ?");

	db_bind_blob(s, 1, y->b, sizeof(y->b));
	db_bind_i64(s, 2, HELD_SPENT);
	return db_step(s, e);
}

static int claim_insert(struct tx *tx, const struct y_bytes *y, int64_t plan, struct err *e)
{
	struct stmt *s = tx_write(tx, "INSERT INTO claim (y, plan, at) VALUES (?, ?, ?)");

	db_bind_blob(s, 1, y->b, sizeof(y->b));
	db_bind_i64(s, 2, plan);
	db_bind_i64(s, 3, clock_wall());
	return tx_run(s, NULL, e);
}

static int claim_sign(struct wallet *w, const struct wallet_payment *p, struct proofs *inputs,
		      struct err *e)
{
	auto_secret struct secret k;
	struct lock_key pub;
	uint8_t sig[64];

	if (payment_key(w, p->mint, &k, &pub, e) < 0)
		return -1;
	for (size_t i = 0; i < p->token->proofs.n; i++) {
		struct proof copy = {0};

		proof_copy(&copy, &p->token->proofs.v[i]);
		free(copy.witness);
		copy.witness = NULL;
		if (p->locked) {
			lock_sign(sig, str_of(copy.secret), &k);
			copy.witness = lock_witness(sig);
		}
		proofs_add_take(inputs, &copy);
	}
	return 0;
}

static struct plan *claim_plan(const struct wallet_payment *p, const struct wallet_claim *c)
{
	struct plan *plan = mem_zero(sizeof(*plan));

	plan->pub.kind = WALLET_PLAN_CLAIM;
	plan->pub.gross = p->gross;
	plan->pub.fee = p->fee;
	plan->pub.net = p->net;
	plan->pub.not_after = c->not_after;
	plan->mint = p->mint;
	plan->has_lock_key = p->locked;
	plan->lock_key = p->key;
	memcpy(plan->ref, c->ref, strlen(c->ref));
	return plan;
}

int wallet_claim(struct tx *tx, struct wallet *w, const struct wallet_payment *p,
		 const struct wallet_claim *c, int64_t *plan, struct err *e)
{
	AUTO(plan_free) struct plan *row = NULL;
	auto_proofs struct proofs inputs = {0};
	struct output_wish wish = {.ours = p->net};

	if (strlen(c->ref) > WALLET_REF_MAX)
		return err_set(e, ERRK_LIMIT, "reference is too long");
	for (size_t i = 0; i < p->token->proofs.n; i++) {
		int known = claim_find(w, &p->ys[i], e);

		if (known != CLAIM_NEW)
			return known < 0 ? -1 : WALLET_KNOWN;
	}
	wish.keyset = keysets_choose(&p->mint->keysets, WALLET_UNIT, clock_wall());
	if (!wish.keyset)
		return err_set(e, ERRK_PEER, "%s has no active keyset", p->mint->url);
	row = claim_plan(p, c);
	row->keyset = wish.keyset;
	if (claim_sign(w, p, &inputs, e) < 0 || outputs_make(&row->planned, tx, w, &wish, e) < 0 ||
	    plan_store(tx, w, row, &inputs, e) < 0)
		return err_wrap(e, "claim");
	for (size_t i = 0; i < p->token->proofs.n; i++)
		if (claim_insert(tx, &p->ys[i], row->pub.id, e) != 0)
			return err_set(e, ERRK_STATE, "claim: a proof is known");
	*plan = row->pub.id;
	return 0;
}

/* --- release --- */

/* Free: never in a plan, or in one that ended with the mint's word that it is unspent. */
static int release_free(struct wallet *w, const struct y_bytes *y, struct err *e)
{
	auto_stmt struct stmt *s = db_query(
		w->db, "SELECT plan.state, plan.reason FROM claim JOIN plan ON plan.id = claim.plan"
		       " WHERE claim.y = ?");
	int rc;

	db_bind_blob(s, 1, y->b, sizeof(y->b));
	rc = db_step(s, e);
	if (rc <= 0)
		return rc;
	if (db_i64(s, 0) == PLAN_REJECTED &&
	    (db_i64(s, 1) == WALLET_REJECT_EXPIRED || db_i64(s, 1) == WALLET_REJECT_REFUSED))
		return 0;
	return WALLET_NOT_FREE;
}

static int release_mark(struct tx *tx, const struct y_bytes *y, struct err *e)
{
	struct stmt *s = tx_write(tx, "INSERT INTO claim (y, released, at) VALUES (?1, ?2, ?2)"
				      " ON CONFLICT (y) DO UPDATE SET"
				      " released = iif(released = 0, excluded.released, released)");

	db_bind_blob(s, 1, y->b, sizeof(y->b));
	db_bind_i64(s, 2, clock_wall());
	return tx_run(s, NULL, e);
}

static int release_ys(struct y_bytes *ys, const struct cashu_token *t, const struct lock_key *key,
		      struct wallet *w, struct err *e)
{
	for (size_t i = 0; i < t->proofs.n; i++) {
		struct lock l;
		int rc;

		if (lock_parse(&l, str_of(t->proofs.v[i].secret)) != LOCK_OK ||
		    !lock_is_to(&l, key) ||
		    dhke_y_bytes(ys[i].b, str_of(t->proofs.v[i].secret), NULL) < 0)
			return WALLET_NOT_OURS;
		rc = release_free(w, &ys[i], e);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int wallet_release(struct tx *tx, struct wallet *w, struct str token, struct wallet_release *out,
		   struct err *e)
{
	const struct token_limits lim = {TOKEN_LIMITS_REQUEST.text, WALLET_RELEASE_MAX, true};
	AUTO(token_free) struct cashu_token *t = NULL;
	auto_free struct y_bytes *ys = NULL;
	auto_secret struct secret k;
	char url[WALLET_URL_MAX + 1];
	struct lock_key key;
	struct wmint *m;
	int rc;

	out->n = 0;
	if (token_decode(&t, token, lim, NULL) < 0 || wallet_url(url, str_of(t->mint), NULL) < 0)
		return WALLET_NOT_OURS;
	m = mint_by_url(w, url); /* also one that is not taken any more: the key is ours */
	if (!m)
		return WALLET_NOT_OURS;
	if (payment_key(w, m, &k, &key, e) < 0)
		return -1;
	ys = mem_array(t->proofs.n, sizeof(*ys));
	rc = release_ys(ys, t, &key, w, e);
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < t->proofs.n; i++)
		if (release_mark(tx, &ys[i], e) < 0)
			return err_wrap(e, "release");
	for (size_t i = 0; i < t->proofs.n; i++)
		lock_sign(out->sig[i], str_of(t->proofs.v[i].secret), &k);
	out->n = t->proofs.n;
	return 0;
}
