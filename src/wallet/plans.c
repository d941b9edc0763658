/* Plans as rows: stored whole before anything is sent, closed and never deleted. */
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "cashu/dhke.h"
#include "cashu/wire.h"
#include "wallet/plan.h"

void plan_free(struct plan *p)
{
	if (!p)
		return;
	buf_free(&p->body);
	free(p->ys);
	planned_free(&p->planned);
	free(p);
}

/* --- storing --- */

static int inputs_ys(struct plan *p, const struct proofs *inputs, struct err *e)
{
	free(p->ys);
	p->ys = mem_array(inputs->n + 1, sizeof(*p->ys));
	p->nys = inputs->n;
	for (size_t i = 0; i < inputs->n; i++)
		if (dhke_y_bytes(p->ys[i].b, str_of(inputs->v[i].secret), e) < 0)
			return -1;
	return 0;
}

int plan_body(struct plan *p, const struct proofs *inputs, struct err *e)
{
	buf_free(&p->body);
	p->body = BUF(CASHU_BODY_MAX);
	if (p->pub.kind == WALLET_PLAN_MELT)
		cashu_melt_body(&p->body, str_of(p->melt), inputs, &p->planned.outs);
	else
		cashu_swap_body(&p->body, inputs, &p->planned.outs);
	return buf_check(&p->body, "swap", e);
}

static int plan_insert(struct tx *tx, struct wallet *w, struct plan *p, struct err *e)
{
	struct stmt *s = tx_write(
		tx, "INSERT INTO plan (kind, state, mint, keyset, ref, gross, fee, net, not_after,"
		    " lock_key, body, token_out, quote, owner_pid, owner_start, created,"
		    " payout) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, nullif(?, 0),"
		    " nullif(?, 0), ?, ?, ?, nullif(?, 0))");

	db_bind_i64(s, 1, p->pub.kind);
	db_bind_i64(s, 2, PLAN_OPEN);
	db_bind_i64(s, 3, p->mint->id);
	db_bind_blob(s, 4, p->keyset->id.b, p->keyset->id.n);
	db_bind_text(s, 5, str_of(p->ref));
	db_bind_i64(s, 6, (int64_t)sat_raw(p->pub.gross));
	db_bind_i64(s, 7, (int64_t)sat_raw(p->pub.fee));
	db_bind_i64(s, 8, (int64_t)sat_raw(p->pub.net));
	db_bind_i64(s, 9, p->pub.not_after);
	db_bind_blob(s, 10, p->has_lock_key ? p->lock_key.b : NULL,
		     p->has_lock_key ? sizeof(p->lock_key.b) : 0);
	db_bind_secret(s, 11, "plan.body", p->body.p, p->body.n);
	db_bind_i64(s, 12, p->pub.token_out);
	db_bind_i64(s, 13, p->quote);
	db_bind_i64(s, 14, w->self.pid);
	db_bind_i64(s, 15, w->self.start);
	db_bind_i64(s, 16, clock_wall());
	db_bind_i64(s, 17, p->payout);
	if (tx_run(s, NULL, e) < 0)
		return -1;
	p->pub.id = tx_last_id(tx);
	p->owner = w->self;
	p->state = PLAN_OPEN;
	return 0;
}

static int output_insert(struct tx *tx, const struct plan *p, size_t i, struct err *e)
{
	const struct output *o = &p->planned.outs.v[i];
	auto_buf struct buf private = BUF(4096);
	struct stmt *s = tx_write(tx, "INSERT INTO plan_output (plan, idx, amount, b, private, out)"
				      " VALUES (?, ?, ?, ?, ?, ?)");

	buf_add(&private, o->r.b, sizeof(o->r.b));
	buf_puts(&private, o->secret);
	db_bind_i64(s, 1, p->pub.id);
	db_bind_i64(s, 2, (int64_t)i);
	db_bind_i64(s, 3, (int64_t)sat_raw(o->pub.amount));
	db_bind_blob(s, 4, o->pub.b, sizeof(o->pub.b));
	db_bind_secret(s, 5, "plan_output.private", private.p, private.n);
	db_bind_i64(s, 6, p->planned.out[i]);
	return tx_run(s, NULL, e);
}

