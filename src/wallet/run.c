/* Run one open plan: send its stored body, wait, ask again later. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/step.h"
#include "wallet/plan.h"
#include "wallet/till.h"

#define TURN_MS	    1500  /* between the kinds of plans, after a silence */
#define MAY_LAND_MS 30000 /* far beyond what mints need for a swap that they have begun */

/* A plan that could not even be read, or its mint not be reached: it is tried again. */
struct late_run {
	struct late_run *next;
	struct wallet *w;
	int64_t plan;
	enum run_start how;
	struct loop_timer *timer;
	struct backoff backoff;
};

static void late_end(struct late_run *l)
{
	struct late_run **at = &l->w->late_runs;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	loop_timer_del(l->timer);
	free(l);
}

static void run_free(struct run *r)
{
	mint_cancel(r->call);
	loop_timer_del(r->timer);
	plan_free(r->p);
	blind_sigs_free(&r->sigs);
	free(r->made);
	free(r->spent);
	free(r->witness);
	free(r);
}

void runs_free(struct wallet *w)
{
	while (w->runs) {
		struct run *r = w->runs;

		w->runs = r->next;
		run_free(r);
	}
	while (w->late_runs)
		late_end(w->late_runs);
}

void run_end(struct run *r)
{
	struct run **at = &r->w->runs;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	run_free(r);
}

bool plan_expired(const struct plan *p)
{
	return p->pub.not_after > 0 && clock_wall() > p->pub.not_after;
}

struct blinded *run_asked(const struct run *r)
{
	const struct outputs *outs = &r->p->planned.outs;
	struct blinded *list = mem_array(outs->n + 1, sizeof(*list));

	for (size_t i = 0; i < outs->n; i++)
		list[i] = outs->v[i].pub;
	return list;
}

/* --- waiting --- */

static void run_wake(void *ctx)
{
	struct run *r = ctx;

	r->timer = NULL;
	r->later(r);
}

/* When a mint may be asked again its allowance is small: locked tokens, which nobody else can spend
 * but which run out, go first, then whoever waits for an answer, then what nobody waits for. */
static int64_t run_turn(const struct run *r)
{
	const struct plan *p = r->p;

	if (p->pub.kind == WALLET_PLAN_CLAIM && p->has_lock_key)
		return 0;
	if (p->pub.kind == WALLET_PLAN_RENEW)
		return 3 * (int64_t)TURN_MS;
	return p->pub.kind == WALLET_PLAN_CLAIM ? TURN_MS : 2 * (int64_t)TURN_MS;
}

void run_later(struct run *r, int64_t ms, void (*fn)(struct run *r))
{
	int64_t quiet = mint_quiet_ms(r->w, r->p->mint);

	if (quiet > 0)
		quiet += run_turn(r);

	r->later = fn;
	loop_timer_del(r->timer);
	r->timer = loop_timer_add(r->w->loop, ms > quiet ? ms : quiet, run_wake, r);
}

void run_retry(struct run *r, const char *why, void (*fn)(struct run *r))
{
	if (!r->told) {
		r->told = true;
		log_info("plan %lld waits: %s", (long long)r->p->pub.id, why);
		if (r->w->ops && r->w->ops->waiting)
			r->w->ops->waiting(r->w->ctx, &r->p->pub, why);
		jobs_plan_waiting(r->w, r->p, why);
	}
	run_later(r, backoff_next(&r->backoff), fn);
}

void run_fault(struct run *r, const struct mint_fault *f, const char *what,
	       void (*fn)(struct run *r))
{
	auto_free char *why = mem_printf("%s: %s: %s", r->p->mint->url, what, f->detail);

	run_retry(r, why, fn);
}

/* --- the exchange itself --- */

static int run_resign(struct run *r, struct err *e)
{
	auto_tx struct tx *tx = NULL;
	struct quote q;
	int rc;

	if (quote_load(&q, r->w, r->p->quote, e) < 0)
		return -1;
	rc = quote_body(r->p, &q, QUOTE_LEGACY, e);
	secret_wipe(&q.key);
	if (rc < 0 || db_begin(&tx, r->w->db, e) < 0 || plan_body_store(tx, r->p, e) < 0)
		return -1;
	return db_commit(&tx, e);
}

