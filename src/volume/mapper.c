/* Two requests to the device mapper: see mapper.h. */
#include "volume/mapper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/auto.h"

static int ask(const char *name, unsigned long request)
{
	auto_close int fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	struct dm_ioctl io = {.version = {DM_VERSION_MAJOR, 0, 0},
			      .data_size = sizeof(io),
			      .data_start = sizeof(io)};

	memcpy(io.name, name, strnlen(name, sizeof(io.name) - 1));
	return fd < 0 ? -1 : ioctl(fd, request, &io);
}

bool mapper_exists(const char *name)
{
	/* no such name, or no driver that could have it; on any doubt it is there */
	return ask(name, DM_DEV_STATUS) == 0 || (errno != ENXIO && errno != ENODEV);
}

int mapper_remove(const char *name, struct err *e)
{
	if (ask(name, DM_DEV_REMOVE) == 0 || errno == ENXIO || errno == ENODEV)
		return 0;
	if (errno == EBUSY)
		return err_set(e, ERRK_STATE, "remove mapper %s: it is in use", name);
	return err_sys(e, "remove mapper %s", name);
}
