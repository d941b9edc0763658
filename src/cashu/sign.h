/* The mint's side of BDHKE (NUT-00, NUT-12): sign blinded messages, prove it, check proofs. Used by
 * lease-devnet and by tests. */
#ifndef CASHU_SIGN_H
#define CASHU_SIGN_H

#include "base/err.h"
#include "base/secret.h"
#include "cashu/proof.h"

/* C_ = k·B_ with a DLEQ (deterministic nonce). -1 if B_ is not on the curve. */
int sign_blinded(struct blind_sig *out, const struct blinded *m, const struct secret *k,
		 struct err *e) MUST_CHECK;
/* C == k·Y; and Y as bytes. -1: not ours, or not on the curve. */
int sign_check_proof(uint8_t y[static POINT_COMPRESSED], const struct proof *p,
		     const struct secret *k, struct err *e) MUST_CHECK;

#endif
