#include "base/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

void wipe(void *p, size_t n)
{
	if (n)
		explicit_bzero(p, n);
}

void secret_wipe(struct secret *s)
{
	wipe(s, sizeof(*s));
}

void seed_wipe(struct seed *s)
{
	wipe(s, sizeof(*s));
}

bool secret_eq(const void *a, const void *b, size_t n)
{
	const volatile uint8_t *x = a, *y = b;
	uint8_t differ = 0;
	size_t i;

	for (i = 0; i < n; i++)
		differ |= x[i] ^ y[i];
	return differ == 0;
}

void rand_bytes(void *p, size_t n)
{
	uint8_t *at = p;
	ssize_t got;

	while (n) {
		got = getrandom(at, n, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			abort();
		at += got;
		n -= (size_t)got;
	}
}

uint64_t rand_below(uint64_t n)
{
	uint64_t v, skew = (uint64_t)-n % n; /* 2^64 mod n */

	do
		rand_bytes(&v, sizeof(v));
	while (v < skew);
	return v % n;
}

void *locked_new(struct err *e)
{
	void *p =
		mmap(NULL, LOCKED_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		err_sys(e, "memory for a secret");
		return NULL;
	}
	if (mlock(p, LOCKED_MAX) || madvise(p, LOCKED_MAX, MADV_DONTDUMP) ||
	    madvise(p, LOCKED_MAX, MADV_DONTFORK)) {
		err_sys(e, "lock the memory of a secret");
		munmap(p, LOCKED_MAX);
		return NULL;
	}
	return p;
}

int locked_take(char **out, void *p, size_t n, struct err *e)
{
	if (n >= LOCKED_MAX)
		return err_set(e, ERRK_LIMIT, "a secret of %zu bytes", n);
	*out = locked_new(e);
	if (!*out)
		return -1;
	memcpy(*out, p, n);
	wipe(p, n);
	return 0;
}

void locked_free(void *p)
{
	if (!p)
		return;
	wipe(p, LOCKED_MAX);
	munmap(p, LOCKED_MAX);
}

void locked_inherit(void *p, bool inherit)
{
	if (madvise(p, LOCKED_MAX, inherit ? MADV_DOFORK : MADV_DONTFORK))
		abort();
}