static int outputs_insert(struct tx *tx, const struct plan *p, struct err *e)
{
	for (size_t i = 0; i < p->planned.outs.n; i++)
		if (output_insert(tx, p, i, e) != 0)
			return err_wrap(e, "outputs of a plan");
	return 0;
}

static int inputs_insert(struct tx *tx, const struct plan *p, struct err *e)
{
	for (size_t i = 0; i < p->nys; i++) {
		struct stmt *s = tx_write(tx, "INSERT INTO plan_input (plan, idx, y)"
					      " VALUES (?, ?, ?)");

		db_bind_i64(s, 1, p->pub.id);
		db_bind_i64(s, 2, (int64_t)i);
		db_bind_blob(s, 3, p->ys[i].b, sizeof(p->ys[i].b));
		if (tx_run(s, NULL, e) != 0)
			return err_wrap(e, "inputs of a plan");
	}
	return 0;
}

int plan_store(struct tx *tx, struct wallet *w, struct plan *p, const struct proofs *inputs,
	       struct err *e)
{
	p->pub.ref = p->ref;
	p->pub.mint = p->mint->url;
	if (inputs_ys(p, inputs, e) < 0)
		return -1;
	if (inputs->n > 0 && plan_body(p, inputs, e) < 0)
		return -1;
	if (plan_insert(tx, w, p, e) < 0 || outputs_insert(tx, p, e) < 0 ||
	    inputs_insert(tx, p, e) < 0)
		return err_wrap(e, "plan");
	return 0;
}

int plan_body_store(struct tx *tx, const struct plan *p, struct err *e)
{
	struct stmt *s = tx_write(tx, "UPDATE plan SET body = ?, keyset = ?, fee = ?, net = ?"
				      " WHERE id = ?");

	db_bind_secret(s, 1, "plan.body", p->body.p, p->body.n);
	db_bind_blob(s, 2, p->keyset->id.b, p->keyset->id.n);
	db_bind_i64(s, 3, (int64_t)sat_raw(p->pub.fee));
	db_bind_i64(s, 4, (int64_t)sat_raw(p->pub.net));
	db_bind_i64(s, 5, p->pub.id);
	return tx_run(s, NULL, e);
}

int plan_replace(struct tx *tx, struct plan *p, struct err *e)
{
	struct stmt *s = tx_write(tx, "DELETE FROM plan_output WHERE plan = ?");

	db_bind_i64(s, 1, p->pub.id);
	if (tx_run(s, NULL, e) < 0 || outputs_insert(tx, p, e) < 0 || plan_body_store(tx, p, e) < 0)
		return err_wrap(e, "new outputs of a plan");
	return 0;
}

int plan_close(struct tx *tx, const struct plan *p, struct err *e)
{
	bool final = p->state == PLAN_SETTLED || p->pub.reason == WALLET_REJECT_SPENT ||
		     p->pub.reason == WALLET_REJECT_REFUNDED;
	int changed = 0;
	struct stmt *s = tx_write(tx, "UPDATE plan SET state = ?1, reason = ?2, closed = ?3,"
				      " body = iif(?4, NULL, body) WHERE id = ?5 AND state = 1");

	db_bind_i64(s, 1, p->state);
	db_bind_i64(s, 2, p->pub.reason);
	db_bind_i64(s, 3, clock_wall());
	db_bind_i64(s, 4, final);
	db_bind_i64(s, 5, p->pub.id);
	if (tx_run(s, &changed, e) < 0)
		return -1;
	if (changed != 1)
		return err_set(e, ERRK_STATE, "plan %lld is closed already", (long long)p->pub.id);
	if (!final)
		return 0;
	s = tx_write(tx, "UPDATE plan_output SET private = NULL WHERE plan = ?");
	db_bind_i64(s, 1, p->pub.id);
	return tx_run(s, NULL, e);
}

