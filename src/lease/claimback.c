/*
 * A refund that is asked for with our own receipt, by a buyer whose lease this database does not
 * know, or knows as another one: it was restored from a copy. What the receipt promised is owed.
 */
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/log.h"
#include "lease/engine_impl.h"

static int read_event(struct nostr_event **out, const struct ask *a, struct err *e)
{
	auto_event struct nostr_event *ev = NULL;

	if (nostr_event_parse(&ev, str_of(a->req->receipt), e) < 0 || nostr_event_verify(ev, e) < 0)
		return err_wrap(e, "receipt");
	if (ev->kind != LEASE_KIND_RECEIPT || !pubkey_eq(&ev->pubkey, &a->g->pubkey))
		return err_set(e, ERRK_DENIED, "receipt: not signed by this provider");
	if (!nostr_event_names_key(ev, &a->author))
		return err_set(e, ERRK_DENIED, "receipt: it is somebody else's");
	*out = steal(&ev);
	return 0;
}

static int read_i64(int64_t *out, const struct json *j, const char *key, struct err *e)
{
	uint64_t v = 0;

	if (json_opt_u64(j, key, (uint64_t)1 << 40, &v, e) < 0)
		return -1;
	*out = (int64_t)v;
	return 0;
}

static int read_texts(struct lease *l, const struct json *j, struct err *e)
{
	if (json_opt_copy(l->id, sizeof(l->id), j, "lease", e) < 0 ||
	    json_opt_copy(l->request_id, sizeof(l->request_id), j, "request_id", e) < 0 ||
	    json_opt_copy(l->offer, sizeof(l->offer), j, "offer", e) < 0 ||
	    json_opt_copy(l->image, sizeof(l->image), j, "image", e) < 0 ||
	    json_opt_copy(l->digest, sizeof(l->digest), j, "image_digest", e) < 0 ||
	    json_opt_copy(l->mint, sizeof(l->mint), j, "mint", e) < 0)
		return -1;
	return json_opt_copy(l->refund_key, sizeof(l->refund_key), j, "refund_key", e);
}

static int read_money(struct lease *l, struct msat *due, const struct json *j, struct err *e)
{
	uint64_t paid, refund, fee;

	if (json_u64(j, "paid_msat", AMOUNT_MSAT_MAX, &paid, e) < 0 ||
	    json_u64(j, "refund_due_msat", AMOUNT_MSAT_MAX, &refund, e) < 0 ||
	    json_u64(j, "mint_fee_sat", 1000000, &fee, e) < 0 ||
	    json_u64(j, "price_msat", AMOUNT_MSAT_MAX, &l->price.msat, e) < 0 ||
	    json_u64(j, "price_per", 31536000, &l->price.per, e) < 0)
		return -1;
	if (!msat_make(&l->paid, paid) || !msat_make(due, refund) || !sat_make(&l->fee, fee))
		return err_set(e, ERRK_INPUT, "receipt: amount");
	return 0;
}

/* Only the wallet that would have made this refund may be asked for it again. */
static int check_mark(const struct ask *a, const struct json *j, struct err *e)
{
	uint8_t ours[16], theirs[16];

	if (json_hex(j, "refund_mark", theirs, sizeof(theirs), e) < 0 ||
	    wallet_refund_mark(a->g->wallet, a->req->lease, REFUND_OF_LEASE, ours, e) < 0)
		return -1;
	if (memcmp(ours, theirs, sizeof(ours)))
		return err_set(e, ERRK_DENIED, "receipt: of another wallet");
	return 0;
}

/* The lease as the receipt tells it, ended. */
static int read_receipt(struct lease *l, struct msat *due, const struct ask *a, struct err *e)
{
	const struct json_limits lim = {.bytes = LEASE_RECEIPT_MAX, .depth = 4, .nodes = 256};
	auto_event struct nostr_event *ev = NULL;
	auto_json struct json *j = NULL;

	memset(l, 0, sizeof(*l));
	if (read_event(&ev, a, e) < 0 || json_parse(&j, ev->content, &lim, e) < 0 ||
	    read_texts(l, j, e) < 0 || read_money(l, due, j, e) < 0 || check_mark(a, j, e) < 0 ||
	    read_i64(&l->started_at, j, "started_at", e) < 0 ||
	    read_i64(&l->expires_at, j, "expires_at", e) < 0 ||
	    read_i64(&l->ended_at, j, "ended_at", e) < 0)
		return err_wrap(e, "receipt");
	if (strcmp(l->id, a->req->lease))
		return err_set(e, ERRK_INPUT, "receipt: of another lease");
	l->author = a->author;
	l->state = LEASE_ENDED;
	l->max_lease = l->expires_at > l->started_at ? l->expires_at - l->started_at : 0;
	l->exit_status = -1;
	return 0;
}

static int store_due(const struct ask *a, struct tx *tx, const struct lease *l, struct msat due,
		     enum ledger_account from, struct err *e)
{
	uint8_t key[33];
	const struct wallet_refund job = {.lease = l->id,
					  .number = REFUND_OF_LEASE,
					  .mint = l->mint,
					  .amount = due,
					  .key = key,
					  .from = from};

	if (!msat_raw(due))
		return 0;
	if (hex_decode(key, sizeof(key), str_of(l->refund_key), e) < 0)
		return err_wrap(e, "refund key of lease %s", l->id);
	log_broken("lease %s: our receipt promised a refund that this database does not know; "
		   "was it restored from a copy?",
		   l->id);
	return wallet_refund_due(tx, &job, e) < 0 ? -1 : 0;
}

static int store_lease(const struct ask *a, struct tx *tx, const struct lease *l, struct err *e)
{
	if (lease_insert(tx, l, STR(""), e) < 0 || lease_save(tx, l, e) < 0)
		return -1;
	return lease_save_receipt(tx, l->id, str_of(a->req->receipt), e);
}

static int count_own(void *ctx, const struct wallet_refund *x)
{
	*(bool *)ctx |= x->number == REFUND_OF_LEASE;
	return 0;
}

int claimback(const struct ask *a, struct lease *known, struct err *e)
{
	auto_tx struct tx *tx = NULL;
	struct lease l;
	enum ledger_account from;
	struct msat due;
	bool has = false;

	if (read_receipt(&l, &due, a, e) < 0)
		return -1;
	if (known && (known->state == LEASE_RUNNING || known->state == LEASE_PAID))
		return end_lease(a->g, known, WHY_OWNER, e);
	if (known && known->state != LEASE_ENDED && known->state != LEASE_REFUSED)
		return 0; /* its end comes, and its refund with it */
	if (wallet_each_refund(a->g->wallet, l.id, count_own, &has, e) < 0 ||
	    db_begin(&tx, a->g->db, e) < 0)
		return -1;
	if (!known && store_lease(a, tx, &l, e) < 0)
		return -1;
	/* What it paid was booked as earned here, or never came into these books. */
	from = known && known->state == LEASE_ENDED ? LEDGER_EARNED : LEDGER_OWN;
	if (!has && store_due(a, tx, &l, due, from, e) < 0)
		return -1;
	return db_commit(&tx, e);
}
