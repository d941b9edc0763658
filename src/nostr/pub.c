/* One event to many relays. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "nostr/pool_own.h"

struct pub_leg {
	struct nostr_pub *pub;
	size_t i;
	struct nostr_send *send; /* NULL: settled */
};

struct nostr_pub {
	struct nostr_pub *next;
	struct nostr_pool *pool;
	nostr_pub_fn *fn;
	void *ctx;
	struct pub_leg legs[NOSTR_RELAYS_MAX];
	struct nostr_pub_result results[NOSTR_RELAYS_MAX];
	size_t n, waiting;
	bool accepted;
	struct loop_timer *none; /* there was no relay to send to */
	unsigned busy;		 /* callbacks of the owner that are running */
	bool ended;
};

static void pub_stop(struct nostr_pub *p)
{
	size_t i;

	for (i = 0; i < p->n; i++) {
		nostr_send_cancel(p->legs[i].send);
		p->legs[i].send = NULL;
	}
	loop_timer_del(p->none);
	p->none = NULL;
}

static void pub_free(struct nostr_pub *p)
{
	struct nostr_pub **at;

	for (at = &p->pool->pubs; *at != p;)
		at = &(*at)->next;
	*at = p->next;
	pub_stop(p);
	free(p);
}

void pub_free_all(struct nostr_pool *p)
{
	while (p->pubs)
		pub_free(p->pubs);
}

void nostr_pub_cancel(struct nostr_pub *p)
{
	if (!p)
		return;
	if (p->busy) {
		p->ended = true;
		pub_stop(p);
		return;
	}
	pub_free(p);
}

static void tell(struct nostr_pub *p, enum nostr_pub_stage stage)
{
	if (!p->fn || p->ended)
		return;
	p->busy++;
	p->fn(p->ctx, stage, p->results, p->n);
	p->busy--;
}

static void settle(struct nostr_pub *p)
{
	if (!p->ended && p->waiting == 0) {
		tell(p, NOSTR_PUB_DONE);
		p->ended = true;
	}
	if (p->ended && !p->busy)
		pub_free(p);
}

static void on_sent(void *ctx, enum nostr_pub_state state, const char *why)
{
	struct pub_leg *leg = ctx;
	struct nostr_pub *p = leg->pub;
	struct nostr_pub_result *r = &p->results[leg->i];
	bool first = state == NOSTR_PUB_ACCEPTED && !p->accepted;

	leg->send = NULL;
	r->state = state;
	str_printable(r->why, sizeof(r->why), str_of(why));
	p->waiting--;
	p->accepted = p->accepted || first;
	if (first)
		tell(p, NOSTR_PUB_FIRST);
	settle(p);
}

static void on_none(void *ctx)
{
	struct nostr_pub *p = ctx;

	p->none = NULL;
	settle(p);
}

struct nostr_pub *nostr_pool_publish(struct nostr_pool *pool, const struct nostr_pub_ask *a)
{
	struct nostr_pub *p = mem_zero(sizeof(*p));
	unsigned i;

	pool->published = true;
	p->pool = pool;
	p->fn = a->fn;
	p->ctx = a->ctx;
	p->next = pool->pubs;
	pool->pubs = p;
	for (i = 0; i < pool->nrelays; i++) {
		struct pub_leg *leg = &p->legs[p->n];

		if (a->relays && !(a->relays & (UINT32_C(1) << i)))
			continue;
		p->results[p->n].relay = i;
		*leg = (struct pub_leg){.pub = p, .i = p->n++};
		leg->send = nostr_relay_send(pool->relays[i], a, on_sent, leg);
		p->waiting++;
	}
	if (p->n == 0)
		p->none = loop_timer_add(pool->loop, 0, on_none, p);
	return p;
}
