/* Payment requests: the struct, and creqA (NUT-18, CBOR) both ways. creqB is in request-tlv.c. */
#include "cashu/request.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "cashu/cbor.h"
#include "cashu/request-tlv.h"

#define TEXT_MAX 2048 /* one string in a request */

struct payment_request *cashu_request_new(void)
{
	return mem_zero(sizeof(struct payment_request));
}

static void tags_clear(struct request_tags *t)
{
	for (size_t i = 0; i < t->n; i++) {
		for (size_t k = 0; k < t->v[i].n; k++)
			free(t->v[i].v[k]);
		free(t->v[i].v);
	}
	free(t->v);
	*t = (struct request_tags){0};
}

void cashu_request_free(struct payment_request *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n_mints; i++)
		free(r->mints[i]);
	for (size_t i = 0; i < r->n_transports; i++) {
		free(r->transports[i].type);
		free(r->transports[i].target);
		tags_clear(&r->transports[i].tags);
	}
	tags_clear(&r->lock_tags);
	free(r->mints);
	free(r->transports);
	free(r->id);
	free(r->unit);
	free(r->description);
	free(r->lock_kind);
	free(r->lock_data);
	free(r);
}

void request_set_text(char **to, struct str s)
{
	free(*to);
	*to = mem_strndup(s.p, s.n);
}

int request_add_mint(struct payment_request *r, struct str url, struct err *e)
{
	if (r->n_mints == REQUEST_ITEMS_MAX)
		return err_set(e, ERRK_LIMIT, "more than %d mints", REQUEST_ITEMS_MAX);
	r->mints = mem_grow(r->mints, r->n_mints + 1, sizeof(*r->mints));
	r->mints[r->n_mints++] = mem_strndup(url.p, url.n);
	return 0;
}

int request_add_transport(struct payment_request *r, struct request_transport **out, struct err *e)
{
	if (r->n_transports == REQUEST_ITEMS_MAX)
		return err_set(e, ERRK_LIMIT, "more than %d transports", REQUEST_ITEMS_MAX);
	r->transports = mem_grow(r->transports, r->n_transports + 1, sizeof(*r->transports));
	*out = &r->transports[r->n_transports++];
	**out = (struct request_transport){0};
	return 0;
}

int request_add_tag(struct request_tags *t, struct request_tag **out, struct err *e)
{
	if (t->n == REQUEST_ITEMS_MAX)
		return err_set(e, ERRK_LIMIT, "more than %d tags", REQUEST_ITEMS_MAX);
	t->v = mem_grow(t->v, t->n + 1, sizeof(*t->v));
	*out = &t->v[t->n++];
	**out = (struct request_tag){0};
	return 0;
}

int request_add_value(struct request_tag *t, struct str s, struct err *e)
{
	if (t->n == REQUEST_ITEMS_MAX)
		return err_set(e, ERRK_LIMIT, "more than %d values in a tag", REQUEST_ITEMS_MAX);
	t->v = mem_grow(t->v, t->n + 1, sizeof(*t->v));
	t->v[t->n++] = mem_strndup(s.p, s.n);
	return 0;
}

int request_set_amount(struct payment_request *r, uint64_t n, struct err *e)
{
	if (!sat_make(&r->amount, n))
		return err_set(e, ERRK_LIMIT, "amount is too large");
	r->has_amount = true;
	return 0;
}

/* --- creqA --- */

static int text_member(char **to, struct cbor *c, struct err *e)
{
	struct str s;

	if (cbor_text(c, TEXT_MAX, &s, e))
		return -1;
	request_set_text(to, s);
	return 0;
}

static int tag_decode(struct request_tags *to, struct cbor *c, struct err *e)
{
	struct request_tag *t;
	struct str s;
	size_t n;

	if (request_add_tag(to, &t, e) || cbor_array(c, REQUEST_ITEMS_MAX, &n, e))
		return -1;
	while (n-- > 0)
		if (cbor_text(c, TEXT_MAX, &s, e) || request_add_value(t, s, e))
			return -1;
	return 0;
}

