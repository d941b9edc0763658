/* Reader and writer of the CBOR subset. Every length is compared with what is left of the input
 * before it is used, so a size in a head cannot make us read or allocate. */
#include "cashu/cbor.h"

#include <string.h>

enum cbor_major {
	CBOR_UINT = 0,
	CBOR_BYTES = 2,
	CBOR_TEXT = 3,
	CBOR_ARRAY = 4,
	CBOR_MAP = 5,
	CBOR_SIMPLE = 7,
};

enum { CBOR_FALSE = 0xf4, CBOR_TRUE = 0xf5, CBOR_NULL = 0xf6, CBOR_UNDEFINED = 0xf7 };

#define CBOR_UINT_MAX	 ((uint64_t)1 << 63)
#define CBOR_MEMBERS_MAX 32

struct cbor cbor_of(struct str bytes)
{
	return (struct cbor){(const uint8_t *)bytes.p, bytes.n};
}

bool cbor_end(const struct cbor *c)
{
	return c->n == 0;
}

static void advance(struct cbor *c, size_t n)
{
	c->p += n;
	c->n -= n;
}

/* Head of the next item: major type and argument. Lengths 28..31 (reserved, indefinite) fail. */
static int head_take(struct cbor *c, unsigned *major, uint64_t *arg, struct err *e)
{
	size_t extra;

	if (c->n == 0)
		return err_set(e, ERRK_INPUT, "CBOR: ends too early");
	*major = c->p[0] >> 5;
	*arg = c->p[0] & 0x1f;
	advance(c, 1);
	if (*arg < 24)
		return 0;
	if (*arg > 27)
		return err_set(e, ERRK_INPUT, "CBOR: indefinite or reserved length");
	extra = (size_t)1 << (*arg - 24);
	if (c->n < extra)
		return err_set(e, ERRK_INPUT, "CBOR: ends too early");
	*arg = 0;
	for (size_t i = 0; i < extra; i++)
		*arg = *arg << 8 | c->p[i];
	advance(c, extra);
	return 0;
}

static int head_want(struct cbor *c, enum cbor_major want, uint64_t *arg, struct err *e)
{
	unsigned major;

	if (head_take(c, &major, arg, e))
		return -1;
	if (major != want)
		return err_set(e, ERRK_INPUT, "CBOR: type %u where %u is due", major, want);
	return 0;
}

int cbor_u64(struct cbor *c, uint64_t *out, struct err *e)
{
	if (head_want(c, CBOR_UINT, out, e))
		return -1;
	if (*out > CBOR_UINT_MAX)
		return err_set(e, ERRK_LIMIT, "CBOR: integer above 2^63");
	return 0;
}

int cbor_bool(struct cbor *c, bool *out, struct err *e)
{
	if (c->n == 0 || (c->p[0] != CBOR_FALSE && c->p[0] != CBOR_TRUE))
		return err_set(e, ERRK_INPUT, "CBOR: no boolean where one is due");
	*out = c->p[0] == CBOR_TRUE;
	advance(c, 1);
	return 0;
}

static int string_take(struct cbor *c, enum cbor_major major, size_t max, struct str *out,
		       struct err *e)
{
	uint64_t n;

	if (head_want(c, major, &n, e))
		return -1;
	if (n > c->n)
		return err_set(e, ERRK_INPUT, "CBOR: ends too early");
	if (n > max)
		return err_set(e, ERRK_LIMIT, "CBOR: string longer than %zu bytes", max);
	*out = (struct str){(const char *)c->p, (size_t)n};
	advance(c, (size_t)n);
	return 0;
}

int cbor_text(struct cbor *c, size_t max, struct str *out, struct err *e)
{
	if (string_take(c, CBOR_TEXT, max, out, e))
		return -1;
	if (!utf8_valid(*out))
		return err_set(e, ERRK_INPUT, "CBOR: text that is not UTF-8, or with NUL");
	return 0;
}

int cbor_bytes(struct cbor *c, size_t max, struct str *out, struct err *e)
{
	return string_take(c, CBOR_BYTES, max, out, e);
}

static int container_take(struct cbor *c, enum cbor_major major, size_t max, size_t *items,
			  struct err *e)
{
	uint64_t n;

