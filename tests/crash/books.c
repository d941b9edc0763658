/* Holding the books of buyer, provider and mint against each other: see books.h. */
#include "books.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "wallet/audit.h"

void books_say(char why[static WHY_MAX], const char *fmt, ...)
{
	size_t n = strlen(why);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why + n, WHY_MAX - n, fmt, ap);
	va_end(ap);
	n = strlen(why);
	if (n + 1 < WHY_MAX)
		memcpy(why + n, "\n", 2);
}

static void must(int rc, const struct err *e)
{
	if (rc < 0)
		stage_die("books: %s", e->msg);
}

static int64_t number(struct db *d, const char *sql)
{
	auto_stmt struct stmt *q = db_query(d, sql);
	struct err e;

	if (db_step(q, &e) != DB_ROW)
		stage_die("books: %s: %s", sql, e.msg);
	return db_i64(q, 0);
}

static int64_t at_mints(const struct stage *s, const char *sql)
{
	return number(s->mint_db, sql) + number(s->other_db, sql);
}

static struct db *open_buyer(const struct stage *s)
{
	auto_free char *path = mem_printf("%s/wallet.db", s->home);
	struct db *d;
	struct err e;

	must(db_open(&d, path, &e), &e);
	return d;
}

static int64_t melted(const struct stage *s)
{
	return at_mints(s, "SELECT coalesce(sum(amount), 0) FROM quote"
			   " WHERE kind = 1 AND state >= 2");
}

void books_outcome(struct outcome *out, const struct stage *s)
{
	AUTO(db_close) struct db *d = NULL;
	struct err e;

	must(db_open(&d, s->provider_db, &e), &e);
	out->given = number(d, "SELECT count(*) FROM lease WHERE state >= 4");
	out->ran = number(d, "SELECT count(*) FROM lease WHERE started_at > 0");
	out->live = number(d, "SELECT count(*) FROM lease WHERE state NOT IN (2, 7)");
	out->paid = number(d, "SELECT coalesce(sum(paid_msat), 0) FROM lease");
	out->refunds = number(d, "SELECT count(*) FROM refund");
	out->lost = melted(s);
}

bool outcome_same(const struct outcome *a, const struct outcome *b)
{
	return a->given == b->given && a->ran == b->ran && a->paid == b->paid &&
	       a->refunds == b->refunds && a->lost == b->lost;
}

/* --- one wallet --- */

static void found(void *ctx, const struct audit_finding *f)
{
	struct books *b = ctx;

	books_say(b->why, "%s %s: %s", audit_subject_name(f->subject), f->name, f->why);
}

static void wallet_closed(struct books *b, struct db *d, const char *who)
{
	struct wallet_audit a = {.found = found, .ctx = b};
	struct err e;
	int64_t n;

	must(wallet_audit_books(d, &a, &e), &e);
	n = number(d, "SELECT count(*) FROM plan WHERE state = 1");
	if (n)
		books_say(b->why, "%s: %" PRId64 " plans are open", who, n);
	n = number(d, "SELECT coalesce(sum(amount), 0) FROM proof WHERE state = 2");
	if (n)
		books_say(b->why, "%s: %" PRId64 " sat are reserved", who, n);
	n = number(d, "SELECT coalesce(sum(amount), 0) FROM token_out WHERE state IN (1, 2, 4)");
	if (n)
		books_say(b->why, "%s: %" PRId64 " sat are handed out", who, n);
}

static bool spent(struct db *mint, struct str y)
{
	auto_stmt struct stmt *q = db_query(mint, "SELECT state FROM proof WHERE y = ?");

	db_bind_blob(q, 1, y.p, y.n);
	return db_step(q, NULL) == DB_ROW;
}

/* No proof that lies free may be spent at its mint. */
static int64_t held(struct books *b, struct db *d, const struct stage *s, const char *who)
{
	auto_stmt struct stmt *q = db_query(d, "SELECT y, amount FROM proof WHERE state = 1");
	int64_t sum = 0;

	while (db_step(q, NULL) == DB_ROW) {
		struct str y = db_blob(q, 0);

		if (spent(s->mint_db, y) || spent(s->other_db, y))
			books_say(b->why, "%s: a proof of %" PRId64 " sat is spent at the mint",
				  who, db_i64(q, 1));
		sum += db_i64(q, 1);
	}
	return sum;
}

