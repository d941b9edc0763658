/* How the mints are: answers, silence, keysets and their end, and what of the money may leave. */
#ifndef WALLET_HEALTH_H
#define WALLET_HEALTH_H

#include "wallet/wallet.h"

struct wallet_funds {		/* what lies at a mint, and whose it is */
	struct sat held;	/* proofs, reserved ones too */
	struct msat open, owed; /* paid for leases that are not over; refunds due */
	struct sat available;	/* in no plan */
	struct sat spare;	/* available, less what is open and owed: only this may leave */
};
/* mint NULL: all together. */
int wallet_funds(struct wallet *w, const char *mint, struct wallet_funds *out,
		 struct err *e) MUST_CHECK;

/* The mint with the most to spare, with `url` filled; "" where none has any. */
int wallet_richest(struct wallet *w, char url[static WALLET_URL_MAX + 1],
		   struct wallet_funds *funds, struct err *e) MUST_CHECK;

struct wallet_keyset_health {
	char id[67]; /* hex */
	bool active;
	uint32_t fee_ppk;
	int64_t expiry;	 /* 0: none */
	struct sat held; /* on this keyset */
};

struct wallet_health { /* strings borrowed during the call */
	const char *url;
	bool allowed;
	int64_t good_at, bad_at; /* last answer and last failure; 0: none in this process */
	uint64_t failures;	 /* since the last good answer */
	int64_t latency_ms;	 /* -1: not known */
	const char *fault;	 /* of the last failure; "" */
	int64_t quiet_ms;	 /* nothing goes there for so long (429) */
	int64_t keysets_at;	 /* when they were read last; 0: never */
	struct wallet_funds funds;
	const struct wallet_keyset_health *keysets; /* of the unit sat */
	size_t nkeysets;
};
int wallet_each_health(struct wallet *w, int (*fn)(void *ctx, const struct wallet_health *h),
		       void *ctx, struct err *e) MUST_CHECK;

#endif
