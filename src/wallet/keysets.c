/* Keysets: read from the mint once, verified, and pinned in the database for ever. Only whether a
 * keyset is active, and a v1 keyset's fee, may change afterwards. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "wallet/core.h"

#define REFRESH_EVERY_MS 30000

struct waiter {
	struct waiter *next;
	wallet_ready_fn *fn;
	void *ctx;
};

struct refresh {
	struct wallet *w;
	struct wmint *m;
	struct mint_call *call;
	struct loop_timer *timer;
	struct keysets listed; /* what the mint has, without keys */
	size_t at;	       /* the one whose keys are asked for */
	struct waiter *waiters;
};

/* --- database --- */

static struct keyset *keyset_of_row(struct stmt *s, struct err *e)
{
	struct keyset *k = keyset_new();
	struct str id = db_blob(s, 0), unit = db_text(s, 1);

	if (unit.n > KEYSET_UNIT_MAX || keyset_id_from_bytes(&k->id, id.p, id.n, e) < 0) {
		keyset_free(k);
		return NULL;
	}
	memcpy(k->unit, unit.p, unit.n);
	k->active = db_i64(s, 2) != 0;
	k->fee_ppk = (uint32_t)db_i64(s, 3);
	k->final_expiry = db_i64(s, 4);
	if (keyset_keys_parse(k, db_text(s, 5), e) < 0) {
		keyset_free(k);
		return NULL;
	}
	return k;
}

int keysets_load(struct wallet *w, struct wmint *m, struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(w->db, "SELECT id, unit, active, fee_ppk, expiry, keys FROM keyset"
				" WHERE mint = ? ORDER BY rowid");
	int rc;

	db_bind_i64(s, 1, m->id);
	while ((rc = db_step(s, e)) == DB_ROW) {
		struct keyset *k = keyset_of_row(s, e);

		if (!k)
			return err_wrap(e, "keyset in the database");
		keysets_add_take(&m->keysets, k);
	}
	return rc;
}

static int keyset_store(struct tx *tx, const struct wmint *m, const struct keyset *k, struct err *e)
{
	auto_buf struct buf keys = BUF(1 << 20);
	struct stmt *s;
	int changed = 0;

	keyset_keys_write(&keys, k);
	if (buf_check(&keys, "keys of a keyset", e) < 0)
		return -1;
	s = tx_write(tx, "INSERT INTO keyset (id, mint, unit, active, fee_ppk, expiry, keys)"
			 " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE"
			 " SET active = excluded.active, fee_ppk = excluded.fee_ppk"
			 " WHERE mint = excluded.mint AND keys = excluded.keys");
	db_bind_blob(s, 1, k->id.b, k->id.n);
	db_bind_i64(s, 2, m->id);
	db_bind_text(s, 3, str_of(k->unit));
	db_bind_i64(s, 4, k->active);
	db_bind_i64(s, 5, k->fee_ppk);
	db_bind_i64(s, 6, k->final_expiry);
	db_bind_text(s, 7, buf_view(&keys));
	if (tx_run(s, &changed, e) < 0)
		return -1;
	if (changed == 0)
		return err_set(e, ERRK_DENIED,
			       "a keyset of this id is pinned with other keys or another mint");
	return 0;
}

const struct keyset *keyset_by_id(const struct wmint *m, struct str id)
{
	for (size_t i = 0; i < m->keysets.n; i++) {
		const struct keyset *k = m->keysets.v[i];

		if (k->id.n == id.n && !memcmp(k->id.b, id.p, id.n))
			return k;
	}
	return NULL;
}

static struct keyset *keyset_known(const struct wmint *m, const struct keyset *k)
{
	for (size_t i = 0; i < m->keysets.n; i++)
		if (keyset_id_eq(&m->keysets.v[i]->id, &k->id))
			return m->keysets.v[i];
	return NULL;
}

/* --- refresh --- */

void refresh_free(struct refresh *r)
{
	if (!r)
		return;
	mint_cancel(r->call);
	loop_timer_del(r->timer);
	keysets_free(&r->listed);
	while (r->waiters) {
		struct waiter *next = r->waiters->next;

		free(r->waiters);
		r->waiters = next;
	}
	free(r);
}

static void refresh_end(struct refresh *r, const struct err *error)
{
	struct waiter *list = r->waiters;

	r->waiters = NULL;
	r->m->refresh = NULL;
	refresh_free(r);
	while (list) {
		struct waiter *next = list->next;

		list->fn(list->ctx, error);
		free(list);
		list = next;
	}
}

