/* The treasury's verbs that let money out: by Lightning, or as a token. */
#include "agent/control_pay.h"

#include <string.h>

#include "base/json.h"
#include "base/jsonw.h"
#include "base/log.h"
#include "base/mem.h"
#include "cashu/invoice.h"
#include "lease/engine.h"
#include "wallet/health.h"
#include "wallet/leave.h"

#define FEE_PERCENT 5 /* where the operator names no limit */
#define FEE_LEAST   10

struct pay_job {
	struct control_call *call;
	char mint[WALLET_URL_MAX + 1];
};

/* The mint that was named, else the one with the most to spare; and what that is. */
static int pick_mint(struct wallet *w, const struct json *request, char mint[WALLET_URL_MAX + 1],
		     struct wallet_funds *f, struct err *e)
{
	struct str named = {NULL, 0};

	if (json_opt_str(request, "mint", WALLET_URL_MAX, &named, e) < 0)
		return -1;
	if (named.n)
		return wallet_url(mint, named, e) < 0 ? -1 : wallet_funds(w, mint, f, e);
	if (wallet_richest(w, mint, f, e) < 0)
		return -1;
	return mint[0] ? 0 : err_set(e, ERRK_STATE, "nothing is free to leave");
}

static int read_sat(struct sat *out, const struct json *request, const char *key, struct err *e)
{
	uint64_t n = 0;

	if (json_opt_u64(request, key, AMOUNT_MSAT_MAX / 1000, &n, e) < 0)
		return -1;
	return sat_make(out, n) ? 0 : err_set(e, ERRK_LIMIT, "%s is too large", key);
}

/* max_fee on top of `amount`; a usual share where none is named. */
static int most_of(struct sat *out, const struct json *request, struct sat amount, struct err *e)
{
	struct sat fee = SAT(sat_raw(amount) * FEE_PERCENT / 100 + FEE_LEAST);

	if (json_get(request, "max_fee") && read_sat(&fee, request, "max_fee", e) < 0)
		return -1;
	return sat_add(out, amount, fee) ? 0 : err_set(e, ERRK_LIMIT, "amount is too large");
}

static void pay_failed(struct pay_job *j, const struct wallet_news *n)
{
	struct err e;

	if (n->stage == WALLET_NO_MONEY) {
		err_set(&e, ERRK_STATE,
			"%s: %llu sat are needed with fees, and so much is not free; what is paid "
			"for leases that are not over or due as refunds stays",
			j->mint, (unsigned long long)sat_raw(n->amount));
		control_answer(j->call, (struct str){0}, &e);
		return;
	}
	control_answer(j->call, (struct str){0}, n->error);
}

/* --- withdraw --- */

static void paid(void *ctx, const struct wallet_news *n)
{
	auto_buf struct buf text = BUF(4096);
	struct jsonw w = JSONW(&text);
	struct pay_job *j = ctx;

	if (n->stage == WALLET_WAITING || n->stage == WALLET_INVOICE)
		return;
	if (n->stage != WALLET_DONE) {
		pay_failed(j, n);
		return;
	}
	jsonw_object(&w, NULL);
	jsonw_text(&w, "mint", j->mint);
	jsonw_u64(&w, "cost_sat", sat_raw(n->amount));
	jsonw_str(&w, "preimage", n->text);
	jsonw_end_object(&w);
	control_answer(j->call, buf_view(&text), NULL);
}

static int withdraw_invoice(struct wallet *w, const struct json *request, const char *invoice,
			    struct pay_job *j, struct err *e)
{
	struct wallet_pay pay = {.mint = j->mint, .invoice = invoice};
	struct invoice read;

	if (invoice_read(&read, str_of(invoice), e) < 0)
		return -1;
	if (read_sat(&pay.amount, request, "amount", e) < 0)
		return -1;
	if (!read.has_amount && sat_is_zero(pay.amount))
		return err_set(e, ERRK_INPUT, "the invoice names no amount: say how much to pay");
	if (most_of(&pay.max_total, request, read.has_amount ? invoice_sat(&read) : pay.amount, e) <
	    0)
		return -1;
	wallet_pay(w, &pay, paid, j);
	return 0;
}

/* Without an amount: all that is free, less what the fees may be. */
static int withdraw_address(struct wallet *w, const struct json *request, const char *address,
			    const struct wallet_funds *f, struct pay_job *j, struct err *e)
{
	struct wallet_pay_address pay = {.mint = j->mint, .address = address};
	struct sat most, fee;

	if (read_sat(&pay.amount, request, "amount", e) < 0 ||
	    most_of(&most, request, sat_is_zero(pay.amount) ? f->spare : pay.amount, e) < 0)
		return -1;
	pay.max_total = most;
	if (sat_is_zero(pay.amount)) {
		pay.max_total = f->spare;
		if (!sat_sub(&fee, most, f->spare) || !sat_sub(&pay.amount, f->spare, fee) ||
		    sat_is_zero(pay.amount))
			return err_set(e, ERRK_STATE, "%s: the fees would eat up what is free",
				       j->mint);
	}
	wallet_pay_address(w, &pay, paid, j);
	return 0;
}

int control_withdraw(void *ctx, const struct json *request, struct control_call *call,
		     struct buf *out, struct err *e)
{
	struct wallet *w = engine_wallet(ctx);
	struct pay_job *j = mem_zero(sizeof(*j));
	auto_free char *target = NULL;
	struct wallet_funds f;
	struct str to;

	j->call = call;
	control_keep(call, j, free);
	if (json_str(request, "to", INVOICE_TEXT_MAX, &to, e) < 0 ||
	    pick_mint(w, request, j->mint, &f, e) < 0)
		return -1;
	target = mem_strndup(to.p, to.n);
	if ((wallet_is_address(to) ? withdraw_address(w, request, target, &f, j, e)
				   : withdraw_invoice(w, request, target, j, e)) < 0)
		return -1;
	return CONTROL_LATER;
}

/* --- send --- */

static void sent(void *ctx, const struct wallet_news *n)
{
	auto_buf struct buf text = BUF(512 << 10);
	struct jsonw w = JSONW(&text);
	struct pay_job *j = ctx;

	if (n->stage == WALLET_WAITING)
		return;
	if (n->stage != WALLET_DONE) {
		pay_failed(j, n);
		return;
	}
	if (!control_heard(j->call))
		log_warn("nobody waited for token %lld over %llu sat: leasectl wallet pending",
			 (long long)n->token_out, (unsigned long long)sat_raw(n->amount));
	jsonw_object(&w, NULL);
	jsonw_i64(&w, "id", n->token_out);
	jsonw_text(&w, "mint", j->mint);
	jsonw_u64(&w, "amount_sat", sat_raw(n->amount));
	jsonw_str(&w, "token", n->text);
	jsonw_end_object(&w);
	control_answer(j->call, buf_view(&text), NULL);
}

int control_send(void *ctx, const struct json *request, struct control_call *call, struct buf *out,
		 struct err *e)
{
	struct wallet *w = engine_wallet(ctx);
	struct pay_job *j = mem_zero(sizeof(*j));
	struct wallet_plain plain = {.mint = j->mint};
	struct wallet_funds f;

	j->call = call;
	control_keep(call, j, free);
	if (read_sat(&plain.amount, request, "amount", e) < 0 ||
	    pick_mint(w, request, j->mint, &f, e) < 0)
		return -1;
	if (sat_is_zero(plain.amount))
		return err_set(e, ERRK_INPUT, "amount is missing");
	wallet_send_plain(w, &plain, sent, j);
	return CONTROL_LATER;
}
