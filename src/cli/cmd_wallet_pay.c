/* lease wallet pay, move: money that leaves by Lightning. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/jsonw.h"
#include "cashu/invoice.h"
#include "cli/leave.h"
#include "cli/verbs.h"

#define PAY_MS	    150000
#define FEE_LEAST   20
#define FEE_PERCENT 5

/* --- which mint, how much --- */

struct richest {
	char url[WALLET_URL_MAX + 1];
	struct sat most;
	size_t n;
};

static int look_richest(void *ctx, const char *mint, const struct wallet_balance *b)
{
	struct richest *r = ctx;

	if (r->n++ && sat_cmp(b->available, r->most) <= 0)
		return 0;
	r->most = b->available;
	memcpy(r->url, mint, strlen(mint) + 1);
	return 0;
}

int leave_mint(struct app *a, const char *named, char out[static WALLET_URL_MAX + 1], struct err *e)
{
	struct richest r = {0};

	if (!named && wallet_each_mint(a->wallet, look_richest, &r, e) < 0)
		return -1;
	if (!named && !r.n)
		return err_set(e, ERRK_STATE, "the wallet is empty: lease wallet fund adds money");
	return app_mint(a, named ? named : r.url, out, e);
}

int leave_amount(struct sat *out, const char *text, const char *what)
{
	struct err e;

	if (!text)
		return 0;
	if (sat_parse(out, str_of(text), &e) < 0 || sat_is_zero(*out))
		return app_failf(EXIT_USAGE, "%s: want an amount in sat, not %s", what, text);
	return 0;
}

struct sat leave_total(struct sat amount, struct sat max_fee)
{
	uint64_t share = sat_raw(amount) / 100 * FEE_PERCENT;
	struct sat total;

	if (sat_is_zero(max_fee) && !sat_make(&max_fee, share > FEE_LEAST ? share : FEE_LEAST))
		return amount;
	return sat_add(&total, amount, max_fee) ? total : amount;
}

/* --- a payment --- */

void leave_news(void *ctx, const struct wallet_news *n)
{
	struct app_job *j = ctx;

	if (n->stage == WALLET_WAITING)
		app_say(j->app, "%.*s", (int)n->text.n, n->text.p);
	app_job_news(ctx, n);
}

int leave_wait(struct app_job *j)
{
	int rc = app_job_wait(j, PAY_MS);

	return j->ended ? rc : EXIT_UNCLEAR;
}

static int pay_done(struct app *a, const struct app_job *job, const char *mint)
{
	auto_buf struct buf text = BUF(8192);
	struct jsonw w = JSONW(&text);

	if (!a->g.json) {
		app_say(a, "paid: it cost %" PRIu64 " sat with all fees at %s",
			sat_raw(job->last.amount), mint);
		if (job->text->n)
			printf("%s\n", job->text->p);
		return 0;
	}
	jsonw_object(&w, NULL);
	jsonw_text(&w, "mint", mint);
	jsonw_u64(&w, "cost_sat", sat_raw(job->last.amount));
	jsonw_str(&w, "preimage", buf_view(job->text));
	jsonw_end_object(&w);
	printf("%s\n", text.p);
	return 0;
}

static int pay_invoice(struct app *a, const char *text, const char *mint,
		       const struct pay_options *o)
{
	auto_buf struct buf preimage = BUF(256);
	struct app_job job = {.app = a, .text = &preimage};
	struct wallet_pay p = {.mint = mint, .invoice = text, .again = o->again};
	struct sat fee = SAT(0);
	struct invoice i;
	struct err e;
	int rc = leave_amount(&fee, o->max_fee, "--max-fee");

	if (rc)
		return rc;
	if (invoice_read(&i, str_of(text), &e) < 0)
		return app_fail(EXIT_USAGE, &e);
	rc = leave_amount(&p.amount, o->amount, "--amount");
	if (rc)
		return rc;
	if (!i.has_amount && sat_is_zero(p.amount))
		return app_failf(EXIT_USAGE, "the invoice names no amount: --amount SAT");
	if (i.has_amount && o->amount)
		return app_failf(EXIT_USAGE, "--amount is for addresses and open requests; this "
					     "invoice names its amount");
	p.max_total = leave_total(i.has_amount ? invoice_sat(&i) : p.amount, fee);
	wallet_pay(a->wallet, &p, leave_news, &job);
	rc = leave_wait(&job);
	if (job.ended && job.last.open)
		app_say(a,
			"lease recover asks again; --again gives this money up and pays once more");
	return rc ? rc : pay_done(a, &job, mint);
}

