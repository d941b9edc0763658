#include "wallet/renew.h"

#include "base/mem.h"
#include "wallet/job.h"

#define FEE_PART 20 /* of what moves without haste, the fee may be one in so many */

struct renew {
	int64_t until;
	bool asked; /* which keysets are active now? */
};

static void renew_step(struct job *j);

bool keyset_ends(const struct keyset *k, int64_t until)
{
	return !k->active || (k->final_expiry > 0 && k->final_expiry < until);
}

/* One that stays, or it would move again and again; NULL: the mint has none. */
static const struct keyset *renew_target(const struct job *j)
{
	const struct renew *r = j->own;

	return keysets_choose(&j->mint->keysets, WALLET_UNIT, r->until);
}

static bool dies(const struct wmint *m, const struct keyset_id *id, int64_t until)
{
	const struct keyset *k = keyset_by_id(m, (struct str){(const char *)id->b, id->n});

	return k && k->final_expiry > 0 && k->final_expiry < until;
}

/* Money that would be lost moves at any fee below it. */
static bool renew_pays(const struct job *j, const struct chosen *from)
{
	const struct renew *r = j->own;

	for (size_t i = 0; i < from->proofs.n; i++)
		if (dies(j->mint, &from->proofs.v[i].id, r->until))
			return true;
	return sat_raw(from->fee) <= sat_raw(from->gross) / FEE_PART;
}

static int renew_plan(struct job *j, struct tx *tx, const struct chosen *from, int64_t *plan,
		      struct err *e)
{
	AUTO(plan_free) struct plan *p = mem_zero(sizeof(*p));
	struct output_wish wish = {0};

	wish.keyset = renew_target(j);
	if (!sat_sub(&wish.ours, from->gross, from->fee) || sat_is_zero(wish.ours) ||
	    !renew_pays(j, from))
		return SELECT_POOR;
	p->pub.kind = WALLET_PLAN_RENEW;
	p->pub.gross = from->gross;
	p->pub.fee = from->fee;
	p->pub.net = wish.ours;
	p->mint = j->mint;
	p->keyset = wish.keyset;
	if (outputs_make(&p->planned, tx, j->w, &wish, e) < 0 ||
	    plan_store(tx, j->w, p, &from->proofs, e) < 0 ||
	    select_reserve(tx, from, p->pub.id, e) < 0)
		return -1;
	*plan = p->pub.id;
	return 0;
}

static int renew_store(struct job *j, int64_t *plan, struct err *e)
{
	const struct renew *r = j->own;
	auto_chosen struct chosen from = {0};
	auto_tx struct tx *tx = NULL;
	int rc;

	if (db_begin(&tx, j->w->db, e) < 0)
		return -1;
	rc = select_ending(&from, tx, j->mint, r->until, e);
	if (rc == 0)
		rc = renew_plan(j, tx, &from, plan, e);
	return rc ? rc : db_commit(&tx, e);
}

static void renew_closed(struct job *j, const struct plan *p)
{
	if (p->state != PLAN_SETTLED) {
		job_rejected(j, p);
		return;
	}
	if (!sat_add(&j->amount, j->amount, p->pub.net)) {
		job_fail_msg(j, ERRK_LIMIT, "amount");
		return;
	}
	job_later(j, 0, renew_step); /* there may be more than one swap takes */
}

static void renew_scanned(void *ctx, const struct err *error)
{
	struct job *j = ctx;

	if (error)
		job_fail(j, error);
	else
		job_later(j, 0, renew_step);
}

static void renew_step(struct job *j)
{
	struct renew *r = j->own;
	int64_t plan = 0;
	struct err e;

	if (!j->mint) {
		job_fail_msg(j, ERRK_DENIED, "this mint is not allowed");
		return;
	}
	if (!r->asked) {
		r->asked = true;
		job_refresh(j, renew_step);
		return;
	}
	if (!job_ready(j, renew_step))
		return;
	if (!renew_target(j)) {
		job_done(j, str_of(""), j->amount);
		return;
	}
	if (scan_wanted(j->w, renew_target(j))) {
		scan_start(j->w, j->mint, renew_target(j), renew_scanned, j);
		return;
	}
	switch (renew_store(j, &plan, &e)) {
	case 0:
		job_run(j, plan, renew_closed);
		return;
	case SELECT_POOR:
		job_done(j, str_of(""), j->amount);
		return;
	default:
		job_fail(j, &e);
	}
}

static int ending_at(struct sat *out, struct wallet *w, const struct wmint *m, int64_t until,
		     struct err *e)
{
	auto_stmt struct stmt *s = db_query(
		w->db, "SELECT coalesce(sum(amount), 0) FROM proof"
		       " JOIN keyset ON keyset.id = proof.keyset WHERE proof.mint = ? AND state = ?"
		       " AND (NOT active OR expiry BETWEEN 1 AND ?)");

	db_bind_i64(s, 1, m->id);
	db_bind_i64(s, 2, HELD_FREE);
	db_bind_i64(s, 3, until - 1);
	if (db_step(s, e) != DB_ROW)
		return err_wrap(e, "balance");
	return sat_make(out, (uint64_t)db_i64(s, 0)) ? 0 : err_set(e, ERRK_LIMIT, "balance");
}

int wallet_each_ending(struct wallet *w, int64_t until,
		       int (*fn)(void *ctx, const char *mint, struct sat amount), void *ctx,
		       struct err *e)
{
	for (const struct wmint *m = w->mints; m; m = m->next) {
		struct sat amount = SAT(0);

		if (ending_at(&amount, w, m, until, e) < 0)
			return -1;
		if (m->allowed && !sat_is_zero(amount) && fn(ctx, m->url, amount) != 0)
			return 0;
	}
	return 0;
}

void wallet_renew(struct wallet *w, const char *mint, int64_t until, wallet_job_fn *fn, void *ctx)
{
	struct job *j = job_new(w, fn, ctx, renew_step);
	struct renew *r = mem_zero(sizeof(*r));

	r->until = until;
	j->own = r;
	j->own_free = free;
	j->mint = mint_allowed(w, str_of(mint));
}
