#include "wallet/restore.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/step.h"
#include "cashu/dhke.h"
#include "wallet/job.h"

#define BATCH	    100
#define EMPTY_MAX   3	 /* counters of plans that came to nothing leave holes */
#define BATCHES	    1000 /* a mint that says "signed" for ever is lying */
#define TRIES_MAX   3
#define TRY_WAIT_MS 1000

struct restore {
	struct wallet_restored *out;
	size_t keyset;	/* index in the mint's list */
	uint64_t first; /* counter of the batch */
	uint64_t next;	/* behind the last one that was signed */
	unsigned batches, tries;
	unsigned empty;		  /* batches, in a row */
	struct outputs outs;	  /* of the batch */
	struct proofs proofs;	  /* of it: signed, and not here yet */
	struct y_bytes ys[BATCH]; /* beside proofs */
	size_t at[BATCH];	  /* beside proofs: where in outs */
	unsigned failed;	  /* mints */
	struct err why;		  /* of the first */
};

static void restore_ask(struct job *j);
static void restore_mint(struct job *j);

static void batch_clear(struct restore *r)
{
	outputs_free(&r->outs);
	proofs_free(&r->proofs);
	r->outs = (struct outputs){0};
	r->proofs = (struct proofs){0};
}

static void restore_free(void *own)
{
	batch_clear(own);
	free(own);
}

/* --- from mint to mint, from keyset to keyset --- */

static void restore_next_mint(struct job *j)
{
	struct restore *r = j->own;

	do
		j->mint = j->mint ? j->mint->next : j->w->mints;
	while (j->mint && !j->mint->allowed);
	r->tries = 0;
	if (j->mint)
		job_later(j, 0, restore_mint);
	else if (r->failed)
		job_fail(j, &r->why);
	else
		job_done(j, str_of(""), r->out->amount);
}

static void restore_give_up(struct job *j, const struct err *why)
{
	struct restore *r = j->own;

	log_warn("restore: %s", why->msg);
	if (!r->failed++)
		r->why = *why;
	restore_next_mint(j);
}

static const struct keyset *keyset_now(struct job *j)
{
	struct restore *r = j->own;
	const struct keysets *list = &j->mint->keysets;

	while (r->keyset < list->n &&
	       (strcmp(list->v[r->keyset]->unit, WALLET_UNIT) != 0 || !list->v[r->keyset]->keys))
		r->keyset++;
	return r->keyset < list->n ? list->v[r->keyset] : NULL;
}

static void restore_keyset(struct job *j)
{
	struct restore *r = j->own;

	r->first = r->next = 0;
	r->batches = r->tries = r->empty = 0;
	if (keyset_now(j)) {
		job_later(j, 0, restore_ask);
		return;
	}
	r->out->mints++;
	restore_next_mint(j);
}

static void restore_ready(void *ctx, const struct err *error)
{
	struct job *j = ctx;
	struct restore *r = j->own;
	int64_t quiet = mint_quiet_ms(j->w, j->mint);

	if (error && quiet > 0 && ++r->tries < TRIES_MAX) {
		job_later(j, quiet, restore_mint);
	} else if (error) {
		restore_give_up(j, error);
	} else {
		r->keyset = 0;
		restore_keyset(j);
	}
}

/* Keysets that ended long ago too: money may lie on them. */
static void restore_mint(struct job *j)
{
	if (j->mint->depth == KEYSETS_ACTIVE)
		j->mint->depth = KEYSETS_ALL_WANTED;
	wallet_refresh(j->w, j->mint->url, restore_ready, j);
}

/* --- one batch --- */

static void batch_again(struct job *j, const struct mint_fault *f)
{
	struct restore *r = j->own;
	int64_t quiet = mint_quiet_ms(j->w, j->mint);
	struct err e;

	if (++r->tries < TRIES_MAX || quiet > 0) {
		job_say(j, WALLET_WAITING, str_of(f->detail));
		job_later(j, quiet > 0 ? quiet : TRY_WAIT_MS, restore_ask);
		return;
	}
	err_set(&e, ERRK_PEER, "%s: %s", j->mint->url, f->detail);
	restore_give_up(j, &e);
}

