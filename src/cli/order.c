/* Buying a lease: see order.h. */
#include "cli/order.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "cli/buy.h"
#include "cli/funds.h"
#include "cli/names.h"
#include "cli/out.h"
#include "cli/volume_key.h"

#define REQUEST_S 120
#define NAMES_MAX 20
#define STALE_MS                                                                                   \
	(5 * 60 * 1000) /* an offer's price holds for ten minutes after it was replaced            \
			 */

void order_clear(struct order *o)
{
	session_free(o->session);
	o->session = NULL;
	market_free(&o->market);
	o->market = (struct market){0};
}

/* --- price --- */

static int cost_of(struct sat *out, const struct offer *o, int64_t seconds, struct err *e)
{
	struct msat cost;

	if (!price_cost(&cost, o->price, (uint64_t)seconds))
		return err_set(e, ERRK_LIMIT, "so much time cannot be paid for");
	*out = msat_ceil(cost);
	return 0;
}

int order_split(struct order_price *out, const struct offer *o, int64_t seconds, int64_t max_first,
		struct err *e)
{
	if (cost_of(&out->amount, o, seconds, e) < 0)
		return -1;
	if (sat_cmp(out->amount, o->min_payment) < 0)
		out->amount = o->min_payment;
	out->first = out->amount;
	out->later = SAT(0);
	if (max_first == 0 || seconds <= max_first)
		return 0;
	if (cost_of(&out->first, o, max_first, e) < 0)
		return -1;
	if (sat_cmp(out->first, o->min_payment) < 0)
		out->first = o->min_payment;
	if (!sat_sub(&out->later, out->amount, out->first))
		out->first = out->amount;
	return 0;
}

static int price_it(struct order *o, const struct offer *offer, struct err *e)
{
	struct order_price p;
	struct sat risked;
	int known = book_knows(o->app->db, &offer->provider, e);

	if (known < 0 || order_split(&p, offer, o->seconds, known ? 0 : o->max_risk, e) < 0)
		return -1;
	o->amount = p.amount;
	o->first = p.first;
	o->later = p.later;
	if (!sat_add(&risked, o->amount, o->held))
		return err_set(e, ERRK_LIMIT, "amount");
	if (o->has_budget && sat_cmp(risked, o->budget) > 0)
		return err_set(e, ERRK_DENIED,
			       "it costs %" PRIu64 " sat%s, over the budget of %" PRIu64,
			       sat_raw(o->amount),
			       sat_is_zero(o->held) ? "" : " beside what is locked already",
			       sat_raw(o->budget));
	return 0;
}

/* --- mint --- */

struct funded {
	const struct offer *offer;
	struct sat need;
	char url[WALLET_URL_MAX + 1];
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

/* No mint of the offer is known here, and lease.conf names none: the first that may be talked to.
 */
static void first_mint(struct funded *f, struct order *o)
{
	if (o->app->conf.mints && o->app->conf.mints[0])
		return;
	for (size_t i = 0; i < f->offer->nmints && !f->url[0]; i++)
		if (app_mint(o->app, f->offer->mints[i].url, f->url, NULL) < 0)
			f->url[0] = '\0';
}

/* 0: there is enough, by the look of it. MINT_POOR: chosen, but money must come first. */
enum { MINT_POOR = 1 };
static int choose_mint(struct order *o, const struct offer *offer, struct err *e)
{
	struct funded f = {.offer = offer, .need = o->amount};
	const struct offer_mint *m;

	if (wallet_each_mint(o->app->wallet, match_mint, &f, e) < 0)
		return -1;
	if (o->want.mint) {
		memcpy(f.url, o->want.mint, strlen(o->want.mint) + 1);
		f.enough = true;
	}
	if (!f.url[0])
		first_mint(&f, o);
	m = f.url[0] ? offer_find_mint(offer, f.url) : NULL;
	if (!m)
		return err_set(e, ERRK_DENIED,
			       "the provider takes no mint of this wallet (it takes %s%s): --mint "
			       "URL pays at another one",
			       offer->nmints ? offer->mints[0].url : "none",
			       offer->nmints > 1 ? " …" : "");
	memcpy(o->entry.mint, m->url, sizeof(o->entry.mint));
	memcpy(o->entry.payment_key, m->payment_key, sizeof(o->entry.payment_key));
	return f.enough ? 0 : MINT_POOR;
}

/* --- offer --- */

/* What a kept volume of that size costs is what is looked at and paid from here on. */
static void price_volumes(struct order *o)
{
	for (size_t i = 0; o->want.volume && i < o->market.n; i++) {
		struct offer *offer = &o->market.v[i].offer;

		if (offer->volume_price.per &&
		    !offer_volume_price(&offer->price, offer->volume_price, o->want.volume))
			offer->volume_price.per = 0;
	}
}

static int load(struct order *o, struct err *e)
{
	market_free(&o->market);
	o->market = (struct market){0};
	o->chosen = NULL;
	o->loaded_ms = clock_mono_ms();
	if (market_load(o->app, &o->market, e) < 0)
		return -1;
	price_volumes(o);
	return 0;
}

static struct listing *next_fit(struct order *o, struct err *e)
{
	const struct listing *l = market_choose(&o->market, &o->want, e);

