/* Looking whether a lease's command is well: the check of its spec runs beside it, now and again.
 */
#ifndef LEASE_HEALTH_H
#define LEASE_HEALTH_H

#include "lease/lease.h"

struct engine;

/* A generation of its command runs: look after it from now on, where its spec says how. */
void health_begin(struct engine *g, const struct lease *l);
void health_end(struct engine *g, const char *id);
/* "starting", "healthy", "unhealthy"; "" where nobody looks. */
const char *health_word(const struct engine *g, const struct lease *l);
void health_close(struct engine *g);

#endif
