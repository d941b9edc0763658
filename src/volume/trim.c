/*
 * What a tenant deletes is the host's again, also where the disk passes no discard on: QEMU's LUKS
 * driver knows none, nor does its VMDK driver for flat extents. A file without a name takes the
 * free blocks, so that nobody else writes there; their places in the payload, which lie as on the
 * disk, become holes; then it goes, also where we are killed.
 */
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/mem.h"
#include "volume/mounts.h"
#include "volume/paths.h"

#define EXTENTS 256
#define ROUNDS	2
#define LEFT	((uint64_t)4 << 20) /* of what is free, for a tenant who writes meanwhile */

/* Three quarters of what is free, then of the rest: a tenant always finds some. */
static int take_free(int fd, struct err *e)
{
	struct statvfs fs;
	uint64_t size = 0, take;

	for (int i = 0; i < ROUNDS; i++) {
		if (fstatvfs(fd, &fs))
			return err_sys(e, "free blocks of the volume");
		take = (uint64_t)fs.f_bavail * fs.f_frsize / 4 * 3 / fs.f_frsize * fs.f_frsize;
		if (take < LEFT || fallocate(fd, 0, (off_t)size, (off_t)take))
			break; /* a tenant was faster: what we have is enough */
		size += take;
	}
	return 0;
}

static int punch(int payload, const struct fiemap_extent *x, struct err *e)
{
	if (x->fe_flags & (FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_ENCODED |
			   FIEMAP_EXTENT_NOT_ALIGNED | FIEMAP_EXTENT_DATA_INLINE))
		return 0; /* it lies nowhere, or not alone */
	if (fallocate(payload, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)x->fe_physical,
		      (off_t)x->fe_length))
		return err_sys(e, "give blocks of the volume back");
	return 0;
}

static int give_back(int fd, int payload, struct err *e)
{
	auto_free struct fiemap *map =
		mem_zero(sizeof(*map) + EXTENTS * sizeof(map->fm_extents[0]));
	uint64_t at = 0;

	for (;;) {
		*map = (struct fiemap){.fm_start = at,
				       .fm_length = FIEMAP_MAX_OFFSET - at,
				       .fm_flags = FIEMAP_FLAG_SYNC,
				       .fm_extent_count = EXTENTS};
		if (ioctl(fd, FS_IOC_FIEMAP, map))
			return err_sys(e, "places of the free blocks");
		for (uint32_t i = 0; i < map->fm_mapped_extents; i++) {
			const struct fiemap_extent *x = &map->fm_extents[i];

			if (punch(payload, x, e))
				return -1;
			at = x->fe_logical + x->fe_length;
			if (x->fe_flags & FIEMAP_EXTENT_LAST)
				return 0;
		}
		if (map->fm_mapped_extents == 0)
			return 0;
	}
}

static int trim(const struct paths *p, struct err *e)
{
	auto_close int payload = open(p->data, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	auto_close int fd = open(p->mount, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (payload < 0)
		return err_sys(e, "open %s", p->data);
	if (fd < 0)
		return err_sys(e, "a file in %s", p->mount);
	return take_free(fd, e) ? -1 : give_back(fd, payload, e);
}

int volume_trim(const struct volume *v, struct err *e)
{
	auto_paths struct paths p = {0};

	if (paths_make(&p, v, e))
		return -1;
	if (v->activation != VOLUME_FUSE || !mounts_has(p.mount))
		return 0;
	return trim(&p, e) ? err_wrap(e, "trim volume %s", v->id) : 0;
}

uint64_t volume_excess(const struct volume *v)
{
	auto_paths struct paths p = {0};
	struct statvfs fs;
	struct stat st;
	uint64_t used, holds;

	if (paths_make(&p, v, NULL) || v->activation != VOLUME_FUSE || !mounts_has(p.mount) ||
	    statvfs(p.mount, &fs) || stat(p.data, &st))
		return 0;
	used = (uint64_t)(fs.f_blocks - fs.f_bfree) * fs.f_frsize;
	holds = (uint64_t)st.st_blocks * 512;
	return holds > used ? holds - used : 0;
}
