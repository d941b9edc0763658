/* What is known of each mint, and what of the money there is free. */
#include "wallet/health.h"

#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "wallet/core.h"
#include "wallet/schema.h"

/* --- funds --- */

static int proof_sum(struct sat *out, struct wallet *w, int64_t mint, enum held_state most,
		     struct err *e)
{
	auto_stmt struct stmt *s = db_query(w->db, "SELECT coalesce(sum(amount), 0) FROM proof"
						   " WHERE state BETWEEN ?1 AND ?2"
						   " AND (?3 = 0 OR mint = ?3)");

	db_bind_i64(s, 1, HELD_FREE);
	db_bind_i64(s, 2, most);
	db_bind_i64(s, 3, mint);
	if (db_step(s, e) != DB_ROW)
		return -1;
	return sat_make(out, (uint64_t)db_i64(s, 0)) ? 0 : err_set(e, ERRK_LIMIT, "balance");
}

static int account_sum(struct msat *out, struct wallet *w, enum ledger_account a, const char *mint,
		       struct err *e)
{
	int64_t msat;

	if (ledger_balance(w->db, a, mint, &msat, e) < 0)
		return -1;
	if (msat < 0 || !msat_make(out, (uint64_t)msat))
		return err_set(e, ERRK_STATE, "the books are broken: see the audit");
	return 0;
}

static int funds_read(struct wallet_funds *f, struct wallet *w, const struct wmint *m,
		      struct err *e)
{
	int64_t id = m ? m->id : 0;
	const char *url = m ? m->url : NULL;
	struct msat bound;

	if (proof_sum(&f->held, w, id, HELD_RESERVED, e) < 0 ||
	    proof_sum(&f->available, w, id, HELD_FREE, e) < 0 ||
	    account_sum(&f->open, w, LEDGER_OPEN, url, e) < 0 ||
	    account_sum(&f->owed, w, LEDGER_OWED, url, e) < 0)
		return -1;
	f->spare = SAT(0);
	if (!msat_add(&bound, f->open, f->owed))
		return err_set(e, ERRK_LIMIT, "balance");
	if (!sat_sub(&f->spare, f->available, msat_ceil(bound)))
		f->spare = SAT(0);
	return 0;
}

int wallet_funds(struct wallet *w, const char *mint, struct wallet_funds *out, struct err *e)
{
	char url[WALLET_URL_MAX + 1];
	struct wmint *m;

	*out = (struct wallet_funds){0};
	if (!mint)
		return funds_read(out, w, NULL, e);
	if (wallet_url(url, str_of(mint), e) < 0)
		return -1;
	m = mint_by_url(w, url);
	return m ? funds_read(out, w, m, e) : 0;
}

int wallet_richest(struct wallet *w, char url[static WALLET_URL_MAX + 1],
		   struct wallet_funds *funds, struct err *e)
{
	*funds = (struct wallet_funds){0};
	url[0] = '\0';
	for (const struct wmint *m = w->mints; m; m = m->next) {
		struct wallet_funds f;

		if (funds_read(&f, w, m, e) < 0)
			return -1;
		if (!m->allowed || sat_cmp(f.spare, funds->spare) <= 0)
			continue;
		*funds = f;
		memcpy(url, m->url, sizeof(m->url));
	}
	return 0;
}

/* --- keysets --- */

static int keyset_held(struct sat *out, struct wallet *w, const struct wmint *m,
		       const struct keyset *k, struct err *e)
{
	auto_stmt struct stmt *s = db_query(w->db, "SELECT coalesce(sum(amount), 0) FROM proof"
						   " WHERE state IN (?, ?) AND mint = ?"
						   " AND keyset = ?");

	db_bind_i64(s, 1, HELD_FREE);
	db_bind_i64(s, 2, HELD_RESERVED);
	db_bind_i64(s, 3, m->id);
	db_bind_blob(s, 4, k->id.b, k->id.n);
	if (db_step(s, e) != DB_ROW)
		return -1;
	return sat_make(out, (uint64_t)db_i64(s, 0)) ? 0 : err_set(e, ERRK_LIMIT, "balance");
}

static int keysets_read(struct wallet_keyset_health **out, size_t *n, struct wallet *w,
			const struct wmint *m, struct err *e)
{
	*out = mem_array(m->keysets.n + 1, sizeof(**out));
	for (size_t i = 0; i < m->keysets.n; i++) {
		const struct keyset *k = m->keysets.v[i];
		struct wallet_keyset_health *h = &(*out)[*n];

		if (strcmp(k->unit, WALLET_UNIT) != 0)
			continue;
		hex_encode(h->id, k->id.b, k->id.n);
		h->active = k->active;
		h->fee_ppk = k->fee_ppk;
		h->expiry = k->final_expiry;
		if (keyset_held(&h->held, w, m, k, e) < 0)
			return -1;
		(*n)++;
	}
	return 0;
}

/* --- mints --- */

static int64_t keysets_at(struct wallet *w, const struct wmint *m)
{
	auto_stmt struct stmt *s = db_query(w->db, "SELECT keysets_at FROM mint WHERE id = ?");

	db_bind_i64(s, 1, m->id);
	return db_step(s, NULL) == DB_ROW ? db_i64(s, 0) : 0;
}

int wallet_each_health(struct wallet *w, int (*fn)(void *ctx, const struct wallet_health *h),
		       void *ctx, struct err *e)
{
	for (struct wmint *m = w->mints; m; m = m->next) {
		auto_free struct wallet_keyset_health *keysets = NULL;
		struct wallet_health h = {.url = m->url,
					  .allowed = m->allowed,
					  .good_at = m->health.good_at,
					  .bad_at = m->health.bad_at,
					  .failures = m->health.failures,
					  .latency_ms = m->health.latency_ms,
					  .fault = m->health.fault,
					  .quiet_ms = mint_quiet_ms(w, m),
					  .keysets_at = keysets_at(w, m)};

		if (funds_read(&h.funds, w, m, e) < 0 ||
		    keysets_read(&keysets, &h.nkeysets, w, m, e) < 0)
			return -1;
		h.keysets = keysets;
		if (fn(ctx, &h) != 0)
			return 0;
	}
	return 0;
}