/* An older mint wants the other message signed (NUT-20): the same outputs, once more. */
static bool run_legacy(struct run *r, const struct mint_fault *f)
{
	struct err e;

	if (r->p->pub.kind != WALLET_PLAN_MINT || f->code != MINT_CODE_QUOTE_SIGNATURE || r->legacy)
		return false;
	r->legacy = true;
	if (run_resign(r, &e) < 0) {
		log_warn("plan %lld: %s", (long long)r->p->pub.id, e.msg);
		return false;
	}
	run_post(r);
	return true;
}

static bool code_is_final(int code)
{
	return code == MINT_CODE_SIGNED || code == MINT_CODE_DUPLICATE_OUTPUTS ||
	       code == MINT_CODE_UNBALANCED || code == MINT_CODE_KEYSET_UNKNOWN ||
	       code == MINT_CODE_KEYSET_INACTIVE || code == MINT_CODE_KEYSET_EXPIRED;
}

/* What the mint says is evidence only: its word on the inputs decides (recover.c). */
static void run_failed(struct run *r, const struct mint_fault *f)
{
	r->last = *f;
	switch (f->kind) {
	case MINT_REFUSED:
		if (run_legacy(r, f))
			return;
		log_info("plan %lld: %s refuses (%d): %s", (long long)r->p->pub.id, r->p->mint->url,
			 f->code, f->detail);
		r->refusals += code_is_final(f->code) ? 2 : 1;
		run_ask(r);
		return;
	case MINT_UNREACHABLE:
		run_fault(r, f, "swap", run_post);
		return;
	case MINT_LIMITED:
	case MINT_UNKNOWN:
		r->posted_ms = clock_mono_ms();
		r->unsure = true;
		run_fault(r, f, "swap", run_ask);
		return;
	}
}

static void run_answer(void *ctx, struct blind_sigs *sigs, const struct mint_fault *f)
{
	struct run *r = ctx;
	struct err e;

	r->call = NULL;
	step_at(STEP_PLAN_ANSWERED);
	if (f) {
		run_failed(r, f);
		return;
	}
	if (settle_plan(r, sigs->v, &e) < 0) {
		r->unsure = true;
		log_broken("plan %lld is not settled: %s", (long long)r->p->pub.id, e.msg);
		run_retry(r, e.msg, run_ask);
		return;
	}
	run_end(r);
}

static void run_seen(void *ctx, struct restored_list *list, const struct mint_fault *f)
{
	struct run *r = ctx;

	r->call = NULL;
	if (f) {
		run_fault(r, f, "restore", run_post);
		return;
	}
	r->looked = true;
	if (list->n > 0)
		replace_used(r);
	else
		run_post(r);
}

/* A locked token is spent by us or, visibly, by its sender. A plain one that its sender spent
 * elsewhere looks like our own swap if another agent on this seed had the same outputs signed. So
 * they must be unsigned before they leave for the first time. */
static bool run_must_look(const struct run *r)
{
	return r->p->pub.kind == WALLET_PLAN_CLAIM && !r->p->has_lock_key && !r->looked;
}

void run_post(struct run *r)
{
	auto_free struct blinded *asked = NULL;
	struct blinded_list list;

	if (mint_quiet_ms(r->w, r->p->mint) > 0) {
		run_retry(r, "the mint limits our requests", run_post);
		return;
	}
	if (plan_expired(r->p)) {
		run_ask(r);
		return;
	}
	if (r->p->pub.kind == WALLET_PLAN_MELT) {
		melt_post(r);
		return;
	}
	asked = run_asked(r);
	list = (struct blinded_list){asked, r->p->planned.outs.n};
	if (run_must_look(r)) {
		r->call = mint_restore(r->p->mint->io, list, run_seen, r);
		return;
	}
	step_at(STEP_PLAN_SENT);
	if (r->p->pub.kind == WALLET_PLAN_MINT)
		r->call = mint_mint(r->p->mint->io, buf_view(&r->p->body), list, run_answer, r);
	else
		r->call = mint_swap(r->p->mint->io, buf_view(&r->p->body), list, run_answer, r);
}

