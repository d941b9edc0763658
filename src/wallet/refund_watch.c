/* Refunds that were made and not taken yet: the mint is asked now and then whether the token is
 * spent, ever more seldom; then it is forgotten. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/step.h"
#include "cashu/dhke.h"
#include "wallet/plan.h"
#include "wallet/till.h"

#define LOOK_MS	  60000
#define CHECK_MIN 600 /* seconds; then a quarter of its age */
#define CHECK_MAX 86400

struct refund_watch {
	struct wallet *w;
	struct loop_timer *timer;
	struct mint_call *call;
	struct refund_job job; /* asked about */
};

static void watch_look(void *ctx);

static void watch_again(struct refund_watch *x, int64_t ms)
{
	loop_timer_del(x->timer);
	x->timer = loop_timer_add(x->w->loop, ms, watch_look, x);
}

static int watch_taken(struct refund_watch *x, struct err *e)
{
	auto_tx struct tx *tx = NULL;

	if (db_begin(&tx, x->w->db, e) < 0 || refund_taken(tx, &x->job, e) < 0 ||
	    db_commit(&tx, e) < 0)
		return -1;
	step_at(STEP_REFUND_TAKEN);
	return 0;
}

static void watch_answer(void *ctx, struct y_states *s, const struct mint_fault *f)
{
	struct refund_watch *x = ctx;
	size_t spent = 0;
	struct err e;

	x->call = NULL;
	for (size_t i = 0; !f && i < s->n; i++)
		spent += s->v[i].state == PROOF_SPENT;
	if (!f && spent == s->n && watch_taken(x, &e) < 0)
		log_warn("refund of %s: %s", x->job.lease, e.msg);
	watch_again(x, 0);
}

static int watch_ask(struct refund_watch *x, struct wmint *m, struct str text, struct err *e)
{
	AUTO(token_free) struct cashu_token *t = NULL;
	auto_free struct y_bytes *ys = NULL;

	if (token_decode(&t, text, TOKEN_LIMITS_WALLET, e) < 0)
		return -1;
	ys = mem_array(t->proofs.n, sizeof(*ys));
	for (size_t i = 0; i < t->proofs.n; i++)
		if (dhke_y_bytes(ys[i].b, str_of(t->proofs.v[i].secret), e) < 0)
			return -1;
	x->call = mint_checkstate(m->io, ys, t->proofs.n, watch_answer, x);
	return 0;
}

/* The next one whose time has come, and when it will be asked about again. PLAN_NONE: none. */
static int watch_next(struct refund_watch *x, struct err *e)
{
	auto_tx struct tx *tx = NULL;
	struct stmt *s;
	struct str lease;
	auto_free char *id = NULL;
	int rc;

	if (db_begin(&tx, x->w->db, e) < 0)
		return -1;
	s = tx_write(tx, "UPDATE refund SET check_at = ?1 + min(?2, max(?3, (?1 - created) / 4))"
			 " WHERE (lease, number) = (SELECT lease, number FROM refund"
			 " WHERE state = ?4 AND check_at <= ?1 ORDER BY check_at LIMIT 1)"
			 " RETURNING lease, number");
	db_bind_i64(s, 1, clock_wall());
	db_bind_i64(s, 2, CHECK_MAX);
	db_bind_i64(s, 3, CHECK_MIN);
	db_bind_i64(s, 4, WALLET_REFUND_MADE);
	rc = db_step(s, e);
	if (rc == DB_ROW) {
		lease = db_text(s, 0);
		id = mem_strndup(lease.p, lease.n);
		x->job.number = (uint32_t)db_i64(s, 1);
	}
	db_done(s);
	if (rc != DB_ROW)
		return rc < 0 ? -1 : PLAN_NONE;
	if (db_commit(&tx, e) < 0)
		return -1;
	return refund_load(&x->job, x->w, id, x->job.number, e);
}

static void watch_look(void *ctx)
{
	struct refund_watch *x = ctx;
	auto_buf struct buf text = BUF(256 << 10);
	struct wmint *m;
	struct err e;
	int rc;

	x->timer = NULL;
	rc = watch_next(x, &e);
	if (rc != 0) {
		if (rc < 0)
			log_warn("refunds: %s", e.msg);
		watch_again(x, LOOK_MS);
		return;
	}
	m = mint_by_url(x->w, x->job.mint);
	if (!m || mint_reach(m, &e) < 0 || mint_quiet_ms(x->w, m) > 0 ||
	    wallet_refund_token(x->w, x->job.lease, x->job.number, &text, &e) != 0 ||
	    watch_ask(x, m, buf_view(&text), &e) < 0)
		watch_again(x, 0);
}

/* Buyers make no refunds. */
void refund_watch_start(struct wallet *w)
{
	if (!w->instance[0] || w->refund_watch)
		return;
	w->refund_watch = mem_zero(sizeof(*w->refund_watch));
	w->refund_watch->w = w;
	watch_again(w->refund_watch, LOOK_MS);
}

void refund_watch_free(struct wallet *w)
{
	if (!w->refund_watch)
		return;
	mint_cancel(w->refund_watch->call);
	loop_timer_del(w->refund_watch->timer);
	free(w->refund_watch);
	w->refund_watch = NULL;
}
