/* Blocks that tenants no longer use, given back to the host where their disks do not do it by
 * themselves: one volume after the other, those that hold much more than is in them. */
#ifndef HELPER_TRIM_H
#define HELPER_TRIM_H

#include "helper/table.h"
#include "helper/worker.h"

struct trimmer;

struct trimmer *trimmer_new(struct loop *l, const struct helper_config *c,
			    const struct table *leases, struct workers *w);
void trimmer_free(struct trimmer *t);

#endif