static int64_t account(struct db *d, enum ledger_account a)
{
	int64_t msat = 0;
	struct err e;

	must(ledger_sum(d, a, NULL, &msat, &e), &e);
	return msat;
}

/* --- all together --- */

/* Invoices that were paid, whether or not anybody fetched the money. Who never saw one cannot have
 * paid it, though this mint says so. */
static int64_t funded(struct db *mint, struct db *buyer)
{
	auto_stmt struct stmt *q =
		db_query(mint, "SELECT id, amount FROM quote"
			       " WHERE kind = 0 AND (state >= 2 OR pays_at BETWEEN 1 AND ?)");
	int64_t sum = 0;
	struct err e;

	db_bind_i64(q, 1, clock_wall_ms());
	while (db_step(q, &e) == DB_ROW) {
		auto_stmt struct stmt *known =
			db_query(buyer, "SELECT 1 FROM quote WHERE quote = ?");

		db_bind_text(known, 1, db_text(q, 0));
		if (db_step(known, &e) == DB_ROW)
			sum += db_i64(q, 1);
	}
	return sum;
}

static void money_adds_up(struct books *b, struct db *buyer, struct db *provider,
			  const struct stage *s)
{
	int64_t ours = held(b, buyer, s, "buyer"), theirs = held(b, provider, s, "provider");
	int64_t made = at_mints(s, "SELECT coalesce(sum(amount), 0) FROM signed");
	int64_t gone = at_mints(s, "SELECT coalesce(sum(amount), 0) FROM proof");
	int64_t minted = funded(s->mint_db, buyer) + funded(s->other_db, buyer);
	int64_t fees = account(buyer, LEDGER_FEES) + account(provider, LEDGER_FEES);

	if (ours + theirs != made - gone)
		books_say(b->why,
			  "the mints owe %" PRId64 " sat; the buyer has %" PRId64
			  ", the provider %" PRId64,
			  made - gone, ours, theirs);
	if (minted * 1000 != (ours + theirs + melted(s)) * 1000 + fees)
		books_say(b->why,
			  "minted %" PRId64 " sat is not buyer %" PRId64 " + provider %" PRId64
			  " + paid out %" PRId64 " + fees %" PRId64 " msat",
			  minted, ours, theirs, melted(s), fees);
}

static void leases_end(struct books *b, struct db *provider, const struct stage *s)
{
	struct err e;
	auto_stmt struct stmt *q =
		db_query(provider, "SELECT id, state, paid_msat, fee_sat FROM lease"
				   " WHERE state NOT IN (2, 7) OR (state = 2 AND paid_msat > 0)");

	while (db_step(q, &e) == DB_ROW)
		books_say(b->why, "lease %.*s is left in state %" PRId64 ", paid %" PRId64 " msat",
			  (int)db_text(q, 0).n, db_text(q, 0).p, db_i64(q, 1), db_i64(q, 2));
	if (s->host.there)
		books_say(b->why, "a container is left on the host");
	if (s->host.clashes)
		books_say(b->why, "two containers ran at once");
}

static void book_agrees(struct books *b, struct db *buyer, struct db *provider)
{
	auto_stmt struct stmt *q = db_query(
		buyer, "SELECT name, state, lease FROM book WHERE state IN (1, 3, 4)"
		       " OR EXISTS (SELECT 1 FROM ask WHERE ask.name = book.name AND open = 1)");
	struct err e;

	(void)provider;
	while (db_step(q, &e) == DB_ROW)
		if (db_i64(q, 1) == 1)
			books_say(b->why, "the buyer does not know what became of %.*s",
				  (int)db_text(q, 0).n, db_text(q, 0).p);
	if (number(buyer, "SELECT count(*) FROM ask WHERE open = 1"))
		books_say(b->why, "the buyer still waits for an answer");
}

void books_close(struct books *b, const struct stage *s)
{
	AUTO(db_close) struct db *buyer = open_buyer(s);
	AUTO(db_close) struct db *provider = NULL;
	struct err e;

	must(db_open(&provider, s->provider_db, &e), &e);
	books_outcome(&b->outcome, s);
	wallet_closed(b, buyer, "buyer");
	wallet_closed(b, provider, "provider");
	money_adds_up(b, buyer, provider, s);
	leases_end(b, provider, s);
	book_agrees(b, buyer, provider);
}
