/* Which of our proofs pay an amount. Runs inside the immediate transaction that reserves them, so
 * that two processes never choose the same. */
#include <string.h>

#include "base/mem.h"
#include "wallet/job.h"

#define SELECT_MAX  200	 /* inputs of one swap */
#define MISSING_MAX 5000 /* fees can be so much at most: ten sat an input */

struct candidate {
	struct y_bytes y;
	struct sat amount;
	const struct keyset *keyset;
	uint32_t ppk;
	bool taken;
};

enum worth { WORTH_NET, WORTH_GROSS }; /* after the fee of spending them, before it */

struct candidates {
	struct candidate *v; /* descending by amount */
	size_t n;
	enum worth worth;
};

void chosen_free(struct chosen *c)
{
	proofs_free(&c->proofs);
	free(c->ys);
	c->ys = NULL;
}

static int candidates_load(struct candidates *list, struct db *d, const struct wmint *m,
			   struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(d, "SELECT y, amount, proof.keyset FROM proof"
			    " LEFT JOIN keyset ON keyset.id = proof.keyset"
			    " WHERE proof.mint = ? AND state = 1"
			    " ORDER BY amount DESC, keyset.active, keyset.expiry = 0 LIMIT 5000");
	int rc;

	db_bind_i64(s, 1, m->id);
	while ((rc = db_step(s, e)) == DB_ROW) {
		const struct keyset *k = keyset_by_id(m, db_blob(s, 2));
		struct str y = db_blob(s, 0);
		struct candidate *c;

		if (!k || y.n != sizeof(c->y.b))
			continue;
		list->v = mem_grow(list->v, list->n + 1, sizeof(*list->v));
		c = &list->v[list->n++];
		memset(c, 0, sizeof(*c));
		memcpy(c->y.b, y.p, y.n);
		c->keyset = k;
		c->ppk = k->fee_ppk;
		if (!sat_make(&c->amount, (uint64_t)db_i64(s, 1)))
			return err_set(e, ERRK_STATE, "amount of a proof");
	}
	return rc;
}

/* Whether the taken ones are worth `need`. */
static bool candidates_worth(struct sat *gross, struct sat *fee, const struct candidates *list,
			     struct sat need)
{
	uint64_t ppk = 0;
	struct sat left;

	*gross = SAT(0);
	for (size_t i = 0; i < list->n; i++) {
		if (!list->v[i].taken)
			continue;
		ppk += list->v[i].ppk;
		if (!sat_add(gross, *gross, list->v[i].amount))
			return false;
	}
	*fee = keyset_fee(ppk);
	if (list->worth == WORTH_GROSS)
		return sat_cmp(*gross, need) >= 0;
	return sat_sub(&left, *gross, *fee) && sat_cmp(left, need) >= 0;
}

/* The smallest proof that is enough alone. */
static bool candidates_one(struct candidates *list, struct sat need)
{
	struct sat gross, fee;

	for (size_t i = list->n; i-- > 0;) {
		list->v[i].taken = true;
		if (candidates_worth(&gross, &fee, list, need))
			return true;
		list->v[i].taken = false;
	}
	return false;
}

/* The largest until it is enough, then without those that are not needed. */
static bool candidates_few(struct candidates *list, struct sat need)
{
	struct sat gross, fee;
	size_t n = 0;

	while (n < list->n && n < SELECT_MAX && !candidates_worth(&gross, &fee, list, need))
		list->v[n++].taken = true;
	if (!candidates_worth(&gross, &fee, list, need))
		return false;
	for (size_t i = n; i-- > 0;) {
		list->v[i].taken = false;
		if (!candidates_worth(&gross, &fee, list, need))
			list->v[i].taken = true;
	}
	return true;
}

static int dleq_load(struct dleq *out, struct stmt *s, struct err *e)
{
	auto_buf struct buf raw = BUF(96);

	if (db_is_null(s, 3))
		return 0;
	if (db_secret(&raw, s, 3, "proof.dleq", e) < 0)
		return -1;
	if (raw.n != 96)
		return err_set(e, ERRK_STATE, "stored proof is damaged");
	out->present = out->has_r = true;
	memcpy(out->e, raw.p, 32);
	memcpy(out->s, raw.p + 32, 32);
	memcpy(out->r.b, raw.p + 64, 32);
	return 0;
}

