/* A relay for trials and tests: NIP-01, 11, 40 and 42, with faults on demand. */
#ifndef DEVNET_RELAY_H
#define DEVNET_RELAY_H

#include "base/buf.h"
#include "db/db.h"
#include "devnet/faults.h"
#include "net/ws.h"

struct relay_node;

enum relay_guard {
	RELAY_OPEN,
	RELAY_GUARDED, /* private messages only to who is named in them and has authenticated */
};

/* Loopback only. `d` NULL: nothing is kept. */
int relay_node_new(struct relay_node **out, struct ws_context *ws, struct loop *l, int port,
		   enum relay_guard guard, struct db *d, struct err *e) MUST_CHECK;
void relay_node_free(struct relay_node *r);
DEFINE_AUTO(struct relay_node, relay_node_free)
int relay_node_port(const struct relay_node *r);
struct faults *relay_node_faults(struct relay_node *r);
void relay_node_stats(struct buf *out, const struct relay_node *r); /* a JSON object */
void relay_node_hang_up(struct relay_node *r);			    /* on everybody */

#endif
