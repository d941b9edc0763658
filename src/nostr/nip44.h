/* NIP-44 version 2, with the six-byte length prefix of 2026 when decoding. */
#ifndef NOSTR_NIP44_H
#define NOSTR_NIP44_H

#include "base/buf.h"
#include "base/secret.h"
#include "crypto/secp.h"

#define NIP44_PAYLOAD_MIN 132
#define NIP44_PAYLOAD_MAX (128 * 1024) /* characters that are decoded at all */
#define NIP44_SEND_MAX	  65408	       /* bytes of text: what every known peer can read */

/* Conversation key: the same for both sides of a pair. */
int nip44_key(struct secret *out, const struct secret *mine, const struct pubkey *theirs,
	      struct err *e) MUST_CHECK;
/* Append the payload for 1 … NIP44_SEND_MAX bytes with a fresh nonce. */
int nip44_encrypt(struct buf *out, const struct secret *key, struct str text,
		  struct err *e) MUST_CHECK;
/* Length and version, without any cryptography. */
int nip44_check(struct str payload, struct err *e) MUST_CHECK;
/* Append the text: MAC in constant time first, then exact padding. Not checked for UTF-8. */
int nip44_decrypt(struct buf *out, const struct secret *key, struct str payload,
		  struct err *e) MUST_CHECK;

/* For vectors: a given nonce, up to 128 KiB of text. */
int nip44_encrypt_nonce(struct buf *out, const struct secret *key, const uint8_t nonce[static 32],
			struct str text, struct err *e) MUST_CHECK;
uint64_t nip44_padded(uint64_t n); /* padded length of n >= 1 bytes */

#endif
