/* Counting: see tally.h. */
#include "lease/tally.h"

#include <string.h>

#include "base/mem.h"
#include "lease/engine_impl.h"

const char *tally_redeem_name(enum tally_redeem r)
{
	static const char *const names[TALLY_NREDEEMS] = {
		[TALLY_SETTLED] = "settled", [TALLY_LATE] = "late",   [TALLY_EXPIRED] = "expired",
		[TALLY_REFUSED] = "refused", [TALLY_SPENT] = "spent", [TALLY_TAKEN] = "taken_back",
		[TALLY_BLOCKED] = "blocked",
	};

	return names[r];
}

void tally_open(struct engine *g)
{
	g->tally.redeemed = mem_array(g->set.nmints + 1, sizeof(*g->tally.redeemed));
}

void tally_close(struct engine *g)
{
	free(g->tally.redeemed);
}

static enum tally_redeem redeemed(const struct wallet_plan *p)
{
	switch (p->reason) {
	case WALLET_REJECT_NONE:
		break;
	case WALLET_REJECT_EXPIRED:
		return TALLY_EXPIRED;
	case WALLET_REJECT_REFUSED:
		return TALLY_REFUSED;
	case WALLET_REJECT_SPENT:
		return TALLY_SPENT;
	case WALLET_REJECT_REFUNDED:
		return TALLY_TAKEN;
	case WALLET_REJECT_BLOCKED:
		return TALLY_BLOCKED;
	}
	return p->late ? TALLY_LATE : TALLY_SETTLED;
}

/* Its place in the configuration; behind it for one that was taken out. */
static size_t mint_place(const struct engine *g, const char *mint)
{
	char url[WALLET_URL_MAX + 1];
	size_t i = 0;

	while (i < g->set.nmints &&
	       (wallet_url(url, str_of(g->set.mints[i].url), NULL) < 0 || strcmp(url, mint) != 0))
		i++;
	return i;
}

void tally_plan(struct engine *g, const struct wallet_plan *p)
{
	enum tally_redeem what = redeemed(p);

	g->tally.redeemed[mint_place(g, p->mint)][what]++;
}

void tally_start(struct engine *g, const struct priv_start_reply *r, int64_t ms)
{
	struct tally *t = &g->tally;

	if (r->outcome != PRIV_START_RUNNING) {
		t->start_failures++;
		return;
	}
	t->started++;
	metric_times_add(&t->start, (uint64_t)ms * 1000);
#define X(name) metric_times_add(&t->stages[TALLY_##name], r->name##_us);
	TALLY_STAGES(X)
#undef X
}

void tally_beat(void *ctx, enum nostr_pub_stage stage, const struct nostr_pub_result *r, size_t n)
{
	struct engine *g = ctx;

	for (size_t i = 0; stage == NOSTR_PUB_DONE && i < n; i++)
		if (r[i].state == NOSTR_PUB_ACCEPTED && r[i].relay < NOSTR_RELAYS_MAX)
			g->tally.beat_acks[r[i].relay]++;
}
