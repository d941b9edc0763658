/* Money for a payment that is about to be made: see funds.h. */
#include "cli/funds.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "cashu/token.h"
#include "cli/invoice.h"

#define SWAP_MS 150000

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