/* --- loading --- */

static int plan_of_row(struct plan *p, struct wallet *w, struct stmt *s, struct err *e)
{
	struct str ref = db_text(s, 4), lock;

	p->pub.kind = (enum wallet_kind)db_i64(s, 0);
	p->state = (enum plan_state)db_i64(s, 1);
	p->mint = mint_by_id(w, db_i64(s, 2));
	if (!p->mint || ref.n > WALLET_REF_MAX)
		return err_set(e, ERRK_STATE, "plan %lld is damaged", (long long)p->pub.id);
	p->keyset = keyset_by_id(p->mint, db_blob(s, 3));
	if (!p->keyset)
		return err_set(e, ERRK_STATE, "plan %lld has no keyset", (long long)p->pub.id);
	memcpy(p->ref, ref.p, ref.n);
	p->pub.ref = p->ref;
	p->pub.mint = p->mint->url;
	if (!sat_make(&p->pub.gross, (uint64_t)db_i64(s, 5)) ||
	    !sat_make(&p->pub.fee, (uint64_t)db_i64(s, 6)) ||
	    !sat_make(&p->pub.net, (uint64_t)db_i64(s, 7)))
		return err_set(e, ERRK_STATE, "plan %lld: amounts", (long long)p->pub.id);
	p->pub.not_after = db_i64(s, 8);
	lock = db_blob(s, 9);
	p->has_lock_key = lock.n == sizeof(p->lock_key.b);
	if (p->has_lock_key)
		memcpy(p->lock_key.b, lock.p, lock.n);
	p->pub.token_out = db_i64(s, 11);
	p->quote = db_i64(s, 12);
	p->pub.reason = (enum wallet_reject)db_i64(s, 13);
	p->owner = (struct owner){db_i64(s, 14), db_i64(s, 15)};
	p->payout = db_i64(s, 16);
	p->body = BUF(CASHU_BODY_MAX);
	return db_is_null(s, 10) ? 0 : db_secret(&p->body, s, 10, "plan.body", e);
}

static int output_of_row(struct plan *p, struct stmt *s, struct err *e)
{
	auto_buf struct buf private = BUF(4096);
	struct output *o;
	struct str b = db_blob(s, 1);
	size_t n = p->planned.outs.n;

	if (db_is_null(s, 2))
		return 0;
	if (db_secret(&private, s, 2, "plan_output.private", e) < 0)
		return -1;
	p->planned.outs.v = mem_grow(p->planned.outs.v, n + 1, sizeof(*o));
	p->planned.out = mem_grow(p->planned.out, n + 1, sizeof(bool));
	o = &p->planned.outs.v[n];
	memset(o, 0, sizeof(*o));
	p->planned.outs.n++;
	p->planned.out[n] = db_i64(s, 3) != 0;
	if (private.n <= sizeof(o->r.b) || b.n != sizeof(o->pub.b) ||
	    !sat_make(&o->pub.amount, (uint64_t)db_i64(s, 0)))
		return err_set(e, ERRK_STATE, "plan %lld: an output is damaged",
			       (long long)p->pub.id);
	memcpy(o->r.b, private.p, sizeof(o->r.b));
	o->secret = mem_strndup(private.p + sizeof(o->r.b), private.n - sizeof(o->r.b));
	memcpy(o->pub.b, b.p, b.n);
	o->pub.id = p->keyset->id;
	return 0;
}

static int outputs_load(struct plan *p, struct wallet *w, struct err *e)
{
	auto_stmt struct stmt *s = db_query(
		w->db,
		"SELECT amount, b, private, out FROM plan_output WHERE plan = ? ORDER BY idx");
	int rc;

	db_bind_i64(s, 1, p->pub.id);
	while ((rc = db_step(s, e)) == DB_ROW)
		if (output_of_row(p, s, e) < 0)
			return -1;
	return rc;
}

