/*
 * Volumes of one lease that another lease of the same owner uses. Who uses them is noted in the
 * lender's folder before anything is mounted. The lender's end waits for nobody: first whoever is
 * noted is stopped (TERM, KILL after ten seconds) and loses the mount.
 */
#ifndef HELPER_LEND_H
#define HELPER_LEND_H

#include "helper/job.h"
#include "volume/bind.h"

struct lent {
	char *folder; /* the volume: a path that leads to it as long as `at` is open */
	int at;
	struct idmap map; /* whose ids the borrower sees as its own */
	int lock;	  /* the lender's end waits for it: only while it is mounted */
};
void lent_clear(struct lent *l);
#define auto_lent __attribute__((cleanup(lent_clear)))

/* For the lease of `j`, which names it in its spec. -1 says what is missing; a lease of somebody
 * else is as good as none. */
int lend_take(struct lent *out, const struct job *j, const struct spec_mount *m,
	      struct err *e) MUST_CHECK;
/* Before the volume of `j` goes; not with the lease's lock. From here on nobody takes it. */
int lend_end(const struct job *j, struct err *e) MUST_CHECK;
/* Whoever uses the volume of `j` is killed and loses the mount. Not with the lock of a lease, but
 * with that of a kept volume: it uses nobody's. */
int lend_recall(const struct job *j, struct err *e) MUST_CHECK;
/* How many leases have a part of the volume of `j` mounted, or may. Nobody more does while `lock`
 * is open. */
int lend_hold(int *lock, const struct job *j, unsigned *n, struct err *e) MUST_CHECK;
/* The lease of `j` is gone: it uses nobody's, whatever its spec was. */
void lend_forget(const struct job *j);

#endif
