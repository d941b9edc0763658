/* What happened to the money, posting by posting: for people and for accountants. */
#ifndef WALLET_HISTORY_H
#define WALLET_HISTORY_H

#include "wallet/wallet.h"

struct wallet_event { /* strings borrowed during the call */
	int64_t id, at;
	const char *what; /* "earned"; stable */
	struct msat amount;
	const char *mint, *ref; /* ref "": belongs to no order or lease */
};

struct wallet_history {
	int64_t since;	/* 0: from the beginning */
	uint64_t limit; /* the newest ones; 0: 1000 */
};

/* Newest first; stops when fn returns not 0. */
int wallet_each_event(struct wallet *w, const struct wallet_history *h,
		      int (*fn)(void *ctx, const struct wallet_event *ev), void *ctx,
		      struct err *e) MUST_CHECK;

#endif
