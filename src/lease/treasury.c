/* The exposure cap of each mint: what lies there is a credit to its operator. See treasury.h. */
#include "lease/treasury.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "lease/engine_impl.h"
#include "wallet/health.h"

#define WARN_PERCENT 80

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

void treasury_look(struct engine *g)
{
	bool changed = false;

	for (size_t i = 0; i < g->set.nmints; i++) {
		const char *mint = g->set.mints[i].url;
		enum engine_cap now = engine_cap_of(g, mint), was = g->caps[i];

		warn(mint, was, now, g->set.treasury.refuse_at_cap);
		changed |= (now == ENGINE_CAP_OVER) != (was == ENGINE_CAP_OVER);
		g->caps[i] = now;
	}
	if (changed && g->set.treasury.refuse_at_cap)
		offers_publish(g);
}

void treasury_start(struct engine *g)
{
	for (size_t i = 0; i < g->set.nmints; i++) {
		g->caps[i] = engine_cap_of(g, g->set.mints[i].url);
		warn(g->set.mints[i].url, ENGINE_CAP_NONE, g->caps[i],
		     g->set.treasury.refuse_at_cap);
	}
}

void treasury_stop(struct engine *g)
{
	free(g->caps);
	g->caps = NULL;
}
