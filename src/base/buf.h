/* Growable bytes with a hard maximum. A write beyond it marks the buffer failed; check once at the
 * end. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"

struct buf {
	char *p; /* NUL-terminated when not NULL */
	size_t n, cap, max;
	bool failed; /* a write would have passed `max` */
};

#define BUF(maximum) ((struct buf){.max = (maximum)})
#define auto_buf     __attribute__((cleanup(buf_free)))

void buf_free(struct buf *b); /* wipes before freeing: buffers carry secrets */
void buf_reset(struct buf *b);
void buf_add(struct buf *b, const void *p, size_t n);
void buf_puts(struct buf *b, const char *s);
void buf_str(struct buf *b, struct str s);
void buf_byte(struct buf *b, uint8_t c);
/* n zeroed bytes at the end for the caller to fill; NULL when that would pass the maximum. */
void *buf_extend(struct buf *b, size_t n);
void buf_truncate(struct buf *b, size_t n); /* wipes what lies behind n */
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_hex(struct buf *b, const void *p, size_t n);
/* A JSON string literal with quotes, escaped as NIP-01 wants it (also valid JSON everywhere). */
void buf_json(struct buf *b, struct str s);
struct str buf_view(const struct buf *b);
int buf_check(const struct buf *b, const char *what, struct err *e) MUST_CHECK;
char *buf_steal(struct buf *b); /* never NULL; the caller frees */

#endif
