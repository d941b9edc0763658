/* Publishing to one relay: EVENT until its OK. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "nostr/relay_own.h"

enum { TIMEOUT_DEFAULT = 15 * 1000 };

enum send_state {
	SEND_WAITING, /* for the connection, or for `again` */
	SEND_AUTH,    /* for the authentication */
	SEND_SENT,
};

struct nostr_send {
	struct nostr_send *next;
	struct nostr_relay *relay;
	enum send_state state;
	enum nostr_urgency urgency;
	bool left;	/* was sent at least once */
	uint64_t order; /* … as the so many-th */
	uint8_t id[32];
	size_t content; /* bytes of the event's content */
	struct buf frame;
	struct loop_timer *timeout, *again;
	nostr_send_fn *fn;
	void *ctx;
};

static void send_unlink(struct nostr_send *s)
{
	struct nostr_send **at;

	for (at = &s->relay->sends; *at != s;)
		at = &(*at)->next;
	*at = s->next;
}

static void send_free(struct nostr_send *s)
{
	loop_timer_del(s->timeout);
	loop_timer_del(s->again);
	buf_free(&s->frame);
	free(s);
}

void send_free_all(struct nostr_relay *r)
{
	struct nostr_send *s;

	while ((s = r->sends)) {
		r->sends = s->next;
		send_free(s);
	}
}

static void finish(struct nostr_send *s, enum nostr_pub_state state, const char *why)
{
	nostr_send_fn *fn = s->fn;
	void *ctx = s->ctx;

	send_unlink(s);
	send_free(s);
	fn(ctx, state, why);
}

static void timed_out(void *ctx)
{
	struct nostr_send *s = ctx;

	s->timeout = NULL;
	if (s->left)
		finish(s, NOSTR_PUB_SILENT, "no answer");
	else
		finish(s, NOSTR_PUB_OFFLINE, "not connected");
}

static void transmit(struct nostr_send *s);

static void transmit_again(void *ctx)
{
	struct nostr_send *s = ctx;

	s->again = NULL;
	transmit(s);
}

static void held_back(void *ctx)
{
	struct nostr_send *s = ctx;

	s->again = NULL;
	finish(s, NOSTR_PUB_OFFLINE, "held back: rate-limited");
}

static void too_large(void *ctx)
{
	struct nostr_send *s = ctx;

	s->again = NULL;
	finish(s, NOSTR_PUB_REFUSED, "larger than the relay says that it takes");
}

static bool is_too_large(const struct nostr_send *s)
{
	const struct nostr_limits *l = &s->relay->limits;

	return (l->message_max && s->frame.n > l->message_max) ||
	       (l->content_max && s->content > l->content_max);
}

/* While the relay limits us only what is urgent goes out. */
static void transmit(struct nostr_send *s)
{
	struct nostr_relay *r = s->relay;
	int64_t wait = r->held_until - clock_mono_ms();

	if (r->state != NOSTR_RELAY_OPEN || s->again)
		return;
	if (wait > 0 && s->urgency != NOSTR_PUB_URGENT) {
		s->again = s->urgency == NOSTR_PUB_DROPPABLE
				   ? loop_timer_add(r->loop, 0, held_back, s)
				   : loop_timer_add(r->loop, wait, transmit_again, s);
		return;
	}
	if (is_too_large(s)) {
		s->again = loop_timer_add(r->loop, 0, too_large, s);
		return;
	}
	s->state = SEND_SENT;
	s->left = true;
	s->order = ++r->sent;
	relay_write(r, &s->frame);
}