static int inputs_load(struct plan *p, struct wallet *w, struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(w->db, "SELECT y FROM plan_input WHERE plan = ? ORDER BY idx");
	int rc;

	db_bind_i64(s, 1, p->pub.id);
	while ((rc = db_step(s, e)) == DB_ROW) {
		struct str y = db_blob(s, 0);

		if (y.n != sizeof(p->ys->b))
			return err_set(e, ERRK_STATE, "plan %lld: an input is damaged",
				       (long long)p->pub.id);
		p->ys = mem_grow(p->ys, p->nys + 1, sizeof(*p->ys));
		memcpy(p->ys[p->nys++].b, y.p, y.n);
	}
	return rc;
}

static int melt_load(struct plan *p, struct wallet *w, struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(w->db, "SELECT quote, reserve, hash FROM payout WHERE id = ?");
	struct str quote, hash;

	if (p->payout == 0)
		return 0;
	db_bind_i64(s, 1, p->payout);
	if (db_step(s, e) != DB_ROW)
		return err_set(e, ERRK_STATE, "plan %lld has no payment", (long long)p->pub.id);
	quote = db_text(s, 0);
	hash = db_blob(s, 2);
	if (quote.n >= sizeof(p->melt) || hash.n != sizeof(p->hash) ||
	    !sat_make(&p->reserve, (uint64_t)db_i64(s, 1)))
		return err_set(e, ERRK_STATE, "plan %lld: its payment is damaged",
			       (long long)p->pub.id);
	memcpy(p->melt, quote.p, quote.n);
	memcpy(p->hash, hash.p, hash.n);
	return 0;
}

int plan_load(struct plan **out, struct wallet *w, int64_t id, struct err *e)
{
	AUTO(plan_free) struct plan *p = mem_zero(sizeof(*p));
	auto_stmt struct stmt *s =
		db_query(w->db, "SELECT kind, state, mint, keyset, ref, gross, fee, net, not_after,"
				" lock_key, body, token_out, quote, reason, owner_pid, owner_start,"
				" payout FROM plan WHERE id = ?");
	int rc;

	p->pub.id = id;
	db_bind_i64(s, 1, id);
	rc = db_step(s, e);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return PLAN_NONE;
	if (plan_of_row(p, w, s, e) < 0 || outputs_load(p, w, e) < 0 || inputs_load(p, w, e) < 0 ||
	    melt_load(p, w, e) < 0)
		return -1;
	*out = steal(&p);
	return 0;
}

int plan_inputs(struct proofs *out, const struct plan *p, struct err *e)
{
	const struct json_limits lim = {.bytes = CASHU_BODY_MAX};
	auto_json struct json *j = NULL;
	const struct json *list;

	if (p->nys == 0)
		return 0;
	if (json_parse(&j, buf_view(&p->body), &lim, e) < 0 ||
	    json_child(j, "inputs", JSON_ARRAY, &list, e) < 0)
		return err_wrap(e, "body of plan %lld", (long long)p->pub.id);
	return proofs_from_json(out, list, e);
}

int plan_adopt(struct wallet *w, int64_t id, struct err *e)
{
	auto_tx struct tx *tx = NULL;
	struct owner o = {0, 0};
	struct stmt *s;
	int rc;

	if (db_begin(&tx, w->db, e) < 0)
		return -1;
	s = db_query(w->db, "SELECT owner_pid, owner_start FROM plan WHERE id = ? AND state = 1");
	db_bind_i64(s, 1, id);
	rc = db_step(s, e);
	if (rc == DB_ROW)
		o = (struct owner){db_i64(s, 0), db_i64(s, 1)};
	db_done(s);
	if (rc < 0)
		return -1;
	if (rc == 0 || owner_alive(w, &o))
		return PLAN_NONE;

	s = tx_write(tx, "UPDATE plan SET owner_pid = ?, owner_start = ? WHERE id = ?");
	db_bind_i64(s, 1, w->self.pid);
	db_bind_i64(s, 2, w->self.start);
	db_bind_i64(s, 3, id);
	if (tx_run(s, NULL, e) < 0)
		return -1;
	return db_commit(&tx, e);
}
