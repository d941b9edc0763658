/* Writing JSON into a buffer without a tree: members in order, commas and escapes by themselves. */
#ifndef BASE_JSONW_H
#define BASE_JSONW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

struct jsonw {
	struct buf *out;
	bool comma; /* a value stands before */
};

#define JSONW(buffer) ((struct jsonw){.out = (buffer)})

/* `key` is NULL inside arrays and for the document itself. */
void jsonw_object(struct jsonw *w, const char *key);
void jsonw_array(struct jsonw *w, const char *key);
void jsonw_end_object(struct jsonw *w);
void jsonw_end_array(struct jsonw *w);
void jsonw_str(struct jsonw *w, const char *key, struct str v);
void jsonw_text(struct jsonw *w, const char *key, const char *v); /* NULL or "": left out */
void jsonw_u64(struct jsonw *w, const char *key, uint64_t v);
void jsonw_i64(struct jsonw *w, const char *key, int64_t v);
void jsonw_bool(struct jsonw *w, const char *key, bool v);
void jsonw_hex(struct jsonw *w, const char *key, const void *p, size_t n);
void jsonw_base64(struct jsonw *w, const char *key, const void *p, size_t n);
void jsonw_raw(struct jsonw *w, const char *key, struct str json); /* a finished JSON value */

#endif
