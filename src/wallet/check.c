/*
 * Is a stranger's token worth a swap? Everything here is offline and in the order of its price: the
 * curve is touched last, and the mint not at all.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "cashu/derive.h"
#include "cashu/dhke.h"
#include "wallet/payment.h"

#define EXPIRY_MARGIN 3600 /* seconds that a keyset must live beyond the lock's need */

const char *wallet_code_name(enum wallet_code c)
{
	static const char *const names[] = {
		[WALLET_OK] = "ok",
		[WALLET_NEED_KEYSETS] = "need_keysets",
		[WALLET_TOKEN_MALFORMED] = "token_malformed",
		[WALLET_UNIT_UNSUPPORTED] = "unit_unsupported",
		[WALLET_FOREIGN_MINT] = "foreign_mint",
		[WALLET_TOO_MANY_PROOFS] = "too_many_proofs",
		[WALLET_NUMBER_TOO_LARGE] = "number_too_large",
		[WALLET_DUPLICATE_PROOF] = "duplicate_proof",
		[WALLET_KEYSET_UNKNOWN] = "keyset_unknown",
		[WALLET_KEYSET_AMBIGUOUS] = "keyset_ambiguous",
		[WALLET_KEYSET_INACTIVE_SOON] = "keyset_inactive_soon",
		[WALLET_TOO_LITTLE] = "too_little",
		[WALLET_LOCK_UNSUPPORTED] = "lock_unsupported",
		[WALLET_LOCK_NOT_OURS] = "lock_not_ours",
		[WALLET_LOCK_MISSING] = "lock_required",
		[WALLET_LOCK_TOO_SHORT] = "lock_too_short",
		[WALLET_ALREADY_CLAIMED] = "already_claimed",
		[WALLET_DLEQ_MISSING] = "dleq_missing",
		[WALLET_DLEQ_BAD] = "dleq_bad",
	};

	return names[c];
}

void wallet_payment_free(struct wallet_payment *p)
{
	if (!p)
		return;
	token_free(p->token);
	free(p->ys);
	free(p);
}

int payment_key(struct wallet *w, const struct wmint *m, struct secret *k, struct lock_key *pub,
		struct err *e)
{
	derive_payment_key(k, &w->seed, str_of(w->instance), str_of(m->url));
	if (!lock_key_of(pub, k))
		return err_set(e, ERRK_STATE, "payment key");
	return 0;
}

int wallet_payment_key(struct wallet *w, const char *mint, uint8_t out[static 33], struct err *e)
{
	struct wmint *m = mint_allowed(w, str_of(mint));
	auto_secret struct secret k;
	struct lock_key pub;

	if (!m)
		return err_set(e, ERRK_DENIED, "mint %s is not allowed", mint);
	if (payment_key(w, m, &k, &pub, e) < 0)
		return -1;
	memcpy(out, pub.b, sizeof(pub.b));
	return 0;
}

/* --- the checks: each gives WALLET_OK or why not; -1 where the database failed --- */

struct check {
	struct wallet *w;
	const struct wallet_terms *t;
	struct wallet_verdict *v;
	struct wallet_payment *p;
	struct lock_key key; /* ours at this mint */
};

static int say(struct check *c, enum wallet_code code, const char *why)
{
	snprintf(c->v->why, sizeof(c->v->why), "%s", why);
	return (int)code;
}

static int check_mint(struct check *c, struct err *e)
{
	struct cashu_token *t = c->p->token;
	struct wmint *only = c->t->mint ? mint_allowed(c->w, str_of(c->t->mint)) : NULL;
	auto_secret struct secret k;

	if (strcmp(t->unit, WALLET_UNIT) != 0)
		return say(c, WALLET_UNIT_UNSUPPORTED, "only tokens in sat are taken");
	c->p->mint = mint_allowed(c->w, str_of(t->mint));
	if (!c->p->mint || (c->t->mint && c->p->mint != only))
		return say(c, WALLET_FOREIGN_MINT, "this offer does not take this mint");
	memcpy(c->v->mint, c->p->mint->url, strlen(c->p->mint->url) + 1);
	return payment_key(c->w, c->p->mint, &k, &c->key, e);
}

static int check_sum(struct check *c, struct err *e)
{
	struct sat max = c->t->max_gross;

	(void)e;
	if (proofs_sum(&c->p->gross, &c->p->token->proofs, NULL) < 0)
		return say(c, WALLET_NUMBER_TOO_LARGE, "the amounts are too large");
	c->v->gross = c->p->gross;
	if (!sat_is_zero(max) && sat_cmp(c->p->gross, max) > 0)
		return say(c, WALLET_NUMBER_TOO_LARGE, "more than this provider takes at once");
	return WALLET_OK;
}

