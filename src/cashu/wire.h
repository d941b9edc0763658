/*
 * The bodies of a mint's HTTP interface: requests are written, answers are parsed, both without
 * sending anything. An answer is compared with what was asked: count, ids, amounts, order.
 */
#ifndef CASHU_WIRE_H
#define CASHU_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/amount.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "cashu/keyset.h"
#include "cashu/proof.h"
#include "cashu/quote.h"

#define CASHU_BODY_MAX	   (2u << 20) /* a request of 1000 locked inputs */
#define CASHU_QUOTE_ID_MAX 128
#define CASHU_INVOICE_MAX  4096

/* What the mint is asked to sign; borrowed. */
struct blinded_list {
	const struct blinded *v;
	size_t n;
};

/* GET /v1/info (NUT-06) */
struct mint_info {
	char name[65];
	char version[65];
	uint64_t nuts;	     /* bit n: NUT n is announced and enabled */
	bool swap_cached;    /* NUT-19 lists POST /v1/swap */
	int64_t cache_ttl;   /* seconds, 0: none or not said */
	bool swap_protected; /* NUT-21 or 22 stands (or may stand, by a pattern) before /v1/swap */
};
bool mint_info_has(const struct mint_info *i, unsigned nut);
int cashu_info_parse(struct mint_info *out, struct str body, struct err *e) MUST_CHECK;

/* GET /v1/keysets: keysets without keys. Those of unknown version or with a fee above
 * KEYSET_FEE_MAX are left out and counted. */
int cashu_keysets_parse(struct keysets *out, size_t *left_out, struct str body,
			struct err *e) MUST_CHECK;
/* GET /v1/keys/{id}: fills the keys of `k` (from the list) and verifies its id. */
int cashu_keys_parse(struct keyset *k, struct str body, struct err *e) MUST_CHECK;

/* POST /v1/swap (NUT-03). Outputs ascending by amount. DLEQ is left out of the inputs. */
void cashu_swap_body(struct buf *out, const struct proofs *inputs, const struct outputs *outputs);
/* {"signatures":[…]}, also of POST /v1/mint/bolt11: as many as asked, same ids and amounts in the
 * same order, each with a DLEQ. */
int cashu_signatures_parse(struct blind_sigs *out, struct blinded_list asked, struct str body,
			   struct err *e) MUST_CHECK;

/* POST /v1/checkstate (NUT-07) */
enum proof_state { PROOF_UNSPENT, PROOF_PENDING, PROOF_SPENT };
struct y_bytes {
	uint8_t b[POINT_COMPRESSED];
};
struct y_state {
	enum proof_state state;
	char *witness; /* NULL: none */
};
struct y_states {
	struct y_state *v;
	size_t n;
};
void y_states_free(struct y_states *s);
#define auto_y_states __attribute__((cleanup(y_states_free)))
void cashu_checkstate_body(struct buf *out, const struct y_bytes *ys, size_t n);
/* In the order of `ys`, whatever the order of the answer; one for each or it fails. */
int cashu_checkstate_parse(struct y_states *out, const struct y_bytes *ys, size_t n,
			   struct str body, struct err *e) MUST_CHECK;

/* POST /v1/restore (NUT-09) */
struct restored {
	size_t index; /* in `asked` */
	struct blind_sig sig;
};
struct restored_list {
	struct restored *v; /* ascending index */
	size_t n;
};
void restored_free(struct restored_list *s);
#define auto_restored __attribute__((cleanup(restored_free)))
void cashu_restore_body(struct buf *out, struct blinded_list asked);
/* Matched by B_; a DLEQ may be missing. Amounts and keysets are the mint's own: whoever settles
 * compares them with the plan (dhke_unblind does). */
int cashu_restore_parse(struct restored_list *out, struct blinded_list asked, struct str body,
			struct err *e) MUST_CHECK;

/* Mint quotes (NUT-04, NUT-23): bolt11 only. */
struct mint_quote {
	char id[CASHU_QUOTE_ID_MAX + 1];
	char *invoice;
	bool paid;	/* may be minted (state PAID, or amount_paid > amount_issued) */
	bool issued;	/* was minted */
	int64_t expiry; /* 0: none */
};
void mint_quote_free(struct mint_quote *q); /* what it owns */
#define auto_mint_quote __attribute__((cleanup(mint_quote_free)))
/* `key`: NUT-20 public key, NULL for none. */
void cashu_mint_quote_body(struct buf *out, struct sat amount, const char *unit,
			   const uint8_t *key);
int cashu_mint_quote_parse(struct mint_quote *out, struct str body, struct err *e) MUST_CHECK;
/* `sig`: 64 bytes of quote_sign, NULL for none. */
void cashu_mint_body(struct buf *out, struct str quote, const struct outputs *outputs,
		     const uint8_t *sig);

/* Melt quotes and melts (NUT-05, NUT-08): bolt11 only. */
enum melt_state { MELT_UNPAID, MELT_PENDING, MELT_PAID };
struct melt_quote {
	char id[CASHU_QUOTE_ID_MAX + 1];
	struct sat amount, fee_reserve;
	enum melt_state state;
	int64_t expiry;
	char preimage[129]; /* "": none */
	struct blind_sigs
		change; /* for the first outputs given, in order; amounts are the mint's */
};
void melt_quote_free(struct melt_quote *q);
#define auto_melt_quote __attribute__((cleanup(melt_quote_free)))
/* `amount` is for an invoice that names none (NUT-23, "amountless"); else 0. */
void cashu_melt_quote_body(struct buf *out, struct str invoice, const char *unit,
			   struct msat amount);
void cashu_melt_body(struct buf *out, struct str quote, const struct proofs *inputs,
		     const struct outputs *blanks);
/* Answer to a melt quote and to a melt. */
int cashu_melt_parse(struct melt_quote *out, struct str body, struct err *e) MUST_CHECK;

#endif
