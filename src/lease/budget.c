/*
 * What the requests of strangers may take of a core: reading a gift wrap costs curve operations
 * before anybody knows who wrote it. Beyond the budget wraps wait in order, so that a flood makes
 * answers late and nothing else; beyond what may wait they are dropped at their relay's expense.
 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "lease/engine_impl.h"

#define BURST_MS     2000 /* so much of the budget's time may be used at once */
#define SLICE_MS     20	  /* and so much is awaited before the next wrap is opened */
#define WAITING_MAX  ((size_t)4 << 20)
#define DROPPED_COST 10 /* tokens off a relay's budget */

struct late_wrap {
	struct late_wrap *next;
	struct nostr_event *wrap;
	unsigned relay;
};

static bool is_unlimited(const struct engine *g)
{
	return g->set.request_cpu == 0 || g->set.request_cpu >= 1000;
}

/* A share of n thousandths of a core is n microseconds a millisecond. */
static int64_t budget_left(struct engine *g)
{
	struct cpu_budget *b = &g->budget;
	int64_t now = clock_mono_ms(), share = g->set.request_cpu;

	if (!b->at_ms)
		b->left_us = share * BURST_MS;
	else
		b->left_us += (now - b->at_ms) * share;
	b->at_ms = now;
	if (b->left_us > share * BURST_MS)
		b->left_us = share * BURST_MS;
	return b->left_us;
}

static void open_wrap(struct engine *g, const struct nostr_event *wrap, unsigned relay)
{
	int64_t from = clock_cpu_us();

	intake_open(g, wrap, relay);
	g->budget.left_us -= clock_cpu_us() - from;
}

static void catch_up(void *ctx);

static void arm(struct engine *g)
{
	struct cpu_budget *b = &g->budget;
	int64_t share = g->set.request_cpu;
	int64_t wait = (share * SLICE_MS - b->left_us) / share + 1;

	if (b->first && !b->timer)
		b->timer = loop_timer_add(g->loop, wait > 0 ? wait : 0, catch_up, g);
}

static struct nostr_event *take_first(struct cpu_budget *b, unsigned *relay)
{
	struct late_wrap *l = b->first;
	struct nostr_event *wrap = l->wrap;

	*relay = l->relay;
	b->first = l->next;
	if (!b->first)
		b->last = NULL;
	b->waiting -= wrap->content.n;
	free(l);
	return wrap;
}

static void catch_up(void *ctx)
{
	struct engine *g = ctx;
	unsigned relay;

	g->budget.timer = NULL;
	while (g->budget.first && budget_left(g) > 0) {
		auto_event struct nostr_event *wrap = take_first(&g->budget, &relay);

		open_wrap(g, wrap, relay);
	}
	arm(g);
}

static void wait_in_line(struct engine *g, const struct nostr_event *wrap, unsigned relay)
{
	struct cpu_budget *b = &g->budget;
	struct late_wrap *l;

	if (b->waiting + wrap->content.n > WAITING_MAX) {
		nostr_pool_charge(g->pool, relay, DROPPED_COST);
		if (!b->dropped++)
			log_warn("requests are dropped: more come than request_cpu allows to read");
		return;
	}
	if (!b->first)
		b->dropped = 0;
	l = mem_zero(sizeof(*l));
	*l = (struct late_wrap){.wrap = nostr_event_copy(wrap), .relay = relay};
	b->waiting += wrap->content.n;
	if (b->last)
		b->last->next = l;
	else
		b->first = l;
	b->last = l;
	arm(g);
}

void budget_wrap(struct engine *g, const struct nostr_event *wrap, unsigned relay)
{
	if (is_unlimited(g))
		intake_open(g, wrap, relay);
	else if (!g->budget.first && budget_left(g) > 0)
		open_wrap(g, wrap, relay);
	else
		wait_in_line(g, wrap, relay);
}

void budget_close(struct engine *g)
{
	unsigned relay;

	loop_timer_del(g->budget.timer);
	g->budget.timer = NULL;
	while (g->budget.first)
		nostr_event_free(take_first(&g->budget, &relay));
}
