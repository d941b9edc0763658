/* A plan that can never land: an output was signed before, its keyset is no longer active, or the
 * fee has changed. The inputs are unspent, so the same plan gets fresh outputs. */
#include "base/clock.h"
#include "base/log.h"
#include "base/step.h"
#include "wallet/plan.h"

#define REPLACE_MAX 3

static void replace_give_up(struct run *r, enum wallet_reject reason)
{
	struct err e;

	if (reject_plan(r, reason, &e) < 0) {
		log_broken("plan %lld is not closed: %s", (long long)r->p->pub.id, e.msg);
		run_retry(r, e.msg, run_ask);
		return;
	}
	run_end(r);
}

static int replace_blanks(const struct plan *p, struct sat fee, struct output_wish *wish,
			  struct err *e)
{
	struct sat over;

	if (!sat_sub(&over, p->pub.gross, fee) || !sat_sub(&over, over, p->pub.net) ||
	    sat_cmp(over, p->reserve) < 0)
		return err_set(e, ERRK_LIMIT, "the mint's fee is more than there is");
	wish->blanks = melt_blanks(over);
	return 0;
}

static int replace_amounts(struct run *r, const struct proofs *inputs, struct sat *fee,
			   struct output_wish *wish, struct err *e)
{
	struct plan *p = r->p;
	struct sat left;

	if (proofs_fee(fee, inputs, &p->mint->keysets, e) < 0)
		return -1;
	if (p->pub.kind == WALLET_PLAN_MELT)
		return replace_blanks(p, *fee, wish, e);
	if (!sat_sub(&left, p->pub.gross, *fee) || !sat_sub(&wish->ours, left, wish->theirs))
		return err_set(e, ERRK_LIMIT, "the mint's fee is more than there is");
	return 0;
}

static int replace_body(struct run *r, const struct proofs *inputs, struct err *e)
{
	struct quote q;
	int rc;

	if (r->p->pub.kind != WALLET_PLAN_MINT)
		return plan_body(r->p, inputs, e);
	if (quote_load(&q, r->w, r->p->quote, e) < 0)
		return -1;
	rc = quote_body(r->p, &q, r->legacy ? QUOTE_LEGACY : QUOTE_FRAMED, e);
	secret_wipe(&q.key);
	return rc;
}

static int replace_store(struct run *r, struct tx *tx, const struct proofs *inputs,
			 const struct output_wish *wish, struct err *e)
{
	auto_planned struct planned fresh = {0};

	if (outputs_make(&fresh, tx, r->w, wish, e) < 0)
		return -1;
	planned_free(&r->p->planned);
	r->p->planned = fresh;
	fresh = (struct planned){0};
	if (replace_body(r, inputs, e) < 0)
		return -1;
	return plan_replace(tx, r->p, e);
}

static int replace_outputs(struct run *r, struct err *e)
{
	auto_proofs struct proofs inputs = {0};
	auto_tx struct tx *tx = NULL;
	struct output_wish wish = {0};
	struct sat fee = SAT(0);
	struct plan *p = r->p;
	struct lock lock;

	wish.keyset = keysets_choose(&p->mint->keysets, WALLET_UNIT, clock_wall());
	if (!wish.keyset)
		return err_set(e, ERRK_PEER, "%s has no active keyset", p->mint->url);
	if (p->pub.kind == WALLET_PLAN_SPLIT) {
		int rc = out_lock(&lock, &wish.theirs, r->w, p->pub.token_out, e);

		if (rc < 0)
			return -1;
		wish.lock = rc == OUT_UNLOCKED ? NULL : &lock;
	}
	if (plan_inputs(&inputs, p, e) < 0 || replace_amounts(r, &inputs, &fee, &wish, e) < 0 ||
	    db_begin(&tx, r->w->db, e) < 0)
		return -1;
	p->keyset = wish.keyset;
	p->pub.fee = fee;
	if (p->pub.kind != WALLET_PLAN_MELT && !sat_sub(&p->pub.net, p->pub.gross, fee))
		return err_set(e, ERRK_LIMIT, "fee");
	if (replace_store(r, tx, &inputs, &wish, e) < 0)
		return -1;
	return db_commit(&tx, e);
}

static void replace_now(struct run *r)
{
	struct err e;

	/* a refund is planned anew, and looks first for a token that is signed already */
	if (r->p->pub.kind == WALLET_PLAN_REFUND || ++r->replacements > REPLACE_MAX) {
		replace_give_up(r, WALLET_REJECT_REFUSED);
		return;
	}
	if (replace_outputs(r, &e) < 0) {
		log_warn("plan %lld: no new outputs: %s", (long long)r->p->pub.id, e.msg);
		replace_give_up(r, WALLET_REJECT_REFUSED);
		return;
	}
	step_at(STEP_PLAN_DEAD);
	log_info("plan %lld has fresh outputs", (long long)r->p->pub.id);
	r->refusals = 0;
	run_post(r);
}

static bool replace_fee_changed(const struct run *r)
{
	auto_proofs struct proofs inputs = {0};
	struct sat fee;

	if (r->p->nys == 0 || plan_inputs(&inputs, r->p, NULL) < 0 ||
	    proofs_fee(&fee, &inputs, &r->p->mint->keysets, NULL) < 0)
		return false;
	return sat_cmp(fee, r->p->pub.fee) != 0;
}

/* The run has nothing else under way while it waits for these two, so it is still there. */
static void replace_refreshed(void *ctx, const struct err *error)
{
	struct run *r = ctx;

	if (error)
		run_retry(r, error->msg, run_ask);
	else if (!r->p->keyset->active || replace_fee_changed(r))
		replace_now(r);
	else
		replace_give_up(r, WALLET_REJECT_REFUSED);
}

static void replace_scanned(void *ctx, const struct err *error)
{
	struct run *r = ctx;

	if (error)
		run_retry(r, error->msg, run_ask);
	else
		replace_now(r);
}

void replace_used(struct run *r)
{
	log_warn("%s signed outputs of plan %lld before: the counter was used elsewhere",
		 r->p->mint->url, (long long)r->p->pub.id);
	scan_start(r->w, r->p->mint, r->p->keyset, replace_scanned, r);
}

static void replace_restored(void *ctx, struct restored_list *list, const struct mint_fault *f)
{
	struct run *r = ctx;

	r->call = NULL;
	if (f) {
		run_fault(r, f, "restore", run_ask);
		return;
	}
	if (list->n > 0)
		replace_used(r);
	else
		mint_refresh_now(r->w, r->p->mint, replace_refreshed, r);
}

void replace_dead(struct run *r)
{
	auto_free struct blinded *asked = run_asked(r);

	r->call = mint_restore(r->p->mint->io, (struct blinded_list){asked, r->p->planned.outs.n},
			       replace_restored, r);
}
