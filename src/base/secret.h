/* Secrets are types: 32 bytes, wiped at the end of their scope, without a printer. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct secret {
	uint8_t b[32];
};

struct seed { /* BIP-39 seed, 64 bytes */
	uint8_t b[64];
};

void secret_wipe(struct secret *s);
void seed_wipe(struct seed *s);
#define auto_secret __attribute__((cleanup(secret_wipe)))
#define auto_seed   __attribute__((cleanup(seed_wipe)))

void wipe(void *p, size_t n);				/* not optimised away */
bool secret_eq(const void *a, const void *b, size_t n); /* constant time */
void rand_bytes(void *p, size_t n);			/* getrandom; failure aborts */
uint64_t rand_below(uint64_t n);			/* unbiased, n > 0 */

#endif
