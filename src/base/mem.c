#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *not_null(void *p)
{
	if (!p)
		abort();
	return p;
}

void *mem_zero(size_t n)
{
	return not_null(calloc(1, n ? n : 1));
}

void *mem_array(size_t n, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(n, size, &total))
		abort();
	return mem_zero(total);
}

void *mem_grow(void *p, size_t n, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(n, size, &total))
		abort();
	return not_null(realloc(p, total ? total : 1));
}

void *mem_dup(const void *p, size_t n)
{
	void *copy = mem_zero(n);

	if (n)
		memcpy(copy, p, n);
	return copy;
}

char *mem_strdup(const char *s)
{
	return s ? mem_strndup(s, strlen(s)) : NULL;
}

char *mem_strndup(const char *s, size_t n)
{
	char *copy = mem_zero(n + 1);

	if (n)
		memcpy(copy, s, n);
	return copy;
}

char *mem_printf(const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	return s;
}
