/* Which mint to fund: see fundmint.h. */
#include "cli/fundmint.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define VOTES_MAX 256

void mint_votes_free(struct mint_votes *v)
{
	free(v->v);
	v->v = NULL;
	v->n = 0;
}

/* NULL: what an offer calls a mint is no URL, or there are too many. */
static struct mint_vote *vote_of(struct mint_votes *v, const char *url)
{
	struct mint_vote new = {0};

	if (wallet_url(new.url, str_of(url), NULL) < 0)
		return NULL;
	for (size_t i = 0; i < v->n; i++)
		if (!strcmp(v->v[i].url, new.url))
			return &v->v[i];
	if (v->n == VOTES_MAX)
		return NULL;
	v->v = mem_grow(v->v, v->n + 1, sizeof(*v->v));
	v->v[v->n] = new;
	return &v->v[v->n++];
}

static int add_known(void *ctx, const char *mint, const struct wallet_balance *b)
{
	struct mint_vote *vote = vote_of(ctx, mint);

	if (vote)
		vote->known = true;
	return 0;
}

int mint_votes_known(struct mint_votes *v, struct app *a, struct err *e)
{
	for (size_t i = 0; a->conf.mints && a->conf.mints[i]; i++) {
		struct mint_vote *vote = vote_of(v, a->conf.mints[i]);

		if (vote)
			vote->configured = true;
	}
	return wallet_each_mint(a->wallet, add_known, v, e);
}

/* --- counting --- */

#define ANY SIZE_MAX /* in place of a mint: the provider sells at all */

struct ballot {
	size_t vote;
	struct pubkey provider;
};

struct ballots {
	struct ballot *v;
	size_t n;
};

static void cast(struct ballots *b, size_t vote, const struct pubkey *provider)
{
	b->v = mem_grow(b->v, b->n + 1, sizeof(*b->v));
	b->v[b->n++] = (struct ballot){vote, *provider};
}

static int by_vote(const void *x, const void *y)
{
	const struct ballot *a = x, *b = y;

	if (a->vote != b->vote)
		return a->vote < b->vote ? -1 : 1;
	return memcmp(&a->provider, &b->provider, sizeof(a->provider));
}

static void cast_all(struct ballots *b, struct mint_votes *v, const struct market *m)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct offer *o = &m->v[i].offer;

		if (!m->v[i].live)
			continue;
		cast(b, ANY, &o->provider);
		for (size_t k = 0; k < o->nmints; k++) {
			const struct mint_vote *vote = vote_of(v, o->mints[k].url);

			if (vote)
				cast(b, (size_t)(vote - v->v), &o->provider);
		}
	}
}

void mint_votes_count(struct mint_votes *v, const struct market *m)
{
	struct ballots b = {0};

	cast_all(&b, v, m);
	if (b.n)
		qsort(b.v, b.n, sizeof(*b.v), by_vote);
	for (size_t i = 0; i < b.n; i++) {
		if (i > 0 && by_vote(&b.v[i - 1], &b.v[i]) == 0)
			continue;
		if (b.v[i].vote == ANY)
			v->providers++;
		else
			v->v[b.v[i].vote].providers++;
	}
	free(b.v);
}

static int better(const void *x, const void *y)
{
	const struct mint_vote *a = x, *b = y;

	if (a->configured != b->configured)
		return a->configured ? -1 : 1;
	if (a->providers != b->providers)
		return a->providers > b->providers ? -1 : 1;
	if (a->known != b->known)
		return a->known ? -1 : 1;
	return strcmp(a->url, b->url);
}

void mint_votes_sort(struct mint_votes *v)
{
	if (v->n)
		qsort(v->v, v->n, sizeof(*v->v), better);
}

/* The best one that this wallet may talk to: an offer may name a mint on loopback. */
static int take_best(struct app *a, const struct mint_votes *v, char out[static WALLET_URL_MAX + 1],
		     struct err *e)
{
	for (size_t i = 0; i < v->n; i++) {
		const struct mint_vote *vote = &v->v[i];

		if (!vote->providers && !vote->configured)
			continue;
		if (app_mint(a, vote->url, out, e) < 0)
			continue;
		app_say(a, "at %s: %u of %u providers take it%s", out, vote->providers,
			v->providers, vote->configured ? ", and it is in lease.conf" : "");
		return 0;
	}
	return err_set(e, ERRK_STATE, "no offer names a mint: use --mint URL");
}

int fundmint_choose(struct app *a, const char *named, char out[static WALLET_URL_MAX + 1],
		    struct err *e)
{
	auto_votes struct mint_votes v = {0};
	auto_market struct market m = {0};
	auto_buf struct buf relays = BUF(16384);

	if (named)
		return app_mint(a, named, out, e);
	if (a->conf.mints && a->conf.mints[0] && !a->conf.mints[1])
		return app_mint(a, a->conf.mints[0], out, e);
	if (mint_votes_known(&v, a, e) < 0)
		return -1;
	if (app_relays(a, &relays, NULL) < 0 || market_load(a, &m, NULL) < 0 || !m.n) {
		if (app_mint(a, v.n && v.v[0].configured ? v.v[0].url : NULL, out, e) < 0)
			return -1;
		app_say(a, "at %s, which is known; no offer could be read", out);
		return 0;
	}
	mint_votes_count(&v, &m);
	mint_votes_sort(&v);
	return take_best(a, &v, out, e);
}
