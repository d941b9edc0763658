/* Inside src/volume: loop devices by ioctl, found by the file behind them. */
#ifndef VOLUME_LOOP_H
#define VOLUME_LOOP_H

#include "base/err.h"

enum { LOOP_NONE = 1 };

/* "/dev/loopN" whose backing file is `path`; the caller frees. LOOP_NONE where there is none. */
int loop_find(char **device, const char *path, struct err *e) MUST_CHECK;
/* Find or make one. Direct I/O where the file can. */
int loop_attach(char **device, const char *path, struct err *e) MUST_CHECK;
/* Detach every one of `path` and look that they are gone; -1 with ERRK_STATE while in use. */
int loop_detach(const char *path, struct err *e) MUST_CHECK;

/* From now on the kernel detaches it when its last user (a mount, a mapper) is gone, also where we
 * do not come back to do it. */
int loop_let_go(const char *device, struct err *e) MUST_CHECK;

#endif
