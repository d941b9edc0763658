/* SHA-256, HMAC, HKDF, PBKDF2 on OpenSSL. Incremental hashing for big inputs. */
#ifndef CRYPTO_HASH_H
#define CRYPTO_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/str.h"

/* For a process that uses nothing else of libcrypto, before its children hash: each of them would
 * take a millisecond to read libcrypto's configuration and to fill its tables. */
void hash_alone(void);

void sha256(uint8_t out[static 32], const void *p, size_t n);
/* Hash of the concatenation of `k` slices. */
void sha256_parts(uint8_t out[static 32], const struct str *parts, size_t k);

struct sha256_ctx;
struct sha256_ctx *sha256_new(void);
void sha256_add(struct sha256_ctx *c, const void *p, size_t n);
void sha256_end(struct sha256_ctx *c, uint8_t out[static 32]); /* may be called once */
void sha256_free(struct sha256_ctx *c);
DEFINE_AUTO(struct sha256_ctx, sha256_free)

void hmac_sha256(uint8_t out[static 32], const void *key, size_t key_n, const void *p, size_t n);
void hmac_sha512(uint8_t out[static 64], const void *key, size_t key_n, const void *p, size_t n);
void hkdf_extract(uint8_t prk[static 32], const void *salt, size_t salt_n, const void *ikm,
		  size_t ikm_n);
void hkdf_expand(uint8_t *out, size_t out_n, const uint8_t prk[static 32], const void *info,
		 size_t info_n);
void pbkdf2_sha512(uint8_t out[static 64], struct str password, struct str salt, unsigned rounds);

#endif
