/* The generic reader and writer behind the message tables. */
#include "priv/wire.h"

#include <inttypes.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "base/secret.h"
#include "spec/spec.h"

struct reader {
	struct str rest;
};

static void put_u32(struct buf *out, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		buf_byte(out, (uint8_t)(v >> 8 * i));
}

static void put_u64(struct buf *out, uint64_t v)
{
	for (unsigned i = 0; i < 8; i++)
		buf_byte(out, (uint8_t)(v >> 8 * i));
}

static int take(struct reader *r, size_t n, struct str *out, struct err *e)
{
	if (r->rest.n < n)
		return err_set(e, ERRK_INPUT, "cut short");
	*out = (struct str){r->rest.p, n};
	r->rest.p += n;
	r->rest.n -= n;
	return 0;
}

static int take_number(struct reader *r, size_t bytes, uint64_t *out, struct err *e)
{
	struct str s = {NULL, 0};

	*out = 0;
	if (take(r, bytes, &s, e) < 0)
		return -1;
	for (size_t i = bytes; i-- > 0;)
		*out = *out << 8 | (uint8_t)s.p[i];
	return 0;
}

static int take_bytes(struct reader *r, uint64_t max, struct str *out, struct err *e)
{
	uint64_t n;

	if (take_number(r, 4, &n, e) < 0)
		return -1;
	if (n > max)
		return err_set(e, ERRK_LIMIT, "%" PRIu64 " bytes, allowed are %" PRIu64, n, max);
	return take(r, n, out, e);
}

static int check_range(const struct wire_field *f, uint64_t v, struct err *e)
{
	if (v < f->min || v > f->max)
		return err_set(e, ERRK_INPUT, "%" PRIu64 " is not in %" PRIu64 "…%" PRIu64, v,
			       f->min, f->max);
	return 0;
}

static int check_text(struct str s, uint64_t max, struct err *e)
{
	if (s.n > max)
		return err_set(e, ERRK_LIMIT, "%zu bytes, allowed are %" PRIu64, s.n, max);
	if (!utf8_valid(s))
		return err_set(e, ERRK_INPUT, "not UTF-8");
	return 0;
}

/* encoding */

static int put_number(struct buf *out, const struct wire_field *f, const void *at, struct err *e)
{
	uint64_t v = 0;
	uint32_t small;
	bool truth;

	if (f->type == WIRE_BOOL) {
		memcpy(&truth, at, sizeof(truth));
		buf_byte(out, truth);
		return 0;
	}
	if (f->type == WIRE_U32) {
		memcpy(&small, at, sizeof(small));
		v = small;
	} else {
		memcpy(&v, at, sizeof(v));
	}
	if (check_range(f, v, e) < 0)
		return -1;
	if (f->type == WIRE_U32)
		put_u32(out, (uint32_t)v);
	else
		put_u64(out, v);
	return 0;
}

static int put_text(struct buf *out, const char *text, uint64_t max, struct err *e)
{
	struct str s = str_of(text);

	if (check_text(s, max, e) < 0)
		return -1;
	put_u32(out, (uint32_t)s.n);
	buf_str(out, s);
	return 0;
}

static int put_hex(struct buf *out, const struct wire_field *f, const char *text, struct err *e)
{
	struct str s = {text, strnlen(text, f->max + 1)};

	if (s.n != f->max || !hex_is(s, s.n / 2))
		return err_set(e, ERRK_INPUT, "not %" PRIu64 " hex characters", f->max);
	buf_str(out, s);
	return 0;
}

static int put_blob(struct buf *out, const struct wire_field *f, const struct wire_blob *b,
		    struct err *e)
{
	if (b->n > f->max)
		return err_set(e, ERRK_LIMIT, "%zu bytes, allowed are %" PRIu64, b->n, f->max);
	put_u32(out, (uint32_t)b->n);
	buf_add(out, b->p, b->n);
	return 0;
}

static int put_strings(struct buf *out, const struct wire_field *f, const struct wire_strings *s,
		       struct err *e)
{
	if (s->n > f->min)
		return err_set(e, ERRK_LIMIT, "%zu texts, allowed are %" PRIu64, s->n, f->min);
	put_u32(out, (uint32_t)s->n);
	for (size_t i = 0; i < s->n; i++)
		if (put_text(out, s->v[i], f->max, e) < 0)
			return -1;
	return 0;
}

