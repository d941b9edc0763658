/* How leases end: expiry, the owner, the operator, or a start that failed. STOPPING and the refund
 * that is due are one commit; then the host erases until it says that nothing is left. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/step.h"
#include "lease/engine_impl.h"
#include "lease/health.h"
#include "lease/volkey.h"

#define ERASE_RETRY_MS	 2000
#define ERASE_RETRY_MOST 300000
#define EXPIRY_LOOK_MS	 60000 /* at the latest so: a wall clock may jump */
#define EXPIRY_AGAIN_MS	 1000

static int reply_ending(struct engine *g, struct tx *tx, const struct lease *l,
			const struct lease_bill *b, struct err *e)
{
	auto_reply struct reply *r = NULL;

	if (l->why != WHY_START_FAILED)
		return 0; /* told when it is erased */
	r = reply_for(l, REPLY_STAGE_FAILED, REPLY_START_FAILED);
	r->final = true;
	r->token = REPLY_TOKEN_SPENT;
	r->refund_due = b->refund;
	r->kept = b->kept;
	reply_say(r, "the container could not be started%s%s; the refund is on its way",
		  *l->said ? ": " : "", l->said);
	return outbox_add(g, tx, &l->author, r, e);
}

static int post_earnings(struct tx *tx, const struct lease *l, const struct lease_bill *b,
			 struct err *e)
{
	struct ledger_posting p = {.from = LEDGER_OPEN,
				   .to = LEDGER_EARNED,
				   .mint = l->mint,
				   .ref = l->id,
				   .plan = l->plan};

	if (!msat_add(&p.amount, b->used, b->kept))
		return err_set(e, ERRK_LIMIT, "lease %s: amount", l->id);
	return ledger_post(tx, &p, e);
}

int bill_store(struct engine *g, struct tx *tx, const struct lease *l, uint32_t number,
	       const struct lease_bill *b, struct err *e)
{
	return refund_store(g, tx, l, number, b->refund, e) < 0 ? -1 : post_earnings(tx, l, b, e);
}

/* The machine's start, where it came in the lease's paid time: nothing ran from then on. 0: else.
 */
static int64_t lost_at(const struct engine *g, const struct lease *l)
{
	int64_t at = g->set.booted_at;

	return l->started_at < at && at < l->expires_at ? at : 0;
}

int end_lease(struct engine *g, struct lease *l, enum lease_why why, struct err *e)
{
	int64_t lost = why == WHY_HOST_REBOOTED ? lost_at(g, l) : 0;
	auto_tx struct tx *tx = NULL;
	struct lease_bill bill;

	l->ended_at = lost ? lost : clock_wall();
	lease_bill(&bill, l, l->ended_at);
	if (db_begin(&tx, g->db, e) < 0 || lease_save(tx, l, e) < 0 ||
	    lease_move(tx, l, LEASE_STOPPING, why, e) < 0 ||
	    bill_store(g, tx, l, REFUND_OF_LEASE, &bill, e) < 0 ||
	    reply_ending(g, tx, l, &bill, e) < 0 || db_commit(&tx, e) < 0)
		return -1;
	step_at(STEP_LEASE_STOPPING);
	health_end(g, l->id);
	volkey_drop(g, l->id);
	if (msat_raw(bill.refund))
		step_at(STEP_LEASE_REFUND_DUE);
	outbox_kick(g);
	refunds_run(g, l->id);
	erase_lease(g, l->id);
	return 0;
}

/* --- erase --- */

static int store_ended(struct engine *g, struct lease *l, const struct priv_destroy_reply *er,
		       struct err *e)
{
	auto_buf struct buf receipt = BUF(8192);
	auto_reply struct reply *r = NULL;
	auto_tx struct tx *tx = NULL;

	if (receipt_write(&receipt, g, l, er, e) < 0 || db_begin(&tx, g->db, e) < 0 ||
	    lease_save_receipt(tx, l->id, buf_view(&receipt), e) < 0 ||
	    lease_move(tx, l, LEASE_ENDED, l->why, e) < 0)
		return -1;
	r = reply_for(l, REPLY_STAGE_ENDED, REPLY_OK);
	r->final = true;
	r->receipt = buf_steal(&receipt);
	if (outbox_add(g, tx, &l->author, r, e) < 0 || db_commit(&tx, e) < 0)
		return -1;
	step_at(STEP_LEASE_ENDED);
	return 0;
}

