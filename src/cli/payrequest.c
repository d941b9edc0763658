/* Pay a payment request (NUT-18): make the token that it asks for, and hand it over: by an HTTP
 * POST or by Nostr where it names one, else by printing it. A locked one that is not taken is
 * printed too: only its receiver can spend it, so its owner must be able to hand it over. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cashu/lock.h"
#include "cashu/payload.h"
#include "cashu/request.h"
#include "cli/leave.h"
#include "lease/protocol.h"
#include "nostr/nip19.h"
#include "nostr/wrap.h"

#define SWAP_MS	   150000
#define SEND_MS	   30000
#define ANSWER_MS  10000 /* of a receiver that answers at all */
#define RELAYS_MAX 8
#define TOKEN_MAX  (256 << 10)

/* --- what it asks for --- */

static int request_amount(struct sat *amount, const struct payment_request *r)
{
	if (r->unit && strcmp(r->unit, "sat") != 0)
		return app_failf(EXIT_USAGE, "it asks for another unit than sat: %s", r->unit);
	if (!r->has_amount && sat_is_zero(*amount))
		return app_failf(EXIT_USAGE, "the request names no amount: --amount SAT");
	if (r->has_amount && !sat_is_zero(*amount) && sat_cmp(*amount, r->amount) != 0)
		return app_failf(EXIT_USAGE, "it asks for %" PRIu64 " sat", sat_raw(r->amount));
	if (r->has_amount)
		*amount = r->amount;
	return 0;
}

/* A key and, as its only tag, a locktime; without a refund key of its own we take ours. */
static int request_lock(struct wallet_plain *p, struct lock_key *key,
			const struct payment_request *r)
{
	struct err e;
	uint64_t at;

	if (!r->lock_kind)
		return 0;
	if (strcmp(r->lock_kind, "P2PK") != 0 || lock_key_parse(key, str_of(r->lock_data), &e) < 0)
		return app_failf(EXIT_USAGE, "it wants a lock that this wallet does not make");
	for (size_t i = 0; i < r->lock_tags.n; i++) {
		const struct request_tag *t = &r->lock_tags.v[i];

		if (t->n == 2 && !strcmp(t->v[0], "sigflag") && !strcmp(t->v[1], "SIG_INPUTS"))
			continue;
		if (t->n != 2 || strcmp(t->v[0], "locktime") != 0 ||
		    str_u64(str_of(t->v[1]), INT32_MAX, &at, &e) < 0)
			return app_failf(EXIT_USAGE,
					 "it wants a lock that this wallet does not make");
		p->locktime = (int64_t)at;
	}
	p->lock_key = key->b;
	return 0;
}

/* The mint of the request where we have most. */
struct choice {
	const struct payment_request *r;
	char url[WALLET_URL_MAX + 1];
	struct sat most;
	bool found;
};

static bool takes(const struct payment_request *r, const char *mint)
{
	char url[WALLET_URL_MAX + 1];

	for (size_t i = 0; i < r->n_mints; i++)
		if (wallet_url(url, str_of(r->mints[i]), NULL) == 0 && !strcmp(url, mint))
			return true;
	return r->n_mints == 0;
}

static int look(void *ctx, const char *mint, const struct wallet_balance *b)
{
	struct choice *c = ctx;

	if (!takes(c->r, mint) || (c->found && sat_cmp(b->available, c->most) <= 0))
		return 0;
	c->found = true;
	c->most = b->available;
	memcpy(c->url, mint, strlen(mint) + 1);
	return 0;
}

static int request_mint(char out[static WALLET_URL_MAX + 1], struct app *a,
			const struct payment_request *r, const char *named, struct err *e)
{
	struct choice c = {.r = r};

	if (wallet_each_mint(a->wallet, look, &c, e) < 0)
		return -1;
	if (!named && !c.found)
		return err_set(e, ERRK_STATE, "there is no money at a mint that it takes");
	if (app_mint(a, named ? named : c.url, out, e) < 0)
		return -1;
	return takes(r, out) ? 0 : err_set(e, ERRK_INPUT, "it does not take money of %s", out);
}

/* --- the payment as the receiver's program reads it --- */

static int payload(struct buf *out, struct app *a, const struct payment_request *r,
		   struct str token, struct err *e)
{
	AUTO(token_free) struct cashu_token *t = NULL;

	if (token_decode(&t, token, TOKEN_LIMITS_WALLET, e) < 0 ||
	    wallet_full_ids(a->wallet, t, e) < 0)
		return -1;
	return cashu_payload_encode(out, r->id, t, e);
}

