/* Loop devices: see loop.h. The kernel's sysfs says which file is behind which device. */
#include "volume/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"

#define LOOP_MAJOR   7
#define PATH_BUFFER  8192
#define ATTEMPTS     64 /* others may take the free device that we were told of */
#define DETACH_TRIES 200

static void pause_ms(long ms)
{
	struct timespec t = {0, ms * 1000000};

	nanosleep(&t, NULL);
}

/* Does sysfs name `path` behind this block device? */
static bool is_behind(const char *block, const char *path)
{
	auto_free char *file = mem_printf("/sys/block/%s/loop/backing_file", block);
	auto_buf struct buf text = BUF(PATH_BUFFER);

	if (fs_read(&text, file, NULL))
		return false;
	return str_is(str_trim(buf_view(&text)), path);
}

int loop_find(char **device, const char *path, struct err *e)
{
	auto_closedir DIR *d = opendir("/sys/block");
	struct dirent *entry;

	*device = NULL;
	if (!d)
		return err_sys(e, "open /sys/block");
	while ((entry = readdir(d)))
		if (strncmp(entry->d_name, "loop", 4) == 0 && is_behind(entry->d_name, path)) {
			*device = mem_printf("/dev/%s", entry->d_name);
			return 0;
		}
	return LOOP_NONE;
}

/* Where /dev is not the kernel's own, a new device may have no node yet. */
static int open_device(const char *path, int number)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT &&
	    mknod(path, S_IFBLK | 0600, makedev(LOOP_MAJOR, (unsigned)number)) == 0)
		fd = open(path, O_RDWR | O_CLOEXEC);
	return fd;
}

static int configure(int device, int file, const char *path)
{
	struct loop_config c = {.fd = (unsigned)file, .info.lo_flags = LO_FLAGS_DIRECT_IO};

	snprintf((char *)c.info.lo_file_name, sizeof(c.info.lo_file_name), "%s", path);
	if (ioctl(device, LOOP_CONFIGURE, &c) == 0)
		return 0;
	if (errno != EINVAL)
		return -1;
	c.info.lo_flags = 0; /* this file system cannot do direct I/O */
	return ioctl(device, LOOP_CONFIGURE, &c);
}

/* One try with the device that is free now; LOOP_NONE if somebody took it. */
static int try_attach(char **device, int control, int file, const char *path, struct err *e)
{
	int number = ioctl(control, LOOP_CTL_GET_FREE);
	auto_free char *name = NULL;
	auto_close int fd = -1;

	if (number < 0)
		return err_sys(e, "no free loop device");
	name = mem_printf("/dev/loop%d", number);
	fd = open_device(name, number);
	if (fd < 0)
		return err_sys(e, "open %s", name);
	if (configure(fd, file, path))
		return errno == EBUSY ? LOOP_NONE : err_sys(e, "set up %s", name);
	*device = steal(&name);
	return 0;
}

int loop_attach(char **device, const char *path, struct err *e)
{
	auto_close int control = -1, file = -1;
	int r = loop_find(device, path, e);

	if (r != LOOP_NONE)
		return r;
	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		return err_sys(e, "open /dev/loop-control");
	file = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (file < 0)
		return err_sys(e, "open %s", path);
	for (int i = 0; i < ATTEMPTS; i++) {
		r = try_attach(device, control, file, path, e);
		if (r != LOOP_NONE)
			return r;
	}
	return err_set(e, ERRK_LIMIT, "no loop device could be had in %d attempts", ATTEMPTS);
}

static int clear(const char *device, struct err *e)
{
	auto_close int fd = open(device, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return errno == ENXIO || errno == ENOENT ? 0 : err_sys(e, "open %s", device);
	if (ioctl(fd, LOOP_CLR_FD) && errno != ENXIO && errno != EBUSY)
		return err_sys(e, "detach %s", device);
	return 0;
}

int loop_detach(const char *path, struct err *e)
{
	/* the kernel defers it while udev or blkid looks at the device */
	for (int i = 0; i < DETACH_TRIES; i++) {
		auto_free char *device = NULL;
		int r = loop_find(&device, path, e);

		if (r)
			return r == LOOP_NONE ? 0 : -1;
		if (clear(device, e))
			return -1;
		if (i)
			pause_ms(5);
	}
	return err_set(e, ERRK_STATE, "the loop device of %s is in use", path);
}

int loop_let_go(const char *device, struct err *e)
{
	auto_close int fd = open(device, O_RDWR | O_CLOEXEC);
	struct loop_info64 info;

	if (fd < 0 || ioctl(fd, LOOP_GET_STATUS64, &info))
		return err_sys(e, "ask %s", device);
	info.lo_flags |= LO_FLAGS_AUTOCLEAR;
	return ioctl(fd, LOOP_SET_STATUS64, &info) ? err_sys(e, "let go of %s", device) : 0;
}
