/*
 * GET /metrics, /healthz and /readyz over plain HTTP on an address of this host's own, for a
 * monitoring program. Whoever reaches that address reads them: nothing in them names a lease.
 */
#ifndef AGENT_METRICS_H
#define AGENT_METRICS_H

#include "lease/engine.h"
#include "net/ws.h"

struct metrics;
int metrics_new(struct metrics **out, struct ws_context *ws, const char *address, uint16_t port,
		struct engine *g, struct err *e) MUST_CHECK;
void metrics_free(struct metrics *m); /* before the engine and the context; NULL is fine */
DEFINE_AUTO(struct metrics, metrics_free)
uint16_t metrics_port(const struct metrics *m);

#endif
