/* A subscription at many relays: one leg each, one memory of ids for all of them. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "nostr/pool_own.h"

enum {
	ONCE_TIMEOUT = 10 * 1000,
	SEEN_DM = 1 << 16,
	SEEN_OTHER = 1 << 13,
};

/* --- life --- */

static void leg_stop(struct sub_leg *leg)
{
	catchup_stop(leg);
	nostr_query_end(leg->query);
	leg->query = NULL;
}

static void sub_stop(struct nostr_sub *s)
{
	unsigned i;

	loop_timer_del(s->timeout);
	s->timeout = NULL;
	for (i = 0; i < NOSTR_RELAYS_MAX; i++)
		if (s->legs[i])
			leg_stop(s->legs[i]);
}

static void sub_free(struct nostr_sub *s)
{
	struct nostr_sub **at;
	size_t i;

	for (at = &s->pool->subs; *at != s;)
		at = &(*at)->next;
	*at = s->next;
	sub_stop(s);
	for (i = 0; i < NOSTR_RELAYS_MAX; i++)
		free(s->legs[i]);
	for (i = 0; i < s->nfilters; i++)
		nostr_filter_free(s->filters[i]);
	free(s->filters);
	seen_free(s->seen);
	free(s);
}

void sub_free_all(struct nostr_pool *p)
{
	while (p->subs)
		sub_free(p->subs);
}

void nostr_sub_end(struct nostr_sub *s)
{
	if (!s)
		return;
	if (s->busy) {
		s->ended = true;
		sub_stop(s);
		return;
	}
	sub_free(s);
}

/* Around every callback of the owner. leave() is false where the subscription is gone. */
static void enter(struct nostr_sub *s)
{
	s->busy++;
}

static bool leave(struct nostr_sub *s)
{
	if (--s->busy || !s->ended)
		return !s->ended;
	sub_free(s);
	return false;
}

/* --- what the relays say --- */

static bool is_all_done(const struct nostr_sub *s)
{
	unsigned i;

	for (i = 0; i < NOSTR_RELAYS_MAX; i++)
		if (s->legs[i] && !s->legs[i]->done)
			return false;
	return true;
}

void leg_done(struct sub_leg *leg)
{
	struct nostr_sub *s = leg->sub;
	bool all;

	leg->done = true;
	all = is_all_done(s);
	enter(s);
	if (all && s->mode == NOSTR_SUB_ONCE)
		s->ended = true;
	if (s->done)
		s->done(s->ctx, leg->index, all);
	leave(s);
}

void leg_event(struct sub_leg *leg, const struct nostr_event *ev)
{
	struct nostr_sub *s = leg->sub;
	struct err e = {0};

	if (seen_has(s->seen, ev->id))
		return;
	if (!nostr_relay_take(leg->relay)) {
		catchup_missed(leg);
		return;
	}
	/* Only a verified id is remembered: a forgery must not hide the event that it copies. */
	if (nostr_event_verify(ev, &e) < 0) {
		nostr_relay_fault(leg->relay, e.msg);
		return;
	}
	seen_add(s->seen, ev->id);
	enter(s);
	s->event(s->ctx, ev, leg->index);
	leave(s);
}

static void on_event(void *ctx, struct nostr_event *ev)
{
	leg_event(ctx, ev);
}

static void once_ended(struct sub_leg *leg)
{
	leg->query = NULL;
	leg_done(leg);
}

static void once_eose(void *ctx)
{
	once_ended(ctx);
}

static void once_lost(void *ctx, const char *why)
{
	once_ended(ctx);
}

static void live_eose(void *ctx)
{
	leg_done(ctx);
}

static void live_lost(void *ctx, const char *why)
{
}

static void dm_eose(void *ctx)
{
	struct sub_leg *leg = ctx;

	leg->live = true;
	if (leg->sub->answers_only && !leg->done && !leg->sub->pool->published)
		catchup_skip(leg);
	else
		catchup_start(leg);
}

static void dm_lost(void *ctx, const char *why)
{
	struct sub_leg *leg = ctx;

	leg->good = catchup_good(leg);
	leg->live = leg->current = false;
	catchup_stop(leg);
}

