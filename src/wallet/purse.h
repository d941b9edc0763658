/*
 * The buyer's side of the wallet: fund, send locked to a provider, take back, receive. Several
 * processes may use one wallet at once: proofs are reserved in immediate transactions, and an open
 * plan belongs to one process until that is dead.
 */
#ifndef WALLET_PURSE_H
#define WALLET_PURSE_H

#include "wallet/till.h"
#include "wallet/wallet.h"

enum wallet_stage {
	WALLET_INVOICE,	 /* pay `text` */
	WALLET_WAITING,	 /* still waiting; `text` says for what */
	WALLET_DONE,	 /* amount, token_out, text (the token): as the call says */
	WALLET_NO_MONEY, /* not enough at this mint: `amount` is what is needed with fees, `missing`
			    what must come in for it */
	WALLET_OVER_LIMIT, /* `text` names the limit, `left` is left of `limit`, `amount` is needed
			    */
	WALLET_FAILED,	   /* `error`; what is stored stays and goes on by wallet_resume */
};

struct wallet_news {
	enum wallet_stage stage;
	struct str text; /* borrowed during the call; a token is a secret */
	struct sat amount;
	int64_t token_out;
	int64_t expiry; /* of the invoice; 0: not known */
	struct sat missing, limit, left;
	const struct err *error;
	bool open; /* FAILED: what became of it is not known, and it is not given up */
};

/* DONE, NO_MONEY, OVER_LIMIT and FAILED are the last call. Never runs inside the call that started
 * it. */
typedef void wallet_job_fn(void *ctx, const struct wallet_news *n);

/* Mint quote (NUT-20 key stored), invoice of exactly this amount, poll until paid, mint. DONE:
 * amount. */
void wallet_fund(struct wallet *w, const char *mint, struct sat amount, wallet_job_fn *fn,
		 void *ctx);
/* Hear how an invoice of an earlier process goes on, which wallet_resume took up: WAITING once the
 * mint was asked and it is unpaid, then as wallet_fund. */
void wallet_fund_watch(struct wallet *w, int64_t quote, wallet_job_fn *fn, void *ctx);
/* What was started with this ctx goes on, unheard: an invoice or any other job. */
void wallet_fund_unwatch(struct wallet *w, const void *ctx);

struct wallet_limits { /* of what goes to providers and does not come back; 0: none */
	struct sat per_lease;
	struct sat per_day; /* the last 24 hours */
};

struct wallet_send {
	const char *mint;
	struct sat net;	      /* what the receiver has after the fee of its swap */
	struct sat later;     /* there must be enough for another one of this net; 0: none */
	uint8_t lock_key[33]; /* the provider's payment key */
	int64_t locktime;
	const char *ref;   /* order id; unique among outgoing tokens, "" for none */
	const char *lease; /* all tokens for one lease have the same; NULL: limits do not count it
			    */
	struct wallet_limits limits;
};
/* One swap makes proofs of exactly the amount and change; waits while change of another process is
 * under way. DONE: text is the token (V4, DLEQ with r), token_out its row, amount its face value.
 * With a ref that has a token already: DONE at once with that one. */
void wallet_send_locked(struct wallet *w, const struct wallet_send *s, wallet_job_fn *fn,
			void *ctx);

/* Swap an outgoing token back with the provider's signatures, at once. DONE: amount that came back.
 */
void wallet_release_redeem(struct wallet *w, int64_t token_out, const struct wallet_release *r,
			   wallet_job_fn *fn, void *ctx);
/* The same with the refund key, after the locktime; a plain one at any time. */
void wallet_reclaim(struct wallet *w, int64_t token_out, wallet_job_fn *fn, void *ctx);
/* Swap somebody's token into this wallet (plain, or locked to a refund key of ours). DONE: amount.
 */
void wallet_receive(struct wallet *w, struct str token, wallet_job_fn *fn, void *ctx);
/* The same, but NO_MONEY, with the token untouched, unless `net` (and `later`) can be sent then:
 * `amount` is what the token is worth here, `missing` what it should be. */
