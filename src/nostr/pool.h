/*
 * Many relays as one: subscribe, catch up, publish. Events reach a callback once per subscription,
 * with id and signature verified and matching the subscription's filters. Relays come and go; the
 * pool connects again, authenticates (NIP-42) and asks again by itself. Callbacks never run inside
 * the call that set them up; from within them everything but nostr_pool_free is allowed.
 */
#ifndef NOSTR_POOL_H
#define NOSTR_POOL_H

#include "net/http.h"
#include "net/loop.h"
#include "net/ws.h"
#include "nostr/filter.h"

#define NOSTR_RELAYS_MAX 32

struct nostr_pool;

/* `key` signs AUTH events; NULL: never authenticate. The key is copied. */
struct nostr_pool *nostr_pool_new(struct loop *l, struct ws_context *ws, const struct secret *key);
void nostr_pool_free(struct nostr_pool *p);
DEFINE_AUTO(struct nostr_pool, nostr_pool_free)

/* Ask relays that are added from now on for their limits (NIP-11), and respect them. `h` is
 * borrowed.
 */
void nostr_pool_ask_limits(struct nostr_pool *p, struct http *h);

/* ws:// or wss://. Gives the index of the relay (the old one where it is known already); `index`
 * may be NULL. Live subscriptions extend to a relay that is added later. */
int nostr_pool_add(struct nostr_pool *p, const char *url, unsigned *index,
		   struct err *e) MUST_CHECK;
size_t nostr_pool_count(const struct nostr_pool *p);
const char *nostr_pool_url(const struct nostr_pool *p, unsigned relay);

/* Charge a relay for trouble that its events made: n tokens off its inbound budget. */
void nostr_pool_charge(struct nostr_pool *p, unsigned relay, unsigned n);
/* Inbound budget of each relay added from now on: events a second, and at once. Default 300, 2000.
 */
void nostr_pool_budget(struct nostr_pool *p, unsigned per_second, unsigned burst);

/* --- subscriptions --- */

enum nostr_sub_mode {
	NOSTR_SUB_ONCE, /* what is stored now; ends itself after `done` */
	NOSTR_SUB_LIVE, /* the filters as given, asked again after every connect */
	NOSTR_SUB_DM, /* live with limit 0, and after every connect what came meanwhile, in pages */
};

typedef void nostr_sub_event_fn(void *ctx, const struct nostr_event *ev, unsigned relay);
/* A relay has no more stored events, or failed. `all`: that was the last one; of a ONCE
 * subscription the handle is dead afterwards. LIVE and DM: after every connect. */
typedef void nostr_sub_done_fn(void *ctx, unsigned relay, bool all);

struct nostr_sub_ask {
	enum nostr_sub_mode mode;
	struct nostr_filter *const
		*filters; /* copied; DM: exactly one, without since, until, limit */
	size_t nfilters;
	uint32_t relays;    /* bit i: relay i; 0: all, also those added later */
	int64_t timeout_ms; /* ONCE: relays that are silent so long count as done; 0: 10 s */
	int64_t last_good;  /* DM: everything up to here was received earlier (seconds; 0: now) */
	int64_t slack;	    /* DM: ask so much further back: NOSTR_SLACK_WRAP, NOSTR_SLACK_NIP04 */
	/* DM: only answers to what this pool publishes are wanted. A relay that listens before the
	 * first of it went out is not read back at its first connect. */
	bool answers_only;
	nostr_sub_event_fn *event;
	nostr_sub_done_fn *done; /* may be NULL */
	void *ctx;
};
#define NOSTR_SLACK_WRAP  (2 * 24 * 3600 + 3600)
#define NOSTR_SLACK_NIP04 600

struct nostr_sub;
struct nostr_sub *nostr_pool_subscribe(struct nostr_pool *p, const struct nostr_sub_ask *a);
void nostr_sub_end(struct nostr_sub *s); /* no callback afterwards; NULL is fine */
/* DM: up to when everything was surely received (on at least one relay); to be stored as the next
 * start's last_good. 0: not yet known. */
int64_t nostr_sub_last_good(const struct nostr_sub *s);

/* --- publishing --- */

enum nostr_pub_state {
	NOSTR_PUB_WAITING,
	NOSTR_PUB_ACCEPTED, /* OK true, also "duplicate:" */
	NOSTR_PUB_REFUSED,  /* OK false; `why` tells */
	NOSTR_PUB_SILENT,   /* sent, no OK in time */
	NOSTR_PUB_OFFLINE,  /* never sent: not connected in time, or held back by a rate limit */
};

struct nostr_pub_result {
	unsigned relay;
	enum nostr_pub_state state;
	char why[128];
};

enum nostr_pub_stage { NOSTR_PUB_FIRST, NOSTR_PUB_DONE };
/* NOSTR_PUB_FIRST: a relay accepted, the first one. NOSTR_PUB_DONE: every relay has answered or
 * timed out; the handle is dead afterwards. */
typedef void nostr_pub_fn(void *ctx, enum nostr_pub_stage stage, const struct nostr_pub_result *r,
			  size_t n);

enum nostr_urgency { NOSTR_PUB_NORMAL, NOSTR_PUB_URGENT, NOSTR_PUB_DROPPABLE };

struct nostr_pub_ask {
	const struct nostr_event *event; /* copied */
	uint32_t relays;		 /* as in nostr_sub_ask */
	enum nostr_urgency urgency;	 /* DROPPABLE (heartbeats) is held back by rate limits */
	int64_t timeout_ms;		 /* 0: 15 s */
	nostr_pub_fn *fn;		 /* may be NULL */
	void *ctx;
};

struct nostr_pub;
struct nostr_pub *nostr_pool_publish(struct nostr_pool *p, const struct nostr_pub_ask *a);
void nostr_pub_cancel(struct nostr_pub *p); /* no callback afterwards; NULL is fine */

/* --- status --- */

enum nostr_relay_state { NOSTR_RELAY_WAITING, NOSTR_RELAY_CONNECTING, NOSTR_RELAY_OPEN };

struct nostr_relay_status {
	const char *url;
	enum nostr_relay_state state;
	bool authenticated;
	int64_t since;	   /* in this state since (seconds) */
	int64_t last_good; /* last message from it (seconds), 0: none yet */
	uint64_t events;   /* received */
	uint64_t dropped;  /* over its budget */
	uint64_t faults;   /* unasked, malformed or forged messages */
	char error[128];   /* why the last connection ended, or the last NOTICE */
};
void nostr_pool_status(const struct nostr_pool *p, unsigned relay, struct nostr_relay_status *out);

#endif
