/* Money for a payment that is about to be made: see funds.h. */
#include "cli/funds.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "cashu/token.h"
#include "cli/invoice.h"
#include "wallet/renew.h"

#define SWAP_MS	     150000
#define RENEW_BEFORE (30 * 86400) /* of a keyset's end: buyers do not look every day */
#define MINTS_MAX    32

int funds_read_token(struct buf *out, const char *path, struct err *e)
{
	struct str text;
	int rc = strcmp(path, "-") ? fs_read(out, path, e)
				   : fs_read_fd(out, STDIN_FILENO, "standard input", e);

	if (rc)
		return rc < 0 ? -1 : err_set(e, ERRK_INPUT, "no such file: %s", path);
	text = str_trim(buf_view(out));
	if (text.n == 0)
		return err_set(e, ERRK_INPUT, "there is no token in it");
	memmove(out->p, text.p, text.n);
	buf_truncate(out, text.n);
	return buf_check(out, "token", e);
}

int funds_token_mint(struct app *a, struct str token, char out[static WALLET_URL_MAX + 1],
		     struct err *e)
{
	AUTO(token_free) struct cashu_token *t = NULL;

	if (token_decode(&t, token, TOKEN_LIMITS_WALLET, e) < 0)
		return -1;
	return app_mint(a, t->mint, out, e);
}

int funds_take_token(struct app *a, const struct funds_token *t)
{
	const struct wallet_receive_for r = {.token = t->token, .net = t->net, .later = t->later};
	struct app_job job = {.app = a};
	int rc;

	wallet_receive_for(a->wallet, &r, app_job_news, &job);
	if (app_job_poor(&job, SWAP_MS))
		return app_failf(EXIT_MONEY,
				 "the token brings %" PRIu64
				 " sat after the mint's fee, and %" PRIu64
				 " are wanted beside what the wallet has; it was not touched",
				 sat_raw(job.last.amount), sat_raw(job.last.missing));
	if (job.ended && job.last.stage == WALLET_FAILED)
		err_wrap(&job.error, "the token");
	rc = app_job_wait(&job, 1);
	if (!rc)
		app_say(a, "lease: %" PRIu64 " sat of the token are in the wallet",
			sat_raw(job.last.amount));
	return rc;
}

int funds_missing(struct app *a, const struct funds_gap *g)
{
	uint64_t missing = sat_raw(g->missing);

	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO) || a->g.json || a->g.quiet)
		return app_failf(EXIT_MONEY,
				 "it costs %" PRIu64 " sat and the mint's fees, %" PRIu64
				 " sat are missing: lease wallet fund %" PRIu64 " --mint %s",
				 sat_raw(g->cost), missing, missing, g->mint);
	app_say(a,
		"lease: it costs %" PRIu64 " sat and the mint's fees, %" PRIu64 " sat are missing",
		sat_raw(g->cost), missing);
	return invoice_run(a, g->mint, g->missing, INVOICE_ASIDE);
}

/* --- keysets that end --- */

struct ending {
	struct app *app;
	char *mint[MINTS_MAX];
	struct sat amount[MINTS_MAX];
	size_t n;
};

static int take_ending(void *ctx, const char *mint, struct sat amount)
{
	struct ending *x = ctx;

	if (x->n == MINTS_MAX)
		return 1;
	x->amount[x->n] = amount;
	x->mint[x->n++] = mem_strdup(mint);
	return 0;
}

static void renew_at(struct app *a, const char *mint, struct sat amount, int64_t until)
{
	struct app_job job = {.app = a};

	wallet_renew(a->wallet, mint, until, app_job_news, &job);
	if (!app_job_wait(&job, SWAP_MS) && !sat_is_zero(job.last.amount))
		app_say(a,
			"%s ends a keyset: %" PRIu64 " sat of %" PRIu64
			" are on another one, fees off",
			mint, sat_raw(job.last.amount), sat_raw(amount));
}

void funds_renew(struct app *a)
{
	int64_t until = clock_wall() + RENEW_BEFORE;
	struct ending x = {.app = a};
	struct err e;

	if (wallet_each_ending(a->wallet, until, take_ending, &x, &e) < 0)
		app_fail(0, &e);
	for (size_t i = 0; i < x.n; i++) {
		renew_at(a, x.mint[i], x.amount[i], until);
		free(x.mint[i]);
	}
}
