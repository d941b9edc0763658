/* Give up what is not needed after the container runs. */
#ifndef KEEPER_POWERS_H
#define KEEPER_POWERS_H

#include "base/err.h"

/* Keep CAP_KILL (the container's users are not ours) and CAP_SYS_RESOURCE (the log may use the
 * blocks that a full volume reserves), for ever. */
int powers_drop(struct err *e) MUST_CHECK;

#endif