static int tags_decode(struct request_tags *to, struct cbor *c, struct err *e)
{
	size_t n;

	if (cbor_array(c, REQUEST_ITEMS_MAX, &n, e))
		return -1;
	while (n-- > 0)
		if (tag_decode(to, c, e))
			return -1;
	return 0;
}

static int transport_member(void *ctx, struct str key, struct cbor *c, struct err *e)
{
	struct request_transport *t = ctx;

	if (str_is(key, "t"))
		return text_member(&t->type, c, e);
	if (str_is(key, "a"))
		return text_member(&t->target, c, e);
	if (str_is(key, "g"))
		return tags_decode(&t->tags, c, e);
	return CBOR_UNKNOWN;
}

static int transports_decode(struct payment_request *r, struct cbor *c, struct err *e)
{
	struct request_transport *t = NULL;
	size_t n;

	if (cbor_array(c, REQUEST_ITEMS_MAX, &n, e))
		return -1;
	while (n-- > 0) {
		if (request_add_transport(r, &t, e))
			return -1;
		if (cbor_members(c, transport_member, t, e))
			return -1;
	}
	return 0;
}

static int mints_decode(struct payment_request *r, struct cbor *c, struct err *e)
{
	struct str url;
	size_t n;

	if (cbor_array(c, REQUEST_ITEMS_MAX, &n, e))
		return -1;
	while (n-- > 0)
		if (cbor_text(c, TEXT_MAX, &url, e) || request_add_mint(r, url, e))
			return -1;
	return 0;
}

static int lock_member(void *ctx, struct str key, struct cbor *c, struct err *e)
{
	struct payment_request *r = ctx;

	if (str_is(key, "k"))
		return text_member(&r->lock_kind, c, e);
	if (str_is(key, "d"))
		return text_member(&r->lock_data, c, e);
	if (str_is(key, "t"))
		return tags_decode(&r->lock_tags, c, e);
	return CBOR_UNKNOWN;
}

static int amount_member(struct payment_request *r, struct cbor *c, struct err *e)
{
	uint64_t n;

	if (cbor_u64(c, &n, e))
		return -1;
	return request_set_amount(r, n, e);
}

static int request_member(void *ctx, struct str key, struct cbor *c, struct err *e)
{
	struct payment_request *r = ctx;

	if (str_is(key, "i"))
		return text_member(&r->id, c, e);
	if (str_is(key, "a"))
		return amount_member(r, c, e);
	if (str_is(key, "u"))
		return text_member(&r->unit, c, e);
	if (str_is(key, "s"))
		return cbor_bool(c, &r->single_use, e);
	if (str_is(key, "m"))
		return mints_decode(r, c, e);
	if (str_is(key, "d"))
		return text_member(&r->description, c, e);
	if (str_is(key, "t"))
		return transports_decode(r, c, e);
	if (str_is(key, "nut10"))
		return cbor_members(c, lock_member, r, e);
	return CBOR_UNKNOWN;
}

static int decode_a(struct payment_request *r, struct str base64, struct err *e)
{
	auto_buf struct buf raw = BUF(REQUEST_TEXT_MAX);
	struct cbor c;

	if (base64_decode(&raw, base64, BASE64_ANY, e))
		return -1;
	c = cbor_of(buf_view(&raw));
	if (cbor_members(&c, request_member, r, e))
		return -1;
	if (!cbor_end(&c))
		return err_set(e, ERRK_INPUT, "bytes after the request");
	return 0;
}

static int request_check(const struct payment_request *r, struct err *e)
{
	if (r->has_amount && !r->unit)
		return err_set(e, ERRK_INPUT, "amount without a unit");
	for (size_t i = 0; i < r->n_transports; i++)
		if (!r->transports[i].type || !r->transports[i].target)
			return err_set(e, ERRK_INPUT, "transport without type or target");
	if (!r->lock_kind != !r->lock_data)
		return err_set(e, ERRK_INPUT, "lock without kind or data");
	return 0;
}