	if (head_want(c, major, &n, e))
		return -1;
	if (n > max)
		return err_set(e, ERRK_LIMIT, "CBOR: more than %zu items", max);
	*items = (size_t)n;
	return 0;
}

int cbor_array(struct cbor *c, size_t max, size_t *items, struct err *e)
{
	return container_take(c, CBOR_ARRAY, max, items, e);
}

int cbor_map(struct cbor *c, size_t max, size_t *pairs, struct err *e)
{
	return container_take(c, CBOR_MAP, max, pairs, e);
}

bool cbor_skip_null(struct cbor *c)
{
	if (c->n == 0 || (c->p[0] != CBOR_NULL && c->p[0] != CBOR_UNDEFINED))
		return false;
	advance(c, 1);
	return true;
}

static int skip_item(struct cbor *c, unsigned depth, struct err *e)
{
	unsigned major;
	uint64_t n;

	if (depth == 0)
		return err_set(e, ERRK_LIMIT, "CBOR: nested deeper than %d", CBOR_DEPTH_MAX);
	if (head_take(c, &major, &n, e))
		return -1;
	switch (major) {
	case CBOR_BYTES:
	case CBOR_TEXT:
		if (n > c->n)
			return err_set(e, ERRK_INPUT, "CBOR: ends too early");
		advance(c, (size_t)n);
		return 0;
	case CBOR_ARRAY:
	case CBOR_MAP:
		if (n > c->n) /* an item takes at least a byte */
			return err_set(e, ERRK_INPUT, "CBOR: ends too early");
		for (n <<= major == CBOR_MAP; n > 0; n--)
			if (skip_item(c, depth - 1, e))
				return -1;
		return 0;
	default: /* integers, simple values and floats end with their head; a tag precedes an item
		  */
		return major == 6 ? skip_item(c, depth - 1, e) : 0;
	}
}

int cbor_skip(struct cbor *c, struct err *e)
{
	return skip_item(c, CBOR_DEPTH_MAX, e);
}

int cbor_members(struct cbor *c, cbor_member_fn *fn, void *ctx, struct err *e)
{
	struct str seen[CBOR_MEMBERS_MAX];
	size_t pairs = 0;
	int rc;

	if (cbor_map(c, CBOR_MEMBERS_MAX, &pairs, e))
		return -1;
	for (size_t i = 0; i < pairs; i++) {
		if (cbor_text(c, 64, &seen[i], e))
			return -1;
		for (size_t k = 0; k < i; k++)
			if (str_eq(seen[i], seen[k]))
				return err_set(e, ERRK_INPUT, "CBOR: a key comes twice");
		if (cbor_skip_null(c))
			continue;
		rc = fn(ctx, seen[i], c, e);
		if (rc == CBOR_UNKNOWN)
			rc = cbor_skip(c, e);
		if (rc)
			return -1;
	}
	return 0;
}

static void put_head(struct buf *b, enum cbor_major major, uint64_t arg)
{
	unsigned log2 = arg <= UINT8_MAX ? 0 : arg <= UINT16_MAX ? 1 : arg <= UINT32_MAX ? 2 : 3;

	if (arg < 24) {
		buf_byte(b, (uint8_t)(major << 5 | arg));
		return;
	}
	buf_byte(b, (uint8_t)(major << 5 | (24 + log2)));
	for (unsigned left = 1u << log2; left-- > 0;)
		buf_byte(b, (uint8_t)(arg >> 8 * left));
}

void cbor_put_u64(struct buf *b, uint64_t v)
{
	put_head(b, CBOR_UINT, v);
}

void cbor_put_bool(struct buf *b, bool v)
{
	buf_byte(b, v ? CBOR_TRUE : CBOR_FALSE);
}

void cbor_put_text(struct buf *b, struct str s)
{
	put_head(b, CBOR_TEXT, s.n);
	buf_str(b, s);
}

void cbor_put_bytes(struct buf *b, const void *p, size_t n)
{
	put_head(b, CBOR_BYTES, n);
	buf_add(b, p, n);
}

void cbor_put_array(struct buf *b, size_t items)
{
	put_head(b, CBOR_ARRAY, items);
}

void cbor_put_map(struct buf *b, size_t pairs)
{
	put_head(b, CBOR_MAP, pairs);
}
