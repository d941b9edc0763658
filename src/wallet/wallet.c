/* Open and close a wallet, go on after a start, and look at what is there. */
#include "wallet/wallet.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proc.h"
#include "wallet/job.h"
#include "wallet/purse.h"

#define INSTANCE_MAX 64

bool owner_alive(const struct wallet *w, const struct owner *o)
{
	if (o->pid == w->self.pid && o->start == w->self.start)
		return false; /* this process itself */
	return (int64_t)proc_start_time((pid_t)o->pid) == o->start && o->start != 0;
}

int wallet_open(struct wallet **out, const struct wallet_setup *s, struct err *e)
{
	auto_wallet struct wallet *w = mem_zero(sizeof(*w));

	if (s->instance.n > INSTANCE_MAX)
		return err_set(e, ERRK_LIMIT, "instance id is too long");
	w->db = s->db;
	w->loop = s->loop;
	w->http = s->http;
	w->seed = *s->seed;
	w->instance = mem_strndup(s->instance.n ? s->instance.p : "", s->instance.n);
	w->ops = s->ops;
	w->ctx = s->ctx;
	w->self.pid = getpid();
	w->self.start = (int64_t)proc_start_time(getpid());
	w->session = s->instance.n ? 2 + (int64_t)rand_below(INT64_MAX - 2) : 1;

	if (db_migrate(w->db, &wallet_schema, e) < 0 || mints_load(w, e) < 0)
		return err_wrap(e, "wallet");
	for (size_t i = 0; i < s->nmints; i++)
		if (wallet_allow(w, &s->mints[i], e) < 0)
			return -1;
	*out = steal(&w);
	return 0;
}

void wallet_close(struct wallet *w)
{
	if (!w)
		return;
	jobs_free(w);
	refunds_free(w);
	refund_watch_free(w);
	out_watch_free(w);
	runs_free(w);
	mints_free(w);
	seed_wipe(&w->seed);
	free(w->instance);
	free(w);
}

/* --- resume --- */

struct rows {
	int64_t *v;
	size_t n;
};

static int rows_load(struct rows *r, struct stmt *s, struct err *e)
{
	int rc;

	while ((rc = db_step(s, e)) == DB_ROW) {
		r->v = mem_grow(r->v, r->n + 1, sizeof(*r->v));
		r->v[r->n++] = db_i64(s, 0);
	}
	db_done(s);
	return rc;
}

static int resume_plans(struct wallet *w, struct err *e)
{
	struct rows plans = {0};
	int rc = rows_load(&plans, db_query(w->db, "SELECT id FROM plan WHERE state = 1"), e);

	for (size_t i = 0; rc == 0 && i < plans.n; i++) {
		int adopted = plan_adopt(w, plans.v[i], e);

		if (adopted < 0)
			rc = -1;
		else if (adopted == 0)
			run_surely(w, plans.v[i], RUN_ASK);
	}
	free(plans.v);
	return rc;
}

/* 0: it is ours now. PLAN_NONE: another process waits for it. */
static int quote_adopt(struct wallet *w, int64_t id, struct err *e)
{
	auto_tx struct tx *tx = NULL;
	struct quote q;
	struct stmt *s;

	if (db_begin(&tx, w->db, e) < 0 || quote_load(&q, w, id, e) < 0)
		return -1;
	secret_wipe(&q.key);
	if (q.state != FUND_WAITING || owner_alive(w, &q.owner))
		return PLAN_NONE;
	s = tx_write(tx, "UPDATE quote SET owner_pid = ?, owner_start = ? WHERE id = ?");
	db_bind_i64(s, 1, w->self.pid);
	db_bind_i64(s, 2, w->self.start);
	db_bind_i64(s, 3, id);
	if (tx_run(s, NULL, e) < 0)
		return -1;
	return db_commit(&tx, e);
}

static int resume_quotes(struct wallet *w, struct err *e)
{
	struct rows quotes = {0};
	int rc = rows_load(&quotes, db_query(w->db, "SELECT id FROM quote WHERE state = 1"), e);

	for (size_t i = 0; rc == 0 && i < quotes.n; i++) {
		rc = quote_adopt(w, quotes.v[i], e);
		if (rc == 0)
			fund_resume(w, quotes.v[i]);
		else if (rc > 0)
			rc = 0;
	}
	free(quotes.v);
	return rc;
}

static void resume_ready(void *ctx, const struct err *error)
{
	(void)ctx;
	if (error)
		log_warn("%s", error->msg);
}

