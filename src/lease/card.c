/* The pages of SPEC_SOCKET: see card.h. */
#include "lease/card.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/jsonw.h"
#include "base/log.h"
#include "base/mem.h"
#include "cashu/request-tlv.h"
#include "lease/engine_impl.h"
#include "nostr/nip19.h"

#define RELAYS_MAX  4	/* where a payment may be sent to */
#define RELAY_BYTES 128 /* of one's URL */
#define LOCK_SPARE  (3 * 3600)
#define UNIT	    "sat"

static void write_card(struct buf *out, const struct engine *g, const struct lease *l)
{
	struct jsonw w = JSONW(out);
	auto_buf struct buf npub = BUF(128);

	nip19_npub(&npub, &g->pubkey);
	jsonw_object(&w, NULL);
	jsonw_text(&w, "lease", l->id);
	jsonw_text(&w, "provider", npub.p);
	jsonw_text(&w, "offer", l->offer);
	jsonw_text(&w, "image", l->image);
	jsonw_text(&w, "digest", l->digest);
	jsonw_object(&w, "price");
	jsonw_u64(&w, "msat", l->price.msat);
	jsonw_u64(&w, "per", l->price.per);
	jsonw_end_object(&w);
	jsonw_i64(&w, "max_lease", l->max_lease);
	spec_limits_write(&w, "limits", &l->limits);
	spec_ports_write(&w, "ports",
			 &(struct spec_ports){(struct spec_port *)l->ports, l->nports});
	jsonw_text(&w, "address", l->nports ? l->address : NULL);
	jsonw_text(&w, "address6", l->address6);
	jsonw_end_object(&w);
}

/* --- the payment request --- */

static int write_profile(struct buf *out, const struct engine *g, struct err *e)
{
	char *relays[RELAYS_MAX];
	struct nip19 n = {.type = NIP19_NPROFILE, .relays = relays};

	memcpy(n.b, g->pubkey.b, sizeof(n.b));
	for (const char *const *r = g->set.dm_relays; *r && n.nrelays < RELAYS_MAX; r++)
		if (strlen(*r) <= RELAY_BYTES)
			relays[n.nrelays++] = (char *)*r; /* only read */
	return nip19_encode(out, &n, e);
}

static int add_tag(struct request_tags *tags, const char *name, const char *value, struct err *e)
{
	struct request_tag *t;

	return request_add_tag(tags, &t, e) < 0 || request_add_value(t, str_of(name), e) < 0 ||
			       request_add_value(t, str_of(value), e) < 0
		       ? -1
		       : 0;
}

/* NUT-18: "n" names the NIPs: a NIP-17 message. */
static int add_transport(struct payment_request *r, const struct engine *g, struct err *e)
{
	auto_buf struct buf profile = BUF(4096);
	struct request_transport *t;

	if (write_profile(&profile, g, e) < 0 || request_add_transport(r, &t, e) < 0)
		return -1;
	request_set_text(&t->type, STR("nostr"));
	request_set_text(&t->target, buf_view(&profile));
	return add_tag(&t->tags, "n", "17", e);
}

/* The payer's wallet adds its own refund key, so a refused payment comes back when the lock ends:
 * soon after the last moment in which the lease can take it. A top-up makes a new request. */
static int add_lock(struct payment_request *r, struct engine *g, const struct lease *l,
		    struct err *e)
{
	int64_t end = l->expires_at;
	char hex[67], at[24];
	uint8_t key[33];

	if (g->set.lock != WALLET_LOCK_REQUIRED)
		return 0;
	if (!end)
		end = clock_wall() + l->start_timeout + lease_paid_seconds(l);
	if (wallet_payment_key(g->wallet, l->mint, key, e) < 0)
		return -1;
	hex_encode(hex, key, sizeof(key));
	snprintf(at, sizeof(at), "%" PRId64, end + LOCK_SPARE);
	request_set_text(&r->lock_kind, STR("P2PK"));
	request_set_text(&r->lock_data, str_of(hex));
	return add_tag(&r->lock_tags, "locktime", at, e);
}

/* Any amount, again and again, at the one mint where the lease is paid. */
static int write_request(struct buf *out, struct engine *g, const struct lease *l, struct err *e)
{
	AUTO(cashu_request_free) struct payment_request *r = cashu_request_new();

	request_set_text(&r->id, str_of(l->id));
	request_set_text(&r->unit, STR(UNIT));
	if (request_add_mint(r, str_of(l->mint), e) < 0 || add_transport(r, g, e) < 0 ||
	    add_lock(r, g, l, e) < 0)
		return -1;
	return cashu_request_encode(out, r, e);
}

static int write_topup(struct buf *out, struct engine *g, const struct lease *l, struct err *e)
{
	auto_buf struct buf request = BUF(PRIV_CARD_MAX);
	struct jsonw w = JSONW(out);

	if (write_request(&request, g, l, e) < 0)
		return -1;
	jsonw_object(&w, NULL);
	jsonw_text(&w, "request", request.p);
	jsonw_text(&w, "unit", UNIT);
	jsonw_text(&w, "mint", l->mint);
	jsonw_object(&w, "price");
	jsonw_u64(&w, "msat", l->price.msat);
	jsonw_u64(&w, "per", l->price.per);
	jsonw_end_object(&w);
	jsonw_end_object(&w);
	return 0;
}

/* NULL where it does not fit: the lease runs without. */
static char *finish(struct buf *page, const struct lease *l, int rc, struct err *e)
{
	if (rc == 0 && buf_check(page, "its page", e) == 0)
		return buf_steal(page);
	log_warn("lease %s: what it is told about itself: %s", l->id, e->msg);
	return NULL;
}

void card_write(char **card, char **topup, struct engine *g, const struct lease *l)
{
	auto_buf struct buf page = BUF(PRIV_CARD_MAX), pay = BUF(PRIV_CARD_MAX);
	struct err e;

	write_card(&page, g, l);
	*card = finish(&page, l, 0, &e);
	*topup = finish(&pay, l, write_topup(&pay, g, l, &e), &e);
}
