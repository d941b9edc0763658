/* What relay.c, query.c and send.c share: the insides of one relay. */
#ifndef NOSTR_RELAY_OWN_H
#define NOSTR_RELAY_OWN_H

#include "net/backoff.h"
#include "net/http.h"
#include "nostr/limits.h"
#include "nostr/relay.h"

enum relay_auth { RELAY_AUTH_NONE, RELAY_AUTH_SENT, RELAY_AUTH_DONE, RELAY_AUTH_FAILED };

struct nostr_relay {
	struct loop *loop;
	struct ws_context *ws;
	const struct secret *key;
	char *url;
	struct ws_client *client; /* NULL while waiting for the next attempt */
	enum nostr_relay_state state;
	int64_t since, last_good;
	struct backoff backoff;
	struct loop_timer *retry;   /* next attempt */
	struct loop_timer *healthy; /* connected long enough to forget the back-off */
	struct loop_timer *drop;    /* the connection is to be given up, outside of its callback */
	int64_t drop_pause;	    /* … and then left alone for at least so long, in ms */

	struct loop_timer *probe; /* the next probe, or the end of the wait for its answer */
	uint64_t probe_serial;	  /* subscription number of the probe under way, 0: none */

	char challenge[NOSTR_TEXT_MAX + 1];
	bool fresh; /* the challenge was not used yet */
	enum relay_auth auth;
	uint8_t auth_id[32];

	struct nostr_query *queries;
	struct nostr_send *sends;
	uint64_t sent;	 /* counts EVENTs, so that the oldest without an answer is known */
	uint64_t serial; /* of subscription ids; a REQ that is sent again gets a new one */

	struct backoff hold; /* after "rate-limited:" */
	int64_t held_until;  /* monotonic ms */

	struct http *http; /* to ask for its limits; NULL: they are not asked for */
	struct http_call *limits_call;
	int64_t limits_next; /* monotonic ms */
	struct nostr_limits limits;

	unsigned per_second, burst;
	int64_t tokens, filled_at; /* thousandths of an event; monotonic ms */
	unsigned faults_now;	   /* since the last probe */
	uint64_t events, dropped, faults;
	char error[128];
};

/* Send one message; the connection is given up where that fails. */
void relay_write(struct nostr_relay *r, struct buf *frame);
void relay_drop(struct nostr_relay *r, const char *why, int64_t pause_ms);
/* Something was refused for want of authentication. False where that cannot be helped; otherwise
 * query_authenticated and send_authenticated tell how it went. */
bool relay_authenticate(struct nostr_relay *r, enum nostr_prefix why);

/* limits.c */
void limits_ask(struct nostr_relay *r);
void limits_stop(struct nostr_relay *r);

/* query.c */
void query_free_all(struct nostr_relay *r);
void query_connected(struct nostr_relay *r);
void query_disconnected(struct nostr_relay *r, const char *why);
void query_authenticated(struct nostr_relay *r, bool ok);
void query_event(struct nostr_relay *r, const char *sub, struct nostr_event *ev);
void query_eose(struct nostr_relay *r, const char *sub);
void query_closed(struct nostr_relay *r, const char *sub, const char *why);

/* send.c */
void send_free_all(struct nostr_relay *r);
void send_connected(struct nostr_relay *r);
void send_disconnected(struct nostr_relay *r);
void send_authenticated(struct nostr_relay *r, bool ok);
void send_ok(struct nostr_relay *r, const struct nostr_frame *f);

#endif
