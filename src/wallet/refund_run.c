/*
 * Making a refund: ask the mint whether it signed these outputs before (their secrets follow from
 * seed, lease and number, so an earlier database made the very same token), and only when it did
 * not, plan a swap of our own proofs. What cannot be done now stays due and is tried again.
 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/step.h"
#include "cashu/dhke.h"
#include "wallet/job.h"
#include "wallet/till.h"

/* 2^53 msat are less than 2^44 sat: no amount is split into more outputs. */
#define REFUND_OUTPUTS 44

struct refunding {
	struct refunding *next;
	struct wallet *w;
	char lease[WALLET_REF_MAX + 1];
	uint32_t number;
	struct wmint *mint;
	struct mint_call *call;
	struct loop_timer *timer;
	void (*later)(struct refunding *r);
	struct backoff backoff;
	int64_t plan;	/* waits for it; 0: none */
	bool refreshed; /* all keysets were asked for */
	bool told;	/* why it waits was logged */
};

static void refund_step(struct refunding *r);
static void refund_ask(struct refunding *r);

static void refunding_free(struct refunding *r)
{
	mint_cancel(r->call);
	loop_timer_del(r->timer);
	free(r);
}

void refunds_free(struct wallet *w)
{
	while (w->refunds) {
		struct refunding *r = w->refunds;

		w->refunds = r->next;
		refunding_free(r);
	}
}

static void refund_end(struct refunding *r)
{
	struct refunding **at = &r->w->refunds;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	refunding_free(r);
}

/* --- waiting --- */

static void refund_wake(void *ctx)
{
	struct refunding *r = ctx;

	r->timer = NULL;
	r->later(r);
}

static void refund_later(struct refunding *r, int64_t ms, void (*fn)(struct refunding *r))
{
	int64_t quiet = r->mint ? mint_quiet_ms(r->w, r->mint) : 0;

	r->later = fn;
	loop_timer_del(r->timer);
	r->timer = loop_timer_add(r->w->loop, ms > quiet ? ms : quiet, refund_wake, r);
}

static void refund_retry(struct refunding *r, const char *why)
{
	if (!r->told)
		log_warn("refund of %s waits: %s", r->lease, why);
	r->told = true;
	refund_later(r, backoff_next(&r->backoff), refund_step);
}

static void refund_fault(struct refunding *r, const struct mint_fault *f)
{
	auto_free char *why = mem_printf("%s: restore: %s", r->mint->url, f->detail);

	refund_retry(r, why);
}

/* --- a token that an earlier database made --- */

/* The outputs that any amount could have used; `n` of them, from index 0. */
static int refund_outputs(struct outputs *outs, const struct refunding *r,
			  const struct refund_job *j, const struct keyset *k, struct err *e)
{
	struct refund_path path = refund_path(j);
	struct blinded pub = {.amount = SAT(1)};

	if (!k) /* it was known when the mint was asked */
		return err_set(e, ERRK_PEER, "%s has no active keyset", j->mint);
	pub.id = k->id;
	for (path.index = 0; path.index < REFUND_OUTPUTS; path.index++) {
		auto_derived struct derived d = {0};

		if (derive_refund(&d, &r->w->seed, &path, e) < 0 ||
		    output_locked(outs, &j->lock, &pub, &d, e) < 0)
			return -1;
	}
	return 0;
}

enum { FOUND_OLD_KEYSET = 1 };

static int found_proofs(struct proofs *out, const struct refunding *r, struct outputs *outs,
			const struct restored_list *list, struct err *e)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct blind_sig *sig = &list->v[i].sig;
		struct output *o = &outs->v[list->v[i].index];
		const struct keyset *k =
			keyset_by_id(r->mint, (struct str){(const char *)sig->id.b, sig->id.n});
		struct proof p = {0};

		if (!k)
			return FOUND_OLD_KEYSET;
		if (!sig->dleq.present)
			return err_set(e, ERRK_PEER, "refund of %s: no proof for signature %zu",
				       r->lease, i);
		o->pub.amount = sig->amount;
		o->pub.id = sig->id;
		if (dhke_unblind(&p, o, sig, k, e) < 0)
			return err_wrap(e, "refund of %s", r->lease);
		proofs_add_take(out, &p);
	}
	return 0;
}

static int found_store(struct refunding *r, const struct refund_job *j,
		       const struct restored_list *list, struct err *e)
{
	AUTO(token_free) struct cashu_token *t = token_new(r->mint->url, WALLET_UNIT, NULL);
	auto_outputs struct outputs outs = {0};
	auto_tx struct tx *tx = NULL;
	int rc = refund_outputs(&outs, r, j,
				keysets_choose(&r->mint->keysets, WALLET_UNIT, clock_wall()), e);

	if (rc == 0)
		rc = found_proofs(&t->proofs, r, &outs, list, e);
	if (rc != 0)
		return rc;
	if (db_begin(&tx, r->w->db, e) < 0 || refund_found(tx, r->w, j, t, e) < 0)
		return -1;
	return db_commit(&tx, e);
}

