/* Paying a provider: see buy.h. */
#include "cli/buy.h"

#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/step.h"
#include "cli/ending.h"
#include "cli/names.h"
#include "cli/refunds.h"

#define LOCK_S	    (3 * 3600) /* longer than the request: the provider must be able to redeem */
#define REDEEM_MS   60000
#define REFUND_MS   20000
#define TOKEN_MS    150000 /* twenty others may be before us */
#define LOOK_MS	    50
#define NAMES_MAX   20
#define NO_TOKEN    "-"	   /* in a request that is stored before its token is made */
#define START_GRACE 330000 /* an offer's start_timeout and the way back */
#define LAPSE_MS    35000  /* what a provider sent its mint at the last moment has ended by then */

void buy_clear(struct buy *b)
{
	reply_free(b->reply);
	b->reply = NULL;
}

/* EXIT_MONEY with b->missing: there is too little, nothing is printed. */
static int make_token(struct buy *b, struct buf *token, int64_t *token_out)
{
	struct app_job job = {.app = b->app, .text = token};
	struct wallet_send s = {.mint = b->entry->mint,
				.net = b->amount,
				.later = b->later,
				.locktime = clock_wall() + b->wait_s + LOCK_S,
				.ref = b->req->request_id,
				.lease = b->entry->request_id,
				.limits = b->app->conf.limits};
	struct err e;
	int rc;

	if (hex_decode(s.lock_key, sizeof(s.lock_key), str_of(b->entry->payment_key), &e) < 0)
		return app_fail(EXIT_VERIFY, &e);
	wallet_send_locked(b->app->wallet, &s, app_job_news, &job);
	b->missing = SAT(0);
	if (app_job_poor(&job, TOKEN_MS)) {
		b->missing = job.last.missing;
		return EXIT_MONEY;
	}
	rc = app_job_wait(&job, 1);
	*token_out = job.last.token_out;
	return rc;
}

static void set_token(struct request *req, const struct buf *token)
{
	free(req->token);
	req->token = mem_strndup(token->p, token->n);
}

static int fill_refund_key(struct app *a, struct request *req, int64_t token_out)
{
	struct wallet_out_names names;
	struct wallet_out out;
	struct err e;
	int rc = wallet_out_get(a->wallet, token_out, NULL, &out, &names, NULL, &e);

	if (rc)
		return rc < 0 ? app_fail(EXIT_STATE, &e)
			      : app_failf(EXIT_STATE, "the token is lost");
	hex_encode(req->refund_key, out.refund_key, sizeof(out.refund_key));
	return 0;
}

/* A name of our own making that a twin took meanwhile is made again. */
static int add_entry(struct buy *b, struct tx *tx, struct err *e)
{
	int rc = book_add(tx, b->entry, e);

	for (unsigned i = 0; i < NAMES_MAX && rc == BOOK_TAKEN && !b->named; i++) {
		names_make(b->entry->name, sizeof(b->entry->name));
		rc = book_add(tx, b->entry, e);
	}
	return rc == BOOK_TAKEN
		       ? err_set(e, ERRK_STATE, "there is a lease named %s already", b->entry->name)
		       : rc;
}

/* Before money moves: what it is for. A token that is made for it and never sent can so be sent
 * later, when the provider will refuse it and give it free, long before its lock ends. */
static int store_intent(struct buy *b, struct book_ask *ask, struct err *e)
{
	auto_buf struct buf text = BUF(LEASE_REQUEST_MAX);
	auto_tx struct tx *tx = NULL;

	free(b->req->token); /* of a try that found too little money */
	b->req->token = mem_strdup(NO_TOKEN);
	b->req->refund_key[0] = '\0';
	b->req->expires_at = ask->expires_at;
	if (request_encode(&text, b->req, e) < 0 || db_begin(&tx, b->app->db, e) < 0)
		return -1;
	if (b->req->type == REQUEST_SPAWN && add_entry(b, tx, e) < 0)
		return -1;
	memcpy(ask->name, b->entry->name, sizeof(ask->name));
	if (book_ask_add(tx, ask, buf_view(&text), e) < 0 || db_commit(&tx, e) < 0)
		return -1;
	step_at(STEP_ORDER_MEANT);
	return 0;
}

