#include "devnet/relay.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/jsonw.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "devnet/relay_store.h"
#include "nostr/frame.h"

#define SUBS_MAX    200
#define RESULTS_MAX 500
#define KEYS_MAX    16
#define FUTURE_MAX  900 /* seconds that an event may be ahead */
#define AUTH_WINDOW 600
#define REORDER_MS  500

struct sub {
	struct sub *next;
	char id[NOSTR_SUB_MAX + 1];
	struct nostr_filter **filters;
	size_t n;
};

/* A frame that waits: delayed on its way in, or held back on its way out. */
struct late {
	struct late *next;
	struct session *session;
	struct loop_timer *timer;
	char *text;
	size_t n;
};

struct session {
	struct session *prev, *next;
	struct relay_node *relay;
	struct ws_peer *peer;
	char challenge[33];
	struct pubkey keys[KEYS_MAX];
	size_t nkeys;
	struct sub *subs;
	size_t nsubs;
	struct late *delayed, *held;
};

struct relay_node {
	struct loop *loop;
	struct ws_server *server;
	struct relay_store *store;
	struct faults *faults;
	enum relay_guard guard;
	struct session *sessions;
	uint64_t events, wraps, refused, requests, delivered;
};

static void send_text(struct session *s, const struct buf *b)
{
	struct err e;

	if (ws_peer_send(s->peer, buf_view(b), &e) < 0)
		ws_peer_close(s->peer);
}

/* --- frames that wait --- */

static void late_free(struct late **list, struct late *x)
{
	while (*list != x)
		list = &(*list)->next;
	*list = x->next;
	loop_timer_del(x->timer);
	free(x->text);
	free(x);
}

static void late_add(struct late **list, struct session *s, struct str text, int64_t ms,
		     loop_timer_fn *fn)
{
	struct late *x = mem_zero(sizeof(*x));

	*x = (struct late){.next = *list, .session = s, .n = text.n};
	x->text = mem_strndup(text.p, text.n);
	x->timer = loop_timer_add(s->relay->loop, ms, fn, x);
	*list = x;
}

static void send_held(void *ctx)
{
	struct late *x = ctx;
	struct session *s = x->session;
	struct err e;

	x->timer = NULL;
	(void)!ws_peer_send(s->peer, (struct str){x->text, x->n}, &e);
	late_free(&s->held, x);
}

/* --- who may see what --- */

static bool is_private(uint32_t kind)
{
	return kind == NOSTR_DM_NIP04 || kind == NOSTR_WRAP || kind == NOSTR_WRAP_EPHEMERAL;
}

static bool may_see(const struct session *s, const struct nostr_event *ev)
{
	if (s->relay->guard == RELAY_OPEN || !is_private(ev->kind))
		return true;
	for (size_t i = 0; i < s->nkeys; i++) {
		if (pubkey_eq(&s->keys[i], &ev->pubkey) || nostr_event_names_key(ev, &s->keys[i]))
			return true;
	}
	return false;
}

static bool asks_private(const struct nostr_filter *f)
{
	for (size_t i = 0; i < f->nkinds; i++) {
		if (is_private(f->kinds[i]))
			return true;
	}
	return false;
}

/* --- events going out --- */

/* What is damaged must still read as an event, or the other side learns nothing from it. */
static void damage(struct nostr_event *ev, enum fault_lie lie)
{
	if (lie == LIE_EVENT) {
		nostr_event_set_content(ev, STR("this is not what was signed"));
		return;
	}
	ev->sig[40] ^= 1;
}

static void write_event(struct buf *b, const struct session *s, const char *sub,
			const struct stored_event *x)
{
	struct fault_scene scene = {.frame = "OUT", .kind = x->event->kind};
	struct nostr_event *ev auto_event = NULL;
	struct fault f;

	if (!faults_take(s->relay->faults, FAULT_LIE, &scene, &f)) {
		nostr_frame_event(b, sub, x->event);
		return;
	}
	ev = nostr_event_copy(x->event);
	damage(ev, f.lie);
	nostr_frame_event(b, sub, ev);
}

