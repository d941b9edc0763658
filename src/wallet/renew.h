/* Balances move to the active keyset before theirs ends: a background plan a swap. */
#ifndef WALLET_RENEW_H
#define WALLET_RENEW_H

#include "wallet/purse.h"

/* Swap what lies free at `mint` on keysets that are not active any more or end before `until`; what
 * its fee would eat up stays. DONE: amount that moved, fees off. */
void wallet_renew(struct wallet *w, const char *mint, int64_t until, wallet_job_fn *fn, void *ctx);

#endif
