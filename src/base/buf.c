#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/secret.h"

static void drop(struct buf *b)
{
	if (b->p)
		wipe(b->p, b->cap);
	free(b->p);
	b->p = NULL;
}

void buf_free(struct buf *b)
{
	drop(b);
	*b = BUF(b->max);
}

void buf_reset(struct buf *b)
{
	if (b->p)
		wipe(b->p, b->n);
	b->n = 0;
	b->failed = false;
}

/* Room for n more bytes and a NUL. The old copy is wiped, which realloc would not do. */
static bool reserve(struct buf *b, size_t n)
{
	size_t cap;
	char *p;

	if (b->failed || n > b->max - b->n) {
		b->failed = true;
		return false;
	}
	if (b->p && n < b->cap - b->n)
		return true;
	cap = b->cap * 2 > b->n + n + 1 ? b->cap * 2 : b->n + n + 1;
	p = mem_zero(cap < 64 ? 64 : cap);
	if (b->n)
		memcpy(p, b->p, b->n);
	drop(b);
	b->p = p;
	b->cap = cap < 64 ? 64 : cap;
	return true;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
	if (!reserve(b, n))
		return;
	if (n)
		memcpy(b->p + b->n, p, n);
	b->n += n;
	b->p[b->n] = '\0';
}

void *buf_extend(struct buf *b, size_t n)
{
	char *at;

	if (!reserve(b, n))
		return NULL;
	at = b->p + b->n;
	memset(at, 0, n + 1);
	b->n += n;
	return at;
}

void buf_truncate(struct buf *b, size_t n)
{
	if (n >= b->n)
		return;
	wipe(b->p + n, b->n - n);
	b->n = n;
}

void buf_puts(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_str(struct buf *b, struct str s)
{
	buf_add(b, s.p, s.n);
}

void buf_byte(struct buf *b, uint8_t c)
{
	buf_add(b, &c, 1);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	if (!reserve(b, (size_t)n))
		return;
	va_start(ap, fmt);
	vsnprintf(b->p + b->n, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->n += (size_t)n;
}

void buf_hex(struct buf *b, const void *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *in = p;
	size_t i;

	for (i = 0; i < n; i++) {
		char pair[2] = {digits[in[i] >> 4], digits[in[i] & 15]};

		buf_add(b, pair, 2);
	}
}

/* The two-character escape of `c`, 0 where there is none. */
static char short_escape(char c)
{
	switch (c) {
	case '"':
	case '\\':
		return c;
	case '\b':
		return 'b';
	case '\f':
		return 'f';
	case '\n':
		return 'n';
	case '\r':
		return 'r';
	case '\t':
		return 't';
	default:
		return 0;
	}
}

static bool is_plain(char c)
{
	return (uint8_t)c >= 0x20 && c != '"' && c != '\\';
}

void buf_json(struct buf *b, struct str s)
{
	size_t i = 0, from;

	buf_byte(b, '"');
	while (i < s.n) {
		for (from = i; i < s.n && is_plain(s.p[i]); i++)
			i += str_plain((struct str){s.p + i + 1, s.n - i - 1});
		buf_add(b, s.p + from, i - from);
		if (i == s.n)
			break;
		if (short_escape(s.p[i]))
			buf_add(b, (char[]){'\\', short_escape(s.p[i])}, 2);
		else
			buf_printf(b, "\\u%04x", (unsigned)(uint8_t)s.p[i]);
		i++;
	}
	buf_byte(b, '"');
}

struct str buf_view(const struct buf *b)
{
	return (struct str){b->p ? b->p : "", b->n};
}

int buf_check(const struct buf *b, const char *what, struct err *e)
{
	if (b->failed)
		return err_set(e, ERRK_LIMIT, "%s: larger than %zu bytes", what, b->max);
	return 0;
}

char *buf_steal(struct buf *b)
{
	char *p = b->p ? b->p : mem_strdup("");

	*b = BUF(b->max);
	return p;
}
