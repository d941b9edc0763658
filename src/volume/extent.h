/* Inside src/volume: how large an ext4 file system is, and making it larger while it is mounted. */
#ifndef VOLUME_EXTENT_H
#define VOLUME_EXTENT_H

#include <stdint.h>

#include "base/err.h"

/* Make the one on `device`, mounted at `mount`, `bytes` large. One that is as large already is left
 * alone. EXTENT_NOT_NOW: not while it is mounted, since the device is too small or the kernel wants
 * a capability that this host does not give (then *e says so). Repeating it after a kill goes on.
 */
enum { EXTENT_NOT_NOW = 1 };
int extent_grow(const char *device, const char *mount, uint64_t bytes, struct err *e) MUST_CHECK;

/* The same where it was mounted and is not any more. What a kill left is repaired. */
int extent_grow_unmounted(const char *device, uint64_t bytes, struct err *e) MUST_CHECK;

#endif
