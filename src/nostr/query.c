/* The subscriptions of one relay. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "nostr/relay_own.h"

enum { RETRY_FIRST = 2000, RETRY_MAX = 300 * 1000 };

enum query_state {
	QUERY_WAITING, /* for the connection, or for `timer` to ask again */
	QUERY_AUTH,    /* for the authentication */
	QUERY_SENT,
	QUERY_OPEN, /* EOSE came */
};

struct nostr_query {
	struct nostr_query *next;
	struct nostr_relay *relay;
	enum nostr_query_mode mode;
	enum query_state state;
	char id[24];
	struct nostr_filter **filters;
	size_t nfilters;
	const struct nostr_query_ops *ops;
	void *ctx;
	struct backoff backoff;
	struct loop_timer *timer;
};

static void query_unlink(struct nostr_query *q)
{
	struct nostr_query **at;

	for (at = &q->relay->queries; *at != q;)
		at = &(*at)->next;
	*at = q->next;
}

static void query_free(struct nostr_query *q)
{
	size_t i;

	if (!q)
		return;
	loop_timer_del(q->timer);
	for (i = 0; i < q->nfilters; i++)
		nostr_filter_free(q->filters[i]);
	free(q->filters);
	free(q);
}
DEFINE_AUTO(struct nostr_query, query_free)

void query_free_all(struct nostr_relay *r)
{
	struct nostr_query *q;

	while ((q = r->queries)) {
		r->queries = q->next;
		query_free(q);
	}
}

static void ask(struct nostr_query *q)
{
	auto_buf struct buf frame = BUF(NOSTR_FRAME_MAX);
	struct nostr_relay *r = q->relay;

	snprintf(q->id, sizeof(q->id), "q%llu", (unsigned long long)++r->serial);
	q->state = QUERY_SENT;
	nostr_frame_req(&frame, q->id, q->filters, q->nfilters);
	relay_write(r, &frame);
}

static void ask_again(void *ctx)
{
	struct nostr_query *q = ctx;

	q->timer = NULL;
	if (q->relay->state == NOSTR_RELAY_OPEN)
		ask(q);
}

/* Tell the owner; the query may be gone afterwards. */
static void lose(struct nostr_query *q, const char *why)
{
	if (q->mode == NOSTR_QUERY_ONCE) {
		AUTO(query_free) struct nostr_query *dead = q;

		query_unlink(dead);
		dead->ops->lost(dead->ctx, why);
		return;
	}
	q->state = QUERY_WAITING;
	q->ops->lost(q->ctx, why);
}

static void lose_now(void *ctx)
{
	struct nostr_query *q = ctx;

	q->timer = NULL;
	lose(q, "not connected");
}

struct nostr_query *nostr_relay_query(struct nostr_relay *r, enum nostr_query_mode mode,
				      struct nostr_filter *const *filters, size_t n,
				      const struct nostr_query_ops *ops, void *ctx)
{
	struct nostr_query *q = mem_zero(sizeof(*q));
	size_t i;

	q->relay = r;
	q->mode = mode;
	q->ops = ops;
	q->ctx = ctx;
	q->backoff = BACKOFF(RETRY_FIRST, RETRY_MAX);
	q->filters = mem_array(n, sizeof(struct nostr_filter *));
	for (i = 0; i < n; i++)
		q->filters[q->nfilters++] = nostr_filter_copy(filters[i]);
	q->next = r->queries;
	r->queries = q;
	if (r->state == NOSTR_RELAY_OPEN)
		ask(q);
	else if (r->state == NOSTR_RELAY_WAITING && mode == NOSTR_QUERY_ONCE)
		q->timer = loop_timer_add(r->loop, 0, lose_now, q);
	return q;
}

static void tell_close(struct nostr_query *q)
{
	auto_buf struct buf frame = BUF(NOSTR_FRAME_MAX);

	if (q->state != QUERY_SENT && q->state != QUERY_OPEN)
		return;
	nostr_frame_close(&frame, q->id);
	relay_write(q->relay, &frame);
}

