/* State and run folder; see place.h. */
#include "agent/place.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"

/* Root's, so that the core cannot put another folder where the helper's is. */
static int own(const char *dir, uid_t uid, gid_t gid, mode_t mode, struct err *e)
{
	if (fs_mkdirs(dir, mode, e) < 0)
		return -1;
	if (lchown(dir, uid, gid) < 0 || chmod(dir, mode) < 0)
		return err_sys(e, "set owner and mode of %s", dir);
	return 0;
}

/* Roots and volumes are mounted below it: no copies in other mount namespaces. */
static int mount_private(const char *type, const char *dir, const char *options, struct err *e)
{
	if (mount(type, dir, type, MS_NOSUID | MS_NODEV | MS_NOEXEC, options) < 0)
		return err_sys(e, "mount %s at %s", type, dir);
	if (mount(NULL, dir, NULL, MS_PRIVATE, NULL) < 0)
		return err_sys(e, "make %s private", dir);
	return 0;
}

static int mount_run(struct place *p, const char *dir, struct err *e)
{
	if (fs_is_memory(dir))
		return 0;
	p->mounted = true;
	return mount_private("tmpfs", dir, "mode=0711,size=25%", e);
}

static char *volumes_dir(const struct config *c)
{
	return mem_printf("%s/volumes", c->run_dir);
}

/* Keys lie there: what is in a ramfs never goes to swap. What an earlier agent left mounted, or has
 * volumes in, stays as it is. */
static int mount_volumes(const struct config *c, struct err *e)
{
	auto_free char *dir = volumes_dir(c);

	if (rmdir(dir) < 0 && errno != ENOENT)
		return errno == ENOTEMPTY || errno == EBUSY ? 0 : err_sys(e, "look at %s", dir);
	return fs_mkdirs(dir, 0711, e) < 0 ? -1 : mount_private("ramfs", dir, "mode=0711", e);
}

/* The folder of the control socket, where it is below the run folder. */
static int make_control_dir(const struct config *c, const struct sandbox_user *core, struct err *e)
{
	auto_free char *dir = mem_strdup(c->control_socket);
	char *slash = strrchr(dir, '/');

	if (!slash || slash == dir)
		return 0;
	*slash = '\0';
	if (strcmp(dir, c->run_dir) == 0)
		return err_set(e, ERRK_INPUT, "control_socket: %s is root's; use a folder in it",
			       dir);
	if (fs_exists(dir))
		return 0; /* the operator's */
	return own(dir, core->uid, core->gid, 0755, e);
}

int place_open(struct place *p, const struct config *c, const struct sandbox_user *core,
	       struct err *e)
{
	auto_free char *lock = config_state_file(c, "leased.lock");
	auto_free char *core_state = config_state_file(c, "core");

	*p = (struct place){.lock = -1};
	if (own(c->state_dir, 0, 0, 0711, e) < 0 || fs_lock(&p->lock, lock, e) < 0)
		return -1;
	if (own(core_state, core->uid, core->gid, 0700, e) < 0)
		return -1;
	if (fs_mkdirs(c->run_dir, 0711, e) < 0 || mount_run(p, c->run_dir, e) < 0)
		return -1;
	if (own(c->run_dir, 0, 0, 0711, e) < 0 || mount_volumes(c, e) < 0)
		return -1;
	return make_control_dir(c, core, e);
}

void place_close(struct place *p, const struct config *c, enum place_keep keep)
{
	if (keep == PLACE_EMPTY && fs_is_memory(c->run_dir)) {
		static const char *const parts[] = {"leases", "volumes", "runtime", "core"};
		auto_free char *volumes = volumes_dir(c);
		struct err err;

		if (umount2(volumes, UMOUNT_NOFOLLOW) < 0 && errno != EINVAL)
			log_warn("unmount %s: %s", volumes, strerror(errno));

		for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
			auto_free char *dir = mem_printf("%s/%s", c->run_dir, parts[i]);

			if (fs_remove_tree(dir, &err) < 0)
				log_warn("%s", err.msg);
		}
		if (umount2(c->run_dir, UMOUNT_NOFOLLOW) < 0 && errno != EINVAL)
			log_warn("unmount %s: %s", c->run_dir, strerror(errno));
	}
	if (p->lock >= 0)
		close(p->lock);
	p->lock = -1;
}
