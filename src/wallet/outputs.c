/* Make the outputs of a plan. */
#include "wallet/outputs.h"

#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "cashu/derive.h"
#include "cashu/dhke.h"

void planned_free(struct planned *p)
{
	outputs_free(&p->outs);
	free(p->out);
	p->out = NULL;
}

static struct output *outputs_push(struct outputs *outs)
{
	outs->v = mem_grow(outs->v, outs->n + 1, sizeof(*outs->v));
	memset(&outs->v[outs->n], 0, sizeof(*outs->v));
	return &outs->v[outs->n++];
}

int output_at_counter(struct outputs *outs, const struct wallet *w, const struct keyset_id *id,
		      struct sat amount, uint64_t counter, struct err *e)
{
	auto_derived struct derived d;
	struct output *o;

	if (derive_output(&d, &w->seed, id, counter, e) < 0)
		return -1;
	o = outputs_push(outs);
	o->pub.amount = amount;
	o->pub.id = *id;
	o->secret = mem_zero(2 * sizeof(d.secret.b) + 1);
	hex_encode(o->secret, d.secret.b, sizeof(d.secret.b));
	o->r = d.r;
	return dhke_blind(o, e);
}

int output_locked(struct outputs *outs, const struct lock *lock, const struct blinded *pub,
		  const struct derived *d, struct err *e)
{
	auto_buf struct buf text = BUF(LOCK_SECRET_MAX);
	struct output *o;

	if (lock)
		lock_write(&text, lock, d->secret.b);
	else
		buf_hex(&text, d->secret.b, sizeof(d->secret.b));
	if (buf_check(&text, "lock", e) < 0)
		return -1;
	o = outputs_push(outs);
	o->pub = *pub;
	o->secret = buf_steal(&text);
	o->r = d->r;
	return dhke_blind(o, e);
}

/* Nonce and blinding factor of output `index` of the outgoing token. */
static int theirs_derive(struct derived *d, const struct wallet *w, const struct output_wish *wish,
			 uint32_t index, struct err *e)
{
	struct refund_path path;

	if (wish->refund) {
		path = *wish->refund;
		path.index = index;
		return derive_refund(d, &w->seed, &path, e);
	}
	rand_bytes(d->secret.b, sizeof(d->secret.b));
	secret_new(&d->r);
	return 0;
}

uint64_t counter_peek(const struct wallet *w, const struct keyset_id *id)
{
	auto_stmt struct stmt *s = db_query(w->db, "SELECT next FROM counter WHERE keyset = ?");

	db_bind_blob(s, 1, id->b, id->n);
	return db_step(s, NULL) == DB_ROW ? (uint64_t)db_i64(s, 0) : 0;
}

/* Take n counters; the first of them. */
static int counter_take(uint64_t *first, struct tx *tx, const struct keyset_id *id, size_t n,
			struct err *e)
{
	struct stmt *s = tx_write(tx, "INSERT INTO counter (keyset, next) VALUES (?1, ?2)"
				      " ON CONFLICT (keyset) DO UPDATE SET next = next + ?2"
				      " RETURNING next");
	int rc;

	db_bind_blob(s, 1, id->b, id->n);
	db_bind_i64(s, 2, (int64_t)n);
	rc = db_step(s, e);
	if (rc == DB_ROW)
		*first = (uint64_t)db_i64(s, 0) - n;
	db_done(s);
	if (rc < 0)
		return -1;
	return rc == DB_ROW ? 0 : err_set(e, ERRK_STATE, "no counter");
}

size_t keyset_split(struct sat out[static 64], const struct keyset *k, struct sat amount)
{
	size_t n = sat_split(out, amount);

	for (size_t i = 0; i < n; i++)
		if (!keyset_find_key(k, out[i]))
			return 0;
	return n;
}

static void planned_swap(struct planned *p, size_t a, size_t b)
{
	struct output o = p->outs.v[a];
	bool out = p->out[a];

	p->outs.v[a] = p->outs.v[b];
	p->out[a] = p->out[b];
	p->outs.v[b] = o;
	p->out[b] = out;
}

/* Ascending, so that order tells the mint nothing (NUT-03). */
static void planned_sort(struct planned *p)
{
	for (size_t i = 1; i < p->outs.n; i++)
		for (size_t j = i;
		     j > 0 && sat_cmp(p->outs.v[j - 1].pub.amount, p->outs.v[j].pub.amount) > 0;
		     j--)
			planned_swap(p, j - 1, j);
}

int outputs_make(struct planned *p, struct tx *tx, const struct wallet *w,
		 const struct output_wish *wish, struct err *e)
{
	struct sat ours[64], theirs[64];
	size_t n = keyset_split(ours, wish->keyset, wish->ours);
	size_t m = keyset_split(theirs, wish->keyset, wish->theirs);
	uint64_t first = 0;

	if ((n == 0 && !sat_is_zero(wish->ours)) || (m == 0 && !sat_is_zero(wish->theirs)))
		return err_set(e, ERRK_PEER, "the mint's keyset lacks a power of two");
	if (wish->blanks + n > 64)
		return err_set(e, ERRK_LIMIT, "too many outputs");
	for (size_t i = 0; i < wish->blanks; i++)
		ours[n++] = SAT(0);
	if (n > 0 && counter_take(&first, tx, &wish->keyset->id, n, e) < 0)
		return err_wrap(e, "counter");

	p->out = mem_array(n + m + 1, sizeof(*p->out));
	for (size_t i = 0; i < n; i++)
		if (output_at_counter(&p->outs, w, &wish->keyset->id, ours[i], first + i, e) < 0)
			return -1;
	for (size_t i = 0; i < m; i++) {
		const struct blinded pub = {.amount = theirs[i], .id = wish->keyset->id};
		auto_derived struct derived d = {0};

		if (theirs_derive(&d, w, wish, (uint32_t)i, e) < 0 ||
		    output_locked(&p->outs, wish->lock, &pub, &d, e) < 0)
			return -1;
		p->out[n + i] = true;
	}
	planned_sort(p);
	return 0;
}
