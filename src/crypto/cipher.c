#include "crypto/cipher.h"

#include <limits.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { NONCE = 12, TAG = 16, BLOCK = 16 };

/* Fetched once, as in hash.c. */
static struct {
	pthread_once_t once;
	EVP_CIPHER *chacha, *cbc, *gcm;
} algorithms = {.once = PTHREAD_ONCE_INIT};

static void fetch(void)
{
	algorithms.chacha = EVP_CIPHER_fetch(NULL, "ChaCha20", NULL);
	algorithms.cbc = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	algorithms.gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	if (!algorithms.chacha || !algorithms.cbc || !algorithms.gcm)
		abort();
}

static void must(int ok)
{
	if (ok != 1)
		abort();
}

/* libcrypto counts in int; every message of ours has a far smaller maximum. */
static int int_of(size_t n)
{
	if (n > INT_MAX - BLOCK)
		abort();
	return (int)n;
}

static void free_context_p(EVP_CIPHER_CTX **c)
{
	EVP_CIPHER_CTX_free(*c);
}

#define auto_context __attribute__((cleanup(free_context_p)))

enum direction { DECRYPT = 0, ENCRYPT = 1 };

static EVP_CIPHER_CTX *start(const EVP_CIPHER *cipher, const uint8_t *key, const uint8_t *iv,
			     enum direction d)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();

	must(c != NULL);
	must(EVP_CipherInit_ex2(c, cipher, key, iv, d, NULL));
	return c;
}

void chacha20(uint8_t *out, const uint8_t *in, size_t n, const uint8_t key[static 32],
	      const uint8_t nonce[static 12])
{
	uint8_t iv[16] = {0}; /* 32-bit little-endian counter, then the nonce */
	auto_context EVP_CIPHER_CTX *c = NULL;
	int done;

	pthread_once(&algorithms.once, fetch);
	memcpy(iv + 4, nonce, 12);
	c = start(algorithms.chacha, key, iv, ENCRYPT);
	must(EVP_CipherUpdate(c, out, &done, in, int_of(n)));
}

void aes_cbc_encrypt(struct buf *out, const void *p, size_t n, const uint8_t key[static 32],
		     const uint8_t iv[static 16])
{
	auto_context EVP_CIPHER_CTX *c = NULL;
	int head = 0, tail = 0;
	uint8_t *at;

	pthread_once(&algorithms.once, fetch);
	at = buf_extend(out, n + BLOCK - n % BLOCK);
	if (!at)
		return;
	c = start(algorithms.cbc, key, iv, ENCRYPT);
	must(EVP_CipherUpdate(c, at, &head, p, int_of(n)));
	must(EVP_CipherFinal_ex(c, at + head, &tail));
}

int aes_cbc_decrypt(struct buf *out, const void *p, size_t n, const uint8_t key[static 32],
		    const uint8_t iv[static 16], struct err *e)
{
	auto_context EVP_CIPHER_CTX *c = NULL;
	size_t before = out->n;
	int head = 0, tail = 0;
	uint8_t *at;

	pthread_once(&algorithms.once, fetch);
	if (n == 0 || n % BLOCK)
		return err_set(e, ERRK_INPUT, "AES: not whole blocks");
	at = buf_extend(out, n);
	if (!at)
		return buf_check(out, "AES", e);
	c = start(algorithms.cbc, key, iv, DECRYPT);
	must(EVP_CipherUpdate(c, at, &head, p, int_of(n)));
	if (EVP_CipherFinal_ex(c, at + head, &tail) != 1) {
		buf_truncate(out, before);
		return err_set(e, ERRK_INPUT, "AES: wrong padding");
	}
	buf_truncate(out, before + (size_t)head + (size_t)tail);
	return 0;
}

static void bind_ad(EVP_CIPHER_CTX *c, struct str ad)
{
	int done;

	if (ad.n)
		must(EVP_CipherUpdate(c, NULL, &done, (const uint8_t *)ad.p, int_of(ad.n)));
}

void aead_seal(struct buf *out, const struct secret *key, struct str ad, const void *p, size_t n)
{
	auto_context EVP_CIPHER_CTX *c = NULL;
	int done = 0, tail = 0;
	uint8_t *at;

	pthread_once(&algorithms.once, fetch);
	at = buf_extend(out, NONCE + n + TAG);
	if (!at)
		return;
	rand_bytes(at, NONCE);
	c = start(algorithms.gcm, key->b, at, ENCRYPT);
	bind_ad(c, ad);
	if (n)
		must(EVP_CipherUpdate(c, at + NONCE, &done, p, int_of(n)));
	must(EVP_CipherFinal_ex(c, at + NONCE + n, &tail));
	must(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TAG, at + NONCE + n));
}

int aead_open(struct buf *out, const struct secret *key, struct str ad, const void *p, size_t n,
	      struct err *e)
{
	auto_context EVP_CIPHER_CTX *c = NULL;
	const uint8_t *in = p;
	size_t before = out->n, body = n - NONCE - TAG;
	int done = 0, tail = 0;
	uint8_t *at, tag[TAG];

	pthread_once(&algorithms.once, fetch);
	if (n < NONCE + TAG)
		return err_set(e, ERRK_INPUT, "sealed data is too short");
	at = buf_extend(out, body);
	if (!at)
		return buf_check(out, "sealed data", e);
	c = start(algorithms.gcm, key->b, in, DECRYPT);
	bind_ad(c, ad);
	if (body)
		must(EVP_CipherUpdate(c, at, &done, in + NONCE, int_of(body)));
	memcpy(tag, in + NONCE + body, TAG);
	must(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG, tag));
	if (EVP_CipherFinal_ex(c, at + body, &tail) == 1)
		return 0;
	buf_truncate(out, before);
	return err_set(e, ERRK_INPUT, "sealed data does not open with this key");
}
