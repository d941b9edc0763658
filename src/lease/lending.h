/* Inside src/lease: volumes that leases of one owner share. */
#ifndef LEASE_LENDING_H
#define LEASE_LENDING_H

#include "lease/engine_impl.h"

/* Are the other leases whose volumes it wants there, its owner's, and have they such volumes? */
int lending_check(struct engine *g, const struct pubkey *owner, const struct spec *want,
		  struct err *e) MUST_CHECK;
/* The id of another lease whose volume it uses and that has ended, in `id`; NULL: there is none. */
const char *lending_lost(struct engine *g, const struct lease *l, char id[static LEASE_ID_HEX + 1]);
/* Why a halted lease is, where that was not its owner's wish; of a kept volume, who uses it. */
void lending_say(struct engine *g, const struct lease *l, struct reply *r);

#endif
