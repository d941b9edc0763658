/*
 * A plan that pays a Lightning invoice (NUT-05, NUT-08): inputs for the amount and the most that it
 * may cost, blank outputs for what comes back. The payment itself may take hours; what became of it
 * is for the mint's quote to say, and for the inputs' states: neither decides alone.
 */
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/step.h"
#include "cashu/dhke.h"
#include "crypto/hash.h"
#include "wallet/plan.h"

#define LOOK_AGAIN_MS 3000
#define LOOKS_MAX     3
#define UNCLEAR_MS    600000

size_t melt_blanks(struct sat over)
{
	size_t n = 0;

	for (uint64_t v = sat_raw(over); v > 1; v = (v + 1) / 2)
		n++;
	return sat_is_zero(over) || n > 0 ? n : 1;
}

/* --- what comes back --- */

struct change { /* signatures that are good, each with its blank */
	struct outputs outs;
	bool *out;
	struct blind_sig *sigs;
	struct sat sum;
	bool flawed; /* there was one that is not */
};

/* The blanks stay the plan's: only the list is ours. */
static void change_free(struct change *c)
{
	free(c->outs.v);
	free(c->out);
	free(c->sigs);
}
#define auto_change __attribute__((cleanup(change_free)))

static int change_known(const struct run *r, const struct proof *p)
{
	uint8_t y[POINT_COMPRESSED];

	if (dhke_y_bytes(y, str_of(p->secret), NULL) < 0)
		return -1;
	return proof_known(r->w, y, NULL);
}

/* Keyset, amount and proof of a signature; dhke_unblind has the same checks as for any other. */
static bool change_good(const struct run *r, const struct output *o, const struct blind_sig *sig)
{
	struct proof p;
	struct err e;
	int known;

	if (dhke_unblind(&p, o, sig, r->p->keyset, &e) < 0) {
		log_warn("plan %lld: change: %s", (long long)r->p->pub.id, e.msg);
		return false;
	}
	known = change_known(r, &p);
	proof_wipe(&p);
	return known == 0;
}

/* Most that the mint can give back. */
static struct sat change_most(const struct run *r)
{
	const struct wallet_plan *p = &r->p->pub;
	struct sat most;

	if (!sat_sub(&most, p->gross, p->fee) || !sat_sub(&most, most, p->net))
		return SAT(0);
	return most;
}

/* What it must give back, whatever the payment cost. */
static struct sat change_least(const struct run *r)
{
	struct sat least;

	return sat_sub(&least, change_most(r), r->p->reserve) ? least : SAT(0);
}

static bool change_short(const struct run *r, const struct change *c)
{
	return c->flawed || sat_cmp(c->sum, change_least(r)) < 0;
}

static void change_add(struct change *c, const struct run *r, size_t i, const struct blind_sig *sig)
{
	const struct output *o = &r->p->planned.outs.v[i];
	struct sat sum;

	if ((!sig->dleq.present && !r->unproven) || !change_good(r, o, sig) ||
	    !sat_add(&sum, c->sum, sig->amount) || sat_cmp(sum, change_most(r)) > 0) {
		c->flawed = true;
		return;
	}
	c->sum = sum;
	c->outs.v[c->outs.n] = *o;
	c->sigs[c->outs.n++] = *sig;
}

static void change_start(struct change *c, const struct run *r)
{
	size_t n = r->p->planned.outs.n + 1;

	*c = (struct change){.outs.v = mem_array(n, sizeof(*c->outs.v)),
			     .out = mem_array(n, sizeof(*c->out)),
			     .sigs = mem_array(n, sizeof(*c->sigs))};
}

/* --- the end --- */

/* Paid: the plan's outputs are now those that came back. */
static int melt_close(struct run *r, struct change *c, struct err *e)
{
	struct planned all = r->p->planned;
	struct wallet_plan before = r->p->pub;
	struct sat spent;
	int rc;

	if (!sat_sub(&spent, before.gross, c->sum) || !sat_sub(&spent, spent, before.net))
		return err_set(e, ERRK_STATE, "more came back than was given");
	r->p->planned = (struct planned){.outs = c->outs, .out = c->out};
	r->p->pub.fee = spent;
	rc = settle_plan(r, c->sigs, e);
	r->p->planned = all;
	if (rc < 0)
		r->p->pub = before;
	return rc;
}

static void melt_settle(struct run *r, struct change *c)
{
	struct err e;

	if (change_short(r, c))
		log_broken("plan %lld: %s keeps change of a payment: %llu sat came back",
			   (long long)r->p->pub.id, r->p->mint->url,
			   (unsigned long long)sat_raw(c->sum));
	if (melt_close(r, c, &e) < 0) {
		log_broken("plan %lld is not settled: %s", (long long)r->p->pub.id, e.msg);
		run_retry(r, e.msg, run_ask);
		return;
	}
	run_end(r);
}

