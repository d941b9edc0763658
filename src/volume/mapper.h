/*
 * Inside src/volume: devices of the device mapper, by the kernel's own word. One that was made but
 * whose table was never loaded (whoever made it was killed) is in no folder of /sys and has no
 * node; its name is taken all the same.
 */
#ifndef VOLUME_MAPPER_H
#define VOLUME_MAPPER_H

#include <stdbool.h>

#include "base/err.h"

bool mapper_exists(const char *name);
/* 0 also where there is none; -1 with ERRK_STATE while it is in use. Its node is the caller's. */
int mapper_remove(const char *name, struct err *e) MUST_CHECK;

#endif
