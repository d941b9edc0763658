/* What this host has, found out once at the start; whether a daemon is there, each time anew. */
#ifndef HELPER_PROBE_H
#define HELPER_PROBE_H

#include "backend/backend.h"
#include "helper/helper.h"

#define PROBE_BACKENDS 2

/* What runs leases here. */
struct probed {
	const struct backend *backend; /* NULL: no offer has it */
	char *runtime;		       /* "runc 1.1.5", "docker 20.10.24" */
	bool old;		       /* below the floor of its line */
	bool away;		       /* its daemon, at the last look */
};

/* The i-th backend that leases are sold with; NULL where no offer has it. */
const struct backend *probe_backend(const struct helper_config *c, size_t i);
/* -1 where a runtime does not work, or the configuration refuses what is here. A daemon that does
 * not answer is none: it may later, and the leases of other offers do not wait for it. */
int probe_backends(struct probed out[static PROBE_BACKENDS], const struct helper_config *c,
		   struct err *e) MUST_CHECK;
/* Look again whether daemons are there. */
void probe_daemons(struct probed v[static PROBE_BACKENDS], const struct helper_config *c);
/* Is that one's? */
bool probe_is_away(const struct backend *b, const struct helper_config *c, struct err *e);
void probed_free(struct probed v[static PROBE_BACKENDS]);
const struct probed *probed_find(const struct probed v[static PROBE_BACKENDS], const char *backend);

#endif
