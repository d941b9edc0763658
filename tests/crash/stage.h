/*
 * A whole market for one run: two mints, a relay, a shop and a host in this process, the provider's
 * engine and the buyer's `lease` in processes of their own that can be killed. Whatever waits for
 * time gets it at once.
 */
#ifndef TESTS_CRASH_STAGE_H
#define TESTS_CRASH_STAGE_H

#include "../sim/host.h"
#include "db/db.h"
#include "devnet/mint.h"
#include "devnet/relay.h"
#include "lease/engine.h"
#include "shared.h"

struct stage {
	struct shared *shared;
	char dir[64], provider_db[96], home[96], log[96];
	struct loop *loop;
	struct ws_context *ws;
	struct db *mint_db, *other_db, *relay_db;
	struct mint_node *mint, *other; /* the other one's invoices want to be paid by somebody */
	struct relay_node *relay;
	struct ws_server *shop; /* says yes to whoever pays its requests, and does no more */
	char mint_url[64], other_url[64], relay_url[64];
	struct host host;
	struct engine_offer offer;
	unsigned told;	  /* events that a relay was told, for the ghost */
	int pids[ACTORS]; /* 0: does not run */
	int status[ACTORS];
	unsigned deaths[ACTORS];   /* by kill -9, not by us */
	struct death next[ACTORS]; /* armed when it dies */
	bool off;		   /* the provider stays down */
};

/* Everything is there and the provider sells. Any failure of the stage itself ends the process with
 * a line on standard error. */
void stage_open(struct stage *s, struct shared *shared);
void stage_close(struct stage *s);

void stage_provider_start(struct stage *s);
void stage_provider_stop(struct stage *s); /* kill -9 */

/* "lease ARGUMENT…" or "leasectl ARGUMENT…", words parted by one space; its exit status, 137 when
 * it was killed. INVOICE is a fresh one over INVOICE_SAT of a node outside, REQUEST a payment
 * request of the shop over as much, OTHER the other mint's address, @NAME a file of the run's
 * folder, and a last word ">NAME" sends standard output there. */
#define INVOICE_SAT 20
int stage_command(struct stage *s, const char *line);
/* So many seconds pass, in pieces between which everybody does what is due. */
void stage_pass(struct stage *s, int64_t seconds);
/* No time passes, but everybody does what is due. */
void stage_calm(struct stage *s);
/* The provider is off meanwhile. */
void stage_pass_off(struct stage *s, int64_t seconds);

/* Until cond is true; time passes while everybody waits. False after `seconds` of the clock. */
typedef bool stage_cond(struct stage *s);
bool stage_until(struct stage *s, stage_cond *cond, int64_t seconds);

void stage_fault(struct faults *f, const char *json);
/* What the run printed and logged so far, on standard error. */
void stage_show_log(const struct stage *s);
_Noreturn void stage_die(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* provider.c: the provider's process; never returns. `fd` is the host's socket. */
_Noreturn void provider_run(const struct stage *s, int fd);

#endif
