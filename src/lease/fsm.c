/* Which state may follow which, and what a lease costs: pure. */
#include <assert.h>

#include "base/mem.h"
#include "lease/lease.h"

static const uint32_t may_become[LEASE_NSTATES] = {
	[LEASE_ASKED] = LEASE_BIT(LEASE_PAYING) | LEASE_BIT(LEASE_REFUSED),
	[LEASE_PAYING] = LEASE_BIT(LEASE_PAID) | LEASE_BIT(LEASE_REFUSED) | LEASE_BIT(LEASE_ENDED),
	[LEASE_PAID] = LEASE_BIT(LEASE_RUNNING) | LEASE_BIT(LEASE_STOPPING),
	[LEASE_RUNNING] = LEASE_BIT(LEASE_STOPPING),
	[LEASE_STOPPING] = LEASE_BIT(LEASE_ENDED),
	[LEASE_ENDED] = 0,
	[LEASE_REFUSED] = 0,
};

static const char *const state_names[LEASE_NSTATES] = {
	[LEASE_ASKED] = "asked",   [LEASE_REFUSED] = "refused", [LEASE_PAYING] = "paying",
	[LEASE_PAID] = "starting", [LEASE_RUNNING] = "running", [LEASE_STOPPING] = "stopping",
	[LEASE_ENDED] = "ended",
};

static const char *const why_names[] = {
	[WHY_NONE] = "",
	[WHY_REFUSED] = "refused",
	[WHY_EXPIRED] = "expired",
	[WHY_OWNER] = "owner",
	[WHY_OPERATOR] = "operator",
	[WHY_START_FAILED] = "start_failed",
	[WHY_HOST_REBOOTED] = "host_rebooted",
	[WHY_PAID_LATE] = "paid_late",
};
_Static_assert(ARRAY_SIZE(why_names) == LEASE_NWHYS, "one name a reason");

const char *lease_state_name(enum lease_state s)
{
	return state_names[s];
}

const char *lease_word(const struct lease *l)
{
	static const char *const halts[] = {
		[LEASE_HALTING] = "halting",	  [LEASE_HALTED] = "stopped",
		[LEASE_RESUMING] = "resuming",	  [LEASE_WAITING] = "restarting",
		[LEASE_LOCKED] = "needs its key",
	};

	if (l->state == LEASE_RUNNING && *l->kept)
		return "kept";
	if (l->state == LEASE_RUNNING && l->halt != LEASE_RUNS && l->restart.at)
		return halts[LEASE_WAITING];
	if (l->state == LEASE_RUNNING && l->halt != LEASE_RUNS)
		return halts[l->halt];
	return l->state == LEASE_RUNNING && l->exit_status >= 0 ? "exited"
								: lease_state_name(l->state);
}

const char *lease_why_name(enum lease_why w)
{
	return why_names[w];
}

bool lease_may_become(enum lease_state from, enum lease_state to)
{
	return may_become[from] & LEASE_BIT(to);
}

static int64_t priced_from(const struct lease *l)
{
	return l->priced_at ? l->priced_at : l->started_at;
}

int64_t lease_paid_seconds(const struct lease *l)
{
	int64_t before = priced_from(l) - l->started_at;
	struct msat left;
	bool fits = msat_sub(&left, l->paid, l->spent);

	assert(fits && before <= l->max_lease);
	return before + (int64_t)price_seconds(l->price, left, (uint64_t)(l->max_lease - before));
}

bool lease_longest(struct msat *out, const struct lease *l)
{
	int64_t before = priced_from(l) - l->started_at;

	return price_cost(out, l->price, (uint64_t)(l->max_lease - before)) &&
	       msat_add(out, *out, l->spent);
}

/* Time runs from started_at; a lease that never ran used nothing. */
static struct msat used_money(const struct lease *l, int64_t now)
{
	struct msat used;
	int64_t end = now < l->expires_at ? now : l->expires_at, from = priced_from(l);

	if (!l->started_at || end <= from)
		return l->spent;
	if (!price_cost(&used, l->price, (uint64_t)(end - from)) ||
	    !msat_add(&used, used, l->spent) || msat_cmp(used, l->paid) > 0)
		return l->paid;
	return used;
}

void lease_reprice(struct lease *l, struct price p, int64_t now)
{
	l->spent = used_money(l, now);
	l->priced_at = now > priced_from(l) ? now : priced_from(l);
	if (l->priced_at > l->expires_at)
		l->priced_at = l->expires_at;
	l->price = p;
	l->expires_at = l->started_at + lease_paid_seconds(l);
}

void lease_bill(struct lease_bill *b, const struct lease *l, int64_t now)
{
	struct sat whole;
	bool fits;

	b->used = used_money(l, now);
	fits = msat_sub(&b->unused, l->paid, b->used);
	assert(fits);
	whole = msat_floor(b->unused);
	if (!l->refund_key[0] || sat_is_zero(whole) || sat_cmp(whole, l->refund_min) < 0)
		whole = SAT(0);
	fits = msat_of_sat(&b->refund, whole) && msat_sub(&b->kept, b->unused, b->refund);
	assert(fits);
}
