/*
 * The container's root: shared image layers below, a layer of real directories over them (so that
 * no image can put a link where the runtime mounts), and the lease's own volume on top. With a user
 * namespace the layers are id-mapped, never chowned.
 */
#ifndef VOLUME_OVERLAY_H
#define VOLUME_OVERLAY_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct overlay {
	const char *const *lower; /* image layers, topmost first; at most 127 */
	size_t nlower;
	const char *volume;   /* mounted volume; holds upper/ and work/ */
	const char *run;      /* the lease's own folder on tmpfs: init/, lower/, rootfs/ */
	uint32_t id_base;     /* first host id … */
	uint32_t id_count;    /* … 0: no user namespace */
	const char *hostname; /* for /etc/hostname and /etc/hosts */
	const char *resolv;   /* text of /etc/resolv.conf; NULL: empty */
};

/* Mount at RUN/rootfs. With a user namespace the runtime enters it as a mapped user: every folder
 * above RUN/rootfs must be searchable by others (0711). The working folder of the process changes
 * for a moment, so threads must not rely on it. Repeating it where it is mounted already does
 * nothing. Verified to be writable afterwards (overlay falls back to read-only without a word). */
int overlay_mount(const struct overlay *o, struct err *e) MUST_CHECK;
/* Unmount RUN/rootfs and what an interrupted overlay_mount left, remove the folders. Safe to
 * repeat; -1 with ERRK_STATE while it is in use. */
int overlay_unmount(const char *run, struct err *e) MUST_CHECK;
/* The volume that RUN/rootfs is mounted on, as the kernel says; NULL: none is. The caller frees. */
char *overlay_volume(const char *run);
char *overlay_root(const char *run); /* RUN/rootfs; the caller frees */

/* Can this host map ids of a mount (Linux 5.12 and a file system that does)? `dir` is on the file
 * system of the image store. */
int overlay_probe_idmap(const char *dir, struct err *e) MUST_CHECK;

#endif
