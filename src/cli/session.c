/* Talking to one provider: see session.h. */
#include "cli/session.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/step.h"
#include "nostr/mail.h"

#define WATCHES	     4
#define FIRST_AGAIN  4000
#define WRAP_EXPIRES (3 * 86400)
#define LISTED_MAX   4 /* relays that a provider may add to ours */

struct watch {
	char request_id[LEASE_REQUEST_ID_HEX + 1];
	session_reply_fn *fn;
	void *ctx;
};

struct session {
	struct app *app;
	struct pubkey provider, pubkey;
	struct nostr_unwrap_key me;
	struct nostr_pool *pool;
	struct nostr_sub *inbox;
	struct nostr_sub
		*lists; /* where the provider reads requests (NIP-17); NULL: all was read */
	unsigned listed;
	struct watch watches[WATCHES];
	size_t nwatches;
	struct nostr_event *rumor; /* of the ask under way */
	struct loop_timer *again;
	int64_t again_ms;
	char asking[LEASE_REQUEST_ID_HEX + 1];
	bool accepted; /* some relay took it … */
	bool refused;  /* … or every one said no */
	bool answered;
};

void session_watch(struct session *s, const char *request_id, session_reply_fn *fn, void *ctx)
{
	struct watch *w;

	if (s->nwatches == WATCHES)
		s->nwatches--;
	w = &s->watches[s->nwatches++];
	memset(w, 0, sizeof(*w));
	memcpy(w->request_id, request_id, strnlen(request_id, LEASE_REQUEST_ID_HEX));
	w->fn = fn;
	w->ctx = ctx;
}

void session_unwatch(struct session *s, const char *request_id)
{
	for (size_t i = 0; i < s->nwatches; i++)
		if (!strcmp(s->watches[i].request_id, request_id))
			s->watches[i--] = s->watches[--s->nwatches];
}

static void wrap_arrived(void *ctx, const struct nostr_event *wrap, unsigned relay)
{
	struct session *s = ctx;
	auto_event struct nostr_event *rumor = NULL;
	auto_reply struct reply *r = NULL;
	struct err e;

	if (nostr_unwrap(&rumor, wrap, &s->me, &e) < 0 || rumor->kind != LEASE_KIND_REPLY ||
	    !pubkey_eq(&rumor->pubkey, &s->provider) || reply_decode(&r, rumor->content, &e) < 0)
		return;
	for (size_t i = 0; i < s->nwatches; i++) {
		if (strcmp(s->watches[i].request_id, r->request_id))
			continue;
		if (!s->watches[i].fn(s->watches[i].ctx, r))
			return;
		if (!strcmp(s->asking, r->request_id))
			s->answered = true;
		app_done(s->app);
		return;
	}
}

/* --- where the provider reads --- */

static void send_to(struct session *s, uint32_t relays);

static void learn_relay(struct session *s, struct str url)
{
	auto_free char *own = mem_strndup(url.p, url.n);
	size_t before = nostr_pool_count(s->pool);
	unsigned index;
	struct err e;

	if (s->listed == LISTED_MAX ||
	    (!str_starts(url, "wss://") && !(s->app->conf.allow_local && str_starts(url, "ws://"))))
		return;
	if (nostr_pool_add(s->pool, own, &index, &e) < 0 || index < before)
		return;
	s->listed++;
	s->refused = false;
	if (s->asking[0])
		send_to(s, UINT32_C(1) << index);
}

static void list_arrived(void *ctx, const struct nostr_event *list, unsigned relay)
{
	struct session *s = ctx;

	for (size_t i = 0; i < list->ntags; i++)
		if (list->tags[i].n > 1 && str_is(list->tags[i].v[0], "relay"))
			learn_relay(s, list->tags[i].v[1]);
}

static void lists_read(void *ctx, unsigned relay, bool all)
{
	struct session *s = ctx;

	if (!all)
		return;
	s->lists = NULL;
	if (s->refused)
		app_done(s->app);
}

static void read_lists(struct session *s)
{
	auto_filter struct nostr_filter *f = nostr_filter_new();

	nostr_filter_kind(f, NOSTR_DM_RELAYS);
	nostr_filter_author(f, &s->provider);
	f->limit = 1;
	s->lists = nostr_pool_subscribe(
		s->pool, &(struct nostr_sub_ask){.mode = NOSTR_SUB_ONCE,
						 .filters = (struct nostr_filter *const[]){f},
						 .nfilters = 1,
						 .event = list_arrived,
						 .done = lists_read,
						 .ctx = s});
}

static int open_inbox(struct session *s, int64_t since, struct err *e)
{
	auto_filter struct nostr_filter *f = nostr_filter_new();

	if (app_pool(s->app, &s->me.secret, &s->pool, e) < 0)
		return -1;
	nostr_filter_kind(f, NOSTR_WRAP);
	nostr_filter_tag_key(f, 'p', &s->pubkey);
	s->inbox = nostr_pool_subscribe(
		s->pool, &(struct nostr_sub_ask){.mode = NOSTR_SUB_DM,
						 .filters = (struct nostr_filter *const[]){f},
						 .nfilters = 1,
						 .last_good = since,
						 .slack = NOSTR_SLACK_WRAP,
						 .answers_only = since == 0,
						 .event = wrap_arrived,
						 .ctx = s});
	return 0;
}

int session_open(struct session **out, struct app *a, const struct pubkey *provider, int64_t since,
		 struct err *e)
{
	auto_session struct session *s = mem_zero(sizeof(*s));
	auto_secret struct secret key;

	s->app = a;
	s->provider = *provider;
	app_identity(a, provider, &key);
	if (nostr_unwrap_key(&s->me, &key, e) < 0)
		return -1;
	s->pubkey = s->me.pubkey;
	if (open_inbox(s, since, e) < 0)
		return -1;
	read_lists(s);
	*out = steal(&s);
	return 0;
}

