/* Events of a relay: in memory, newest first, and in a database where there is one. */
#ifndef DEVNET_RELAY_STORE_H
#define DEVNET_RELAY_STORE_H

#include "base/auto.h"
#include "base/err.h"
#include "db/db.h"
#include "nostr/filter.h"

struct relay_store;

struct stored_event {
	struct nostr_event *event;
	char *json;
	size_t n;
};

/* `d` NULL: memory only. What the database holds is read. */
int relay_store_new(struct relay_store **out, struct db *d, struct err *e) MUST_CHECK;
void relay_store_free(struct relay_store *s);
DEFINE_AUTO(struct relay_store, relay_store_free)

enum relay_put { RELAY_NEW, RELAY_DUPLICATE, RELAY_OLDER }; /* OLDER: a newer one has its address */
/* Takes over the event; *kept is it where the store has it now, otherwise NULL. NIP-01: an event
 * replaces what it is newer than at the same address. */
int relay_store_put(struct relay_store *s, struct nostr_event *ev, enum relay_put *how,
		    const struct stored_event **kept, struct err *e) MUST_CHECK;

typedef void relay_store_fn(void *ctx, const struct stored_event *ev);
/* The newest `limit` that match and are not expired, newest first; events of one second by id. */
void relay_store_find(const struct relay_store *s, const struct nostr_filter *f, int64_t now,
		      size_t limit, relay_store_fn *fn, void *ctx);
size_t relay_store_count(const struct relay_store *s);

#endif