static void refresh_fail(struct refresh *r, const struct mint_fault *f, const char *what)
{
	struct err e;

	err_set(&e, ERRK_PEER, "%s: %s: %s", r->m->url, what, f->detail);
	refresh_end(r, &e);
}

static void scanned(void *ctx, const struct err *error)
{
	refresh_end(ctx, error);
}

/* Whoever waits for keysets wants to make outputs next: so look past the counter first. */
static void refresh_scan(struct refresh *r)
{
	const struct keyset *k = keysets_choose(&r->m->keysets, WALLET_UNIT, clock_wall());

	if (k && scan_wanted(r->w, k))
		scan_start(r->w, r->m, k, scanned, r);
	else
		refresh_end(r, NULL);
}

/* A v2 id follows from the fee too: another fee for the same id is a lie. */
static void keyset_fee_set(const struct wmint *m, struct keyset *k, uint32_t ppk)
{
	if (keyset_id_version(&k->id) != KEYSET_V2)
		k->fee_ppk = ppk;
	else if (k->fee_ppk != ppk)
		log_broken("%s: a keyset that is pinned with a fee of %u ppk asks for %u now",
			   m->url, k->fee_ppk, ppk);
}

/* What the mint no longer lists is inactive. */
static void keysets_apply(struct wmint *m, const struct keysets *listed)
{
	for (size_t i = 0; i < m->keysets.n; i++)
		m->keysets.v[i]->active = false;
	for (size_t i = 0; i < listed->n; i++) {
		struct keyset *k = keyset_known(m, listed->v[i]);

		if (!k)
			continue;
		k->active = listed->v[i]->active;
		keyset_fee_set(m, k, listed->v[i]->fee_ppk);
	}
}

static int refresh_store(struct refresh *r, struct err *e)
{
	auto_tx struct tx *tx = NULL;
	struct stmt *s;

	if (db_begin(&tx, r->w->db, e) < 0)
		return -1;
	s = tx_write(tx, "UPDATE mint SET keysets_at = ? WHERE id = ?");
	db_bind_i64(s, 1, clock_wall());
	db_bind_i64(s, 2, r->m->id);
	if (tx_run(s, NULL, e) < 0)
		return -1;
	for (size_t i = 0; i < r->m->keysets.n; i++) {
		struct err why;

		if (keyset_store(tx, r->m, r->m->keysets.v[i], &why) < 0)
			log_broken("%s: keyset is not stored: %s", r->m->url, why.msg);
	}
	return db_commit(&tx, e);
}

static void refresh_next(struct refresh *r);

static void keys_came(void *ctx, struct keyset **k, const struct mint_fault *f)
{
	struct refresh *r = ctx;
	auto_tx struct tx *tx = NULL;
	struct err e;

	r->call = NULL;
	if (f) {
		log_warn("%s: keys of a keyset: %s", r->m->url, f->detail);
		if (f->kind != MINT_REFUSED && f->kind != MINT_UNKNOWN) {
			refresh_fail(r, f, "keys");
			return;
		}
	} else if (db_begin(&tx, r->w->db, &e) < 0 || keyset_store(tx, r->m, *k, &e) < 0 ||
		   db_commit(&tx, &e) < 0) {
		log_broken("%s: keyset is not used: %s", r->m->url, e.msg);
	} else {
		keysets_add_take(&r->m->keysets, steal(k));
	}
	r->at++;
	refresh_next(r);
}

static bool keyset_wanted(const struct wmint *m, const struct keyset *k)
{
	return !strcmp(k->unit, WALLET_UNIT) && !keyset_known(m, k) &&
	       (k->active || m->depth == KEYSETS_ALL_WANTED);
}

/* Ask for the keys of the next keyset that is of our unit and not pinned. */
static void refresh_next(struct refresh *r)
{
	struct err e;

	for (; r->at < r->listed.n; r->at++) {
		const struct keyset *k = r->listed.v[r->at];

		if (!keyset_wanted(r->m, k))
			continue;
		r->call = mint_get_keys(r->m->io, k, keys_came, r);
		return;
	}

	keysets_apply(r->m, &r->listed);
	if (r->m->depth == KEYSETS_ALL_WANTED)
		r->m->depth = KEYSETS_ALL;
	r->m->refreshed_ms = clock_mono_ms();
	if (refresh_store(r, &e) < 0) {
		refresh_end(r, &e);
		return;
	}
	refresh_scan(r);
}

static void keysets_came(void *ctx, struct keysets *s, const struct mint_fault *f)
{
	struct refresh *r = ctx;

	r->call = NULL;
	if (f) {
		refresh_fail(r, f, "keysets");
		return;
	}
	r->listed = *s;
	*s = (struct keysets){0};
	refresh_next(r);
}