static int check_keyset(struct check *c, struct proof *p)
{
	const struct keyset *k = NULL;
	int64_t need = c->t->lock_until > c->t->now ? c->t->lock_until : c->t->now;

	switch (keysets_resolve(&k, &c->p->mint->keysets, &p->id)) {
	case KEYSET_FOUND:
		break;
	case KEYSET_NOT_FOUND:
		if (c->p->mint->depth == KEYSETS_ACTIVE)
			c->p->mint->depth = KEYSETS_ALL_WANTED;
		if (!c->t->refreshed)
			return say(c, WALLET_NEED_KEYSETS, "the keyset is not known yet");
		return say(c, WALLET_KEYSET_UNKNOWN, "the mint has no such keyset");
	case KEYSET_AMBIGUOUS:
		return say(c, WALLET_KEYSET_AMBIGUOUS, "the short keyset id fits two keysets");
	case KEYSET_BAD_VERSION:
		return say(c, WALLET_KEYSET_UNKNOWN, "keyset ids of this version are not taken");
	}
	if (strcmp(k->unit, WALLET_UNIT) != 0)
		return say(c, WALLET_UNIT_UNSUPPORTED, "the keyset is not in sat");
	if (!keyset_find_key(k, p->amount))
		return say(c, WALLET_TOKEN_MALFORMED, "the keyset has no such amount");
	if (k->final_expiry > 0 && k->final_expiry < need + EXPIRY_MARGIN)
		return say(c, WALLET_KEYSET_INACTIVE_SOON, "the keyset ends too soon");
	p->id = k->id;
	return WALLET_OK;
}

static int check_keysets(struct check *c, struct err *e)
{
	struct proofs *list = &c->p->token->proofs;
	const struct keyset *ours;

	(void)e;
	for (size_t i = 0; i < list->n; i++) {
		int code = check_keyset(c, &list->v[i]);

		if (code != WALLET_OK)
			return code;
	}
	ours = keysets_choose(&c->p->mint->keysets, WALLET_UNIT, c->t->now);
	if (!c->t->refreshed && (!ours || scan_wanted(c->w, ours)))
		return say(c, WALLET_NEED_KEYSETS, "the mint's keysets were not read yet");
	if (!ours)
		return say(c, WALLET_KEYSET_INACTIVE_SOON, "the mint has no active keyset");
	return WALLET_OK;
}

static int check_price(struct check *c, struct err *e)
{
	struct wallet_payment *p = c->p;

	(void)e;
	if (proofs_fee(&p->fee, &p->token->proofs, &p->mint->keysets, NULL) < 0)
		return say(c, WALLET_NUMBER_TOO_LARGE, "the fee is too large");
	c->v->fee = p->fee;
	if (!sat_sub(&p->net, p->gross, p->fee) || sat_is_zero(p->net))
		return say(c, WALLET_TOO_LITTLE, "the mint's fee eats it up");
	c->v->net = p->net;
	if (sat_cmp(p->net, c->t->min_net) < 0)
		return say(c, WALLET_TOO_LITTLE, "less than the price after the mint's fee");
	return WALLET_OK;
}

/* One more lock of the token: all must name the same refund key. */
static int check_refund(struct check *c, const struct lock *l, bool first)
{
	struct wallet_verdict *v = c->v;

	if (first) {
		v->has_refund = l->has_refund;
		v->locktime = l->locktime;
		memcpy(v->refund_key, l->refund.b, sizeof(v->refund_key));
		return WALLET_OK;
	}
	if (v->has_refund != l->has_refund ||
	    (l->has_refund && memcmp(v->refund_key, l->refund.b, sizeof(v->refund_key)) != 0))
		return say(c, WALLET_LOCK_UNSUPPORTED, "the proofs have different refund keys");
	if (l->locktime > 0 && (v->locktime == 0 || l->locktime < v->locktime))
		v->locktime = l->locktime;
	return WALLET_OK;
}

static int check_lock(struct check *c, const struct proof *p, size_t *locked)
{
	struct lock l;

	switch (lock_parse(&l, str_of(p->secret))) {
	case LOCK_UNSUPPORTED:
		return say(c, WALLET_LOCK_UNSUPPORTED, "only plain P2PK locks are taken");
	case LOCK_PLAIN:
		if (c->t->lock == WALLET_LOCK_REQUIRED)
			return say(c, WALLET_LOCK_MISSING,
				   "the token is not locked to this provider");
		return WALLET_OK;
	case LOCK_OK:
		break;
	}
	if (!lock_is_to(&l, &c->key))
		return say(c, WALLET_LOCK_NOT_OURS, "it is locked to another key");
	if (l.locktime > 0 && l.locktime < c->t->lock_until)
		return say(c, WALLET_LOCK_TOO_SHORT, "the lock ends too soon");
	return check_refund(c, &l, (*locked)++ == 0);
}