struct wallet_receive_for {
	struct str token;
	struct sat net, later;
	const char *ref; /* a name, "" or NULL: what came under it before is not received again */
};
void wallet_receive_for(struct wallet *w, const struct wallet_receive_for *r, wallet_job_fn *fn,
			void *ctx);

/* What became of a token that was received under this name: REFUSED is for the mint or its fee to
 * answer for, and may be tried again. `net` is what it brought. */
enum wallet_received {
	WALLET_RECEIVED_NOT,
	WALLET_RECEIVED_OPEN,
	WALLET_RECEIVED_HERE,
	WALLET_RECEIVED_ELSEWHERE, /* it was spent by somebody else, or by a copy of this wallet */
};
int wallet_received(struct wallet *w, const char *ref, enum wallet_received *out, struct sat *net,
		    struct err *e) MUST_CHECK;

enum wallet_out_state {
	WALLET_OUT_MAKING = 1, /* its swap is not settled yet */
	WALLET_OUT_OPEN,       /* handed out, or about to be; fate unknown */
	WALLET_OUT_TAKEN,      /* the receiver has it */
	WALLET_OUT_RETURNING,  /* a swap back is under way */
	WALLET_OUT_RETURNED,   /* its money is in the wallet again */
	WALLET_OUT_FAILED,     /* was never made */
};

enum wallet_out_kind {
	WALLET_OUT_ORDER = 1, /* locked to a provider, for a lease */
	WALLET_OUT_PLAIN,     /* whoever has it spends it */
	WALLET_OUT_LOCKED, /* to somebody's key; ours again after the locktime, if there is one */
};

struct wallet_out {
	int64_t id;
	enum wallet_out_state state;
	enum wallet_out_kind kind;
	const char *ref, *mint;
	struct sat amount;
	int64_t locktime, created;
	uint8_t refund_key[33]; /* ours, as it stands in the lock; zeros: none */
};

/* Ask the mint. DONE: text is "unspent", "pending" or "spent" (any proof spent). A spent one that
 * is not being returned becomes TAKEN. */
void wallet_token_state(struct wallet *w, int64_t token_out, wallet_job_fn *fn, void *ctx);
/* The receiver has it: books the money as spent, or as gone where it was no order. */
int wallet_out_taken(struct tx *tx, int64_t token_out, struct err *e) MUST_CHECK;

enum { WALLET_NO_SUCH = 1 };
/* By row, or by ref where id is 0. `token` (may be NULL) gets the text. Strings in *out are
 * borrowed from `names`. */
struct wallet_out_names {
	char ref[WALLET_REF_MAX + 1], mint[WALLET_URL_MAX + 1];
};
int wallet_out_get(struct wallet *w, int64_t id, const char *ref, struct wallet_out *out,
		   struct wallet_out_names *names, struct buf *token, struct err *e) MUST_CHECK;
int wallet_each_out(struct wallet *w, int (*fn)(void *ctx, const struct wallet_out *o), void *ctx,
		    struct err *e) MUST_CHECK;
/* --- what is open --- */

struct wallet_quote {
	int64_t id;
	const char *mint, *invoice;
	struct sat amount;
	int64_t expiry; /* 0: not known */
	bool paid;	/* its proofs are being made */
	bool elsewhere; /* another living process waits for it */
};
int wallet_each_quote(struct wallet *w, int (*fn)(void *ctx, const struct wallet_quote *q),
		      void *ctx, struct err *e) MUST_CHECK;

struct wallet_exchange { /* an open plan */
	int64_t id;
	enum wallet_kind kind;
	const char *mint;
	struct sat amount; /* inputs */
	int64_t created;
	bool elsewhere;
};
int wallet_each_exchange(struct wallet *w, int (*fn)(void *ctx, const struct wallet_exchange *x),
			 void *ctx, struct err *e) MUST_CHECK;

/* Secret of a refund key of ours (to sign for refunds and to open what is locked to it). */
int wallet_refund_secret(struct wallet *w, const uint8_t key[static 33], struct secret *out,
			 struct err *e) MUST_CHECK; /* WALLET_NO_SUCH */

#endif
