/*
 * A folder of the host shown at a second place: a private copy of its mount, without set-id bits
 * and devices, perhaps read-only, perhaps with the ids of another range.
 */
#ifndef VOLUME_BIND_H
#define VOLUME_BIND_H

#include <stdint.h>

#include "base/err.h"

/* Who is `from` + N on disk is seen as `to` + N, and the other way round. */
struct idmap {
	uint32_t from, to, count; /* count 0: as they are */
};

/* A descriptor that stands for the map; -1 in *fd where there is nothing to map. */
int idmap_open(int *fd, const struct idmap *m, struct err *e) MUST_CHECK;

enum bind_flags { BIND_READ_ONLY = 1 << 0, BIND_SET_ID = 1 << 1 /* set-id bits count */ };

/* The copy, not mounted anywhere yet; `map` is of idmap_open(). */
int bind_clone(int *fd, const char *path, int map, unsigned flags, struct err *e) MUST_CHECK;

struct bind {
	const char *source, *target; /* folders; the target is made, for nobody but those inside */
	struct idmap map;
	unsigned flags;
	uint32_t owner, owners; /* the folder must then belong to one of so many ids from here on */
};

/* Mount it. What is mounted at the target already goes before. Verified afterwards: owner, and that
 * it can be written to where it shall. */
int bind_mount(const struct bind *b, struct err *e) MUST_CHECK;
/* Unmount, and remove the target; absent is fine. */
int bind_unmount(const char *target, struct err *e) MUST_CHECK;

#endif
