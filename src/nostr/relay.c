#include "nostr/relay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "nostr/relay_own.h"

enum {
	BACKOFF_FIRST = 1000,
	BACKOFF_MAX = 300 * 1000,
	HEALTHY_AFTER = 60 * 1000,
	PROBE_EVERY = 300 * 1000,
	PROBE_WAIT = 10 * 1000,
	FAULT_PAUSE = 600 * 1000,
	HOLD_FIRST = 30 * 1000,
	HOLD_MAX = 900 * 1000,
};

static void connect_now(void *ctx);

static void enter(struct nostr_relay *r, enum nostr_relay_state state)
{
	r->state = state;
	r->since = clock_wall();
}

static void timer_stop(struct loop_timer **t)
{
	loop_timer_del(*t);
	*t = NULL;
}

/* --- inbound budget --- */

static void refill(struct nostr_relay *r)
{
	int64_t now = clock_mono_ms(), full = (int64_t)r->burst * 1000;
	int64_t more = (now - r->filled_at) * r->per_second;

	r->filled_at = now;
	r->tokens = more > full - r->tokens ? full : r->tokens + more;
}

bool nostr_relay_take(struct nostr_relay *r)
{
	refill(r);
	if (r->tokens < 1000) {
		r->dropped++;
		return false;
	}
	r->tokens -= 1000;
	return true;
}

void nostr_relay_charge(struct nostr_relay *r, unsigned n)
{
	int64_t least = -(int64_t)r->burst * 1000;

	refill(r);
	r->tokens -= (int64_t)n * 1000;
	if (r->tokens < least)
		r->tokens = least;
}

int64_t nostr_relay_affords(const struct nostr_relay *r, unsigned n)
{
	int64_t want = (int64_t)(n < r->burst ? n : r->burst) * 1000;
	int64_t have = r->tokens + (clock_mono_ms() - r->filled_at) * r->per_second;

	if (have >= want || r->per_second == 0)
		return 0;
	return (want - have) / r->per_second + 1;
}

unsigned nostr_relay_burst(const struct nostr_relay *r)
{
	return r->burst;
}

void nostr_relay_fault(struct nostr_relay *r, const char *what)
{
	r->faults++;
	log_debug("%s: %s", r->url, what);
	if (++r->faults_now >= NOSTR_FAULTS_MAX) {
		log_warn("relay %s: too many bad messages, the last: %s", r->url, what);
		relay_drop(r, what, FAULT_PAUSE);
	}
}

/* --- the connection's end --- */

static void disconnected(struct nostr_relay *r, const char *why, int64_t pause_ms)
{
	int64_t wait = backoff_next(&r->backoff);

	timer_stop(&r->retry);
	timer_stop(&r->healthy);
	timer_stop(&r->drop);
	timer_stop(&r->probe);
	ws_client_free(r->client);
	r->client = NULL;
	str_printable(r->error, sizeof(r->error), str_of(why));
	log_debug("relay %s: %s", r->url, why);
	enter(r, NOSTR_RELAY_WAITING);
	r->retry = loop_timer_add(r->loop, wait > pause_ms ? wait : pause_ms, connect_now, r);
	send_disconnected(r);
	query_disconnected(r, why);
}

static void drop_now(void *ctx)
{
	struct nostr_relay *r = ctx;
	char why[sizeof(r->error)];

	r->drop = NULL;
	memcpy(why, r->error, sizeof(why));
	disconnected(r, why, r->drop_pause);
}

void relay_drop(struct nostr_relay *r, const char *why, int64_t pause_ms)
{
	if (r->drop || !r->client)
		return;
	str_printable(r->error, sizeof(r->error), str_of(why));
	r->drop_pause = pause_ms;
	r->drop = loop_timer_add(r->loop, 0, drop_now, r);
}

void relay_write(struct nostr_relay *r, struct buf *frame)
{
	struct err e = {0};

	if (r->state != NOSTR_RELAY_OPEN || r->drop)
		return;
	if (buf_check(frame, "message", &e) < 0 ||
	    ws_client_send(r->client, buf_view(frame), &e) < 0)
		relay_drop(r, e.msg, 0);
}

/* --- authentication (NIP-42) --- */

