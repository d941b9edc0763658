/*
 * From a wrap on a relay to a request that the engine acts on: charge the relay, unwrap, charge the
 * author, act once. A request is named by its author and request id; the rumor's hash tells a
 * repeat, which gets the stored reply, from a reuse, which is refused.
 */
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/step.h"
#include "lease/message.h"
#include "lease/verbs.h"

#define AUTHOR_PER_SECOND 10
#define AUTHOR_BURST	  200 /* twenty spawns at once, and their questions */
#define JUNK_COST	  10  /* tokens off a relay's budget for a wrap that does not open */
#define CLOCK_SKEW	  300

void ask_open(struct ask *a)
{
	if (a->open)
		return;
	a->open = true;
	a->next = a->g->asks;
	a->g->asks = a;
}

bool ask_is_open(const struct engine *g, const struct pubkey *author, const char *request_id)
{
	const struct ask *a = g->asks;

	while (a && (!pubkey_eq(&a->author, author) || strcmp(a->req->request_id, request_id) != 0))
		a = a->next;
	return a != NULL;
}

static void ask_close(struct ask *a)
{
	struct ask **p = &a->g->asks;

	while (*p != a)
		p = &(*p)->next;
	*p = a->next;
	a->open = false;
}

void ask_free(struct ask *a)
{
	if (!a)
		return;
	if (a->open)
		ask_close(a);
	wallet_payment_free(a->pay);
	request_free(a->req);
	free(a);
}

struct ask *ask_take(const struct ask *a, struct request **req)
{
	struct ask *copy = mem_dup(a, sizeof(*a));

	copy->req = steal(req);
	copy->open = false;
	copy->pay = NULL;
	return copy;
}

bool author_charge(struct engine *g, const struct pubkey *author, unsigned tokens)
{
	struct bucket *b = &g->buckets[(author->b[0] | author->b[1] << 8) % BUCKETS];
	int64_t now = clock_mono_ms();

	if (!b->at_ms)
		b->milli = AUTHOR_BURST * 1000;
	b->milli += (now - b->at_ms) * AUTHOR_PER_SECOND;
	b->at_ms = now;
	if (b->milli > AUTHOR_BURST * 1000)
		b->milli = AUTHOR_BURST * 1000;
	if (b->milli < (int64_t)tokens * 1000)
		return false;
	b->milli -= (int64_t)tokens * 1000;
	return true;
}

/* A token that will not be claimed is given back: its proofs are marked released, for ever. */
static int add_release(const struct ask *a, struct tx *tx, struct reply *r, struct err *e)
{
	auto_free struct wallet_release *rel = mem_zero(sizeof(*rel));
	int rc;

	if (!a->req || !a->req->token)
		return 0;
	r->token = REPLY_TOKEN_UNSPENT;
	if (a->by_message)
		return 0; /* words carry no signatures: what is locked comes back with its time */
	rc = wallet_release(tx, a->g->wallet, str_of(a->req->token), rel, e);
	/* What another request of ours holds is for that one to tell. */
	r->token = rc == WALLET_NOT_FREE ? REPLY_TOKEN_SPENT : REPLY_TOKEN_UNSPENT;
	if (rc < 0 && e->kind == ERRK_INPUT)
		return 0; /* not even a token: nothing to release */
	if (rc)
		return rc < 0 ? -1 : 0;
	r->release = mem_array(rel->n, sizeof(*r->release));
	r->nrelease = rel->n;
	for (size_t i = 0; i < rel->n; i++)
		hex_encode(r->release[i], rel->sig[i], sizeof(rel->sig[i]));
	return 0;
}