static int pay_address(struct app *a, const char *text, const char *mint,
		       const struct pay_options *o)
{
	auto_buf struct buf preimage = BUF(256);
	struct app_job job = {.app = a, .text = &preimage};
	struct wallet_pay_address p = {.mint = mint, .address = text, .amount = SAT(0)};
	struct sat fee = SAT(0);
	int rc = leave_amount(&p.amount, o->amount, "--amount");

	if (!rc)
		rc = leave_amount(&fee, o->max_fee, "--max-fee");
	if (rc)
		return rc;
	if (sat_is_zero(p.amount))
		return app_failf(EXIT_USAGE, "an address wants --amount SAT");
	p.max_total = leave_total(p.amount, fee);
	wallet_pay_address(a->wallet, &p, leave_news, &job);
	rc = leave_wait(&job);
	return rc ? rc : pay_done(a, &job, mint);
}

static bool is_request(const char *text)
{
	return str_starts(str_of(text), "creq") || str_starts(str_of(text), "CREQ");
}

static bool is_invoice(const char *text)
{
	return !is_request(text) && !wallet_is_address(str_of(text));
}

int verb_wallet_pay(void *ctx, const void *options, int argc, char **argv)
{
	const struct pay_options *o = options;
	struct app *a = ctx;
	char mint[WALLET_URL_MAX + 1];
	struct sat amount = SAT(0);
	struct err e;
	int rc;

	if (argc != 1)
		return app_failf(EXIT_USAGE, "want one invoice, address or payment request");
	if (o->again && !is_invoice(argv[0]))
		return app_failf(EXIT_USAGE, "--again is for invoices");
	rc = leave_amount(&amount, o->amount, "--amount");
	if (rc)
		return rc;
	if (app_wallet(a, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	if (is_request(argv[0]))
		return leave_request(a, argv[0], o->mint, amount);
	if (leave_mint(a, o->mint, mint, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	if (wallet_is_address(str_of(argv[0])))
		return pay_address(a, argv[0], mint, o);
	return pay_invoice(a, argv[0], mint, o);
}

/* --- move --- */

static int move_done(struct app *a, const struct app_job *job, const struct wallet_move *m)
{
	auto_buf struct buf text = BUF(8192);
	struct jsonw w = JSONW(&text);
	struct sat fees = SAT(0);

	if (!sat_sub(&fees, job->last.amount, m->amount))
		fees = SAT(0);
	if (!a->g.json) {
		app_say(a, "moved: %" PRIu64 " sat are at %s, fees were %" PRIu64 " sat",
			sat_raw(m->amount), m->to, sat_raw(fees));
		return 0;
	}
	jsonw_object(&w, NULL);
	jsonw_text(&w, "from", m->from);
	jsonw_text(&w, "to", m->to);
	jsonw_u64(&w, "amount_sat", sat_raw(m->amount));
	jsonw_u64(&w, "cost_sat", sat_raw(job->last.amount));
	jsonw_end_object(&w);
	printf("%s\n", text.p);
	return 0;
}

/* The richest of the others. */
struct source {
	struct richest best;
	const char *to;
};

static int look_source(void *ctx, const char *mint, const struct wallet_balance *b)
{
	struct source *s = ctx;

	return strcmp(mint, s->to) ? look_richest(&s->best, mint, b) : 0;
}

static int move_mints(struct app *a, const struct move_options *o,
		      char from[static WALLET_URL_MAX + 1], char to[static WALLET_URL_MAX + 1],
		      struct err *e)
{
	struct source s = {.to = to};

	if (app_mint(a, o->to, to, e) < 0)
		return -1;
	if (!o->from && wallet_each_mint(a->wallet, look_source, &s, e) < 0)
		return -1;
	if (!o->from && !s.best.n)
		return err_set(e, ERRK_STATE, "there is no other mint to move from");
	return app_mint(a, o->from ? o->from : s.best.url, from, e);
}

int verb_wallet_move(void *ctx, const void *options, int argc, char **argv)
{
	const struct move_options *o = options;
	struct app *a = ctx;
	struct app_job job = {.app = a};
	char from[WALLET_URL_MAX + 1], to[WALLET_URL_MAX + 1];
	struct wallet_move m = {.from = from, .to = to, .amount = SAT(0)};
	struct sat fee = SAT(0);
	struct err e;
	int rc;

	if (argc != 1 || !o->to)
		return app_failf(EXIT_USAGE, "want an amount and a mint: lease wallet move 1000 "
					     "--to URL");
	rc = leave_amount(&m.amount, argv[0], "move");
	if (!rc)
		rc = leave_amount(&fee, o->max_fee, "--max-fee");
	if (rc)
		return rc;
	if (app_wallet(a, &e) < 0 || move_mints(a, o, from, to, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	m.max_total = leave_total(m.amount, fee);
	wallet_move(a->wallet, &m, leave_news, &job);
	rc = leave_wait(&job);
	return rc ? rc : move_done(a, &job, &m);
}