static void auth_send(struct nostr_relay *r)
{
	auto_event struct nostr_event *ev = nostr_event_new(NOSTR_AUTH, clock_wall(), STR(""));
	auto_buf struct buf frame = BUF(NOSTR_FRAME_MAX);
	struct err e = {0};

	nostr_event_tag(ev, "relay", r->url);
	nostr_event_tag(ev, "challenge", r->challenge);
	r->fresh = false;
	if (nostr_event_sign(ev, r->key, &e) < 0) {
		log_broken("relay %s: authenticate: %s", r->url, e.msg);
		r->auth = RELAY_AUTH_FAILED;
		return;
	}
	memcpy(r->auth_id, ev->id, sizeof(r->auth_id));
	r->auth = RELAY_AUTH_SENT;
	nostr_frame_auth(&frame, ev);
	relay_write(r, &frame);
}

bool relay_authenticate(struct nostr_relay *r, enum nostr_prefix why)
{
	if (!r->key || (why != NOSTR_PREFIX_AUTH_REQUIRED && why != NOSTR_PREFIX_RESTRICTED))
		return false;
	if (r->auth == RELAY_AUTH_SENT)
		return true;
	if (r->fresh) {
		auth_send(r);
		return r->auth == RELAY_AUTH_SENT;
	}
	/* Some relays send the challenge after the refusal. */
	return r->auth == RELAY_AUTH_NONE && why == NOSTR_PREFIX_AUTH_REQUIRED;
}

static void auth_settled(struct nostr_relay *r, const struct nostr_frame *f)
{
	r->auth = f->ok ? RELAY_AUTH_DONE : RELAY_AUTH_FAILED;
	if (!f->ok)
		log_warn("relay %s refused our authentication", r->url);
	send_authenticated(r, f->ok);
	query_authenticated(r, f->ok);
}

static void challenged(struct nostr_relay *r, const struct nostr_frame *f)
{
	memcpy(r->challenge, f->text, sizeof(r->challenge));
	r->fresh = f->text[0] != '\0';
	/* At once: not every relay says in a refusal that authentication was missing. */
	if (r->key && r->fresh && r->auth == RELAY_AUTH_NONE)
		auth_send(r);
}

/* --- probing: a relay may answer pings and yet have lost its subscriptions --- */

static void probe_missed(void *ctx)
{
	struct nostr_relay *r = ctx;

	r->probe = NULL;
	relay_drop(r, "no answer to a probe", 0);
}

static void probe_send(void *ctx)
{
	auto_filter struct nostr_filter *f = nostr_filter_new();
	auto_buf struct buf frame = BUF(NOSTR_FRAME_MAX);
	struct nostr_relay *r = ctx;
	char id[24];

	r->faults_now = 0;
	r->probe_serial = ++r->serial;
	snprintf(id, sizeof(id), "q%llu", (unsigned long long)r->probe_serial);
	nostr_filter_kind(f, NOSTR_RELAY_LIST);
	f->limit = 0;
	nostr_frame_req(&frame, id, &f, 1);
	r->probe = loop_timer_add(r->loop, PROBE_WAIT, probe_missed, r);
	relay_write(r, &frame);
}

/* True where the message ended the probe. */
static bool probe_answered(struct nostr_relay *r, const struct nostr_frame *f)
{
	auto_buf struct buf frame = BUF(NOSTR_FRAME_MAX);
	char id[24];

	snprintf(id, sizeof(id), "q%llu", (unsigned long long)r->probe_serial);
	if (!r->probe_serial || strcmp(id, f->sub) != 0)
		return false;
	if (f->type == NOSTR_FRAME_EOSE) {
		nostr_frame_close(&frame, id);
		relay_write(r, &frame);
	}
	r->probe_serial = 0;
	timer_stop(&r->probe);
	r->probe = loop_timer_add(r->loop, PROBE_EVERY, probe_send, r);
	return true;
}

/* --- messages --- */

static void handle(struct nostr_relay *r, struct nostr_frame *f)
{
	switch (f->type) {
	case NOSTR_FRAME_EVENT:
		r->events++;
		query_event(r, f->sub, f->event);
		return;
	case NOSTR_FRAME_EOSE:
		if (!probe_answered(r, f))
			query_eose(r, f->sub);
		return;
	case NOSTR_FRAME_CLOSED:
		if (!probe_answered(r, f))
			query_closed(r, f->sub, f->text);
		return;
	case NOSTR_FRAME_OK:
		if (r->auth == RELAY_AUTH_SENT && memcmp(f->id, r->auth_id, 32) == 0)
			auth_settled(r, f);
		else
			send_ok(r, f);
		return;
	case NOSTR_FRAME_AUTH:
		challenged(r, f);
		return;
	case NOSTR_FRAME_NOTICE:
		str_printable(r->error, sizeof(r->error), str_of(f->text));
		log_debug("relay %s says: %s", r->url, r->error);
		return;
	case NOSTR_FRAME_REQ:
	case NOSTR_FRAME_CLOSE:
		return;
	}
}

