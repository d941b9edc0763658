/*
 * A larger disk for a lease that is there. From the wish on the lease holds the larger disk of the
 * host's capacity; it costs more from the moment in which the host has made it larger.
 */
#ifndef LEASE_GROW_H
#define LEASE_GROW_H

#include "lease/engine_impl.h"

void grow_asked(struct ask *a, const struct lease *l); /* owns a */
/* After a restart: true where there is a wish, which the host is asked for again. */
bool grow_resume(struct engine *g, const struct lease *l);
/* What the owner may know of it: disk and price now, and what more of it costs. */
void grow_say(struct engine *g, const struct lease *l, struct reply *r);

/* --- grow_store.c --- */

struct grow_wish {
	uint64_t was, bytes; /* of the disk: before it, and what it asks for */
	struct price price;  /* of the lease then */
	char request_id[LEASE_REQUEST_ID_HEX + 1];
};
/* The wish, and the disk in the lease's row. */
int grow_wish(struct tx *tx, const char *lease, const struct grow_wish *w,
	      struct err *e) MUST_CHECK;
int grow_load(struct db *d, const char *lease, struct grow_wish *out,
	      struct err *e) MUST_CHECK; /* STORE_NONE */
/* It has come true: l's price, spent, priced_at and expires_at, and no wish any more. */
int grow_done(struct tx *tx, const struct lease *l, struct err *e) MUST_CHECK;
/* It has not: the disk is as it was. */
int grow_undo(struct tx *tx, const char *lease, struct err *e) MUST_CHECK;
int grow_forget(struct tx *tx, const char *lease, struct err *e) MUST_CHECK; /* it has ended */

#endif
