/* What is for sale: see market.h. */
#include "cli/market.h"

#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/mem.h"
#include "lease/protocol.h"
#include "nostr/nip19.h"

#define LISTINGS_MAX 2000
#define LOAD_MS	     5000

struct loading {
	struct app *app;
	struct market *m;
	struct heartbeat *beats;
	size_t nbeats;
	unsigned answers; /* relays that answered */
};

static struct listing *find_listing(struct market *m, const struct offer *o)
{
	for (size_t i = 0; i < m->n; i++)
		if (pubkey_eq(&m->v[i].offer.provider, &o->provider) &&
		    !strcmp(m->v[i].offer.name, o->name))
			return &m->v[i];
	return NULL;
}

/* NIP-01: of two with one address the later holds, of two as old the one with the lower id. */
static bool replaces(const struct offer *a, const struct offer *b)
{
	if (a->created_at != b->created_at)
		return a->created_at > b->created_at;
	return memcmp(a->id, b->id, sizeof(a->id)) < 0;
}

static void take_offer(struct market *m, const struct nostr_event *ev)
{
	auto_free struct offer *o = mem_zero(sizeof(*o));
	struct listing *l;
	struct err e;

	if (nostr_event_expired(ev, clock_wall()) || offer_from_event(o, ev, &e) < 0)
		return;
	l = find_listing(m, o);
	if (l) {
		if (replaces(o, &l->offer))
			l->offer = *o;
		return;
	}
	if (m->n == LISTINGS_MAX)
		return;
	m->v = mem_grow(m->v, m->n + 1, sizeof(*m->v));
	memset(&m->v[m->n], 0, sizeof(*m->v));
	m->v[m->n++].offer = *o;
}

static void take_beat(struct loading *ld, const struct nostr_event *ev)
{
	struct heartbeat h;
	struct err e;

	if (heartbeat_from_event(&h, ev, &e) < 0 || ld->nbeats == LISTINGS_MAX)
		return;
	for (size_t i = 0; i < ld->nbeats; i++) {
		if (!pubkey_eq(&ld->beats[i].provider, &h.provider))
			continue;
		if (h.created_at > ld->beats[i].created_at)
			ld->beats[i] = h;
		return;
	}
	ld->beats = mem_grow(ld->beats, ld->nbeats + 1, sizeof(*ld->beats));
	ld->beats[ld->nbeats++] = h;
}

static void event_arrived(void *ctx, const struct nostr_event *ev, unsigned relay)
{
	struct loading *ld = ctx;

	if (ev->kind == LEASE_KIND_OFFER)
		take_offer(ld->m, ev);
	else
		take_beat(ld, ev);
}

static void relay_done(void *ctx, unsigned relay, bool all)
{
	struct loading *ld = ctx;

	if (all)
		app_done(ld->app);
}

static void join_beats(struct loading *ld)
{
	int64_t now = clock_wall();

	for (size_t i = 0; i < ld->m->n; i++) {
		struct listing *l = &ld->m->v[i];

		for (size_t k = 0; k < ld->nbeats; k++)
			if (pubkey_eq(&ld->beats[k].provider, &l->offer.provider))
				l->beat = ld->beats[k];
		l->live = l->beat.created_at > now - MARKET_LIVE_S && !l->beat.draining &&
			  l->offer.accepting;
	}
}

static bool any_open(const struct nostr_pool *p)
{
	struct nostr_relay_status s;

	for (unsigned i = 0; i < nostr_pool_count(p); i++) {
		nostr_pool_status(p, i, &s);
		if (s.state == NOSTR_RELAY_OPEN)
			return true;
	}
	return false;
}

int market_load(struct app *a, struct market *m, struct err *e)
{
	AUTO(nostr_pool_free) struct nostr_pool *pool = NULL;
	auto_filter struct nostr_filter *offers = nostr_filter_new();
	auto_filter struct nostr_filter *beats = nostr_filter_new();
	struct loading ld = {.app = a, .m = m};

	if (app_pool(a, NULL, &pool, e) < 0)
		return -1;
	nostr_filter_kind(offers, LEASE_KIND_OFFER);
	nostr_filter_tag(offers, 't', STR(LEASE_TAG_TOPIC));
	nostr_filter_kind(beats, LEASE_KIND_HEARTBEAT);
	nostr_filter_tag(beats, 't', STR(LEASE_TAG_TOPIC));
	nostr_pool_subscribe(pool, &(struct nostr_sub_ask){
					   .mode = NOSTR_SUB_ONCE,
					   .filters = (struct nostr_filter *const[]){offers, beats},
					   .nfilters = 2,
					   .timeout_ms = LOAD_MS,
					   .event = event_arrived,
					   .done = relay_done,
					   .ctx = &ld});
	app_wait(a, LOAD_MS + 1000);
	join_beats(&ld);
	free(ld.beats);
	if (!m->n && !any_open(pool))
		return err_set(e, ERRK_PEER, "no relay could be reached");
	return 0;
}

void market_free(struct market *m)
{
	free(m->v);
}

static bool is_provider(const struct offer *o, const char *want)
{
	struct pubkey key;
	struct err e;
	char hex[65];

	hex_encode(hex, o->provider.b, sizeof(o->provider.b));
	if (!nip19_parse_key(&key, str_of(want), &e))
		return pubkey_eq(&key, &o->provider);
	return strlen(want) >= 8 && str_starts(str_of(hex), want);
}