/* The outputs behind r->proofs go into the plan. */
static void plan_fill(struct plan *p, struct job *j)
{
	struct restore *r = j->own;
	struct outputs *outs = &p->planned.outs;

	p->pub.kind = WALLET_PLAN_RESTORE;
	p->mint = j->mint;
	p->keyset = keyset_now(j);
	outs->v = mem_array(r->proofs.n, sizeof(*outs->v));
	p->planned.out = mem_array(r->proofs.n, sizeof(bool));
	for (outs->n = 0; outs->n < r->proofs.n; outs->n++) {
		outs->v[outs->n] = r->outs.v[r->at[outs->n]];
		r->outs.v[r->at[outs->n]] = (struct output){0};
	}
}

static int plan_settle(struct tx *tx, struct plan *p, struct err *e)
{
	struct ledger_posting l = {.from = LEDGER_OUTSIDE,
				   .to = LEDGER_OWN,
				   .mint = p->mint->url,
				   .ref = "",
				   .plan = p->pub.id};

	p->state = PLAN_SETTLED;
	if (!msat_of_sat(&l.amount, p->pub.net))
		return err_set(e, ERRK_LIMIT, "amount");
	return plan_close(tx, p, e) < 0 ? -1 : ledger_post(tx, &l, e);
}

/* As a plan that is settled at once, so that each proof says where it came from. */
static int batch_store(struct job *j, struct err *e)
{
	AUTO(plan_free) struct plan *p = mem_zero(sizeof(*p));
	const struct proofs none = {0};
	struct restore *r = j->own;
	auto_tx struct tx *tx = NULL;

	if (r->proofs.n == 0)
		return 0;
	plan_fill(p, j);
	if (proofs_sum(&p->pub.net, &r->proofs, e) < 0)
		return -1;
	p->pub.gross = p->pub.net;
	if (db_begin(&tx, j->w->db, e) < 0 || plan_store(tx, j->w, p, &none, e) < 0 ||
	    plan_settle(tx, p, e) < 0)
		return -1;
	for (size_t i = 0; i < r->proofs.n; i++)
		if (proof_store(tx, p, &r->proofs.v[i], e) < 0)
			return -1;
	if (db_commit(&tx, e) < 0)
		return -1;
	step_at(STEP_PLAN_SETTLED);
	r->out->taken += r->proofs.n;
	return sat_add(&r->out->amount, r->out->amount, p->pub.net)
		       ? 0
		       : err_set(e, ERRK_LIMIT, "amount");
}

static void batch_over(struct job *j)
{
	struct restore *r = j->own;

	batch_clear(r);
	r->first += BATCH;
	r->tries = 0;
	if (++r->batches < BATCHES) {
		job_later(j, 0, restore_ask);
		return;
	}
	log_warn("%s: restore never ends", j->mint->url);
	r->keyset++;
	restore_keyset(j);
}

/* Keep what the mint says is unspent. */
static void batch_keep(struct restore *r, const struct y_states *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++) {
		r->out->spent += s->v[i].state == PROOF_SPENT;
		r->out->pending += s->v[i].state == PROOF_PENDING;
		if (s->v[i].state != PROOF_UNSPENT)
			continue;
		if (n != i) {
			struct proof p = r->proofs.v[n];

			r->proofs.v[n] = r->proofs.v[i];
			r->proofs.v[i] = p;
			r->at[n] = r->at[i];
		}
		n++;
	}
	while (r->proofs.n > n)
		proof_wipe(&r->proofs.v[--r->proofs.n]);
}

static void batch_states(void *ctx, struct y_states *s, const struct mint_fault *f)
{
	struct job *j = ctx;
	struct restore *r = j->own;
	struct err e;

	j->call = NULL;
	if (f) {
		batch_again(j, f);
		return;
	}
	batch_keep(r, s);
	if (batch_store(j, &e) < 0)
		job_fail(j, &e);
	else
		batch_over(j);
}

/* Does an open plan of ours wait for this very output? */
static int output_planned(struct wallet *w, const struct blinded *b, struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(w->db, "SELECT 1 FROM plan JOIN plan_output ON plan_output.plan = plan.id"
				" WHERE plan.state = 1 AND plan_output.b = ?");

	db_bind_blob(s, 1, b->b, sizeof(b->b));
	return db_step(s, e);
}

