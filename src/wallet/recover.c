/*
 * Recovery: what happened to a plan whose answer did not come, or was a refusal. The mint is asked
 * about the inputs first; only when they are spent is `restore` decisive, because before that our
 * own request may still land.
 */
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "cashu/dhke.h"
#include "wallet/plan.h"

#define LOOK_AGAIN_MS 3000
#define EMPTY_MAX     2

void recover_reject(struct run *r, enum wallet_reject reason)
{
	struct err e;

	if (reject_plan(r, reason, &e) < 0) {
		log_broken("plan %lld is not closed: %s", (long long)r->p->pub.id, e.msg);
		run_retry(r, e.msg, run_ask);
		return;
	}
	run_end(r);
}

/* --- inputs unspent --- */

static void recover_unspent(struct run *r)
{
	bool expired = plan_expired(r->p);
	int64_t left = run_may_land_ms(r);

	if (!expired && r->refusals < 2) {
		run_post(r);
		return;
	}
	if (left > 0)
		run_later(r, left, run_ask);
	else if (expired)
		recover_reject(r, WALLET_REJECT_EXPIRED);
	else
		replace_dead(r);
}

/* --- inputs spent, and not by this plan --- */

static bool witness_is(const struct run *r, const struct proof *p, const struct lock_key *key)
{
	auto_json struct json *j = NULL;
	const struct json *list, *one;
	struct str text;
	uint8_t sig[64];

	if (!r->witness || json_parse(&j, str_of(r->witness), NULL, NULL) < 0 ||
	    json_child(j, "signatures", JSON_ARRAY, &list, NULL) < 0)
		return false;
	for (one = json_first(list); one; one = json_next(one))
		if (json_as_str(one, &text) && hex_decode(sig, sizeof(sig), text, NULL) == 0 &&
		    lock_verify(sig, str_of(p->secret), key))
			return true;
	return false;
}

/* Locked to us, spent, and we got nothing: its sender after the locktime, or our own key elsewhere.
 */
static enum wallet_reject recover_who(const struct run *r)
{
	auto_proofs struct proofs inputs = {0};
	struct lock lock;
	const struct proof *p;
	struct err e;

	if (r->p->pub.kind == WALLET_PLAN_MINT)
		return WALLET_REJECT_BLOCKED;
	if (!r->p->has_lock_key)
		return WALLET_REJECT_SPENT;
	if (plan_inputs(&inputs, r->p, &e) < 0 || r->witness_at >= inputs.n)
		return WALLET_REJECT_BLOCKED;
	p = &inputs.v[r->witness_at];
	if (lock_parse(&lock, str_of(p->secret)) != LOCK_OK)
		return WALLET_REJECT_SPENT;
	if (witness_is(r, p, &r->p->lock_key))
		return WALLET_REJECT_BLOCKED;
	if (lock.has_refund && lock.locktime > 0 &&
	    (witness_is(r, p, &lock.refund) || clock_wall() > lock.locktime))
		return WALLET_REJECT_REFUNDED;
	return WALLET_REJECT_BLOCKED;
}

/* Nobody but us could have spent these inputs: another copy of the wallet, or the mint lies. */
static bool recover_alarms(const struct run *r, enum wallet_reject reason)
{
	enum wallet_kind kind = r->p->pub.kind;

	return reason == WALLET_REJECT_BLOCKED || kind == WALLET_PLAN_SPLIT ||
	       kind == WALLET_PLAN_REFUND || kind == WALLET_PLAN_MELT;
}

static void recover_not_ours(struct run *r, const char *why)
{
	enum wallet_reject reason;

	/* A swap that the mint refused did not happen: only one without an answer may show later.
	 */
	if (++r->empty < EMPTY_MAX && r->unsure) {
		run_later(r, LOOK_AGAIN_MS, run_ask);
		return;
	}
	reason = recover_who(r);
	if (recover_alarms(r, reason))
		log_broken("plan %lld at %s: inputs are spent and not by this plan: %s",
			   (long long)r->p->pub.id, r->p->mint->url, why);
	recover_reject(r, reason);
}

/* --- inputs spent: restore --- */

static void recover_fresh(void *ctx, struct y_states *s, const struct mint_fault *f)
{
	struct run *r = ctx;
	struct err e;

	r->call = NULL;
	if (f) {
		run_fault(r, f, "checkstate", run_ask);
		return;
	}
	for (size_t i = 0; i < s->n; i++) {
		if (s->v[i].state != PROOF_UNSPENT) {
			recover_not_ours(r, "the restored outputs are used already");
			return;
		}
	}
	if (settle_plan(r, r->sigs.v, &e) < 0) {
		log_broken("plan %lld is not settled: %s", (long long)r->p->pub.id, e.msg);
		run_retry(r, e.msg, run_ask);
		return;
	}
	run_end(r);
}

