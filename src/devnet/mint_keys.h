/* The mint's keysets: private keys follow from one seed, public parts are struct keyset. */
#ifndef DEVNET_MINT_KEYS_H
#define DEVNET_MINT_KEYS_H

#include "cashu/keyset.h"
#include "db/db.h"

#define MINT_AMOUNTS 32 /* 1, 2, 4 … 2^31 */

struct mint_keyset {
	struct keyset *public;
	struct secret private[MINT_AMOUNTS]; /* of 2^i */
};

struct mint_keys;

/* Reads the keysets of the database, or makes the first. */
int mint_keys_new(struct mint_keys **out, struct db *d, uint32_t fee_ppk,
		  enum keyset_version version, struct err *e) MUST_CHECK;
void mint_keys_free(struct mint_keys *k);
DEFINE_AUTO(struct mint_keys, mint_keys_free)
/* The active one becomes inactive, a new one active. */
int mint_keys_rotate(struct mint_keys *k, struct err *e) MUST_CHECK;

size_t mint_keys_count(const struct mint_keys *k);
const struct mint_keyset *mint_keys_at(const struct mint_keys *k, size_t i);
const struct mint_keyset *mint_keys_find(const struct mint_keys *k, const struct keyset_id *id);
const struct secret *mint_keyset_secret(const struct mint_keyset *s, struct sat amount);

#endif
