/*
 * Another container beside a lease's main one. The runtime makes it in a cgroup of its own, which
 * it leaves before it runs: in the main container's group the lease's limits hold for both, and
 * whoever ends that group ends both.
 */
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/cgroup.h"
#include "backend/oci_impl.h"
#include "base/mem.h"
#include "base/step.h"

static int create(const struct box *b, const int std[3], pid_t *pid, struct err *e)
{
	auto_free char *log = mem_printf("%s/runtime.log", b->dir);
	auto_free char *pid_file = mem_printf("%s/pid", b->dir);
	const char *const argv[] = {b->runtime,	    "--root", b->runtime_root, "--log",	   log,
				    "--log-format", "json",   "create",	       "--bundle", b->dir,
				    "--pid-file",   pid_file, b->id,	       NULL};
	mode_t mask = umask(022);
	int status = oci_verb(argv, std, e);

	umask(mask);
	if (status > 0)
		return oci_error(log, "create", status, e);
	return status < 0 ? -1 : oci_read_pid(pid_file, pid, e);
}

/* Whoever ends a lease looks into its group after its main process has ended: one that runs now
 * will be seen there. */
static int check_main(const struct box_joined *j, struct err *e)
{
	struct pollfd p = {.fd = j->pidfd, .events = POLLIN};

	return poll(&p, 1, 0) == 0 ? 0 : err_set(e, ERRK_STATE, "the lease's command has ended");
}

int oci_beside_start(const struct box *main, const struct box *b, const char *group,
		     const int std[3], pid_t *pid, struct err *e)
{
	if (create(b, std, pid, e) < 0 || cgroup_adopt(main->cgroup, group, *pid, e) < 0 ||
	    check_main(b->joined, e) < 0)
		return -1;
	if (backend_oci.start(b, e) < 0)
		return -1;
	step_at(STEP_BESIDE_RUNS);
	return 0;
}
