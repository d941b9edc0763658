/*
 * Keys of volumes that buyers brought, between request and helper: in locked memory, never stored.
 * An agent that dies with one in hand has lost it: what was not started is refunded, what was to be
 * unlocked waits for its key again.
 */
#ifndef LEASE_VOLKEY_H
#define LEASE_VOLKEY_H

#include "base/err.h"
#include "lease/protocol.h"
#include "priv/wire.h"

struct engine;

/* Moved, instead of one that the lease had: `hex` is wiped; "" is none. -1: no memory can be
 * locked. */
int volkey_hold(struct engine *g, const char *lease, char hex[static LEASE_VOLUME_KEY_HEX + 1],
		struct err *e) MUST_CHECK;
void volkey_give(const struct engine *g, const char *lease, struct wire_blob *out); /* a copy */
void volkey_drop(struct engine *g, const char *lease); /* wiped; also where there is none */
void volkey_close(struct engine *g);

#endif
