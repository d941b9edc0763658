/* Is the next counter of a keyset really free? A database of yesterday, or a second agent on the
 * same seed, has used it behind our back: the mint is asked before outputs are made from it. */
#include <string.h>

#include "base/mem.h"
#include "wallet/core.h"
#include "wallet/outputs.h"

#define SCAN_STEP   300	 /* counters of plans that came to nothing leave holes */
#define SCAN_ROUNDS 1000 /* a mint that says "signed" for ever is lying */

struct scan_waiter {
	struct scan_waiter *next;
	wallet_ready_fn *fn;
	void *ctx;
};

struct scan {
	struct wallet *w;
	struct wmint *m;
	struct mint_call *call;
	struct keyset_id id;
	uint64_t first; /* counter of the first output asked for */
	uint64_t next;	/* first counter that was not found used */
	unsigned rounds;
	struct scan_waiter *waiters;
};

void scan_free(struct scan *s)
{
	if (!s)
		return;
	mint_cancel(s->call);
	while (s->waiters) {
		struct scan_waiter *next = s->waiters->next;

		free(s->waiters);
		s->waiters = next;
	}
	free(s);
}

static void scan_end(struct scan *s, const struct err *error)
{
	struct scan_waiter *list = s->waiters;

	s->waiters = NULL;
	s->m->scan = NULL;
	scan_free(s);
	while (list) {
		struct scan_waiter *next = list->next;

		list->fn(list->ctx, error);
		free(list);
		list = next;
	}
}

/* A seller looks once in each process, a buyer (whose processes are many and short) once for each
 * database and after a refusal. */
bool scan_wanted(struct wallet *w, const struct keyset *k)
{
	auto_stmt struct stmt *s = db_query(w->db, "SELECT scanned FROM counter WHERE keyset = ?");

	db_bind_blob(s, 1, k->id.b, k->id.n);
	if (db_step(s, NULL) != DB_ROW)
		return true;
	return db_i64(s, 0) != w->session;
}

static int scan_store(struct scan *s, struct err *e)
{
	auto_tx struct tx *tx = NULL;
	struct stmt *q;

	if (db_begin(&tx, s->w->db, e) < 0)
		return -1;
	q = tx_write(tx, "INSERT INTO counter (keyset, next, scanned) VALUES (?, ?, ?)"
			 " ON CONFLICT (keyset) DO UPDATE SET next = max(next, excluded.next),"
			 " scanned = excluded.scanned");
	db_bind_blob(q, 1, s->id.b, s->id.n);
	db_bind_i64(q, 2, (int64_t)s->next);
	db_bind_i64(q, 3, s->w->session);
	if (tx_run(q, NULL, e) < 0)
		return -1;
	return db_commit(&tx, e);
}

static void scan_ask(struct scan *s);

static void scan_answer(void *ctx, struct restored_list *list, const struct mint_fault *f)
{
	struct scan *s = ctx;
	struct err e;

	s->call = NULL;
	if (f) {
		err_set(&e, ERRK_PEER, "%s: restore: %s", s->m->url, f->detail);
		scan_end(s, &e);
		return;
	}
	if (list->n > 0 && ++s->rounds > SCAN_ROUNDS) {
		err_set(&e, ERRK_PEER, "%s: restore never ends", s->m->url);
		scan_end(s, &e);
		return;
	}
	if (list->n > 0) {
		s->next = s->first + list->v[list->n - 1].index + 1;
		s->first += SCAN_STEP;
		scan_ask(s);
		return;
	}
	if (scan_store(s, &e) < 0) {
		scan_end(s, &e);
		return;
	}
	scan_end(s, NULL);
}

static void scan_ask(struct scan *s)
{
	auto_outputs struct outputs outs = {0};
	auto_free struct blinded *asked = mem_array(SCAN_STEP, sizeof(*asked));
	struct err e;

	for (size_t i = 0; i < SCAN_STEP; i++) {
		if (output_at_counter(&outs, s->w, &s->id, SAT(1), s->first + i, &e) < 0) {
			scan_end(s, &e);
			return;
		}
		asked[i] = outs.v[i].pub;
	}
	s->call = mint_restore(s->m->io, (struct blinded_list){asked, SCAN_STEP}, scan_answer, s);
}

void scan_start(struct wallet *w, struct wmint *m, const struct keyset *k, wallet_ready_fn *fn,
		void *ctx)
{
	struct scan_waiter *x = mem_zero(sizeof(*x));

	*x = (struct scan_waiter){.fn = fn, .ctx = ctx};
	if (m->scan) {
		x->next = m->scan->waiters;
		m->scan->waiters = x;
		return;
	}
	m->scan = mem_zero(sizeof(*m->scan));
	m->scan->w = w;
	m->scan->m = m;
	m->scan->id = k->id;
	m->scan->first = m->scan->next = counter_peek(w, &k->id);
	m->scan->waiters = x;
	scan_ask(m->scan);
}