static int store_refusal(const struct ask *a, struct reply *r, struct err *e)
{
	struct request_row row = {.author = a->author, .at = clock_wall()};
	auto_tx struct tx *tx = NULL;

	memcpy(row.request_id, r->request_id, sizeof(row.request_id));
	memcpy(row.hash, a->hash, sizeof(row.hash));
	if (db_begin(&tx, a->g->db, e) < 0)
		return -1;
	/* It may be stored already: a lease that was asked for and is refused now. */
	if (request_insert(tx, &row, e) < 0 || add_release(a, tx, r, e) < 0 ||
	    (a->by_message ? outbox_say : outbox_add)(a->g, tx, &a->author, r, e) < 0 ||
	    db_commit(&tx, e) < 0)
		return -1;
	step_at(STEP_LEASE_REFUSED);
	return 0;
}

void ask_refuse(const struct ask *a, enum reply_code code, const char *message)
{
	auto_reply struct reply *r = reply_new(a->req->request_id, REPLY_STAGE_REFUSED, code);
	struct err e;

	r->final = true;
	reply_say(r, "%s", message && *message ? message : reply_code_text(code));
	if (a->by_message)
		memcpy(r->lease, a->req->lease, sizeof(r->lease));
	a->g->tally.refused[a->req->type][code]++;
	if (store_refusal(a, r, &e) < 0)
		log_broken("refusal %s: %s", r->request_id, e.msg);
	outbox_kick(a->g);
}

static void dispatch(struct ask *a)
{
	switch (a->req->type) {
	case REQUEST_SPAWN:
		spawn_asked(a);
		return;
	case REQUEST_TOPUP:
		topup_asked(a);
		return;
	case REQUEST_STATUS:
	case REQUEST_END:
	case REQUEST_EXEC:
	case REQUEST_LOGS:
	case REQUEST_SIGNAL:
	case REQUEST_STOP:
	case REQUEST_START:
	case REQUEST_REFUND:
	case REQUEST_SET:
	case REQUEST_INPUT:
	case REQUEST_PUT:
	case REQUEST_GET:
	case REQUEST_PORTS:
	case REQUEST_RECONNECT:
	case REQUEST_STATS:
	case REQUEST_GROW:
	case REQUEST_UNLOCK:
	case REQUEST_SNAPSHOT:
		verb_asked(a);
		return;
	case REQUEST_IMAGES:
		images_asked(a);
		return;
	case REQUEST_TEMPLATE:
		template_asked(a);
		return;
	}
	ask_free(a);
}

/* A request that is known, but was never answered: the agent died over it. What may be done twice
 * is done now; what may have been done is said to be unclear. True when there is nothing left to
 * do. */
static bool answered_or_unclear(struct ask *a)
{
	switch (a->req->type) {
	case REQUEST_STATUS:
	case REQUEST_END:
	case REQUEST_LOGS:
	case REQUEST_GET:
	case REQUEST_STOP:
	case REQUEST_START:
	case REQUEST_REFUND:
	case REQUEST_SET:
	case REQUEST_IMAGES:
	case REQUEST_TEMPLATE:
	case REQUEST_RECONNECT:
	case REQUEST_STATS:
	case REQUEST_GROW:
	case REQUEST_UNLOCK:
		return ask_is_open(a->g, &a->author, a->req->request_id);
	case REQUEST_EXEC:
	case REQUEST_SIGNAL:
	case REQUEST_INPUT:
	case REQUEST_PUT:
	case REQUEST_PORTS:
	case REQUEST_SNAPSHOT:
		if (!ask_is_open(a->g, &a->author, a->req->request_id))
			ask_refuse(a, REPLY_UNCLEAR, NULL);
		return true;
	case REQUEST_SPAWN:
	case REQUEST_TOPUP:
		return true; /* their leases and plans answer */
	}
	return true;
}

