#include "nostr_fake.h"

#include <stdio.h>

#include "nostr_util.h"

#include "base/clock.h"

#define SUBS 16

struct fake_peer {
	bool authed;
	char challenge[16];
	struct {
		char id[NOSTR_SUB_MAX + 1];
		struct nostr_filter *filter;
	} subs[SUBS];
};

static void say(struct ws_peer *p, struct buf *text)
{
	struct err e = {0};

	if (ws_peer_send(p, buf_view(text), &e) < 0)
		fail_msg("fake relay: %s", e.msg);
	buf_reset(text);
}

static void challenge(struct ws_peer *p)
{
	auto_buf struct buf text = BUF(1024);
	struct fake_peer *fp = ws_peer_get(p);

	nostr_frame_challenge(&text, fp->challenge);
	say(p, &text);
}

static void on_open(void *ctx, struct ws_peer *p)
{
	struct fake *f = ctx;
	struct fake_peer *fp = mem_zero(sizeof(*fp));

	memcpy(fp->challenge, "challenge", 9);
	ws_peer_set(p, fp);
	f->peer = p;
	f->opens++;
	if (f->auth != FAKE_OPEN && !f->late_challenge)
		challenge(p);
}

static void on_closed(void *ctx, struct ws_peer *p)
{
	struct fake_peer *fp = ws_peer_get(p);
	struct fake *f = ctx;
	size_t i;

	if (f->peer == p)
		f->peer = NULL;
	for (i = 0; i < SUBS; i++)
		nostr_filter_free(fp->subs[i].filter);
	free(fp);
}

/* NULL: allowed. */
static const char *refusal(struct fake *f, struct ws_peer *p)
{
	struct fake_peer *fp = ws_peer_get(p);

	if (f->auth == FAKE_OPEN || fp->authed)
		return NULL;
	return f->auth == FAKE_RESTRICTED ? "restricted: no" : "auth-required: who are you";
}

static void send_stored(struct fake *f, struct ws_peer *p, const struct nostr_frame *req)
{
	auto_buf struct buf text = BUF(1 << 20);
	const struct nostr_filter *want = req->filters[0];
	int64_t left = want->limit >= 0 ? want->limit : 1000;
	size_t i;

	if (f->clamp && left > (int64_t)f->clamp)
		left = (int64_t)f->clamp;
	if (want->limit > 0 && f->npages < ARRAY_SIZE(f->until))
		f->until[f->npages++] = want->until;
	for (i = 0; i < f->nevents && left > 0; i++) {
		if (!f->ignores_filters && !nostr_filter_match(want, f->events[i]))
			continue;
		nostr_frame_event(&text, req->sub, f->events[i]);
		say(p, &text);
		left--;
	}
	nostr_frame_eose(&text, req->sub);
	say(p, &text);
}

static void on_req(struct fake *f, struct ws_peer *p, struct nostr_frame *req)
{
	auto_buf struct buf text = BUF(4096);
	struct fake_peer *fp = ws_peer_get(p);
	const char *no = refusal(f, p);
	size_t i;

	f->reqs++;
	if (f->mute)
		return;
	if (no) {
		nostr_frame_closed(&text, req->sub, no);
		say(p, &text);
		if (f->late_challenge)
			challenge(p);
		return;
	}
	for (i = 0; i < SUBS && fp->subs[i].filter;)
		i++;
	assert_true(i < SUBS);
	memcpy(fp->subs[i].id, req->sub, sizeof(req->sub));
	fp->subs[i].filter = nostr_filter_copy(req->filters[0]);
	send_stored(f, p, req);
}

static void on_event(struct fake *f, struct ws_peer *p, const struct nostr_event *ev)
{
	auto_buf struct buf text = BUF(4096);
	const char *no = refusal(f, p);

	f->published++;
	assert_int_equal(nostr_event_verify(ev, NULL), 0);
	if (!no)
		no = f->ok_text;
	if (no && no[0] == '\0')
		return;
	if (!no && f->fresh_only && ev->created_at < clock_wall() - 60)
		no = "invalid: event too old";
	if (no && f->nameless)
		buf_printf(&text, "[\"OK\",\"\",false,\"%s\"]", no);
	else
		nostr_frame_ok(&text, ev->id, no == NULL, no ? no : "");
	say(p, &text);
}

