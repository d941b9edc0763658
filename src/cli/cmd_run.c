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
#include "base/secret.h"
#include "cli/attach.h"
#include "cli/ending.h"
#include "cli/funds.h"
#include "cli/order.h"
#include "cli/registry_auth.h"
#include "cli/run_storage.h"
#include "cli/template.h"
#include "cli/verbs.h"
#include "cli/volume_key.h"

#define DEFAULT_S 600

struct run {
	const struct run_options *o;
	struct order order;
	char mint[WALLET_URL_MAX + 1];
	const char *template;			   /* its name, from the command line */
	struct spec_template shown;		   /* what its provider says of it */
	char seller[65], sold[OFFER_NAME_MAX + 1]; /* who was asked, and the offer */
	char lender[65]; /* provider of other leases whose volumes are used; "": any */
};

static int read_time(int64_t *out, const char *text, const char *option, struct err *e)
{
	if (text && str_duration(str_of(text), 365 * 86400, out, e) < 0)
		return err_wrap(e, "%s", option);
	return *out < 1 ? err_set(e, ERRK_INPUT, "%s: want at least 1s", option) : 0;
}

static int read_rate(uint64_t *out, const char *text, const char *option, struct err *e)
{
	if (text && str_bytes(str_of(text), SPEC_RATE_MAX, out, e) < 0)
		return err_wrap(e, "%s", option);
	if (text && *out < SPEC_RATE_MIN)
		return err_set(e, ERRK_INPUT, "%s: want at least %d bytes a second", option,
			       SPEC_RATE_MIN);
	return 0;
}

static int read_limits(struct run *r, struct err *e)
{
	const struct run_options *o = r->o;
	struct spec_limits *said = &r->order.req->spec.limits;

	r->order.seconds = DEFAULT_S;
	r->order.max_risk = DEFAULT_S;
	if (read_time(&r->order.seconds, o->wait, "--for", e) < 0 ||
	    read_time(&r->order.max_risk, o->max_risk, "--max-risk", e) < 0)
		return -1;
	if (o->cpus && str_millicores(str_of(o->cpus), SPEC_CPU_MAX, &said->cpu, e) < 0)
		return err_wrap(e, "--cpus");
	if (o->memory && str_bytes(str_of(o->memory), SPEC_MEMORY_MAX, &said->memory, e) < 0)
		return err_wrap(e, "--memory");
	if (read_rate(&said->bandwidth.in, o->bandwidth_in, "--bandwidth-in", e) < 0 ||
	    read_rate(&said->bandwidth.out, o->bandwidth_out, "--bandwidth-out", e) < 0)
		return -1;
	r->order.want.cpu = said->cpu;
	r->order.want.memory = said->memory;
	if (o->budget && sat_parse(&r->order.budget, str_of(o->budget), e) < 0)
		return err_wrap(e, "--budget");
	r->order.has_budget = o->budget != NULL;
	return 0;
}

