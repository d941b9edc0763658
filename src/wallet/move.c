/*
 * Move money between mints: the target's invoice is paid by the source. Each half is stored by
 * itself and goes on by itself after a crash (fund.c, melt.c), so this job only ties them together:
 * without it the money still arrives.
 */
#include <string.h>

#include "base/mem.h"
#include "wallet/pay.h"

static void move_end(struct job *j)
{
	if (!pay_of(j)->paid)
		return;
	if (pay_of(j)->lost)
		job_fail(j, &pay_of(j)->why);
	else if (pay_of(j)->minted)
		job_done(j, str_of(""), pay_of(j)->cost);
}

/* The invoice that nobody pays lapses by itself. */
static void move_broken(struct job *j, const struct wallet_news *n)
{
	wallet_fund_unwatch(j->w, j);
	if (n->stage == WALLET_NO_MONEY)
		job_poor(j, n->amount, n->missing);
	else if (n->open)
		job_open(j, n->error);
	else
		job_fail(j, n->error);
}

static void move_paid(void *ctx, const struct wallet_news *n)
{
	struct job *j = ctx;

	switch (n->stage) {
	case WALLET_DONE:
		pay_of(j)->paid = true;
		pay_of(j)->cost = n->amount;
		move_end(j);
		return;
	case WALLET_WAITING:
	case WALLET_INVOICE:
		job_say(j, WALLET_WAITING, n->text);
		return;
	case WALLET_NO_MONEY:
	case WALLET_OVER_LIMIT: /* of leases only */
	case WALLET_FAILED:
		move_broken(j, n);
		return;
	}
}

static void move_invoice(struct job *j, struct str invoice)
{
	auto_free char *text = mem_strndup(invoice.p, invoice.n);
	const struct wallet_pay p = {.mint = pay_of(j)->from->url,
				     .invoice = text,
				     .max_total = pay_of(j)->max_total,
				     .ref = ""};

	pay_of(j)->invoiced = true;
	wallet_pay(j->w, &p, move_paid, j);
}

/* Before there is an invoice nothing was paid; after it the payment decides what is told. */
static void move_failed(struct job *j, const struct wallet_news *n)
{
	if (!pay_of(j)->invoiced) {
		job_fail(j, n->error);
		return;
	}
	pay_of(j)->lost = true;
	pay_of(j)->why = *n->error;
	move_end(j);
}

static void move_funded(void *ctx, const struct wallet_news *n)
{
	struct job *j = ctx;

	switch (n->stage) {
	case WALLET_INVOICE:
		move_invoice(j, n->text);
		return;
	case WALLET_WAITING:
		return;
	case WALLET_DONE:
		pay_of(j)->minted = true;
		move_end(j);
		return;
	case WALLET_NO_MONEY:
	case WALLET_OVER_LIMIT:
	case WALLET_FAILED:
		move_failed(j, n);
		return;
	}
}

static void move_step(struct job *j)
{
	struct wallet_balance b;
	struct sat missing;
	struct err e;

	if (!j->mint || !pay_of(j)->from) {
		job_fail_msg(j, ERRK_DENIED, "this mint is not allowed");
		return;
	}
	if (j->mint == pay_of(j)->from || sat_is_zero(pay_of(j)->amount)) {
		job_fail_msg(j, ERRK_INPUT, "nothing to move");
		return;
	}
	if (wallet_balance(j->w, pay_of(j)->from->url, &b, &e) < 0)
		job_fail(j, &e);
	else if (sat_sub(&missing, pay_of(j)->amount, b.available) && !sat_is_zero(missing))
		job_poor(j, pay_of(j)->amount, missing);
	else
		wallet_fund(j->w, j->mint->url, pay_of(j)->amount, move_funded, j);
}

void wallet_move(struct wallet *w, const struct wallet_move *m, wallet_job_fn *fn, void *ctx)
{
	struct job *j = pay_job(w, m->to, fn, ctx, move_step);

	pay_of(j)->from = mint_allowed(w, str_of(m->from));
	pay_of(j)->amount = m->amount;
	pay_of(j)->max_total = m->max_total;
}
