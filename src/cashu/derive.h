/*
 * Secrets that follow from a seed: NUT-13 outputs by counter, refund outputs by lease (a restored
 * database makes the same refund again), payment keys by mint, quote keys (NUT-20).
 */
#ifndef CASHU_DERIVE_H
#define CASHU_DERIVE_H

#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"
#include "cashu/keyset.h"

struct derived { /* wipe with derived_wipe */
	struct secret
		secret; /* NUT-13: Proof.secret is its lower-case hex; refunds: nonce of the lock */
	struct secret r; /* blinding factor, valid scalar */
};
void derived_wipe(struct derived *d);
#define auto_derived __attribute__((cleanup(derived_wipe)))

/* NUT-13; v1 keysets by BIP-32 (counter < 2^31), v2 by HMAC. The id must be full. */
int derive_output(struct derived *out, const struct seed *seed, const struct keyset_id *id,
		  uint64_t counter, struct err *e) MUST_CHECK;

struct refund_path {
	struct str lease; /* lease id, 1..64 bytes */
	uint32_t refund;  /* number of the refund of this lease */
	uint32_t index;	  /* output in the refund */
};
/* HMAC-SHA256(seed, domain ‖ lease id ‖ refund number ‖ index ‖ kind), length-framed. */
int derive_refund(struct derived *out, const struct seed *seed, const struct refund_path *path,
		  struct err *e) MUST_CHECK;

/* The key that buyers lock to: HKDF of seed, instance id and normalised mint URL. */
void derive_payment_key(struct secret *out, const struct seed *seed, struct str instance,
			struct str mint_url);
/* NUT-20: m/129373'/20'/0'/0'/{counter}. */
int derive_quote_key(struct secret *out, const struct seed *seed, uint32_t counter,
		     struct err *e) MUST_CHECK;

#endif
