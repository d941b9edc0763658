/* lease wallet pending: what is open, and what will happen to it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/jsonw.h"
#include "cli/invoice.h"
#include "cli/out.h"
#include "cli/verbs.h"

#define EXCHANGES_MS 5000
#define LOOK_MS	     50

struct pending {
	struct app *app;
	size_t n;
};

static void row_begin(struct pending *p, struct jsonw *w, const char *kind)
{
	p->n++;
	jsonw_object(w, NULL);
	jsonw_text(w, "kind", kind);
}

static void row_end(struct jsonw *w)
{
	jsonw_end_object(w);
	printf("%s\n", w->out->p);
}

/* "in 2h59m", "now" */
static void when(char *dst, size_t size, int64_t at)
{
	char left[32];

	if (at <= clock_wall()) {
		snprintf(dst, size, "now");
		return;
	}
	out_left(left, sizeof(left), at - clock_wall());
	snprintf(dst, size, "in %s", left);
}

/* --- invoices --- */

static int print_quote(void *ctx, const struct wallet_quote *q)
{
	struct pending *p = ctx;
	auto_buf struct buf text = BUF(16384);
	struct jsonw w = JSONW(&text);
	char left[40] = "at a time that is not known", invoice[4096];

	row_begin(p, &w, "invoice");
	jsonw_text(&w, "state", q->paid ? "paid" : "unpaid");
	jsonw_text(&w, "mint", q->mint);
	jsonw_u64(&w, "amount_sat", sat_raw(q->amount));
	jsonw_text(&w, "invoice", q->invoice);
	if (q->expiry)
		jsonw_i64(&w, "expires_at", q->expiry);
	if (p->app->g.json) {
		row_end(&w);
		return 0;
	}
	if (q->expiry)
		when(left, sizeof(left), q->expiry);
	str_printable(invoice, sizeof(invoice), str_of(q->invoice));
	if (q->paid)
		printf("invoice   %8" PRIu64 " sat  paid, being minted at %s\n", sat_raw(q->amount),
		       q->mint);
	else
		printf("invoice   %8" PRIu64 " sat  unpaid, expires %s%s; at %s\n  %s\n",
		       sat_raw(q->amount), left,
		       q->elsewhere ? ", another command waits for it" : "", q->mint, invoice);
	return 0;
}

/* --- exchanges --- */

static const char *exchange_words(enum wallet_kind k)
{
	static const char *const words[] = {
		[WALLET_PLAN_RECEIVE] = "a token comes in",
		[WALLET_PLAN_SPLIT] = "a token is being made",
		[WALLET_PLAN_RETURN] = "a token comes back",
		[WALLET_PLAN_MINT] = "a paid invoice is being minted",
		[WALLET_PLAN_MELT] = "a Lightning payment",
	};

	return (size_t)k < ARRAY_SIZE(words) && words[k] ? words[k] : "an exchange with the mint";
}

static int print_exchange(void *ctx, const struct wallet_exchange *x)
{
	struct pending *p = ctx;
	auto_buf struct buf text = BUF(16384);
	struct jsonw w = JSONW(&text);

	row_begin(p, &w, "exchange");
	jsonw_text(&w, "what", exchange_words(x->kind));
	jsonw_text(&w, "mint", x->mint);
	jsonw_u64(&w, "amount_sat", sat_raw(x->amount));
	jsonw_i64(&w, "created_at", x->created);
	jsonw_bool(&w, "elsewhere", x->elsewhere);
	if (p->app->g.json)
		row_end(&w);
	else
		printf("exchange  %8" PRIu64 " sat  %s; %s; at %s\n", sat_raw(x->amount),
		       exchange_words(x->kind),
		       x->elsewhere ? "another command is at it" : "goes on with: lease recover",
		       x->mint);
	return 0;
}

static int count_ours(void *ctx, const struct wallet_exchange *x)
{
	*(size_t *)ctx += !x->elsewhere;
	return 0;
}

/* What earlier processes left open goes on while this one looks. */
static int exchanges_wait(struct app *a, struct err *e)
{
	int64_t end = clock_mono_ms() + EXCHANGES_MS;
	size_t ours;

	do {
		ours = 0;
		if (wallet_each_exchange(a->wallet, count_ours, &ours, e) < 0)
			return -1;
	} while (ours > 0 && clock_mono_ms() < end && app_wait(a, LOOK_MS) != APP_INTERRUPTED);
	return 0;
}

/* --- outgoing tokens --- */

static const char *const out_states[] = {
	[WALLET_OUT_MAKING] = "making",	    [WALLET_OUT_OPEN] = "open",
	[WALLET_OUT_TAKEN] = "taken",	    [WALLET_OUT_RETURNING] = "returning",
	[WALLET_OUT_RETURNED] = "returned", [WALLET_OUT_FAILED] = "failed",
};

static int find_ask(void *ctx, const struct book_ask *ask)
{
	struct book_ask *wanted = ctx;

	if (strcmp(ask->request_id, wanted->request_id))
		return 0;
	*wanted = *ask;
	return 1;
}

