/* Growing ext4 by the kernel's own request: see extent.h. */
#include "volume/extent.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/mem.h"
#include "base/proc.h"

#define BLOCK	       4096
#define PROGRAM_MS     120000
#define SUPERBLOCK     1024
#define MAGIC_AT       0x38
#define BLOCKS_LOW_AT  0x04
#define BLOCKS_HIGH_AT 0x150
#define RESIZE_FS      _IOW('f', 16, uint64_t) /* EXT4_IOC_RESIZE_FS, in no header for programs */

static uint64_t little(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | p[n];
	return v;
}

/* The kernel changes the superblock in the memory that reading the device shows. */
static int read_blocks(int device, uint64_t *blocks, struct err *e)
{
	uint8_t sb[1024];

	if (pread(device, sb, sizeof(sb), SUPERBLOCK) != (ssize_t)sizeof(sb))
		return err_sys(e, "read the volume's superblock");
	if (little(sb + MAGIC_AT, 2) != 0xef53)
		return err_set(e, ERRK_STATE, "the volume has no ext4 file system");
	*blocks = little(sb + BLOCKS_LOW_AT, 4) | little(sb + BLOCKS_HIGH_AT, 4) << 32;
	return 0;
}

static int check_room(int device, uint64_t bytes, struct err *e)
{
	uint64_t room;

	if (ioctl(device, BLKGETSIZE64, &room))
		return err_sys(e, "size of the volume's disk");
	if (room >= bytes)
		return 0;
	(void)err_set(e, ERRK_STATE, "its disk has room for %llu bytes until it is opened again",
		      (unsigned long long)room);
	return EXTENT_NOT_NOW;
}

int extent_grow(const char *device, const char *mount, uint64_t bytes, struct err *e)
{
	auto_close int disk = open(device, O_RDONLY | O_CLOEXEC);
	auto_close int fd = -1;
	uint64_t have, want = bytes / BLOCK;
	int r;

	if (disk < 0)
		return err_sys(e, "open %s", device);
	if (read_blocks(disk, &have, e))
		return -1;
	if (have >= want)
		return 0;
	r = check_room(disk, bytes, e);
	if (r)
		return r;
	fd = open(mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open %s", mount);
	if (ioctl(fd, RESIZE_FS, &want) == 0)
		return syncfs(fd) ? err_sys(e, "sync the grown file system") : 0;
	if (errno != EPERM)
		return err_sys(e, "grow the file system to %llu bytes", (unsigned long long)bytes);
	(void)err_set(e, ERRK_STATE,
		      "this host grows only what is not mounted (it has no CAP_SYS_RESOURCE)");
	return EXTENT_NOT_NOW;
}

/* Status 1: it had something to repair. */
static int repair(const char *device, struct err *e)
{
	const char *const argv[] = {"e2fsck", "-f", "-y", device, NULL};
	const struct proc_spec spec = {.argv = argv, .in = -1, .out = -1, .err = -1, .dies = true};
	struct proc_result r = {0};
	int done = proc_run(&spec, NULL, 0, PROGRAM_MS, &r, e);

	if (done == 0 && r.status > 1)
		done = err_set(e, ERRK_SYS, "e2fsck of the volume: status %d", r.status);
	proc_result_free(&r);
	return done;
}

/* The program would also make it smaller. */
int extent_grow_unmounted(const char *device, uint64_t bytes, struct err *e)
{
	auto_free char *blocks = mem_printf("%llu", (unsigned long long)(bytes / BLOCK));
	const char *const argv[] = {"resize2fs", device, blocks, NULL};
	auto_close int disk = -1;
	uint64_t have;

	if (repair(device, e))
		return -1;
	disk = open(device, O_RDONLY | O_CLOEXEC);
	if (disk < 0)
		return err_sys(e, "open %s", device);
	if (read_blocks(disk, &have, e))
		return -1;
	return have >= bytes / BLOCK ? 0 : proc_check(argv, PROGRAM_MS, e);
}
