/* lease topup: buy more time for a lease that runs. */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "cli/buy.h"
#include "cli/funds.h"
#include "cli/out.h"
#include "cli/verbs.h"

#define DEFAULT_S 600

struct topup {
	struct app *app;
	struct book_entry entry;
	struct buf token; /* empty: the wallet's own money */
};

static int cost_of(struct sat *out, const struct book_entry *b, int64_t seconds, struct err *e)
{
	struct msat cost;

	if (!price_cost(&cost, b->price, (uint64_t)seconds))
		return err_set(e, ERRK_LIMIT, "so much time cannot be paid for");
	*out = msat_ceil(cost);
	if (sat_is_zero(*out))
		*out = SAT(1);
	return 0;
}

static int take_token(struct topup *t, struct sat amount)
{
	const struct funds_token f = {.token = buf_view(&t->token), .net = amount};
	char mint[WALLET_URL_MAX + 1];
	struct err e;

	if (!t->token.n)
		return 0;
	if (funds_token_mint(t->app, f.token, mint, &e) < 0)
		return app_fail(EXIT_USAGE, &e);
	if (strcmp(mint, t->entry.mint))
		return app_failf(EXIT_MONEY, "the token is of %s, and %s is paid at %s", mint,
				 t->entry.name, t->entry.mint);
	return funds_take_token(t->app, &f);
}

static int pay(struct topup *t, struct sat amount)
{
	auto_session struct session *s = NULL;
	struct buy_time b = {.entry = &t->entry, .amount = amount};
	char left[32];
	struct err e;
	int rc = take_token(t, amount);

	if (rc == 0 && session_open(&s, t->app, &t->entry.provider, 0, &e) < 0)
		return app_fail(EXIT_RELAYS, &e);
	b.session = s;
	while (rc == 0) {
		rc = buy_time_run(t->app, &b);
		if (rc != EXIT_MONEY || sat_is_zero(b.missing))
			break;
		rc = funds_missing(t->app, &(struct funds_gap){t->entry.mint, amount, b.missing});
	}
	if (rc)
		return rc;
	out_left(left, sizeof(left), t->entry.expires_at - clock_wall());
	app_say(t->app, "%s: paid %" PRIu64 " sat, %s left", t->entry.name, sat_raw(amount), left);
	return 0;
}

int verb_topup(void *ctx, const void *options, int argc, char **argv)
{
	const struct topup_options *o = options;
	auto_buf struct buf token = BUF(1 << 20);
	struct topup t = {.app = ctx};
	int64_t seconds = DEFAULT_S;
	struct sat amount = SAT(0);
	struct err e;
	int rc;

	if (o->wait && str_duration(str_of(o->wait), 365 * 86400, &seconds, &e) < 0)
		return app_failf(EXIT_USAGE, "--for: %s", e.msg);
	if (o->token_file && funds_read_token(&token, o->token_file, &e) < 0)
		return app_failf(EXIT_USAGE, "--token-file: %s", e.msg);
	rc = cli_find_lease(t.app, argc, argv, &t.entry);
	if (rc)
		return rc;
	if (t.entry.state != BOOK_RUNNING || t.entry.expires_at <= clock_wall())
		return app_failf(EXIT_EXPIRED, "%s does not run", t.entry.name);
	if (cost_of(&amount, &t.entry, seconds, &e) < 0)
		return app_fail(EXIT_USAGE, &e);
	t.token = token; /* borrowed */
	return pay(&t, amount);
}