static void deliver(struct session *s, const char *sub, const struct stored_event *x)
{
	struct fault_scene scene = {.frame = "OUT", .kind = x->event->kind};
	struct faults *faults = s->relay->faults;
	auto_buf struct buf b = BUF(2 * NOSTR_EVENT_MAX);
	struct fault f;

	if (faults_take(faults, FAULT_DROP, &scene, &f))
		return;
	write_event(&b, s, sub, x);
	s->relay->delivered++;
	if (faults_take(faults, FAULT_REORDER, &scene, &f)) {
		late_add(&s->held, s, buf_view(&b), REORDER_MS, send_held);
		return;
	}
	send_text(s, &b);
	if (faults_take(faults, FAULT_DUPLICATE, &scene, &f))
		send_text(s, &b);
	while (s->held)
		send_held(s->held);
}

static void broadcast(struct relay_node *r, const struct stored_event *x)
{
	for (struct session *s = r->sessions; s; s = s->next) {
		if (!may_see(s, x->event))
			continue;
		for (struct sub *q = s->subs; q; q = q->next) {
			bool wanted = false;

			for (size_t i = 0; i < q->n && !wanted; i++)
				wanted = nostr_filter_match(q->filters[i], x->event);
			if (wanted)
				deliver(s, q->id, x);
		}
	}
}

/* --- what a frame is, for faults --- */

static const char *frame_name(enum nostr_frame_type t)
{
	switch (t) {
	case NOSTR_FRAME_EVENT:
		return "EVENT";
	case NOSTR_FRAME_REQ:
		return "REQ";
	case NOSTR_FRAME_CLOSE:
		return "CLOSE";
	case NOSTR_FRAME_AUTH:
		return "AUTH";
	case NOSTR_FRAME_OK:
	case NOSTR_FRAME_EOSE:
	case NOSTR_FRAME_CLOSED:
	case NOSTR_FRAME_NOTICE:
		break;
	}
	return "?";
}

static int64_t frame_kind(const struct nostr_frame *f)
{
	if (f->event)
		return f->event->kind;
	if (f->nfilters && f->filters[0]->nkinds)
		return f->filters[0]->kinds[0];
	return -1;
}

/* --- EVENT --- */

static void say_ok(struct session *s, const struct nostr_event *ev, bool ok, const char *text)
{
	auto_buf struct buf b = BUF(4096);

	nostr_frame_ok(&b, ev->id, ok, text);
	send_text(s, &b);
	s->relay->refused += !ok;
}

static const char *reason_against(const struct session *s, const struct nostr_event *ev)
{
	int64_t now = clock_wall();
	struct err e;

	if (nostr_event_verify(ev, &e) < 0)
		return "invalid: id or signature is wrong";
	if (ev->created_at > now + FUTURE_MAX)
		return "invalid: created_at is too far in the future";
	if (nostr_event_expired(ev, now))
		return "invalid: the event has expired";
	if (ev->kind == NOSTR_AUTH)
		return "invalid: use AUTH";
	if (s->relay->guard == RELAY_GUARDED && ev->kind == NOSTR_DM_NIP04 && !s->nkeys)
		return "auth-required: authenticate to send private messages";
	return NULL;
}

enum answer { ANSWER, SILENT };

static void store_event(struct session *s, struct nostr_event *ev, enum answer answer)
{
	struct relay_node *r = s->relay;
	struct nostr_event *copy auto_event = nostr_event_copy(ev); /* for its id */
	const struct stored_event *kept;
	enum relay_put how;
	struct err e;

	if (relay_store_put(r->store, ev, &how, &kept, &e) < 0) {
		log_warn("relay: %s", e.msg);
		say_ok(s, copy, false, "error: not stored");
		return;
	}
	if (kept)
		broadcast(r, kept);
	if (answer == ANSWER)
		say_ok(s, copy, true,
		       how == RELAY_NEW		? ""
		       : how == RELAY_DUPLICATE ? "duplicate: have it"
						: "duplicate: have a newer one");
}

