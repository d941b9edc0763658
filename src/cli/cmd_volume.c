/* lease volume: volumes that outlive leases. One is an entry of the book as a lease is, with its
 * size. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/funds.h"
#include "cli/order.h"
#include "cli/out.h"
#include "cli/verbs.h"

#define DEFAULT_BYTES (UINT64_C(1) << 30)
#define DEFAULT_S     86400
#define RISK_S	      600

/* --- create --- */

static int read_time(int64_t *out, const char *text, const char *option, struct err *e)
{
	if (text && str_duration(str_of(text), 365 * 86400, out, e) < 0)
		return err_wrap(e, "%s", option);
	return *out < 1 ? err_set(e, ERRK_INPUT, "%s: want at least 1s", option) : 0;
}

static int read_options(struct order *o, const struct volume_options *v, struct err *e)
{
	uint64_t bytes = DEFAULT_BYTES;

	o->seconds = DEFAULT_S;
	o->max_risk = RISK_S;
	if (read_time(&o->seconds, v->wait, "--for", e) < 0 ||
	    read_time(&o->max_risk, v->max_risk, "--max-risk", e) < 0)
		return -1;
	if (v->bytes && str_bytes(str_of(v->bytes), SPEC_DISK_MAX, &bytes, e) < 0)
		return err_wrap(e, "--size");
	if (bytes < SPEC_DISK_MIN)
		return err_set(e, ERRK_INPUT, "--size: want at least 16Mi");
	if (v->budget && sat_parse(&o->budget, str_of(v->budget), e) < 0)
		return err_wrap(e, "--budget");
	o->has_budget = v->budget != NULL;
	o->want.provider = v->provider;
	o->want.offer = v->offer;
	o->want.volume = bytes;
	o->want.seconds = o->seconds;
	o->req->spec.limits.disk = bytes;
	return 0;
}

static int name_it(struct order *o, int argc, char **argv)
{
	if (argc != 1 || !str_is_name(str_of(argv[0]), SPEC_NAME_MAX))
		return app_failf(EXIT_USAGE,
				 "want one NAME of a-z, 0-9 and -, at most %d characters",
				 SPEC_NAME_MAX);
	o->name = argv[0];
	memcpy(o->req->spec.kept, argv[0], strlen(argv[0]) + 1);
	return 0;
}

/* The mint that --mint or the token names; `url` keeps it. */
static int name_mint(struct order *o, const struct volume_options *v, char url[WALLET_URL_MAX + 1])
{
	struct err e;
	int rc = book_name_free(o->app->db, o->name, &e);

	if (rc < 0)
		return app_fail(EXIT_STATE, &e);
	if (rc == 0)
		return app_fail(EXIT_USAGE, &e);
	if (v->token_file && funds_token_mint(o->app, o->token, url, &e) < 0)
		return app_failf(EXIT_USAGE, "--token-file: %s", e.msg);
	if (!v->token_file && v->mint && app_mint(o->app, v->mint, url, &e) < 0)
		return app_fail(EXIT_USAGE, &e);
	o->want.mint = *url ? url : NULL;
	return 0;
}

static int create(struct order *o, const struct volume_options *v, struct buf *token)
{
	char url[WALLET_URL_MAX + 1] = "", left[32];
	struct err e;
	int rc;

	if (v->token_file && v->mint)
		return app_failf(EXIT_USAGE, "--mint: the token of --token-file names its mint");
	if (v->token_file && funds_read_token(token, v->token_file, &e) < 0)
		return app_failf(EXIT_USAGE, "--token-file: %s", e.msg);
	o->token = buf_view(token);
	if (app_wallet(o->app, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	if (!v->max_risk)
		o->max_risk = o->app->conf.max_risk;
	rc = name_mint(o, v, url);
	if (!rc)
		rc = order_run(o);
	if (rc)
		return rc;
	out_left(left, sizeof(left), o->entry.expires_at - clock_wall());
	app_say(o->app, "kept for %s; attach it with: lease run -v kept:%s:/PATH", left,
		o->entry.name);
	printf("%s\n", o->entry.name);
	return o->prolonged;
}

int verb_volume_create(void *ctx, const void *options, int argc, char **argv)
{
	auto_request struct request *req = request_new(REQUEST_SPAWN);
	auto_order struct order o = {.app = ctx, .req = req, .reach = ORDER_ONE};
	auto_buf struct buf token = BUF(1 << 20);
	struct err e;
	int rc = name_it(&o, argc, argv);

	if (rc)
		return rc;
	if (read_options(&o, options, &e) < 0)
		return app_fail(EXIT_USAGE, &e);
	return create(&o, options, &token);
}

/* --- ls, rm --- */

struct listing_ctx {
	const struct app *app;
	bool all;
};

static void print_volume(const struct book_entry *b)
{
	char left[32] = "-", key[13], size[32];
	bool over = b->state == BOOK_RUNNING && b->expires_at <= clock_wall();

	out_key(key, &b->provider);
	out_bytes(size, sizeof(size), b->volume);
	if (b->state == BOOK_RUNNING)
		out_left(left, sizeof(left), b->expires_at - clock_wall());
	printf("%-20s  %-9s  %-9s  %-8s  %-16s  %s\n", b->name,
	       over			  ? "expired"
	       : b->state == BOOK_RUNNING ? "kept"
					  : book_state_name(b->state),
	       left, size, b->lease, key);
}

static int list_volume(void *ctx, const struct book_entry *b)
{
	const struct listing_ctx *c = ctx;
	auto_buf struct buf text = BUF(65536);

	if (!b->volume || (!c->all && b->state != BOOK_RUNNING && b->state != BOOK_ASKED))
		return 0;
	if (!c->app->g.json) {
		print_volume(b);
		return 0;
	}
	out_entry_json(&text, c->app->db, b);
	out_line(&text);
	return 0;
}

int verb_volume_ls(void *ctx, const void *options, int argc, char **argv)
{
	struct app *a = ctx;
	struct listing_ctx c = {a, ((const struct ls_options *)options)->all};
	struct err e;

	if (argc)
		return app_failf(EXIT_USAGE, "lease volume ls takes no argument");
	if (app_wallet(a, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	if (!a->g.json)
		printf("%-20s  %-9s  %-9s  %-8s  %-16s  %s\n", "NAME", "STATE", "LEFT", "SIZE",
		       "VOLUME", "PROVIDER");
	if (book_each(a->db, list_volume, &c, &e) < 0 || (!a->g.json && out_endings(a, &e) < 0))
		return app_fail(EXIT_STATE, &e);
	return 0;
}

int verb_volume_rm(void *ctx, const void *options, int argc, char **argv)
{
	return cli_remove(ctx, CLI_VOLUME, argc, argv);
}
