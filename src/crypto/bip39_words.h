/* Word list of BIP-39, English: 2048 words in order, each followed by one space. */
#ifndef CRYPTO_BIP39_WORDS_H
#define CRYPTO_BIP39_WORDS_H

extern const char bip39_words[];

#endif
