/* The audit's online half: does each proof that we hold still count at its mint? One batch at a
 * time; after a 429 it waits until the mint may be asked again. */
#include "wallet/audit.h"

#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "cashu/dhke.h"
#include "wallet/job.h"

#define BATCH	  100
#define TRIES_MAX 3 /* of one batch */

struct audit_run {
	struct wallet_audit *a;
	struct y_bytes ys[BATCH]; /* the batch under way */
	size_t n;
	struct y_bytes last; /* of the mint's proofs, the last one looked at */
	bool began;	     /* `last` counts */
	unsigned tries;
};

static void audit_ask(struct job *j);

static void found_y(struct wallet_audit *a, enum audit_grade grade, const struct y_bytes *y,
		    const char *why)
{
	char name[2 * POINT_COMPRESSED + 1];

	hex_encode(name, y->b, sizeof(y->b));
	audit_found(a, &(struct audit_finding){grade, AUDIT_PROOF, name, why});
}

static void audit_next_mint(struct job *j)
{
	struct audit_run *r = j->own;

	j->mint = j->mint ? j->mint->next : j->w->mints;
	r->began = false;
	r->tries = 0;
	if (j->mint)
		job_later(j, 0, audit_ask);
	else
		job_done(j, str_of(""), SAT(0));
}

/* --- one batch --- */

static int batch_row(struct audit_run *r, struct stmt *s, struct err *e)
{
	auto_buf struct buf secret = BUF(PROOF_SECRET_MAX + 1);
	struct str y = db_blob(s, 0);
	struct y_bytes made, *to = &r->ys[r->n];

	if (y.n != sizeof(to->b))
		return err_set(e, ERRK_STATE, "a stored proof is damaged");
	memcpy(to->b, y.p, y.n);
	if (db_is_null(s, 1))
		; /* the books have named it */
	else if (db_secret(&secret, s, 1, "proof.secret", NULL) < 0 ||
		 dhke_y_bytes(made.b, buf_view(&secret), NULL) < 0 ||
		 memcmp(made.b, to->b, sizeof(made.b)) != 0)
		found_y(r->a, AUDIT_BROKEN, to, "its secret does not belong to it");
	r->n++;
	return 0;
}

static int batch_load(struct job *j, struct err *e)
{
	struct audit_run *r = j->own;
	auto_stmt struct stmt *s =
		db_query(j->w->db, "SELECT y, secret FROM proof WHERE mint = ? AND state IN (?, ?)"
				   " AND (? = 0 OR y > ?) ORDER BY y LIMIT ?");
	int rc;

	db_bind_i64(s, 1, j->mint->id);
	db_bind_i64(s, 2, HELD_FREE);
	db_bind_i64(s, 3, HELD_RESERVED);
	db_bind_i64(s, 4, r->began);
	db_bind_blob(s, 5, r->last.b, sizeof(r->last.b));
	db_bind_i64(s, 6, BATCH);
	r->n = 0;
	while ((rc = db_step(s, e)) == DB_ROW)
		if (batch_row(r, s, e) < 0)
			return -1;
	return rc;
}

static void batch_over(struct job *j)
{
	struct audit_run *r = j->own;

	r->last = r->ys[r->n - 1];
	r->began = true;
	r->tries = 0;
	job_later(j, 0, audit_ask);
}

/* One that is still free now: a plan may have taken it while the mint was asked. */
static bool still_free(struct job *j, const struct y_bytes *y)
{
	auto_stmt struct stmt *s = db_query(j->w->db, "SELECT state FROM proof WHERE y = ?");

	db_bind_blob(s, 1, y->b, sizeof(y->b));
	return db_step(s, NULL) == DB_ROW && db_i64(s, 0) == HELD_FREE;
}

static void batch_judge(struct job *j, const struct y_states *states)
{
	struct audit_run *r = j->own;

	for (size_t i = 0; i < states->n; i++) {
		r->a->asked++;
		if (states->v[i].state == PROOF_UNSPENT || !still_free(j, &r->ys[i]))
			continue;
		found_y(r->a, AUDIT_BROKEN, &r->ys[i],
			states->v[i].state == PROOF_SPENT
				? "it lies free, and the mint says that it is spent"
				: "it lies free, and the mint holds it as pending");
	}
}

/* Limited or away: once more later, then the rest of this mint stays unproven. */
static void batch_failed(struct job *j, const struct mint_fault *f)
{
	struct audit_run *r = j->own;
	int64_t wait = 1000;

	if (f->kind == MINT_LIMITED)
		wait = mint_quiet_ms(j->w, j->mint);
	if (++r->tries < TRIES_MAX) {
		job_say(j, WALLET_WAITING, str_of(f->detail));
		job_later(j, wait, audit_ask);
		return;
	}
	audit_found(r->a,
		    &(struct audit_finding){AUDIT_UNPROVEN, AUDIT_MINT, j->mint->url, f->detail});
	audit_next_mint(j);
}

static void batch_answer(void *ctx, struct y_states *states, const struct mint_fault *f)
{
	struct job *j = ctx;

	j->call = NULL;
	if (f) {
		batch_failed(j, f);
		return;
	}
	batch_judge(j, states);
	batch_over(j);
}

static void audit_ask(struct job *j)
{
	struct audit_run *r = j->own;
	int64_t quiet = mint_quiet_ms(j->w, j->mint);
	struct err e;

	if (quiet > 0) {
		job_later(j, quiet, audit_ask);
		return;
	}
	if (batch_load(j, &e) < 0) {
		job_fail(j, &e);
		return;
	}
	if (r->n == 0) {
		audit_next_mint(j);
		return;
	}
	if (mint_reach(j->mint, &e) < 0) {
		audit_found(r->a, &(struct audit_finding){AUDIT_UNPROVEN, AUDIT_MINT, j->mint->url,
							  e.msg});
		audit_next_mint(j);
		return;
	}
	j->call = mint_checkstate(j->mint->io, r->ys, r->n, batch_answer, j);
}

static void audit_step(struct job *j)
{
	struct audit_run *r = j->own;
	struct err e;

	if (wallet_audit_books(j->w->db, r->a, &e) < 0)
		job_fail(j, &e);
	else
		audit_next_mint(j);
}

void wallet_audit(struct wallet *w, struct wallet_audit *a, wallet_job_fn *fn, void *ctx)
{
	struct job *j = job_new(w, fn, ctx, audit_step);
	struct audit_run *r = mem_zero(sizeof(*r));

	r->a = a;
	j->own = r;
	j->own_free = free;
}