struct handing {
	struct app *app;
	const struct app_job *job; /* that made the token */
	const struct wallet_plain *plain;
	bool ended, taken;
	char why[200];
	/* by Nostr */
	struct nostr_unwrap_key me;
	struct pubkey to;
	bool answered;
	int refused; /* the exit status for it */
	char words[400];
};

static int not_handed(const struct handing *h, int status, const char *why)
{
	char back[200];

	if (h->plain->lock_key)
		printf("%s\n", h->job->text->p);
	leave_way_back(back, sizeof(back), h->plain, h->job->last.token_out);
	return app_failf(status, "%s%s; %s", why,
			 h->plain->lock_key ? "; hand the token over yourself" : "", back);
}

static int handed(struct handing *h, int64_t timeout_ms, const char *to)
{
	auto_free char *why = NULL;
	int how = APP_DONE;

	while (!h->ended && how == APP_DONE)
		how = app_wait(h->app, timeout_ms);
	if (h->taken) {
		app_say(h->app, "sent: %" PRIu64 " sat to %s", sat_raw(h->job->last.amount), to);
		return 0;
	}
	why = mem_printf("%s did not take it: %s", to, h->why[0] ? h->why : "no answer");
	return not_handed(h, EXIT_UNCLEAR, why);
}

/* --- by POST --- */

static void posted(void *ctx, const struct http_answer *a)
{
	struct handing *h = ctx;

	h->ended = true;
	h->taken = a->status >= 200 && a->status < 300;
	str_printable(h->why, sizeof(h->why), a->status ? a->body : str_of(a->error));
	app_done(h->app);
}

static int send_post(struct handing *h, struct str body, const char *url)
{
	const struct http_ask ask = {.method = "POST",
				     .url = url,
				     .body = body,
				     .timeout_ms = SEND_MS,
				     .max = 65536,
				     .local = h->app->conf.allow_local};

	http_send(h->app->http, &ask, posted, h);
	return handed(h, SEND_MS + 5000, url);
}

/* --- by Nostr (NIP-17): from a key that nobody knows, to the receiver's relays --- */

static void published(void *ctx, enum nostr_pub_stage stage, const struct nostr_pub_result *r,
		      size_t n)
{
	struct handing *h = ctx;

	for (size_t i = 0; i < n; i++) {
		h->taken |= r[i].state == NOSTR_PUB_ACCEPTED;
		if (r[i].state == NOSTR_PUB_REFUSED)
			str_printable(h->why, sizeof(h->why), str_of(r[i].why));
	}
	h->ended = h->taken || stage == NOSTR_PUB_DONE;
	if (h->ended)
		app_done(h->app);
}

static int nostr_relays(struct nostr_pool *pool, struct app *a, const struct nip19 *to,
			struct err *e)
{
	auto_buf struct buf lines = BUF(16384);
	struct str rest, line;

	for (size_t i = 0; i < to->nrelays && i < RELAYS_MAX; i++)
		if (nostr_pool_add(pool, to->relays[i], NULL, e) < 0)
			app_fail(0, e);
	if (nostr_pool_count(pool))
		return 0;
	if (app_relays(a, &lines, e) < 0)
		return -1;
	rest = str_trim(buf_view(&lines));
	while (str_cut(&rest, '\n', &line)) {
		auto_free char *url = mem_strndup(line.p, line.n);

		if (nostr_pool_add(pool, url, NULL, e) < 0)
			return -1;
	}
	return 0;
}

static int nostr_message(struct nostr_event **out, struct str body, const struct secret *from,
			 const struct pubkey *to, struct err *e)
{
	const struct nostr_wrap_how how = {.now = clock_wall(), .backdate = NOSTR_BACKDATE};
	auto_event struct nostr_event *rumor = nostr_event_new(NOSTR_DM_CHAT, how.now, body);

	nostr_event_tag_key(rumor, "p", to);
	return nostr_wrap(out, rumor, from, to, &how, e);
}

/* Words for people, but a lease's say one thing in the same way (lease-protocol(7)). */
static void heard(void *ctx, const struct nostr_event *wrap, unsigned relay)
{
	auto_event struct nostr_event *rumor = NULL;
	struct handing *h = ctx;

	if (nostr_unwrap(&rumor, wrap, &h->me, NULL) < 0 || rumor->kind != NOSTR_DM_CHAT ||
	    !pubkey_eq(&rumor->pubkey, &h->to))
		return;
	str_printable(h->words, sizeof(h->words), rumor->content);
	h->answered = true;
	h->refused = strstr(h->words, LEASE_WORDS_KEPT)	     ? EXIT_REFUSED
		     : strstr(h->words, LEASE_WORDS_NOTHING) ? EXIT_UNCLEAR
							     : 0;
	app_done(h->app);
}

