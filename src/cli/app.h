/*
 * What every verb of `lease` shares: folders, configuration, keys, wallet, relays and the loop. A
 * verb is straight-line code: it starts something on the loop and waits for it with app_wait.
 */
#ifndef CLI_APP_H
#define CLI_APP_H

#include "base/opt.h"
#include "base/secret.h"
#include "db/db.h"
#include "net/http.h"
#include "net/ws.h"
#include "nostr/pool.h"
#include "wallet/purse.h"

/* Exit statuses, lease(1). */
enum {
	EXIT_OK,
	EXIT_OTHER,
	EXIT_USAGE,
	EXIT_NOT_FOUND,	  /* lease, offer, provider */
	EXIT_REFUSED,	  /* by the provider, token unspent */
	EXIT_FAILED_BACK, /* token spent, refund received */
	EXIT_UNCLEAR,	  /* token spent or unclear, refund due: lease recover */
	EXIT_NO_ANSWER,	  /* token not taken */
	EXIT_MINT,
	EXIT_RELAYS,
	EXIT_MONEY,
	EXIT_NO_OFFER,
	EXIT_EXPIRED,
	EXIT_VERIFY,
	EXIT_STATE,
	EXIT_OURS = 125, /* run and exec: our failure */
};

struct app_globals {
	const char *home;
	struct opt_list relays;
	bool json;
	bool quiet;
};

struct app_conf {
	char **relays, **mints;
	char *seed_key_file; /* may be NULL: seed.key beside lease.conf */
	bool allow_local;
	struct wallet_limits limits;
	int64_t max_risk; /* seconds */
};

struct app {
	struct app_globals g;
	struct app_conf conf;
	char *config_dir, *data_dir;
	struct seed seed;
	struct str words; /* for a wallet that is not there yet; borrowed, n == 0: fresh ones */
	struct secret column;
	struct loop *loop;
	struct ws_context *ws;
	struct http *http;
	struct db *db;
	struct wallet *wallet;
	bool interrupted; /* Ctrl-C; the wait that it ended returns */
	bool patient;	  /* the first Ctrl-C is for the lease's command: it only sets … */
	bool tapped;	  /* … this and wakes the wait */
};

/* Folders, keys (made on first use) and configuration; no database yet. */
int app_open(struct app *a, struct err *e) MUST_CHECK;
char *app_seed_key(const struct app *a); /* path of what opens the seed; the caller frees */
/* Database, loop and wallet. Network only when something is asked. */
int app_wallet(struct app *a, struct err *e) MUST_CHECK;
void app_close(struct app *a);
/* Relays: --relay, LEASE_RELAYS, lease.conf. At least one, or an error that says how. */
int app_relays(const struct app *a, struct buf *out_lines, struct err *e) MUST_CHECK;
/* A pool on those relays; `key` signs AUTH, NULL: nobody. */
int app_pool(struct app *a, const struct secret *key, struct nostr_pool **out,
	     struct err *e) MUST_CHECK;
/* The mint to use: `named`, else the only one configured or known. */
int app_mint(struct app *a, const char *named, char out[static WALLET_URL_MAX + 1],
	     struct err *e) MUST_CHECK;
/* Key that one provider knows us by, derived from the seed: providers cannot link a payer. */
void app_identity(const struct app *a, const struct pubkey *provider, struct secret *out);

/* Run the loop until app_done, the interrupt or the timeout. */
enum { APP_DONE, APP_TIMEOUT, APP_INTERRUPTED };
int app_wait(struct app *a, int64_t timeout_ms);
void app_done(struct app *a);

/* A wallet job as a call: runs the loop until the job ends. `last` gets a copy without `text`;
 * `text` (may be NULL) is appended. */
struct app_job {
	struct app *app;
	struct wallet_news last;
	struct err error;
	struct buf *text;
	bool ended;
};
void app_job_news(void *ctx, const struct wallet_news *n); /* give as wallet_job_fn */
/* Runs the loop until the job ends; true: there is not enough money. app_job_wait tells the rest.
 */
bool app_job_poor(struct app_job *j, int64_t timeout_ms);
/* 0: DONE; else the exit status, and what went wrong is printed. A job that did not end in time
 * goes on in the wallet; `j` hears no more of it. */
int app_job_wait(struct app_job *j, int64_t timeout_ms);

/* "lease: MESSAGE" on standard error; returns `status`. */
int app_fail(int status, const struct err *e);
int app_failf(int status, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A line on standard error unless --quiet. */
void app_say(const struct app *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
