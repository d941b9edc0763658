/* Ending a lease as its owner: see ending.h. */
#include "cli/ending.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/step.h"
#include "cli/refunds.h"
#include "nostr/event.h"

#define ANSWER_MS 30000
#define ERASE_MS  60000
#define REFUND_MS 20000 /* after the erasure */

static int check_receipt(const struct book_entry *b, const char *receipt, struct err *e)
{
	auto_event struct nostr_event *ev = NULL;

	if (nostr_event_parse(&ev, str_of(receipt), e) < 0 || nostr_event_verify(ev, e) < 0)
		return err_wrap(e, "receipt");
	if (ev->kind != LEASE_KIND_RECEIPT || !pubkey_eq(&ev->pubkey, &b->provider))
		return err_set(e, ERRK_PEER, "receipt: not signed by the provider");
	return 0;
}

int ending_learn(struct app *a, struct book_entry *b, const struct reply *r)
{
	auto_tx struct tx *tx = NULL;
	struct err e;

	book_learn(b, r);
	if (r->receipt && check_receipt(b, r->receipt, &e) < 0)
		return app_fail(EXIT_VERIFY, &e);
	if (db_begin(&tx, a->db, &e) < 0 || book_save(tx, b, &e) < 0 ||
	    (r->receipt && book_save_receipt(tx, b->name, r->receipt, &e) < 0) ||
	    book_refund_learn(tx, b->name, r, &e) < 0 || db_commit(&tx, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	if (r->refund)
		step_at(STEP_ORDER_REFUND_STORED);
	return 0;
}

struct ending {
	struct app *app;
	struct book_entry *b;
	struct reply *ended;
	bool done;
	int status;
};

/* The end is told with the spawn's request id, when everything is erased. */
static bool take_news(void *ctx, const struct reply *r)
{
	struct ending *n = ctx;

	n->status = ending_learn(n->app, n->b, r);
	n->done = n->b->state == BOOK_ENDED;
	return n->done || n->status;
}

static void print_bill(const struct app *a, const struct book_entry *b, const struct refunds *sum)
{
	int64_t ran = b->started_at ? b->ended_at - b->started_at : 0;
	char due[64] = "";

	if (!sat_is_zero(sum->due))
		snprintf(due, sizeof(due), "; %" PRIu64 " sat refund due: lease recover",
			 sat_raw(sum->due));
	app_say(a,
		"ran %" PRId64 " s, paid %" PRIu64 " sat, %" PRIu64
		" sat back, erased, receipt %.4s%s",
		ran > 0 ? ran : 0, sat_raw(msat_ceil(b->paid)), sat_raw(sum->back), b->lease, due);
}

static int settle(struct app *a, struct session *s, struct book_entry *b)
{
	struct refunds sum;
	struct err e;
	int rc;

	refunds_wait(a, s, b, b->request_id, REFUND_MS);
	rc = refunds_receive(a, b);
	if (refunds_sum(a, b->name, &sum, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	print_bill(a, b, &sum);
	return rc;
}

static int ask_end(struct session *s, struct ending *n)
{
	auto_request struct request *req = request_new(REQUEST_END);
	auto_reply struct reply *r = NULL;
	struct err e;
	int rc;

	memcpy(req->lease, n->b->lease, sizeof(req->lease));
	rc = session_call(s, req, ANSWER_MS, &r, &e);
	if (rc < 0)
		return app_fail(EXIT_OTHER, &e);
	if (rc)
		return session_failed(rc);
	if (r->stage == REPLY_STAGE_REFUSED)
		return app_failf(r->code == REPLY_NOT_FOUND ? EXIT_NOT_FOUND : EXIT_REFUSED,
				 "%s: %s", n->b->name, r->message);
	n->status = ending_learn(n->app, n->b, r);
	n->done |= n->b->state == BOOK_ENDED;
	return n->status;
}

int ending_run(struct app *a, struct session *s, struct book_entry *b)
{
	struct ending n = {.app = a, .b = b};
	int rc, how = APP_DONE;
	int64_t end = clock_mono_ms() + ERASE_MS;

	session_watch(s, b->request_id, take_news, &n);
	rc = ask_end(s, &n);
	while (!rc && !n.done && how == APP_DONE && clock_mono_ms() < end) {
		how = app_wait(a, end - clock_mono_ms());
		rc = n.status;
	}
	session_unwatch(s, b->request_id);
	if (rc)
		return rc;
	if (!n.done)
		return app_failf(EXIT_NO_ANSWER,
				 "%s ends; the provider has not said yet that it is "
				 "erased: lease status %s",
				 b->name, b->name);
	return settle(a, s, b);
}
