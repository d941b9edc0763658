/* What is for sale: offers and heartbeats read from the relays, filtered and sorted. */
#ifndef CLI_MARKET_H
#define CLI_MARKET_H

#include "cli/app.h"
#include "proto/offer.h"
#include "spec/spec.h"

enum listing_use { LISTING_FRESH, LISTING_SEEN, LISTING_TRIED }; /* only fresh ones are chosen */

struct listing {
	struct offer offer;
	struct heartbeat beat; /* created_at 0: none was seen */
	enum listing_use use;
	bool live; /* a beat in the last three minutes, not draining, accepting */
};

struct market {
	struct listing *v;
	size_t n;
};

#define MARKET_LIVE_S 180

int market_load(struct app *a, struct market *m, struct err *e) MUST_CHECK;
void market_free(struct market *m);
#define auto_market __attribute__((cleanup(market_free)))

struct market_want {
	const char *provider; /* npub, hex, or a prefix of the hex of at least 8; NULL: any */
	const char *offer;    /* name; NULL: any */
	const char *image;    /* NULL: any */
	const char *template; /* that it serves; NULL: any */
	const char *mint;     /* normalised; NULL: any */
	uint64_t cpu, memory; /* at least; 0: any */
	uint64_t volume;      /* bytes of a kept volume; 0: a lease */
	bool encrypted;	      /* its volumes */
	bool internet;	      /* a network is needed */
	size_t ports;	      /* published ones, so many */
	uint64_t caps;	      /* that a buyer may ask for */
	struct spec_gpu gpu;  /* graphics cards */
	bool all_gpus;	      /* as many as a lease may have */
	const struct spec_mounts *storage; /* of kinds that the offer has; NULL: none */
	int64_t seconds;		   /* the offer's longest lease allows for it; 0: any */
};
/* Is it of the provider that is wanted? */
bool market_is_of(const struct listing *l, const struct market_want *w);
/* The cheapest live listing that fits, or NULL with why the best candidate was no good in `e`. */
const struct listing *market_choose(const struct market *m, const struct market_want *w,
				    struct err *e);

#endif
