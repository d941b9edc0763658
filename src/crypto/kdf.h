/* Keys from passphrases (scrypt, RFC 7914). */
#ifndef CRYPTO_KDF_H
#define CRYPTO_KDF_H

#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"

#define KDF_SALT 16

/* About a quarter of a second and 64 MiB: what somebody who guesses pays for each try. */
int kdf_passphrase(struct secret *out, struct str passphrase, const uint8_t salt[static KDF_SALT],
		   struct err *e) MUST_CHECK;

#endif
