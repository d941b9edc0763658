#include "crypto/hash.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/secret.h"

/* Fetched once: a look-up by name costs more than a short hash. */
static struct {
	pthread_once_t once;
	EVP_MD *sha256, *sha512;
} algorithms = {.once = PTHREAD_ONCE_INIT};

static void fetch(void)
{
	algorithms.sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
	algorithms.sha512 = EVP_MD_fetch(NULL, "SHA2-512", NULL);
	if (!algorithms.sha256 || !algorithms.sha512)
		abort();
}

static const EVP_MD *md_sha256(void)
{
	pthread_once(&algorithms.once, fetch);
	return algorithms.sha256;
}

static const EVP_MD *md_sha512(void)
{
	pthread_once(&algorithms.once, fetch);
	return algorithms.sha512;
}

void hash_alone(void)
{
	if (!OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ADD_ALL_CIPHERS |
					 OPENSSL_INIT_NO_ADD_ALL_DIGESTS |
					 OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS,
				 NULL))
		abort();
	pthread_once(&algorithms.once, fetch);
}

/* libcrypto fails here only without memory, and that aborts everywhere. */
static void must(int ok)
{
	if (ok != 1)
		abort();
}

static void digest_parts(const EVP_MD *md, uint8_t *out, const struct str *parts, size_t k)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	size_t i;

	must(c && EVP_DigestInit_ex(c, md, NULL));
	for (i = 0; i < k; i++)
		must(EVP_DigestUpdate(c, parts[i].p, parts[i].n));
	must(EVP_DigestFinal_ex(c, out, NULL));
	EVP_MD_CTX_free(c);
}

void sha256_parts(uint8_t out[static 32], const struct str *parts, size_t k)
{
	digest_parts(md_sha256(), out, parts, k);
}

void sha256(uint8_t out[static 32], const void *p, size_t n)
{
	sha256_parts(out, &(struct str){p, n}, 1);
}

struct sha256_ctx {
	EVP_MD_CTX *c;
};

struct sha256_ctx *sha256_new(void)
{
	struct sha256_ctx *c = mem_zero(sizeof(*c));

	c->c = EVP_MD_CTX_new();
	must(c->c && EVP_DigestInit_ex(c->c, md_sha256(), NULL));
	return c;
}

void sha256_add(struct sha256_ctx *c, const void *p, size_t n)
{
	must(EVP_DigestUpdate(c->c, p, n));
}

void sha256_end(struct sha256_ctx *c, uint8_t out[static 32])
{
	must(EVP_DigestFinal_ex(c->c, out, NULL));
}

void sha256_free(struct sha256_ctx *c)
{
	if (!c)
		return;
	EVP_MD_CTX_free(c->c);
	free(c);
}

/* --- RFC 2104 and RFC 5869 --- */

struct hmac_kind {
	const EVP_MD *md;
	size_t block, size;
};

static void hmac_parts(struct hmac_kind kind, uint8_t *out, struct str key, const struct str *parts,
		       size_t k)
{
	uint8_t ipad[128], opad[128], inner[64];
	struct str message[4] = {{(const char *)ipad, kind.block}};
	size_t i;

	memset(ipad, 0, sizeof(ipad));
	if (key.n > kind.block)
		digest_parts(kind.md, ipad, &key, 1);
	else if (key.n)
		memcpy(ipad, key.p, key.n);
	for (i = 0; i < kind.block; i++) {
		opad[i] = ipad[i] ^ 0x5c;
		ipad[i] ^= 0x36;
	}
	for (i = 0; i < k; i++)
		message[1 + i] = parts[i];
	digest_parts(kind.md, inner, message, 1 + k);
	message[0].p = (const char *)opad;
	message[1] = (struct str){(const char *)inner, kind.size};
	digest_parts(kind.md, out, message, 2);
	wipe(ipad, sizeof(ipad));
	wipe(opad, sizeof(opad));
	wipe(inner, sizeof(inner));
}

static struct hmac_kind kind_sha256(void)
{
	return (struct hmac_kind){md_sha256(), 64, 32};
}

void hmac_sha256(uint8_t out[static 32], const void *key, size_t key_n, const void *p, size_t n)
{
	hmac_parts(kind_sha256(), out, (struct str){key, key_n}, &(struct str){p, n}, 1);
}

void hmac_sha512(uint8_t out[static 64], const void *key, size_t key_n, const void *p, size_t n)
{
	hmac_parts((struct hmac_kind){md_sha512(), 128, 64}, out, (struct str){key, key_n},
		   &(struct str){p, n}, 1);
}

void hkdf_extract(uint8_t prk[static 32], const void *salt, size_t salt_n, const void *ikm,
		  size_t ikm_n)
{
	hmac_sha256(prk, salt, salt_n, ikm, ikm_n);
}

void hkdf_expand(uint8_t *out, size_t out_n, const uint8_t prk[static 32], const void *info,
		 size_t info_n)
{
	uint8_t block[32], counter = 0;
	struct str parts[3] = {
		{(const char *)block, 0}, {info, info_n}, {(const char *)&counter, 1}};
	size_t done, n;

	if (out_n > (size_t)255 * 32)
		abort();
	for (done = 0; done < out_n; done += n) {
		counter++;
		hmac_parts(kind_sha256(), block, (struct str){(const char *)prk, 32}, parts, 3);
		parts[0].n = sizeof(block);
		n = out_n - done < 32 ? out_n - done : 32;
		memcpy(out + done, block, n);
	}
	wipe(block, sizeof(block));
}

void pbkdf2_sha512(uint8_t out[static 64], struct str password, struct str salt, unsigned rounds)
{
	must(PKCS5_PBKDF2_HMAC(password.p ? password.p : "", (int)password.n,
			       (const unsigned char *)salt.p, (int)salt.n, (int)rounds, md_sha512(),
			       64, out));
}