/* What we stand on: locks, recovery and proofs of the mint's signatures. Without NUT-11 a lock is
 * only text, and anyone can spend. */
static int info_check(const struct mint_info *i, const struct wmint *m, struct err *e)
{
	static const unsigned needed[] = {7, 9, 11, 12};

	for (size_t k = 0; k < ARRAY_SIZE(needed); k++)
		if (!mint_info_has(i, needed[k]))
			return err_set(e, ERRK_DENIED, "%s does not support NUT-%02u", m->url,
				       needed[k]);
	if (i->swap_protected)
		return err_set(e, ERRK_DENIED, "%s wants its users to log in (NUT-21)", m->url);
	return 0;
}

static int info_store(struct wallet *w, struct wmint *m, const struct mint_info *i, struct err *e)
{
	auto_tx struct tx *tx = NULL;
	struct stmt *s;

	m->gives_change = mint_info_has(i, 8);
	if (db_begin(&tx, w->db, e) < 0)
		return -1;
	s = tx_write(tx, "UPDATE mint SET gives_change = ? WHERE id = ?");
	db_bind_i64(s, 1, m->gives_change);
	db_bind_i64(s, 2, m->id);
	return tx_run(s, NULL, e) < 0 ? -1 : db_commit(&tx, e);
}

static void info_came(void *ctx, const struct mint_info *i, const struct mint_fault *f)
{
	struct refresh *r = ctx;
	struct err e;

	r->call = NULL;
	if (f) {
		refresh_fail(r, f, "info");
		return;
	}
	if (info_check(i, r->m, &e) < 0 || info_store(r->w, r->m, i, &e) < 0) {
		refresh_end(r, &e);
		return;
	}
	log_info("%s runs %s", r->m->url, i->version);
	r->m->informed = true;
	r->call = mint_get_keysets(r->m->io, keysets_came, r);
}

static void refresh_ask(void *ctx)
{
	struct refresh *r = ctx;
	int64_t quiet = mint_quiet_ms(r->w, r->m);
	struct err e;

	r->timer = NULL;
	if (quiet > 0) {
		err_set(&e, ERRK_PEER, "%s limits our requests, %lld s to wait", r->m->url,
			(long long)(quiet + 999) / 1000);
		refresh_end(r, &e);
		return;
	}
	if (r->m->informed)
		r->call = mint_get_keysets(r->m->io, keysets_came, r);
	else
		r->call = mint_get_info(r->m->io, info_came, r);
}

static void refresh_fresh(void *ctx)
{
	struct refresh *r = ctx;

	r->timer = NULL;
	refresh_scan(r);
}

static void refresh_join(struct refresh *r, wallet_ready_fn *fn, void *ctx)
{
	struct waiter *x = mem_zero(sizeof(*x));

	x->fn = fn;
	x->ctx = ctx;
	x->next = r->waiters;
	r->waiters = x;
}

static void refresh_start(struct wallet *w, struct wmint *m, loop_timer_fn *first)
{
	struct refresh *r = mem_zero(sizeof(*r));

	r->w = w;
	r->m = m;
	r->timer = loop_timer_add(w->loop, 0, first, r);
	m->refresh = r;
}

void mint_refresh_now(struct wallet *w, struct wmint *m, wallet_ready_fn *fn, void *ctx)
{
	if (!m->refresh)
		refresh_start(w, m, refresh_ask);
	refresh_join(m->refresh, fn, ctx);
}

/* A call for a mint that is not ours still ends in its callback, later. */
struct refusal {
	wallet_ready_fn *fn;
	void *ctx;
};

static void refuse_later(void *ctx)
{
	auto_free struct refusal *x = ctx;
	struct err e;

	err_set(&e, ERRK_DENIED, "this mint is not allowed");
	x->fn(x->ctx, &e);
}

void wallet_refresh(struct wallet *w, const char *mint, wallet_ready_fn *fn, void *ctx)
{
	char url[WALLET_URL_MAX + 1];
	struct wmint *m = wallet_url(url, str_of(mint), NULL) == 0 ? mint_by_url(w, url) : NULL;
	bool fresh;

	if (!m || !m->io) {
		struct refusal *x = mem_zero(sizeof(*x));

		*x = (struct refusal){fn, ctx};
		loop_timer_add(w->loop, 0, refuse_later, x);
		return;
	}
	fresh = m->depth != KEYSETS_ALL_WANTED && m->refreshed_ms &&
		clock_mono_ms() - m->refreshed_ms < REFRESH_EVERY_MS;
	if (!m->refresh)
		refresh_start(w, m, fresh ? refresh_fresh : refresh_ask);
	refresh_join(m->refresh, fn, ctx);
}
