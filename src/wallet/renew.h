/* Balances move to the active keyset before theirs ends: a background plan a swap. */
#ifndef WALLET_RENEW_H
#define WALLET_RENEW_H

#include "wallet/purse.h"

/* Swap what lies free at `mint` on keysets that are not active any more or end before `until`.
 * What its fee would eat up stays, and what is on keysets that never end (they can still be spent)
 * stays where the fee is above a twentieth. DONE: amount that moved, fees off. */
void wallet_renew(struct wallet *w, const char *mint, int64_t until, wallet_job_fn *fn, void *ctx);

/* Mints where something lies on such keysets, as far as this wallet knows: nobody is asked. Stops
 * when fn returns not 0. */
int wallet_each_ending(struct wallet *w, int64_t until,
		       int (*fn)(void *ctx, const char *mint, struct sat amount), void *ctx,
		       struct err *e) MUST_CHECK;

#endif
