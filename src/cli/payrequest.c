/* Pay a payment request (NUT-18): make the token that it asks for, and hand it over: by an HTTP
 * POST where it names one, else by printing it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/jsonw.h"
#include "cashu/lock.h"
#include "cashu/request.h"
#include "cashu/token.h"
#include "cli/leave.h"

#define SWAP_MS	  150000
#define POST_MS	  30000
#define TOKEN_MAX (256 << 10)

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

/* --- by POST --- */

static const char *post_target(const struct payment_request *r)
{
	for (size_t i = 0; i < r->n_transports; i++)
		if (!strcmp(r->transports[i].type, "post"))
			return r->transports[i].target;
	return NULL;
}

static int payload(struct buf *out, struct wallet *wallet, const struct payment_request *r,
		   struct str token, struct err *e)
{
	AUTO(token_free) struct cashu_token *t = NULL;
	auto_buf struct buf proofs = BUF(TOKEN_MAX * 2);
	struct jsonw w = JSONW(out);

	if (token_decode(&t, token, TOKEN_LIMITS_WALLET, e) < 0 ||
	    wallet_whole_ids(wallet, t, e) < 0)
		return -1;
	proofs_to_json(&proofs, &t->proofs, PROOF_FOR_TOKEN);
	jsonw_object(&w, NULL);
	if (r->id)
		jsonw_text(&w, "id", r->id);
	jsonw_text(&w, "mint", t->mint);
	jsonw_text(&w, "unit", t->unit);
	jsonw_raw(&w, "proofs", buf_view(&proofs));
	jsonw_end_object(&w);
	return buf_check(out, "payment", e);
}

struct posting {
	struct app *app;
	int status;
	bool ended;
	char why[200];
};

static void posted(void *ctx, const struct http_answer *a)
{
	struct posting *p = ctx;

	p->status = a->status;
	p->ended = true;
	str_printable(p->why, sizeof(p->why), a->status ? a->body : str_of(a->error));
	app_done(p->app);
}

static int post(struct app *a, const struct payment_request *r, const struct app_job *job,
		const char *url)
{
	auto_buf struct buf body = BUF(TOKEN_MAX * 2);
	struct posting p = {.app = a};
	const struct http_ask ask = {.method = "POST",
				     .url = url,
				     .timeout_ms = POST_MS,
				     .max = 65536,
				     .local = a->conf.allow_local};
	struct http_ask full = ask;
	struct err e;
	int how = APP_DONE;

	if (payload(&body, a->wallet, r, buf_view(job->text), &e) < 0)
		return app_fail(EXIT_OTHER, &e);
	full.body = buf_view(&body);
	http_send(a->http, &full, posted, &p);
	while (!p.ended && how == APP_DONE)
		how = app_wait(a, POST_MS + 5000);
	if (p.ended && p.status >= 200 && p.status < 300) {
		app_say(a, "sent: %" PRIu64 " sat to %s", sat_raw(job->last.amount), url);
		return 0;
	}
	return app_failf(EXIT_UNCLEAR,
			 "%s did not take it (%d): %s; lease wallet reclaim %" PRId64
			 " takes the money back",
			 url, p.status, p.why, job->last.token_out);
}

/* --- the whole --- */

static int hand_over(struct app *a, const struct payment_request *r, const struct app_job *job)
{
	const char *url = post_target(r);

	if (url)
		return post(a, r, job, url);
	printf("%s\n", job->text->p);
	app_say(a, "hand this token over yourself; lease wallet reclaim %" PRId64 " takes it back",
		job->last.token_out);
	return 0;
}

int leave_request(struct app *a, const char *text, const char *mint, struct sat amount)
{
	AUTO(cashu_request_free) struct payment_request *r = NULL;
	auto_buf struct buf token = BUF(TOKEN_MAX);
	struct app_job job = {.app = a, .text = &token};
	char url[WALLET_URL_MAX + 1];
	struct wallet_plain p = {.mint = url};
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
	return rc ? rc : hand_over(a, r, &job);
}