static int drop_intent(struct app *a, const char *request_id, struct err *e)
{
	auto_tx struct tx *tx = NULL;

	if (db_begin(&tx, a->db, e) < 0 || book_ask_drop(tx, request_id, e) < 0)
		return -1;
	return db_commit(&tx, e);
}

/* The request with its token: from here on it may be sent. */
static int store_request(struct app *a, struct request *req, const struct book_ask *ask,
			 struct buf *text, struct err *e)
{
	auto_tx struct tx *tx = NULL;

	req->expires_at = ask->expires_at;
	if (request_encode(text, req, e) < 0 || db_begin(&tx, a->db, e) < 0 ||
	    book_ask_fill(tx, ask, buf_view(text), e) < 0 || db_commit(&tx, e) < 0)
		return -1;
	step_at(STEP_ORDER_STORED);
	return 0;
}

/* A refusal whose token is still ours: settled only when the money is back in the wallet. */
static bool to_redeem(const struct reply *r)
{
	return r->stage == REPLY_STAGE_REFUSED && r->token != REPLY_TOKEN_SPENT;
}

static int close_ask(struct app *a, const struct book_ask *ask, struct err *e)
{
	auto_tx struct tx *tx = NULL;

	if (db_begin(&tx, a->db, e) < 0 || book_ask_close(tx, ask->request_id, e) < 0)
		return -1;
	return db_commit(&tx, e);
}

static int store_answer(struct app *a, struct book_entry *entry, const struct book_ask *ask,
			const struct reply *r, struct err *e)
{
	auto_tx struct tx *tx = NULL;

	book_learn(entry, r);
	if (r->stage == REPLY_STAGE_REFUSED && !strcmp(entry->request_id, ask->request_id))
		entry->state = BOOK_REFUSED;
	if (db_begin(&tx, a->db, e) < 0 || book_save(tx, entry, e) < 0)
		return -1;
	if (r->stage != REPLY_STAGE_REFUSED &&
	    (r->token == REPLY_TOKEN_SPENT || r->stage == REPLY_STAGE_ENDED) &&
	    wallet_out_taken(tx, ask->token_out, e) < 0)
		return -1;
	if (book_refund_learn(tx, entry->name, r, e) < 0)
		return -1;
	if (!to_redeem(r) && book_ask_close(tx, ask->request_id, e) < 0)
		return -1;
	if (db_commit(&tx, e) < 0)
		return -1;
	step_at(STEP_ORDER_ANSWERED);
	return 0;
}

/* Swap a refused token back with the provider's signatures, before the command ends. */
static bool redeem_release(struct app *a, const struct book_ask *ask, const struct reply *r)
{
	auto_free struct wallet_release *rel = mem_zero(sizeof(*rel));
	struct app_job job = {.app = a};
	struct err e;

	if (!r->nrelease || r->nrelease > WALLET_RELEASE_MAX)
		return false;
	for (rel->n = 0; rel->n < r->nrelease; rel->n++)
		if (hex_decode(rel->sig[rel->n], 64, str_of(r->release[rel->n]), &e) < 0)
			return false;
	wallet_release_redeem(a->wallet, ask->token_out, rel, app_job_news, &job);
	if (app_job_wait(&job, REDEEM_MS))
		return false;
	step_at(STEP_ORDER_RELEASED);
	if (close_ask(a, ask, &e) < 0)
		app_fail(0, &e); /* lease recover finds the token returned */
	app_say(a, "lease: %llu sat are back in the wallet",
		(unsigned long long)sat_raw(job.last.amount));
	return true;
}

static int refused(struct app *a, const struct book_ask *ask, const struct reply *r, bool *back)
{
	app_failf(0, "refused by the provider: %s (%s); token %s%s",
		  r->message[0] ? r->message : reply_code_text(r->code), reply_code_name(r->code),
		  r->token == REPLY_TOKEN_SPENT ? "spent" : "unspent",
		  reply_code_retry(r->code) ? "; asking again may help" : "");
	if (r->token == REPLY_TOKEN_SPENT)
		return EXIT_UNCLEAR;
	*back = redeem_release(a, ask, r);
	if (!*back)
		app_failf(0, "the token is not back yet: lease recover");
	return EXIT_REFUSED;
}

