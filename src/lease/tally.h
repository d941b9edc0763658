/*
 * What the engine counts since its process began, for metrics alone: nothing is decided by it. The
 * sizes are bounded by tables of ours and by the operator's configuration, never by who asks.
 */
#ifndef LEASE_TALLY_H
#define LEASE_TALLY_H

#include "base/amount.h"
#include "base/metricw.h"
#include "lease/lease.h"
#include "nostr/pool.h"
#include "proto/reply.h"
#include "proto/request.h"
#include "wallet/wallet.h"

/* Steps of a start, as the host says how long each took. */
#define TALLY_STAGES(X) X(image) X(volume) X(bundle) X(keeper) X(create) X(start)

enum tally_stage {
#define X(name) TALLY_##name,
	TALLY_STAGES(X)
#undef X
		TALLY_NSTAGES
};

/* What came of a buyer's payment. */
enum tally_redeem {
	TALLY_SETTLED,
	TALLY_LATE,    /* the mint answered too late: given back */
	TALLY_EXPIRED, /* it did not answer: given back */
	TALLY_REFUSED, /* by the mint, unspent */
	TALLY_SPENT,   /* by somebody else before */
	TALLY_TAKEN,   /* back, by its sender */
	TALLY_BLOCKED, /* spent with our own key, but not by us */
	TALLY_NREDEEMS
};
const char *tally_redeem_name(enum tally_redeem r);

struct tally {
	uint64_t requests[REQUEST_NTYPES], refused[REQUEST_NTYPES][REPLY_NCODES];
	uint64_t erased, erase_failures;
	uint64_t started, start_failures;
	struct metric_times stages[TALLY_NSTAGES], start; /* of those that run */
	uint64_t (*redeemed)[TALLY_NREDEEMS];		  /* beside set.mints, and of others */
	uint64_t refunds;
	uint64_t ended[LEASE_NWHYS];
	uint64_t beats, beat_acks[NOSTR_RELAYS_MAX];
};

struct engine;
void tally_open(struct engine *g);
void tally_close(struct engine *g);
void tally_plan(struct engine *g, const struct wallet_plan *p); /* of a buyer's, closed */
struct priv_start_reply;
void tally_start(struct engine *g, const struct priv_start_reply *r, int64_t ms);
void tally_beat(void *ctx, enum nostr_pub_stage stage, const struct nostr_pub_result *r, size_t n);

#endif
