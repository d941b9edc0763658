/* Inside src/volume: what is mounted, by mountinfo, and unmounting that is never lazy. */
#ifndef VOLUME_MOUNTS_H
#define VOLUME_MOUNTS_H

#include <stdbool.h>

#include "base/err.h"

bool mounts_has(const char *target);
/* Its line of mountinfo; NULL: nothing is mounted there. The caller frees. */
char *mounts_line(const char *target);
/* Unmount everything that is mounted exactly at `target`. 0 where nothing is; -1 with ERRK_STATE
 * while it is in use. */
int mounts_remove(const char *target, struct err *e) MUST_CHECK;

#endif