static void on_auth(struct fake *f, struct ws_peer *p, const struct nostr_event *ev)
{
	auto_buf struct buf text = BUF(4096);
	struct fake_peer *fp = ws_peer_get(p);

	f->auths++;
	assert_int_equal(ev->kind, NOSTR_AUTH);
	fp->authed = nostr_event_verify(ev, NULL) == 0 &&
		     str_is(nostr_event_value(ev, "challenge"), fp->challenge) &&
		     str_is(nostr_event_value(ev, "relay"), f->url);
	nostr_frame_ok(&text, ev->id, fp->authed, "");
	say(p, &text);
}

static void on_close(struct fake *f, struct ws_peer *p, const char *sub)
{
	struct fake_peer *fp = ws_peer_get(p);
	size_t i;

	f->closes++;
	for (i = 0; i < SUBS; i++) {
		if (!fp->subs[i].filter || strcmp(fp->subs[i].id, sub) != 0)
			continue;
		nostr_filter_free(fp->subs[i].filter);
		fp->subs[i].filter = NULL;
	}
}

static void on_message(void *ctx, struct ws_peer *p, struct str text)
{
	auto_frame struct nostr_frame m = {0};
	struct fake *f = ctx;
	struct err e = {0};

	if (nostr_frame_read(&m, NOSTR_FROM_CLIENT, text, &e) < 0)
		fail_msg("the pool sent nonsense: %s", e.msg);
	switch ((int)m.type) {
	case NOSTR_FRAME_REQ:
		on_req(f, p, &m);
		return;
	case NOSTR_FRAME_EVENT:
		on_event(f, p, m.event);
		return;
	case NOSTR_FRAME_AUTH:
		on_auth(f, p, m.event);
		return;
	case NOSTR_FRAME_CLOSE:
		on_close(f, p, m.sub);
		return;
	}
}

static void on_request(void *ctx, struct http_req *r)
{
	struct fake *f = ctx;

	f->asked_about++;
	assert_true(str_is(http_req_header(r, "accept"), "application/nostr+json"));
	if (f->about)
		http_reply(r, 200, "application/nostr+json", str_of(f->about));
	else
		http_reply(r, 404, "text/plain", STR("no"));
}

static const struct ws_server_ops ops = {
	.request = on_request, .open = on_open, .message = on_message, .closed = on_closed};

void fake_start(struct fake *f, struct ws_context *ws)
{
	struct err e = {0};

	if (ws_server_new(&f->server, ws, "127.0.0.1", 0, NOSTR_FRAME_MAX, &ops, f, &e) < 0)
		fail_msg("fake relay: %s", e.msg);
	snprintf(f->url, sizeof(f->url), "ws://127.0.0.1:%d", ws_server_port(f->server));
}

void fake_stop(struct fake *f)
{
	size_t i;

	ws_server_free(f->server);
	f->server = NULL;
	for (i = 0; i < f->nevents; i++)
		nostr_event_free(f->events[i]);
	free(f->events);
}

/* Newest first, as relays send. */
void fake_store(struct fake *f, struct nostr_event *ev_take)
{
	size_t i;

	f->events = mem_grow(f->events, f->nevents + 1, sizeof(struct nostr_event *));
	for (i = f->nevents++; i > 0 && f->events[i - 1]->created_at < ev_take->created_at; i--)
		f->events[i] = f->events[i - 1];
	f->events[i] = ev_take;
}

void fake_broadcast(struct fake *f, const struct nostr_event *ev)
{
	auto_buf struct buf text = BUF(1 << 16);
	struct fake_peer *fp;
	size_t i;

	assert_non_null(f->peer);
	fp = ws_peer_get(f->peer);
	for (i = 0; i < SUBS; i++) {
		if (!fp->subs[i].filter ||
		    (!f->ignores_filters && !nostr_filter_match(fp->subs[i].filter, ev)))
			continue;
		nostr_frame_event(&text, fp->subs[i].id, ev);
		say(f->peer, &text);
	}
}
