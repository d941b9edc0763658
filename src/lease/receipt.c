/*
 * The receipt of a lease that has ended: an event kind 2402 signed with the provider's key, handed
 * to the buyer and never published. It says what was paid, used and kept, and what was erased; it
 * is honest about what nobody can show (a host with root read the memory).
 */
#include <string.h>

#include "base/clock.h"
#include "base/jsonw.h"
#include "lease/engine_impl.h"

static void write_erasure(struct jsonw *w, const struct engine *g,
			  const struct priv_destroy_reply *er)
{
	jsonw_object(w, "erased");
	jsonw_i64(w, "at", er->erased_at);
	jsonw_bool(w, "encrypted", er->encrypted);
	jsonw_text(w, "volume", g->volume);
	jsonw_text(w, "header", g->header);
	jsonw_u64(w, "volume_bytes", er->volume_bytes);
	jsonw_bool(w, "processes_gone", er->killed);
	jsonw_bool(w, "unmounted", er->unmounted);
	jsonw_bool(w, "detached", er->detached);
	jsonw_bool(w, "key_slots_destroyed", er->slots_gone);
	jsonw_bool(w, "header_destroyed", er->header_gone);
	jsonw_bool(w, "opening_refused", er->refused);
	jsonw_bool(w, "discarded", er->discarded);
	jsonw_bool(w, "file_removed", er->removed);
	jsonw_text(w, "not_proven", er->unproven);
	jsonw_end_object(w);
}

static int write_refund(void *ctx, const struct wallet_refund *r)
{
	struct jsonw *w = ctx;

	if (r->number != REFUND_OF_LEASE || r->state == WALLET_REFUND_DUE)
		return 0;
	jsonw_u64(w, "refund_sat", sat_raw(r->token_sat));
	jsonw_u64(w, "refund_fee_sat", sat_raw(r->fee));
	return 0;
}

/* Where the money went, and what an owner needs who asks for the refund with this receipt. */
static int write_money(struct jsonw *w, const struct engine *g, const struct lease *l,
		       struct err *e)
{
	struct lease_bill bill;
	uint8_t mark[16];

	lease_bill(&bill, l, l->ended_at);
	jsonw_u64(w, "paid_msat", msat_raw(l->paid));
	jsonw_u64(w, "used_msat", msat_raw(bill.used));
	jsonw_u64(w, "refund_due_msat", msat_raw(bill.refund));
	jsonw_u64(w, "kept_msat", msat_raw(bill.kept));
	jsonw_u64(w, "mint_fee_sat", sat_raw(l->fee));
	if (!l->refund_key[0])
		return 0;
	if (wallet_refund_mark(g->wallet, l->id, REFUND_OF_LEASE, mark, e) < 0)
		return -1;
	jsonw_text(w, "refund_key", l->refund_key);
	jsonw_hex(w, "refund_mark", mark, sizeof(mark));
	return wallet_each_refund(g->wallet, l->id, write_refund, w, e);
}

static int write_content(struct buf *out, const struct engine *g, const struct lease *l,
			 const struct priv_destroy_reply *er, struct err *e)
{
	struct jsonw w = JSONW(out);

	jsonw_object(&w, NULL);
	jsonw_u64(&w, "v", LEASE_PROTOCOL_VERSION);
	jsonw_text(&w, "lease", l->id);
	jsonw_text(&w, "request_id", l->request_id);
	jsonw_text(&w, "offer", l->offer);
	jsonw_text(&w, "kept", l->kept);
	jsonw_text(&w, "image", l->image);
	jsonw_text(&w, "image_digest", l->digest);
	jsonw_text(&w, "mint", l->mint);
	jsonw_u64(&w, "price_msat", l->price.msat);
	jsonw_u64(&w, "price_per", l->price.per);
	jsonw_i64(&w, "started_at", l->started_at);
	jsonw_i64(&w, "expires_at", l->expires_at);
	jsonw_i64(&w, "ended_at", l->ended_at);
	jsonw_text(&w, "why", lease_why_name(l->why));
	if (write_money(&w, g, l, e) < 0)
		return -1;
	write_erasure(&w, g, er);
	jsonw_end_object(&w);
	return buf_check(out, "receipt", e);
}

int receipt_write(struct buf *out, const struct engine *g, const struct lease *l,
		  const struct priv_destroy_reply *erased, struct err *e)
{
	auto_buf struct buf content = BUF(6144);
	auto_event struct nostr_event *ev = NULL;

	if (write_content(&content, g, l, erased, e) < 0)
		return -1;
	ev = nostr_event_new(LEASE_KIND_RECEIPT, clock_wall(), buf_view(&content));
	nostr_event_tag_key(ev, "p", &l->author);
	if (nostr_event_sign(ev, &g->me.secret, e) < 0)
		return err_wrap(e, "receipt of lease %s", l->id);
	nostr_event_write(out, ev);
	return buf_check(out, "receipt", e);
}
