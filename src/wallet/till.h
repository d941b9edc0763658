/*
 * The seller's side of the wallet: check a token without the mint, claim it with a stored swap, run
 * the swap, or release it. The caller owns the transactions, so that its state and the money commit
 * together.
 */
#ifndef WALLET_TILL_H
#define WALLET_TILL_H

#include "wallet/wallet.h"

/* Key that buyers lock to (33 bytes, compressed): one for each mint and agent, because a witness
 * made for one mint must not spend at another. */
int wallet_payment_key(struct wallet *w, const char *mint, uint8_t out[static 33],
		       struct err *e) MUST_CHECK;

/* --- check: pure, cheapest test first --- */

enum wallet_code {
	WALLET_OK,
	WALLET_NEED_KEYSETS, /* wallet_refresh(verdict.mint), then check again with `refreshed` */
	WALLET_TOKEN_MALFORMED,
	WALLET_UNIT_UNSUPPORTED,
	WALLET_FOREIGN_MINT,
	WALLET_TOO_MANY_PROOFS,
	WALLET_NUMBER_TOO_LARGE,
	WALLET_DUPLICATE_PROOF,
	WALLET_KEYSET_UNKNOWN,
	WALLET_KEYSET_AMBIGUOUS,
	WALLET_KEYSET_INACTIVE_SOON,
	WALLET_TOO_LITTLE,
	WALLET_LOCK_UNSUPPORTED,
	WALLET_LOCK_NOT_OURS,
	WALLET_LOCK_MISSING, /* not locked at all */
	WALLET_LOCK_TOO_SHORT,
	WALLET_ALREADY_CLAIMED,
	WALLET_DLEQ_MISSING,
	WALLET_DLEQ_BAD,
};
const char *wallet_code_name(enum wallet_code c); /* "foreign_mint"; stable, goes on the wire */

enum wallet_lock_policy { WALLET_LOCK_REQUIRED, WALLET_LOCK_OR_PLAIN };

struct wallet_terms {
	struct sat min_net;   /* what must be left after the swap's fee */
	struct sat max_gross; /* more is number_too_large; 0: 2^53 msat */
	enum wallet_lock_policy lock;
	int64_t lock_until; /* a locktime before this is lock_too_short; normally not_after + 3600
			     */
	int64_t now;
	const char *mint; /* only this one; NULL: any that is allowed */
	bool refreshed;	  /* keysets were just read: an unknown one is final */
};

struct wallet_payment; /* a token that passed */
void wallet_payment_free(struct wallet_payment *p);
DEFINE_AUTO(struct wallet_payment, wallet_payment_free)

struct wallet_verdict {
	enum wallet_code code;
	char why[160];		       /* one sentence, for the reply */
	char mint[WALLET_URL_MAX + 1]; /* "" until it is known */
	struct sat gross, fee, net;    /* as far as they are known */
	size_t nproofs;
	bool locked; /* every proof is locked to us */
	bool has_refund;
	uint8_t refund_key[33]; /* of the lock, the same in every proof */
	int64_t locktime;	/* the earliest; 0: none */
};

/* 0 with v->code filled; *out only for WALLET_OK. -1: the database failed, nothing is said about
 * the token. */
int wallet_check(struct wallet_payment **out, struct wallet *w, struct str token,
		 const struct wallet_terms *t, struct wallet_verdict *v, struct err *e) MUST_CHECK;

/* --- claim --- */

enum { WALLET_KNOWN = 1 };

struct wallet_claim {
	const char *ref;   /* lease or order id, comes back in struct wallet_plan; borrowed */
	int64_t not_after; /* no POST begins after this; 0: none */
};

/* Proofs become ours to try: their Ys are taken for ever, outputs and the exact swap body stored.
 * WALLET_KNOWN: one of them was here before (already_claimed); roll back or go on, nothing was
 * written. */
int wallet_claim(struct tx *tx, struct wallet *w, const struct wallet_payment *p,
		 const struct wallet_claim *c, int64_t *plan, struct err *e) MUST_CHECK;

/* After the commit: swap, and recover until the plan is closed (struct wallet_ops tells), whatever
 * fails meanwhile. A plan that is already running or closed is left alone. */
void wallet_plan_run(struct wallet *w, int64_t plan);

/* --- release --- */

struct wallet_release {
	size_t n;
	uint8_t sig[WALLET_RELEASE_MAX][64]; /* over each secret, in the token's order */
};

enum { WALLET_NOT_OURS = 1, WALLET_NOT_FREE = 2 };

/* Mark its Ys released, for ever, and sign each secret for the buyer. Repeating it gives signatures
 * again. WALLET_NOT_OURS: not (all) locked to us, there is nothing to release, nothing is marked.
 * WALLET_NOT_FREE: a Y is in a plan that is not closed as expired or refused. */
int wallet_release(struct tx *tx, struct wallet *w, struct str token, struct wallet_release *out,
		   struct err *e) MUST_CHECK;

/* --- refunds: stored jobs that survive restarts and an absent mint --- */

enum wallet_refund_state {
	WALLET_REFUND_DUE = 1,
	WALLET_REFUND_MADE,  /* the token is stored and may be handed over as often as asked */
	WALLET_REFUND_TAKEN, /* the mint says that it is spent; the token is forgotten */
};

struct wallet_refund {
	const char *lease;
	uint32_t number; /* counts from 1 within the lease */
	const char *mint;
	struct msat amount; /* unused money; the token is floor(sat) minus its fee */
	const uint8_t *key; /* 33 bytes: refund key of the buyer */
	/* Where the money is booked now: 0 or LEDGER_OPEN, LEDGER_EARNED; LEDGER_OWN for a lease
	 * whose payment these books do not know. */
	enum ledger_account from;
	/* set by the wallet */
	enum wallet_refund_state state;
	struct sat token_sat, fee; /* once made: the token's face value, what making it cost */
	struct str token;	   /* in refund_made only; a secret */
};
/* Store the job, posting `from` to OWED (but OWN). WALLET_KNOWN: this lease and number has one
 * already. */
int wallet_refund_due(struct tx *tx, const struct wallet_refund *r, struct err *e) MUST_CHECK;
/* After the commit: make the refunds of this lease that are due (NULL: all; wallet_resume does
 * that too). The mint is asked first whether it signed this refund's outputs before: then that
 * token is taken over and no money is spent again. Goes on until made (ops->refund_made). */
int wallet_refund_run(struct wallet *w, const char *lease, struct err *e) MUST_CHECK;
/* 16 bytes that only this seed makes of that refund: who shows them again has it from a wallet that
 * makes the same token. */
int wallet_refund_mark(struct wallet *w, const char *lease, uint32_t number, uint8_t out[static 16],
		       struct err *e) MUST_CHECK;
/* lease NULL: all. */
int wallet_each_refund(struct wallet *w, const char *lease,
		       int (*fn)(void *ctx, const struct wallet_refund *r), void *ctx,
		       struct err *e) MUST_CHECK;
/* The token of a refund that is made (cashuB…, with DLEQ and r; a secret). WALLET_NO_TOKEN: it is
 * not made yet, or was taken. */
enum { WALLET_NO_TOKEN = 1 };
int wallet_refund_token(struct wallet *w, const char *lease, uint32_t number, struct buf *out,
			struct err *e) MUST_CHECK;

#endif