static void listen_for_answer(struct handing *h, struct nostr_pool *pool)
{
	auto_filter struct nostr_filter *f = nostr_filter_new();

	nostr_filter_kind(f, NOSTR_WRAP);
	nostr_filter_tag_key(f, 'p', &h->me.pubkey);
	nostr_pool_subscribe(pool,
			     &(struct nostr_sub_ask){.mode = NOSTR_SUB_DM,
						     .filters = (struct nostr_filter *const[]){f},
						     .nfilters = 1,
						     .slack = NOSTR_SLACK_WRAP,
						     .answers_only = true,
						     .event = heard,
						     .ctx = h});
}

/* Whoever does not answer may have it all the same. */
static int wait_for_answer(struct handing *h)
{
	int64_t end = clock_mono_ms() + ANSWER_MS;
	int how = APP_DONE;
	char back[200];

	while (!h->answered && how == APP_DONE && clock_mono_ms() < end)
		how = app_wait(h->app, end - clock_mono_ms());
	if (h->refused) {
		leave_way_back(back, sizeof(back), h->plain, h->job->last.token_out);
		return app_failf(h->refused, "%s %s", h->words, back);
	}
	app_say(h->app, "%s", h->answered ? h->words : "no answer came");
	return 0;
}

static int send_nostr(struct handing *h, struct str body, const char *target)
{
	AUTO(nostr_pool_free) struct nostr_pool *pool = NULL;
	auto_event struct nostr_event *wrap = NULL;
	auto_nip19 struct nip19 to = {0};
	struct app *a = h->app;
	auto_secret struct secret from;
	struct err e;
	int rc;

	secret_new(&from);
	pool = nostr_pool_new(a->loop, a->ws, &from);
	if (nip19_decode(&to, str_of(target), &e) < 0 ||
	    nip19_parse_key(&h->to, str_of(target), &e) < 0 || nostr_relays(pool, a, &to, &e) < 0 ||
	    nostr_unwrap_key(&h->me, &from, &e) < 0 ||
	    nostr_message(&wrap, body, &from, &h->to, &e) < 0)
		return not_handed(h, EXIT_RELAYS, e.msg);
	listen_for_answer(h, pool);
	nostr_pool_publish(pool, &(struct nostr_pub_ask){.event = wrap,
							 .urgency = NOSTR_PUB_URGENT,
							 .timeout_ms = SEND_MS,
							 .fn = published,
							 .ctx = h});
	rc = handed(h, SEND_MS + 5000, target);
	if (rc == 0)
		rc = wait_for_answer(h);
	nostr_unwrap_key_wipe(&h->me);
	return rc;
}

/* --- the whole --- */

/* The first way of the request's that we know. */
static int hand_over(struct handing *h, const struct payment_request *r)
{
	auto_buf struct buf body = BUF(TOKEN_MAX * 2);
	char back[200];
	struct err e;

	if (payload(&body, h->app, r, buf_view(h->job->text), &e) < 0)
		return not_handed(h, EXIT_OTHER, e.msg);
	for (size_t i = 0; i < r->n_transports; i++) {
		const struct request_transport *t = &r->transports[i];

		if (!strcmp(t->type, "post"))
			return send_post(h, buf_view(&body), t->target);
		if (!strcmp(t->type, "nostr"))
			return send_nostr(h, buf_view(&body), t->target);
	}
	printf("%s\n", h->job->text->p);
	leave_way_back(back, sizeof(back), h->plain, h->job->last.token_out);
	app_say(h->app, "hand this token over yourself; %s", back);
	return 0;
}

int leave_request(struct app *a, const char *text, const char *mint, struct sat amount)
{
	AUTO(cashu_request_free) struct payment_request *r = NULL;
	auto_buf struct buf token = BUF(TOKEN_MAX);
	struct app_job job = {.app = a, .text = &token};
	char url[WALLET_URL_MAX + 1];
	struct wallet_plain p = {.mint = url};
	struct handing h = {.app = a, .job = &job, .plain = &p};
	struct lock_key key;
	struct err e;
	int rc;

	if (cashu_request_decode(&r, str_of(text), &e) < 0)
		return app_fail(EXIT_USAGE, &e);
	rc = request_amount(&amount, r);
	if (!rc)
		rc = request_lock(&p, &key, r);
	if (rc)
		return rc;
	if (request_mint(url, a, r, mint, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	p.amount = amount;
	wallet_send_plain(a->wallet, &p, app_job_news, &job);
	rc = app_job_wait(&job, SWAP_MS);
	return rc ? rc : hand_over(&h, r);
}
