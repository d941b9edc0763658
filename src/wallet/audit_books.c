/* The audit's offline half: postings against plans, proofs, tokens and refunds. See audit.h. */
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "wallet/audit.h"
#include "wallet/schema.h"

#define ACCOUNTS (LEDGER_SPENT + 1)

/* What went from one account to another, msat. */
struct flows {
	int64_t v[ACCOUNTS][ACCOUNTS];
};

const char *audit_subject_name(enum audit_subject s)
{
	static const char *const names[] = {
		[AUDIT_MINT] = "mint",
		[AUDIT_LEASE] = "lease",
		[AUDIT_PLAN] = "plan",
		[AUDIT_PROOF] = "proof",
	};

	return names[s];
}

void audit_found(struct wallet_audit *a, const struct audit_finding *f)
{
	if (f->grade == AUDIT_BROKEN)
		a->broken++;
	else
		a->unproven++;
	if (a->found)
		a->found(a->ctx, f);
}

static void PRINTF_LIKE(4, 5) broken(struct wallet_audit *a, enum audit_subject subject,
				     const char *name, const char *fmt, ...)
{
	struct audit_finding f = {.grade = AUDIT_BROKEN, .subject = subject, .name = name};
	char why[240];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	f.why = why;
	audit_found(a, &f);
}

/* --- flows --- */

static int flows_read(struct flows *f, struct stmt *s, struct err *e)
{
	int rc;

	memset(f, 0, sizeof(*f));
	while ((rc = db_step(s, e)) == DB_ROW) {
		int64_t from = db_i64(s, 0), to = db_i64(s, 1);

		if (from < 1 || from >= ACCOUNTS || to < 1 || to >= ACCOUNTS)
			rc = err_set(e, ERRK_STATE, "a posting names account %" PRId64, from);
		if (rc < 0)
			break;
		f->v[from][to] = db_i64(s, 2);
	}
	db_done(s);
	return rc < 0 ? -1 : 0;
}

static int64_t flows_balance(const struct flows *f, enum ledger_account a)
{
	int64_t sum = 0;

	for (size_t i = 1; i < ACCOUNTS; i++)
		sum += f->v[i][a] - f->v[a][i];
	return sum;
}

static int number_read(int64_t *out, struct stmt *s, struct err *e)
{
	int rc = db_step(s, e);

	if (rc == DB_ROW)
		*out = db_i64(s, 0);
	db_done(s);
	return rc < 0 ? -1 : 0;
}

/* --- leases --- */

struct lease_sums { /* what plans and refunds say; msat */
	int64_t gross, fees, due;
};

static int lease_sums(struct lease_sums *out, struct db *d, struct str ref, struct err *e)
{
	struct stmt *s = db_query(d, "SELECT coalesce(sum(gross), 0) * 1000 FROM plan"
				     " WHERE ref = ? AND kind = ? AND state = ?");

	db_bind_text(s, 1, ref);
	db_bind_i64(s, 2, WALLET_PLAN_CLAIM);
	db_bind_i64(s, 3, PLAN_SETTLED);
	if (number_read(&out->gross, s, e) < 0)
		return -1;
	s = db_query(d, "SELECT coalesce(sum(fee), 0) * 1000 FROM plan"
			" WHERE ref = ? AND kind IN (?, ?) AND state = ?");
	db_bind_text(s, 1, ref);
	db_bind_i64(s, 2, WALLET_PLAN_CLAIM);
	db_bind_i64(s, 3, WALLET_PLAN_REFUND);
	db_bind_i64(s, 4, PLAN_SETTLED);
	if (number_read(&out->fees, s, e) < 0)
		return -1;
	s = db_query(d, "SELECT coalesce(sum(msat), 0) FROM refund WHERE lease = ? AND state = ?");
	db_bind_text(s, 1, ref);
	db_bind_i64(s, 2, WALLET_REFUND_DUE);
	return number_read(&out->due, s, e);
}

static void lease_equal(struct wallet_audit *a, const char *ref, const char *what, int64_t posted,
			int64_t wanted)
{
	if (posted != wanted)
		broken(a, AUDIT_LEASE, ref, "%s: %" PRId64 " msat posted, %" PRId64 " recorded",
		       what, posted, wanted);
}

static void lease_judge(struct wallet_audit *a, const char *ref, const struct flows *f,
			const struct lease_sums *s)
{
	int64_t paid = f->v[LEDGER_OUTSIDE][LEDGER_OPEN];
	int64_t back = f->v[LEDGER_OWED][LEDGER_OUTSIDE];
	int64_t open = flows_balance(f, LEDGER_OPEN), earned = flows_balance(f, LEDGER_EARNED);
	int64_t owed = flows_balance(f, LEDGER_OWED), fees = flows_balance(f, LEDGER_FEES);

	lease_equal(a, ref, "paid", paid, s->gross);
	lease_equal(a, ref, "fees", fees, s->fees);
	lease_equal(a, ref, "refunds due", owed, s->due);
	if (paid != earned + back + fees + open + owed)
		broken(a, AUDIT_LEASE, ref,
		       "paid %" PRId64 " msat is not earned %" PRId64 " + refunded %" PRId64
		       " + fees %" PRId64 " + open %" PRId64 " + owed %" PRId64,
		       paid, earned, back, fees, open, owed);
	if (open < 0 || earned < 0 || owed < 0 || fees < 0)
		broken(a, AUDIT_LEASE, ref,
		       "more was taken than there is: open %" PRId64 ", earned %" PRId64
		       ", owed %" PRId64 ", fees %" PRId64 " msat",
		       open, earned, owed, fees);
	a->money.paid += paid;
	a->money.earned += earned;
	a->money.refunded += back;
	a->money.fees += fees;
	a->money.open += open;
	a->money.owed += owed;
}

