/*
 * Settled money back from the seed alone (NUT-13, NUT-09): for every keyset of every allowed mint,
 * outputs are derived 100 by 100 and the mint is asked which of them it signed, until 100 in a row
 * are not. What is unspent and not here yet becomes ours; the counter moves behind it. Safe to
 * repeat, also beside open plans: their outputs are left to them.
 */
#ifndef WALLET_RESTORE_H
#define WALLET_RESTORE_H

#include "wallet/purse.h"

struct wallet_restored {
	uint64_t mints, keysets; /* looked through */
	uint64_t found;		 /* outputs that were signed once */
	uint64_t spent, pending; /* of them; so are those that were here already not counted */
	uint64_t taken;		 /* proofs that came back */
	struct sat amount;	 /* and what they are worth */
};

/* WAITING: what is looked at. DONE: amount came back. FAILED: at least one mint was not looked
 * through; what came from the others stays. `out` must live until then. */
void wallet_restore(struct wallet *w, struct wallet_restored *out, wallet_job_fn *fn, void *ctx);

#endif
