/*
 * NUT-11 as a mint checks it: multi-signature, locktime and refund paths, SIG_INPUTS and SIG_ALL.
 * For lease-devnet; the agent itself takes only what lock.h knows.
 */
#ifndef CASHU_P2PK_H
#define CASHU_P2PK_H

#include "base/err.h"
#include "base/str.h"
#include "cashu/proof.h"

struct p2pk_tx { /* a swap or a melt */
	const struct proofs *inputs;
	const struct blinded *outputs;
	size_t n_outputs;
	struct str quote; /* melt only, otherwise empty */
};

/* May these inputs be spent at `now`? Plain secrets may. -1 says why not. HTLC is refused. */
int p2pk_check(const struct p2pk_tx *tx, int64_t now, struct err *e) MUST_CHECK;

#endif
