/* Money: typed amounts with checked arithmetic. The raw member is touched in amount.[ch] and in
 * SQL binding only; nothing here ever rounds silently or passes through a double. */
#ifndef BASE_AMOUNT_H
#define BASE_AMOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define AMOUNT_MSAT_MAX ((uint64_t)1 << 53)

struct sat {
	uint64_t n;
};

struct msat {
	uint64_t n;
};

/* Constructors refuse what is above 2^53 msat. */
bool sat_make(struct sat *out, uint64_t n) MUST_CHECK;
bool msat_make(struct msat *out, uint64_t n) MUST_CHECK;
#define SAT(k)	((struct sat){k})  /* constants only */
#define MSAT(k) ((struct msat){k}) /* constants only */

bool sat_add(struct sat *out, struct sat a, struct sat b) MUST_CHECK;
bool sat_sub(struct sat *out, struct sat a, struct sat b) MUST_CHECK;
bool msat_add(struct msat *out, struct msat a, struct msat b) MUST_CHECK;
bool msat_sub(struct msat *out, struct msat a, struct msat b) MUST_CHECK;
bool msat_mul(struct msat *out, struct msat a, uint64_t k) MUST_CHECK;
bool msat_of_sat(struct msat *out, struct sat s) MUST_CHECK;
struct sat msat_floor(struct msat m); /* whole sats */
struct sat msat_ceil(struct msat m);

static inline int sat_cmp(struct sat a, struct sat b)
{
	return a.n < b.n ? -1 : a.n > b.n;
}

static inline int msat_cmp(struct msat a, struct msat b)
{
	return a.n < b.n ? -1 : a.n > b.n;
}

static inline bool sat_is_zero(struct sat a)
{
	return a.n == 0;
}

/* Raw values for SQL, JSON and printing. */
static inline uint64_t sat_raw(struct sat a)
{
	return a.n;
}

static inline uint64_t msat_raw(struct msat a)
{
	return a.n;
}

/* NUT-00: powers of two that sum to s, ascending; returns how many (at most 64). */
size_t sat_split(struct sat out[static 64], struct sat s);
/* "21", "21sat"; no fractions. */
int sat_parse(struct sat *out, struct str s, struct err *e) MUST_CHECK;

/* A price in millisatoshi per second, kept as the rational that the operator wrote. */
struct price {
	uint64_t msat; /* so many msat … */
	uint64_t per;  /* … for so many seconds; never 0 */
};
/* "10sat/h", "500msat/s", "1sat/m", "240sat/d". */
int price_parse(struct price *out, struct str s, struct err *e) MUST_CHECK;
/* Smallest amount that buys `seconds`: ceil(seconds * msat / per). False on overflow. */
/* Both together, exactly. False: too large a number. */
bool price_add(struct price *out, struct price a, struct price b) MUST_CHECK;
bool price_cost(struct msat *out, struct price p, uint64_t seconds) MUST_CHECK;
/* Whole seconds that `m` buys: floor(m * per / msat); a price of 0 buys `max`. Never above max. */
uint64_t price_seconds(struct price p, struct msat m, uint64_t max);

#endif
