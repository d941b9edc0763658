/* Secrets are types: 32 bytes, wiped at the end of their scope, without a printer. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/err.h"

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

/* LOCKED_MAX zeroed bytes on pages of their own: never swapped out, in no core dump, and not in
 * processes that are forked. NULL: no memory can be locked. */
#define LOCKED_MAX 4096
void *locked_new(struct err *e) MUST_CHECK;
/* A new one that ends with a NUL; the bytes at `p` are moved into it: wiped. */
int locked_take(char **out, void *p, size_t n, struct err *e) MUST_CHECK;
void locked_free(void *p); /* wipes; NULL is fine */
DEFINE_AUTO(char, locked_free)
#define auto_locked AUTO(locked_free)
void locked_inherit(void *p, bool inherit); /* by what is forked from now on */

#endif
