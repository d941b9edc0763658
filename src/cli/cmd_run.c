/*
 * lease run: choose an offer, pay, start, and unless detached follow the command, end the lease
 * with it and exit with its status. Without --for ten minutes are bought.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/hex.h"
#include "base/mem.h"
#include "cli/attach.h"
#include "cli/buy.h"
#include "cli/ending.h"
#include "cli/market.h"
#include "cli/names.h"
#include "cli/verbs.h"

#define DEFAULT_S 600

struct run {
	struct app *app;
	const struct run_options *o;
	struct request *req;
	struct session *session;
	struct book_entry entry;
	struct market_want want;
	struct offer offer;
	int64_t seconds;
	struct sat budget;
	bool has_budget;
	struct sat amount;
};

static int read_limits(struct run *r, struct err *e)
{
	const struct run_options *o = r->o;
	struct spec_limits *said = &r->req->spec.limits;

	if (o->wait && str_duration(str_of(o->wait), 365 * 86400, &r->seconds, e) < 0)
		return err_wrap(e, "--for");
	if (r->seconds < 1)
		return err_set(e, ERRK_INPUT, "--for: want at least 1s");
	if (o->cpus && str_millicores(str_of(o->cpus), SPEC_CPU_MAX, &said->cpu, e) < 0)
		return err_wrap(e, "--cpus");
	if (o->memory && str_bytes(str_of(o->memory), SPEC_MEMORY_MAX, &said->memory, e) < 0)
		return err_wrap(e, "--memory");
	r->want.cpu = said->cpu;
	r->want.memory = said->memory;
	if (o->budget && sat_parse(&r->budget, str_of(o->budget), e) < 0)
		return err_wrap(e, "--budget");
	r->has_budget = o->budget != NULL;
	return 0;
}

static int read_spec_file(struct spec *s, const char *path, struct err *e)
{
	auto_buf struct buf text = BUF(SPEC_JSON_MAX);
	int r = fs_read(&text, path, e);

	if (r)
		return r < 0 ? -1 : err_set(e, ERRK_INPUT, "there is no %s", path);
	return spec_decode(s, buf_view(&text), e) < 0 ? err_wrap(e, "%s", path) : 0;
}

/* The file's, and over it what the command line says. */
static int read_spec(struct run *r, int argc, char **argv, struct err *e)
{
	const struct run_options *o = r->o;
	struct spec *s = &r->req->spec;

	if (o->spec && read_spec_file(s, o->spec, e) < 0)
		return -1;
	if (argc > 0 && spec_set_image(s, str_of(argv[0]), e) < 0)
		return -1;
	if (!s->image)
		return err_set(e, ERRK_INPUT, "want IMAGE; lease offers lists what is offered");
	if (cli_command_at(argc, argv) < argc)
		spec_drop_args(s);
	if (o->entrypoint)
		spec_drop_entrypoint(s);
	for (int i = cli_command_at(argc, argv); i < argc; i++)
		if (spec_add_arg(s, str_of(argv[i]), e) < 0)
			return -1;
	if (o->entrypoint && spec_add_entrypoint(s, str_of(o->entrypoint), e) < 0)
		return -1;
	if (o->hostname && spec_set_hostname(s, str_of(o->hostname), e) < 0)
		return -1;
	return cli_fill_spec(s, &o->env, o->workdir, o->user, e);
}

static int read_options(struct run *r, int argc, char **argv, struct err *e)
{
	const struct run_options *o = r->o;

	if (o->name && !str_is_name(str_of(o->name), BOOK_NAME_MAX))
		return err_set(e, ERRK_INPUT, "--name: want a-z, 0-9 and -, at most %d characters",
			       BOOK_NAME_MAX);
	r->seconds = DEFAULT_S;
	r->want.provider = o->provider;
	r->want.offer = o->offer;
	if (read_spec(r, argc, argv, e) < 0 || read_limits(r, e) < 0)
		return -1;
	r->want.image = r->req->spec.image;
	r->want.seconds = r->seconds;
	return 0;
}