static int check_locks(struct check *c, struct err *e)
{
	const struct proofs *list = &c->p->token->proofs;
	size_t locked = 0;

	(void)e;
	for (size_t i = 0; i < list->n; i++) {
		int code = check_lock(c, &list->v[i], &locked);

		if (code != WALLET_OK)
			return code;
	}
	if (locked > 0 && locked < list->n)
		return say(c, WALLET_LOCK_UNSUPPORTED, "only some of the proofs are locked");
	c->p->locked = c->v->locked = locked > 0;
	c->p->key = c->key;
	return WALLET_OK;
}

static int check_dleq(struct check *c, struct err *e)
{
	const struct proofs *list = &c->p->token->proofs;

	(void)e;
	for (size_t i = 0; i < list->n; i++)
		if (!list->v[i].dleq.present || !list->v[i].dleq.has_r)
			return say(c, WALLET_DLEQ_MISSING, "a proof has no DLEQ with r");
	return WALLET_OK;
}

/* Was it here before: in another payment, or among the proofs that we hold ourselves? */
static int check_seen(struct check *c, const struct y_bytes *y, struct err *e)
{
	int known = claim_find(c->w, y, e);

	if (known < 0)
		return -1;
	if (known != CLAIM_NEW)
		return say(c, WALLET_ALREADY_CLAIMED, "a proof of it was given to us before");
	known = claim_held(c->w, y, e);
	if (known <= 0)
		return known < 0 ? -1 : WALLET_OK;
	log_broken("%s: a payment is made of proofs that this wallet holds: is there another copy "
		   "of it?",
		   c->p->mint->url);
	return say(c, WALLET_ALREADY_CLAIMED, "a proof of it is ours already");
}

/* Y by Y: known, then the mint's proof that it signed this. */
static int check_curve(struct check *c, struct err *e)
{
	struct proofs *list = &c->p->token->proofs;
	auto_free struct point *points = mem_array(list->n, sizeof(*points));

	c->p->ys = mem_array(list->n, sizeof(*c->p->ys));
	for (size_t i = 0; i < list->n; i++) {
		int code;

		if (dhke_hash_to_curve(&points[i], str_of(list->v[i].secret), NULL) < 0)
			return say(c, WALLET_TOKEN_MALFORMED, "a secret has no point");
		point_write(c->p->ys[i].b, &points[i]);
		code = check_seen(c, &c->p->ys[i], e);
		if (code != WALLET_OK)
			return code;
	}
	for (size_t i = 0; i < list->n; i++) {
		const struct keyset *k = NULL;
		const struct keyset_key *key = NULL;

		if (keysets_resolve(&k, &c->p->mint->keysets, &list->v[i].id) == KEYSET_FOUND)
			key = keyset_find_key(k, list->v[i].amount);
		if (!key || !dhke_verify_proof(&list->v[i], &points[i], &key->point))
			return say(c, WALLET_DLEQ_BAD, "the mint did not sign a proof of it");
	}
	return WALLET_OK;
}

/* --- all of them --- */

static int check_decode(struct check *c, struct str text)
{
	/* As many as fit the text, so that ERRK_LIMIT means an amount. */
	const struct token_limits lim = {TOKEN_LIMITS_REQUEST.text, PROOFS_MAX, false};
	struct err why = {0};

	if (text.n > lim.text)
		return say(c, WALLET_TOO_MANY_PROOFS, "the token is longer than 48 KiB");
	if (token_decode(&c->p->token, text, lim, &why) < 0) {
		if (why.kind == ERRK_LIMIT)
			return say(c, WALLET_NUMBER_TOO_LARGE, "the amounts are too large");
		if (why.kind == ERRK_DENIED)
			return say(c, WALLET_DUPLICATE_PROOF, "a proof comes twice");
		return say(c, WALLET_TOKEN_MALFORMED, "this is not a token that can be read");
	}
	c->v->nproofs = c->p->token->proofs.n;
	if (c->v->nproofs > WALLET_PROOFS_MAX)
		return say(c, WALLET_TOO_MANY_PROOFS,
			   "more than 64 proofs: swap them for fewer first");
	return WALLET_OK;
}

int wallet_check(struct wallet_payment **out, struct wallet *w, struct str token,
		 const struct wallet_terms *t, struct wallet_verdict *v, struct err *e)
{
	static int (*const checks[])(struct check * c, struct err * e) = {
		check_mint,  check_sum,	 check_keysets, check_price,
		check_locks, check_dleq, check_curve,
	};
	AUTO(wallet_payment_free) struct wallet_payment *p = mem_zero(sizeof(*p));
	struct check c = {.w = w, .t = t, .v = v, .p = p};
	int code;

	memset(v, 0, sizeof(*v));
	code = check_decode(&c, token);
	for (size_t i = 0; code == WALLET_OK && i < ARRAY_SIZE(checks); i++)
		code = checks[i](&c, e);
	if (code < 0)
		return -1;
	v->code = (enum wallet_code)code;
	if (code == WALLET_OK)
		*out = steal(&p);
	return 0;
}
