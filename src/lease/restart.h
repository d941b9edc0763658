/* Running a command again that failed, as its spec wants: at most so often in all, as Docker's
 * on-failure:N, and after a wait that grows. An owner's start begins to count anew. */
#ifndef LEASE_RESTART_H
#define LEASE_RESTART_H

#include "db/db.h"
#include "lease/lease.h"

struct engine;

enum { RESTART_NOT, RESTART_WILL };
/* The command of a RUNNING lease failed: `what` says how. WILL: it runs again, by way of `to`
 * (WAITING, or HALTING where it is to be stopped first), which is stored and counted in one commit.
 * Else nothing was changed. */
int restart_failed(struct engine *g, struct lease *l, enum lease_halt to, const char *what,
		   struct err *e) MUST_CHECK;
void restart_arm(struct engine *g); /* look when the next wait is over */
/* It runs now. */
void restart_running(struct lease *l);
/* Its container is gone with a reboot that its volume survived: it runs again, which counts as no
 * failure. */
void restart_rebooted(struct engine *g, struct lease *l);
/* Its owner starts or stops it: whatever was counted is over. */
void restart_forget(struct lease *l);

/* restart_store.c */
int restart_save(struct tx *tx, const struct lease *l, struct err *e) MUST_CHECK;
/* The earliest restart.at of those that wait; 0: none does. */
int restart_next(struct db *d, int64_t *at, struct err *e) MUST_CHECK;
/* Those whose wait is over at `now`, or would take longer than any may: a clock was set. */
int restart_each_due(struct db *d, int64_t now, int64_t longest,
		     void (*fn)(void *ctx, const char *id), void *ctx, struct err *e) MUST_CHECK;

#endif
