/* Top-ups: a payment for a running lease. Claimed only while it runs and ends late enough; what the
 * mint settles too late is refunded. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/step.h"
#include "lease/engine_impl.h"

static bool can_extend(const struct lease *l)
{
	return l->state == LEASE_RUNNING && l->expires_at - clock_wall() >= LEASE_TOPUP_MARGIN;
}

/* The lease that `a` names, if it is the asker's or the payment anybody's; refuses by itself. */
static int find_lease(struct ask *a, struct lease *l)
{
	struct err e;
	int rc = lease_load(a->g->db, a->req->lease, l, &e);

	if (rc < 0) {
		log_broken("lease %s: %s", a->req->lease, e.msg);
		ask_refuse(a, REPLY_INTERNAL, NULL);
	} else if (rc || (!a->by_message && !pubkey_eq(&l->author, &a->author))) {
		ask_refuse(a, REPLY_NOT_FOUND, rc && a->by_message ? "no such lease" : NULL);
		rc = -1;
	} else if (!can_extend(l)) {
		ask_refuse(a, l->state == LEASE_RUNNING ? REPLY_TOO_LATE : REPLY_NOT_RUNNING, NULL);
		rc = -1;
	}
	return rc;
}

static int store_topup(const struct ask *a, const struct lease *l, const struct wallet_payment *pay,
		       int64_t *plan, struct err *e)
{
	struct request_row row = {.author = a->author, .at = clock_wall()};
	struct payment p = {.kind = a->by_message ? PAYMENT_MESSAGE : PAYMENT_TOPUP,
			    .author = a->author};
	const struct wallet_claim claim = {.ref = l->id, .not_after = a->req->expires_at};
	auto_tx struct tx *tx = NULL;
	int rc;

	memcpy(row.request_id, a->req->request_id, sizeof(row.request_id));
	memcpy(row.hash, a->hash, sizeof(row.hash));
	memcpy(p.lease, l->id, sizeof(p.lease));
	memcpy(p.request_id, row.request_id, sizeof(p.request_id));
	if (db_begin(&tx, a->g->db, e) < 0)
		return -1;
	rc = request_insert(tx, &row, e);
	if (rc)
		return rc;
	rc = wallet_claim(tx, a->g->wallet, pay, &claim, &p.plan, e);
	if (rc)
		return rc;
	if (payment_insert(tx, &p, str_of(a->req->token), e) < 0 || db_commit(&tx, e) < 0)
		return -1;
	step_at(STEP_LEASE_PAYING);
	*plan = p.plan;
	return 0;
}

void topup_asked(struct ask *ask)
{
	auto_ask struct ask *a = ask;
	AUTO(wallet_payment_free) struct wallet_payment *money = NULL;
	struct wallet_verdict v = {0};
	struct lease l;
	struct err e;
	int64_t plan;
	int rc;

	if (find_lease(a, &l))
		return;
	/* A stranger's proofs cost us more than the question. */
	if (a->by_message && !a->refreshed && !author_charge(a->g, &a->author, 5)) {
		ask_refuse(a, REPLY_BUSY, NULL);
		return;
	}
	if (money_check(&money, &v, a, SAT(1), topup_asked))
		return;
	if (strcmp(v.mint, l.mint) || money_too_much(&l, v.net, SAT(0))) {
		ask_refuse(a, strcmp(v.mint, l.mint) ? REPLY_FOREIGN_MINT : REPLY_TOO_MUCH,
			   strcmp(v.mint, l.mint) ? "a lease is paid at one mint" : NULL);
		return;
	}
	rc = store_topup(a, &l, money, &plan, &e);
	if (!rc)
		wallet_plan_run(a->g->wallet, plan);
	if (rc == WALLET_KNOWN)
		ask_refuse(a, REPLY_CLAIMED, NULL);
	if (rc < 0)
		log_broken("top-up of %s: %s", l.id, e.msg);
}

static int too_late(struct engine *g, struct tx *tx, const struct payment *p, const struct lease *l,
		    struct msat net, struct err *e)
{
	auto_reply struct reply *r = reply_new(p->request_id, REPLY_STAGE_FAILED, REPLY_TOO_LATE);
	struct lease unused = *l; /* a lease of its own that was paid and never ran */
	struct lease_bill bill;

	unused.plan = p->plan;
	unused.paid = net;
	unused.started_at = unused.priced_at = 0;
	unused.spent = MSAT(0);
	lease_bill(&bill, &unused, clock_wall());
	reply_fill(r, l);
	r->final = true;
	r->token = REPLY_TOKEN_SPENT;
	r->refund_number = refund_number(p->request_id);
	r->refund_due = bill.refund;
	r->kept = bill.kept;
	reply_say(r, "the lease had ended when the mint answered; %s",
		  msat_raw(bill.kept)	       ? "without a refund key it cannot be given back"
		  : p->kind == PAYMENT_MESSAGE ? "it is refunded, and it is its owner's"
					       : "the refund is on its way");
	if (bill_store(g, tx, &unused, refund_number(p->request_id), &bill, e) < 0)
		return -1;
	return payment_tell(g, tx, p, r, e);
}

/* Somebody else paid for the owner's lease. */
static int tell_owner(struct engine *g, struct tx *tx, const struct payment *p,
		      const struct lease *l, struct err *e)
{
	auto_reply struct reply *news = NULL;

	if (p->kind != PAYMENT_MESSAGE)
		return 0;
	news = reply_for(l, REPLY_STAGE_STATUS, REPLY_OK);
	return outbox_add(g, tx, &l->author, news, e);
}

int topup_settled(struct engine *g, struct tx *tx, const struct payment *p,
		  const struct wallet_plan *plan, struct err *e)
{
	auto_reply struct reply *r = NULL;
	struct lease l;
	struct msat net;

	if (lease_load(g->db, p->lease, &l, e))
		return err_set(e, ERRK_STATE, "plan %lld tops up no lease", (long long)plan->id);
	if (!msat_of_sat(&net, plan->net))
		return err_set(e, ERRK_LIMIT, "lease %s: amount", l.id);
	if (plan->late || l.state != LEASE_RUNNING || l.expires_at <= clock_wall())
		return too_late(g, tx, p, &l, net, e);
	if (!msat_add(&l.paid, l.paid, net) || !sat_add(&l.fee, l.fee, plan->fee))
		return err_set(e, ERRK_LIMIT, "lease %s: amount", l.id);
	l.expires_at = l.started_at + lease_paid_seconds(&l);
	if (lease_save(tx, &l, e) < 0)
		return -1;
	r = reply_new(p->request_id, REPLY_STAGE_TOPPED_UP, REPLY_OK);
	reply_fill(r, &l);
	r->final = true;
	r->token = REPLY_TOKEN_SPENT;
	return tell_owner(g, tx, p, &l, e) < 0 ? -1 : payment_tell(g, tx, p, r, e);
}

int topup_rejected(struct engine *g, struct tx *tx, const struct payment *p,
		   const struct wallet_plan *plan, struct err *e)
{
	if (payment_refused(g, tx, p, plan, e) < 0)
		return -1;
	return payment_blank(tx, p->plan, e);
}

void topup_closed(struct engine *g, const struct payment *p)
{
	struct lease l;
	struct err e;

	step_at(STEP_LEASE_TOPPED_UP);
	if (lease_load(g->db, p->lease, &l, &e) || l.state != LEASE_RUNNING)
		return;
	set_deadline(g, &l);
	expiry_arm(g);
}
