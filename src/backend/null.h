/*
 * A null device of its own, which is on no mount. gVisor gives the streams that it starts something
 * with to nobody, and the host's /dev/null would be nobody's, for every program on it.
 */
#ifndef BACKEND_NULL_H
#define BACKEND_NULL_H

#include "base/err.h"

/* A descriptor that reads and writes; the caller closes it. */
int null_open(struct err *e) MUST_CHECK;

#endif
