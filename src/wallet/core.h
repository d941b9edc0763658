/* What the wallet's files share: the wallet itself, a mint of it, and who this process is. */
#ifndef WALLET_CORE_H
#define WALLET_CORE_H

#include "cashu/keyset.h"
#include "cashu/mint.h"
#include "wallet/wallet.h"

#define WALLET_UNIT "sat"

struct run;
struct job;
struct scan;
struct refresh;
struct refunding;
struct refund_watch;
struct out_watch;
struct late_run;

/* Of a mint with a long past only the active keysets are fetched, until a token names another. */
enum keysets_depth { KEYSETS_ACTIVE, KEYSETS_ALL_WANTED, KEYSETS_ALL };

struct mint_health { /* in this process; times of the wall clock, 0: never */
	int64_t good_at, bad_at;
	uint64_t failures;  /* since the last good answer */
	int64_t latency_ms; /* smoothed; -1: not known */
	char fault[160];    /* of the last failure */
};

struct wmint {
	struct wmint *next;
	struct wallet *w;
	struct mint_health health;
	int64_t id; /* row */
	bool allowed;
	bool local;	 /* loopback, private addresses and plain http */
	struct mint *io; /* NULL: known from earlier, and not asked yet */
	struct keysets keysets;
	enum keysets_depth depth;
	struct refresh *refresh; /* under way; NULL: none */
	struct scan *scan;
	bool informed;	      /* /v1/info was good, in this process */
	bool gives_change;    /* of payments (NUT-08), when it was asked last */
	int64_t refreshed_ms; /* monotonic; 0: not in this process */
	char url[WALLET_URL_MAX + 1];
};

struct owner { /* a process */
	int64_t pid, start;
};

struct wallet {
	struct db *db;
	struct loop *loop;
	struct http *http;
	struct seed seed;
	char *instance;
	const struct wallet_ops *ops;
	void *ctx;
	struct owner self;
	int64_t session; /* sellers: random, of this run of the process; buyers: 1 */
	struct wmint *mints;
	struct run *runs;
	struct late_run *late_runs;
	struct job *jobs;
	struct refunding *refunds; /* being made */
	struct refund_watch *refund_watch;
	struct out_watch *out_watch;
};

/* --- mints.c --- */

struct wmint *mint_by_url(const struct wallet *w, const char *url); /* normalised; NULL: unknown */
struct wmint *mint_by_id(const struct wallet *w, int64_t id);
/* As mint_by_url for any spelling, and only where it is allowed. */
struct wmint *mint_allowed(const struct wallet *w, struct str url);
/* Let a mint be asked that is only known: what lies or is owed there goes on when the operator has
 * taken it out of the configuration. */
int mint_reach(struct wmint *m, struct err *e) MUST_CHECK;
int mints_load(struct wallet *w, struct err *e) MUST_CHECK;
void mints_free(struct wallet *w);
/* After a 429 nothing goes to that mint for 65 s or what it asked for, in all processes: every call
 * of a mint is watched there. 0: it may be asked now. */
int64_t mint_quiet_ms(struct wallet *w, const struct wmint *m);

/* --- keysets.c --- */

int keysets_load(struct wallet *w, struct wmint *m, struct err *e) MUST_CHECK;
const struct keyset *keyset_by_id(const struct wmint *m, struct str id); /* full id */
void refresh_free(struct refresh *r);
/* As wallet_refresh, but asks again however fresh the last answer is (a plan was refused). */
void mint_refresh_now(struct wallet *w, struct wmint *m, wallet_ready_fn *fn, void *ctx);

/* --- scan.c: is the next counter really free? --- */

/* Ask `restore` for the next 300 outputs until 300 are empty, then move the counter behind what was
 * signed. */
void scan_start(struct wallet *w, struct wmint *m, const struct keyset *k, wallet_ready_fn *fn,
		void *ctx);
void scan_free(struct scan *s);
bool scan_wanted(struct wallet *w, const struct keyset *k);

/* --- runs and jobs --- */

void runs_free(struct wallet *w);
void jobs_free(struct wallet *w);
void refunds_free(struct wallet *w);
bool owner_alive(const struct wallet *w, const struct owner *o); /* another living process */

#endif
