/* creqB (NUT-26): bech32m of TLV, type one byte, length two bytes big endian. */
#include "cashu/request-tlv.h"

#include <string.h>

#include "base/hex.h"
#include "crypto/secp.h"

enum request_type {
	REQ_ID = 1,
	REQ_AMOUNT = 2,
	REQ_UNIT = 3,
	REQ_SINGLE_USE = 4,
	REQ_MINT = 5,
	REQ_DESCRIPTION = 6,
	REQ_TRANSPORT = 7,
	REQ_LOCK = 8,
};

enum part_type { PART_KIND = 1, PART_DATA = 2, PART_TAG = 3 }; /* of transport and of lock */

enum { TRANSPORT_NOSTR = 0, TRANSPORT_POST = 1 };
enum { LOCK_KIND_P2PK = 0, LOCK_KIND_HTLC = 1 };
enum { UNIT_SAT = 0 };
enum { NPROFILE_PUBKEY = 0, NPROFILE_RELAY = 1 }; /* NIP-19 */

/* Takes the next record of what is left. */
static int tlv_take(struct str *rest, uint8_t *type, struct str *value, struct err *e)
{
	size_t n;

	if (rest->n < 3)
		return err_set(e, ERRK_INPUT, "record ends too early");
	*type = (uint8_t)rest->p[0];
	n = (size_t)(uint8_t)rest->p[1] << 8 | (uint8_t)rest->p[2];
	if (n > rest->n - 3)
		return err_set(e, ERRK_INPUT, "record ends too early");
	*value = (struct str){rest->p + 3, n};
	rest->p += 3 + n;
	rest->n -= 3 + n;
	return 0;
}

static int text_set(char **to, struct str s, struct err *e)
{
	if (!utf8_valid(s))
		return err_set(e, ERRK_INPUT, "text that is not UTF-8, or with NUL");
	if (*to)
		return err_set(e, ERRK_INPUT, "a record comes twice");
	request_set_text(to, s);
	return 0;
}

/* Key and values, each behind its length in one byte. */
static int tag_decode(struct request_tags *to, struct str s, struct err *e)
{
	struct request_tag *t;

	if (request_add_tag(to, &t, e))
		return -1;
	while (s.n > 0) {
		size_t n = (uint8_t)s.p[0];
		struct str value = {s.p + 1, n};

		if (n >= s.n || !utf8_valid(value))
			return err_set(e, ERRK_INPUT, "malformed tag");
		if (request_add_value(t, value, e))
			return -1;
		s = (struct str){s.p + 1 + n, s.n - 1 - n};
	}
	return 0;
}

/* kind, data and tags, which transports and locks have in common. */
struct parts {
	bool has_kind;
	uint8_t kind;
	struct str data;
	struct request_tags *tags;
};

static int part_take(struct parts *p, uint8_t type, struct str value, struct err *e)
{
	switch (type) {
	case PART_KIND:
		if (value.n != 1)
			return err_set(e, ERRK_INPUT, "kind is not one byte");
		p->kind = (uint8_t)value.p[0];
		p->has_kind = true;
		return 0;
	case PART_DATA:
		p->data = value;
		return 0;
	case PART_TAG:
		return tag_decode(p->tags, value, e);
	default:
		return 0;
	}
}

static int parts_decode(struct parts *p, struct str s, struct err *e)
{
	struct str value;
	uint8_t type;

	while (s.n > 0)
		if (tlv_take(&s, &type, &value, e) || part_take(p, type, value, e))
			return -1;
	if (!p->has_kind)
		return err_set(e, ERRK_INPUT, "no kind");
	return 0;
}

/* NUT-26 writes the relays of an nprofile as tags `r`: they go back to where they were. */
static int nprofile_make(struct request_transport *t, struct str pubkey, struct err *e)
{
	auto_buf struct buf raw = BUF(REQUEST_TEXT_MAX), text = BUF(REQUEST_TEXT_MAX * 2);

	if (pubkey.n != sizeof(struct pubkey))
		return err_set(e, ERRK_INPUT, "nostr target is not a public key");
	buf_byte(&raw, NPROFILE_PUBKEY);
	buf_byte(&raw, (uint8_t)pubkey.n);
	buf_str(&raw, pubkey);
	for (size_t i = 0; i < t->tags.n; i++) {
		const struct request_tag *tag = &t->tags.v[i];

		if (tag->n < 2 || strcmp(tag->v[0], "r") != 0)
			continue;
		buf_byte(&raw, NPROFILE_RELAY);
		buf_byte(&raw, (uint8_t)strlen(tag->v[1])); /* came behind a length in one byte */
		buf_puts(&raw, tag->v[1]);
	}
	if (bech32_encode(&text, "nprofile", BECH32, raw.p, raw.n, e))
		return -1;
	request_set_text(&t->target, buf_view(&text));
	return 0;
}

