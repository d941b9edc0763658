#include "base/amount.h"

static const uint64_t sat_max = AMOUNT_MSAT_MAX / 1000;

bool sat_make(struct sat *out, uint64_t n)
{
	if (n > sat_max)
		return false;
	out->n = n;
	return true;
}

bool msat_make(struct msat *out, uint64_t n)
{
	if (n > AMOUNT_MSAT_MAX)
		return false;
	out->n = n;
	return true;
}

bool sat_add(struct sat *out, struct sat a, struct sat b)
{
	uint64_t n;

	return !__builtin_add_overflow(a.n, b.n, &n) && sat_make(out, n);
}

bool sat_sub(struct sat *out, struct sat a, struct sat b)
{
	return a.n >= b.n && sat_make(out, a.n - b.n);
}

bool msat_add(struct msat *out, struct msat a, struct msat b)
{
	uint64_t n;

	return !__builtin_add_overflow(a.n, b.n, &n) && msat_make(out, n);
}

bool msat_sub(struct msat *out, struct msat a, struct msat b)
{
	return a.n >= b.n && msat_make(out, a.n - b.n);
}

bool msat_mul(struct msat *out, struct msat a, uint64_t k)
{
	uint64_t n;

	return !__builtin_mul_overflow(a.n, k, &n) && msat_make(out, n);
}

bool msat_of_sat(struct msat *out, struct sat s)
{
	return msat_mul(out, (struct msat){s.n}, 1000);
}

struct sat msat_floor(struct msat m)
{
	return (struct sat){m.n / 1000};
}

struct sat msat_ceil(struct msat m)
{
	return (struct sat){m.n / 1000 + (m.n % 1000 != 0)};
}

size_t sat_split(struct sat out[static 64], struct sat s)
{
	size_t k = 0;
	unsigned bit;

	for (bit = 0; bit < 64; bit++)
		if (s.n >> bit & 1)
			out[k++].n = (uint64_t)1 << bit;
	return k;
}

int sat_parse(struct sat *out, struct str s, struct err *e)
{
	if (s.n > 3 && str_is((struct str){s.p + s.n - 3, 3}, "sat"))
		s.n -= 3;
	return str_u64(s, sat_max, &out->n, e) ? err_wrap(e, "amount in sat") : 0;
}

static int bad_price(struct str s, struct err *e)
{
	char shown[48];

	str_printable(shown, sizeof(shown), s);
	return err_set(e, ERRK_INPUT,
		       "\"%s\" is not a price: write 10sat/h, 500msat/s, 1sat/m or 240sat/d",
		       shown);
}

static uint64_t seconds_of_unit(struct str unit)
{
	static const struct {
		const char *name;
		uint64_t seconds;
	} units[] = {{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
	size_t i;

	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (str_is(unit, units[i].name))
			return units[i].seconds;
	return 0;
}

int price_parse(struct price *out, struct str s, struct err *e)
{
	struct str unit = s, amount;
	uint64_t n, factor = 1000;

	if (!str_cut(&unit, '/', &amount) || !unit.p || amount.n < 4)
		return bad_price(s, e);
	if (str_is((struct str){amount.p + amount.n - 3, 3}, "sat"))
		amount.n -= 3;
	else
		return bad_price(s, e);
	if (amount.p[amount.n - 1] == 'm') {
		factor = 1;
		amount.n--;
	}
	out->per = seconds_of_unit(unit);
	if (out->per == 0 || str_u64(amount, AMOUNT_MSAT_MAX / factor, &n, NULL))
		return bad_price(s, e);
	out->msat = n * factor;
	return 0;
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

bool price_add(struct price *out, struct price a, struct price b)
{
	uint64_t per, x, y;

	if (__builtin_mul_overflow(a.per / common_divisor(a.per, b.per), b.per, &per) ||
	    __builtin_mul_overflow(a.msat, per / a.per, &x) ||
	    __builtin_mul_overflow(b.msat, per / b.per, &y) || __builtin_add_overflow(x, y, &x) ||
	    x > AMOUNT_MSAT_MAX)
		return false;
	*out = (struct price){x, per};
	return true;
}

bool price_cost(struct msat *out, struct price p, uint64_t seconds)
{
	unsigned __int128 total = (unsigned __int128)seconds * p.msat;

	total = (total + p.per - 1) / p.per;
	return total <= AMOUNT_MSAT_MAX && msat_make(out, (uint64_t)total);
}

uint64_t price_seconds(struct price p, struct msat m, uint64_t max)
{
	unsigned __int128 bought;

	if (p.msat == 0)
		return max;
	bought = (unsigned __int128)m.n * p.per / p.msat;
	return bought > max ? max : (uint64_t)bought;
}