static int chosen_load(struct chosen *out, struct db *d, const struct candidate *c, struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(d, "SELECT keyset, secret, c, dleq FROM proof WHERE y = ?");
	auto_buf struct buf secret = BUF(PROOF_SECRET_MAX + 1);
	struct proof p = {.amount = c->amount};
	struct str id, point;

	db_bind_blob(s, 1, c->y.b, sizeof(c->y.b));
	if (db_step(s, e) != DB_ROW || db_secret(&secret, s, 1, "proof.secret", e) < 0)
		return err_wrap(e, "stored proof");
	id = db_blob(s, 0);
	point = db_blob(s, 2);
	if (point.n != sizeof(p.c))
		return err_set(e, ERRK_STATE, "stored proof is damaged");
	if (keyset_id_from_bytes(&p.id, id.p, id.n, e) < 0)
		return -1;
	memcpy(p.c, point.p, point.n);
	if (dleq_load(&p.dleq, s, e) < 0)
		return -1;
	p.secret = buf_steal(&secret);
	out->ys = mem_grow(out->ys, out->proofs.n + 1, sizeof(*out->ys));
	out->ys[out->proofs.n] = c->y;
	proofs_add_take(&out->proofs, &p);
	return 0;
}

static int select_worth(struct chosen *out, struct tx *tx, const struct wmint *m, struct sat need,
			enum worth worth, struct err *e)
{
	struct candidates list = {.worth = worth};
	int rc = candidates_load(&list, tx_db(tx), m, e);

	if (rc == 0 && !candidates_one(&list, need) && !candidates_few(&list, need))
		rc = SELECT_POOR;
	if (rc == 0)
		(void)candidates_worth(&out->gross, &out->fee, &list, need);
	for (size_t i = 0; rc == 0 && i < list.n; i++)
		if (list.v[i].taken)
			rc = chosen_load(out, tx_db(tx), &list.v[i], e);
	free(list.v);
	return rc;
}

int select_proofs(struct chosen *out, struct tx *tx, const struct wmint *m, struct sat need,
		  struct err *e)
{
	return select_worth(out, tx, m, need, WORTH_NET, e);
}

int select_proofs_gross(struct chosen *out, struct tx *tx, const struct wmint *m, struct sat need,
			struct err *e)
{
	return select_worth(out, tx, m, need, WORTH_GROSS, e);
}

int select_ending(struct chosen *out, struct tx *tx, const struct wmint *m, int64_t until,
		  struct err *e)
{
	struct candidates list = {0};
	int rc = candidates_load(&list, tx_db(tx), m, e);
	size_t n = 0;

	for (size_t i = 0; i < list.n; i++)
		if (n < SELECT_MAX && keyset_ends(list.v[i].keyset, until))
			list.v[i].taken = ++n > 0;
	if (rc == 0 && n == 0)
		rc = SELECT_POOR;
	if (rc == 0)
		(void)candidates_worth(&out->gross, &out->fee, &list, SAT(1));
	for (size_t i = 0; rc == 0 && i < list.n; i++)
		if (list.v[i].taken)
			rc = chosen_load(out, tx_db(tx), &list.v[i], e);
	free(list.v);
	return rc;
}

/* Powers of two: the largest that still fits, again and again, finds a sum if there is one. */
static bool candidates_exact(struct candidates *list, struct sat need)
{
	for (size_t i = 0; i < list->n; i++)
		list->v[i].taken = sat_sub(&need, need, list->v[i].amount);
	return sat_is_zero(need);
}

int select_exact(struct chosen *out, struct tx *tx, const struct wmint *m, struct sat need,
		 struct err *e)
{
	struct candidates list = {0};
	int rc = candidates_load(&list, tx_db(tx), m, e);

	if (rc == 0 && !candidates_exact(&list, need))
		rc = SELECT_POOR;
	for (size_t i = 0; rc == 0 && i < list.n; i++)
		if (list.v[i].taken)
			rc = chosen_load(out, tx_db(tx), &list.v[i], e);
	for (size_t i = 0; rc == 0 && i < out->proofs.n; i++)
		if (!out->proofs.v[i].dleq.has_r)
			rc = SELECT_POOR; /* a receiver could not check it */
	out->gross = need;
	free(list.v);
	return rc;
}

int select_gross(struct sat *out, const struct keyset *k, struct sat net, struct err *e)
{
	struct sat parts[64], left;

	*out = net;
	for (unsigned i = 0; i < 1000; i++) {
		size_t n = keyset_split(parts, k, *out);

		if (n > 0 && sat_sub(&left, *out, keyset_fee_of(k, n)) && sat_cmp(left, net) >= 0)
			return 0;
		if (!sat_add(out, *out, SAT(1)))
			break;
	}
	return err_set(e, ERRK_LIMIT, "no amount of this keyset leaves so much after the fee");
}

