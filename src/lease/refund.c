/*
 * Refunds towards the buyer: who is told of one that was made, and what an owner who asks again is
 * answered. The money itself is the wallet's (wallet/till.h).
 */
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/step.h"
#include "lease/engine_impl.h"

#define KNOWN_TRIES 8

/* --- due --- */

/* Request ids are random, and known to every database that knows the payment. */
uint32_t refund_number(const char *request_id)
{
	uint8_t b[3] = {0};

	if (hex_decode(b, sizeof(b), (struct str){request_id, 2 * sizeof(b)}, NULL) < 0)
		return REFUND_OF_TOPUP;
	return REFUND_OF_TOPUP + ((uint32_t)b[0] << 16 | (uint32_t)b[1] << 8 | b[2]);
}

int refund_store(struct engine *g, struct tx *tx, const struct lease *l, uint32_t number,
		 struct msat amount, struct err *e)
{
	uint8_t key[33];
	struct wallet_refund job = {
		.lease = l->id, .number = number, .mint = l->mint, .amount = amount, .key = key};
	int rc = WALLET_KNOWN;

	if (!msat_raw(amount) || !l->refund_key[0])
		return 0;
	if (hex_decode(key, sizeof(key), str_of(l->refund_key), e) < 0)
		return err_wrap(e, "refund key of lease %s", l->id);
	/* Request ids are the buyer's: two that begin alike are two refunds all the same. */
	for (int i = 0; rc == WALLET_KNOWN && i < KNOWN_TRIES; i++, job.number++)
		rc = wallet_refund_due(tx, &job, e);
	if (rc == WALLET_KNOWN)
		return err_set(e, ERRK_STATE, "lease %s: refund %u is known", l->id, number);
	return rc;
}

void refunds_run(struct engine *g, const char *lease)
{
	struct err e;

	if (wallet_refund_run(g->wallet, lease, &e) < 0)
		log_broken("refunds of lease %s: %s", lease, e.msg);
}

/* --- telling --- */

static void say_refund(struct reply *r, const struct wallet_refund *x)
{
	static const char *const words[] = {
		[WALLET_REFUND_DUE] = "due",
		[WALLET_REFUND_MADE] = "made",
		[WALLET_REFUND_TAKEN] = "taken",
	};
	struct sat whole = msat_floor(x->amount);

	memcpy(r->refund_state, words[x->state], strlen(words[x->state]));
	r->refund_number = x->number;
	r->refund_due = x->amount;
	r->refund_sat = x->token_sat;
	r->refund_fee = x->fee;
	if (x->state == WALLET_REFUND_DUE)
		reply_say(r, "%llu sat are due and are paid as soon as the mint answers",
			  (unsigned long long)sat_raw(whole));
	else
		reply_say(r, "%llu sat back, the mint kept %llu",
			  (unsigned long long)sat_raw(x->token_sat),
			  (unsigned long long)sat_raw(x->fee));
}

/* The request that paid for what is given back. */
static void paying_request(struct engine *g, const struct lease *l, uint32_t number,
			   char out[static LEASE_REQUEST_ID_HEX + 1])
{
	auto_stmt struct stmt *s =
		db_query(g->db, "SELECT request_id FROM payment WHERE lease = ? AND kind = ?");

	memcpy(out, l->request_id, LEASE_REQUEST_ID_HEX + 1);
	if (number < REFUND_OF_TOPUP)
		return;
	db_bind_text(s, 1, str_of(l->id));
	db_bind_i64(s, 2, PAYMENT_TOPUP);
	while (db_step(s, NULL) == DB_ROW) {
		struct str id = db_text(s, 0);

		if (id.n == LEASE_REQUEST_ID_HEX && refund_number(id.p) == number)
			memcpy(out, id.p, id.n);
	}
}

int refund_made(void *ctx, struct tx *tx, const struct wallet_refund *x, struct err *e)
{
	struct engine *g = ctx;
	auto_reply struct reply *r = NULL;
	char request_id[LEASE_REQUEST_ID_HEX + 1];
	struct lease l;

	if (lease_load(g->db, x->lease, &l, e))
		return err_set(e, ERRK_STATE, "refund of lease %s, which is not known", x->lease);
	paying_request(g, &l, x->number, request_id);
	r = reply_new(request_id, REPLY_STAGE_REFUND, REPLY_OK);
	reply_fill(r, &l);
	say_refund(r, x);
	r->final = true;
	r->token = REPLY_TOKEN_REFUNDED;
	r->refund = mem_strndup(x->token.p, x->token.n);
	return outbox_add(g, tx, &l.author, r, e);
}

void refund_done(void *ctx, const struct wallet_refund *x)
{
	struct engine *g = ctx;

	g->tally.refunds++;
	log_info("lease %s: refund %u is made", x->lease, (unsigned)x->number);
	outbox_kick(g);
}

/* --- asked again --- */

struct telling {
	struct ask *a;
	const struct lease *l;
	struct tx *tx;
	struct err *e;
	size_t left; /* rows that are still to come */
	int rc;
};

static int tell_one(void *ctx, const struct wallet_refund *x)
{
	struct telling *t = ctx;
	auto_buf struct buf token = BUF(LEASE_TOKEN_MAX);
	auto_reply struct reply *r = reply_new(t->a->req->request_id, REPLY_STAGE_REFUND, REPLY_OK);

	reply_fill(r, t->l);
	say_refund(r, x);
	r->final = --t->left == 0;
	r->token = x->state == WALLET_REFUND_DUE ? REPLY_TOKEN_SPENT : REPLY_TOKEN_REFUNDED;
	t->rc = wallet_refund_token(t->a->g->wallet, x->lease, x->number, &token, t->e);
	if (!t->rc)
		r->refund = buf_steal(&token);
	if (t->rc >= 0)
		t->rc = outbox_add(t->a->g, t->tx, &t->a->author, r, t->e);
	return t->rc;
}

static int count_one(void *ctx, const struct wallet_refund *x)
{
	++*(size_t *)ctx;
	return 0;
}

/* A lease that gave nothing back, or that runs: one reply without a refund. */
static int tell_none(const struct telling *t)
{
	auto_reply struct reply *r = reply_new(t->a->req->request_id, REPLY_STAGE_REFUND, REPLY_OK);

	reply_fill(r, t->l);
	r->final = true;
	reply_say(r, "lease %s is %s: nothing is due back", t->l->id,
		  lease_state_name(t->l->state));
	return outbox_add(t->a->g, t->tx, &t->a->author, r, t->e);
}

static int tell(struct ask *a, const struct lease *l, struct err *e)
{
	struct wallet *w = a->g->wallet;
	auto_tx struct tx *tx = NULL;
	struct telling t = {.a = a, .l = l, .e = e};

	if (db_begin(&tx, a->g->db, e) < 0)
		return -1;
	t.tx = tx;
	if (wallet_each_refund(w, l->id, count_one, &t.left, e) < 0)
		return -1;
	if (!t.left)
		t.rc = tell_none(&t);
	else if (wallet_each_refund(w, l->id, tell_one, &t, e) < 0)
		return -1;
	return t.rc < 0 ? -1 : db_commit(&tx, e);
}

void refund_asked(struct ask *a, const struct lease *l)
{
	struct err e;

	if (tell(a, l, &e) < 0)
		log_broken("refunds of lease %s: %s", l->id, e.msg);
	outbox_kick(a->g);
	refunds_run(a->g, l->id);
}