/* Paid, and nothing came of it: wait for the money, for a while. */
static int failed(struct buy *b, const struct book_ask *ask, const struct reply *r)
{
	const char *why = r->message[0] ? r->message : "it was never started";
	struct refunds sum;
	struct err e;
	int rc;

	refunds_wait(b->app, b->session, b->entry, ask->request_id, REFUND_MS);
	rc = refunds_receive(b->app, b->entry);
	if (refunds_sum(b->app, b->entry->name, &sum, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	if (rc || !sat_is_zero(sum.due))
		return app_failf(EXIT_UNCLEAR, "%s (%s); %llu sat refund due: lease recover", why,
				 reply_code_name(r->code), (unsigned long long)sat_raw(sum.due));
	if (sat_is_zero(sum.back))
		return app_failf(EXIT_UNCLEAR, "%s (%s); nothing of it comes back", why,
				 reply_code_name(r->code));
	return app_failf(EXIT_FAILED_BACK, "%s (%s); %llu sat are back in the wallet", why,
			 reply_code_name(r->code), (unsigned long long)sat_raw(sum.back));
}

static int answered(struct buy *b, const struct book_ask *ask, const struct reply *r)
{
	struct err e;

	b->back = false;
	if (store_answer(b->app, b->entry, ask, r, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	if (r->stage == REPLY_STAGE_REFUSED)
		return refused(b->app, ask, r, &b->back);
	/* that it ended may overtake that it failed */
	if (r->stage == REPLY_STAGE_FAILED || (r->stage == REPLY_STAGE_ENDED && !r->started_at))
		return failed(b, ask, r);
	return 0;
}

static bool take_reply(void *ctx, const struct reply *r)
{
	auto_buf struct buf text = BUF(256 * 1024);
	struct buy *b = ctx;
	struct err e;

	b->heard = true;
	if (!r->final) {
		if (r->stage == REPLY_STAGE_ACCEPTED || r->stage == REPLY_STAGE_PAID)
			app_say(b->app, "lease: %s", r->message);
		return false;
	}
	if (r->stage == REPLY_STAGE_REFUND) {
		(void)ending_learn(b->app, b->entry, r); /* it says what goes wrong */
		return false;				 /* what it belongs to comes as well */
	}
	if (r->stage == REPLY_STAGE_RUNNING && *r->message)
		app_say(b->app, "lease: %s", r->message);
	return !reply_encode(&text, r, &e) && !reply_decode(&b->reply, buf_view(&text), &e);
}

static int no_answer(int how, const struct book_ask *ask)
{
	if (how == SESSION_UNSENT)
		return app_failf(EXIT_RELAYS,
				 "no relay took the request; the token was not handed over "
				 "and is kept: lease recover");
	return app_failf(how == SESSION_INTERRUPTED ? 130 : EXIT_NO_ANSWER,
			 "%s; %s is stored and nothing is lost: lease recover",
			 how == SESSION_INTERRUPTED ? "interrupted" : "the provider did not answer",
			 ask->name);
}

static int token_state(struct app *a, int64_t token_out, struct buf *state)
{
	struct app_job job = {.app = a, .text = state};

	wallet_token_state(a->wallet, token_out, app_job_news, &job);
	return app_job_wait(&job, REDEEM_MS);
}

static bool is_silent(const struct buy *b, const struct book_ask *ask)
{
	auto_buf struct buf state = BUF(64);

	return !b->heard && clock_wall() > ask->expires_at &&
	       !token_state(b->app, ask->token_out, &state) && str_is(buf_view(&state), "unspent");
}

static int ask_and_wait(struct buy *b, const struct book_ask *ask, struct str text)
{
	int64_t life = (ask->expires_at - clock_wall()) * 1000;
	struct session_send q = {.text = text,
				 .request_id = ask->request_id,
				 .rumor_at = ask->rumor_at,
				 .timeout_ms = life + (b->passes ? LAPSE_MS : START_GRACE),
				 .fn = take_reply,
				 .ctx = b};
	int how;

	b->heard = b->silent = false;
	how = session_ask(b->session, &q);
	if (b->passes && how == SESSION_TIMEOUT) {
		b->silent = is_silent(b, ask);
		q.timeout_ms = START_GRACE - LAPSE_MS;
		if (!b->silent)
			how = session_ask(b->session, &q);
	}
	if (how != SESSION_ANSWERED)
		return no_answer(how, ask);
	return answered(b, ask, b->reply);
}

/* Its swap is stored: it will be there, now or after lease recover. */
static bool token_is_coming(struct app *a, const char *request_id)
{
	struct wallet_out_names names;
	struct wallet_out out;

	return wallet_out_get(a->wallet, 0, request_id, &out, &names, NULL, NULL) == 0;
}

int buy_run(struct buy *b)
{
	auto_buf struct buf token = BUF(LEASE_TOKEN_MAX), text = BUF(LEASE_REQUEST_MAX);
	struct book_ask ask = {.rumor_at = clock_wall(), .open = true};
	struct err e;
	int rc;

	ask.expires_at = ask.rumor_at + b->wait_s;
	memcpy(ask.request_id, b->req->request_id, sizeof(ask.request_id));
	if (store_intent(b, &ask, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	rc = make_token(b, &token, &ask.token_out);
	if (rc && !token_is_coming(b->app, ask.request_id) &&
	    drop_intent(b->app, ask.request_id, &e) < 0)
		app_fail(0, &e);
	if (!rc)
		rc = fill_refund_key(b->app, b->req, ask.token_out);
	if (rc)
		return rc;
	set_token(b->req, &token);
	ask.rumor_at = clock_wall(); /* the token may have had to wait for change */
	ask.expires_at = ask.rumor_at + b->wait_s;
	if (store_request(b->app, b->req, &ask, &text, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	return ask_and_wait(b, &ask, buf_view(&text));
}

int buy_time_run(struct app *a, struct buy_time *t)
{
	auto_request struct request *req = request_new(REQUEST_TOPUP);
	struct buy b = {.app = a,
			.session = t->session,
			.entry = t->entry,
			.req = req,
			.amount = t->amount,
			.wait_s = 120};
	int rc;

	memcpy(req->lease, t->entry->lease, sizeof(req->lease));
	rc = buy_run(&b);
	t->missing = b.missing;
	buy_clear(&b);
	return rc;
}

/* --- recover --- */

static int token_spent(struct app *a, int64_t token_out, bool *spent)
{
	auto_buf struct buf state = BUF(64);
	int rc = token_state(a, token_out, &state);

	*spent = !rc && str_is(buf_view(&state), "spent");
	return rc;
}

/* Whether the token is in the wallet again already: the swap went on in the background. */
static bool came_back(struct app *a, const struct book_ask *ask)
{
	struct wallet_out_names names;
	struct wallet_out out;
	struct err e;

	return !wallet_out_get(a->wallet, ask->token_out, NULL, &out, &names, NULL, &e) &&
	       out.state == WALLET_OUT_RETURNED;
}

/* The asking of `ask` is over without a lease. */
static int settle_returned(struct app *a, const struct book_ask *ask, struct book_entry *entry)
{
	auto_tx struct tx *tx = NULL;
	struct err e;

	if (!strcmp(entry->request_id, ask->request_id))
		entry->state = BOOK_REFUSED;
	if (db_begin(&tx, a->db, &e) < 0 || book_save(tx, entry, &e) < 0 ||
	    book_ask_close(tx, ask->request_id, &e) < 0 || db_commit(&tx, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	return 0;
}

static int reclaim(struct app *a, const struct book_ask *ask, struct book_entry *entry)
{
	struct app_job job = {.app = a};
	int rc;

	wallet_reclaim(a->wallet, ask->token_out, app_job_news, &job);
	rc = app_job_wait(&job, REDEEM_MS);
	if (!rc)
		rc = settle_returned(a, ask, entry);
	if (rc)
		return rc;
	app_say(a, "%s: %llu sat are back in the wallet", ask->name,
		(unsigned long long)sat_raw(job.last.amount));
	return 0;
}

/* Its swap goes on since the wallet was opened. */
static void wait_for_token(struct app *a, const char *request_id)
{
	int64_t end = clock_mono_ms() + REDEEM_MS;
	struct wallet_out_names names;
	struct wallet_out out;

	while (wallet_out_get(a->wallet, 0, request_id, &out, &names, NULL, NULL) == 0 &&
	       out.state == WALLET_OUT_MAKING && clock_mono_ms() < end)
		if (app_wait(a, LOOK_MS) == APP_INTERRUPTED)
			return;
}

/* The command died between the intent and the complete request. 0: complete now. RECOVER_NOTHING:
 * no token was made, nothing is left of it. */
enum { RECOVER_NOTHING = -1 };
static int complete(struct app *a, struct book_ask *ask)
{
	auto_buf struct buf token = BUF(LEASE_TOKEN_MAX), text = BUF(LEASE_REQUEST_MAX),
			    old = BUF(LEASE_REQUEST_MAX);
	auto_request struct request *req = NULL;
	struct wallet_out_names names;
	struct wallet_out out;
	struct err e;
	int rc;

	if (book_ask_elsewhere(ask))
		return app_failf(EXIT_STATE, "%s: another command is at it", ask->name);
	wait_for_token(a, ask->request_id);
	rc = wallet_out_get(a->wallet, 0, ask->request_id, &out, &names, &token, &e);
	if (rc == WALLET_NO_SUCH || (rc == 0 && out.state == WALLET_OUT_RETURNED))
		return drop_intent(a, ask->request_id, &e) < 0 ? app_fail(EXIT_STATE, &e)
							       : RECOVER_NOTHING;
	if (rc == 0 && out.state != WALLET_OUT_OPEN)
		return app_failf(EXIT_MINT, "%s: its token is not made yet", ask->name);
	if (rc < 0 || book_ask_text(a->db, ask->request_id, &old, &e) ||
	    request_decode(&req, buf_view(&old), &e))
		return app_fail(EXIT_STATE, &e);
	ask->token_out = out.id;
	set_token(req, &token);
	hex_encode(req->refund_key, out.refund_key, sizeof(out.refund_key));
	if (store_request(a, req, ask, &text, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	return 0;
}

static int recover_complete(struct app *a, const struct book_ask *ask)
{
	auto_buf struct buf text = BUF(LEASE_REQUEST_MAX);
	auto_session struct session *s = NULL;
	struct book_entry entry;
	struct buy b = {.app = a, .entry = &entry};
	bool spent;
	struct err e;
	int rc;

	if (book_get(a->db, ask->name, &entry, &e) ||
	    book_ask_text(a->db, ask->request_id, &text, &e) ||
	    session_open(&s, a, &entry.provider, ask->rumor_at, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	if (came_back(a, ask))
		return settle_returned(a, ask, &entry);
	b.session = s;
	if (ask->expires_at + LOCK_S > clock_wall()) {
		struct session_send q = {.text = buf_view(&text),
					 .request_id = ask->request_id,
					 .rumor_at = ask->rumor_at,
					 .timeout_ms = 20000,
					 .fn = take_reply,
					 .ctx = &b};
		if (session_ask(s, &q) == SESSION_ANSWERED) {
			rc = answered(&b, ask, b.reply);
			buy_clear(&b);
			return rc == EXIT_REFUSED && b.back ? 0 : rc;
		}
	}
	rc = token_spent(a, ask->token_out, &spent);
	if (rc)
		return rc;
	if (spent)
		return app_failf(EXIT_UNCLEAR, "%s: the provider has the token and does not answer",
				 ask->name);
	if (ask->expires_at + LOCK_S > clock_wall())
		return app_failf(EXIT_NO_ANSWER,
				 "%s: the token is unspent; it comes back when its lock "
				 "ends in %lld min",
				 ask->name,
				 (long long)(ask->expires_at + LOCK_S - clock_wall()) / 60 + 1);
	return reclaim(a, ask, &entry);
}

int buy_recover(struct app *a, const struct book_ask *ask)
{
	struct book_ask whole = *ask;
	int rc = ask->token_out ? 0 : complete(a, &whole);

	if (rc == RECOVER_NOTHING)
		return 0;
	return rc ? rc : recover_complete(a, &whole);
}
