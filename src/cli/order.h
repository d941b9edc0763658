/* Buying a lease: an offer and a mint are chosen, the money is found, and the provider is paid; if
 * it refuses or says nothing and that is wanted, the next one. */
#ifndef CLI_ORDER_H
#define CLI_ORDER_H

#include "cli/book.h"
#include "cli/market.h"
#include "cli/session.h"

/* ANY: who refuses is passed over, and who says nothing until the request lapses. */
enum order_reach { ORDER_ONE, ORDER_ANY };

struct order {
	struct app *app;
	struct request *req; /* spawn: what to run */
	struct market_want want;
	int64_t seconds;
	int64_t max_risk; /* seconds that the first payment to an unknown provider may buy */
	struct sat budget;
	bool has_budget;
	enum order_reach reach;
	bool own_key;	  /* the wallet's own opens its volume */
	const char *name; /* NULL: one is made */
	const char *mint; /* NULL: where the money is */
	struct str token; /* pays first; empty: none */

	/* What came of it. */
	struct session *session;
	struct book_entry entry;
	int prolonged; /* 0, or the exit status of the second payment, that failed */

	/* Its own. */
	struct market market;
	struct listing *chosen;
	struct sat held;	 /* in tokens locked to providers that say nothing */
	struct sat amount;	 /* for all of the time */
	struct sat first, later; /* as two payments; later 0: one */
	int64_t loaded_ms;
};

/* 0: it runs. Otherwise the exit status, everything is printed. */
int order_run(struct order *o);
void order_clear(struct order *o);
#define auto_order __attribute__((cleanup(order_clear)))

/* The amount that buys so much, in two payments if the provider is unknown. Pure. */
struct order_price {
	struct sat amount, first, later;
};
int order_split(struct order_price *out, const struct offer *o, int64_t seconds, int64_t max_first,
		struct err *e) MUST_CHECK;

#endif
