#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fs.h"

struct verdict {
	int rc;
	struct err e;
};

static _Noreturn void answer(int fd, child_fn *fn, void *ctx, size_t n)
{
	struct verdict v = {0};

	v.rc = fn(ctx, &v.e);
	_exit(fs_write_all(fd, &v, sizeof(v), NULL) || fs_write_all(fd, ctx, n, NULL));
}

int child_call(child_fn *fn, void *ctx, size_t n, struct err *e)
{
	auto_close int ours = -1, theirs = -1;
	struct verdict v = {0};
	int ends[2], rc;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return err_sys(e, "pipe");
	ours = ends[0];
	theirs = ends[1];
	pid = fork();
	if (pid < 0)
		return err_sys(e, "fork");
	if (pid == 0)
		answer(theirs, fn, ctx, n);
	close(steal_fd(&theirs));
	rc = fs_read_exactly(ours, &v, sizeof(v)) || fs_read_exactly(ours, ctx, n);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (rc)
		return err_set(e, ERRK_SYS, "a child ended without an answer");
	if (v.rc && e)
		*e = v.e;
	return v.rc;
}