/* --- the mint does not know what it did with our money --- */

void melt_forsake(struct wallet *w, int64_t plan)
{
	for (struct run *r = w->runs; r; r = r->next)
		if (r->p->pub.id == plan)
			r->forsaken = true;
}

/* It may be paid. So it is not called failed, and no other attempt is made unless its owner says
 * so; the mint is asked again and again. */
static void melt_unclear(struct run *r)
{
	static const char why[] =
		"the mint took the money and does not know this payment any more: "
		"it may have been made";

	if (r->forsaken) {
		recover_reject(r, WALLET_REJECT_SPENT);
		return;
	}
	if (!r->unclear)
		log_broken("plan %lld at %s: %s", (long long)r->p->pub.id, r->p->mint->url, why);
	r->unclear = true;
	run_later(r, UNCLEAR_MS, run_ask);
	jobs_plan_unclear(r->w, r->p, why);
}

/* --- restore --- */

/* Blanks are signed when the payment is made, and not before. */
static bool change_proves(const struct run *r, const struct change *c)
{
	return r->melt == MELT_PAID || (c->outs.n > 0 && !change_short(r, c));
}

static void melt_restored(void *ctx, struct restored_list *list, const struct mint_fault *f)
{
	struct run *r = ctx;
	auto_change struct change c = {0};

	r->call = NULL;
	if (f) {
		run_fault(r, f, "restore", run_ask);
		return;
	}
	change_start(&c, r);
	r->unproven = r->empty + 1 >= LOOKS_MAX; /* the last look takes what there is */
	for (size_t i = 0; i < list->n; i++)
		change_add(&c, r, list->v[i].index, &list->v[i].sig);
	if ((change_short(r, &c) || !change_proves(r, &c)) && ++r->empty < LOOKS_MAX)
		run_later(r, LOOK_AGAIN_MS, run_ask);
	else if (change_proves(r, &c))
		melt_settle(r, &c);
	else
		melt_unclear(r);
}

static void melt_restore(struct run *r)
{
	auto_free struct blinded *asked = run_asked(r);
	struct restored_list none = {0};

	if (r->p->planned.outs.n == 0) {
		melt_restored(r, &none, NULL);
		return;
	}
	r->call = mint_restore(r->p->mint->io, (struct blinded_list){asked, r->p->planned.outs.n},
			       melt_restored, r);
}

/* --- the answer --- */

/* The answer of another quote says nothing about this one. */
static bool melt_is(const struct run *r, const struct melt_quote *q)
{
	return strcmp(q->id, r->p->melt) == 0;
}

/* It is the receipt of a payment: one of another payment is none. */
static bool melt_proves(const struct run *r, const char *preimage)
{
	uint8_t raw[32], hash[32];

	if (hex_decode(raw, sizeof(raw), str_of(preimage), NULL) < 0)
		return false;
	sha256(hash, raw, sizeof(raw));
	return memcmp(hash, r->p->hash, sizeof(hash)) == 0;
}

static void melt_note(struct run *r, const struct melt_quote *q)
{
	r->forgot = false;
	if (r->melt != MELT_PAID) /* what is paid does not become unpaid */
		r->melt = q->state;
	if (melt_proves(r, q->preimage))
		memcpy(r->preimage, q->preimage, sizeof(r->preimage));
	else if (q->preimage[0])
		log_warn("plan %lld: %s gives a preimage that is not this payment's",
			 (long long)r->p->pub.id, r->p->mint->url);
}

/* Change in the answer belongs to the first blanks, in order. Where it is odd, or may be short,
 * `restore` is asked as well. */
static void melt_paid(struct run *r, const struct melt_quote *q)
{
	auto_change struct change c = {0};

	change_start(&c, r);
	c.flawed = q->change.n > r->p->planned.outs.n;
	for (size_t i = 0; i < q->change.n && !c.flawed; i++) {
		if (q->change.v[i].dleq.present)
			change_add(&c, r, i, &q->change.v[i]);
		else
			c.flawed = true;
	}
	if (!c.flawed && (c.outs.n == r->p->planned.outs.n || sat_cmp(c.sum, change_most(r)) == 0))
		melt_settle(r, &c);
	else
		melt_restore(r);
}

static void melt_failed(struct run *r, const struct mint_fault *f)
{
	r->last = *f;
	switch (f->kind) {
	case MINT_REFUSED:
		log_info("plan %lld: %s refuses (%d): %s", (long long)r->p->pub.id, r->p->mint->url,
			 f->code, f->detail);
		r->refusals++;
		run_ask(r);
		return;
	case MINT_UNREACHABLE:
		run_fault(r, f, "melt", run_post);
		return;
	case MINT_LIMITED:
	case MINT_UNKNOWN:
		r->posted_ms = clock_mono_ms();
		run_fault(r, f, "melt", run_ask);
		return;
	}
}

