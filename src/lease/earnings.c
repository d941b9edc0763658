/* What leases earned, and whether their rows agree with the books. */
#include <inttypes.h>

#include "base/jsonw.h"
#include "base/mem.h"
#include "lease/engine_impl.h"
#include "wallet/audit.h"

/* --- earnings --- */

/* Accounts as of wallet.h: 1 outside, 4 fees, 5 open, 6 earned, 7 owed. */
#define EARNINGS(key)                                                                              \
	"SELECT " key ", count(DISTINCT iif(target = 6, posting.ref, NULL)),"                      \
	" sum(iif(source = 1 AND target = 5, msat, 0)), sum(iif(target = 6, msat, 0)),"            \
	" sum(iif(target = 7, msat, 0)), sum(iif(target = 4, msat, 0))"                            \
	" FROM posting JOIN lease ON lease.id = posting.ref WHERE posting.at >= ?"                 \
	" GROUP BY 1 ORDER BY 1"

static const char *const earnings_sql[] = {
	[ENGINE_BY_DAY] = EARNINGS("date(posting.at, 'unixepoch')"),
	[ENGINE_BY_OFFER] = EARNINGS("lease.offer"),
	[ENGINE_BY_MINT] = EARNINGS("posting.mint"),
};

static void write_row(struct jsonw *w, struct stmt *s)
{
	jsonw_object(w, NULL);
	jsonw_str(w, "key", db_text(s, 0));
	jsonw_i64(w, "leases", db_i64(s, 1));
	jsonw_i64(w, "paid_msat", db_i64(s, 2));
	jsonw_i64(w, "earned_msat", db_i64(s, 3));
	jsonw_i64(w, "refunds_msat", db_i64(s, 4));
	jsonw_i64(w, "fees_msat", db_i64(s, 5));
	jsonw_end_object(w);
}

int engine_report_earnings(struct engine *g, enum engine_earnings by, int64_t since,
			   struct buf *out, struct err *e)
{
	auto_stmt struct stmt *s = db_query(g->db, earnings_sql[by]);
	struct jsonw w = JSONW(out);
	int rc;

	db_bind_i64(s, 1, since);
	jsonw_object(&w, NULL);
	jsonw_i64(&w, "since", since);
	jsonw_array(&w, "earnings");
	while ((rc = db_step(s, e)) == DB_ROW)
		write_row(&w, s);
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	return rc < 0 ? -1 : buf_check(out, "earnings", e);
}

/* --- audit --- */

static void audit_broken(struct wallet_audit *a, const char *id, const char *why)
{
	audit_found(a, &(struct audit_finding){AUDIT_BROKEN, AUDIT_LEASE, id, why});
}

/* Money of a lease is open exactly while it is to run, and then it is what was paid. */
static void audit_lease(struct wallet_audit *a, const struct lease *l, int64_t open)
{
	bool runs = l->state == LEASE_PAID || l->state == LEASE_RUNNING;
	int64_t wanted = runs ? (int64_t)msat_raw(l->paid) : 0;
	auto_free char *why = NULL;

	if (open == wanted)
		return;
	why = mem_printf("it is %s, so %" PRId64 " msat should be open; the books say %" PRId64,
			 lease_state_name(l->state), wanted, open);
	audit_broken(a, l->id, why);
}

struct auditing {
	struct engine *g;
	struct wallet_audit *a;
	struct err *e;
	int rc;
};

static void audit_one(void *ctx, const char *id)
{
	struct auditing *x = ctx;
	struct lease l;
	int64_t open = 0;

	if (x->rc == 0)
		x->rc = lease_load(x->g->db, id, &l, x->e);
	if (x->rc == 0)
		x->rc = ledger_sum(x->g->db, LEDGER_OPEN, id, &open, x->e);
	if (x->rc == 0)
		audit_lease(x->a, &l, open);
}

static int audit_strays(struct engine *g, struct wallet_audit *a, struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(g->db, "SELECT DISTINCT ref FROM posting WHERE target = ?"
				" AND ref NOT IN (SELECT id FROM lease)");
	int rc;

	db_bind_i64(s, 1, LEDGER_OPEN);
	while ((rc = db_step(s, e)) == DB_ROW) {
		auto_free char *id = mem_strndup(db_text(s, 0).p, db_text(s, 0).n);

		audit_broken(a, id, "it has money, but there is no such lease");
	}
	return rc;
}

int engine_audit(struct engine *g, struct wallet_audit *a, struct err *e)
{
	struct auditing x = {.g = g, .a = a, .e = e};
	uint32_t all = LEASE_LIVE | LEASE_BIT(LEASE_ENDED) | LEASE_BIT(LEASE_REFUSED);

	if (lease_each(g->db, all, 0, audit_one, &x, e) < 0 || x.rc < 0)
		return -1;
	return audit_strays(g, a, e);
}