struct nostr_send *nostr_relay_send(struct nostr_relay *r, const struct nostr_pub_ask *a,
				    nostr_send_fn *fn, void *ctx)
{
	struct nostr_send *s = mem_zero(sizeof(*s)), **at;
	int64_t timeout = a->timeout_ms > 0 ? a->timeout_ms : TIMEOUT_DEFAULT;

	s->relay = r;
	s->urgency = a->urgency;
	s->fn = fn;
	s->ctx = ctx;
	s->frame = BUF(NOSTR_FRAME_MAX);
	memcpy(s->id, a->event->id, sizeof(s->id));
	s->content = a->event->content.n;
	nostr_frame_event(&s->frame, NULL, a->event);
	s->timeout = loop_timer_add(r->loop, timeout, timed_out, s);
	for (at = &r->sends;
	     *at && (a->urgency != NOSTR_PUB_URGENT || (*at)->urgency == NOSTR_PUB_URGENT);)
		at = &(*at)->next;
	s->next = *at;
	*at = s;
	transmit(s);
	return s;
}

void nostr_send_cancel(struct nostr_send *s)
{
	if (!s)
		return;
	send_unlink(s);
	send_free(s);
}

void send_connected(struct nostr_relay *r)
{
	struct nostr_send *s;

	for (s = r->sends; s; s = s->next)
		transmit(s);
}

void send_disconnected(struct nostr_relay *r)
{
	struct nostr_send *s;

	for (s = r->sends; s; s = s->next)
		s->state = SEND_WAITING;
}

/* `again`, when set, runs a callback; those sends are not touched here. */
void send_authenticated(struct nostr_relay *r, bool ok)
{
	struct nostr_send *s, *next;

	for (s = r->sends; s; s = s->next)
		if (ok && s->state == SEND_AUTH)
			transmit(s);
	while (!ok) {
		for (next = r->sends; next && next->state != SEND_AUTH;)
			next = next->next;
		if (!next)
			return;
		finish(next, NOSTR_PUB_REFUSED, "authentication refused");
	}
}

static void rate_limited(struct nostr_send *s, const char *why)
{
	struct nostr_relay *r = s->relay;
	int64_t now = clock_mono_ms();

	if (r->held_until <= now)
		r->held_until = now + backoff_next(&r->hold);
	s->state = SEND_WAITING;
	if (s->urgency == NOSTR_PUB_DROPPABLE)
		finish(s, NOSTR_PUB_OFFLINE, why);
	else if (!s->again)
		s->again = loop_timer_add(r->loop, r->held_until - now, transmit_again, s);
}

static void refused(struct nostr_send *s, const char *why)
{
	switch (nostr_prefix_of(why)) {
	case NOSTR_PREFIX_DUPLICATE:
		finish(s, NOSTR_PUB_ACCEPTED, why);
		return;
	case NOSTR_PREFIX_RATE_LIMITED:
		rate_limited(s, why);
		return;
	case NOSTR_PREFIX_AUTH_REQUIRED:
	case NOSTR_PREFIX_RESTRICTED:
		if (relay_authenticate(s->relay, nostr_prefix_of(why))) {
			s->state = SEND_AUTH;
			return;
		}
		break;
	case NOSTR_PREFIX_NONE:
	case NOSTR_PREFIX_POW:
	case NOSTR_PREFIX_BLOCKED:
	case NOSTR_PREFIX_INVALID:
	case NOSTR_PREFIX_MUTE:
	case NOSTR_PREFIX_ERROR:
		break;
	}
	finish(s, NOSTR_PUB_REFUSED, why);
}

/* Whom an OK answers. Relays answer in order: one without an id is for the oldest. */
static struct nostr_send *find_sent(struct nostr_relay *r, const struct nostr_frame *f)
{
	struct nostr_send *s, *oldest = NULL;

	for (s = r->sends; s; s = s->next) {
		if (s->state != SEND_SENT)
			continue;
		if (!f->nameless && memcmp(s->id, f->id, sizeof(s->id)) == 0)
			return s;
		if (!oldest || s->order < oldest->order)
			oldest = s;
	}
	return f->nameless ? oldest : NULL;
}

void send_ok(struct nostr_relay *r, const struct nostr_frame *f)
{
	struct nostr_send *s = find_sent(r, f);

	if (!s)
		return;
	if (!f->ok) {
		refused(s, f->text);
		return;
	}
	backoff_reset(&r->hold);
	finish(s, NOSTR_PUB_ACCEPTED, f->text);
}
