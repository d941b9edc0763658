/*
 * Direct messages without loss. Gift wraps carry a time up to two days before they were sent, so
 * after every connect the live subscription (limit 0) is opened first and then the two days before
 * the last good moment are read again, newest first, in pages whose end is the time of the oldest
 * event of the page before. Pages wait for the relay's budget, so catching up drops nothing.
 */
#include "base/clock.h"
#include "nostr/pool_own.h"

enum {
	PAGE = 500, /* what strfry gives at most */
	AGAIN_AFTER = 60 * 1000,
	RETRY_AFTER = 30 * 1000,
};

static void page_ask(struct sub_leg *leg);

static void on_timer(void *ctx)
{
	struct sub_leg *leg = ctx;

	leg->timer = NULL;
	page_ask(leg);
}

static void run_again(void *ctx)
{
	struct sub_leg *leg = ctx;

	leg->timer = NULL;
	if (leg->live)
		catchup_start(leg);
}

static void run_ended(struct sub_leg *leg)
{
	if (leg->missed) {
		leg->timer = loop_timer_add(leg->sub->pool->loop, AGAIN_AFTER, run_again, leg);
	} else {
		leg->good = leg->next_good;
		leg->current = true;
	}
	leg_done(leg);
}

/* Bounds of the next page, false where this one was the last. A page that lies in a single second
 * cannot be cut at its oldest event; where it is as large as pages get, that second is given up. */
static bool page_next(struct sub_leg *leg)
{
	if (leg->count == 0)
		return false;
	if (leg->count > leg->largest)
		leg->largest = leg->count;
	if (leg->until < 0 || leg->oldest < leg->until) {
		leg->until = leg->oldest;
		return true;
	}
	leg->until = leg->oldest - 1;
	return leg->count >= leg->largest && leg->until >= leg->since;
}

static void page_event(void *ctx, struct nostr_event *ev)
{
	struct sub_leg *leg = ctx;

	if (leg->count++ == 0 || ev->created_at < leg->oldest)
		leg->oldest = ev->created_at;
	leg_event(leg, ev);
}

static void page_eose(void *ctx)
{
	struct sub_leg *leg = ctx;

	leg->page = NULL;
	if (page_next(leg))
		page_ask(leg);
	else
		run_ended(leg);
}

static void page_lost(void *ctx, const char *why)
{
	struct sub_leg *leg = ctx;

	leg->page = NULL;
	if (leg->live)
		leg->timer = loop_timer_add(leg->sub->pool->loop, RETRY_AFTER, on_timer, leg);
}

static const struct nostr_query_ops page_ops = {page_event, page_eose, page_lost};

static void page_ask(struct sub_leg *leg)
{
	auto_filter struct nostr_filter *f = nostr_filter_copy(leg->sub->filters[0]);
	unsigned burst = nostr_relay_burst(leg->relay), size = burst < PAGE ? burst : PAGE;
	int64_t wait = nostr_relay_affords(leg->relay, size);

	if (wait > 0) {
		leg->timer = loop_timer_add(leg->sub->pool->loop, wait, on_timer, leg);
		return;
	}
	f->since = leg->since;
	f->until = leg->until;
	f->limit = size;
	leg->count = 0;
	leg->page = nostr_relay_query(leg->relay, NOSTR_QUERY_ONCE, &f, 1, &page_ops, leg);
}

void catchup_start(struct sub_leg *leg)
{
	int64_t now = clock_wall();
	int64_t from = leg->good < now ? leg->good : now;

	catchup_stop(leg);
	leg->next_good = now;
	leg->since = from > leg->sub->slack ? from - leg->sub->slack : 0;
	leg->until = -1;
	leg->largest = 0;
	leg->missed = false;
	page_ask(leg);
}

void catchup_skip(struct sub_leg *leg)
{
	leg->next_good = clock_wall();
	run_ended(leg);
}

void catchup_stop(struct sub_leg *leg)
{
	loop_timer_del(leg->timer);
	leg->timer = NULL;
	nostr_query_end(leg->page);
	leg->page = NULL;
}

void catchup_missed(struct sub_leg *leg)
{
	if (leg->sub->mode != NOSTR_SUB_DM)
		return;
	if (leg->current) {
		leg->good = catchup_good(leg);
		leg->current = false;
		leg->timer = loop_timer_add(leg->sub->pool->loop, AGAIN_AFTER, run_again, leg);
	}
	leg->missed = true;
}

int64_t catchup_good(const struct sub_leg *leg)
{
	struct nostr_relay_status st;

	if (!leg->current)
		return leg->good;
	nostr_relay_status(leg->relay, &st);
	return st.last_good > leg->good ? st.last_good : leg->good;
}