static void ask_destroy(void *ctx);

static void again_later(struct work *w, const char *why)
{
	int64_t wait = (int64_t)ERASE_RETRY_MS << (w->tries < 8 ? w->tries : 8);

	w->tries++;
	snprintf(w->why, sizeof(w->why), "%s", why);
	log_broken("lease %s: not erased after %u attempts, its room stays taken: %s", w->id,
		   w->tries, why);
	w->timer = loop_timer_add(w->g->loop, wait < ERASE_RETRY_MOST ? wait : ERASE_RETRY_MOST,
				  ask_destroy, w);
}

static void destroyed(void *ctx, const struct priv_destroy_reply *r, const struct err *error)
{
	struct work *w = ctx;
	struct engine *g = w->g;
	struct lease l;
	struct err e;

	if (error || !r->erased) {
		g->tally.erase_failures++;
		again_later(w, error ? error->msg : r->message);
		return;
	}
	step_at(STEP_LEASE_ERASED);
	g->tally.erased++;
	if (lease_load(g->db, w->id, &l, &e) || l.state != LEASE_STOPPING) {
		work_end(w);
		return;
	}
	if (store_ended(g, &l, r, &e) < 0) {
		again_later(w, e.msg);
		return;
	}
	work_end(w);
	g->tally.ended[l.why]++;
	log_info("lease %s: ended (%s), erased", l.id, lease_why_name(l.why));
	outbox_kick(g);
}

static void ask_destroy(void *ctx)
{
	struct work *w = ctx;
	struct priv_destroy m = {0};

	w->timer = NULL;
	memcpy(m.id, w->id, sizeof(m.id));
	priv_client_destroy(w->g->host, &m, destroyed, w);
}

/* The host does the steps of one lease in order; one that it never answers does not hold this up.
 */
void erase_lease(struct engine *g, const char *id)
{
	struct work *w;
	struct lease l;

	for (w = g->working; w; w = w->next) {
		if (w->passed || strcmp(w->id, id))
			continue;
		if (w->erasing)
			return;
		w->passed = true;
	}
	w = work_begin(g, id);
	w->erasing = true;
	w->since = lease_load(g->db, id, &l, NULL) == 0 ? l.ended_at : clock_wall();
	ask_destroy(w);
}

/* --- expiry --- */

static void expire_one(void *ctx, const char *id)
{
	struct engine *g = ctx;
	enum lease_why why = WHY_EXPIRED;
	struct lease l;
	struct err e;

	if (lease_load(g->db, id, &l, &e) || l.state != LEASE_RUNNING ||
	    l.expires_at > clock_wall())
		return;
	/* One that was over before this agent began may have been cut short by a reboot. */
	if (l.expires_at <= g->begun && lost_at(g, &l))
		why = WHY_HOST_REBOOTED;
	if (end_lease(g, &l, why, &e) < 0)
		log_broken("lease %s: %s", id, e.msg);
}

static void expiry_tick(void *ctx);

static void arm(struct engine *g, int64_t overdue_ms)
{
	int64_t next, wait = EXPIRY_LOOK_MS;
	struct err e;

	if (lease_next_expiry(g->db, &next, &e) < 0)
		log_broken("expiry: %s", e.msg);
	else if (!next)
		wait = -1;
	else if (next * 1000 - clock_wall_ms() < wait)
		wait = next * 1000 - clock_wall_ms();
	loop_timer_del(g->expiry_timer);
	g->expiry_timer = NULL;
	if (next || wait >= 0)
		g->expiry_timer =
			loop_timer_add(g->loop, wait > 0 ? wait : overdue_ms, expiry_tick, g);
}

/* What is still due then could not be stored: not at once again. */
static void expiry_tick(void *ctx)
{
	struct engine *g = ctx;
	struct err e;

	g->expiry_timer = NULL;
	if (lease_each(g->db, LEASE_BIT(LEASE_RUNNING), clock_wall(), expire_one, g, &e) < 0)
		log_broken("expiry: %s", e.msg);
	warnings_tell(g);
	arm(g, EXPIRY_AGAIN_MS);
}

void expiry_arm(struct engine *g)
{
	arm(g, 0);
}