/* --- what could be sent --- */

static int by_amount(const void *x, const void *y)
{
	const struct candidate *a = x, *b = y;

	return sat_cmp(b->amount, a->amount);
}

static void candidates_push(struct candidates *list, const struct keyset *k, struct sat amount)
{
	struct sat parts[64];
	size_t n = keyset_split(parts, k, amount);

	for (size_t i = 0; i < n; i++) {
		list->v = mem_grow(list->v, list->n + 1, sizeof(*list->v));
		list->v[list->n++] = (struct candidate){.amount = parts[i], .ppk = k->fee_ppk};
	}
	if (list->n)
		qsort(list->v, list->n, sizeof(*list->v), by_amount);
}

/* Send on paper: what is taken goes, the change comes. */
static bool candidates_send(struct candidates *list, const struct keyset *k, struct sat need)
{
	struct sat gross, fee, left, change;
	size_t kept = 0;

	if (!candidates_one(list, need) && !candidates_few(list, need))
		return false;
	if (!candidates_worth(&gross, &fee, list, need) || !sat_sub(&left, gross, fee) ||
	    !sat_sub(&change, left, need))
		return false;
	for (size_t i = 0; i < list->n; i++)
		if (!list->v[i].taken)
			list->v[kept++] = list->v[i];
	list->n = kept;
	candidates_push(list, k, change);
	return true;
}

struct sending {
	struct candidates have;
	const struct select_ask *ask;
};

static bool sending_can(const struct sending *x, struct sat extra)
{
	const struct select_ask *ask = x->ask;
	struct candidates list = {.v = mem_dup(x->have.v, x->have.n * sizeof(*x->have.v)),
				  .n = x->have.n};
	bool can;

	candidates_push(&list, ask->keyset, extra);
	can = candidates_send(&list, ask->keyset, ask->need) &&
	      (sat_is_zero(ask->later) || candidates_send(&list, ask->keyset, ask->later));
	free(list.v);
	return can;
}

int select_can(struct db *d, const struct wmint *m, const struct select_ask *ask, struct err *e)
{
	struct sending x = {.ask = ask};
	int rc = candidates_load(&x.have, d, m, e);

	if (rc == 0)
		rc = sending_can(&x, ask->extra);
	free(x.have.v);
	return rc;
}

/* Both tokens without fees, less what is there: fees come on top one by one. */
static bool sending_least(struct sat *out, const struct sending *x)
{
	struct sat sum = SAT(0), have = SAT(0);

	for (size_t i = 0; i < x->have.n; i++)
		if (!sat_add(&have, have, x->have.v[i].amount))
			return false;
	if (!sat_add(&sum, x->ask->need, x->ask->later))
		return false;
	if (!sat_sub(out, sum, have) || sat_is_zero(*out))
		*out = SAT(1);
	return true;
}

int select_missing(struct sat *out, struct db *d, const struct wmint *m,
		   const struct select_ask *ask, struct err *e)
{
	struct sending x = {.ask = ask};
	int rc = candidates_load(&x.have, d, m, e);
	bool found = false;

	if (rc == 0 && sending_least(out, &x))
		for (unsigned i = 0; i < MISSING_MAX && !found; i++)
			if (!(found = sending_can(&x, *out)) && !sat_add(out, *out, SAT(1)))
				break;
	free(x.have.v);
	if (rc == 0 && !found)
		return err_set(e, ERRK_LIMIT, "no amount would be enough");
	return rc;
}

int select_reserve(struct tx *tx, const struct chosen *c, int64_t plan, struct err *e)
{
	for (size_t i = 0; i < c->proofs.n; i++) {
		struct stmt *s = tx_write(tx, "UPDATE proof SET state = ?, plan = ?"
					      " WHERE y = ? AND state = ?");
		int changed = 0;

		db_bind_i64(s, 1, HELD_RESERVED);
		db_bind_i64(s, 2, plan);
		db_bind_blob(s, 3, c->ys[i].b, sizeof(c->ys[i].b));
		db_bind_i64(s, 4, HELD_FREE);
		if (tx_run(s, &changed, e) < 0)
			return -1;
		if (changed != 1)
			return err_set(e, ERRK_STATE, "a proof is reserved already");
	}
	return 0;
}
