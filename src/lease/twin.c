/* Is another agent running on our key? Two on one seed use the same counters and promise the same
 * host twice, so each reads the heartbeats of its own key: a new one with another id drains it. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "lease/engine_impl.h"
#include "lease/protocol.h"
#include "proto/offer.h"

static void heard_beat(void *ctx, const struct nostr_event *ev, unsigned relay)
{
	struct engine *g = ctx;
	struct heartbeat h;
	struct err e;

	/* one from before our start may be of the process that we replace */
	if (g->draining || heartbeat_from_event(&h, ev, &e) < 0 ||
	    !pubkey_eq(&h.provider, &g->pubkey) || h.created_at <= g->started_at ||
	    strcmp(h.agent, g->set.instance) == 0)
		return;
	log_broken("another agent (%s) runs on this agent's key: %s shows its heartbeat. Nothing "
		   "new is taken until leasectl undrain",
		   h.agent, nostr_pool_url(g->pool, relay));
	if (engine_drain(g, true, &e) < 0)
		log_broken("drain: %s", e.msg);
}

void twin_watch(struct engine *g)
{
	auto_filter struct nostr_filter *f = nostr_filter_new();

	g->started_at = clock_wall();
	nostr_filter_kind(f, LEASE_KIND_HEARTBEAT);
	nostr_filter_author(f, &g->pubkey);
	g->twin_sub = nostr_pool_subscribe(
		g->pool, &(struct nostr_sub_ask){.mode = NOSTR_SUB_LIVE,
						 .filters = (struct nostr_filter *const[]){f},
						 .nfilters = 1,
						 .event = heard_beat,
						 .ctx = g});
}