int cashu_request_decode(struct payment_request **out, struct str text, struct err *e)
{
	AUTO(cashu_request_free) struct payment_request *r = cashu_request_new();
	struct str rest = str_trim(text);
	int rc;

	*out = NULL;
	if (rest.n > REQUEST_TEXT_MAX)
		return err_set(e, ERRK_LIMIT, "payment request: longer than %d characters",
			       REQUEST_TEXT_MAX);
	if (str_starts(rest, "creqA"))
		rc = decode_a(r, (struct str){rest.p + 5, rest.n - 5}, e);
	else
		rc = cashu_request_decode_tlv(r, rest, e);
	if (rc || request_check(r, e))
		return err_wrap(e, "payment request");
	*out = steal(&r);
	return 0;
}

static void put_text(struct buf *b, const char *key, const char *value)
{
	if (!value)
		return;
	cbor_put_text(b, str_of(key));
	cbor_put_text(b, str_of(value));
}

static void put_tags(struct buf *b, const char *key, const struct request_tags *t)
{
	if (t->n == 0)
		return;
	cbor_put_text(b, str_of(key));
	cbor_put_array(b, t->n);
	for (size_t i = 0; i < t->n; i++) {
		cbor_put_array(b, t->v[i].n);
		for (size_t k = 0; k < t->v[i].n; k++)
			cbor_put_text(b, str_of(t->v[i].v[k]));
	}
}

static void put_transports(struct buf *b, const struct payment_request *r)
{
	if (r->n_transports == 0)
		return;
	cbor_put_text(b, STR("t"));
	cbor_put_array(b, r->n_transports);
	for (size_t i = 0; i < r->n_transports; i++) {
		const struct request_transport *t = &r->transports[i];

		cbor_put_map(b, 2 + (t->tags.n > 0));
		put_text(b, "t", t->type);
		put_text(b, "a", t->target);
		put_tags(b, "g", &t->tags);
	}
}

static void put_mints(struct buf *b, const struct payment_request *r)
{
	if (r->n_mints == 0)
		return;
	cbor_put_text(b, STR("m"));
	cbor_put_array(b, r->n_mints);
	for (size_t i = 0; i < r->n_mints; i++)
		cbor_put_text(b, str_of(r->mints[i]));
}

static void put_lock(struct buf *b, const struct payment_request *r)
{
	if (!r->lock_kind)
		return;
	cbor_put_text(b, STR("nut10"));
	cbor_put_map(b, 2 + (r->lock_tags.n > 0));
	put_text(b, "k", r->lock_kind);
	put_text(b, "d", r->lock_data);
	put_tags(b, "t", &r->lock_tags);
}

int cashu_request_encode(struct buf *out, const struct payment_request *r, struct err *e)
{
	auto_buf struct buf raw = BUF(REQUEST_TEXT_MAX / 4 * 3 - 5);

	if (request_check(r, e))
		return err_wrap(e, "payment request");
	cbor_put_map(&raw, (r->id != NULL) + r->has_amount + (r->unit != NULL) + r->single_use +
				   (r->n_mints > 0) + (r->description != NULL) +
				   (r->n_transports > 0) + (r->lock_kind != NULL));
	put_transports(&raw, r);
	put_text(&raw, "i", r->id);
	if (r->has_amount) {
		cbor_put_text(&raw, STR("a"));
		cbor_put_u64(&raw, sat_raw(r->amount));
	}
	put_text(&raw, "u", r->unit);
	put_mints(&raw, r);
	put_text(&raw, "d", r->description);
	if (r->single_use) {
		cbor_put_text(&raw, STR("s"));
		cbor_put_bool(&raw, true);
	}
	put_lock(&raw, r);
	if (buf_check(&raw, "payment request", e))
		return -1;
	buf_puts(out, "creqA");
	base64_encode(out, raw.p, raw.n, BASE64_URL);
	return buf_check(out, "payment request", e);
}