static int read_token(struct run *r, struct buf *token, struct err *e)
{
	if (r->o->mint)
		return err_set(e, ERRK_INPUT, "--mint: the token of --token-file names its mint");
	if (funds_read_token(token, r->o->token_file, e) < 0)
		return err_wrap(e, "--token-file");
	r->order.token = buf_view(token);
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

static int read_network(struct run *r, struct err *e)
{
	struct spec *s = &r->order.req->spec;
	struct spec_port p;

	if (r->o->network && spec_network_parse(&s->network, str_of(r->o->network), e) < 0)
		return err_wrap(e, "--network");
	for (size_t i = 0; i < r->o->publish.n; i++) {
		if (spec_port_parse(&p, str_of(r->o->publish.v[i]), e) < 0)
			return err_wrap(e, "-p");
		spec_ports_add(&s->ports, &p);
	}
	if (spec_reach_check(s, e) < 0)
		return -1;
	r->order.want.internet = s->network == SPEC_NETWORK_INTERNET || s->ports.n > 0;
	r->order.want.ports = s->ports.n;
	return 0;
}

/* The wallet's own is made when its request has its id. */
static int read_key(struct run *r, struct err *e)
{
	const struct run_options *o = r->o;
	struct request *req = r->order.req;

	if (o->own_key && o->volume_key)
		return err_set(e, ERRK_INPUT, "--own-key: not with --volume-key");
	if (o->volume_key && volume_key_read(req->volume_key, o->volume_key, e) < 0)
		return err_wrap(e, "--volume-key");
	r->order.own_key = o->own_key || (req->spec.own_key && !o->volume_key);
	req->spec.own_key = r->order.own_key || o->volume_key;
	r->order.want.encrypted = req->spec.own_key;
	return 0;
}

/* The file's, and over it what the command line says. */
static int read_spec(struct run *r, int argc, char **argv, struct err *e)
{
	const struct run_options *o = r->o;
	struct spec *s = &r->order.req->spec;

	if (o->spec && read_spec_file(s, o->spec, e) < 0)
		return -1;
	if (r->template)
		memcpy(s->template, r->template, strlen(r->template) + 1);
	if (argc > 0 && spec_set_image(s, str_of(argv[0]), e) < 0)
		return -1;
	if (!s->image && !*s->template)
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
	if (o->pull && spec_set_pull(s, str_of(o->pull), e) < 0)
		return err_wrap(e, "--pull");
	if (o->registry_auth && s->image &&
	    registry_auth_read(&r->order.req->registry_auth, o->registry_auth, s->image, e) < 0)
		return err_wrap(e, "--registry-auth");
	if (read_key(r, e) < 0 || read_network(r, e) < 0 ||
	    run_read_powers(s, &r->order.want, o, e) < 0 || cli_fill_life(s, o, e) < 0 ||
	    run_storage_read(s, o, e) < 0)
		return -1;
	r->order.want.storage = &s->storage;
	return cli_fill_spec(s, &o->env, o->workdir, o->user, e);
}

static int read_options(struct run *r, int argc, char **argv, struct err *e)
{
	const struct run_options *o = r->o;

	if (o->name && !str_is_name(str_of(o->name), BOOK_NAME_MAX))
		return err_set(e, ERRK_INPUT, "--name: want a-z, 0-9 and -, at most %d characters",
			       BOOK_NAME_MAX);
	r->order.name = o->name;
	r->order.reach = o->any ? ORDER_ANY : ORDER_ONE;
	r->order.want.provider = o->provider;
	r->order.want.offer = o->offer;
	if (read_spec(r, argc, argv, e) < 0 || read_limits(r, e) < 0)
		return -1;
	r->order.want.image = r->order.req->spec.image;
	if (*r->order.req->spec.template)
		r->order.want.template = r->order.req->spec.template;
	r->order.want.seconds = r->order.seconds;
	return 0;
}

/* What Docker has and relays, or providers so far, do not: say what to do instead. */
static int check_docker(const struct run_options *o, struct err *e)
{
	if (o->interactive)
		return err_set(e, ERRK_INPUT,
			       "-i: relays carry no standard input to the command; start it with "
			       "-d and send input with: lease exec -i NAME COMMAND");
	if (o->device.n || o->privileged)
		return err_set(
			e, ERRK_INPUT,
			"%s: devices and powers of the host are its provider's to give: see "
			"\"granted\" in lease offers --json; graphics cards are asked for with "
			"--gpus",
			o->device.n ? "--device" : "--privileged");
	if (o->rm && (o->keep || o->detach))
		return err_set(e, ERRK_INPUT,
			       "--rm: with %s a lease outlives its command; it is erased when its "
			       "time is over or by lease rm",
			       o->keep ? "--keep" : "-d");
	return 0;
}

/* --- buy --- */

static int name_free(const struct run *r)
{
	struct err e;
	int rc = r->o->name ? book_name_free(r->order.app->db, r->o->name, &e) : 1;

	if (rc < 0)
		return app_fail(EXIT_STATE, &e);
	return rc ? 0 : app_fail(EXIT_USAGE, &e);
}

/* The mint that --mint or the token names. */
static int name_mint(struct run *r)
{
	struct err e;

	if (r->o->token_file && funds_token_mint(r->order.app, r->order.token, r->mint, &e) < 0)
		return app_failf(EXIT_USAGE, "--token-file: %s", e.msg);
	if (!r->o->token_file && r->o->mint && app_mint(r->order.app, r->o->mint, r->mint, &e) < 0)
		return app_fail(EXIT_USAGE, &e);
	r->order.want.mint = r->mint[0] ? r->mint : NULL;
	return 0;
}

/* --- follow --- */

static int detached(struct run *r)
{
	app_say(r->order.app,
		"detached; it runs until its time is over: lease logs %s, lease rm %s",
		r->order.entry.name, r->order.entry.name);
	return 130;
}

static int follow(struct run *r)
{
	struct attach t = {.app = r->order.app,
			   .session = r->order.session,
			   .entry = &r->order.entry,
			   .follow = true,
			   .interrupt = true,
			   .exit_status = -1};
	int rc = attach_run(&t);

	if (r->order.app->interrupted)
		return detached(r);
	if (rc)
		return rc;
	if (r->order.entry.halted) {
		app_say(r->order.app, "%s was stopped; lease %s %s runs it again",
			r->order.entry.name, r->order.entry.locked ? "unlock" : "start",
			r->order.entry.name);
		return 128 + SIGTERM;
	}
	if (!r->o->keep) {
		rc = ending_run(r->order.app, r->order.session, &r->order.entry);
		if (rc)
			return rc;
	}
	if (t.exit_status < 0)
		return app_failf(EXIT_EXPIRED, "the lease ended before its command");
	return (int)t.exit_status;
}

static int open_all(struct run *r)
{
	struct err e;
	int rc;

	if (app_wallet(r->order.app, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	if (!r->o->max_risk)
		r->order.max_risk = r->order.app->conf.max_risk;
	if (run_storage_find(&r->order.req->spec, r->lender, r->o, r->order.app->db, &e) < 0)
		return app_fail(EXIT_USAGE, &e);
	if (*r->lender)
		r->order.want.provider = r->lender;
	rc = name_free(r);
	return rc ? rc : name_mint(r);
}

static void say_ports(const struct run *r)
{
	const struct book_entry *b = &r->order.entry;

	if (*r->order.req->spec.template)
		template_say_ports(r->order.app, &r->shown, b);
	else if (*b->ports)
		app_say(r->order.app, "published at %s: %s", b->address, b->ports);
}

/* Whose template it is, is settled before anything is paid; what its types refuse, too. */
static int check_template(struct run *r)
{
	struct app *a = r->order.app;
	struct market_want *want = &r->order.want;
	auto_spec struct spec trial = {0};
	auto_market struct market m = {0};
	const struct listing *l;
	struct err e;
	int rc;

	if (market_load(a, &m, &e) < 0)
		return app_fail(EXIT_RELAYS, &e);
	l = market_choose(&m, want, &e);
	if (!l)
		return app_fail(EXIT_NO_OFFER, &e);
	rc = template_fetch(&r->shown, a, &l->offer.provider, want->template);
	if (rc)
		return rc;
	spec_copy(&trial, &r->order.req->spec);
	if (spec_template_use(&trial, &r->shown, &e) < 0 ||
	    (r->o->registry_auth && registry_auth_read(&r->order.req->registry_auth,
						       r->o->registry_auth, trial.image, &e) < 0))
		return app_fail(EXIT_USAGE, &e);
	hex_encode(r->seller, l->offer.provider.b, sizeof(l->offer.provider.b));
	memcpy(r->sold, l->offer.name, sizeof(r->sold));
	want->provider = r->seller;
	want->offer = r->sold;
	return 0;
}

static int started(struct run *r)
{
	say_ports(r);
	if (r->o->detach) {
		printf("%s\n", r->order.entry.name);
		return r->order.prolonged;
	}
	app_say(r->order.app, "%s runs", r->order.entry.name);
	return follow(r);
}

static int run_lease(struct run *r, int argc, char **argv)
{
	auto_request struct request *req = request_new(REQUEST_SPAWN);
	auto_buf struct buf token = BUF(1 << 20);
	struct err e;
	int rc;

	r->order.req = req;
	if (check_docker(r->o, &e) < 0)
		return app_fail(EXIT_USAGE, &e);
	if (read_options(r, argc, argv, &e) < 0 ||
	    (r->o->token_file && read_token(r, &token, &e) < 0))
		return app_fail(EXIT_USAGE, &e);
	rc = open_all(r);
	if (!rc && *req->spec.template)
		rc = check_template(r);
	if (!rc)
		rc = order_run(&r->order);
	wipe(req->volume_key, sizeof(req->volume_key)); /* what follows may take hours */
	if (!rc)
		rc = started(r);
	order_clear(&r->order);
	spec_template_clear(&r->shown);
	return rc;
}

int verb_run(void *ctx, const void *options, int argc, char **argv)
{
	struct run r = {.o = options, .order = {.app = ctx}};

	return r.o->in ? cli_run_in(ctx, r.o, argc, argv) : run_lease(&r, argc, argv);
}

int verb_template_run(void *ctx, const void *options, int argc, char **argv)
{
	struct run r = {.o = options, .order = {.app = ctx}};

	if (argc != 1 || r.o->in || r.o->spec)
		return app_failf(EXIT_USAGE,
				 "want one NAME; what runs is the template's: neither a command, "
				 "--spec nor --in");
	if (!str_is_name(str_of(argv[0]), SPEC_TEMPLATE_NAME_MAX))
		return app_failf(EXIT_USAGE, "NAME: want a-z, 0-9 and -, at most %d characters",
				 SPEC_TEMPLATE_NAME_MAX);
	r.template = argv[0];
	return run_lease(&r, 0, argv);
}