void session_free(struct session *s)
{
	if (!s)
		return;
	loop_timer_del(s->again);
	nostr_sub_end(s->inbox);
	nostr_sub_end(s->lists);
	nostr_pool_free(s->pool);
	nostr_event_free(s->rumor);
	nostr_unwrap_key_wipe(&s->me);
	free(s);
}

/* --- asking --- */

static void published(void *ctx, enum nostr_pub_stage stage, const struct nostr_pub_result *r,
		      size_t n)
{
	struct session *s = ctx;
	size_t refused = 0;

	if (stage == NOSTR_PUB_FIRST) {
		if (!s->accepted)
			step_at(STEP_ORDER_SENT);
		s->accepted = true;
		return;
	}
	for (size_t i = 0; i < n; i++)
		refused += r[i].state == NOSTR_PUB_REFUSED;
	if (s->accepted || !n || refused < n)
		return;
	for (size_t i = 0; i < n; i++)
		app_failf(0, "%s refuses: %s", nostr_pool_url(s->pool, r[i].relay), r[i].why);
	s->refused = true;
	if (!s->lists)
		app_done(s->app);
}

static int mail(struct session *s, struct nostr_event *rumor, uint32_t relays, nostr_pub_fn *fn,
		struct err *e)
{
	const struct nostr_mail_ask a = {.rumor = rumor,
					 .from = &s->me.secret,
					 .to = &s->provider,
					 .how = {.now = clock_wall(),
						 .backdate = NOSTR_BACKDATE,
						 .expires = clock_wall() + WRAP_EXPIRES},
					 .relays = relays,
					 .fn = fn,
					 .ctx = s};

	return nostr_mail_send(NULL, s->pool, &a, e);
}

static void send_to(struct session *s, uint32_t relays)
{
	struct err e;

	if (mail(s, s->rumor, relays, published, &e) < 0)
		app_fail(EXIT_OTHER, &e);
}

static void send_rumor(void *ctx)
{
	struct session *s = ctx;

	send_to(s, 0);
	s->again = loop_timer_add(s->app->loop, s->again_ms, send_rumor, s);
	s->again_ms *= 2;
}

int session_ask(struct session *s, const struct session_send *q)
{
	int how = APP_DONE;
	bool told = false, patient = s->app->patient;
	int64_t end = clock_mono_ms() + q->timeout_ms, left;

	nostr_event_free(s->rumor);
	s->rumor = nostr_event_new(LEASE_KIND_REQUEST, q->rumor_at, q->text);
	nostr_event_tag_key(s->rumor, "p", &s->provider);
	s->accepted = s->answered = s->refused = false;
	memcpy(s->asking, q->request_id, sizeof(s->asking));
	s->again_ms = FIRST_AGAIN;
	session_watch(s, q->request_id, q->fn, q->ctx);
	send_rumor(s);
	s->app->patient = patient || q->tap;
	while (!s->answered && !(s->refused && !s->lists) && how == APP_DONE &&
	       (left = end - clock_mono_ms()) > 0) {
		how = app_wait(s->app, left);
		if (q->tap && s->app->tapped && !told) {
			told = true;
			q->tap(q->ctx);
		}
	}
	s->app->patient = patient;
	session_unwatch(s, q->request_id);
	s->asking[0] = 0;
	loop_timer_del(s->again);
	s->again = NULL;
	nostr_event_free(s->rumor); /* it has secrets, and the session may last */
	s->rumor = NULL;
	if (s->answered)
		return SESSION_ANSWERED;
	if (how == APP_INTERRUPTED)
		return SESSION_INTERRUPTED;
	return s->accepted ? SESSION_TIMEOUT : SESSION_UNSENT;
}

int session_tell(struct session *s, struct request *req, struct err *e)
{
	auto_buf struct buf text = BUF(LEASE_REQUEST_MAX);
	auto_event struct nostr_event *rumor = NULL;
	int64_t now = clock_wall();

	req->expires_at = now + 120;
	if (request_encode(&text, req, e) < 0)
		return -1;
	rumor = nostr_event_new(LEASE_KIND_REQUEST, now, buf_view(&text));
	nostr_event_tag_key(rumor, "p", &s->provider);
	return mail(s, rumor, 0, NULL, e);
}

static bool keep_final(void *ctx, const struct reply *r)
{
	auto_buf struct buf text = BUF(256 * 1024);
	struct reply **out = ctx;
	struct err e;

	if (!r->final)
		return false;
	reply_free(*out);
	*out = NULL;
	return reply_encode(&text, r, &e) < 0 || reply_decode(out, buf_view(&text), &e) < 0 || *out;
}

int session_call(struct session *s, struct request *req, int64_t timeout_ms, struct reply **out,
		 struct err *e)
{
	auto_buf struct buf text = BUF(LEASE_REQUEST_MAX);
	struct session_send q = {.request_id = req->request_id,
				 .rumor_at = clock_wall(),
				 .timeout_ms = timeout_ms,
				 .fn = keep_final,
				 .ctx = out};

	*out = NULL;
	if (!req->expires_at)
		req->expires_at = q.rumor_at + 120;
	if (request_encode(&text, req, e) < 0)
		return -1;
	q.text = buf_view(&text);
	return session_ask(s, &q);
}

int session_failed(int how)
{
	switch (how) {
	case SESSION_INTERRUPTED:
		return app_failf(130, "interrupted");
	case SESSION_UNSENT:
		return app_failf(EXIT_RELAYS,
				 "no relay took the request; see the relays with: lease offers");
	default:
		return app_failf(EXIT_NO_ANSWER, "the provider did not answer in time");
	}
}