	if (!l)
		return NULL;
	o->market.v[l - o->market.v].use = LISTING_SEEN;
	return &o->market.v[l - o->market.v];
}

static void forget_seen(struct market *m)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].use == LISTING_SEEN)
			m->v[i].use = LISTING_FRESH;
}

/* As choose_mint; price and mint are in the order then. */
static int consider(struct order *o, struct listing *l, struct err *e)
{
	o->chosen = l;
	if (o->want.all_gpus)
		o->req->spec.gpu.count =
			(uint32_t)(l->offer.gpus_max < SPEC_GPUS_MAX ? l->offer.gpus_max
								     : SPEC_GPUS_MAX);
	return price_it(o, &l->offer, e) < 0 ? -1 : choose_mint(o, &l->offer, e);
}

/* The cheapest that can be paid with what is in the wallet; else the cheapest. What is told of a
 * failure is that of the first one looked at. */
static int pick(struct order *o, struct err *e)
{
	struct listing *l, *poor = NULL;
	struct err why;
	int status = EXIT_NO_OFFER, rc = -1;

	while (rc != 0 && (l = next_fit(o, &why))) {
		rc = consider(o, l, &why);
		if (rc == MINT_POOR && !poor)
			poor = l;
		if (rc < 0 && status == EXIT_NO_OFFER)
			*e = why;
		status = EXIT_MONEY;
	}
	forget_seen(&o->market);
	if (status == EXIT_NO_OFFER)
		*e = why;
	if (rc == 0)
		return 0;
	return poor && consider(o, poor, e) >= 0 ? 0 : status;
}

/* --- pay --- */

static void fill_entry(struct order *o)
{
	struct book_entry *b = &o->entry;
	const struct offer *offer = &o->chosen->offer;
	const struct spec *s = &o->req->spec;
	const char *image = s->image ? s->image : s->template;

	b->volume = o->want.volume;
	b->state = BOOK_ASKED;
	b->provider = offer->provider;
	memcpy(b->offer, offer->name, sizeof(b->offer));
	b->price = offer->price;
	memcpy(b->image, image, strnlen(image, sizeof(b->image) - 1));
	memcpy(b->request_id, o->req->request_id, sizeof(b->request_id));
	b->created_at = clock_wall();
	b->exit_status = -1;
	if (o->name)
		memcpy(b->name, o->name, strlen(o->name) + 1);
	else
		names_make(b->name, sizeof(b->name));
}

static int take_token(struct order *o)
{
	const struct funds_token t = {.token = o->token, .net = o->first, .later = o->later};
	int rc;

	if (!o->token.n)
		return 0;
	rc = funds_take_token(o->app, &t);
	if (!rc)
		o->token = (struct str){0};
	return rc;
}

struct ending {	     /* of a try that came to nothing */
	bool back;   /* refused, and the money is in the wallet again */
	bool silent; /* no answer, and the token is unspent */
};

/* Too little was there, and has come: perhaps so late that the offer is another one by now. */
enum { PAY_STALE = -1 };
static int pay(struct order *o, struct ending *end)
{
	struct buy b = {.app = o->app,
			.session = o->session,
			.entry = &o->entry,
			.req = o->req,
			.amount = o->first,
			.later = o->later,
			.wait_s = REQUEST_S,
			.named = o->name != NULL,
			.passes = o->reach == ORDER_ANY};
	int rc = take_token(o);

	while (rc == 0) {
		rc = buy_run(&b);
		if (rc != EXIT_MONEY || sat_is_zero(b.missing))
			break;
		if (!sat_is_zero(o->held)) {
			rc = app_failf(EXIT_NO_ANSWER,
				       "%" PRIu64 " sat are missing for another one: lease recover "
				       "brings the first money back",
				       sat_raw(b.missing));
			break;
		}
		rc = funds_missing(o->app,
				   &(struct funds_gap){o->entry.mint, o->amount, b.missing});
		if (rc == 0 && clock_mono_ms() - o->loaded_ms > STALE_MS)
			rc = PAY_STALE;
	}
	*end = (struct ending){.back = b.back, .silent = b.silent};
	buy_clear(&b);
	return rc;
}