static void message(struct nostr_relay *r, struct str text)
{
	auto_frame struct nostr_frame f = {0};
	struct err e = {0};

	if (r->drop)
		return;
	if (nostr_frame_read(&f, NOSTR_FROM_RELAY, text, &e) < 0) {
		nostr_relay_fault(r, e.msg);
		return;
	}
	r->last_good = clock_wall();
	handle(r, &f);
}

/* --- connecting --- */

static void healthy(void *ctx)
{
	struct nostr_relay *r = ctx;

	r->healthy = NULL;
	backoff_reset(&r->backoff);
}

static void opened(struct nostr_relay *r)
{
	enter(r, NOSTR_RELAY_OPEN);
	r->error[0] = '\0';
	r->auth = RELAY_AUTH_NONE;
	r->fresh = false;
	r->faults_now = 0;
	r->probe_serial = 0;
	r->healthy = loop_timer_add(r->loop, HEALTHY_AFTER, healthy, r);
	r->probe = loop_timer_add(r->loop, PROBE_EVERY, probe_send, r);
	send_connected(r);
	query_connected(r);
	limits_ask(r);
}

static void on_ws(void *ctx, enum ws_event ev, struct str text)
{
	struct nostr_relay *r = ctx;
	char why[sizeof(r->error)];

	switch (ev) {
	case WS_OPEN:
		opened(r);
		return;
	case WS_MESSAGE:
		message(r, text);
		return;
	case WS_CLOSED:
		str_printable(why, sizeof(why), text.n ? text : STR("connection closed"));
		disconnected(r, why, r->drop ? r->drop_pause : 0);
		return;
	}
}

static int try_connect(struct nostr_relay *r, struct err *e)
{
	enter(r, NOSTR_RELAY_CONNECTING);
	return ws_client_new(&r->client, r->ws, r->url, NOSTR_FRAME_MAX, on_ws, r, e);
}

static void connect_now(void *ctx)
{
	struct nostr_relay *r = ctx;
	struct err e = {0};

	r->retry = NULL;
	if (try_connect(r, &e) < 0)
		disconnected(r, e.msg, 0);
}

int nostr_relay_new(struct nostr_relay **out, const struct nostr_relay_ask *a, struct err *e)
{
	AUTO(nostr_relay_free) struct nostr_relay *r = mem_zero(sizeof(*r));

	r->loop = a->loop;
	r->ws = a->ws;
	r->key = a->key;
	r->http = a->http;
	r->url = mem_strdup(a->url);
	r->backoff = BACKOFF(BACKOFF_FIRST, BACKOFF_MAX);
	r->hold = BACKOFF(HOLD_FIRST, HOLD_MAX);
	r->per_second = a->per_second;
	r->burst = a->burst;
	r->tokens = (int64_t)a->burst * 1000;
	r->filled_at = clock_mono_ms();
	if (try_connect(r, e) < 0)
		return err_wrap(e, "relay %s", a->url);
	*out = steal(&r);
	return 0;
}

void nostr_relay_free(struct nostr_relay *r)
{
	if (!r)
		return;
	query_free_all(r);
	send_free_all(r);
	limits_stop(r);
	timer_stop(&r->retry);
	timer_stop(&r->healthy);
	timer_stop(&r->drop);
	timer_stop(&r->probe);
	ws_client_free(r->client);
	free(r->url);
	free(r);
}

const char *nostr_relay_url(const struct nostr_relay *r)
{
	return r->url;
}

bool nostr_relay_takes_old(const struct nostr_relay *r, int64_t seconds)
{
	return r->limits.oldest == 0 || (uint64_t)seconds <= r->limits.oldest;
}

void nostr_relay_status(const struct nostr_relay *r, struct nostr_relay_status *out)
{
	*out = (struct nostr_relay_status){
		.url = r->url,
		.state = r->state,
		.authenticated = r->state == NOSTR_RELAY_OPEN && r->auth == RELAY_AUTH_DONE,
		.since = r->since,
		.last_good = r->last_good,
		.events = r->events,
		.dropped = r->dropped,
		.faults = r->faults,
	};
	snprintf(out->error, sizeof(out->error), "%s", r->error);
}
