/* Ending the processes of a RUNNING lease and running them again: one step a lease at a time. */
#ifndef LEASE_HALT_H
#define LEASE_HALT_H

#include "base/err.h"
#include "lease/lease.h"

struct ask;
struct engine;
struct work;

enum { HALT_TAKEN, HALT_IS_SO, HALT_BUSY };
/* The owner of a RUNNING lease wants it HALTING or RESUMING. TAKEN: the answer will come. */
int halt_asked(const struct ask *a, struct lease *l, enum lease_halt to, struct err *e) MUST_CHECK;
void halt_continue(struct engine *g, const struct lease *l); /* the step under way, once more */
/* The host stopped a RUNNING lease and was not asked to: store it and tell its owner. */
void halt_noticed(struct engine *g, struct lease *l);
void halt_step(struct work *w, const struct lease *l); /* the one that is stored; ends w */

#endif
