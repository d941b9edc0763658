/* How fast volumes of this host are written, measured once and kept in STATE/volume_speed. */
#ifndef VOLUME_SPEED_H
#define VOLUME_SPEED_H

#include "volume/volume.h"

/* Make a volume of that kind and id, write for a second at most, erase it, keep what was found. A
 * volume that is left of one that was killed is swept as every other. */
int volume_measure(const struct volume *like, struct err *e) MUST_CHECK;
/* Bytes a second as it was measured with this activation; 0: not yet. */
uint64_t volume_speed(const char *state_dir, enum volume_activation a);

#endif
