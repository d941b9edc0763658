/* Replies, stored before they are sent. */
#ifndef LEASE_OUTBOX_H
#define LEASE_OUTBOX_H

#include "db/db.h"
#include "lease/engine.h"
#include "proto/reply.h"

int outbox_add(struct engine *g, struct tx *tx, const struct pubkey *to, const struct reply *r,
	       struct err *e) MUST_CHECK;
/* The same in words, as a chat message (NIP-17). */
int outbox_say(struct engine *g, struct tx *tx, const struct pubkey *to, const struct reply *r,
	       struct err *e) MUST_CHECK;
void outbox_kick(struct engine *g); /* after the commit: publish what is due */
/* The same request came again: its replies go out once more, at most once a minute. */
enum { OUTBOX_NONE = 1 }; /* none is stored */
int outbox_repeat(struct engine *g, const struct pubkey *to, const char *request_id,
		  struct err *e) MUST_CHECK;
int outbox_prune(struct engine *g, struct err *e) MUST_CHECK;
/* One reply in a transaction of its own; failures are logged. */
void outbox_send(struct engine *g, const struct pubkey *to, const struct reply *r);
void outbox_close(struct engine *g);

#endif
