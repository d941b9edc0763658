/*
 * A mint for trials and tests: NUT-00…09, 11, 12, 19, 20 over HTTP, with Lightning that is made
 * up. Invoices of any mint in this process are settled among them; others are simply paid.
 */
#ifndef DEVNET_MINT_H
#define DEVNET_MINT_H

#include "base/buf.h"
#include "cashu/keyset.h"
#include "db/db.h"
#include "devnet/faults.h"
#include "net/ws.h"

struct mint_node;

struct mint_options {
	int port;
	uint32_t fee_ppk;
	enum keyset_version version; /* of new keysets: KEYSET_V1 or KEYSET_V2 */
	int64_t pay_after_ms;	     /* an invoice pays itself so late; -1: never */
	bool no_cache;		     /* NUT-19 */
	struct db *db;
};

/* Loopback only. */
int mint_node_new(struct mint_node **out, struct ws_context *ws, struct loop *l,
		  const struct mint_options *o, struct err *e) MUST_CHECK;
void mint_node_free(struct mint_node *m);
DEFINE_AUTO(struct mint_node, mint_node_free)
int mint_node_port(const struct mint_node *m);
struct faults *mint_node_faults(struct mint_node *m);
void mint_node_stats(struct buf *out, struct mint_node *m); /* a JSON object */

/* Mints settle the invoices of a ring of them. */
void mint_node_link(struct mint_node *m, struct mint_node *next);

/* Control verbs. */
int mint_node_rotate(struct mint_node *m, struct err *e) MUST_CHECK; /* a new active keyset */
int mint_node_pay(struct mint_node *m, struct str quote, struct err *e) MUST_CHECK;
int mint_node_settle(struct mint_node *m, struct err *e) MUST_CHECK; /* PENDING inputs: UNSPENT */
/* Lightning payments that hang are made, or fail. */
enum mint_melts { MINT_MELTS_PAID, MINT_MELTS_FAILED };
int mint_node_melts(struct mint_node *m, enum mint_melts how, struct err *e) MUST_CHECK;

#endif
