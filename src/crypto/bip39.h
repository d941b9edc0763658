/* BIP-39: words that carry a seed. English list only. */
#ifndef CRYPTO_BIP39_H
#define CRYPTO_BIP39_H

#include "base/buf.h"
#include "base/secret.h"

void bip39_new(struct buf *words); /* 12 fresh words */
/* Check words and checksum; seed with an empty passphrase. */
int bip39_seed(struct seed *out, struct str words, struct err *e) MUST_CHECK;

#endif
