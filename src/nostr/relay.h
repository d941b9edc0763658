/*
 * One relay: connection, back-off, NIP-42, subscriptions that are asked again after a reconnect,
 * publishing with OK. Knows nothing of other relays and verifies no signature: pool.h does.
 */
#ifndef NOSTR_RELAY_H
#define NOSTR_RELAY_H

#include "nostr/frame.h"
#include "nostr/pool.h"

struct nostr_relay;

struct nostr_relay_ask {
	struct loop *loop;
	struct ws_context *ws;
	const char *url;
	const struct secret *key; /* borrowed; NULL: never authenticate */
	struct http *http;	  /* borrowed; NULL: its limits are not asked for */
	unsigned per_second, burst;
};

/* Starts to connect. */
int nostr_relay_new(struct nostr_relay **out, const struct nostr_relay_ask *a,
		    struct err *e) MUST_CHECK;
void nostr_relay_free(struct nostr_relay *r); /* no callback afterwards */
DEFINE_AUTO(struct nostr_relay, nostr_relay_free)
const char *nostr_relay_url(const struct nostr_relay *r);
void nostr_relay_status(const struct nostr_relay *r, struct nostr_relay_status *out);

/* It takes events that are so many seconds old; true where it says nothing. */
bool nostr_relay_takes_old(const struct nostr_relay *r, int64_t seconds);

/* Inbound budget. take: false where it is used up (counted as dropped). */
bool nostr_relay_take(struct nostr_relay *r);
void nostr_relay_charge(struct nostr_relay *r, unsigned n);
int64_t nostr_relay_affords(const struct nostr_relay *r,
			    unsigned n);		 /* ms until n tokens are there */
unsigned nostr_relay_burst(const struct nostr_relay *r); /* the budget when it is full */
/* A forged or unasked event: after NOSTR_FAULTS_MAX of them the connection is given up for long. */
void nostr_relay_fault(struct nostr_relay *r, const char *what);
#define NOSTR_FAULTS_MAX 20

enum nostr_query_mode { NOSTR_QUERY_ONCE, NOSTR_QUERY_LIVE };

struct nostr_query_ops {
	void (*event)(void *ctx, struct nostr_event *ev); /* matches a filter; not verified */
	void (*eose)(void *ctx); /* ONCE: CLOSE is sent, the handle is dead */
	/* Not open any more. ONCE: failed, the handle is dead. LIVE: asked again by itself. */
	void (*lost)(void *ctx, const char *why);
};

/* One REQ. The filters are copied. Sent now or when the connection is open. */
struct nostr_query;
struct nostr_query *nostr_relay_query(struct nostr_relay *r, enum nostr_query_mode mode,
				      struct nostr_filter *const *filters, size_t n,
				      const struct nostr_query_ops *ops, void *ctx);
void nostr_query_end(struct nostr_query *q); /* CLOSE; no callback afterwards; NULL is fine */

/* One EVENT. `fn` runs once unless cancelled, never inside this call. */
typedef void nostr_send_fn(void *ctx, enum nostr_pub_state state, const char *why);
struct nostr_send;
struct nostr_send *nostr_relay_send(struct nostr_relay *r, const struct nostr_pub_ask *a,
				    nostr_send_fn *fn, void *ctx);
void nostr_send_cancel(struct nostr_send *s);

#endif