static int transport_decode(struct payment_request *r, struct str s, struct err *e)
{
	struct request_transport *t;
	struct parts p = {0};

	if (request_add_transport(r, &t, e))
		return -1;
	p.tags = &t->tags;
	if (parts_decode(&p, s, e))
		return err_wrap(e, "transport");
	if (p.kind == TRANSPORT_NOSTR) {
		request_set_text(&t->type, STR("nostr"));
		return nprofile_make(t, p.data, e);
	}
	if (p.kind != TRANSPORT_POST)
		return err_set(e, ERRK_INPUT, "unknown kind of transport");
	request_set_text(&t->type, STR("post"));
	return text_set(&t->target, p.data, e);
}

static int lock_decode(struct payment_request *r, struct str s, struct err *e)
{
	struct parts p = {.tags = &r->lock_tags};

	if (r->lock_kind)
		return err_set(e, ERRK_INPUT, "a record comes twice");
	if (parts_decode(&p, s, e))
		return err_wrap(e, "lock");
	if (p.kind != LOCK_KIND_P2PK && p.kind != LOCK_KIND_HTLC)
		return err_set(e, ERRK_INPUT, "unknown kind of lock");
	request_set_text(&r->lock_kind, p.kind == LOCK_KIND_P2PK ? STR("P2PK") : STR("HTLC"));
	return text_set(&r->lock_data, p.data, e);
}

static int amount_decode(struct payment_request *r, struct str s, struct err *e)
{
	uint64_t n = 0;

	if (s.n != 8)
		return err_set(e, ERRK_INPUT, "amount is not eight bytes");
	for (size_t i = 0; i < s.n; i++)
		n = n << 8 | (uint8_t)s.p[i];
	return request_set_amount(r, n, e);
}

static int unit_decode(struct payment_request *r, struct str s, struct err *e)
{
	if (s.n == 1 && s.p[0] == UNIT_SAT)
		s = STR("sat");
	return text_set(&r->unit, s, e);
}

static int single_use_decode(struct payment_request *r, struct str s, struct err *e)
{
	if (s.n != 1 || (uint8_t)s.p[0] > 1)
		return err_set(e, ERRK_INPUT, "single use is not 0 or 1");
	r->single_use = s.p[0] == 1;
	return 0;
}

static int mint_decode(struct payment_request *r, struct str s, struct err *e)
{
	if (!utf8_valid(s))
		return err_set(e, ERRK_INPUT, "text that is not UTF-8, or with NUL");
	return request_add_mint(r, s, e);
}

static int record_take(struct payment_request *r, uint8_t type, struct str value, struct err *e)
{
	switch (type) {
	case REQ_ID:
		return text_set(&r->id, value, e);
	case REQ_AMOUNT:
		return amount_decode(r, value, e);
	case REQ_UNIT:
		return unit_decode(r, value, e);
	case REQ_SINGLE_USE:
		return single_use_decode(r, value, e);
	case REQ_MINT:
		return mint_decode(r, value, e);
	case REQ_DESCRIPTION:
		return text_set(&r->description, value, e);
	case REQ_TRANSPORT:
		return transport_decode(r, value, e);
	case REQ_LOCK:
		return lock_decode(r, value, e);
	default:
		return 0;
	}
}

int cashu_request_decode_tlv(struct payment_request *r, struct str text, struct err *e)
{
	auto_buf struct buf raw = BUF(BECH32_MAX);
	struct str rest, value;
	char hrp[17];
	uint8_t type;

	if (bech32_decode(hrp, &raw, BECH32M, text, e))
		return -1;
	if (strcmp(hrp, "creqb") != 0)
		return err_set(e, ERRK_INPUT, "neither creqA nor creqB");
	for (rest = buf_view(&raw); rest.n > 0;)
		if (tlv_take(&rest, &type, &value, e) || record_take(r, type, value, e))
			return -1;
	return 0;
}