static int put_spec(struct buf *out, const struct spec *s, struct err *e)
{
	auto_buf struct buf text = BUF(SPEC_JSON_MAX);

	spec_write(&text, s);
	if (buf_check(&text, "spec", e) < 0)
		return -1;
	put_u32(out, (uint32_t)text.n);
	buf_str(out, buf_view(&text));
	return 0;
}

static int put_list(struct buf *out, const struct wire_field *f, const struct wire_list *l,
		    struct err *e)
{
	if (l->n > f->max)
		return err_set(e, ERRK_LIMIT, "%zu items, allowed are %" PRIu64, l->n, f->max);
	put_u32(out, (uint32_t)l->n);
	for (size_t i = 0; i < l->n; i++)
		if (wire_encode(out, f->sub, (const char *)l->v + i * f->sub->size, e) < 0)
			return -1;
	return 0;
}

static int put_field(struct buf *out, const struct wire_field *f, const void *at, struct err *e)
{
	switch (f->type) {
	case WIRE_BOOL:
	case WIRE_U32:
	case WIRE_U64:
	case WIRE_I64:
		return put_number(out, f, at, e);
	case WIRE_HEX:
		return put_hex(out, f, at, e);
	case WIRE_TEXT:
		return put_text(out, *(char *const *)at, f->max, e);
	case WIRE_BLOB:
		return put_blob(out, f, at, e);
	case WIRE_STRINGS:
		return put_strings(out, f, at, e);
	case WIRE_SPEC:
		return put_spec(out, at, e);
	case WIRE_LIST:
		return put_list(out, f, at, e);
	}
	return err_set(e, ERRK_STATE, "unknown field type");
}

int wire_encode(struct buf *out, const struct wire_table *t, const void *msg, struct err *e)
{
	for (size_t i = 0; i < t->nfields; i++) {
		const struct wire_field *f = &t->fields[i];

		if (put_field(out, f, (const char *)msg + f->offset, e) < 0)
			return err_wrap(e, "%s", f->name);
	}
	return buf_check(out, "message", e);
}

/* decoding */

static int get_number(struct reader *r, const struct wire_field *f, void *at, struct err *e)
{
	uint64_t v;
	uint32_t small;
	bool truth;

	if (take_number(r, f->type == WIRE_BOOL ? 1 : f->type == WIRE_U32 ? 4 : 8, &v, e) < 0)
		return -1;
	if (f->type == WIRE_BOOL) {
		if (v > 1)
			return err_set(e, ERRK_INPUT, "neither yes nor no");
		truth = v;
		memcpy(at, &truth, sizeof(truth));
		return 0;
	}
	if (check_range(f, v, e) < 0)
		return -1;
	if (f->type == WIRE_U32) {
		small = (uint32_t)v;
		memcpy(at, &small, sizeof(small));
	} else {
		memcpy(at, &v, sizeof(v));
	}
	return 0;
}

static int get_text(struct reader *r, uint64_t max, char **out, struct err *e)
{
	struct str s;

	if (take_bytes(r, max, &s, e) < 0 || check_text(s, max, e) < 0)
		return -1;
	*out = mem_strndup(s.n ? s.p : "", s.n);
	return 0;
}

static int get_hex(struct reader *r, const struct wire_field *f, char *at, struct err *e)
{
	struct str s;

	if (take(r, f->max, &s, e) < 0)
		return -1;
	if (!hex_is(s, f->max / 2))
		return err_set(e, ERRK_INPUT, "not %" PRIu64 " hex characters", f->max);
	memcpy(at, s.p, s.n);
	at[s.n] = '\0';
	return 0;
}

static int get_blob(struct reader *r, const struct wire_field *f, struct wire_blob *out,
		    struct err *e)
{
	struct str s;

	if (take_bytes(r, f->max, &s, e) < 0)
		return -1;
	if (s.n)
		out->p = mem_dup(s.p, s.n);
	out->n = s.n;
	return 0;
}

/* Counts come from the other side: every item takes at least its own count's four bytes, so no more
 * memory is promised than the frame has. */
static int get_count(struct reader *r, uint64_t max, size_t least, size_t *out, struct err *e)
{
	uint64_t n;

	if (take_number(r, 4, &n, e) < 0)
		return -1;
	if (n > max || n > r->rest.n / least)
		return err_set(e, ERRK_LIMIT, "%" PRIu64 " items", n);
	*out = n;
	return 0;
}

