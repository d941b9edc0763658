/* What the parts of the mint share: the node, one request under way, the stored rows. */
#ifndef DEVNET_MINT_INTERNAL_H
#define DEVNET_MINT_INTERNAL_H

#include "base/json.h"
#include "base/jsonw.h"
#include "cashu/proof.h"
#include "devnet/mint.h"
#include "devnet/mint_keys.h"

#define MINT_BODY_MAX  (2u << 20)
#define MINT_CACHE_TTL 60
#define MINT_ROUTES    13

struct cached {
	struct cached *next;
	uint8_t key[32];
	int64_t until;
	char *body;
	size_t n;
};

struct waiting; /* a delayed request */

struct mint_node {
	struct loop *loop;
	struct ws_server *server;
	struct db *db;
	struct faults *faults;
	struct mint_keys *keys;
	struct mint_options options;
	struct mint_node *next; /* ring of those that settle each other's invoices, or NULL */
	struct cached *cache;
	struct waiting *waiting;
	uint64_t swaps, minted, melted, refused;
	uint64_t asked[MINT_ROUTES]; /* requests of each route */
};

/* One request: handlers fill `out`. */
struct ask {
	const char *path;
	struct str tail; /* what follows the route's path */
	const struct json *body;
	struct buf out;
	int status;
	int code;	/* NUT error, 0: none */
	bool uncertain; /* not for the cache */
};

/* A handler: 0 answered, MINT_REFUSED_ASK refused by mint_refuse, -1 our own failure. */
enum { MINT_REFUSED_ASK = 1 };
int mint_refuse(struct ask *q, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

typedef int mint_handler(struct mint_node *m, struct ask *q, struct err *e);
mint_handler mint_swap_do, mint_checkstate_do, mint_restore_do;
mint_handler mint_quote_do, mint_quote_get, mint_mint_do;
mint_handler mint_melt_quote_do, mint_melt_quote_get, mint_melt_do;

/* --- inputs and outputs (mint_swap.c) --- */

struct blinded_vec {
	struct blinded *v;
	size_t n;
};
void blinded_vec_free(struct blinded_vec *s);

struct spend { /* checked inputs of a swap or melt */
	struct proofs proofs;
	uint8_t (*ys)[POINT_COMPRESSED];
	struct sat sum, fee;
};
void spend_free(struct spend *s);

/* All: 0, MINT_REFUSED_ASK or -1. `quote` is empty for a swap. */
int mint_read_inputs(struct spend *out, struct mint_node *m, struct ask *q, struct err *e);
enum outputs_kind { OUTPUTS_FULL, OUTPUTS_BLANK };
int mint_read_outputs(struct blinded_vec *out, struct mint_node *m, struct ask *q,
		      enum outputs_kind kind, struct err *e);
int mint_check_locks(const struct spend *s, const struct blinded_vec *outputs, struct str quote,
		     struct ask *q);
/* Inside a transaction, which the fault "pending" commits. */
int mint_claim_inputs(struct tx **tx, struct mint_node *m, const struct spend *s, struct ask *q,
		      struct err *e);
int mint_sign_outputs(struct blind_sigs *sigs, struct tx *tx, struct mint_node *m,
		      const struct blinded_vec *outputs, struct ask *q, struct err *e);
/* "key": [signatures], with the lie that is due. */
void mint_write_signatures(struct jsonw *w, const char *key, struct mint_node *m,
			   const struct ask *q, const struct blind_sigs *sigs);

/* --- rows (mint_store.c) --- */

int mint_store_open(struct db *d, struct err *e) MUST_CHECK;

enum proof_row { PROOF_ROW_NONE, PROOF_ROW_PENDING, PROOF_ROW_SPENT };
int mint_store_proof(enum proof_row *out, struct buf *witness, struct db *d,
		     const uint8_t y[static POINT_COMPRESSED], struct err *e) MUST_CHECK;
struct proof_mark {
	enum proof_row row;
	struct sat amount;
	struct str witness;
};
int mint_store_set_proof(struct tx *tx, const uint8_t y[static POINT_COMPRESSED],
			 const struct proof_mark *mark, struct err *e) MUST_CHECK;
int mint_store_settle(struct tx *tx, struct err *e) MUST_CHECK;

/* True in *found if B_ was ever signed. */
int mint_store_signed(bool *found, struct blind_sig *out, struct db *d,
		      const uint8_t b[static POINT_COMPRESSED], struct err *e) MUST_CHECK;
int mint_store_add_signed(struct tx *tx, const uint8_t b[static POINT_COMPRESSED],
			  const struct blind_sig *sig, struct err *e) MUST_CHECK;

/* What was ever signed, and what of it came back: sat. */
struct mint_sums {
	int64_t made, spent, pending;
};
int mint_store_sums(struct mint_sums *out, struct db *d, struct err *e) MUST_CHECK;

enum quote_state { QUOTE_UNPAID, QUOTE_PENDING, QUOTE_PAID, QUOTE_ISSUED };
enum quote_row_kind { QUOTE_MINT, QUOTE_MELT };
struct quote_row {
	enum quote_row_kind kind;
	char id[33];
	char invoice[1024];
	struct sat amount, reserve;
	enum quote_state state;
	int64_t pays_at; /* wall clock, ms; 0: not by itself */
	int64_t expiry;
	bool has_key;
	uint8_t key[POINT_COMPRESSED];
};
enum { QUOTE_NONE = 1 };
int mint_store_quote(struct quote_row *out, struct db *d, enum quote_row_kind kind, struct str id,
		     struct err *e) MUST_CHECK; /* QUOTE_NONE */
int mint_store_invoice(struct quote_row *out, struct db *d, struct str invoice,
		       struct err *e) MUST_CHECK; /* QUOTE_NONE */
int mint_store_put_quote(struct tx *tx, const struct quote_row *r, struct err *e) MUST_CHECK;

/* A payment that hangs: its inputs, and the change to sign (a JSON array) if it is made after all.
 */
int mint_store_hold(struct tx *tx, const char *quote, const struct spend *s, struct str change,
		    struct err *e) MUST_CHECK;
/* The next one that hangs: quote and change. QUOTE_NONE. */
int mint_store_held(struct quote_row *out, struct buf *change, struct db *d,
		    struct err *e) MUST_CHECK;
int mint_store_let_go(struct tx *tx, const char *quote, enum proof_row inputs,
		      struct err *e) MUST_CHECK;

#endif