static void on_event(struct session *s, struct nostr_frame *f)
{
	struct relay_node *r = s->relay;
	struct fault_scene scene = {.frame = "EVENT", .kind = f->event->kind};
	const char *against = reason_against(s, f->event);
	struct fault fault;
	enum answer answer = ANSWER;

	r->events++;
	r->wraps += f->event->kind == NOSTR_WRAP;
	if (against) {
		say_ok(s, f->event, false, against);
		return;
	}
	if (faults_take(r->faults, FAULT_REFUSE, &scene, &fault)) {
		say_ok(s, f->event, false, fault.text[0] ? fault.text : "blocked: by the test");
		return;
	}
	if (faults_take(r->faults, FAULT_SHADOW, &scene, &fault)) {
		say_ok(s, f->event, true, "");
		return;
	}
	if (faults_take(r->faults, FAULT_FORGET, &scene, &fault))
		answer = SILENT;
	if (nostr_kind_ephemeral(f->event->kind)) {
		struct stored_event x = {.event = f->event};

		broadcast(r, &x);
		if (answer == ANSWER)
			say_ok(s, f->event, true, "");
		return;
	}
	store_event(s, steal(&f->event), answer);
}

/* --- REQ and CLOSE --- */

static void sub_free(struct session *s, struct sub **at)
{
	struct sub *q = *at;

	*at = q->next;
	for (size_t i = 0; i < q->n; i++)
		nostr_filter_free(q->filters[i]);
	free(q->filters);
	free(q);
	s->nsubs--;
}

static void sub_close(struct session *s, const char *id)
{
	for (struct sub **at = &s->subs; *at; at = &(*at)->next) {
		if (strcmp((*at)->id, id) == 0) {
			sub_free(s, at);
			return;
		}
	}
}

static void say_closed(struct session *s, const char *sub, const char *text)
{
	auto_buf struct buf b = BUF(4096);

	nostr_frame_closed(&b, sub, text);
	send_text(s, &b);
}

struct stored_answer {
	struct session *session;
	const char *sub;
};

static void deliver_stored(void *ctx, const struct stored_event *x)
{
	const struct stored_answer *a = ctx;

	if (may_see(a->session, x->event))
		deliver(a->session, a->sub, x);
}

static struct sub *sub_open(struct session *s, struct nostr_frame *f)
{
	struct sub *q = mem_zero(sizeof(*q));

	snprintf(q->id, sizeof(q->id), "%s", f->sub);
	q->filters = f->filters;
	q->n = f->nfilters;
	f->filters = NULL;
	f->nfilters = 0;
	q->next = s->subs;
	s->subs = q;
	s->nsubs++;
	return q;
}

static void answer_stored(struct session *s, struct sub *q)
{
	struct stored_answer a = {s, q->id};
	auto_buf struct buf b = BUF(4096);

	for (size_t i = 0; i < q->n; i++) {
		int64_t limit = q->filters[i]->limit;

		if (limit < 0 || limit > RESULTS_MAX)
			limit = RESULTS_MAX;
		relay_store_find(s->relay->store, q->filters[i], clock_wall(), (size_t)limit,
				 deliver_stored, &a);
	}
	nostr_frame_eose(&b, q->id);
	send_text(s, &b);
}

static const char *reason_against_req(const struct session *s, const struct nostr_frame *f)
{
	if (s->nsubs >= SUBS_MAX)
		return "error: too many subscriptions";
	for (size_t i = 0; i < f->nfilters; i++) {
		if (s->relay->guard == RELAY_GUARDED && !s->nkeys && asks_private(f->filters[i]))
			return "auth-required: authenticate to read private messages";
	}
	return NULL;
}

static void on_req(struct session *s, struct nostr_frame *f)
{
	struct relay_node *r = s->relay;
	struct fault_scene scene = {.frame = "REQ", .kind = -1};
	const char *against;
	struct fault fault;

	r->requests++;
	sub_close(s, f->sub);
	against = reason_against_req(s, f);
	if (!against && faults_take(r->faults, FAULT_REFUSE, &scene, &fault))
		against = fault.text[0] ? fault.text : "error: by the test";
	if (against)
		say_closed(s, f->sub, against);
	else if (faults_take(r->faults, FAULT_FORGET, &scene, &fault))
		sub_open(s, f);
	else
		answer_stored(s, sub_open(s, f));
}