void nostr_query_end(struct nostr_query *q)
{
	if (!q)
		return;
	tell_close(q);
	query_unlink(q);
	query_free(q);
}

void query_connected(struct nostr_relay *r)
{
	struct nostr_query *q;

	for (q = r->queries; q; q = q->next) {
		loop_timer_del(q->timer);
		q->timer = NULL;
		ask(q);
	}
}

/* A callback may end any query, so every search starts over. */
static struct nostr_query *first_in(struct nostr_relay *r, bool (*want)(const struct nostr_query *))
{
	struct nostr_query *q;

	for (q = r->queries; q && !want(q);)
		q = q->next;
	return q;
}

static bool is_gone(const struct nostr_query *q)
{
	return q->state != QUERY_WAITING || (q->mode == NOSTR_QUERY_ONCE && !q->timer);
}

static bool wants_auth(const struct nostr_query *q)
{
	return q->state == QUERY_AUTH;
}

void query_disconnected(struct nostr_relay *r, const char *why)
{
	struct nostr_query *q;

	while ((q = first_in(r, is_gone)))
		lose(q, why);
}

/* The relay does not want it: once is enough, a live one is asked again later. */
static void refuse(struct nostr_query *q, const char *why)
{
	if (q->mode == NOSTR_QUERY_LIVE && !q->timer)
		q->timer = loop_timer_add(q->relay->loop, backoff_next(&q->backoff), ask_again, q);
	lose(q, why);
}

void query_authenticated(struct nostr_relay *r, bool ok)
{
	struct nostr_query *q;

	while ((q = first_in(r, wants_auth))) {
		if (ok)
			ask(q);
		else
			refuse(q, "authentication refused");
	}
}

static struct nostr_query *find(struct nostr_relay *r, const char *sub)
{
	struct nostr_query *q;

	for (q = r->queries; q; q = q->next)
		if ((q->state == QUERY_SENT || q->state == QUERY_OPEN) && strcmp(q->id, sub) == 0)
			return q;
	return NULL;
}

/* Messages for a subscription that was just closed are no fault; one that never was is. */
static bool was_ours(const struct nostr_relay *r, const char *sub)
{
	uint64_t serial;

	return sub[0] == 'q' && str_u64(str_of(sub + 1), r->serial, &serial, NULL) == 0;
}

void query_event(struct nostr_relay *r, const char *sub, struct nostr_event *ev)
{
	struct nostr_query *q = find(r, sub);
	size_t i;

	if (!q && !was_ours(r, sub))
		nostr_relay_fault(r, "event for no subscription");
	if (!q)
		return;
	for (i = 0; i < q->nfilters; i++) {
		if (nostr_filter_match(q->filters[i], ev)) {
			q->ops->event(q->ctx, ev);
			return;
		}
	}
	nostr_relay_fault(r, "event that was not asked for");
}

void query_eose(struct nostr_relay *r, const char *sub)
{
	struct nostr_query *q = find(r, sub);

	if (!q || q->state == QUERY_OPEN)
		return;
	q->state = QUERY_OPEN;
	backoff_reset(&q->backoff);
	if (q->mode == NOSTR_QUERY_ONCE) {
		AUTO(query_free) struct nostr_query *dead = q;

		tell_close(dead);
		query_unlink(dead);
		dead->ops->eose(dead->ctx);
		return;
	}
	q->ops->eose(q->ctx);
}

void query_closed(struct nostr_relay *r, const char *sub, const char *why)
{
	struct nostr_query *q = find(r, sub);

	if (!q)
		return;
	if (relay_authenticate(r, nostr_prefix_of(why))) {
		q->state = QUERY_AUTH;
		return;
	}
	q->state = QUERY_WAITING;
	refuse(q, why);
}
