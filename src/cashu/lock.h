/*
 * The one lock that we take and make (NUT-10, NUT-11): to one key, SIG_INPUTS, with at most one
 * refund key after a locktime. Mints differ on every other shape, some read it as "anyone can
 * spend"; so anything else is LOCK_UNSUPPORTED, never "plain".
 */
#ifndef CASHU_LOCK_H
#define CASHU_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"
#include "crypto/secp.h"

#define LOCK_SECRET_MAX 1000 /* bytes */

struct lock_key { /* compressed, on the curve */
	uint8_t b[POINT_COMPRESSED];
};

struct lock {
	struct lock_key key;
	bool has_refund;
	struct lock_key refund; /* another x than `key` */
	int64_t locktime;	/* unix seconds, 0: for ever (then no refund key works) */
};

enum lock_kind {
	LOCK_OK,	  /* *out is filled */
	LOCK_PLAIN,	  /* only [0-9A-Za-z+/=_-]: no condition, whoever has it spends it */
	LOCK_UNSUPPORTED, /* everything else */
};
enum lock_kind lock_parse(struct lock *out, struct str secret) MUST_CHECK;
/* The same 33 bytes: the other parity of our key is somebody else's. */
bool lock_is_to(const struct lock *l, const struct lock_key *ours);

/* False: not a valid scalar. */
bool lock_key_of(struct lock_key *out, const struct secret *k) MUST_CHECK;
int lock_key_parse(struct lock_key *out, struct str hex, struct err *e) MUST_CHECK;

/* A secret's text with this nonce; what lock_parse takes. */
void lock_write(struct buf *out, const struct lock *l, const uint8_t nonce[static 32]);

/* BIP-340 over SHA-256 of the secret's text: spends it (as witness), and given to the sender of a
 * refused token it releases it. */
void lock_sign(uint8_t sig[static 64], struct str secret, const struct secret *k);
bool lock_verify(const uint8_t sig[static 64], struct str secret, const struct lock_key *key);
/* {"signatures":["…"]}; the caller frees. */
char *lock_witness(const uint8_t sig[static 64]);

#endif
