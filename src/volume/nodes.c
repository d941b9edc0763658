/* Nodes of devices: see nodes.h. */
#include "volume/nodes.h"

#include <errno.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/mem.h"
#include "volume/mounts.h"

static char *folder(const char *run)
{
	return mem_printf("%s/nodes", run);
}

char *nodes_path(const char *run, size_t i)
{
	return mem_printf("%s/nodes/%zu", run, i);
}

static int make_node(const char *path, const struct node *v, struct err *e)
{
	mode_t kind = v->type == 'b' ? S_IFBLK : S_IFCHR;

	if (mknod(path, kind | 0600, makedev(v->major, v->minor)) || chmod(path, 0666) ||
	    lchown(path, v->owner, v->owner))
		return err_sys(e, "make a node for device %u:%u", v->major, v->minor);
	return 0;
}

int nodes_make(const char *run, const struct node *v, size_t n, struct err *e)
{
	auto_free char *dir = folder(run);

	if (nodes_remove(run, e))
		return -1;
	if (n == 0)
		return 0;
	if (mkdir(dir, 0711))
		return err_sys(e, "mkdir %s", dir);
	if (mount("tmpfs", dir, "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=0711,size=64k"))
		return err_sys(e, "mount memory at %s", dir);
	for (size_t i = 0; i < n; i++) {
		auto_free char *path = nodes_path(run, i);

		if (make_node(path, &v[i], e))
			return -1;
	}
	return 0;
}

int nodes_remove(const char *run, struct err *e)
{
	auto_free char *dir = folder(run);

	if (mounts_remove(dir, e))
		return -1;
	return rmdir(dir) && errno != ENOENT ? err_sys(e, "remove %s", dir) : 0;
}
