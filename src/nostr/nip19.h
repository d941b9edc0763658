/* NIP-19 names for people: npub, nsec, note, nprofile, nevent, naddr. Never inside events. */
#ifndef NOSTR_NIP19_H
#define NOSTR_NIP19_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/secret.h"
#include "crypto/secp.h"

#define NIP19_RELAYS_MAX     32
#define NIP19_IDENTIFIER_MAX 255

enum nip19_type { NIP19_NPUB, NIP19_NSEC, NIP19_NOTE, NIP19_NPROFILE, NIP19_NEVENT, NIP19_NADDR };

struct nip19 {
	enum nip19_type type;
	uint8_t b[32];	  /* key, secret key or event id; of naddr: the author */
	char *identifier; /* naddr: the d tag; owned */
	bool has_author, has_kind;
	struct pubkey author; /* nevent, naddr */
	uint32_t kind;	      /* nevent, naddr */
	char **relays;	      /* owned */
	size_t nrelays;
};

/* Secret keys out of range, public keys off the curve and strings over 5000 characters are refused;
 * unknown TLV types are skipped. */
int nip19_decode(struct nip19 *out, struct str s, struct err *e) MUST_CHECK;
int nip19_encode(struct buf *out, const struct nip19 *n, struct err *e) MUST_CHECK;
void nip19_clear(struct nip19 *n);
#define auto_nip19 __attribute__((cleanup(nip19_clear)))

/* npub, nprofile or 64 hex characters. */
int nip19_parse_key(struct pubkey *out, struct str s, struct err *e) MUST_CHECK;
/* nsec or 64 hex characters. */
int nip19_parse_secret(struct secret *out, struct str s, struct err *e) MUST_CHECK;
void nip19_npub(struct buf *out, const struct pubkey *key);
void nip19_nsec(struct buf *out, const struct secret *key);

#endif
