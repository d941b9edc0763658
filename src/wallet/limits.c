/* How much may go to providers: checked in the transaction that reserves the money, so that two
 * processes never pass a limit together. */
#include "base/clock.h"
#include "wallet/job.h"

#define DAY_S 86400

/* What left for leases since then and neither came back unspent nor as a refund. "": all leases. */
static int spent_since(struct sat *out, struct db *d, const char *lease, int64_t since,
		       struct err *e)
{
	auto_stmt struct stmt *s = db_query(
		d, "SELECT coalesce(sum(t.amount - (SELECT coalesce(sum(p.gross), 0) FROM plan p"
		   "  WHERE p.token_out = t.id AND p.kind = ?3 AND p.state = ?4)), 0)"
		   " FROM token_out t WHERE t.lease <> '' AND (?1 = '' OR t.lease = ?1)"
		   " AND t.created > ?2 AND t.state NOT IN (?5, ?6)");
	int64_t sum;

	db_bind_text(s, 1, str_of(lease));
	db_bind_i64(s, 2, since);
	db_bind_i64(s, 3, WALLET_PLAN_RECEIVE);
	db_bind_i64(s, 4, PLAN_SETTLED);
	db_bind_i64(s, 5, WALLET_OUT_RETURNED);
	db_bind_i64(s, 6, WALLET_OUT_FAILED);
	if (db_step(s, e) != DB_ROW)
		return err_wrap(e, "limits");
	sum = db_i64(s, 0); /* a provider may give back more than it got */
	return sat_make(out, sum > 0 ? (uint64_t)sum : 0) ? 0 : err_set(e, ERRK_LIMIT, "limits");
}

static bool limit_passed(struct sat *left, struct sat limit, struct sat spent, struct sat amount)
{
	if (!sat_sub(left, limit, spent))
		*left = SAT(0);
	return sat_cmp(amount, *left) > 0;
}

int limits_check(struct limit_hit *hit, struct db *d, const struct job *j, struct sat amount,
		 struct err *e)
{
	const struct wallet_limits *l = &j->limits;
	struct sat spent;

	if (!j->lease[0])
		return 0;
	if (!sat_is_zero(l->per_lease)) {
		hit->name = "per_lease";
		hit->limit = l->per_lease;
		if (spent_since(&spent, d, j->lease, 0, e) < 0)
			return -1;
		if (limit_passed(&hit->left, hit->limit, spent, amount))
			return LIMIT_HIT;
	}
	if (!sat_is_zero(l->per_day)) {
		hit->name = "per_day";
		hit->limit = l->per_day;
		if (spent_since(&spent, d, "", clock_wall() - DAY_S, e) < 0)
			return -1;
		if (limit_passed(&hit->left, hit->limit, spent, amount))
			return LIMIT_HIT;
	}
	return 0;
}
