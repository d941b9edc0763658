/* Jobs: started by a caller, woken by timers, plans and mints, ended by one last word. */
#include "wallet/job.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

static void job_free(struct job *j)
{
	mint_cancel(j->call);
	loop_timer_del(j->timer);
	token_free(j->token);
	if (j->release)
		wipe(j->release, sizeof(*j->release));
	free(j->release);
	free(j->ys);
	secret_wipe(&j->quote_key);
	if (j->own_free)
		j->own_free(j->own);
	free(j);
}

void jobs_free(struct wallet *w)
{
	while (w->jobs) {
		struct job *j = w->jobs;

		w->jobs = j->next;
		job_free(j);
	}
}

static void job_wake(void *ctx)
{
	struct job *j = ctx;

	j->timer = NULL;
	j->step(j);
}

void job_later(struct job *j, int64_t ms, void (*step)(struct job *j))
{
	j->step = step;
	loop_timer_del(j->timer);
	j->timer = loop_timer_add(j->w->loop, ms, job_wake, j);
}

struct job *job_new(struct wallet *w, wallet_job_fn *fn, void *ctx, void (*step)(struct job *j))
{
	struct job *j = mem_zero(sizeof(*j));

	j->w = w;
	j->fn = fn;
	j->ctx = ctx;
	j->started_ms = clock_mono_ms();
	j->next = w->jobs;
	w->jobs = j;
	job_later(j, 0, step);
	return j;
}

void job_name(struct job *j, const char *ref)
{
	size_t n = ref ? strnlen(ref, WALLET_REF_MAX) : 0;

	memcpy(j->ref, ref ? ref : "", n);
	j->ref[n] = '\0';
}

void job_say(struct job *j, enum wallet_stage stage, struct str text)
{
	const struct wallet_news n = {
		.stage = stage,
		.text = text,
		.amount = j->amount,
		.token_out = j->token_out,
		.expiry = j->expiry,
	};

	if (j->fn)
		j->fn(j->ctx, &n);
}

static void job_end(struct job *j, const struct wallet_news *n)
{
	struct job **at = &j->w->jobs;

	while (*at != j)
		at = &(*at)->next;
	*at = j->next;
	if (j->fn)
		j->fn(j->ctx, n);
	else if (n->error)
		log_warn("wallet: %s", n->error->msg);
	job_free(j);
}

void job_done(struct job *j, struct str text, struct sat amount)
{
	const struct wallet_news n = {
		.stage = WALLET_DONE, .text = text, .amount = amount, .token_out = j->token_out};

	job_end(j, &n);
}

void job_poor(struct job *j, struct sat needed, struct sat missing)
{
	const struct wallet_news n = {
		.stage = WALLET_NO_MONEY, .amount = needed, .missing = missing};

	job_end(j, &n);
}

void job_over_limit(struct job *j, const struct limit_hit *hit, struct sat needed)
{
	const struct wallet_news n = {
		.stage = WALLET_OVER_LIMIT,
		.text = str_of(hit->name),
		.amount = needed,
		.limit = hit->limit,
		.left = hit->left,
	};

	job_end(j, &n);
}

void job_fail(struct job *j, const struct err *error)
{
	const struct wallet_news n = {
		.stage = WALLET_FAILED, .token_out = j->token_out, .error = error};

	job_end(j, &n);
}

void job_open(struct job *j, const struct err *error)
{
	const struct wallet_news n = {
		.stage = WALLET_FAILED, .token_out = j->token_out, .error = error, .open = true};

	job_end(j, &n);
}

void job_fault(struct job *j, const struct mint_fault *f)
{
	struct err e;

	err_set(&e, ERRK_PEER, "%s: %s", j->mint->url, f->detail);
	job_fail(j, &e);
}

void job_fail_msg(struct job *j, enum err_kind kind, const char *msg)
{
	struct err e;

	err_set(&e, kind, "%s", msg);
	job_fail(j, &e);
}

void job_rejected(struct job *j, const struct plan *p)
{
	static const char *const words[] = {
		[WALLET_REJECT_NONE] = "not settled",
		[WALLET_REJECT_EXPIRED] = "too late; nothing was spent",
		[WALLET_REJECT_REFUSED] = "the mint refuses it; nothing was spent",
		[WALLET_REJECT_SPENT] = "it was spent elsewhere",
		[WALLET_REJECT_REFUNDED] = "its sender took it back",
		[WALLET_REJECT_BLOCKED] = "the mint says that it was done, but not for us",
	};

	if (p->why[0] && p->pub.reason == WALLET_REJECT_REFUSED) {
		struct err e;

		err_set(&e, ERRK_PEER, "%s; nothing was spent: %s", p->mint->url, p->why);
		job_fail(j, &e);
		return;
	}
	job_fail_msg(j, ERRK_PEER, words[p->pub.reason]);
}

#define CHANGE_WAIT_MS 60000

bool job_may_wait(struct job *j, struct sat needed)
{
	struct wallet_balance b;
	struct sat sum;

	return clock_mono_ms() - j->started_ms < CHANGE_WAIT_MS &&
	       wallet_balance(j->w, j->mint->url, &b, NULL) == 0 && !sat_is_zero(b.reserved) &&
	       sat_add(&sum, b.available, b.reserved) && sat_cmp(sum, needed) > 0;
}

/* --- plans --- */

void job_run(struct job *j, int64_t plan, void (*closed)(struct job *j, const struct plan *p))
{
	j->plan = plan;
	j->closed = closed;
	run_surely(j->w, plan, RUN_POST);
}

void job_join(struct job *j, int64_t plan, void (*closed)(struct job *j, const struct plan *p))
{
	j->plan = plan;
	j->closed = closed;
	run_surely(j->w, plan, RUN_ASK);
}

void jobs_plan_closed(struct wallet *w, const struct plan *p)
{
	struct job *j = w->jobs;

	while (j) {
		if (j->plan != p->pub.id) {
			j = j->next;
			continue;
		}
		j->plan = 0;
		j->closed(j, p);
		j = w->jobs; /* the list may be another now */
	}
}

void jobs_plan_waiting(struct wallet *w, const struct plan *p, const char *why)
{
	for (struct job *j = w->jobs; j; j = j->next)
		if (j->plan == p->pub.id)
			job_say(j, WALLET_WAITING, str_of(why));
}

void jobs_plan_unclear(struct wallet *w, const struct plan *p, const char *why)
{
	struct job *j = w->jobs;
	struct err e;

	err_set(&e, ERRK_PEER, "%s", why);
	while (j) {
		if (j->plan != p->pub.id) {
			j = j->next;
			continue;
		}
		j->plan = 0;
		job_open(j, &e);
		j = w->jobs; /* the list may be another now */
	}
}

/* --- keysets --- */

static void job_refreshed(void *ctx, const struct err *error)
{
	struct job *j = ctx;

	if (error)
		job_fail(j, error);
	else
		j->step(j);
}

void job_refresh(struct job *j, void (*step)(struct job *j))
{
	j->step = step;
	wallet_refresh(j->w, j->mint->url, job_refreshed, j);
}

bool job_ready(struct job *j, void (*step)(struct job *j))
{
	const struct keyset *k = keysets_choose(&j->mint->keysets, WALLET_UNIT, clock_wall());

	if (k && !scan_wanted(j->w, k))
		return true;
	if (j->refreshed) {
		job_fail_msg(j, ERRK_PEER, "the mint has no active keyset in sat");
		return false;
	}
	j->refreshed = true;
	job_refresh(j, step);
	return false;
}