/* What Docker has and relays, or providers so far, do not: say what to do instead. */
static int check_docker(const struct run_options *o, struct err *e)
{
	if (o->tty)
		return err_set(e, ERRK_INPUT, "-t: relays carry no terminal; leave it out");
	if (o->interactive)
		return err_set(e, ERRK_INPUT,
			       "-i: relays carry no standard input to the command; start it with "
			       "-d and send input with: lease exec -i NAME COMMAND");
	if (o->publish.n)
		return err_set(e, ERRK_INPUT,
			       "-p: no provider publishes ports so far; leave it out");
	if (o->volume.n)
		return err_set(e, ERRK_INPUT,
			       "-v: there are no named volumes; a lease keeps what it writes until "
			       "it ends, also over lease stop and start");
	if (o->rm && (o->keep || o->detach))
		return err_set(e, ERRK_INPUT,
			       "--rm: with %s a lease outlives its command; it is erased when its "
			       "time is over or by lease rm",
			       o->keep ? "--keep" : "-d");
	return 0;
}

/* --- choose --- */

struct funded {
	const struct offer *offer;
	struct sat need;
	char url[256];
	bool enough;
};

/* The first mint of the offer where the money is. */
static int match_mint(void *ctx, const char *mint, const struct wallet_balance *b)
{
	struct funded *f = ctx;

	if (!offer_find_mint(f->offer, mint))
		return 0;
	if (f->url[0] && sat_cmp(b->available, f->need) <= 0)
		return 0;
	memcpy(f->url, mint, strnlen(mint, sizeof(f->url) - 1) + 1);
	f->enough = sat_cmp(b->available, f->need) > 0;
	return f->enough;
}

static int choose_mint(struct run *r, struct err *e)
{
	struct funded f = {.offer = &r->offer, .need = r->amount};
	const struct offer_mint *m;
	char url[WALLET_URL_MAX + 1];

	if (r->o->mint) {
		if (app_mint(r->app, r->o->mint, url, e) < 0)
			return -1;
		memcpy(f.url, url, sizeof(f.url));
	} else if (wallet_each_mint(r->app->wallet, match_mint, &f, e) < 0) {
		return -1;
	}
	m = f.url[0] ? offer_find_mint(&r->offer, f.url) : NULL;
	if (!m)
		return err_set(e, ERRK_DENIED,
			       "the wallet has no money at a mint that the provider takes (%s%s)",
			       r->offer.nmints ? r->offer.mints[0].url : "none",
			       r->offer.nmints > 1 ? " …" : "");
	memcpy(r->entry.mint, m->url, sizeof(r->entry.mint));
	memcpy(r->entry.payment_key, m->payment_key, sizeof(r->entry.payment_key));
	return 0;
}

static int price_it(struct run *r, struct err *e)
{
	struct msat cost;

	if (!price_cost(&cost, r->offer.price, (uint64_t)r->seconds))
		return err_set(e, ERRK_LIMIT, "so much time cannot be paid for");
	r->amount = msat_ceil(cost);
	if (sat_cmp(r->amount, r->offer.min_payment) < 0)
		r->amount = r->offer.min_payment;
	if (r->has_budget && sat_cmp(r->amount, r->budget) > 0)
		return err_set(e, ERRK_DENIED,
			       "it costs %" PRIu64 " sat, over the budget of %" PRIu64,
			       sat_raw(r->amount), sat_raw(r->budget));
	return 0;
}

static int choose(struct run *r)
{
	auto_market struct market m = {0};
	const struct listing *l;
	struct err e;

	if (market_load(r->app, &m, &e) < 0)
		return app_fail(EXIT_RELAYS, &e);
	l = market_choose(&m, &r->want, &e);
	if (!l)
		return app_fail(EXIT_NO_OFFER, &e);
	r->offer = l->offer;
	if (price_it(r, &e) < 0 || choose_mint(r, &e) < 0)
		return app_fail(EXIT_MONEY, &e);
	return 0;
}

