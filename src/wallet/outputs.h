/* Outputs of ours: secrets that follow from seed and counter (NUT-13), or locked ones for somebody
 * else. */
#ifndef WALLET_OUTPUTS_H
#define WALLET_OUTPUTS_H

#include "cashu/derive.h"
#include "cashu/lock.h"
#include "cashu/proof.h"
#include "wallet/core.h"

/* Append the output of one counter. */
int output_at_counter(struct outputs *outs, const struct wallet *w, const struct keyset_id *id,
		      struct sat amount, uint64_t counter, struct err *e) MUST_CHECK;
/* Append one that is locked, with the nonce and the blinding factor of `d`. */
int output_locked(struct outputs *outs, const struct lock *lock, const struct blinded *pub,
		  const struct derived *d, struct err *e) MUST_CHECK;
uint64_t counter_peek(const struct wallet *w, const struct keyset_id *id);

struct planned { /* outputs of a plan, ascending by amount */
	struct outputs outs;
	bool *out; /* beside outs.v: goes into the outgoing token */
};
void planned_free(struct planned *p);
#define auto_planned __attribute__((cleanup(planned_free)))

struct output_wish {
	const struct keyset *keyset;
	struct sat ours;	 /* for the wallet; may be 0 */
	struct sat theirs;	 /* for the outgoing token; may be 0 */
	const struct lock *lock; /* of theirs; NULL: plain */
	/* NULL: their secrets are random; else they follow from it (index counts from 0) */
	const struct refund_path *refund;
	size_t blanks; /* outputs without an amount (NUT-08) */
};
/* Advances the counter in this transaction. */
int outputs_make(struct planned *p, struct tx *tx, const struct wallet *w,
		 const struct output_wish *wish, struct err *e) MUST_CHECK;
/* NUT-00 amounts that the keyset has, ascending; how many. */
size_t keyset_split(struct sat out[static 64], const struct keyset *k, struct sat amount);

#endif
