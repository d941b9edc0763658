/* What this host has, found out once at the start. */
#ifndef HELPER_PROBE_H
#define HELPER_PROBE_H

#include "backend/backend.h"
#include "helper/helper.h"

/* The runtime's name and version ("runc 1.1.5"; the caller frees) and whether it is below the floor
 * of its line. -1 where it does not work, or the configuration refuses what is here. */
int probe_runtime(char **runtime, bool *is_old, const struct backend *b,
		  const struct helper_config *c, struct err *e) MUST_CHECK;

#endif
