/* NIP-13 proof of work: count and credit. */
#ifndef NOSTR_NIP13_H
#define NOSTR_NIP13_H

#include "nostr/event.h"

unsigned nip13_bits(const uint8_t id[static 32]); /* leading zero bits */
/* The target that the nonce tag commits to, if the id reaches it; otherwise 0. */
unsigned nip13_credit(const struct nostr_event *ev);

#endif