static int get_strings(struct reader *r, const struct wire_field *f, struct wire_strings *out,
		       struct err *e)
{
	size_t n = 0;

	if (get_count(r, f->min, 4, &n, e) < 0)
		return -1;
	out->v = mem_array(n + 1, sizeof(char *));
	for (; out->n < n; out->n++)
		if (get_text(r, f->max, &out->v[out->n], e) < 0)
			return -1;
	return 0;
}

static int get_spec(struct reader *r, struct spec *out, struct err *e)
{
	struct str s;

	if (take_bytes(r, SPEC_JSON_MAX, &s, e) < 0)
		return -1;
	return spec_decode(out, s, e);
}

static int get_fields(struct reader *r, const struct wire_table *t, void *msg, struct err *e);

static int get_list(struct reader *r, const struct wire_field *f, struct wire_list *out,
		    struct err *e)
{
	size_t n = 0;

	if (get_count(r, f->max, 4, &n, e) < 0)
		return -1;
	if (n)
		out->v = mem_array(n, f->sub->size);
	while (out->n < n) { /* counted first, so that a failed item is freed with the rest */
		if (get_fields(r, f->sub, (char *)out->v + out->n++ * f->sub->size, e) < 0)
			return -1;
	}
	return 0;
}

static int get_field(struct reader *r, const struct wire_field *f, void *at, struct err *e)
{
	switch (f->type) {
	case WIRE_BOOL:
	case WIRE_U32:
	case WIRE_U64:
	case WIRE_I64:
		return get_number(r, f, at, e);
	case WIRE_HEX:
		return get_hex(r, f, at, e);
	case WIRE_TEXT:
		return get_text(r, f->max, at, e);
	case WIRE_BLOB:
		return get_blob(r, f, at, e);
	case WIRE_STRINGS:
		return get_strings(r, f, at, e);
	case WIRE_SPEC:
		return get_spec(r, at, e);
	case WIRE_LIST:
		return get_list(r, f, at, e);
	}
	return err_set(e, ERRK_STATE, "unknown field type");
}

static int get_fields(struct reader *r, const struct wire_table *t, void *msg, struct err *e)
{
	for (size_t i = 0; i < t->nfields; i++) {
		const struct wire_field *f = &t->fields[i];

		if (get_field(r, f, (char *)msg + f->offset, e) < 0)
			return err_wrap(e, "%s", f->name);
	}
	return 0;
}

int wire_decode(void *msg, const struct wire_table *t, struct str bytes, struct err *e)
{
	struct reader r = {bytes};

	memset(msg, 0, t->size);
	if (get_fields(&r, t, msg, e) == 0) {
		if (r.rest.n == 0)
			return 0;
		err_set(e, ERRK_INPUT, "%zu bytes too many", r.rest.n);
	}
	wire_clear(msg, t);
	return -1;
}

int wire_decode_begin(void *msg, const struct wire_table *t, struct str bytes, struct err *e)
{
	struct reader r = {bytes};

	memset(msg, 0, t->size);
	if (get_fields(&r, t, msg, e) == 0)
		return 0;
	wire_clear(msg, t);
	return -1;
}

/* freeing */

static void clear_strings(struct wire_strings *s)
{
	for (size_t i = 0; i < s->n; i++) {
		wipe(s->v[i], strlen(s->v[i]));
		free(s->v[i]);
	}
	free(s->v);
}

static void clear_field(const struct wire_field *f, void *at)
{
	struct wire_list *l = at;
	struct wire_blob *b = at;

	switch (f->type) {
	case WIRE_BOOL:
	case WIRE_U32:
	case WIRE_U64:
	case WIRE_I64:
	case WIRE_HEX:
		return;
	case WIRE_TEXT:
		free(*(char **)at);
		return;
	case WIRE_BLOB:
		if (b->p)
			wipe(b->p, b->n);
		free(b->p);
		return;
	case WIRE_STRINGS:
		clear_strings(at);
		return;
	case WIRE_SPEC:
		spec_clear(at);
		return;
	case WIRE_LIST:
		for (size_t i = 0; i < l->n; i++)
			wire_clear((char *)l->v + i * f->sub->size, f->sub);
		free(l->v);
		return;
	}
}

void wire_clear(void *msg, const struct wire_table *t)
{
	for (size_t i = 0; i < t->nfields; i++)
		clear_field(&t->fields[i], (char *)msg + t->fields[i].offset);
	memset(msg, 0, t->size);
}
