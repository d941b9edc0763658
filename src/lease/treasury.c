/* What lies at a mint is a credit to its operator: a cap, a sweep, and no keyset that ends. */
#include "lease/treasury.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "lease/engine_impl.h"
#include "wallet/health.h"
#include "wallet/leave.h"
#include "wallet/renew.h"

#define WARN_PERCENT	  80
#define SWEEP_FEE_PERCENT 2
#define SWEEP_FEE_LEAST	  5
#define SWEEP_RETRY_MS	  600000
#define FIRST_MS	  60000
#define HOUR_MS		  3600000
#define RENEW_BEFORE	  (7 * 86400) /* of a keyset's end */

struct treasury_mint {
	struct engine *g;
	char url[WALLET_URL_MAX + 1];
	enum engine_cap said; /* last */
	bool sweeping;
	unsigned sweep_fails, paying;
	int64_t sweep_at_ms; /* not before */
};

struct treasury {
	struct treasury_mint *mints; /* beside set.mints */
	size_t n;
	struct loop_timer *timer;
};

const char *engine_cap_name(enum engine_cap c)
{
	static const char *const names[] = {
		[ENGINE_CAP_NONE] = "",
		[ENGINE_CAP_UNDER] = "under",
		[ENGINE_CAP_NEAR] = "near",
		[ENGINE_CAP_OVER] = "over",
	};

	return names[c];
}

struct sat engine_exposure_cap(const struct engine *g)
{
	return g->set.treasury.exposure_cap;
}

/* What lies there, claims that are under way included. False: not known. */
static bool exposure(struct sat *out, struct engine *g, const char *mint)
{
	struct wallet_balance b;
	struct sat held;

	return wallet_balance(g->wallet, mint, &b, NULL) == 0 &&
	       sat_add(&held, b.available, b.reserved) && sat_add(out, held, b.in_flight);
}

enum engine_cap engine_cap_of(struct engine *g, const char *mint)
{
	struct sat cap = g->set.treasury.exposure_cap, there;

	if (sat_is_zero(cap))
		return ENGINE_CAP_NONE;
	if (!exposure(&there, g, mint))
		return ENGINE_CAP_UNDER;
	if (sat_cmp(there, cap) >= 0)
		return ENGINE_CAP_OVER;
	return sat_raw(there) * 100 >= sat_raw(cap) * WARN_PERCENT ? ENGINE_CAP_NEAR
								   : ENGINE_CAP_UNDER;
}

bool treasury_refuses(struct engine *g, const char *mint, struct sat more)
{
	struct sat cap = g->set.treasury.exposure_cap, there, sum;

	if (sat_is_zero(cap) || !g->set.treasury.refuse_at_cap || !exposure(&there, g, mint))
		return false;
	return !sat_add(&sum, there, more) || sat_cmp(sum, cap) > 0;
}

/* --- saying it once --- */

static void warn(const char *mint, enum engine_cap was, enum engine_cap now, bool refuse)
{
	if (now <= was || now < ENGINE_CAP_NEAR)
		return;
	if (now == ENGINE_CAP_NEAR)
		log_warn("%s: %d %% of its exposure_cap lie there; leasectl wallet withdraw", mint,
			 WARN_PERCENT);
	else
		log_warn("%s: its exposure_cap is reached%s", mint,
			 refuse ? "; it is not taken until some is withdrawn" : "");
}

static void look_at(struct treasury_mint *m, bool *changed)
{
	struct engine *g = m->g;
	enum engine_cap now = engine_cap_of(g, m->url);

	warn(m->url, m->said, now, g->set.treasury.refuse_at_cap);
	*changed |= (now == ENGINE_CAP_OVER) != (m->said == ENGINE_CAP_OVER);
	m->said = now;
}

bool treasury_full(const struct engine *g, size_t i)
{
	return g->treasury && g->set.treasury.refuse_at_cap &&
	       g->treasury->mints[i].said == ENGINE_CAP_OVER;
}

/* --- sweep: what is free leaves by itself --- */

static int count_open(void *ctx, const struct wallet_payout *p)
{
	struct treasury_mint *m = ctx;

	if (p->state == WALLET_PAYOUT_OPEN && strcmp(p->mint, m->url) == 0)
		m->paying++;
	return 0;
}