/* The caller's turn after the commit that made it. */
static void refund_tell(struct refunding *r)
{
	const struct wallet_refund made = {
		.lease = r->lease, .number = r->number, .state = WALLET_REFUND_MADE};
	struct wallet *w = r->w;

	step_at(STEP_REFUND_MADE);
	if (w->ops && w->ops->refund_done)
		w->ops->refund_done(w->ctx, &made);
	refund_end(r);
}

static void refund_keysets(void *ctx, const struct err *error)
{
	struct refunding *r = ctx;

	if (error)
		refund_retry(r, error->msg);
	else
		refund_ask(r);
}

static void refund_take(struct refunding *r, const struct refund_job *j,
			const struct restored_list *list)
{
	struct err e;
	int rc = found_store(r, j, list, &e);

	if (rc == 0) {
		log_broken("refund %u of %s was made by an earlier database: the same token again",
			   (unsigned)r->number, r->lease);
		refund_tell(r);
	} else if (rc == FOUND_OLD_KEYSET && !r->refreshed) {
		r->refreshed = true;
		r->mint->depth = KEYSETS_ALL_WANTED;
		mint_refresh_now(r->w, r->mint, refund_keysets, r);
	} else {
		refund_retry(r, rc < 0 ? e.msg : "its keyset is not known");
	}
}

/* --- a new one --- */

static int refund_amounts(struct output_wish *wish, const struct refund_job *j,
			  const struct chosen *from, struct err *e)
{
	struct sat whole = msat_floor(j->amount);

	if (!sat_sub(&wish->theirs, whole, from->fee) || sat_is_zero(wish->theirs))
		return err_set(e, ERRK_LIMIT, "the mint's fee eats it up");
	if (!sat_sub(&wish->ours, from->gross, whole))
		return err_set(e, ERRK_LIMIT, "amount");
	return 0;
}

static int refund_plan(struct tx *tx, struct refunding *r, const struct refund_job *j,
		       const struct chosen *from, struct err *e)
{
	AUTO(plan_free) struct plan *p = mem_zero(sizeof(*p));
	const struct refund_path path = refund_path(j);
	struct output_wish wish = {.lock = &j->lock, .refund = &path};

	p->pub.kind = WALLET_PLAN_REFUND;
	p->pub.gross = from->gross;
	p->pub.fee = from->fee;
	p->mint = r->mint;
	p->keyset = wish.keyset = keysets_choose(&r->mint->keysets, WALLET_UNIT, clock_wall());
	if (!p->keyset)
		return err_set(e, ERRK_PEER, "%s has no active keyset", j->mint);
	memcpy(p->ref, j->lease, sizeof(p->ref));
	if (refund_amounts(&wish, j, from, e) < 0)
		return -1;
	if (!sat_sub(&p->pub.net, from->gross, from->fee))
		return err_set(e, ERRK_LIMIT, "amount");
	if (outputs_make(&p->planned, tx, r->w, &wish, e) < 0 ||
	    plan_store(tx, r->w, p, &from->proofs, e) < 0 ||
	    select_reserve(tx, from, p->pub.id, e) < 0)
		return -1;
	r->plan = p->pub.id;
	return refund_planned(tx, j, p->pub.id, e);
}

/* One transaction: choose, reserve, plan. SELECT_POOR as of select_proofs. */
static int refund_store(struct refunding *r, const struct refund_job *j, struct err *e)
{
	auto_chosen struct chosen from = {0};
	auto_tx struct tx *tx = NULL;
	int rc;

	if (db_begin(&tx, r->w->db, e) < 0)
		return -1;
	rc = select_proofs_gross(&from, tx, r->mint, msat_floor(j->amount), e);
	if (rc != 0)
		return rc;
	if (refund_plan(tx, r, j, &from, e) < 0 || db_commit(&tx, e) < 0) {
		r->plan = 0;
		return -1;
	}
	step_at(STEP_REFUND_PLANNED);
	return 0;
}

static void refund_make(struct refunding *r, const struct refund_job *j)
{
	struct err e;
	int rc = refund_store(r, j, &e);

	if (rc == 0)
		rc = run_start(r->w, r->plan, RUN_POST, &e);
	if (rc == SELECT_POOR)
		refund_retry(r, "there is not enough free money at its mint");
	else if (rc < 0)
		refund_retry(r, e.msg);
}

/* --- the mint first --- */

