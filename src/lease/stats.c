/* What a lease uses now: asked of the host, told to its owner. */
#include <string.h>

#include "lease/verbs.h"

static void fill(struct reply *r, const struct lease *l, const struct priv_stats_item *it)
{
	reply_fill(r, l);
	r->final = true;
	r->at_ms = it->at_ms;
	r->since_ms = it->state == PRIV_BOX_RUNNING ? it->started_ms : 0;
	r->usage = it->use;
}

static void answered(void *ctx, const struct priv_stats_reply *r, const struct err *error)
{
	auto_ask struct ask *a = ctx;
	auto_reply struct reply *reply = reply_new(a->req->request_id, REPLY_STAGE_STATS, REPLY_OK);
	struct lease l;
	struct err e;

	if (lease_load(a->g->db, a->req->lease, &l, &e))
		return;
	if (error || r->items.n == 0) {
		verb_deny(a, error ? REPLY_INTERNAL : REPLY_NOT_RUNNING, NULL);
		return;
	}
	fill(reply, &l, priv_stats_at(r, 0));
	outbox_send(a->g, &a->author, reply);
}

void stats_asked(struct ask *a, const struct lease *l)
{
	struct priv_stats m = {.id = (char *)l->id};

	ask_open(a);
	priv_client_stats(a->g->host, &m, answered, a);
}
