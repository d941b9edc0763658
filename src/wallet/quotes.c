/* Mint quotes as rows, and the request that turns a paid one into proofs. */
#include <string.h>

#include "base/mem.h"
#include "wallet/plan.h"

static int quote_text(char *to, size_t size, struct str from, struct err *e)
{
	if (from.n >= size)
		return err_set(e, ERRK_STATE, "stored quote is damaged");
	memcpy(to, from.p, from.n);
	to[from.n] = '\0';
	return 0;
}

int quote_load(struct quote *q, struct wallet *w, int64_t id, struct err *e)
{
	auto_stmt struct stmt *s = db_query(
		w->db, "SELECT mint, quote, invoice, amount, key, state, expiry, owner_pid,"
		       " owner_start FROM quote WHERE id = ?");
	auto_buf struct buf key = BUF(64);

	db_bind_i64(s, 1, id);
	if (db_step(s, e) != DB_ROW)
		return err_set(e, ERRK_STATE, "no quote %lld", (long long)id);
	q->id = id;
	q->mint = mint_by_id(w, db_i64(s, 0));
	if (quote_text(q->quote, sizeof(q->quote), db_text(s, 1), e) < 0 ||
	    quote_text(q->invoice, sizeof(q->invoice), db_text(s, 2), e) < 0 ||
	    db_secret(&key, s, 4, "quote.key", e) < 0)
		return -1;
	if (!q->mint || key.n != sizeof(q->key.b) || !sat_make(&q->amount, (uint64_t)db_i64(s, 3)))
		return err_set(e, ERRK_STATE, "quote %lld is damaged", (long long)id);
	memcpy(q->key.b, key.p, key.n);
	q->state = (int)db_i64(s, 5);
	q->expiry = db_i64(s, 6);
	q->owner = (struct owner){db_i64(s, 7), db_i64(s, 8)};
	return 0;
}

int quote_state(struct tx *tx, int64_t id, int state, struct err *e)
{
	struct stmt *s = tx_write(tx, "UPDATE quote SET state = ? WHERE id = ?");

	db_bind_i64(s, 1, state);
	db_bind_i64(s, 2, id);
	return tx_run(s, NULL, e);
}

int quote_body(struct plan *p, const struct quote *q, enum quote_format format, struct err *e)
{
	const struct outputs *outs = &p->planned.outs;
	auto_free struct blinded *list = mem_array(outs->n + 1, sizeof(*list));
	uint8_t hash[32], sig[64];

	for (size_t i = 0; i < outs->n; i++)
		list[i] = outs->v[i].pub;
	quote_hash(hash, format, str_of(q->quote), list, outs->n);
	quote_sign(sig, hash, &q->key);
	buf_free(&p->body);
	p->body = BUF(CASHU_BODY_MAX);
	cashu_mint_body(&p->body, str_of(q->quote), outs, sig);
	return buf_check(&p->body, "mint request", e);
}
