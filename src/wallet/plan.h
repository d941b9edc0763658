/*
 * A plan: one exchange with a mint whose exact request is stored before it is sent. plans.c keeps
 * the rows, run.c talks to the mint, recover.c decides what an unclear outcome means, settle.c
 * closes.
 */
#ifndef WALLET_PLAN_H
#define WALLET_PLAN_H

#include "base/buf.h"
#include "cashu/quote.h"
#include "cashu/token.h"
#include "net/backoff.h"
#include "wallet/core.h"
#include "wallet/outputs.h"
#include "wallet/schema.h"
#include "wallet/till.h"

struct plan {
	struct wallet_plan pub; /* what callers see; its strings are below and in the mint */
	char ref[WALLET_REF_MAX + 1];
	enum plan_state state;
	struct wmint *mint;
	const struct keyset *keyset; /* of the outputs */
	bool has_lock_key;
	struct lock_key lock_key; /* inputs are locked to this key of ours */
	struct buf body;
	int64_t quote;			   /* row; 0: none */
	int64_t payout;			   /* row of a Lightning payment; 0: none */
	char melt[CASHU_QUOTE_ID_MAX + 1]; /* with payout: the mint's name for it */
	uint8_t hash[32];		   /* with payout: of the payment */
	struct sat reserve;		   /* with payout: for fees, may come back */
	char why[160];			   /* of a rejection: the mint's words; "" */
	struct owner owner;
	struct y_bytes *ys; /* inputs */
	size_t nys;
	struct planned planned;
};

void plan_free(struct plan *p);
DEFINE_AUTO(struct plan, plan_free)
#define auto_plan AUTO(plan_free)

/* --- plans.c --- */

/* A new plan: everything but pub.id is set by the caller, `inputs` carry their witnesses. Computes
 * body and Ys. */
int plan_store(struct tx *tx, struct wallet *w, struct plan *p, const struct proofs *inputs,
	       struct err *e) MUST_CHECK;
/* The same plan with other outputs, after the old ones are known to be dead. */
int plan_replace(struct tx *tx, struct plan *p, struct err *e) MUST_CHECK;
enum { PLAN_NONE = 1 };
int plan_load(struct plan **out, struct wallet *w, int64_t id, struct err *e) MUST_CHECK;
/* Inputs with their witnesses, as the body has them. */
int plan_inputs(struct proofs *out, const struct plan *p, struct err *e) MUST_CHECK;
int plan_body(struct plan *p, const struct proofs *inputs, struct err *e) MUST_CHECK;
int plan_body_store(struct tx *tx, const struct plan *p, struct err *e) MUST_CHECK;
/* Make it ours if its process is dead. PLAN_NONE: it is closed or somebody else's. */
int plan_adopt(struct wallet *w, int64_t id, struct err *e) MUST_CHECK;
int plan_close(struct tx *tx, const struct plan *p, struct err *e) MUST_CHECK; /* state, reason */

/* --- run.c: one open plan in this process --- */

struct run {
	struct run *next;
	struct wallet *w;
	struct plan *p;
	struct mint_call *call;
	struct loop_timer *timer;
	void (*later)(struct run *r);
	struct backoff backoff;
	int64_t posted_ms; /* when the last POST ended without an answer; 0: never */
	bool unsure;	   /* it may have been sent without an answer that anybody read */
	unsigned refusals; /* by the mint, of these very outputs */
	unsigned replacements;
	unsigned empty;		/* looks that found not what must be there, inputs spent */
	bool unproven;		/* what is restored without DLEQ proofs is taken as it is */
	bool told;		/* ops->waiting was called */
	bool looked;		/* that nobody had our outputs signed before we sent them */
	bool *spent;		/* beside p->ys: what the mint said last */
	char *witness;		/* of the first spent input; NULL: none */
	size_t witness_at;	/* which input */
	struct blind_sigs sigs; /* restored, being checked */
	struct y_bytes *made;	/* Ys of the proofs that these make */
	bool legacy;		/* NUT-20 in the old format */
	struct mint_fault last;
	enum melt_state melt; /* of the quote, as the mint said last; PAID stays */
	bool forgot;	      /* the mint does not know the quote any more */
	bool unclear;	      /* its inputs are gone, and the mint does not say for what */
	bool forsaken;	      /* its owner gives up what is unclear */
	char preimage[129];
};

