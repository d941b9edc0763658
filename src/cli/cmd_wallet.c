/* lease wallet fund, balance, mints, receive. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/jsonw.h"
#include "cli/fundmint.h"
#include "cli/funds.h"
#include "cli/invoice.h"
#include "cli/verbs.h"

#define SWAP_MS 150000

int verb_wallet_fund(void *ctx, const void *options, int argc, char **argv)
{
	const struct mint_options *o = options;
	struct app *a = ctx;
	char mint[WALLET_URL_MAX + 1];
	struct sat amount;
	struct err e;

	if (argc != 1 || sat_parse(&amount, str_of(argv[0]), &e) < 0 || sat_is_zero(amount))
		return app_failf(EXIT_USAGE, "want one amount in sat: lease wallet fund 1000");
	if (app_wallet(a, &e) < 0 || fundmint_choose(a, o->mint, mint, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	return invoice_run(a, mint, amount, INVOICE_ASKED);
}

/* --- balance --- */

struct balances {
	struct jsonw w;
	bool json;
	struct wallet_balance total;
	size_t n;
};

static void print_row(const struct wallet_balance *b, const char *what)
{
	printf("%10" PRIu64 "  %10" PRIu64 "  %10" PRIu64 "  %s\n", sat_raw(b->available),
	       sat_raw(b->reserved), sat_raw(b->in_flight), what);
}

static int print_balance(void *ctx, const char *mint, const struct wallet_balance *b)
{
	struct balances *s = ctx;

	if (!s->json) {
		if (!s->n++)
			printf("%10s  %10s  %10s  %s\n", "AVAILABLE", "RESERVED", "IN FLIGHT",
			       "SAT AT");
		print_row(b, mint);
		return 0;
	}
	jsonw_object(&s->w, NULL);
	jsonw_text(&s->w, "mint", mint);
	jsonw_u64(&s->w, "available_sat", sat_raw(b->available));
	jsonw_u64(&s->w, "reserved_sat", sat_raw(b->reserved));
	jsonw_u64(&s->w, "in_flight_sat", sat_raw(b->in_flight));
	jsonw_end_object(&s->w);
	return 0;
}

int verb_wallet_balance(void *ctx, const void *options, int argc, char **argv)
{
	struct app *a = ctx;
	auto_buf struct buf text = BUF(1 << 20);
	struct balances s = {.w = JSONW(&text), .json = a->g.json};
	struct err e;

	if (argc)
		return app_failf(EXIT_USAGE, "lease wallet balance takes no argument");
	if (app_wallet(a, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	if (s.json)
		jsonw_array(&s.w, NULL);
	if (wallet_each_mint(a->wallet, print_balance, &s, &e) < 0 ||
	    wallet_balance(a->wallet, NULL, &s.total, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	if (s.json)
		jsonw_end_array(&s.w);
	if (s.json)
		printf("%s\n", text.p);
	else if (s.n > 1)
		print_row(&s.total, "together");
	else if (!s.n)
		app_say(a, "no money yet: lease wallet fund AMOUNT");
	return 0;
}

/* --- mints --- */

static void print_mint(const struct app *a, const struct mint_votes *v, const struct mint_vote *m,
		       const struct wallet_balance *b)
{
	char offers[40] = "";

	if (v->providers)
		snprintf(offers, sizeof(offers), "%u of %u providers", m->providers, v->providers);
	if (!a->g.json) {
		printf("%10" PRIu64 " sat  %-10s  %-20s  %s\n", sat_raw(b->available),
		       m->configured ? "lease.conf"
		       : m->known    ? "known"
				     : "-",
		       offers, m->url);
		return;
	}
	{
		auto_buf struct buf text = BUF(4096);
		struct jsonw w = JSONW(&text);

		jsonw_object(&w, NULL);
		jsonw_text(&w, "mint", m->url);
		jsonw_bool(&w, "configured", m->configured);
		jsonw_bool(&w, "known", m->known);
		jsonw_u64(&w, "available_sat", sat_raw(b->available));
		jsonw_u64(&w, "providers", m->providers);
		jsonw_u64(&w, "providers_selling", v->providers);
		jsonw_end_object(&w);
		printf("%s\n", text.p);
	}
}

int verb_wallet_mints(void *ctx, const void *options, int argc, char **argv)
{
	const struct mints_options *o = options;
	auto_votes struct mint_votes v = {0};
	auto_market struct market m = {0};
	struct app *a = ctx;
	struct err e;

	if (argc)
		return app_failf(EXIT_USAGE, "lease wallet mints takes no argument");
	if (app_wallet(a, &e) < 0 || mint_votes_known(&v, a, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	if (o->offers && market_load(a, &m, &e) < 0)
		return app_fail(EXIT_RELAYS, &e);
	mint_votes_count(&v, &m);
	mint_votes_sort(&v);
	for (size_t i = 0; i < v.n; i++) {
		struct wallet_balance b;

		if (wallet_balance(a->wallet, v.v[i].url, &b, &e) < 0)
			return app_fail(EXIT_STATE, &e);
		print_mint(a, &v, &v.v[i], &b);
	}
	if (!v.n)
		app_say(a, "no mint is known: lease wallet mints --offers shows what providers "
			   "take");
	return 0;
}

/* --- receive --- */

/* The token comes by a file or standard input: arguments can be read by everybody on the machine.
 */
int verb_wallet_receive(void *ctx, const void *options, int argc, char **argv)
{
	struct app *a = ctx;
	auto_buf struct buf token = BUF(1 << 20);
	struct app_job job = {.app = a};
	struct err e;
	int rc;

	if (argc > 1)
		return app_failf(EXIT_USAGE, "want one file with a token, or standard input");
	if (app_wallet(a, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	if (funds_read_token(&token, argc ? argv[0] : "-", &e) < 0)
		return app_fail(EXIT_USAGE, &e);
	wallet_receive(a->wallet, buf_view(&token), app_job_news, &job);
	rc = app_job_wait(&job, SWAP_MS);
	if (!rc)
		app_say(a, "received: %" PRIu64 " sat", sat_raw(job.last.amount));
	return rc;
}
