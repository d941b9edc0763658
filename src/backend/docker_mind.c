/*
 * Docker's containers are children of its daemon. In their place a child of ours stands, which ends
 * when the container's first process does, with the status that the daemon says. Where the daemon
 * is lost, the container is not.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "backend/docker_impl.h"

#define LOOK_MS	    1000
#define SOON_MS	    20
#define STATUS_LOST 137 /* as killed */

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* The daemon hears of an end a moment after we do. */
static _Noreturn void end_as_it(const struct box *box)
{
	struct docker_box d;

	for (long wait = SOON_MS;; wait = wait < LOOK_MS ? 2 * wait : LOOK_MS) {
		docker_look(&d, box, NULL);
		if (d.status == DOCKER_ENDED)
			_exit(d.exit);
		if (d.status == DOCKER_GONE || d.status == DOCKER_CREATED)
			_exit(STATUS_LOST);
		pause_ms(wait);
	}
}

static _Noreturn void mind(const struct box *box, int first, pid_t parent)
{
	struct pollfd p = {.events = POLLIN};

	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(STATUS_LOST);
	p.fd = dup3(first, STDERR_FILENO + 1, O_CLOEXEC);
	if (p.fd < 0 && first == STDERR_FILENO + 1)
		p.fd = first;
	close_range(STDERR_FILENO + 2, ~0U, 0);
	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
	end_as_it(box);
}

int docker_mind(const struct box *box, int first, pid_t *pid, struct err *e)
{
	pid_t parent = getpid();

	*pid = fork();
	if (*pid < 0)
		return err_sys(e, "fork");
	if (*pid == 0)
		mind(box, first, parent);
	return 0;
}