/* Once the mint has tried, its failure is the end: nothing is sent again. */
static void melt_waits(struct run *r)
{
	if (r->refusals == 0) {
		r->refusals = 1;
		r->last = (struct mint_fault){.kind = MINT_REFUSED,
					      .detail = "the Lightning payment failed"};
	}
	run_retry(r, "the Lightning payment is under way", run_ask);
}

static void melt_answer(void *ctx, struct melt_quote *q, const struct mint_fault *f)
{
	struct run *r = ctx;

	r->call = NULL;
	step_at(STEP_MELT_ANSWERED);
	if (f) {
		melt_failed(r, f);
		return;
	}
	if (!melt_is(r, q)) {
		r->posted_ms = clock_mono_ms();
		run_retry(r, "the mint answers about another quote", run_ask);
		return;
	}
	melt_note(r, q);
	switch (q->state) {
	case MELT_PAID:
		melt_paid(r, q);
		return;
	case MELT_PENDING:
		melt_waits(r);
		return;
	case MELT_UNPAID:
		r->refusals++;
		r->last = (struct mint_fault){.kind = MINT_REFUSED,
					      .detail = "the Lightning payment failed"};
		run_ask(r);
		return;
	}
}

void melt_post(struct run *r)
{
	step_at(STEP_MELT_SENT);
	r->call = mint_melt(r->p->mint->io, buf_view(&r->p->body), melt_answer, r);
}

/* --- what became of it --- */

/* Quote and inputs do not fit together: look again before it is believed. */
static void melt_odd(struct run *r, enum wallet_reject reason, const char *why)
{
	if (++r->empty < LOOKS_MAX) {
		run_later(r, LOOK_AGAIN_MS, run_ask);
		return;
	}
	log_broken("plan %lld at %s: %s", (long long)r->p->pub.id, r->p->mint->url, why);
	str_printable(r->p->why, sizeof(r->p->why), str_of(why));
	recover_reject(r, reason);
}

static bool melt_needs_outputs(const struct run *r)
{
	int code = r->last.code;

	return code == MINT_CODE_SIGNED || code == MINT_CODE_DUPLICATE_OUTPUTS ||
	       code == MINT_CODE_KEYSET_UNKNOWN || code == MINT_CODE_KEYSET_INACTIVE ||
	       code == MINT_CODE_KEYSET_EXPIRED || code == MINT_CODE_UNBALANCED;
}

/* Nothing was paid, and nothing is under way as far as the mint knows. */
static void melt_unspent(struct run *r)
{
	bool expired = plan_expired(r->p);
	int64_t left = run_may_land_ms(r);

	if (!expired && r->refusals == 0) {
		run_post(r);
	} else if (left > 0) {
		run_later(r, left, run_ask);
	} else if (expired) {
		recover_reject(r, WALLET_REJECT_EXPIRED);
	} else if (melt_needs_outputs(r)) {
		replace_dead(r);
	} else {
		str_printable(r->p->why, sizeof(r->p->why), str_of(r->last.detail));
		recover_reject(r, WALLET_REJECT_REFUSED);
	}
}

void melt_states(struct run *r, size_t pending, size_t spent)
{
	if (pending > 0)
		melt_waits(r);
	else if ((r->melt == MELT_PAID || r->forgot) && spent == r->p->nys)
		melt_restore(r);
	else if (spent > 0)
		melt_odd(r, WALLET_REJECT_SPENT, "inputs are spent, and not by this payment");
	else if (r->melt == MELT_PAID)
		melt_odd(r, WALLET_REJECT_REFUSED, "the invoice is paid, and not with our money");
	else
		melt_unspent(r);
}

/* Where the mint does not know the quote any more, inputs and blanks decide. */
static void melt_quoted(void *ctx, struct melt_quote *q, const struct mint_fault *f)
{
	struct run *r = ctx;

	r->call = NULL;
	if (f && f->kind != MINT_REFUSED) {
		run_fault(r, f, "quote", run_ask);
		return;
	}
	if (!f && !melt_is(r, q)) {
		run_retry(r, "the mint answers about another quote", run_ask);
		return;
	}
	r->forgot = f != NULL;
	if (!f)
		melt_note(r, q);
	if (!f && r->melt == MELT_PENDING)
		melt_waits(r);
	else
		r->call = mint_checkstate(r->p->mint->io, r->p->ys, r->p->nys, recover_states, r);
}

void melt_ask(struct run *r)
{
	r->call = mint_get_melt_quote(r->p->mint->io, r->p->melt, melt_quoted, r);
}