enum run_start { RUN_POST, RUN_ASK };
/* The same, tried again where it fails. */
void run_surely(struct wallet *w, int64_t plan, enum run_start how);
int run_start(struct wallet *w, int64_t plan, enum run_start how, struct err *e) MUST_CHECK;
void run_post(struct run *r);
void run_ask(struct run *r);
void run_end(struct run *r);
/* How long a POST that broke off may still land: what would be given back now, or made again with
 * other outputs, could then be spent. */
int64_t run_may_land_ms(const struct run *r);
/* Call fn after ms, or when the mint may be asked again. */
void run_later(struct run *r, int64_t ms, void (*fn)(struct run *r));
/* Something did not work: tell once, then `fn` with growing delays. */
void run_retry(struct run *r, const char *why, void (*fn)(struct run *r));
/* Handles silence and logs; then fn later. */
void run_fault(struct run *r, const struct mint_fault *f, const char *what,
	       void (*fn)(struct run *r));
struct blinded *run_asked(const struct run *r); /* the caller frees */

/* --- melt.c: a plan that pays an invoice --- */

void melt_post(struct run *r);
void melt_ask(struct run *r);
/* The states of the inputs were asked for, after the quote's. */
void melt_states(struct run *r, size_t pending, size_t spent);
/* If this one stays unclear its inputs are lost, and the invoice may be paid again. */
void melt_forsake(struct wallet *w, int64_t plan);
/* How many blank outputs bring back up to `over` (NUT-08). */
size_t melt_blanks(struct sat over);

/* --- recover.c --- */

void recover_states(void *ctx, struct y_states *s, const struct mint_fault *f);
void recover_quote(void *ctx, struct mint_quote *q, const struct mint_fault *f);
bool plan_expired(const struct plan *p);
void recover_reject(struct run *r, enum wallet_reject reason);

/* --- replace.c --- */

/* The inputs are unspent and the mint refuses these outputs: is the plan dead? Then make others, or
 * give it up. */
void replace_dead(struct run *r);
/* Outputs of a plan that was never sent, or that can never land, are signed: make others. */
void replace_used(struct run *r);

/* --- settle.c --- */

/* Unblind, store, book, tell. -1: nothing was written. */
int settle_plan(struct run *r, const struct blind_sig *sigs, struct err *e) MUST_CHECK;
int reject_plan(struct run *r, enum wallet_reject reason, struct err *e) MUST_CHECK;
/* Proofs that these signatures make. Each must have its DLEQ proof, unless r->unproven. */
int settle_unblind(struct proofs *out, const struct run *r, const struct blind_sig *sigs,
		   struct err *e) MUST_CHECK;
/* A free proof that the plan made. */
int proof_store(struct tx *tx, const struct plan *p, const struct proof *proof,
		struct err *e) MUST_CHECK;
int proof_known(struct wallet *w, const uint8_t y[static 33],
		struct err *e) MUST_CHECK; /* 1: yes */

/* --- payouts.c --- */

struct payout {
	int64_t id;
	struct wmint *mint;
	char ref[WALLET_REF_MAX + 1];
	char invoice[CASHU_INVOICE_MAX + 1];
	char quote[CASHU_QUOTE_ID_MAX + 1];
	uint8_t hash[32];
	struct sat amount, reserve, cost;
	char preimage[129];
	int state; /* enum wallet_payout_state */
	int64_t created, closed;
};
/* DB_CONFLICT: this invoice or this ref is being paid or was. */
int payout_insert(struct tx *tx, struct payout *o, struct err *e) MUST_CHECK;
/* One that did not fail, of this hash or (where it is not "") this ref. PLAN_NONE. */
int payout_find(struct payout *out, struct wallet *w, const uint8_t *hash, const char *ref,
		struct err *e) MUST_CHECK;
int payout_paid(struct tx *tx, int64_t id, struct sat cost, const char *preimage,
		struct err *e) MUST_CHECK;
