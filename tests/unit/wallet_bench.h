/* A loop, a mint and a wallet for one test. */
#ifndef TESTS_WALLET_BENCH_H
#define TESTS_WALLET_BENCH_H

#include "wallet/purse.h"
#include "wallet/till.h"
#include "wallet_mint.h"

struct heard { /* from struct wallet_ops */
	unsigned settled, rejected, closed, waiting;
	struct wallet_plan last;
	char ref[64];
	unsigned fail; /* so many calls of settled fail */
	unsigned refunds, refunds_done;
	char refund[1 << 14]; /* the last refund's token */
	struct sat refund_sat, refund_fee;
};

struct told { /* to a job's caller */
	bool done, open;
	enum wallet_stage stage;
	struct sat amount, missing, limit, left;
	int64_t token_out;
	char text[1 << 16];
	char error[320];
	unsigned invoices, waits;
};

struct bench {
	struct loop *loop;
	struct ws_context *ws;
	struct http *http;
	struct sim *sim;
	struct db *db;
	struct wallet *w;
	struct seed seed;
	char path[64];
	char instance[8];
	struct heard heard;
	struct told told;
	bool timed_out;
	bool removed;	      /* the mint is in no configuration any more, from the next start on */
	int log, screen;      /* with bench_listen: what is logged, and where it went before */
	int64_t ahead_ms;     /* with bench_later: of the system's clock */
	unsigned clock_in_tx; /* the same: read while a transaction was open */
};

enum bench_side { BENCH_SELLER, BENCH_BUYER };

/* Fees in ppk. The database is new; the seed is random. */
struct bench *bench_new(enum bench_side side, uint32_t ppk);
void bench_free(struct bench *b);
/* The process dies and starts again: nothing survives but the file. */
void bench_restart(struct bench *b);
void bench_close(struct bench *b);
void bench_open(struct bench *b);
/* A file whole; a database must be closed. */
void bench_copy(const char *to, const char *from);
/* Turn the loop until a plan closes, a job ends, or ms are over. */
void bench_run(struct bench *b, int64_t ms);
/* For what must happen, and does at once on most machines. */
#define BENCH_PATIENCE 120000
/* Turn it as long as that is so: what the test goes on with is still the test's to check. */
#define bench_while(b, what)                                                                       \
	for (int64_t end_ = clock_mono_us() + BENCH_PATIENCE * INT64_C(1000);                      \
	     (what) && clock_mono_us() < end_;)                                                    \
	bench_run(b, 50)
void bench_ready(struct bench *b); /* wallet_refresh */
/* From now on count what is logged for the operator to act on at once. */
void bench_listen(struct bench *b);
unsigned bench_alarms(struct bench *b);
/* All clocks jump. */
void bench_later(struct bench *b, int64_t seconds);
void bench_job(void *ctx, const struct wallet_news *n);

/* Seller: what wallet_check says, claim with a commit, and the plan. */
struct lock bench_lock(struct bench *b);
enum wallet_code bench_check(struct bench *b, const char *token, struct wallet_payment **out);
/* The commit of a release: 0 or the named outcome. */
int bench_release(struct bench *b, const char *token, struct wallet_release *r);
int64_t bench_claim(struct bench *b, const char *token, int64_t not_after);
uint64_t bench_available(struct bench *b);
void bench_audit(struct bench *b); /* aborts where the books break */
int64_t bench_ledger(struct bench *b, enum ledger_account a);

#endif
