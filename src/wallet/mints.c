/* The mints of a wallet: those it may use, those it knows from earlier, and silence after a 429. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "wallet/core.h"

#define HUSH_SECONDS 65 /* nutshell's window starts anew with every try */

int wallet_url(char out[static WALLET_URL_MAX + 1], struct str url, struct err *e)
{
	auto_free char *text = NULL;
	size_t n;

	if (mint_url_normalise(&text, url, e) < 0)
		return -1;
	n = strlen(text);
	if (n > WALLET_URL_MAX)
		return err_set(e, ERRK_LIMIT, "mint URL is longer than %d", WALLET_URL_MAX);
	memcpy(out, text, n + 1);
	return 0;
}

struct wmint *mint_by_url(const struct wallet *w, const char *url)
{
	struct wmint *m;

	for (m = w->mints; m; m = m->next)
		if (!strcmp(m->url, url))
			return m;
	return NULL;
}

struct wmint *mint_by_id(const struct wallet *w, int64_t id)
{
	struct wmint *m;

	for (m = w->mints; m; m = m->next)
		if (m->id == id)
			return m;
	return NULL;
}

struct wmint *mint_allowed(const struct wallet *w, struct str url)
{
	char text[WALLET_URL_MAX + 1];
	struct wmint *m;

	if (wallet_url(text, url, NULL) < 0)
		return NULL;
	m = mint_by_url(w, text);
	return m && m->allowed ? m : NULL;
}

static struct wmint *mint_add(struct wallet *w, int64_t id, const char *url)
{
	struct wmint *m = mem_zero(sizeof(*m));

	m->w = w;
	m->id = id;
	m->health.latency_ms = -1;
	memcpy(m->url, url, strlen(url) + 1);
	m->next = w->mints;
	w->mints = m;
	return m;
}

int mints_load(struct wallet *w, struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(w->db, "SELECT id, url, gives_change, local FROM mint ORDER BY id");
	struct wmint *m;
	int rc;

	while ((rc = db_step(s, e)) == DB_ROW) {
		char url[WALLET_URL_MAX + 1];
		struct str text = db_text(s, 1);

		if (text.n > WALLET_URL_MAX)
			return err_set(e, ERRK_STATE, "mint URL in the database is too long");
		memcpy(url, text.p, text.n);
		url[text.n] = '\0';
		m = mint_add(w, db_i64(s, 0), url);
		m->gives_change = db_i64(s, 2) != 0;
		m->local = db_i64(s, 3) != 0;
	}
	if (rc < 0)
		return -1;

	for (m = w->mints; m; m = m->next)
		if (keysets_load(w, m, e) < 0)
			return err_wrap(e, "%s", m->url);
	return 0;
}

static int mint_insert(int64_t *id, struct wallet *w, const char *url, bool local, struct err *e)
{
	auto_tx struct tx *tx = NULL;
	struct stmt *s;

	if (db_begin(&tx, w->db, e) < 0)
		return -1;
	s = tx_write(tx, "INSERT INTO mint (url, local) VALUES (?, ?)"
			 " ON CONFLICT (url) DO UPDATE SET local = excluded.local RETURNING id");
	db_bind_text(s, 1, str_of(url));
	db_bind_i64(s, 2, local);
	if (db_step(s, e) != DB_ROW) {
		db_done(s);
		return -1;
	}
	*id = db_i64(s, 0);
	db_done(s);
	return db_commit(&tx, e);
}

/* --- every call: may it go, and how did it end? --- */

static int64_t watch_quiet(void *ctx)
{
	const struct wmint *m = ctx;

	return mint_quiet_ms(m->w, m);
}

static void hush(const struct wmint *m, const struct mint_fault *f)
{
	int64_t wait = f->retry_after > HUSH_SECONDS ? f->retry_after : HUSH_SECONDS;
	auto_tx struct tx *tx = NULL;
	struct stmt *s;
	struct err e;

	if (wait > 3600)
		wait = 3600;
	/* Not sent at all, or heard already. */
	if (!f->sent || mint_quiet_ms(m->w, m) > (wait - 2) * 1000)
		return;
	if (db_begin(&tx, m->w->db, &e) < 0) {
		log_warn("%s asks for silence: %s", m->url, e.msg);
		return;
	}
	s = tx_write(tx, "UPDATE mint SET quiet_until = max(quiet_until, ?) WHERE id = ?");
	db_bind_i64(s, 1, clock_wall() + wait + 1); /* the clock's second has begun */
	db_bind_i64(s, 2, m->id);
	if (tx_run(s, NULL, &e) < 0 || db_commit(&tx, &e) < 0)
		log_warn("%s asks for silence: %s", m->url, e.msg);
	else
		log_warn("%s limits our requests: nothing goes there for %lld s", m->url,
			 (long long)wait);
}

static void watch_answer(void *ctx, const struct mint_fault *f, int64_t latency_ms)
{
	struct wmint *m = ctx;
	struct mint_health *h = &m->health;

	if (f && f->kind == MINT_LIMITED)
		hush(m, f);
	/* A refusal is an answer too: the mint is well. */
	if (f && f->kind != MINT_REFUSED) {
		h->bad_at = clock_wall();
		h->failures++;
		str_printable(h->fault, sizeof(h->fault), str_of(f->detail));
		return;
	}
	h->good_at = clock_wall();
	h->failures = 0;
	h->latency_ms =
		h->latency_ms < 0 ? latency_ms : h->latency_ms + (latency_ms - h->latency_ms) / 4;
}

int mint_reach(struct wmint *m, struct err *e)
{
	if (m->io)
		return 0;
	if (mint_new(&m->io, m->w->http, m->url, m->local ? MINT_LOCAL : MINT_PUBLIC, e) < 0)
		return err_wrap(e, "mint %s", m->url);
	mint_set_watch(m->io, &(struct mint_watch){m->w->loop, watch_quiet, watch_answer, m});
	return 0;
}

int wallet_allow(struct wallet *w, const struct wallet_mint *wanted, struct err *e)
{
	char url[WALLET_URL_MAX + 1];
	struct wmint *m;
	int64_t id;

	if (wallet_url(url, str_of(wanted->url), e) < 0)
		return err_wrap(e, "mint %s", wanted->url);
	m = mint_by_url(w, url);
	if (m && m->allowed)
		return 0;
	if ((!m || m->local != wanted->local) && mint_insert(&id, w, url, wanted->local, e) < 0)
		return err_wrap(e, "mint %s", url);
	if (!m)
		m = mint_add(w, id, url);
	m->local = wanted->local;
	m->allowed = mint_reach(m, e) == 0;
	return m->allowed ? 0 : -1;
}

void mints_free(struct wallet *w)
{
	while (w->mints) {
		struct wmint *m = w->mints;

		w->mints = m->next;
		refresh_free(m->refresh);
		scan_free(m->scan);
		mint_free(m->io);
		keysets_free(&m->keysets);
		free(m);
	}
}

int64_t mint_quiet_ms(struct wallet *w, const struct wmint *m)
{
	auto_stmt struct stmt *s = db_query(w->db, "SELECT quiet_until FROM mint WHERE id = ?");
	int64_t left;

	db_bind_i64(s, 1, m->id);
	if (db_step(s, NULL) != DB_ROW)
		return 0;
	left = db_i64(s, 0) * 1000 - clock_wall_ms();
	return left > 0 ? left : 0;
}
