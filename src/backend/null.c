/* The null device: see null.h. */
#include "backend/null.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/auto.h"

int null_open(struct err *e)
{
	auto_close int fs = fsopen("tmpfs", FSOPEN_CLOEXEC), top = -1;
	int fd = -1;

	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_sys(e, "memory for a null device");
	top = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	if (top < 0 || mknodat(top, "null", S_IFCHR | 0600, makedev(1, 3)) < 0 ||
	    fchmodat(top, "null", 0666, 0) < 0)
		return err_sys(e, "make a null device");
	fd = openat(top, "null", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? err_sys(e, "open a null device") : fd;
}