static void refund_restored(void *ctx, struct restored_list *list, const struct mint_fault *f)
{
	struct refunding *r = ctx;
	struct refund_job j;
	struct err e;

	r->call = NULL;
	if (f) {
		refund_fault(r, f);
		return;
	}
	step_at(STEP_REFUND_ASKED);
	if (refund_load(&j, r->w, r->lease, r->number, &e) != 0)
		refund_retry(r, "its row cannot be read");
	else if (list->n > 0)
		refund_take(r, &j, list);
	else
		refund_make(r, &j);
}

static void refund_ask(struct refunding *r)
{
	const struct keyset *k = keysets_choose(&r->mint->keysets, WALLET_UNIT, clock_wall());
	auto_outputs struct outputs outs = {0};
	struct blinded asked[REFUND_OUTPUTS];
	struct refund_job j;
	struct err e;

	if (!k || scan_wanted(r->w, k)) {
		refund_retry(r, "the mint's keysets are not known");
		return;
	}
	if (refund_load(&j, r->w, r->lease, r->number, &e) != 0 ||
	    refund_outputs(&outs, r, &j, k, &e) < 0) {
		refund_retry(r, "its outputs cannot be made");
		return;
	}
	for (size_t i = 0; i < REFUND_OUTPUTS; i++)
		asked[i] = outs.v[i].pub;
	r->call = mint_restore(r->mint->io, (struct blinded_list){asked, REFUND_OUTPUTS},
			       refund_restored, r);
}

/* --- steps --- */

static bool plan_is_open(struct wallet *w, int64_t id)
{
	auto_stmt struct stmt *s = db_query(w->db, "SELECT 1 FROM plan WHERE id = ? AND state = ?");

	db_bind_i64(s, 1, id);
	db_bind_i64(s, 2, PLAN_OPEN);
	return db_step(s, NULL) == DB_ROW;
}

static void refund_go(struct refunding *r)
{
	const struct keyset *k = keysets_choose(&r->mint->keysets, WALLET_UNIT, clock_wall());

	if (mint_quiet_ms(r->w, r->mint) > 0)
		refund_retry(r, "the mint limits our requests");
	else if (!k || scan_wanted(r->w, k))
		wallet_refresh(r->w, r->mint->url, refund_keysets, r);
	else
		refund_ask(r);
}

static void refund_step(struct refunding *r)
{
	struct refund_job j;
	struct err e;
	int rc = refund_load(&j, r->w, r->lease, r->number, &e);

	if (rc < 0) {
		refund_retry(r, e.msg);
		return;
	}
	if (rc == PLAN_NONE || j.state != WALLET_REFUND_DUE) {
		refund_end(r);
		return;
	}
	r->mint = mint_by_url(r->w, j.mint);
	if (!r->mint || mint_reach(r->mint, &e) < 0) {
		log_broken("refund of %s stays due: its mint %s cannot be asked", j.lease, j.mint);
		refund_end(r);
		return;
	}
	if (!j.plan || !plan_is_open(r->w, j.plan)) {
		refund_go(r);
		return;
	}
	r->plan = j.plan; /* refunds_plan_closed goes on */
	if (run_start(r->w, j.plan, RUN_ASK, &e) < 0)
		refund_retry(r, e.msg);
}

void refunds_plan_closed(struct wallet *w, const struct plan *p)
{
	struct refunding *r = w->refunds;

	while (r && (r->plan != p->pub.id || p->pub.id == 0))
		r = r->next;
	if (!r)
		return;
	r->plan = 0;
	if (p->state == PLAN_SETTLED)
		refund_tell(r);
	else
		refund_retry(r, "its swap came to nothing");
}

/* --- starting --- */

static int refund_start(void *ctx, const struct wallet_refund *row)
{
	struct wallet *w = ctx;
	struct refunding *r;

	if (row->state != WALLET_REFUND_DUE)
		return 0;
	for (r = w->refunds; r; r = r->next)
		if (r->number == row->number && !strcmp(r->lease, row->lease))
			return 0;
	r = mem_zero(sizeof(*r));
	r->w = w;
	r->number = row->number;
	memcpy(r->lease, row->lease, strlen(row->lease));
	r->backoff = BACKOFF(1000, 300000);
	r->next = w->refunds;
	w->refunds = r;
	refund_later(r, 0, refund_step);
	return 0;
}

int wallet_refund_run(struct wallet *w, const char *lease, struct err *e)
{
	return wallet_each_refund(w, lease, refund_start, w, e);
}

void refunds_resume(struct wallet *w)
{
	struct err e;

	if (wallet_refund_run(w, NULL, &e) < 0)
		log_broken("refunds: %s", e.msg);
	refund_watch_start(w);
}
