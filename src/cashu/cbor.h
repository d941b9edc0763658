/*
 * The subset of CBOR (RFC 8949) that Cashu uses: definite lengths, unsigned integers, byte and text
 * strings, arrays, maps, false, true, null and undefined. Anything else, and every size that does
 * not fit the input, is an error. Nothing is copied: strings are slices of the input.
 */
#ifndef CASHU_CBOR_H
#define CASHU_CBOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define CBOR_DEPTH_MAX 8

struct cbor { /* a reader; plain copy is a bookmark */
	const uint8_t *p;
	size_t n;
};

struct cbor cbor_of(struct str bytes);
bool cbor_end(const struct cbor *c);

/* Each takes one item or fails. Integers are at most 2^63. Text is valid UTF-8 without NUL. */
int cbor_u64(struct cbor *c, uint64_t *out, struct err *e) MUST_CHECK;
int cbor_bool(struct cbor *c, bool *out, struct err *e) MUST_CHECK;
int cbor_text(struct cbor *c, size_t max, struct str *out, struct err *e) MUST_CHECK;
int cbor_bytes(struct cbor *c, size_t max, struct str *out, struct err *e) MUST_CHECK;
int cbor_array(struct cbor *c, size_t max, size_t *items, struct err *e) MUST_CHECK;
int cbor_map(struct cbor *c, size_t max, size_t *pairs, struct err *e) MUST_CHECK;
bool cbor_skip_null(struct cbor *c); /* takes null or undefined if that is next: "absent" */
int cbor_skip(struct cbor *c, struct err *e) MUST_CHECK; /* any item, CBOR_DEPTH_MAX deep */

/*
 * A map with text keys, member by member. `fn` is called after the key was taken and must take the
 * value, or give CBOR_UNKNOWN to have it skipped. A key that comes twice is an error; a member with
 * null or undefined counts as absent.
 */
enum { CBOR_UNKNOWN = 1 };
typedef int cbor_member_fn(void *ctx, struct str key, struct cbor *value, struct err *e);
int cbor_members(struct cbor *c, cbor_member_fn *fn, void *ctx, struct err *e) MUST_CHECK;

void cbor_put_u64(struct buf *b, uint64_t v);
void cbor_put_bool(struct buf *b, bool v);
void cbor_put_text(struct buf *b, struct str s);
void cbor_put_bytes(struct buf *b, const void *p, size_t n);
void cbor_put_array(struct buf *b, size_t items);
void cbor_put_map(struct buf *b, size_t pairs);

#endif