/* A buyer's process is short: it asks a mint only when it needs something there. */
static void resume_mints(struct wallet *w)
{
	if (!w->instance[0])
		return;
	for (struct wmint *m = w->mints; m; m = m->next)
		if (m->allowed)
			wallet_refresh(w, m->url, resume_ready, NULL);
}

int wallet_resume(struct wallet *w, struct err *e)
{
	resume_mints(w);
	if (resume_plans(w, e) < 0 || resume_quotes(w, e) < 0)
		return err_wrap(e, "wallet");
	refunds_resume(w);
	out_watch_start(w);
	return 0;
}

/* --- looking --- */

static int sum_read(struct sat *out, struct stmt *s, struct err *e)
{
	int rc = db_step(s, e);

	if (rc == DB_ROW && !sat_make(out, (uint64_t)db_i64(s, 0)))
		rc = err_set(e, ERRK_LIMIT, "balance");
	db_done(s);
	return rc < 0 ? -1 : 0;
}

static int held_sum(struct sat *out, struct wallet *w, int64_t mint, enum held_state state,
		    struct err *e)
{
	struct stmt *s = db_query(w->db, "SELECT coalesce(sum(amount), 0) FROM proof"
					 " WHERE state = ?1 AND (?2 = 0 OR mint = ?2)");

	db_bind_i64(s, 1, state);
	db_bind_i64(s, 2, mint);
	return sum_read(out, s, e);
}

static int flight_sum(struct sat *out, struct wallet *w, int64_t mint, struct err *e)
{
	struct sat tokens = SAT(0), claims = SAT(0);
	struct stmt *s = db_query(w->db, "SELECT coalesce(sum(amount), 0) FROM token_out"
					 " WHERE state IN (?1, ?2) AND (?3 = 0 OR mint = ?3)");

	db_bind_i64(s, 1, WALLET_OUT_OPEN);
	db_bind_i64(s, 2, WALLET_OUT_RETURNING);
	db_bind_i64(s, 3, mint);
	if (sum_read(&tokens, s, e) < 0)
		return -1;
	s = db_query(w->db, "SELECT coalesce(sum(net), 0) FROM plan WHERE state = 1"
			    " AND kind IN (?1, ?2, ?3) AND (?4 = 0 OR mint = ?4)");
	db_bind_i64(s, 1, WALLET_PLAN_CLAIM);
	db_bind_i64(s, 2, WALLET_PLAN_RECEIVE);
	db_bind_i64(s, 3, WALLET_PLAN_MINT);
	db_bind_i64(s, 4, mint);
	if (sum_read(&claims, s, e) < 0)
		return -1;
	return sat_add(out, tokens, claims) ? 0 : err_set(e, ERRK_LIMIT, "balance");
}

static int balance_read(struct wallet_balance *b, struct wallet *w, int64_t mint, struct err *e)
{
	if (held_sum(&b->available, w, mint, HELD_FREE, e) < 0 ||
	    held_sum(&b->reserved, w, mint, HELD_RESERVED, e) < 0)
		return -1;
	return flight_sum(&b->in_flight, w, mint, e);
}

int wallet_balance(struct wallet *w, const char *mint, struct wallet_balance *out, struct err *e)
{
	char url[WALLET_URL_MAX + 1];
	struct wmint *m;

	*out = (struct wallet_balance){0};
	if (!mint)
		return balance_read(out, w, 0, e);
	if (wallet_url(url, str_of(mint), e) < 0)
		return -1;
	m = mint_by_url(w, url);
	return m ? balance_read(out, w, m->id, e) : 0;
}

int wallet_each_mint(struct wallet *w,
		     int (*fn)(void *ctx, const char *mint, const struct wallet_balance *b),
		     void *ctx, struct err *e)
{
	for (struct wmint *m = w->mints; m; m = m->next) {
		struct wallet_balance b = {0};

		if (balance_read(&b, w, m->id, e) < 0)
			return -1;
		if (fn(ctx, m->url, &b) != 0)
			return 0;
	}
	return 0;
}

int wallet_fee(struct wallet *w, const char *mint, size_t n, struct sat *out, struct err *e)
{
	struct wmint *m = mint_allowed(w, str_of(mint));
	const struct keyset *k;

	if (!m)
		return err_set(e, ERRK_DENIED, "mint %s is not allowed", mint);
	if (n > PROOFS_MAX)
		return err_set(e, ERRK_LIMIT, "too many proofs");
	k = keysets_choose(&m->keysets, WALLET_UNIT, clock_wall());
	if (!k)
		return err_set(e, ERRK_STATE, "the keysets of %s are not known yet", mint);
	*out = keyset_fee_of(k, n);
	return 0;
}
