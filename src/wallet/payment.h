/* A token that was checked and not yet claimed. */
#ifndef WALLET_PAYMENT_H
#define WALLET_PAYMENT_H

#include "cashu/lock.h"
#include "cashu/token.h"
#include "cashu/wire.h"
#include "wallet/core.h"
#include "wallet/till.h"

struct wallet_payment {
	struct cashu_token *token; /* keyset ids are full */
	struct wmint *mint;
	struct y_bytes *ys;
	struct lock_key key; /* ours; with `locked` */
	bool locked;
	struct sat gross, fee, net;
};

enum { CLAIM_NEW, CLAIM_RELEASED, CLAIM_PLANNED };
/* Was this Y here before? One of the three. */
int claim_find(struct wallet *w, const struct y_bytes *y, struct err *e) MUST_CHECK;
/* Is it a proof of our own that is not spent? 1: yes. */
int claim_held(struct wallet *w, const struct y_bytes *y, struct err *e) MUST_CHECK;
int payment_key(struct wallet *w, const struct wmint *m, struct secret *k, struct lock_key *pub,
		struct err *e) MUST_CHECK;

#endif