/* --- AUTH --- */

static const char *reason_against_auth(const struct session *s, const struct nostr_event *ev)
{
	int64_t now = clock_wall();
	auto_free char *here = mem_printf("127.0.0.1:%d", ws_server_port(s->relay->server));
	struct str relay = nostr_event_value(ev, "relay");
	struct err e;

	if (ev->kind != NOSTR_AUTH || nostr_event_verify(ev, &e) < 0)
		return "invalid: kind, id or signature is wrong";
	if (!str_is(nostr_event_value(ev, "challenge"), s->challenge))
		return "invalid: another challenge";
	if (!relay.p || !memmem(relay.p, relay.n, here, strlen(here)))
		return "invalid: another relay";
	if (ev->created_at < now - AUTH_WINDOW || ev->created_at > now + AUTH_WINDOW)
		return "invalid: not now";
	return s->nkeys == KEYS_MAX ? "restricted: too many keys" : NULL;
}

static void on_auth(struct session *s, struct nostr_frame *f)
{
	const char *against = reason_against_auth(s, f->event);

	if (!against)
		s->keys[s->nkeys++] = f->event->pubkey;
	say_ok(s, f->event, !against, against ? against : "");
}

/* --- frames coming in --- */

static void act(struct session *s, struct nostr_frame *f)
{
	if (f->type == NOSTR_FRAME_EVENT)
		on_event(s, f);
	else if (f->type == NOSTR_FRAME_REQ)
		on_req(s, f);
	else if (f->type == NOSTR_FRAME_CLOSE)
		sub_close(s, f->sub);
	else if (f->type == NOSTR_FRAME_AUTH)
		on_auth(s, f);
}

static void notice(struct session *s, const char *text)
{
	auto_buf struct buf b = BUF(4096);

	nostr_frame_notice(&b, text);
	send_text(s, &b);
}

static void frame_delayed(void *ctx)
{
	struct late *x = ctx;
	struct session *s = x->session;
	struct nostr_frame f auto_frame = {0};
	struct err e;

	x->timer = NULL;
	if (nostr_frame_read(&f, NOSTR_FROM_CLIENT, (struct str){x->text, x->n}, &e) == 0)
		act(s, &f);
	late_free(&s->delayed, x);
}

static void message(void *ctx, struct ws_peer *p, struct str text)
{
	struct session *s = ws_peer_get(p);
	struct faults *faults = s->relay->faults;
	struct nostr_frame f auto_frame = {0};
	struct fault_scene scene;
	struct fault fault;
	struct err e;

	if (nostr_frame_read(&f, NOSTR_FROM_CLIENT, text, &e) < 0) {
		notice(s, e.msg);
		return;
	}
	scene = (struct fault_scene){.frame = frame_name(f.type), .kind = frame_kind(&f)};
	if (faults_take(faults, FAULT_CLOSE, &scene, &fault))
		ws_peer_close(p);
	else if (faults_take(faults, FAULT_DROP, &scene, &fault))
		log_debug("relay: dropped %s", scene.frame);
	else if (faults_take(faults, FAULT_DELAY, &scene, &fault))
		late_add(&s->delayed, s, text, (int64_t)fault.ms, frame_delayed);
	else
		act(s, &f);
}

/* --- connections --- */

static void open_session(void *ctx, struct ws_peer *p)
{
	struct relay_node *r = ctx;
	struct session *s = mem_zero(sizeof(*s));
	auto_buf struct buf b = BUF(256), hex = BUF(64);
	uint8_t random[16];

	*s = (struct session){.relay = r, .peer = p, .next = r->sessions};
	if (s->next)
		s->next->prev = s;
	r->sessions = s;
	ws_peer_set(p, s);
	if (r->guard == RELAY_OPEN)
		return;
	rand_bytes(random, sizeof(random));
	buf_hex(&hex, random, sizeof(random));
	snprintf(s->challenge, sizeof(s->challenge), "%s", hex.p);
	nostr_frame_challenge(&b, s->challenge);
	send_text(s, &b);
}