void run_ask(struct run *r)
{
	struct quote q;
	struct err e;

	if (mint_quiet_ms(r->w, r->p->mint) > 0) {
		run_retry(r, "the mint limits our requests", run_ask);
		return;
	}
	if (r->p->pub.kind == WALLET_PLAN_MELT) {
		melt_ask(r);
		return;
	}
	if (r->p->nys > 0) {
		r->call = mint_checkstate(r->p->mint->io, r->p->ys, r->p->nys, recover_states, r);
		return;
	}
	if (quote_load(&q, r->w, r->p->quote, &e) < 0) {
		run_retry(r, e.msg, run_ask);
		return;
	}
	secret_wipe(&q.key);
	r->call = mint_get_quote(r->p->mint->io, q.quote, recover_quote, r);
}

int64_t run_may_land_ms(const struct run *r)
{
	int64_t left = r->posted_ms ? r->posted_ms + MAY_LAND_MS - clock_mono_ms() : 0;

	/* An earlier process may have made one at the last moment that is allowed. */
	if (!r->posted_ms && r->unsure && plan_expired(r->p))
		left = r->p->pub.not_after * 1000 + MAY_LAND_MS - clock_wall_ms();
	return left > 0 ? left : 0;
}

int run_start(struct wallet *w, int64_t plan, enum run_start how, struct err *e)
{
	AUTO(plan_free) struct plan *p = NULL;
	struct run *r;
	int rc;

	for (r = w->runs; r; r = r->next) {
		if (r->p->pub.id != plan)
			continue;
		if (r->unclear && r->timer) /* else it is at it */
			run_later(r, 0, run_ask);
		return 0;
	}
	rc = plan_load(&p, w, plan, e);
	if (rc < 0)
		return -1;
	if (rc == PLAN_NONE)
		return err_set(e, ERRK_STATE, "no plan %lld", (long long)plan);
	if (p->state != PLAN_OPEN)
		return 0;
	if (mint_reach(p->mint, e) < 0)
		return err_wrap(e, "plan %lld", (long long)plan);

	r = mem_zero(sizeof(*r));
	r->w = w;
	r->p = steal(&p);
	r->spent = mem_array(r->p->nys + 1, sizeof(bool));
	r->backoff = BACKOFF(250, 60000);
	r->next = w->runs;
	w->runs = r;
	/* on the next turn: the caller may be inside its own bookkeeping */
	r->looked = r->unsure = how == RUN_ASK; /* an earlier process may have sent it */
	r->later = how == RUN_POST ? run_post : run_ask;
	r->timer = loop_timer_add(w->loop, 0, run_wake, r);
	return 0;
}

/* --- what could not even be read --- */

static void late_try(void *ctx)
{
	struct late_run *l = ctx;
	struct err e;

	l->timer = NULL;
	if (run_start(l->w, l->plan, l->how, &e) == 0)
		late_end(l);
	else
		l->timer = loop_timer_add(l->w->loop, backoff_next(&l->backoff), late_try, l);
}

static void late_add(struct wallet *w, int64_t plan, enum run_start how)
{
	struct late_run *l = mem_zero(sizeof(*l));

	l->w = w;
	l->plan = plan;
	l->how = how;
	l->backoff = BACKOFF(250, 60000);
	l->next = w->late_runs;
	w->late_runs = l;
	l->timer = loop_timer_add(w->loop, backoff_next(&l->backoff), late_try, l);
}

void run_surely(struct wallet *w, int64_t plan, enum run_start how)
{
	struct err e;

	if (run_start(w, plan, how, &e) == 0)
		return;
	log_broken("plan %lld is tried again: %s", (long long)plan, e.msg);
	late_add(w, plan, how);
}

void wallet_plan_run(struct wallet *w, int64_t plan)
{
	run_surely(w, plan, RUN_POST);
}
