/* lease wallet fund, balance, receive, pending. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/jsonw.h"
#include "cli/verbs.h"

#define FUND_MS (20 * 60 * 1000)
#define SWAP_MS 150000

int verb_wallet_fund(void *ctx, const void *options, int argc, char **argv)
{
	const struct mint_options *o = options;
	struct app *a = ctx;
	struct app_job job = {.app = a};
	char mint[WALLET_URL_MAX + 1];
	struct sat amount;
	struct err e;
	int rc;

	if (argc != 1 || sat_parse(&amount, str_of(argv[0]), &e) < 0 || sat_is_zero(amount))
		return app_failf(EXIT_USAGE, "want one amount in sat: lease wallet fund 1000");
	if (app_wallet(a, &e) < 0 || app_mint(a, o->mint, mint, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	wallet_fund(a->wallet, mint, amount, app_job_news, &job);
	rc = app_job_wait(&job, FUND_MS);
	if (!rc)
		app_say(a, "funded: %" PRIu64 " sat at %s", sat_raw(job.last.amount), mint);
	return rc;
}

struct balances {
	struct jsonw w;
	bool json;
	uint64_t total;
	size_t n;
};

static int print_balance(void *ctx, const char *mint, const struct wallet_balance *b)
{
	struct balances *s = ctx;

	s->n++;
	s->total += sat_raw(b->available);
	if (s->json) {
		jsonw_object(&s->w, NULL);
		jsonw_text(&s->w, "mint", mint);
		jsonw_u64(&s->w, "available_sat", sat_raw(b->available));
		jsonw_u64(&s->w, "reserved_sat", sat_raw(b->reserved));
		jsonw_u64(&s->w, "in_flight_sat", sat_raw(b->in_flight));
		jsonw_end_object(&s->w);
		return 0;
	}
	printf("%8" PRIu64 " sat  %s", sat_raw(b->available), mint);
	if (sat_raw(b->reserved) || sat_raw(b->in_flight))
		printf("  (+%" PRIu64 " in swaps, %" PRIu64 " handed out)", sat_raw(b->reserved),
		       sat_raw(b->in_flight));
	putchar('\n');
	return 0;
}

int verb_wallet_balance(void *ctx, const void *options, int argc, char **argv)
{
	struct app *a = ctx;
	auto_buf struct buf text = BUF(65536);
	struct balances s = {.w = JSONW(&text), .json = a->g.json};
	struct err e;

	if (argc)
		return app_failf(EXIT_USAGE, "lease wallet balance takes no argument");
	if (app_wallet(a, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	jsonw_array(&s.w, NULL);
	if (wallet_each_mint(a->wallet, print_balance, &s, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	jsonw_end_array(&s.w);
	if (s.json)
		printf("%s\n", text.p);
	else if (!s.n)
		app_say(a, "no money yet: lease wallet fund AMOUNT --mint URL");
	return 0;
}

static int read_token(const char *path, struct buf *out, struct err *e)
{
	char chunk[4096];
	size_t n;

	if (path && strcmp(path, "-"))
		return fs_read(out, path, e) ? err_set(e, ERRK_INPUT, "no such file: %s", path) : 0;
	while ((n = fread(chunk, 1, sizeof(chunk), stdin)))
		buf_add(out, chunk, n);
	wipe(chunk, sizeof(chunk));
	return buf_check(out, "token", e);
}

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
	if (read_token(argc ? argv[0] : NULL, &token, &e) < 0)
		return app_fail(EXIT_USAGE, &e);
	wallet_receive(a->wallet, str_trim(buf_view(&token)), app_job_news, &job);
	rc = app_job_wait(&job, SWAP_MS);
	if (!rc)
		app_say(a, "received: %" PRIu64 " sat", sat_raw(job.last.amount));
	return rc;
}

static const char *out_state(enum wallet_out_state s)
{
	static const char *const names[] = {
		[WALLET_OUT_MAKING] = "making",	    [WALLET_OUT_OPEN] = "open",
		[WALLET_OUT_TAKEN] = "taken",	    [WALLET_OUT_RETURNING] = "returning",
		[WALLET_OUT_RETURNED] = "returned", [WALLET_OUT_FAILED] = "failed",
	};

	return names[s];
}

static int print_out(void *ctx, const struct wallet_out *o)
{
	const struct app *a = ctx;
	char when[21];

	if (o->state != WALLET_OUT_OPEN && o->state != WALLET_OUT_MAKING &&
	    o->state != WALLET_OUT_RETURNING)
		return 0;
	clock_format(when, o->locktime);
	if (a->g.json)
		printf("{\"id\":%" PRId64 ",\"state\":\"%s\",\"sat\":%" PRIu64
		       ",\"locktime\":%" PRId64 "}\n",
		       o->id, out_state(o->state), sat_raw(o->amount), o->locktime);
	else
		printf("%6" PRId64 "  %-9s  %8" PRIu64 " sat  comes back after %s\n", o->id,
		       out_state(o->state), sat_raw(o->amount), when);
	return 0;
}

int verb_wallet_pending(void *ctx, const void *options, int argc, char **argv)
{
	struct app *a = ctx;
	struct err e;

	if (argc)
		return app_failf(EXIT_USAGE, "lease wallet pending takes no argument");
	if (app_wallet(a, &e) < 0 || wallet_each_out(a->wallet, print_out, a, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	return 0;
}