static int lease_audit(struct wallet_audit *a, struct db *d, struct str ref, struct err *e)
{
	auto_free char *name = mem_strndup(ref.p, ref.n);
	struct stmt *s = db_query(d, "SELECT source, target, sum(msat) FROM posting WHERE ref = ?"
				     " GROUP BY source, target");
	struct lease_sums sums = {0};
	struct flows f;

	db_bind_text(s, 1, ref);
	if (flows_read(&f, s, e) < 0 || lease_sums(&sums, d, ref, e) < 0)
		return -1;
	a->leases++;
	lease_judge(a, name, &f, &sums);
	return 0;
}

static int leases_audit(struct wallet_audit *a, struct db *d, struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(d, "SELECT ref FROM posting WHERE source IN (?1, ?2, ?3)"
			    " OR target IN (?1, ?2, ?3)"
			    " UNION SELECT ref FROM plan WHERE kind = ?4 AND state = ?5");
	int rc;

	db_bind_i64(s, 1, LEDGER_OPEN);
	db_bind_i64(s, 2, LEDGER_EARNED);
	db_bind_i64(s, 3, LEDGER_OWED);
	db_bind_i64(s, 4, WALLET_PLAN_CLAIM);
	db_bind_i64(s, 5, PLAN_SETTLED);
	while ((rc = db_step(s, e)) == DB_ROW)
		if (lease_audit(a, d, db_text(s, 0), e) < 0)
			return -1;
	return rc;
}

/* --- mints --- */

static int mint_sums(int64_t *held, int64_t *out, struct db *d, int64_t mint, struct err *e)
{
	struct stmt *s = db_query(d, "SELECT coalesce(sum(amount), 0) * 1000 FROM proof"
				     " WHERE mint = ? AND state IN (?, ?)");

	db_bind_i64(s, 1, mint);
	db_bind_i64(s, 2, HELD_FREE);
	db_bind_i64(s, 3, HELD_RESERVED);
	if (number_read(held, s, e) < 0)
		return -1;
	s = db_query(d, "SELECT coalesce(sum(amount), 0) * 1000 FROM token_out"
			" WHERE mint = ? AND state IN (?, ?)");
	db_bind_i64(s, 1, mint);
	db_bind_i64(s, 2, WALLET_OUT_OPEN);
	db_bind_i64(s, 3, WALLET_OUT_RETURNING);
	return number_read(out, s, e);
}

/* The running balances are only a cache of the postings. */
static int balances_audit(struct wallet_audit *a, struct db *d, const char *mint,
			  const struct flows *f, struct err *e)
{
	for (int account = 1; account < ACCOUNTS; account++) {
		int64_t kept, posted = flows_balance(f, (enum ledger_account)account);

		if (ledger_balance(d, (enum ledger_account)account, mint, &kept, e) < 0)
			return -1;
		if (kept != posted)
			broken(a, AUDIT_MINT, mint,
			       "account %d: the balance kept is %" PRId64
			       " msat, its postings come to %" PRId64,
			       account, kept, posted);
	}
	return 0;
}

static int mint_audit(struct wallet_audit *a, struct db *d, int64_t id, struct str url,
		      struct err *e)
{
	auto_free char *name = mem_strndup(url.p, url.n);
	struct stmt *s = db_query(d, "SELECT source, target, sum(msat) FROM posting WHERE mint = ?"
				     " GROUP BY source, target");
	int64_t held = 0, out = 0, own, lent;
	struct flows f;

	db_bind_text(s, 1, url);
	if (flows_read(&f, s, e) < 0 || mint_sums(&held, &out, d, id, e) < 0 ||
	    balances_audit(a, d, name, &f, e) < 0)
		return -1;
	own = flows_balance(&f, LEDGER_OWN);
	lent = flows_balance(&f, LEDGER_OPEN) + flows_balance(&f, LEDGER_EARNED) +
	       flows_balance(&f, LEDGER_OWED);
	if (held != own + lent)
		broken(a, AUDIT_MINT, name,
		       "proofs of %" PRId64 " msat lie there, the books say %" PRId64, held,
		       own + lent);
	if (out != flows_balance(&f, LEDGER_OUT))
		broken(a, AUDIT_MINT, name,
		       "outgoing tokens of %" PRId64 " msat are open, the books say %" PRId64, out,
		       flows_balance(&f, LEDGER_OUT));
	a->money.own += own;
	a->money.out += out;
	a->money.held += held;
	return 0;
}

