/* What both wallets, the provider's leases and the mint say in the end, and whether it agrees. */
#ifndef TESTS_CRASH_BOOKS_H
#define TESTS_CRASH_BOOKS_H

#include "stage.h"

/* What came of all requests so far; two runs of a scenario must come to the same. */
struct outcome {
	int64_t given;	 /* leases that money was taken for */
	int64_t ran;	 /* of these, those that ran */
	int64_t live;	 /* those that have not ended */
	int64_t paid;	 /* msat, net of fees */
	int64_t refunds; /* jobs */
	int64_t lost;	 /* sat that left the market: by Lightning */
};

#define WHY_MAX 2048

struct books {
	struct outcome outcome;
	char why[WHY_MAX]; /* "" when everything agrees, else a sentence a line */
};

/* The outcome so far; everybody may be running. */
void books_outcome(struct outcome *out, const struct stage *s);
bool outcome_same(const struct outcome *a, const struct outcome *b);
/* Everything, once buyer and provider are dead and all has been settled. */
void books_close(struct books *b, const struct stage *s);
void books_say(char why[static WHY_MAX], const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
