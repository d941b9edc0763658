/*
 * Blind Diffie-Hellman key exchange (NUT-00) and its proofs of discrete-log equality (NUT-12): the
 * wallet's side. The mint's side is in sign.h.
 */
#ifndef CASHU_DHKE_H
#define CASHU_DHKE_H

#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"
#include "cashu/keyset.h"
#include "cashu/proof.h"
#include "crypto/secp.h"

/* Y of a secret; the message is the secret's text as it stands in the proof. */
int dhke_hash_to_curve(struct point *y, struct str secret, struct err *e) MUST_CHECK;
int dhke_y_bytes(uint8_t y[static POINT_COMPRESSED], struct str secret, struct err *e) MUST_CHECK;

/* B_ = Y + r·G from the amount, id, secret and r that stand in `o`. */
int dhke_blind(struct output *o, struct err *e) MUST_CHECK;

/* Check a mint's answer to `o` (id, amount, point, DLEQ if there is one; cashu_signatures_parse
 * wants one) and unblind: C = C_ - r·A. The proof owns a copy of the secret and carries the DLEQ
 * with r. `k` is the keyset of `o`. */
int dhke_unblind(struct proof *out, const struct output *o, const struct blind_sig *sig,
		 const struct keyset *k, struct err *e) MUST_CHECK;

/* NUT-12 as Carol: the DLEQ with r of a proof against the mint's key; `y` from
 * dhke_hash_to_curve, so that it is computed once. False: missing or wrong. */
bool dhke_verify_proof(const struct proof *p, const struct point *y, const struct point *key);
/* NUT-12 as Alice. */
bool dhke_verify_sig(const struct dleq *d, const struct point *b_, const struct point *c_,
		     const struct point *key);
/* e = SHA-256 over the hex of the four uncompressed points. */
void dhke_hash_e(uint8_t e[static 32], const struct point *const points[static 4]);

#endif
