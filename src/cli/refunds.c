/* Refunds on their way back: see refunds.h. */
#include "cli/refunds.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/step.h"
#include "cli/ending.h"

#define RECEIVE_MS 60000
#define ANSWER_MS  20000
#define MADE_MS	   15000

/* --- what there is --- */

static int add_one(void *ctx, const struct book_refund *r)
{
	struct refunds *sum = ctx;
	struct sat *to = r->state == BOOK_REFUND_TAKEN				       ? &sum->back
			 : r->state == BOOK_REFUND_DUE || r->state == BOOK_REFUND_HERE ? &sum->due
										       : NULL;

	return to && !sat_add(to, *to, r->amount);
}

int refunds_sum(struct app *a, const char *name, struct refunds *out, struct err *e)
{
	*out = (struct refunds){0};
	return book_each_refund(a->db, name, add_one, out, e);
}

static int note_due(void *ctx, const struct book_refund *r)
{
	*(bool *)ctx |= r->state == BOOK_REFUND_DUE;
	return 0;
}

static bool some_due(struct app *a, const char *name)
{
	bool due = false;
	struct err e;

	return !book_each_refund(a->db, name, note_due, &due, &e) && due;
}

/* --- waiting --- */

struct watching {
	struct app *app;
	struct book_entry *b;
};

static bool take_refund(void *ctx, const struct reply *r)
{
	struct watching *w = ctx;

	return r->stage == REPLY_STAGE_REFUND && !ending_learn(w->app, w->b, r);
}

void refunds_wait(struct app *a, struct session *s, struct book_entry *b, const char *request_id,
		  int64_t timeout_ms)
{
	struct watching w = {a, b};
	int64_t end = clock_mono_ms() + timeout_ms;
	int how = APP_DONE;

	session_watch(s, request_id, take_refund, &w);
	while (how == APP_DONE && some_due(a, b->name) && clock_mono_ms() < end)
		how = app_wait(a, end - clock_mono_ms());
	session_unwatch(s, request_id);
}

/* --- receiving --- */

struct arrived {
	struct book_refund *v;
	size_t n;
};

static int collect_arrived(void *ctx, const struct book_refund *r)
{
	struct arrived *s = ctx;

	if (r->state != BOOK_REFUND_HERE)
		return 0;
	s->v = mem_grow(s->v, s->n + 1, sizeof(*s->v));
	s->v[s->n++] = *r;
	return 0;
}

