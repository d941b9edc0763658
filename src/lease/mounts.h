/*
 * Inside src/lease: the paths of a lease that survive another image. Its root is made of the image
 * and of what the lease wrote; that goes when its owner starts it with another image. What is
 * mounted stays: volumes of all kinds, among them the anonymous ones, which are folders on the
 * lease's own disk, filled once with what is at their path. Which paths have one is its owner's to
 * set (request `set` with `mounts`); without any, the home of root gets one when the image is
 * changed.
 */
#ifndef LEASE_MOUNTS_H
#define LEASE_MOUNTS_H

#include "lease/verbs.h"

#define MOUNTS_DEFAULT "/root"

void mounts_asked(struct ask *a, const struct lease *l); /* set, for its next start */
void mounts_tell(struct engine *g, const struct lease *l, struct reply *r);
/* Start with the image of `wish` from now on. */
int mounts_change_image(struct spec *s, const struct spec *wish, struct err *e) MUST_CHECK;
#endif