/* One at a time, and none beside another payment from there. */
static bool sweep_due(struct treasury_mint *m, struct wallet_funds *f)
{
	const struct engine_treasury *t = &m->g->set.treasury;
	struct wallet *w = m->g->wallet;

	if (!t->sweep_to || m->sweeping || clock_mono_ms() < m->sweep_at_ms)
		return false;
	if (wallet_funds(w, m->url, f, NULL) < 0 || sat_cmp(f->spare, t->sweep_above) < 0)
		return false;
	m->paying = 0;
	return wallet_each_payout(w, count_open, m, NULL) == 0 && m->paying == 0;
}

static void swept(void *ctx, const struct wallet_news *n)
{
	struct treasury_mint *m = ctx;
	const struct engine_treasury *t = &m->g->set.treasury;

	if (n->stage == WALLET_WAITING)
		return;
	m->sweeping = false;
	if (n->stage == WALLET_DONE) {
		m->sweep_fails = 0;
		log_info("%s: %llu sat swept to %s", m->url, (unsigned long long)sat_raw(n->amount),
			 t->sweep_to);
		return;
	}
	m->sweep_at_ms = clock_mono_ms() + ((int64_t)SWEEP_RETRY_MS << m->sweep_fails);
	m->sweep_fails += m->sweep_fails < 8;
	log_warn("%s: sweep to %s: %s", m->url, t->sweep_to,
		 n->error ? n->error->msg : "the fees are too high");
}

/* All that is free but what the fees may be; what they are not stays for the next time. */
static void sweep(struct treasury_mint *m)
{
	struct wallet_pay_address pay = {.mint = m->url, .address = m->g->set.treasury.sweep_to};
	struct wallet_funds f;
	struct sat fees;

	if (!sweep_due(m, &f))
		return;
	fees = SAT(sat_raw(f.spare) * SWEEP_FEE_PERCENT / 100 + SWEEP_FEE_LEAST);
	if (!sat_sub(&pay.amount, f.spare, fees) || sat_is_zero(pay.amount))
		return;
	pay.max_total = f.spare;
	m->sweeping = true;
	wallet_pay_address(m->g->wallet, &pay, swept, m);
}

/* --- keysets that end --- */

static void renewed(void *ctx, const struct wallet_news *n)
{
	struct treasury_mint *m = ctx;

	if (n->stage == WALLET_FAILED)
		log_warn("%s: renew: %s", m->url, n->error->msg);
	else if (n->stage == WALLET_DONE && !sat_is_zero(n->amount))
		log_info("%s: %llu sat moved to a keyset that stays", m->url,
			 (unsigned long long)sat_raw(n->amount));
}

/* --- */

void treasury_look(struct engine *g)
{
	struct treasury *t = g->treasury;
	bool changed = false;

	for (size_t i = 0; t && i < t->n; i++)
		look_at(&t->mints[i], &changed);
	if (changed && g->set.treasury.refuse_at_cap)
		offers_publish(g);
	for (size_t i = 0; t && i < t->n; i++)
		sweep(&t->mints[i]);
}

static void hourly(void *ctx)
{
	struct engine *g = ctx;
	struct treasury *t = g->treasury;

	t->timer = loop_timer_add(g->loop, HOUR_MS, hourly, g);
	for (size_t i = 0; i < t->n; i++)
		wallet_renew(g->wallet, t->mints[i].url, clock_wall() + RENEW_BEFORE, renewed,
			     &t->mints[i]);
	treasury_look(g);
}

void treasury_start(struct engine *g)
{
	struct treasury *t = mem_zero(sizeof(*t));
	struct err e;

	t->mints = mem_array(g->set.nmints + 1, sizeof(*t->mints));
	for (size_t i = 0; i < g->set.nmints; i++) {
		struct treasury_mint *m = &t->mints[t->n];

		m->g = g;
		if (wallet_url(m->url, str_of(g->set.mints[i].url), &e) < 0)
			log_broken("mint %s: %s", g->set.mints[i].url, e.msg);
		t->n++;
	}
	t->timer = loop_timer_add(g->loop, FIRST_MS, hourly, g);
	g->treasury = t;
	treasury_look(g);
}

void treasury_stop(struct engine *g)
{
	if (!g->treasury)
		return;
	loop_timer_del(g->treasury->timer);
	free(g->treasury->mints);
	free(g->treasury);
	g->treasury = NULL;
}