/* One that was signed: into r->proofs, unless it is here already. */
static int batch_add(struct job *j, const struct restored *found, struct err *e)
{
	struct restore *r = j->own;
	struct output *o = &r->outs.v[found->index];
	struct y_bytes *y = &r->ys[r->proofs.n];
	__attribute__((cleanup(proof_wipe))) struct proof p = {0};
	int rc;

	o->pub.amount = SAT(0); /* the mint's word, checked against its keys */
	if (dhke_unblind(&p, o, &found->sig, keyset_now(j), e) < 0)
		return -1;
	o->pub.amount = p.amount;
	rc = dhke_y_bytes(y->b, str_of(p.secret), e);
	if (rc == 0)
		rc = proof_known(j->w, y->b, e);
	if (rc == 0)
		rc = output_planned(j->w, &o->pub, e);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (!p.dleq.present)
		log_warn("%s gives no proof for what it restores", j->mint->url);
	r->at[r->proofs.n] = found->index;
	proofs_add_take(&r->proofs, &p);
	return 0;
}

static int counter_store(struct job *j, struct err *e)
{
	struct restore *r = j->own;
	const struct keyset *k = keyset_now(j);
	auto_tx struct tx *tx = NULL;
	struct stmt *s;

	if (db_begin(&tx, j->w->db, e) < 0)
		return -1;
	s = tx_write(tx, "INSERT INTO counter (keyset, next) VALUES (?, ?)"
			 " ON CONFLICT (keyset) DO UPDATE SET next = max(next, excluded.next)");
	db_bind_blob(s, 1, k->id.b, k->id.n);
	db_bind_i64(s, 2, (int64_t)r->next);
	if (tx_run(s, NULL, e) < 0)
		return -1;
	return db_commit(&tx, e);
}

static void keyset_over(struct job *j)
{
	struct restore *r = j->own;
	struct err e;

	if (r->next > 0 && counter_store(j, &e) < 0) {
		job_fail(j, &e);
		return;
	}
	r->out->keysets++;
	r->keyset++;
	batch_clear(r);
	restore_keyset(j);
}

static void batch_restored(void *ctx, struct restored_list *list, const struct mint_fault *f)
{
	struct job *j = ctx;
	struct restore *r = j->own;
	struct err e;

	j->call = NULL;
	if (f) {
		batch_again(j, f);
		return;
	}
	if (list->n == 0) {
		if (++r->empty < EMPTY_MAX)
			batch_over(j);
		else
			keyset_over(j);
		return;
	}
	r->empty = 0;
	r->next = r->first + list->v[list->n - 1].index + 1;
	r->out->found += list->n;
	for (size_t i = 0; i < list->n; i++) {
		if (batch_add(j, &list->v[i], &e) == 0)
			continue;
		(void)err_wrap(&e, "%s", j->mint->url);
		restore_give_up(j, &e);
		return;
	}
	if (r->proofs.n == 0)
		batch_over(j);
	else
		j->call = mint_checkstate(j->mint->io, r->ys, r->proofs.n, batch_states, j);
}

static void restore_ask(struct job *j)
{
	struct restore *r = j->own;
	const struct keyset *k = keyset_now(j);
	auto_free struct blinded *asked = mem_array(BATCH, sizeof(*asked));
	auto_free char *what =
		mem_printf("%s, output %llu", j->mint->url, (unsigned long long)r->first);
	struct err e;

	batch_clear(r);
	for (size_t i = 0; i < BATCH; i++) {
		if (output_at_counter(&r->outs, j->w, &k->id, SAT(1), r->first + i, &e) < 0) {
			job_fail(j, &e);
			return;
		}
		asked[i] = r->outs.v[i].pub;
	}
	job_say(j, WALLET_WAITING, str_of(what));
	j->call = mint_restore(j->mint->io, (struct blinded_list){asked, BATCH}, batch_restored, j);
}

void wallet_restore(struct wallet *w, struct wallet_restored *out, wallet_job_fn *fn, void *ctx)
{
	struct job *j = job_new(w, fn, ctx, restore_next_mint);
	struct restore *r = mem_zero(sizeof(*r));

	*out = (struct wallet_restored){0};
	r->out = out;
	j->own = r;
	j->own_free = restore_free;
}