int payout_failed(struct tx *tx, int64_t id, struct err *e) MUST_CHECK;
/* Is this invoice being paid, or was it, by this wallet? */
bool payout_of_invoice(struct wallet *w, const char *invoice);
/* Does the mint still hold so much when what is open and owed stays? */
enum { LEAVE_NOT = 1 };
int leave_may(struct tx *tx, const struct wmint *m, struct sat most, struct err *e) MUST_CHECK;

/* --- outs.c: outgoing tokens --- */

enum { OUT_UNLOCKED = 1 };
int out_lock(struct lock *lock, struct sat *amount, struct wallet *w, int64_t token_out,
	     struct err *e) MUST_CHECK;
/* A fresh key for a lock of ours; its secret follows from the seed. */
int refund_key_new(struct lock_key *out, struct tx *tx, struct wallet *w, struct err *e) MUST_CHECK;
int out_state(struct tx *tx, int64_t token_out, int state, struct err *e) MUST_CHECK;
/* An open one is being taken back, by one plan only. */
int out_returning(struct tx *tx, int64_t token_out, struct err *e) MUST_CHECK;
/* Where its money is in the books: OUT, or where it was taken to (on the word of a receiver that
 * did not have it after all). */
int out_booked(enum ledger_account *at, struct tx *tx, int64_t token_out, struct err *e) MUST_CHECK;
int out_token(struct tx *tx, int64_t token_out, struct str token, struct err *e) MUST_CHECK;

/* --- refund_run.c: refunds of a seller being made --- */

void refunds_resume(struct wallet *w);
void refunds_plan_closed(struct wallet *w, const struct plan *p);

/* --- refund.c: their rows --- */

/* Lock and path of a stored refund; enough to make its outputs. */
struct refund_job {
	char lease[WALLET_REF_MAX + 1], mint[WALLET_URL_MAX + 1];
	uint32_t number;
	enum wallet_refund_state state;
	enum ledger_account from;
	struct msat amount;
	struct lock lock;
	int64_t plan; /* 0: none so far */
};
struct refund_path refund_path(const struct refund_job *j);
int refund_load(struct refund_job *j, struct wallet *w, const char *lease, uint32_t number,
		struct err *e) MUST_CHECK; /* PLAN_NONE */
int refund_planned(struct tx *tx, const struct refund_job *j, int64_t plan,
		   struct err *e) MUST_CHECK;
/* The plan's token is the refund: store, book, tell. */
int refund_settled(struct tx *tx, struct wallet *w, const struct plan *p, struct str token,
		   struct err *e) MUST_CHECK;
/* The mint signed this token for an earlier database: the same, without spending proofs of ours. */
int refund_found(struct tx *tx, struct wallet *w, const struct refund_job *j,
		 const struct cashu_token *t, struct err *e) MUST_CHECK;
int refund_taken(struct tx *tx, const struct refund_job *j, struct err *e) MUST_CHECK;

/* --- refund_watch.c: was it taken? --- */

void refund_watch_start(struct wallet *w);
void out_watch_start(struct wallet *w);
void out_watch_free(struct wallet *w);
void refund_watch_free(struct wallet *w);

/* --- quotes.c --- */

struct quote {
	int64_t id;
	struct wmint *mint;
	char quote[CASHU_QUOTE_ID_MAX + 1];
	char invoice[CASHU_INVOICE_MAX + 1];
	struct sat amount;
	struct secret key;
	int state; /* enum fund_state */
	int64_t expiry;
	struct owner owner;
};
int quote_load(struct quote *q, struct wallet *w, int64_t id, struct err *e) MUST_CHECK;
int quote_state(struct tx *tx, int64_t id, int state, struct err *e) MUST_CHECK;
/* The body that mints the plan's outputs, signed in either format. */
int quote_body(struct plan *p, const struct quote *q, enum quote_format format,
	       struct err *e) MUST_CHECK;

/* --- jobs: callers that wait for a plan (job.c) --- */

void jobs_plan_closed(struct wallet *w, const struct plan *p);
void jobs_plan_waiting(struct wallet *w, const struct plan *p, const char *why);
/* They hear that it failed, and that it goes on. */
void jobs_plan_unclear(struct wallet *w, const struct plan *p, const char *why);

#endif
