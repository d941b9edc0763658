/* What becomes of the money: how much may lie at one mint, where it goes by itself, and that it is
 * not on a keyset that ends. */
#ifndef LEASE_TREASURY_H
#define LEASE_TREASURY_H

#include "lease/engine.h"

void treasury_start(struct engine *g);
void treasury_stop(struct engine *g);
/* Balances have changed: warn once at 80 %, say it in the offers where the mint is refused now. */
void treasury_look(struct engine *g);
/* Is set.mints[i] at its cap, and not taken because of it? */
bool treasury_full(const struct engine *g, size_t i);
/* Would `more` at this mint pass its cap, and are we to refuse it then? */
bool treasury_refuses(struct engine *g, const char *mint, struct sat more);

#endif
