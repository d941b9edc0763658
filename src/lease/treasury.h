/* How much may lie at one mint, and what happens when it does. */
#ifndef LEASE_TREASURY_H
#define LEASE_TREASURY_H

#include "lease/engine.h"

void treasury_start(struct engine *g);
void treasury_stop(struct engine *g);
/* Balances have changed: warn once at 80 %, say it in the offers where the mint is refused now. */
void treasury_look(struct engine *g);
/* Would `more` at this mint pass its cap, and are we to refuse it then? */
bool treasury_refuses(struct engine *g, const char *mint, struct sat more);

#endif
