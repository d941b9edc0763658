/* Jobs: calls of the buyer's side that go on over several turns of the loop. */
#ifndef WALLET_JOB_H
#define WALLET_JOB_H

#include "cashu/token.h"
#include "wallet/plan.h"
#include "wallet/purse.h"

struct job {
	struct job *next;
	struct wallet *w;
	wallet_job_fn *fn; /* NULL: nobody listens */
	void *ctx;
	struct loop_timer *timer;
	struct mint_call *call;
	void (*step)(struct job *j); /* what the timer calls */
	void (*closed)(struct job *j, const struct plan *p);
	int64_t plan; /* waits for it; 0: none */
	struct wmint *mint;
	bool refreshed; /* keysets were asked for */
	unsigned tries;
	int64_t started_ms;

	/* send */
	enum wallet_out_kind kind;
	struct sat net; /* kind ORDER: what is left to the receiver; else the face value */
	struct sat later;
	struct lock lock;
	char ref[WALLET_REF_MAX + 1];
	char lease[WALLET_REF_MAX + 1];
	struct wallet_limits limits;
	/* send, return, state */
	int64_t token_out;
	struct wallet_release *release; /* NULL: with our refund key */
	/* receive */
	struct cashu_token *token;
	struct y_bytes *ys;
	/* fund */
	struct sat amount;
	int64_t quote;
	int64_t expiry; /* of the invoice */
	struct secret quote_key;
	struct backoff backoff;
	/* jobs with more state than that */
	void *own;
	void (*own_free)(void *own);
};

/* `step` runs on the next turn. */
struct job *job_new(struct wallet *w, wallet_job_fn *fn, void *ctx, void (*step)(struct job *j));
void job_name(struct job *j, const char *ref); /* the caller's name for it; NULL: none */
void job_later(struct job *j, int64_t ms, void (*step)(struct job *j));
void job_say(struct job *j, enum wallet_stage stage, struct str text);
/* These are the last that is heard of it. */
void job_done(struct job *j, struct str text, struct sat amount);
void job_poor(struct job *j, struct sat needed, struct sat missing);
void job_fail(struct job *j, const struct err *error);
void job_open(struct job *j, const struct err *error);	   /* the same, and its fate is not known */
void job_fault(struct job *j, const struct mint_fault *f); /* what its mint said */
void job_fail_msg(struct job *j, enum err_kind kind, const char *msg);
/* Its plan is stored: run it; `closed` is called when that ends. */
void job_run(struct job *j, int64_t plan, void (*closed)(struct job *j, const struct plan *p));
/* The same for one that an earlier process left: the mint is asked first. */
void job_join(struct job *j, int64_t plan, void (*closed)(struct job *j, const struct plan *p));
/* Is there money on its way back to this mint's balance that would be enough? */
bool job_may_wait(struct job *j, struct sat needed);
/* Keysets at hand, and counters looked past? Otherwise asks and calls `step` again; false: wait. */
bool job_ready(struct job *j, void (*step)(struct job *j));
void job_refresh(struct job *j, void (*step)(struct job *j));
/* For a plan that was rejected. */
void job_rejected(struct job *j, const struct plan *p);

/* --- select.c --- */

struct chosen { /* proofs of ours that pay an amount */
	struct proofs proofs;
	struct y_bytes *ys;
	struct sat gross, fee;
};
void chosen_free(struct chosen *c);
#define auto_chosen __attribute__((cleanup(chosen_free)))
enum { SELECT_POOR = 1 };
/* Free proofs of `m` worth `need` after the fee of spending them: one that fits best, else few.
 * SELECT_POOR: there is not enough. */
int select_proofs(struct chosen *out, struct tx *tx, const struct wmint *m, struct sat need,
		  struct err *e) MUST_CHECK;
/* The same, but worth `need` before that fee: a refund's is paid out of the refund. */
int select_proofs_gross(struct chosen *out, struct tx *tx, const struct wmint *m, struct sat need,
			struct err *e) MUST_CHECK;
/* The same with a sum of exactly `need` and no fee (nothing is swapped), DLEQ proofs included;
 * SELECT_POOR: no such set is at hand. */
int select_exact(struct chosen *out, struct tx *tx, const struct wmint *m, struct sat need,
		 struct err *e) MUST_CHECK;
/* Free proofs whose keyset is not active any more or ends before `until`, as many as one swap
 * takes. SELECT_POOR: there are none. */
int select_ending(struct chosen *out, struct tx *tx, const struct wmint *m, int64_t until,
		  struct err *e) MUST_CHECK;
bool keyset_ends(const struct keyset *k, int64_t until);
/* Can tokens of `need`, and then of `later` where it is not 0, be made by two swaps, if `extra`
 * comes in first? 1: yes. */
struct select_ask {
	const struct keyset *keyset; /* of outputs */
	struct sat need, later, extra;
};
int select_can(struct db *d, const struct wmint *m, const struct select_ask *ask,
	       struct err *e) MUST_CHECK;
/* The smallest `extra` with which it can. */
int select_missing(struct sat *out, struct db *d, const struct wmint *m,
		   const struct select_ask *ask, struct err *e) MUST_CHECK;
/* The smallest amount that leaves `net` to the receiver after the fee of its swap. */
int select_gross(struct sat *out, const struct keyset *k, struct sat net, struct err *e) MUST_CHECK;
int select_reserve(struct tx *tx, const struct chosen *c, int64_t plan, struct err *e) MUST_CHECK;

/* --- send.c --- */

/* What the job wants to send, as face values of tokens. */
int send_ask(struct select_ask *ask, const struct job *j, struct err *e) MUST_CHECK;

/* --- limits.c --- */

struct limit_hit {
	const char *name; /* as in lease.conf */
	struct sat limit, left;
};
enum { LIMIT_HIT = 1 };
/* May so much more go out for j->lease? */
int limits_check(struct limit_hit *hit, struct db *d, const struct job *j, struct sat amount,
		 struct err *e) MUST_CHECK;
void job_over_limit(struct job *j, const struct limit_hit *hit, struct sat needed);

/* --- fund.c --- */

void fund_resume(struct wallet *w, int64_t quote);

#endif
