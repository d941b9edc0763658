/* Which mint to fund: one that providers take. */
#ifndef CLI_FUNDMINT_H
#define CLI_FUNDMINT_H

#include "cli/market.h"

struct mint_vote {
	char url[WALLET_URL_MAX + 1]; /* normalised */
	unsigned providers;	      /* that sell now and take it: one voice each */
	bool configured;	      /* in lease.conf */
	bool known;		      /* the wallet was used with it */
};

struct mint_votes {
	struct mint_vote *v; /* best first, after mint_votes_sort */
	size_t n;
	unsigned providers; /* that sell now */
};
void mint_votes_free(struct mint_votes *v);
#define auto_votes __attribute__((cleanup(mint_votes_free)))

/* Mints of lease.conf and of the wallet, with no voice yet. */
int mint_votes_known(struct mint_votes *v, struct app *a, struct err *e) MUST_CHECK;
/* Count the live offers. A provider has one voice for a mint, however many offers it makes. */
void mint_votes_count(struct mint_votes *v, const struct market *m);
/* Where lease.conf names mints no other one comes before them: offers are strangers' words. */
void mint_votes_sort(struct mint_votes *v);

/* The mint to fund: `named`, the only one of lease.conf, else what the offers on the relays say.
 * Says which and why; allowed in the wallet afterwards. */
int fundmint_choose(struct app *a, const char *named, char out[static WALLET_URL_MAX + 1],
		    struct err *e) MUST_CHECK;

#endif
