/* The postings in words. */
#include "wallet/history.h"

#include "base/mem.h"
#include "wallet/core.h"

#define EVENTS_MAX 1000
#define LEDGER_ANY ((enum ledger_account)0)

static const struct {
	enum ledger_account from, to; /* LEDGER_ANY: any */
	const char *what;
} words[] = {
	{LEDGER_ANY, LEDGER_FEES, "fee"},	    {LEDGER_OUTSIDE, LEDGER_OPEN, "paid"},
	{LEDGER_OPEN, LEDGER_EARNED, "earned"},	    {LEDGER_OPEN, LEDGER_OWED, "refund due"},
	{LEDGER_EARNED, LEDGER_OWED, "refund due"}, {LEDGER_OWED, LEDGER_EARNED, "kept"},
	{LEDGER_OWED, LEDGER_OUTSIDE, "refunded"},  {LEDGER_OUTSIDE, LEDGER_OWN, "received"},
	{LEDGER_OWN, LEDGER_OUTSIDE, "paid out"},   {LEDGER_OWN, LEDGER_OUT, "sent"},
	{LEDGER_OUT, LEDGER_OWN, "came back"},	    {LEDGER_OUT, LEDGER_SPENT, "taken"},
	{LEDGER_ANY, LEDGER_ANY, "moved"},
};

static const char *word_of(int64_t from, int64_t to)
{
	size_t i = 0;

	while ((words[i].from != LEDGER_ANY && words[i].from != from) ||
	       (words[i].to != LEDGER_ANY && words[i].to != to))
		i++;
	return words[i].what;
}

int wallet_each_event(struct wallet *w, const struct wallet_history *h,
		      int (*fn)(void *ctx, const struct wallet_event *ev), void *ctx, struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(w->db, "SELECT id, at, source, target, msat, mint, ref FROM posting"
				" WHERE at >= ? ORDER BY id DESC LIMIT ?");
	bool few = h->limit > 0 && h->limit < EVENTS_MAX;
	int rc;

	db_bind_i64(s, 1, h->since);
	db_bind_i64(s, 2, few ? (int64_t)h->limit : EVENTS_MAX);
	while ((rc = db_step(s, e)) == DB_ROW) {
		auto_free char *mint = mem_strndup(db_text(s, 5).p, db_text(s, 5).n);
		auto_free char *ref = mem_strndup(db_text(s, 6).p, db_text(s, 6).n);
		struct wallet_event ev = {.id = db_i64(s, 0), .at = db_i64(s, 1)};

		ev.what = word_of(db_i64(s, 2), db_i64(s, 3));
		ev.mint = mint;
		ev.ref = ref;
		if (!msat_make(&ev.amount, (uint64_t)db_i64(s, 4)))
			return err_set(e, ERRK_STATE, "a posting is damaged");
		if (fn(ctx, &ev) != 0)
			return 0;
	}
	return rc;
}