/* --- buy --- */

static void fill_entry(struct run *r)
{
	struct book_entry *b = &r->entry;
	const char *image = r->req->spec.image;

	b->state = BOOK_ASKED;
	b->provider = r->offer.provider;
	memcpy(b->offer, r->offer.name, sizeof(b->offer));
	b->price = r->offer.price;
	memcpy(b->image, image, strnlen(image, sizeof(b->image) - 1));
	memcpy(b->request_id, r->req->request_id, sizeof(b->request_id));
	b->created_at = clock_wall();
	b->exit_status = -1;
	if (r->o->name)
		memcpy(b->name, r->o->name, strlen(r->o->name));
	else
		names_make(b->name, sizeof(b->name));
}

static int name_free(struct run *r)
{
	struct book_entry other;
	struct err e;
	int rc = r->o->name ? book_get(r->app->db, r->o->name, &other, &e) : BOOK_NONE;

	if (rc < 0)
		return app_fail(EXIT_STATE, &e);
	if (!rc && !strcmp(other.name, r->o->name))
		return app_failf(EXIT_USAGE, "there is a lease named %s already", r->o->name);
	return 0;
}

static int buy(struct run *r)
{
	struct buy b = {.app = r->app,
			.session = r->session,
			.entry = &r->entry,
			.req = r->req,
			.amount = r->amount,
			.wait_s = 120};
	int rc;

	hex_encode(r->req->offer, r->offer.id, sizeof(r->offer.id));
	r->req->price = r->offer.price;
	rc = buy_run(&b);
	buy_clear(&b);
	return rc;
}

/* --- follow --- */

static int detached(struct run *r)
{
	app_say(r->app, "detached; it runs until its time is over: lease logs %s, lease rm %s",
		r->entry.name, r->entry.name);
	return 130;
}

static int follow(struct run *r)
{
	struct attach t = {.app = r->app,
			   .session = r->session,
			   .entry = &r->entry,
			   .follow = true,
			   .interrupt = true,
			   .exit_status = -1};
	int rc = attach_run(&t);

	if (r->app->interrupted)
		return detached(r);
	if (rc)
		return rc;
	if (r->entry.halted) {
		app_say(r->app, "%s was stopped; lease start %s runs it again", r->entry.name,
			r->entry.name);
		return 128 + SIGTERM;
	}
	if (!r->o->keep) {
		rc = ending_run(r->app, r->session, &r->entry);
		if (rc)
			return rc;
	}
	if (t.exit_status < 0)
		return app_failf(EXIT_EXPIRED, "the lease ended before its command");
	return (int)t.exit_status;
}

int verb_run(void *ctx, const void *options, int argc, char **argv)
{
	auto_request struct request *req = request_new(REQUEST_SPAWN);
	auto_session struct session *s = NULL;
	struct run r = {.app = ctx, .o = options, .req = req};
	struct err e;
	int rc;

	if (check_docker(r.o, &e) < 0)
		return app_fail(EXIT_USAGE, &e);
	if (read_options(&r, argc, argv, &e) < 0)
		return app_fail(EXIT_USAGE, &e);
	if (app_wallet(r.app, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	rc = name_free(&r);
	if (!rc)
		rc = choose(&r);
	if (rc)
		return rc;
	fill_entry(&r);
	if (session_open(&s, r.app, &r.offer.provider, 0, &e) < 0)
		return app_fail(EXIT_RELAYS, &e);
	r.session = s;
	rc = buy(&r);
	if (rc)
		return rc;
	if (r.o->detach) {
		printf("%s\n", r.entry.name);
		return 0;
	}
	app_say(r.app, "%s runs", r.entry.name);
	return follow(&r);
}
