/*
 * Docker's containers are children of its daemon. In their place a child of ours stands: it waits
 * at a gate, as a runtime's first process does, starts the container, passes on what it says and
 * ends with its status. Where the daemon or the client is lost, the container is not.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "backend/docker_impl.h"
#include "base/fs.h"
#include "base/mem.h"

#define LOOK_MS	  1000
#define NEVER_RAN 137							    /* as killed */
#define NO_DETACH "ctrl-],ctrl-_,ctrl-^,ctrl-],ctrl-_,ctrl-^,ctrl-],ctrl-_" /* nobody's keys */

static char *gate_path(const struct box *box)
{
	return mem_printf("%s/" DOCKER_GATE, box->dir);
}

bool docker_has_gate(const struct box *box)
{
	auto_free char *path = gate_path(box);

	return fs_exists(path);
}

int docker_open_gate(const struct box *box, struct err *e)
{
	auto_free char *path = gate_path(box);
	auto_close int fd = open(path, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT || errno == ENXIO ? DOCKER_NOBODY
							 : err_sys(e, "open %s", path);
	return write(fd, "", 1) == 1 ? 0 : err_sys(e, "write to %s", path);
}

int docker_close_gate(const struct box *box, struct err *e)
{
	auto_free char *path = gate_path(box);
	auto_close int fd = open(path, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);

	return unlink(path) == 0 || errno == ENOENT ? 0 : err_sys(e, "remove %s", path);
}

/* Made and open before anybody waits, so that whoever opens it finds somebody. */
static int make_gate(const struct box *box, struct err *e)
{
	auto_free char *path = gate_path(box);
	int fd;

	if (docker_close_gate(box, e) < 0)
		return -1;
	if (mkfifo(path, 0600) < 0)
		return err_sys(e, "make %s", path);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? err_sys(e, "open %s", path) : fd;
}

static bool wait_at_gate(int gate)
{
	struct pollfd p = {.fd = gate, .events = POLLIN};
	char byte;

	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
	return read(gate, &byte, 1) == 1;
}

/* Until it has ended. It has a session of its own, so the terminal tells us of a new size. */
static void wait_for_client(pid_t client, const sigset_t *waited)
{
	pid_t r;

	while ((r = waitpid(client, NULL, WNOHANG)) == 0 || (r < 0 && errno == EINTR))
		if (sigwaitinfo(waited, NULL) == SIGWINCH)
			kill(client, SIGWINCH);
}

static void attach(const struct box *box, const int std[3], bool tty)
{
	auto_free char *name = mem_printf("leased-%s", box->id);
	const char *const plain[] = {"start", "--attach", name};
	const char *const terminal[] = {"start",	 "--attach", "--interactive",
					"--detach-keys", NO_DETACH,  name};
	auto_free const char **argv = tty ? docker_argv(box, terminal, ARRAY_SIZE(terminal))
					  : docker_argv(box, plain, ARRAY_SIZE(plain));
	struct proc_spec spec = {.argv = argv, .in = std[0], .out = std[1], .err = std[2]};
	sigset_t waited;
	pid_t pid;

	sigemptyset(&waited);
	sigaddset(&waited, SIGCHLD);
	sigaddset(&waited, SIGWINCH);
	sigprocmask(SIG_SETMASK, &waited, NULL);
	if (proc_start(&pid, &spec, NULL) == 0)
		wait_for_client(pid, &waited);
	sigprocmask(SIG_UNBLOCK, &waited, NULL);
}

static _Noreturn void mind(const struct box *box, const int std[3], bool tty, int gate)
{
	struct docker_box d;

	setsid();
	signal(SIGHUP, SIG_IGN);
	if (tty)
		ioctl(std[0], TIOCSCTTY, 0);
	if (!wait_at_gate(gate))
		_exit(NEVER_RAN);
	attach(box, std, tty);
	while (true) {
		docker_look(&d, box, NULL);
		if (d.status == DOCKER_ENDED)
			_exit(d.exit);
		if (d.status == DOCKER_GONE || d.status == DOCKER_CREATED)
			_exit(d.exit ? d.exit : NEVER_RAN);
		nanosleep(&(struct timespec){LOOK_MS / 1000, 0}, NULL);
	}
}

/* All but what it needs, at the numbers that they have. */
static void keep_only(const int *v, size_t n)
{
	int from = 0;

	for (bool more = true; more;) {
		int next = -1;

		for (size_t i = 0; i < n; i++)
			if (v[i] >= from && (next < 0 || v[i] < next))
				next = v[i];
		more = next >= 0;
		if (!more || next > from)
			close_range((unsigned)from, more ? (unsigned)next - 1 : ~0U, 0);
		from = next + 1;
	}
}

int docker_mind(const struct box *box, const struct backend_streams *io, int slave, pid_t *pid,
		struct err *e)
{
	const int std[3] = {slave, io->tty ? slave : io->out, io->tty ? slave : io->err};
	auto_close int gate = make_gate(box, e);
	const int keep[] = {std[0], std[1], std[2], gate};

	if (gate < 0)
		return -1;
	*pid = fork();
	if (*pid < 0)
		return err_sys(e, "fork");
	if (*pid == 0) {
		keep_only(keep, ARRAY_SIZE(keep));
		mind(box, std, io->tty, gate);
	}
	return 0;
}
