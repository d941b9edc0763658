/*
 * Money that leaves the wallet, for sellers and buyers: Lightning payments (NUT-05, NUT-08), tokens
 * for anybody, moves between mints. Nothing is paid twice, whatever crashes: the exact request is
 * stored before it is sent, and another attempt waits until the mint says what became of the first.
 * A seller's OPEN and OWED money never leaves this way.
 */
#ifndef WALLET_LEAVE_H
#define WALLET_LEAVE_H

#include "wallet/purse.h"

/* --- Lightning --- */

struct wallet_pay {
	const char *mint;
	const char *invoice;  /* BOLT11; "lightning:" before it is fine */
	struct sat amount;    /* where the invoice names none; its mint must be able to (NUT-23) */
	struct sat max_total; /* amount and every fee; 0: no cap */
	const char *ref;      /* unique among payments; NULL or "": none */
	/* Its owner's word: an earlier attempt whose fate the mint does not know is given up, and
	 * its money with it. The payee may be paid twice. */
	bool again;
};
/* WAITING: the payment is under way, or what it costs at most. DONE: text is the preimage ("" where
 * the mint gave none that is the invoice's), amount what it cost with every fee. The same invoice
 * or the same ref again pays nothing: it joins what goes on, or is DONE with the first result.
 * FAILED: nothing was paid, the money is free again, unless the news is `open`: the mint took the
 * money and does not say for what; it is asked again by wallet_resume, and nothing else is sent for
 * this invoice. */
void wallet_pay(struct wallet *w, const struct wallet_pay *p, wallet_job_fn *fn, void *ctx);

struct wallet_pay_address {
	const char *mint;
	const char *address; /* "user@host" (LUD-16) */
	struct sat amount;
	struct sat max_total;
	const char *ref;
};
/* Asks the host for an invoice of exactly this amount and pays that. */
void wallet_pay_address(struct wallet *w, const struct wallet_pay_address *p, wallet_job_fn *fn,
			void *ctx);
bool wallet_is_address(struct str text); /* by its looks */

struct wallet_move {
	const char *from, *to;
	struct sat amount;    /* arrives at `to` */
	struct sat max_total; /* leaves `from` with every fee; 0: no cap */
};
/* An invoice of one mint is paid by the other. DONE: amount is what it cost. After a crash before
 * the payment was stored nothing happens; after it, wallet_resume brings the money to `to`. */
void wallet_move(struct wallet *w, const struct wallet_move *m, wallet_job_fn *fn, void *ctx);

enum wallet_payout_state {
	WALLET_PAYOUT_OPEN = 1, /* the mint has not said what became of it */
	WALLET_PAYOUT_PAID,
	WALLET_PAYOUT_FAILED, /* nothing was paid */
};

struct wallet_payout { /* a Lightning payment of this wallet */
	int64_t id;
	enum wallet_payout_state state;
	const char *mint, *ref, *invoice;
	const char *preimage; /* "": none */
	struct sat amount;    /* of the invoice, rounded up */
	struct sat reserve;   /* what the mint holds back for fees */
	struct sat cost;      /* PAID: amount and every fee */
	int64_t created, closed;
};
/* Stops when fn returns not 0. */
typedef int wallet_payout_fn(void *ctx, const struct wallet_payout *p);
int wallet_each_payout(struct wallet *w, wallet_payout_fn *fn, void *ctx, struct err *e) MUST_CHECK;
/* The last one of this ref; fn is called once. WALLET_NO_SUCH. */
int wallet_payout_find(struct wallet *w, const char *ref, wallet_payout_fn *fn, void *ctx,
		       struct err *e) MUST_CHECK;

/* --- tokens --- */

struct wallet_plain {
	const char *mint;
	struct sat amount;	 /* face value */
	const uint8_t *lock_key; /* 33 bytes; NULL: whoever has it spends it */
	int64_t locktime;	 /* with lock_key: ours again afterwards; 0: never */
	const char *ref;	 /* unique among outgoing tokens; NULL or "": none */
};
/* Proofs of ours that make exactly the amount, or one swap. DONE: text is the token (V4, DLEQ with
 * r), token_out its row, which keeps it until its fate is known (wallet_token_state). With a ref
 * that has a token already: DONE at once with that one. wallet_reclaim takes an unlocked one back.
 */
void wallet_send_plain(struct wallet *w, const struct wallet_plain *p, wallet_job_fn *fn,
		       void *ctx);
struct cashu_token;
/* Full keyset ids instead of the short ones that a token's text has (for NUT-18 payloads). */
int wallet_full_ids(struct wallet *w, struct cashu_token *t, struct err *e) MUST_CHECK;

#endif
