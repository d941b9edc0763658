/* Tokens of the treasury that were handed out: the mint is asked now and then, ever more seldom,
 * whether somebody took them. A buyer asks when it is at it (lease recover). */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "wallet/plan.h"
#include "wallet/purse.h"

#define LOOK_MS	  60000
#define CHECK_MIN 60 /* seconds; then a quarter of its age */
#define CHECK_MAX 86400

struct out_watch {
	struct wallet *w;
	struct loop_timer *timer; /* NULL: the mint is being asked */
};

static void out_look(void *ctx);

static void out_answer(void *ctx, const struct wallet_news *n)
{
	struct out_watch *x = ctx;

	if (n->stage == WALLET_WAITING)
		return;
	if (n->stage == WALLET_FAILED)
		log_info("token %lld: %s", (long long)n->token_out, n->error->msg);
	else if (str_is(n->text, "spent"))
		log_info("token %lld was taken", (long long)n->token_out);
	x->timer = loop_timer_add(x->w->loop, 0, out_look, x);
}

/* The next one whose time has come, and when it will be asked about again. PLAN_NONE: none. */
static int out_next(int64_t *id, struct wallet *w, struct err *e)
{
	auto_tx struct tx *tx = NULL;
	struct stmt *s;
	int rc;

	if (db_begin(&tx, w->db, e) < 0)
		return -1;
	s = tx_write(tx, "UPDATE token_out SET check_at = ?1 + min(?2, max(?3, (?1 - created) / 4))"
			 " WHERE id = (SELECT id FROM token_out WHERE state = ?4"
			 " AND check_at <= ?1 ORDER BY check_at LIMIT 1) RETURNING id");
	db_bind_i64(s, 1, clock_wall());
	db_bind_i64(s, 2, CHECK_MAX);
	db_bind_i64(s, 3, CHECK_MIN);
	db_bind_i64(s, 4, WALLET_OUT_OPEN);
	rc = db_step(s, e);
	if (rc == DB_ROW)
		*id = db_i64(s, 0);
	db_done(s);
	if (rc != DB_ROW)
		return rc < 0 ? -1 : PLAN_NONE;
	return db_commit(&tx, e);
}

static void out_look(void *ctx)
{
	struct out_watch *x = ctx;
	int64_t id = 0;
	struct err e;
	int rc = out_next(&id, x->w, &e);

	x->timer = NULL;
	if (rc == 0) {
		wallet_token_state(x->w, id, out_answer, x);
		return;
	}
	if (rc < 0)
		log_warn("tokens handed out: %s", e.msg);
	x->timer = loop_timer_add(x->w->loop, LOOK_MS, out_look, x);
}

void out_watch_start(struct wallet *w)
{
	if (!w->instance[0] || w->out_watch)
		return;
	w->out_watch = mem_zero(sizeof(*w->out_watch));
	w->out_watch->w = w;
	w->out_watch->timer = loop_timer_add(w->loop, LOOK_MS, out_look, w->out_watch);
}

void out_watch_free(struct wallet *w)
{
	if (!w->out_watch)
		return;
	loop_timer_del(w->out_watch->timer);
	free(w->out_watch);
	w->out_watch = NULL;
}
