/* Commands that failed: counted and stored, awaited, and started again by the machine of halt.c. */
#include "lease/restart.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/step.h"
#include "lease/engine_impl.h"
#include "lease/halt.h"

#define WAIT_FIRST_S  1
#define WAIT_MOST_S   60
#define RAN_LONG_S    10 /* whoever ran so long is not about to fail at once: the first wait again */
#define LOOK_FIRST_MS 100
#define LOOK_AGAIN_MS 1000

static int64_t next_wait(const struct lease *l, int64_t now)
{
	int64_t twice = 2 * l->restart.wait;

	if (!twice || now - l->restart.since >= RAN_LONG_S)
		return WAIT_FIRST_S;
	return twice < WAIT_MOST_S ? twice : WAIT_MOST_S;
}

void restart_running(struct lease *l)
{
	l->restart.at = 0;
	l->restart.since = clock_wall();
}

void restart_forget(struct lease *l)
{
	l->restart.done = 0;
	l->restart.wait = 0;
	l->restart.at = 0;
}

static int store_failure(struct engine *g, const struct lease *l, const char *what, struct err *e)
{
	auto_reply struct reply *news = reply_for(l, REPLY_STAGE_STATUS, REPLY_OK);
	auto_tx struct tx *tx = NULL;

	reply_say(news, "%s; restart %u of %u in %" PRId64 " s", what, l->restart.done,
		  l->restart.max, l->restart.wait);
	if (db_begin(&tx, g->db, e) < 0 || lease_save_halt(tx, l, e) < 0 ||
	    restart_save(tx, l, e) < 0 || outbox_add(g, tx, &l->author, news, e) < 0)
		return -1;
	return db_commit(&tx, e);
}

/* At a failure that its owner made, or too late in its time, it stays as it is. */
int restart_failed(struct engine *g, struct lease *l, enum lease_halt to, const char *what,
		   struct err *e)
{
	int64_t now = clock_wall(), wait = next_wait(l, now);
	struct lease was = *l;

	if (l->restart.done >= l->restart.max || l->restart.spared == l->generation ||
	    now + wait >= l->expires_at)
		return RESTART_NOT;
	l->halt = to;
	l->halt_grace = 0;
	l->halt_request[0] = 0;
	l->restart.done++;
	l->restart.wait = wait;
	l->restart.at = now + wait;
	if (store_failure(g, l, what, e) < 0) {
		*l = was;
		return -1;
	}
	step_at(STEP_LEASE_RESTARTING);
	outbox_kick(g);
	log_info("lease %s: %s; restart %u of %u in %" PRId64 " s", l->id, what, l->restart.done,
		 l->restart.max, wait);
	restart_arm(g);
	return RESTART_WILL;
}

/* --- the wait is over --- */

static int store_resuming(struct engine *g, struct lease *l, struct err *e)
{
	auto_tx struct tx *tx = NULL;

	l->halt = LEASE_RESUMING;
	l->generation++;
	l->restart.since = clock_wall(); /* one that does not start ran for no time */
	if (db_begin(&tx, g->db, e) < 0 || lease_save_halt(tx, l, e) < 0 ||
	    restart_save(tx, l, e) < 0 || db_commit(&tx, e) < 0)
		return -1;
	step_at(STEP_LEASE_RESUMING);
	return 0;
}

/* Where nothing could be stored, or the host does something else with it: at the next look. */
static int resume(struct engine *g, struct lease *l)
{
	struct work *w = work_begin(g, l->id);
	struct err e;

	if (!w)
		return -1;
	if (store_resuming(g, l, &e) < 0) {
		log_broken("lease %s: %s", l->id, e.msg);
		work_end(w);
		return -1;
	}
	halt_step(w, l);
	return 0;
}

static void run_again(void *ctx, const char *id)
{
	struct engine *g = ctx;
	struct lease l;
	struct err e;

	if (lease_load(g->db, id, &l, &e) || l.state != LEASE_RUNNING || l.halt != LEASE_WAITING ||
	    l.expires_at <= clock_wall())
		return;
	(void)resume(g, &l);
}

void restart_rebooted(struct engine *g, struct lease *l)
{
	log_info("lease %s: the host was rebooted, it runs again", l->id);
	l->restart.at = 0;
	l->exit_status = -1;
	l->halt_request[0] = 0;
	if (resume(g, l) < 0)
		inspect_later(g, l->id);
}

static void look(void *ctx);

static void arm(struct engine *g, int64_t overdue_ms)
{
	int64_t at, wait;
	struct err e;

	loop_timer_del(g->restart_timer);
	g->restart_timer = NULL;
	if (restart_next(g->db, &at, &e) < 0) {
		log_broken("restarts: %s", e.msg);
		at = clock_wall() + WAIT_MOST_S;
	}
	if (!at)
		return;
	wait = at * 1000 - clock_wall_ms();
	if (wait > WAIT_MOST_S * 1000)
		wait = WAIT_MOST_S * 1000;
	g->restart_timer = loop_timer_add(g->loop, wait > 0 ? wait : overdue_ms, look, g);
}

static void look(void *ctx)
{
	struct engine *g = ctx;
	struct err e;

	g->restart_timer = NULL;
	if (restart_each_due(g->db, clock_wall(), WAIT_MOST_S, run_again, g, &e) < 0)
		log_broken("restarts: %s", e.msg);
	arm(g, LOOK_AGAIN_MS);
}

void restart_arm(struct engine *g)
{
	arm(g, LOOK_FIRST_MS);
}
