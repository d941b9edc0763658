/* Core chooses ports; here they are held against the operator's range, and against other leases. */
#ifndef HELPER_PUBLISH_H
#define HELPER_PUBLISH_H

#include "helper/table.h"

/* May the lease of `r` publish what its record says? */
int publish_check(const struct table *t, const struct helper_config *c, const struct record *r,
		  struct err *e) MUST_CHECK;

#endif
