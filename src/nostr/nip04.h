/*
 * NIP-04 direct messages, for the peer's dialect only. There is no authentication in the cipher:
 * verify the event's signature first and treat what comes out as hostile.
 */
#ifndef NOSTR_NIP04_H
#define NOSTR_NIP04_H

#include "base/buf.h"
#include "base/secret.h"
#include "crypto/secp.h"

#define NIP04_MAX (128 * 1024) /* characters of a payload, and bytes of a message sent */

int nip04_encrypt(struct buf *out, const struct secret *mine, const struct pubkey *theirs,
		  struct str text, struct err *e) MUST_CHECK;
/* Appends valid UTF-8 without NUL, or fails. */
int nip04_decrypt(struct buf *out, const struct secret *mine, const struct pubkey *theirs,
		  struct str payload, struct err *e) MUST_CHECK;

#endif