static int mints_audit(struct wallet_audit *a, struct db *d, struct err *e)
{
	auto_stmt struct stmt *s = db_query(d, "SELECT id, url FROM mint ORDER BY id");
	struct stmt *stray;
	int64_t n = 0;
	int rc;

	while ((rc = db_step(s, e)) == DB_ROW)
		if (mint_audit(a, d, db_i64(s, 0), db_text(s, 1), e) < 0)
			return -1;
	stray = db_query(d, "SELECT count(*) FROM posting"
			    " WHERE mint NOT IN (SELECT url FROM mint)");
	if (rc < 0 || number_read(&n, stray, e) < 0)
		return -1;
	if (n > 0)
		broken(a, AUDIT_MINT, "", "%" PRId64 " postings name a mint that is not known", n);
	return 0;
}

/* --- plans and proofs --- */

struct odd { /* a query that gives only what is wrong: its name and a sentence */
	enum audit_subject subject;
	const char *sql, *why;
};

/* Stored numbers as of schema.h and wallet.h: plan 1 open, 2 settled; proof 1 free, 2 reserved,
 * 3 spent; kinds of plan 3 split, 6 refund, 7 melt spend proofs of ours (a plain token that was
 * taken back had been given away before). Blank outputs of a melt have no amount. */
static const struct odd odds[] = {
	{AUDIT_PLAN,
	 "SELECT id FROM plan WHERE state = 2 AND kind <> 7 AND"
	 " (SELECT coalesce(sum(amount), 0) FROM plan_output WHERE plan = plan.id AND out = 0) <>"
	 " (SELECT coalesce(sum(amount), 0) FROM proof WHERE made_by = plan.id)",
	 "its proofs are not those that it was to make"},
	{AUDIT_PLAN,
	 "SELECT DISTINCT plan.id FROM plan JOIN proof ON proof.made_by = plan.id"
	 " WHERE plan.state <> 2",
	 "it made proofs but is not settled"},
	{AUDIT_PLAN,
	 "SELECT DISTINCT plan.id FROM plan JOIN plan_input ON plan_input.plan = plan.id"
	 " JOIN proof ON proof.y = plan_input.y"
	 " WHERE plan.state = 2 AND plan.kind IN (3, 6, 7) AND (proof.state <> 3 OR proof.plan IS "
	 "NOT plan.id)",
	 "it is settled, but an input of it is not spent by it"},
	{AUDIT_PLAN,
	 "SELECT DISTINCT plan.id FROM plan JOIN plan_input ON plan_input.plan = plan.id"
	 " JOIN proof ON proof.y = plan_input.y"
	 " WHERE plan.state = 1 AND plan.kind IN (3, 6, 7) AND (proof.state <> 2 OR proof.plan IS "
	 "NOT plan.id)",
	 "it is open, but an input of it is not reserved for it"},
	{AUDIT_PROOF,
	 "SELECT hex(proof.y) FROM proof LEFT JOIN plan ON plan.id = proof.plan"
	 " WHERE proof.state = 2 AND plan.state IS NOT 1",
	 "it is reserved for a plan that is not open"},
	{AUDIT_PROOF, "SELECT hex(y) FROM proof WHERE state <> 3 AND secret IS NULL",
	 "it is not spent, and its secret is gone"},
	{AUDIT_LEASE,
	 "SELECT claim.plan FROM claim JOIN plan ON plan.id = claim.plan"
	 " WHERE claim.released > 0 AND plan.state = 2",
	 "this plan's token was released to its sender and was taken as well"},
};

static int odd_audit(struct wallet_audit *a, struct db *d, const struct odd *o, struct err *e)
{
	auto_stmt struct stmt *s = db_query(d, o->sql);
	int rc;

	while ((rc = db_step(s, e)) == DB_ROW) {
		auto_free char *name = mem_strndup(db_text(s, 0).p, db_text(s, 0).n);

		broken(a, o->subject, name, "%s", o->why);
	}
	return rc;
}

static int count_rows(struct wallet_audit *a, struct db *d, struct err *e)
{
	int64_t plans = 0, proofs = 0;

	if (number_read(&plans, db_query(d, "SELECT count(*) FROM plan"), e) < 0 ||
	    number_read(&proofs, db_query(d, "SELECT count(*) FROM proof WHERE state <> 3"), e) < 0)
		return -1;
	a->plans += (uint64_t)plans;
	a->proofs += (uint64_t)proofs;
	return 0;
}

/* Inside a transaction: other processes of a buyer may be at work. */
static int books_audit(struct wallet_audit *a, struct db *d, struct err *e)
{
	if (leases_audit(a, d, e) < 0 || mints_audit(a, d, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(odds); i++)
		if (odd_audit(a, d, &odds[i], e) < 0)
			return -1;
	return count_rows(a, d, e);
}

int wallet_audit_books(struct db *d, struct wallet_audit *a, struct err *e)
{
	auto_tx struct tx *tx = NULL;

	if (db_begin(&tx, d, e) < 0 || books_audit(a, d, e) < 0)
		return err_wrap(e, "audit");
	return 0;
}
