/* The process that serves the disk of a kept volume (VOLUME_FUSE): who has one of its own tells its
 * keeper, and such a volume has none. */
#ifndef HELPER_DISK_H
#define HELPER_DISK_H

#include "helper/table.h"

/* When it ends, job_serve stops whoever uses the volume and opens it again. Nothing for leases, or
 * where it is watched already. */
void disk_watch(struct lease *l);
void disk_forget(struct lease *l);

#endif