static const struct nostr_query_ops once_ops = {on_event, once_eose, once_lost};
static const struct nostr_query_ops live_ops = {on_event, live_eose, live_lost};
static const struct nostr_query_ops dm_ops = {on_event, dm_eose, dm_lost};

/* --- asking --- */

static struct nostr_query *leg_ask(struct sub_leg *leg)
{
	struct nostr_sub *s = leg->sub;

	switch (s->mode) {
	case NOSTR_SUB_ONCE:
		return nostr_relay_query(leg->relay, NOSTR_QUERY_ONCE, s->filters, s->nfilters,
					 &once_ops, leg);
	case NOSTR_SUB_LIVE:
		return nostr_relay_query(leg->relay, NOSTR_QUERY_LIVE, s->filters, s->nfilters,
					 &live_ops, leg);
	case NOSTR_SUB_DM:
		return nostr_relay_query(leg->relay, NOSTR_QUERY_LIVE, s->filters, s->nfilters,
					 &dm_ops, leg);
	}
	return NULL;
}

static void leg_add(struct nostr_sub *s, unsigned index)
{
	struct sub_leg *leg = mem_zero(sizeof(*leg));

	leg->sub = s;
	leg->index = index;
	leg->relay = s->pool->relays[index];
	leg->good = s->last_good;
	s->legs[index] = leg;
	leg->query = leg_ask(leg);
}

void sub_relay_added(struct nostr_pool *p, unsigned index)
{
	struct nostr_sub *s;

	for (s = p->subs; s; s = s->next)
		if (s->mode != NOSTR_SUB_ONCE && !s->relays && !s->ended)
			leg_add(s, index);
}

/* ONCE: who has not answered by now counts as done. Also the way out where no relay was named. */
static void timed_out(void *ctx)
{
	struct nostr_sub *s = ctx;
	unsigned i;

	s->timeout = NULL;
	enter(s);
	for (i = 0; i < NOSTR_RELAYS_MAX && !s->ended; i++) {
		if (!s->legs[i] || s->legs[i]->done)
			continue;
		leg_stop(s->legs[i]);
		leg_done(s->legs[i]);
	}
	if (!s->ended && s->done)
		s->done(s->ctx, 0, true);
	s->ended = true;
	leave(s);
}

struct nostr_sub *nostr_pool_subscribe(struct nostr_pool *p, const struct nostr_sub_ask *a)
{
	struct nostr_sub *s = mem_zero(sizeof(*s));
	int64_t timeout = a->timeout_ms > 0 ? a->timeout_ms : ONCE_TIMEOUT;
	unsigned i, legs = 0;
	size_t k;

	s->pool = p;
	s->mode = a->mode;
	s->relays = a->relays;
	s->slack = a->slack;
	s->answers_only = a->answers_only;
	s->last_good = a->last_good ? a->last_good : clock_wall();
	s->event = a->event;
	s->done = a->done;
	s->ctx = a->ctx;
	s->seen = seen_new(a->mode == NOSTR_SUB_DM ? SEEN_DM : SEEN_OTHER);
	s->filters = mem_array(a->nfilters, sizeof(struct nostr_filter *));
	for (k = 0; k < a->nfilters; k++)
		s->filters[s->nfilters++] = nostr_filter_copy(a->filters[k]);
	if (a->mode == NOSTR_SUB_DM)
		s->filters[0]->limit = 0;
	s->next = p->subs;
	p->subs = s;
	for (i = 0; i < p->nrelays; i++) {
		if (s->relays && !(s->relays & (UINT32_C(1) << i)))
			continue;
		leg_add(s, i);
		legs++;
	}
	if (s->mode == NOSTR_SUB_ONCE)
		s->timeout = loop_timer_add(p->loop, legs ? timeout : 0, timed_out, s);
	return s;
}

int64_t nostr_sub_last_good(const struct nostr_sub *s)
{
	int64_t least = 0, good;
	unsigned i;

	for (i = 0; i < NOSTR_RELAYS_MAX; i++) {
		if (!s->legs[i] || !s->legs[i]->done)
			continue;
		good = catchup_good(s->legs[i]);
		if (least == 0 || good < least)
			least = good;
	}
	return least;
}