static void close_session(void *ctx, struct ws_peer *p)
{
	struct session *s = ws_peer_get(p);

	while (s->subs)
		sub_free(s, &s->subs);
	while (s->delayed)
		late_free(&s->delayed, s->delayed);
	while (s->held)
		late_free(&s->held, s->held);
	if (s->prev)
		s->prev->next = s->next;
	else
		s->relay->sessions = s->next;
	if (s->next)
		s->next->prev = s->prev;
	free(s);
}

/* NIP-11 */
static void information(void *ctx, struct http_req *q)
{
	struct relay_node *r = ctx;
	auto_buf struct buf b = BUF(4096);
	struct jsonw w = JSONW(&b);

	jsonw_object(&w, NULL);
	jsonw_text(&w, "name", "lease-devnet");
	jsonw_text(&w, "description", "a relay for trials on one machine");
	jsonw_text(&w, "software", "leased");
	jsonw_text(&w, "version", PACKAGE_VERSION);
	jsonw_raw(&w, "supported_nips",
		  r->guard == RELAY_GUARDED ? STR("[1,11,40,42]") : STR("[1,11,40]"));
	jsonw_object(&w, "limitation");
	jsonw_u64(&w, "max_message_length", NOSTR_FRAME_MAX);
	jsonw_u64(&w, "max_subscriptions", SUBS_MAX);
	jsonw_u64(&w, "max_limit", RESULTS_MAX);
	jsonw_u64(&w, "max_subid_length", NOSTR_SUB_MAX);
	jsonw_bool(&w, "auth_required", false);
	jsonw_end_object(&w);
	jsonw_end_object(&w);
	http_reply_header(q, "Access-Control-Allow-Origin", "*");
	http_reply(q, 200, "application/nostr+json", buf_view(&b));
}

static const struct ws_server_ops ops = {
	.open = open_session,
	.message = message,
	.closed = close_session,
	.request = information,
};

int relay_node_new(struct relay_node **out, struct ws_context *ws, struct loop *l, int port,
		   enum relay_guard guard, struct db *d, struct err *e)
{
	struct relay_node *r AUTO(relay_node_free) = mem_zero(sizeof(*r));

	r->loop = l;
	r->guard = guard;
	r->faults = faults_new();
	if (relay_store_new(&r->store, d, e) < 0)
		return -1;
	if (ws_server_new(&r->server, ws, "127.0.0.1", port, NOSTR_FRAME_MAX, &ops, r, e) < 0)
		return -1;
	*out = steal(&r);
	return 0;
}

void relay_node_free(struct relay_node *r)
{
	if (!r)
		return;
	ws_server_free(r->server);
	relay_store_free(r->store);
	faults_free(r->faults);
	free(r);
}

int relay_node_port(const struct relay_node *r)
{
	return ws_server_port(r->server);
}

struct faults *relay_node_faults(struct relay_node *r)
{
	return r->faults;
}

void relay_node_stats(struct buf *out, const struct relay_node *r)
{
	struct jsonw w = JSONW(out);
	size_t sessions = 0, subs = 0;

	for (const struct session *s = r->sessions; s; s = s->next) {
		sessions++;
		subs += s->nsubs;
	}
	jsonw_object(&w, NULL);
	jsonw_u64(&w, "stored", relay_store_count(r->store));
	jsonw_u64(&w, "events", r->events);
	jsonw_u64(&w, "wraps", r->wraps);
	jsonw_u64(&w, "refused", r->refused);
	jsonw_u64(&w, "requests", r->requests);
	jsonw_u64(&w, "delivered", r->delivered);
	jsonw_u64(&w, "sessions", sessions);
	jsonw_u64(&w, "subscriptions", subs);
	jsonw_u64(&w, "faults", faults_count(r->faults));
	jsonw_end_object(&w);
}

void relay_node_hang_up(struct relay_node *r)
{
	for (struct session *s = r->sessions; s; s = s->next)
		ws_peer_close(s->peer);
}