/* What becomes of a token whose fate is not known. */
static void out_fate(char *dst, size_t size, const struct wallet_out *o, const char *lease)
{
	char back[40];

	when(back, sizeof(back), o->locktime);
	if (o->state == WALLET_OUT_RETURNING)
		snprintf(dst, size, "comes back by: lease recover");
	else if (o->kind == WALLET_OUT_PLAIN)
		snprintf(dst, size,
			 "number %" PRId64
			 ", given away: lease wallet reclaim takes it back if nobody did",
			 o->id);
	else if (o->kind == WALLET_OUT_LOCKED && !o->locktime)
		snprintf(dst, size,
			 "number %" PRId64 ", locked to its receiver: --token %" PRId64
			 " prints it again",
			 o->id, o->id);
	else if (o->locktime <= clock_wall())
		snprintf(dst, size, "its lock has ended: lease recover takes it back");
	else if (lease[0])
		snprintf(dst, size,
			 "for %s: lease recover asks the provider; else it comes back %s", lease,
			 back);
	else
		snprintf(dst, size, "in no request; lease recover takes it back %s", back);
}

static int print_out(void *ctx, const struct wallet_out *o)
{
	struct pending *p = ctx;
	auto_buf struct buf text = BUF(16384);
	struct jsonw w = JSONW(&text);
	struct book_ask ask = {0};
	char fate[200];
	struct err e;

	if (o->state != WALLET_OUT_OPEN && o->state != WALLET_OUT_RETURNING)
		return 0;
	memcpy(ask.request_id, o->ref, strnlen(o->ref, sizeof(ask.request_id) - 1));
	if (book_each_ask(p->app->db, find_ask, &ask, &e) < 0)
		app_fail(0, &e);
	out_fate(fate, sizeof(fate), o, ask.name);
	row_begin(p, &w, "token");
	jsonw_i64(&w, "id", o->id);
	jsonw_text(&w, "state", out_states[o->state]);
	jsonw_text(&w, "mint", o->mint);
	jsonw_u64(&w, "amount_sat", sat_raw(o->amount));
	jsonw_i64(&w, "created_at", o->created);
	jsonw_i64(&w, "locktime", o->locktime);
	jsonw_text(&w, "lease", ask.name);
	jsonw_text(&w, "fate", fate);
	if (p->app->g.json)
		row_end(&w);
	else
		printf("token     %8" PRIu64 " sat  %s, %s; at %s\n", sat_raw(o->amount),
		       out_states[o->state], fate, o->mint);
	return 0;
}

/* Whose fate is not known is handed over again as it was. */
static int print_again(struct app *a, const char *number)
{
	auto_buf struct buf token = BUF(256 << 10), text = BUF(512 << 10);
	struct jsonw w = JSONW(&text);
	struct wallet_out_names names;
	struct wallet_out out;
	uint64_t id;
	struct err e;
	int rc;

	if (str_u64(str_of(number), INT64_MAX, &id, &e) < 0)
		return app_failf(EXIT_USAGE, "--token wants the number of a token");
	if (app_wallet(a, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	rc = wallet_out_get(a->wallet, (int64_t)id, NULL, &out, &names, &token, &e);
	if (rc < 0)
		return app_fail(EXIT_STATE, &e);
	if (rc == WALLET_NO_SUCH || out.kind == WALLET_OUT_ORDER)
		return app_failf(EXIT_NOT_FOUND, "no token was given away under this number");
	if (out.state != WALLET_OUT_OPEN)
		return app_failf(EXIT_STATE, "this token is not open any more: it is %s",
				 out_states[out.state]);
	if (!a->g.json) {
		printf("%.*s\n", (int)token.n, token.p);
		return 0;
	}
	jsonw_object(&w, NULL);
	jsonw_i64(&w, "id", out.id);
	jsonw_text(&w, "mint", out.mint);
	jsonw_u64(&w, "amount_sat", sat_raw(out.amount));
	jsonw_str(&w, "token", buf_view(&token));
	jsonw_end_object(&w);
	printf("%s\n", text.p);
	return 0;
}

int verb_wallet_pending(void *ctx, const void *options, int argc, char **argv)
{
	const struct pending_options *o = options;
	struct app *a = ctx;
	struct pending p = {.app = a};
	struct err e;

	if (argc)
		return app_failf(EXIT_USAGE, "lease wallet pending takes no argument");
	if (o->token)
		return print_again(a, o->token);
	if (app_wallet(a, &e) < 0 || invoice_look(a, &e) < 0 || exchanges_wait(a, &e) < 0 ||
	    wallet_each_quote(a->wallet, print_quote, &p, &e) < 0 ||
	    wallet_each_exchange(a->wallet, print_exchange, &p, &e) < 0 ||
	    wallet_each_out(a->wallet, print_out, &p, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	if (!p.n)
		app_say(a, "nothing is open");
	return 0;
}
