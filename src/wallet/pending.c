/* What is open, for people: invoices and exchanges with mints. Outgoing tokens are in outs.c. */
#include <string.h>

#include "base/mem.h"
#include "wallet/job.h"

/* --- invoices --- */

static int quote_look(struct wallet_quote *out, struct quote *q, struct wallet *w, int64_t id,
		      struct err *e)
{
	if (quote_load(q, w, id, e) < 0)
		return -1;
	secret_wipe(&q->key);
	*out = (struct wallet_quote){
		.id = id,
		.mint = q->mint->url,
		.invoice = q->invoice,
		.amount = q->amount,
		.expiry = q->expiry,
		.paid = q->state == FUND_PLANNED,
		.elsewhere = owner_alive(w, &q->owner),
	};
	return 0;
}

int wallet_each_quote(struct wallet *w, int (*fn)(void *ctx, const struct wallet_quote *q),
		      void *ctx, struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(w->db, "SELECT id FROM quote WHERE state IN (?, ?) ORDER BY id");
	struct wallet_quote out;
	struct quote q;
	int rc;

	db_bind_i64(s, 1, FUND_WAITING);
	db_bind_i64(s, 2, FUND_PLANNED);
	while ((rc = db_step(s, e)) == DB_ROW) {
		if (quote_look(&out, &q, w, db_i64(s, 0), e) < 0)
			return -1;
		if (fn(ctx, &out) != 0)
			return 0;
	}
	return rc;
}

static void watch_alone(struct job *j)
{
	job_fail_msg(j, ERRK_STATE, "nothing is to be done here: another process waits for it");
}

void wallet_fund_watch(struct wallet *w, int64_t quote, wallet_job_fn *fn, void *ctx)
{
	for (struct job *j = w->jobs; j; j = j->next) {
		if (j->quote != quote || j->fn)
			continue;
		j->fn = fn;
		j->ctx = ctx;
		return;
	}
	job_new(w, fn, ctx, watch_alone);
}

void wallet_fund_unwatch(struct wallet *w, const void *ctx)
{
	for (struct job *j = w->jobs; j; j = j->next)
		if (j->ctx == ctx)
			j->fn = NULL;
}

/* --- exchanges --- */

static int exchange_of_row(struct wallet_exchange *out, struct wallet *w, struct stmt *s,
			   struct err *e)
{
	const struct owner o = {db_i64(s, 5), db_i64(s, 6)};
	const struct wmint *m = mint_by_id(w, db_i64(s, 2));

	*out = (struct wallet_exchange){
		.id = db_i64(s, 0),
		.kind = (enum wallet_kind)db_i64(s, 1),
		.created = db_i64(s, 4),
		.elsewhere = owner_alive(w, &o),
	};
	if (!m || !sat_make(&out->amount, (uint64_t)db_i64(s, 3)))
		return err_set(e, ERRK_STATE, "plan %lld is damaged", (long long)out->id);
	out->mint = m->url;
	return 0;
}

int wallet_each_exchange(struct wallet *w, int (*fn)(void *ctx, const struct wallet_exchange *x),
			 void *ctx, struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(w->db, "SELECT id, kind, mint, gross, created, owner_pid, owner_start"
				" FROM plan WHERE state = 1 ORDER BY id");
	struct wallet_exchange x;
	int rc;

	while ((rc = db_step(s, e)) == DB_ROW) {
		if (exchange_of_row(&x, w, s, e) < 0)
			return -1;
		if (fn(ctx, &x) != 0)
			return 0;
	}
	return rc;
}
