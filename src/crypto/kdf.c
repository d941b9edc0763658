#include "crypto/kdf.h"

#include <openssl/evp.h>

enum { SCRYPT_N = 1 << 16, SCRYPT_R = 8, SCRYPT_P = 1, MEMORY_MAX = 128 << 20 };

int kdf_passphrase(struct secret *out, struct str passphrase, const uint8_t salt[static KDF_SALT],
		   struct err *e)
{
	if (passphrase.n == 0)
		return err_set(e, ERRK_INPUT, "the passphrase is empty");
	if (EVP_PBE_scrypt(passphrase.p, passphrase.n, salt, KDF_SALT, SCRYPT_N, SCRYPT_R, SCRYPT_P,
			   MEMORY_MAX, out->b, sizeof(out->b)) != 1)
		return err_set(e, ERRK_SYS, "scrypt failed: is there memory for it?");
	return 0;
}
