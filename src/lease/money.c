/* The wallet's side of spawn and top-up: verdicts become reply codes, closed plans find the lease
 * or the top-up that they pay for. */
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/step.h"
#include "lease/engine_impl.h"
#include "lease/treasury.h"

/* A lock must outlive the request by so much, whatever a slow mint does (DESIGN, payment). */
#define LOCK_MARGIN 3600

enum reply_code money_code(enum wallet_code c)
{
	switch (c) {
	case WALLET_OK:
		return REPLY_OK;
	case WALLET_NEED_KEYSETS:
	case WALLET_KEYSET_UNKNOWN:
		return REPLY_KEYSET;
	case WALLET_TOKEN_MALFORMED:
		return REPLY_TOKEN;
	case WALLET_UNIT_UNSUPPORTED:
		return REPLY_UNIT;
	case WALLET_FOREIGN_MINT:
		return REPLY_FOREIGN_MINT;
	case WALLET_TOO_MANY_PROOFS:
		return REPLY_TOO_MANY;
	case WALLET_NUMBER_TOO_LARGE:
		return REPLY_TOO_LARGE;
	case WALLET_DUPLICATE_PROOF:
		return REPLY_DUPLICATE;
	case WALLET_KEYSET_AMBIGUOUS:
		return REPLY_KEYSET_AMBIGUOUS;
	case WALLET_KEYSET_INACTIVE_SOON:
		return REPLY_KEYSET_ENDING;
	case WALLET_TOO_LITTLE:
		return REPLY_TOO_LITTLE;
	case WALLET_LOCK_UNSUPPORTED:
		return REPLY_LOCK;
	case WALLET_LOCK_NOT_OURS:
		return REPLY_LOCK_FOREIGN;
	case WALLET_LOCK_MISSING:
		return REPLY_LOCK_MISSING;
	case WALLET_LOCK_TOO_SHORT:
		return REPLY_LOCK_SHORT;
	case WALLET_ALREADY_CLAIMED:
		return REPLY_CLAIMED;
	case WALLET_DLEQ_MISSING:
		return REPLY_DLEQ_MISSING;
	case WALLET_DLEQ_BAD:
		return REPLY_DLEQ_BAD;
	}
	return REPLY_INTERNAL;
}

static void refreshed(void *ctx, const struct err *error)
{
	struct ask *a = ctx;

	if (error)
		log_warn("keysets: %s", error->msg);
	a->refreshed = true;
	a->again(a);
}

static void refresh_for(struct ask *a, const char *mint, ask_fn *again)
{
	struct request *req = steal(&a->req);
	struct ask *waiting = ask_take(a, &req);

	waiting->again = again;
	ask_open(waiting);
	wallet_refresh(a->g->wallet, mint, refreshed, waiting);
}

int money_check(struct wallet_payment **out, struct wallet_verdict *v, struct ask *a,
		struct sat min_net, ask_fn *again)
{
	struct wallet_terms terms = {
		.min_net = min_net,
		.lock = a->g->set.lock,
		.lock_until = a->req->expires_at + LOCK_MARGIN,
		.now = clock_wall(),
		.refreshed = a->refreshed,
	};
	struct err e;

	if (wallet_check(out, a->g->wallet, str_of(a->req->token), &terms, v, &e) < 0) {
		log_broken("check a token: %s", e.msg);
		ask_refuse(a, REPLY_INTERNAL, NULL);
		return MONEY_HANDLED;
	}
	if (v->code == WALLET_OK && treasury_refuses(a->g, v->mint, v->net)) {
		ask_refuse(a, REPLY_MINT_FULL, NULL);
		return MONEY_HANDLED;
	}
	if (v->code == WALLET_OK)
		return 0;
	if (v->code == WALLET_NEED_KEYSETS && !a->refreshed) {
		refresh_for(a, v->mint, again);
		return MONEY_HANDLED;
	}
	ask_refuse(a, money_code(v->code), v->why);
	return MONEY_HANDLED;
}

bool money_too_much(const struct lease *l, struct sat net, struct sat least)
{
	struct msat more, paid, longest;

	if (!msat_of_sat(&more, net) || !msat_add(&paid, l->paid, more) ||
	    !lease_longest(&longest, l))
		return true;
	return sat_cmp(net, least) > 0 && sat_cmp(msat_floor(paid), msat_ceil(longest)) > 0;
}

struct sat money_refund_min(struct engine *g, struct sat wanted, const char *mint)
{
	struct sat fee;

	if (wallet_fee(g->wallet, mint, 1, &fee, NULL) < 0 || !sat_add(&fee, fee, SAT(1)))
		return wanted;
	return sat_cmp(fee, wanted) > 0 ? fee : wanted;
}

static int plan_settled(void *ctx, struct tx *tx, const struct wallet_plan *plan, struct err *e)
{
	struct engine *g = ctx;
	struct payment p;
	int rc = payment_load(g->db, plan->id, &p, NULL, e);

	if (rc)
		return rc < 0 ? -1 : 0; /* not a buyer's payment */
	if (payment_blank(tx, plan->id, e) < 0)
		return -1;
	if (p.kind == PAYMENT_SPAWN)
		return spawn_settled(g, tx, &p, plan, e);
	return topup_settled(g, tx, &p, plan, e);
}

static int plan_rejected(void *ctx, struct tx *tx, const struct wallet_plan *plan, struct err *e)
{
	struct engine *g = ctx;
	struct payment p;
	int rc = payment_load(g->db, plan->id, &p, NULL, e);

	if (rc)
		return rc < 0 ? -1 : 0;
	if (plan->reason == WALLET_REJECT_BLOCKED)
		log_broken(
			"lease %s: the token was spent with our own key, but not by this payment; "
			"is another agent running on the same seed?",
			p.lease);
	if (p.kind == PAYMENT_SPAWN)
		return spawn_rejected(g, tx, &p, plan, e);
	return topup_rejected(g, tx, &p, plan, e);
}

static void plan_closed(void *ctx, const struct wallet_plan *plan)
{
	struct engine *g = ctx;
	struct payment p;
	struct lease l;
	struct err e = {0};

	outbox_kick(g);
	treasury_look(g);
	if (payment_load(g->db, plan->id, &p, NULL, &e) || lease_load(g->db, p.lease, &l, &e))
		return;
	tally_plan(g, plan);
	refunds_run(g, l.id); /* of what came too late */
	if (p.kind != PAYMENT_SPAWN) {
		topup_closed(g, &p);
		return;
	}
	if (l.state != LEASE_PAID)
		return;
	step_at(STEP_LEASE_PAID);
	start_lease(g, l.id);
}

/* The mint keeps the buyer waiting: say so once, so that nobody asks in vain. */
static void plan_waiting(void *ctx, const struct wallet_plan *plan, const char *why)
{
	struct engine *g = ctx;
	auto_reply struct reply *r = NULL;
	struct payment p;
	struct err e;

	if (payment_load(g->db, plan->id, &p, NULL, &e))
		return;
	log_warn("lease %s: payment waits: %s", p.lease, why);
	r = reply_new(p.request_id, REPLY_STAGE_ACCEPTED, REPLY_MINT_DOWN);
	memcpy(r->lease, p.lease, sizeof(r->lease));
	reply_say(r, "the payment is stored and goes on when the mint answers: %s", why);
	if (p.kind != PAYMENT_MESSAGE)
		outbox_send(g, &p.author, r);
}

const struct wallet_ops money_ops = {
	.settled = plan_settled,
	.rejected = plan_rejected,
	.closed = plan_closed,
	.waiting = plan_waiting,
	.refund_made = refund_made,
	.refund_done = refund_done,
};
