/* Rows of leases, payments, requests and meta values: SQL only, no decisions. */
#ifndef LEASE_STORE_H
#define LEASE_STORE_H

#include "base/buf.h"
#include "db/db.h"
#include "lease/lease.h"

int store_migrate(struct db *d, struct err *e) MUST_CHECK;

/* --- leases --- */

enum { STORE_NONE = 1 };

int lease_insert(struct tx *tx, const struct lease *l, struct str spec, struct err *e) MUST_CHECK;
int lease_load(struct db *d, const char *id, struct lease *out,
	       struct err *e) MUST_CHECK; /* STORE_NONE */
/* Its spec in JSON (a secret: it holds the environment). */
int lease_load_spec(struct db *d, const char *id, struct buf *out, struct err *e) MUST_CHECK;
/* Another spec for its next start. */
int lease_save_spec(struct tx *tx, const char *id, struct str spec, struct err *e) MUST_CHECK;
/* The only door from state to state: checks that the row still has l->state, writes the history,
 * and sets l->state and l->why. Final states blank the secret columns. */
int lease_move(struct tx *tx, struct lease *l, enum lease_state to, enum lease_why why,
	       struct err *e) MUST_CHECK;
/* Write plan, paid, fee, image, digest, times and exit status back; the state has its own door. */
int lease_save(struct tx *tx, const struct lease *l, struct err *e) MUST_CHECK;
/* Write halt, generation and halt_request back. */
int lease_save_halt(struct tx *tx, const struct lease *l, struct err *e) MUST_CHECK;
uint64_t lease_count_cut(struct db *d); /* running ones whose network is cut off */
/* Write cut_at and address6 back. */
int lease_save_network(struct tx *tx, const struct lease *l, struct err *e) MUST_CHECK;
int lease_save_receipt(struct tx *tx, const char *id, struct str receipt, struct err *e) MUST_CHECK;
int lease_load_receipt(struct db *d, const char *id, struct buf *out, struct err *e) MUST_CHECK;

/* Ids of the leases in any state of `mask`, oldest first; `until` > 0 only those with an expires_at
 * up to it. Collected before the first call of fn, so fn may write. */
int lease_each(struct db *d, uint32_t mask, int64_t until, void (*fn)(void *ctx, const char *id),
	       void *ctx, struct err *e) MUST_CHECK;
/* The next expires_at of a running lease, 0: none. */
int lease_next_expiry(struct db *d, int64_t *out, struct err *e) MUST_CHECK;

struct lease_use {
	uint64_t leases, running, cpu, memory, disk; /* disk: also of volumes that are kept … */
	uint64_t volumes;			     /* … which are counted here */
};
/* Of LEASE_LIVE, without those that still wait for their mint when their request is over: they
 * never start. */
int lease_sum(struct db *d, struct lease_use *out, struct err *e) MUST_CHECK;

/* How many leases are in each state of LEASE_LIVE, without volumes that are kept. */
int lease_count_states(struct db *d, uint64_t n[static LEASE_NSTATES], struct err *e) MUST_CHECK;

/* Graphics cards of LEASE_LIVE, of one vendor: those of an offer's leases, and all. */
struct cards_use {
	uint64_t of_offer, all;
};
int cards_save(struct tx *tx, const char *lease, const struct spec_gpu *g,
	       struct err *e) MUST_CHECK;
int cards_sum(struct db *d, const char *offer, enum spec_vendor v, struct cards_use *out,
	      struct err *e) MUST_CHECK;

/* What runs all the time; here so that a test sees them use the index of live leases. SQLite takes
 * a partial index only where the query repeats its condition word for word. */
#define LEASE_SQL_LIVE_STATES "state IN (1,3,4,5,6)"
#define LEASE_SQL_EXPIRY                                                                           \
	"SELECT min(expires_at) FROM lease WHERE state = 5 AND " LEASE_SQL_LIVE_STATES
#define LEASE_SQL_ENDING                                                                           \
	"SELECT id, started_at, expires_at FROM lease WHERE state = 5 AND " LEASE_SQL_LIVE_STATES  \
	" AND expires_at > ? AND expires_at <= ? AND warned <> expires_at ORDER BY expires_at"
#define LEASE_SQL_SUM                                                                              \
	"SELECT sum(kept = ''), sum(state = 5 AND kept = ''), sum(cpu), sum(memory), sum(disk),"   \
	" sum(kept <> '')"                                                                         \
	" FROM lease WHERE " LEASE_SQL_LIVE_STATES " AND (state <> 3 OR not_after >= ?)"
#define LEASE_SQL_STATES                                                                           \
	"SELECT state, sum(kept = '') FROM lease WHERE " LEASE_SQL_LIVE_STATES " GROUP BY state"
#define LEASE_SQL_LIVE                                                                             \
	"SELECT id FROM lease WHERE state = ? AND " LEASE_SQL_LIVE_STATES                          \
	" AND expires_at <= ? ORDER BY asked_at, id"
#define LEASE_SQL_FINAL "SELECT id FROM lease WHERE state = ? AND ? > 0 ORDER BY asked_at, id"

/* --- payments: what a plan of the wallet pays for --- */

enum payment_kind { PAYMENT_SPAWN = 1, PAYMENT_TOPUP, PAYMENT_MESSAGE /* a top-up of anybody */ };

struct payment {
	int64_t plan;
	enum payment_kind kind;
	char lease[LEASE_ID_HEX + 1];
	struct pubkey author;
	char request_id[LEASE_REQUEST_ID_HEX + 1];
};
int payment_insert(struct tx *tx, const struct payment *p, struct str token,
		   struct err *e) MUST_CHECK;
int payment_load(struct db *d, int64_t plan, struct payment *out, struct buf *token,
		 struct err *e) MUST_CHECK; /* STORE_NONE; token may be NULL */
int payment_blank(struct tx *tx, int64_t plan, struct err *e) MUST_CHECK; /* forget the token */

/* --- requests: acting once --- */

struct request_row {
	struct pubkey author;
	char request_id[LEASE_REQUEST_ID_HEX + 1];
	uint8_t hash[32]; /* of the rumor */
	int64_t at;
};
/* STORE_KNOWN: same author, id and hash; STORE_REUSED: same author and id, another hash. */
enum { STORE_KNOWN = 2, STORE_REUSED = 3 };
int request_find(struct db *d, const struct request_row *r, struct err *e) MUST_CHECK;
int request_insert(struct tx *tx, const struct request_row *r,
		   struct err *e) MUST_CHECK; /* STORE_KNOWN */
/* Forget rows older than `before` and all beyond the newest `most`. */
int request_prune(struct tx *tx, int64_t before, int64_t most, struct err *e) MUST_CHECK;

/* --- meta --- */

int meta_get(struct db *d, const char *key, int64_t *out, struct err *e) MUST_CHECK; /* absent: 0 */
int meta_set(struct tx *tx, const char *key, int64_t v, struct err *e) MUST_CHECK;

#endif
