/*
 * secp256k1: points, scalars, BIP-340 signatures, ECDH, BIP-32 steps. One randomised context made
 * on first use. Points are parsed once (struct point is opaque and comparable with point_eq).
 * Everything that touches a secret scalar is constant time; what is marked `public` is not.
 */
#ifndef CRYPTO_SECP_H
#define CRYPTO_SECP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"

struct point {
	uint8_t opaque[64];
};

struct pubkey { /* x-only, as Nostr writes keys */
	uint8_t b[32];
};

enum { POINT_COMPRESSED = 33, POINT_UNCOMPRESSED = 65 };

/* 33 bytes, prefix 02 or 03, on the curve. */
int point_parse(struct point *out, const uint8_t in[static 33], struct err *e) MUST_CHECK;
void point_write(uint8_t out[static 33], const struct point *p);
void point_write65(uint8_t out[static 65], const struct point *p);
bool point_eq(const struct point *a, const struct point *b);
bool point_lift_x(struct point *out,
		  const uint8_t x[static 32]); /* even y; false: not on the curve */

bool scalar_valid(const uint8_t k[static 32]);	      /* 1 … n-1 */
bool scalar_is_high_zero(const uint8_t k[static 32]); /* all bytes zero */
/* Reduce 32 bytes modulo n; false where the result is 0. */
bool scalar_reduce(uint8_t k[static 32]);
bool scalar_add(uint8_t k[static 32], const uint8_t t[static 32]) MUST_CHECK; /* k += t mod n */
bool scalar_mul(uint8_t k[static 32], const uint8_t t[static 32]) MUST_CHECK; /* k *= t mod n */
void scalar_negate(uint8_t k[static 32]);

/* False where the result is the point at infinity or a scalar is out of range. */
bool point_base(struct point *out, const struct secret *k) MUST_CHECK; /* k·G */
bool point_mul(struct point *out, const struct point *p,
	       const struct secret *k) MUST_CHECK; /* k·P */
bool point_mul_public(struct point *out, const struct point *p,
		      const uint8_t k[static 32]) MUST_CHECK;
/* P + t·G with a public t. */
bool point_add_base_public(struct point *out, const struct point *p,
			   const uint8_t t[static 32]) MUST_CHECK;
bool point_add(struct point *out, const struct point *a, const struct point *b) MUST_CHECK;
bool point_sub(struct point *out, const struct point *a, const struct point *b) MUST_CHECK;

/* Keys and BIP-340. A key pair is made from a valid scalar; x-only public key. */
void secret_new(struct secret *k); /* fresh, valid */
bool pubkey_of(struct pubkey *out, const struct secret *k) MUST_CHECK;
bool pubkey_valid(const struct pubkey *p);
bool pubkey_eq(const struct pubkey *a, const struct pubkey *b);
void schnorr_sign(uint8_t sig[static 64], const uint8_t hash[static 32], const struct secret *k);
/* Deterministic variant for vectors: given auxiliary randomness. */
void schnorr_sign_aux(uint8_t sig[static 64], const void *msg, size_t n, const struct secret *k,
		      const uint8_t aux[static 32]);
bool schnorr_verify(const uint8_t sig[static 64], const void *msg, size_t n,
		    const struct pubkey *p);
/* ECDSA with a recovery id behind it, as Lightning invoices are signed. */
void ecdsa_sign(uint8_t sig[static 65], const uint8_t hash[static 32], const struct secret *k);
/* Raw x coordinate of k·P(even), unhashed: NIP-04 and NIP-44. */
bool ecdh_x(uint8_t out[static 32], const struct pubkey *p, const struct secret *k) MUST_CHECK;

/* BIP-32 private derivation from a seed along `n` steps (0x80000000 set: hardened). */
bool bip32_derive(struct secret *out, const struct seed *seed, const uint32_t *path,
		  size_t n) MUST_CHECK;

#endif