static void say_risk(const struct order *o)
{
	char key[13];

	out_key(key, &o->entry.provider);
	app_say(o->app,
		"lease: %s is new here: it gets %" PRIu64 " of %" PRIu64
		" sat now, the rest when the lease runs (--max-risk)",
		key, sat_raw(o->first), sat_raw(o->amount));
}

/* The rest of the time, from a provider that has shown that it gives something for money. */
static void prolong(struct order *o)
{
	struct buy_time t = {.session = o->session, .entry = &o->entry, .amount = o->later};

	o->prolonged = buy_time_run(o->app, &t);
	if (!o->prolonged)
		return;
	if (!sat_is_zero(t.missing))
		app_failf(0, "%" PRIu64 " sat are missing for the rest", sat_raw(t.missing));
	app_failf(0, "only the first part of %s is paid; lease topup %s buys more", o->entry.name,
		  o->entry.name);
}

static int attempt(struct order *o, struct ending *end)
{
	struct err e;
	int rc;

	*end = (struct ending){0};
	fill_entry(o);
	session_free(o->session);
	o->session = NULL;
	if (session_open(&o->session, o->app, &o->entry.provider, 0, &e) < 0)
		return app_fail(EXIT_RELAYS, &e);
	hex_encode(o->req->offer, o->chosen->offer.id, sizeof(o->chosen->offer.id));
	o->req->price = o->chosen->offer.price;
	if (o->own_key)
		volume_key_derive(o->req->volume_key, o->app, o->req->request_id);
	if (!sat_is_zero(o->later))
		say_risk(o);
	rc = pay(o, end);
	if (rc == 0 && !sat_is_zero(o->later))
		prolong(o);
	return rc;
}

/* What an attempt left in request and entry goes; the name that the user gave stays. */
static void renew(struct order *o)
{
	request_renew(o->req);
	memset(&o->entry, 0, sizeof(o->entry));
}

/* The name that the user gave is for the lease that comes: what was asked keeps another one. */
static int keep_asked(struct order *o, struct err *e)
{
	auto_tx struct tx *tx = NULL;
	char kept[BOOK_NAME_MAX + 1];
	int rc = BOOK_TAKEN;

	if (!o->name)
		return 0;
	if (db_begin(&tx, o->app->db, e) < 0)
		return -1;
	for (unsigned i = 0; rc == BOOK_TAKEN && i < NAMES_MAX; i++) {
		names_make(kept, sizeof(kept));
		rc = book_rename(tx, o->entry.name, kept, e);
	}
	if (rc)
		return rc < 0 ? -1 : err_set(e, ERRK_STATE, "no name is free");
	if (db_commit(&tx, e) < 0)
		return -1;
	app_say(o->app, "lease: what was asked of it is called %s now", kept);
	return 0;
}

/* None of its offers is tried again, and its token counts as risked. */
static int pass_over(struct order *o, struct err *e)
{
	const struct pubkey *silent = &o->chosen->offer.provider;

	if (!sat_add(&o->held, o->held, o->first))
		return err_set(e, ERRK_LIMIT, "amount");
	for (size_t i = 0; i < o->market.n; i++)
		if (pubkey_eq(&o->market.v[i].offer.provider, silent))
			o->market.v[i].use = LISTING_TRIED;
	return keep_asked(o, e);
}

/* After a try that came to nothing: 0, and the next offer may be tried. */
static int go_on(struct order *o, int status, const struct ending *end)
{
	struct err e;

	if (o->reach != ORDER_ANY)
		return status;
	if (status == EXIT_REFUSED && end->back)
		o->chosen->use = LISTING_TRIED;
	else if (status != EXIT_NO_ANSWER || !end->silent)
		return status;
	else if (pass_over(o, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	renew(o);
	app_say(o->app, "lease: trying the next offer");
	return 0;
}

int order_run(struct order *o)
{
	struct ending end;
	struct err e;
	int rc, before = 0;

	http_load_aside(o->app->http); /* for the mint, while relays answer */
	if (load(o, &e) < 0)
		return app_fail(EXIT_RELAYS, &e);
	for (;;) {
		rc = pick(o, &e);
		if (rc)
			return before ? app_failf(before, "no other offer is left: %s", e.msg)
				      : app_fail(rc, &e);
		rc = attempt(o, &end);
		if (rc == PAY_STALE) {
			renew(o);
			if (load(o, &e) < 0)
				return app_fail(EXIT_RELAYS, &e);
			continue;
		}
		before = rc;
		rc = rc ? go_on(o, rc, &end) : 0;
		if (rc || !before)
			return rc;
	}
}