enum { MADE_KNOWN = 1 }; /* one is in the wallet already */

static int recover_made(struct run *r, const struct proofs *made, struct err *e)
{
	int rc;

	free(r->made);
	r->made = mem_array(made->n + 1, sizeof(*r->made));
	for (size_t i = 0; i < made->n; i++) {
		if (dhke_y_bytes(r->made[i].b, str_of(made->v[i].secret), e) < 0)
			return -1;
		rc = proof_known(r->w, r->made[i].b, e);
		if (rc != 0)
			return rc < 0 ? -1 : MADE_KNOWN;
	}
	return 0;
}

static bool recover_proven(const struct run *r)
{
	for (size_t i = 0; i < r->sigs.n; i++)
		if (!r->sigs.v[i].dleq.present)
			return false;
	return true;
}

/* NUT-09 does not ask for DLEQ proofs. A mint that gives none, also when it is asked again, has
 * taken the inputs all the same: what it restores is all that there is for them. */
static bool recover_unproven(struct run *r)
{
	if (r->unproven || recover_proven(r))
		return true;
	if (++r->empty < EMPTY_MAX) {
		run_later(r, LOOK_AGAIN_MS, run_ask);
		return false;
	}
	log_warn("plan %lld: %s restores without proofs: taken as it is", (long long)r->p->pub.id,
		 r->p->mint->url);
	r->unproven = true;
	return true;
}

/* A counter that was used before looks the same: so the outputs must be those of the plan, new to
 * us, and unspent. */
static void recover_check(struct run *r)
{
	auto_proofs struct proofs made = {0};
	struct err e;

	if (!recover_unproven(r))
		return;
	if (settle_unblind(&made, r, r->sigs.v, &e) < 0) {
		recover_not_ours(r, e.msg);
		return;
	}
	switch (recover_made(r, &made, &e)) {
	case 0:
		r->call = mint_checkstate(r->p->mint->io, r->made, made.n, recover_fresh, r);
		break;
	case MADE_KNOWN:
		recover_not_ours(r, "a restored proof is in the wallet already");
		break;
	default: /* our own database says nothing about whose it is */
		run_retry(r, e.msg, run_ask);
	}
}

static void recover_restored(void *ctx, struct restored_list *list, const struct mint_fault *f)
{
	struct run *r = ctx;

	r->call = NULL;
	if (f) {
		run_fault(r, f, "restore", run_ask);
		return;
	}
	if (list->n != r->p->planned.outs.n) {
		recover_not_ours(r, list->n ? "only some outputs are signed" : "nothing restored");
		return;
	}
	blind_sigs_free(&r->sigs);
	r->sigs.v = mem_array(list->n + 1, sizeof(*r->sigs.v));
	r->sigs.n = list->n;
	for (size_t i = 0; i < list->n; i++)
		r->sigs.v[list->v[i].index] = list->v[i].sig;
	recover_check(r);
}

static void recover_restore(struct run *r)
{
	auto_free struct blinded *asked = run_asked(r);

	r->call = mint_restore(r->p->mint->io, (struct blinded_list){asked, r->p->planned.outs.n},
			       recover_restored, r);
}

/* --- what the mint says --- */

void recover_states(void *ctx, struct y_states *s, const struct mint_fault *f)
{
	struct run *r = ctx;
	size_t pending = 0, spent = 0;

	r->call = NULL;
	if (f) {
		run_fault(r, f, "checkstate", run_ask);
		return;
	}
	free(r->witness);
	r->witness = NULL;
	for (size_t i = 0; i < s->n; i++) {
		pending += s->v[i].state == PROOF_PENDING;
		r->spent[i] = s->v[i].state == PROOF_SPENT;
		if (r->spent[i] && spent++ == 0) {
			r->witness = s->v[i].witness ? steal(&s->v[i].witness) : NULL;
			r->witness_at = i;
		}
	}
	if (r->p->pub.kind == WALLET_PLAN_MELT)
		melt_states(r, pending, spent);
	else if (pending > 0)
		run_retry(r, "the mint holds the inputs as pending", run_ask);
	else if (spent > 0)
		recover_restore(r);
	else
		recover_unspent(r);
}

void recover_quote(void *ctx, struct mint_quote *q, const struct mint_fault *f)
{
	struct run *r = ctx;

	r->call = NULL;
	if (f) {
		run_fault(r, f, "quote", run_ask);
		return;
	}
	if (q->issued)
		recover_restore(r);
	else if (q->paid)
		recover_unspent(r);
	else
		run_retry(r, "the mint does not see the invoice paid", run_ask);
}
