/* Money by a Lightning invoice: see invoice.h. */
#include "cli/invoice.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/jsonw.h"
#include "base/mem.h"
#include "cashu/wire.h"
#include "cli/out.h"
#include "cli/qr.h"

#define WAIT_MS	  (60 * 60 * 1000)
#define LOOK_MS	  10000
#define SECOND_MS 1000

struct invoice {
	struct app_job job; /* first: what ends it is told to app_job_news */
	const char *mint;
	enum invoice_to to;
	int64_t expiry; /* 0: not known */
	bool shown;
	struct loop_timer *tick;
};

/* --- progress --- */

static bool has_terminal(const struct app *a)
{
	return !a->g.quiet && isatty(STDERR_FILENO);
}

static void progress_clear(struct invoice *v)
{
	loop_timer_del(v->tick);
	v->tick = NULL;
	if (has_terminal(v->job.app))
		fprintf(stderr, "\r\033[K");
}

static void progress_tick(void *ctx)
{
	struct invoice *v = ctx;
	char left[32];

	out_left(left, sizeof(left), v->expiry - clock_wall());
	if (v->expiry)
		fprintf(stderr, "\r\033[Kwaiting for the payment, %s left", left);
	else
		fprintf(stderr, "\r\033[Kwaiting for the payment");
	v->tick = loop_timer_add(v->job.app->loop, SECOND_MS, progress_tick, v);
}

static void progress_start(struct invoice *v)
{
	char when[21];

	if (v->expiry) {
		clock_format(when, v->expiry);
		app_say(v->job.app, "it can be paid until %s", when);
	}
	if (has_terminal(v->job.app))
		progress_tick(v);
	else
		app_say(v->job.app, "waiting for the payment");
}

/* --- the invoice --- */

static void print_json(const struct invoice *v, const struct wallet_news *n)
{
	auto_buf struct buf text = BUF(16384);
	struct jsonw w = JSONW(&text);

	jsonw_object(&w, NULL);
	jsonw_text(&w, "state", "invoice");
	jsonw_text(&w, "mint", v->mint);
	jsonw_u64(&w, "amount_sat", sat_raw(n->amount));
	jsonw_str(&w, "invoice", n->text);
	if (n->expiry)
		jsonw_i64(&w, "expires_at", n->expiry);
	jsonw_end_object(&w);
	printf("%s\n", text.p);
}

static void show(struct invoice *v, const struct wallet_news *n)
{
	char text[CASHU_INVOICE_MAX + 1];

	v->expiry = n->expiry;
	v->shown = true;
	if (v->job.app->g.json && v->to == INVOICE_ASKED) {
		print_json(v, n);
	} else {
		app_say(v->job.app,
			"pay this invoice over %" PRIu64 " sat to %s:", sat_raw(n->amount),
			v->mint);
		if (!v->job.app->g.quiet)
			qr_show(n->text);
		str_printable(text, sizeof(text), n->text);
		fprintf(v->to == INVOICE_ASKED ? stdout : stderr, "%s\n", text);
	}
	fflush(stdout);
	progress_start(v);
}

static void invoice_news(void *ctx, const struct wallet_news *n)
{
	struct invoice *v = ctx;

	if (n->stage == WALLET_INVOICE)
		show(v, n);
	else
		app_job_news(&v->job, n);
}

static void print_funded(const struct invoice *v)
{
	auto_buf struct buf text = BUF(16384);
	struct jsonw w = JSONW(&text);
	uint64_t amount = sat_raw(v->job.last.amount);

	app_say(v->job.app, "funded: %" PRIu64 " sat at %s", amount, v->mint);
	if (!v->job.app->g.json || v->to != INVOICE_ASKED)
		return;
	jsonw_object(&w, NULL);
	jsonw_text(&w, "state", "funded");
	jsonw_text(&w, "mint", v->mint);
	jsonw_u64(&w, "amount_sat", amount);
	jsonw_end_object(&w);
	printf("%s\n", text.p);
}

static int left_open(const struct invoice *v, int how)
{
	const char *why = how == APP_INTERRUPTED ? "interrupted" : "not paid yet";

	if (!v->shown)
		return how == APP_INTERRUPTED ? app_failf(130, "interrupted")
					      : app_failf(EXIT_MINT, "%s does not answer", v->mint);
	return app_failf(how == APP_INTERRUPTED ? 130 : EXIT_MONEY,
			 "%s; the invoice is stored and may still be paid: lease wallet pending "
			 "shows it and takes the money",
			 why);
}

int invoice_run(struct app *a, const char *mint, struct sat amount, enum invoice_to to)
{
	struct invoice v = {.job = {.app = a}, .mint = mint, .to = to};
	int64_t end = clock_mono_ms() + WAIT_MS;
	int how = APP_DONE, rc;

	wallet_fund(a->wallet, mint, amount, invoice_news, &v);
	while (!v.job.ended && how == APP_DONE)
		how = app_wait(a, end - clock_mono_ms());
	progress_clear(&v);
	if (!v.job.ended)
		return left_open(&v, how);
	rc = app_job_wait(&v.job, 0);
	if (!rc)
		print_funded(&v);
	return rc;
}

/* --- invoices of earlier processes --- */

struct looks {
	struct app *app;
	struct look *v;
	size_t n, open; /* open: without an answer */
};

struct look {
	struct looks *all;
	int64_t quote;
	bool answered;
};

static int look_add(void *ctx, const struct wallet_quote *q)
{
	struct looks *l = ctx;

	if (q->elsewhere || q->paid)
		return 0;
	l->v = mem_grow(l->v, l->n + 1, sizeof(*l->v));
	l->v[l->n++] = (struct look){.all = l, .quote = q->id};
	return 0;
}

static void look_news(void *ctx, const struct wallet_news *n)
{
	struct look *one = ctx;

	if (n->stage == WALLET_DONE)
		app_say(one->all->app, "an invoice was paid: %" PRIu64 " sat are in the wallet",
			sat_raw(n->amount));
	if (one->answered)
		return;
	one->answered = true;
	one->all->open--;
	app_done(one->all->app);
}

int invoice_look(struct app *a, struct err *e)
{
	int64_t end = clock_mono_ms() + LOOK_MS, left;
	struct looks l = {.app = a};
	int rc = wallet_each_quote(a->wallet, look_add, &l, e);

	l.open = l.n;
	for (size_t i = 0; i < l.n; i++)
		wallet_fund_watch(a->wallet, l.v[i].quote, look_news, &l.v[i]);
	while (l.open > 0 && (left = end - clock_mono_ms()) > 0)
		if (app_wait(a, left) != APP_DONE)
			break;
	for (size_t i = 0; i < l.n; i++)
		wallet_fund_unwatch(a->wallet, &l.v[i]);
	free(l.v);
	return rc;
}
