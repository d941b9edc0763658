/* ChaCha20 (RFC 8439), AES-256-CBC with PKCS#7 (NIP-04), AES-256-GCM for columns at rest. */
#ifndef CRYPTO_CIPHER_H
#define CRYPTO_CIPHER_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"

/* In place or not; counter starts at 0. */
void chacha20(uint8_t *out, const uint8_t *in, size_t n, const uint8_t key[static 32],
	      const uint8_t nonce[static 12]);

void aes_cbc_encrypt(struct buf *out, const void *p, size_t n, const uint8_t key[static 32],
		     const uint8_t iv[static 16]);
int aes_cbc_decrypt(struct buf *out, const void *p, size_t n, const uint8_t key[static 32],
		    const uint8_t iv[static 16], struct err *e) MUST_CHECK;

/* Sealed box for secret columns and files: nonce (12) || ciphertext || tag (16), `ad` bound in. */
void aead_seal(struct buf *out, const struct secret *key, struct str ad, const void *p, size_t n);
int aead_open(struct buf *out, const struct secret *key, struct str ad, const void *p, size_t n,
	      struct err *e) MUST_CHECK;

#endif