bool market_is_of(const struct listing *l, const struct market_want *w)
{
	return !w->provider || is_provider(&l->offer, w->provider);
}

/* What a candidate fails at, in the order of looking: the later, the better it was. */
enum misfit {
	MISFIT_PROVIDER,
	MISFIT_NAME,
	MISFIT_IMAGE,
	MISFIT_TEMPLATE,
	MISFIT_MINT,
	MISFIT_SIZE,
	MISFIT_VOLUME,
	MISFIT_PLAIN,
	MISFIT_NETWORK,
	MISFIT_PORTS,
	MISFIT_STORAGE,
	MISFIT_GPU,
	MISFIT_CAPS,
	MISFIT_TIME,
	MISFIT_PRICE,
	MISFIT_DEAD,
	FITS,
};

static const char *const misfit_words[] = {
	[MISFIT_PROVIDER] = "no offer of that provider was found",
	[MISFIT_NAME] = "no offer of that name was found",
	[MISFIT_IMAGE] = "no offer has that image; lease offers lists them",
	[MISFIT_TEMPLATE] = "no offer has that template; lease template ls lists them",
	[MISFIT_MINT] = "no provider of that image takes this mint",
	[MISFIT_SIZE] = "no offer is that large",
	[MISFIT_VOLUME] = "no offer sells volumes of that size; lease offers --json says "
			  "volume_max of each",
	[MISFIT_PLAIN] = "no offer has encrypted disks, which a key of yours would open",
	[MISFIT_NETWORK] = "no offer has the Internet",
	[MISFIT_PORTS] = "no offer publishes so many ports",
	[MISFIT_STORAGE] = "no offer has such storage; lease offers --json says what each has",
	[MISFIT_GPU] = "no offer has so many graphics cards; see lease offers --gpu",
	[MISFIT_CAPS] = "no offer lets its buyers have these capabilities",
	[MISFIT_TIME] = "no offer lasts so long",
	[MISFIT_PRICE] = "no offer has a price that can be paid",
	[MISFIT_DEAD] = "the provider does not answer now (no heartbeat in the last three "
			"minutes, or drained)",
};

static bool has_storage(const struct offer *o, const struct spec_mounts *want)
{
	for (size_t i = 0; want && i < want->n; i++) {
		const struct spec_mount *m = &want->v[i];

		if (m->type != SPEC_TMPFS && !(o->storage >> m->type & 1))
			return false;
		if (m->type == SPEC_ASSETS && !offer_has_assets(o, m->name))
			return false;
	}
	return true;
}

static bool has_cards(const struct offer *o, const struct spec_gpu *want)
{
	return want->count == 0 ||
	       ((want->vendor == SPEC_VENDOR_ANY || want->vendor == o->gpu_vendor) &&
		want->count <= o->gpus_max);
}

static enum misfit misfit(const struct listing *l, const struct market_want *w)
{
	const struct offer *o = &l->offer;
	struct msat hour;

	if (!market_is_of(l, w))
		return MISFIT_PROVIDER;
	if (w->offer && strcmp(o->name, w->offer))
		return MISFIT_NAME;
	if (w->image && !offer_has_image(o, w->image))
		return MISFIT_IMAGE;
	if (w->template && !offer_has_template(o, w->template))
		return MISFIT_TEMPLATE;
	if (w->mint && !offer_find_mint(o, w->mint))
		return MISFIT_MINT;
	if (o->cpu_millicores < w->cpu || o->memory < w->memory)
		return MISFIT_SIZE;
	if (w->volume && (!o->volume_price.per || o->volume_max < w->volume))
		return MISFIT_VOLUME;
	if (w->encrypted && (!*o->volume || !strcmp(o->volume, "none")))
		return MISFIT_PLAIN;
	if (w->internet && strcmp(o->network, "internet"))
		return MISFIT_NETWORK;
	if (o->ports < w->ports)
		return MISFIT_PORTS;
	if (!has_storage(o, w->storage))
		return MISFIT_STORAGE;
	if (!has_cards(o, &w->gpu))
		return MISFIT_GPU;
	if (w->caps & ~o->caps)
		return MISFIT_CAPS;
	if (o->max_lease < w->seconds)
		return MISFIT_TIME;
	if (!price_cost(&hour, o->price, 3600))
		return MISFIT_PRICE;
	return l->live ? FITS : MISFIT_DEAD;
}

static bool cheaper(const struct offer *a, const struct offer *b)
{
	struct msat x, y;

	return price_cost(&x, a->price, 3600) && price_cost(&y, b->price, 3600) &&
	       msat_cmp(x, y) < 0;
}

const struct listing *market_choose(const struct market *m, const struct market_want *w,
				    struct err *e)
{
	const struct listing *best = NULL;
	enum misfit nearest = MISFIT_PROVIDER, how;

	for (size_t i = 0; i < m->n; i++) {
		if (m->v[i].use != LISTING_FRESH)
			continue;
		how = misfit(&m->v[i], w);
		if (how == FITS && (!best || cheaper(&m->v[i].offer, &best->offer)))
			best = &m->v[i];
		if (how > nearest)
			nearest = how;
	}
	if (!best)
		err_set(e, ERRK_DENIED, "%s",
			m->n ? misfit_words[nearest] : "no relay has an offer");
	return best;
}