/* Whether this request was here before: true when there is nothing left to do. */
static bool known_before(struct ask *a)
{
	struct request_row row = {.author = a->author};
	auto_reply struct reply *r = NULL;
	struct err e;
	int rc;

	memcpy(row.request_id, a->req->request_id, sizeof(row.request_id));
	memcpy(row.hash, a->hash, sizeof(row.hash));
	rc = request_find(a->g->db, &row, &e);
	if (!rc)
		return false;
	if (rc == STORE_KNOWN)
		rc = outbox_repeat(a->g, &a->author, a->req->request_id, &e);
	if (rc == OUTBOX_NONE)
		return a->req->expires_at <= clock_wall() || answered_or_unclear(a);
	if (rc == STORE_REUSED && author_charge(a->g, &a->author, 10)) {
		r = reply_new(a->req->request_id, REPLY_STAGE_REFUSED, REPLY_REUSED);
		r->final = true;
		reply_say(r, "%s", reply_code_text(REPLY_REUSED));
		outbox_send(a->g, &a->author, r);
	}
	if (rc < 0)
		log_broken("request %s: %s", a->req->request_id, e.msg);
	return true;
}

static void act(struct ask *ask, int decoded, const char *why)
{
	auto_ask struct ask *a = ask;
	int64_t now = clock_wall();

	/* A repeat costs nothing: after a start, relays give again all that they keep. */
	if (known_before(a) || !author_charge(a->g, &a->author, 1))
		return;
	a->g->tally.requests[a->req->type]++;
	if (decoded == REQUEST_VERSION) {
		ask_refuse(a, REPLY_VERSION, "this provider speaks protocol version 1");
		return;
	}
	if (decoded < 0) {
		ask_refuse(a, REPLY_MALFORMED, why);
		return;
	}
	if (a->req->expires_at <= now) {
		ask_refuse(a, REPLY_EXPIRED, NULL);
		return;
	}
	if (a->req->expires_at > now + LEASE_EXPIRES_MAX + CLOCK_SKEW) {
		ask_refuse(a, REPLY_EXPIRED, "expires_at is too far away: at most 15 minutes");
		return;
	}
	dispatch(steal(&a));
}

static void take_rumor(struct engine *g, const struct nostr_event *rumor)
{
	auto_request struct request *req = NULL;
	struct ask a = {.g = g, .author = rumor->pubkey};
	struct err e = {0};
	int rc;

	a.by_message = rumor->kind == NOSTR_DM_CHAT;
	if (a.by_message)
		rc = message_read(&req, rumor, &e);
	else if (rumor->kind == LEASE_KIND_REQUEST)
		rc = request_decode(&req, rumor->content, &e);
	else
		return;
	if (!req || !req->request_id[0])
		return; /* nothing to answer to */
	memcpy(a.hash, rumor->id, sizeof(a.hash));
	act(ask_take(&a, &req), rc, e.msg);
}

void intake_open(struct engine *g, const struct nostr_event *wrap, unsigned relay)
{
	auto_event struct nostr_event *rumor = NULL;
	struct err e;

	if (nostr_unwrap(&rumor, wrap, &g->me, &e) < 0) {
		nostr_pool_charge(g->pool, relay, JUNK_COST);
		log_debug("wrap from %s: %s", nostr_pool_url(g->pool, relay), e.msg);
		return;
	}
	take_rumor(g, rumor);
}

static void wrap_arrived(void *ctx, const struct nostr_event *wrap, unsigned relay)
{
	budget_wrap(ctx, wrap, relay);
}

int intake_start(struct engine *g, struct err *e)
{
	auto_filter struct nostr_filter *f = nostr_filter_new();
	int64_t last_good;

	if (meta_get(g->db, "inbox_last_good", &last_good, e) < 0)
		return -1;
	nostr_filter_kind(f, NOSTR_WRAP);
	nostr_filter_tag_key(f, 'p', &g->pubkey);
	g->inbox = nostr_pool_subscribe(
		g->pool, &(struct nostr_sub_ask){.mode = NOSTR_SUB_DM,
						 .filters = (struct nostr_filter *const[]){f},
						 .nfilters = 1,
						 .relays = g->dm_relays,
						 .last_good = last_good,
						 .slack = NOSTR_SLACK_WRAP,
						 .event = wrap_arrived,
						 .ctx = g});
	return 0;
}