static int close_one(struct app *a, const char *name, const struct book_refund *r)
{
	auto_tx struct tx *tx = NULL;
	struct err e;

	if (db_begin(&tx, a->db, &e) < 0 || book_refund_close(tx, name, r, &e) < 0 ||
	    db_commit(&tx, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	step_at(STEP_ORDER_REFUNDED);
	return 0;
}

/* The wallet did not take it: is that for good? */
static int not_received(struct app *a, const struct book_entry *b, struct book_refund *r,
			const char *ref, const struct app_job *job)
{
	enum wallet_received how;
	struct err e;

	if (wallet_received(a->wallet, ref, &how, &r->amount, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	if (how == WALLET_RECEIVED_ELSEWHERE) {
		r->state = BOOK_REFUND_ELSEWHERE;
		return close_one(a, b->name, r);
	}
	if (job->error.kind == ERRK_LIMIT) { /* the mint's fee eats it up */
		r->amount = SAT(0);
		r->state = BOOK_REFUND_TAKEN;
		return close_one(a, b->name, r);
	}
	return EXIT_MINT;
}

/* Named after the lease, so that it comes in once, whatever was forgotten between. */
static int receive_one(struct app *a, const struct book_entry *b, struct book_refund *r)
{
	auto_buf struct buf token = BUF(LEASE_TOKEN_MAX);
	struct app_job job = {.app = a};
	struct wallet_receive_for q = {0};
	char ref[64];
	struct err e;
	int rc = book_refund_token(a->db, b->name, r->number, &token, &e);

	if (rc)
		return rc < 0 ? app_fail(EXIT_STATE, &e) : 0;
	snprintf(ref, sizeof(ref), "refund %s %u", b->lease, (unsigned)r->number);
	q.token = buf_view(&token);
	q.ref = ref;
	wallet_receive_for(a->wallet, &q, app_job_news, &job);
	if (app_job_wait(&job, RECEIVE_MS))
		return not_received(a, b, r, ref, &job);
	r->amount = job.last.amount;
	r->state = BOOK_REFUND_TAKEN;
	return close_one(a, b->name, r);
}

int refunds_receive(struct app *a, const struct book_entry *b)
{
	struct arrived s = {0};
	struct err e;
	int rc = 0, one;

	if (book_each_refund(a->db, b->name, collect_arrived, &s, &e) < 0)
		rc = app_fail(EXIT_STATE, &e);
	for (size_t i = 0; !rc && i < s.n; i++) {
		one = receive_one(a, b, &s.v[i]);
		rc = one ? one : rc;
	}
	free(s.v);
	return rc;
}

/* --- recovering --- */

struct entries {
	struct app *app;
	struct book_entry *v;
	size_t n;
};

static int collect_entry(void *ctx, const struct book_entry *b)
{
	struct entries *s = ctx;
	struct refunds sum;
	struct err e;

	if (!b->lease[0])
		return 0;
	if (b->state != BOOK_RUNNING &&
	    (refunds_sum(s->app, b->name, &sum, &e) < 0 || sat_is_zero(sum.due)))
		return 0;
	s->v = mem_grow(s->v, s->n + 1, sizeof(*s->v));
	s->v[s->n++] = *b;
	return 0;
}

struct asking {
	struct watching w;
	bool refused;
	char message[256];
};

static bool take_answer(void *ctx, const struct reply *r)
{
	struct asking *q = ctx;

	q->refused = r->stage == REPLY_STAGE_REFUSED;
	memcpy(q->message, r->message, sizeof(q->message));
	if (!q->refused)
		ending_learn(q->w.app, q->w.b, r);
	return r->final;
}

/* Ask the provider for all refunds of the lease. */
static int ask_refunds(struct app *a, struct session *s, struct asking *q)
{
	auto_request struct request *req = request_new(REQUEST_REFUND);
	auto_buf struct buf text = BUF(LEASE_REQUEST_MAX), receipt = BUF(LEASE_RECEIPT_MAX);
	struct session_send ask = {.request_id = req->request_id,
				   .rumor_at = clock_wall(),
				   .timeout_ms = ANSWER_MS,
				   .fn = take_answer,
				   .ctx = q};
	struct err e;

	memcpy(req->lease, q->w.b->lease, sizeof(req->lease));
	req->expires_at = ask.rumor_at + 120;
	if (!book_receipt(a->db, q->w.b->name, &receipt, &e) && !buf_check(&receipt, "receipt", &e))
		req->receipt = buf_steal(&receipt);
	if (request_encode(&text, req, &e) < 0)
		return app_fail(EXIT_OTHER, &e);
	ask.text = buf_view(&text);
	switch (session_ask(s, &ask)) {
	case SESSION_ANSWERED:
		return 0;
	case SESSION_INTERRUPTED:
		return 130;
	default:
		snprintf(q->message, sizeof(q->message), "the provider does not answer");
		return EXIT_NO_ANSWER;
	}
}

static int ask_and_receive(struct app *a, struct asking *q)
{
	auto_session struct session *s = NULL;
	struct book_entry *b = q->w.b;
	struct err e;
	int rc;

	if (session_open(&s, a, &b->provider, b->created_at, &e) < 0)
		return app_fail(EXIT_RELAYS, &e);
	rc = ask_refunds(a, s, q);
	if (rc)
		return rc;
	if (!q->refused)
		refunds_wait(a, s, b, b->request_id, MADE_MS);
	return refunds_receive(a, b);
}

/* 1 in *said when a line was printed. */
static int recover_one(struct app *a, struct book_entry *b, size_t *said)
{
	struct asking q = {.w = {a, b}};
	struct refunds before, after;
	struct sat got;
	struct err e;
	int rc, one;

	if (refunds_sum(a, b->name, &before, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	rc = refunds_receive(a, b);
	if (some_due(a, b->name) || b->state == BOOK_RUNNING) {
		one = ask_and_receive(a, &q);
		rc = one ? one : rc;
	}
	if (refunds_sum(a, b->name, &after, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	if (sat_sub(&got, after.back, before.back) && !sat_is_zero(got)) {
		app_say(a, "%s: %" PRIu64 " sat back", b->name, sat_raw(got));
		++*said;
	}
	if (!sat_is_zero(after.due)) {
		app_say(a, "%s: %" PRIu64 " sat refund due%s%s", b->name, sat_raw(after.due),
			q.message[0] ? "; " : "", q.message);
		++*said;
		return rc ? rc : EXIT_UNCLEAR;
	}
	return rc == EXIT_NO_ANSWER && b->state == BOOK_RUNNING ? 0 : rc;
}

int refunds_recover(struct app *a, size_t *said)
{
	struct entries s = {.app = a};
	struct err e;
	int rc = 0, one;

	if (book_each(a->db, collect_entry, &s, &e) < 0)
		rc = app_fail(EXIT_STATE, &e);
	for (size_t i = 0; i < s.n && !a->interrupted; i++) {
		one = recover_one(a, &s.v[i], said);
		rc = one ? one : rc;
	}
	free(s.v);
	return rc;
}
