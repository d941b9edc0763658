/*
 * Our side of the gate (spec/gate.h). Its folder lies beside the box's other files, belongs to the
 * lease's user, and is seen in a root that the lease never sees.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "backend/console.h"
#include "backend/docker_impl.h"
#include "base/fs.h"
#include "base/mem.h"

#define ANSWER_MS 30000
#define STREAMS	  2

static char *gate_folder(const struct box *box)
{
	return mem_printf("%s/" DOCKER_GATE, box->dir);
}

bool docker_gate_is(const struct box *box)
{
	auto_free char *dir = gate_folder(box);

	return fs_exists(dir);
}

int docker_gate_make(const struct box *box, uint32_t uid, uint32_t gid, struct err *e)
{
	auto_free char *dir = gate_folder(box);

	if (docker_gate_remove(box, e) < 0 || fs_mkdirs(dir, 0700, e) < 0)
		return -1;
	return fchownat(AT_FDCWD, dir, uid, gid, AT_SYMLINK_NOFOLLOW) < 0
		       ? err_sys(e, "give %s away", dir)
		       : 0;
}

int docker_gate_remove(const struct box *box, struct err *e)
{
	auto_free char *dir = gate_folder(box);

	return fs_remove_tree(dir, e);
}

/* By a path of any length. */
int docker_gate_connect(int *out, const struct box *box, struct err *e)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	auto_free char *path = gate_folder(box);
	auto_close int dir = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_close int fd = -1;

	if (dir < 0)
		return errno == ENOENT ? DOCKER_NOBODY : err_sys(e, "open %s", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(e, "a socket");
	snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/" GATE_SOCKET, dir);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return errno == ENOENT || errno == ECONNREFUSED ? DOCKER_NOBODY
								: err_sys(e, "connect to %s", path);
	*out = steal_fd(&fd);
	return 0;
}

/* Who listens there, by the kernel's word; 0: nobody whom we can see. */
pid_t docker_gate_peer(int conn)
{
	struct ucred who = {0};
	socklen_t n = sizeof(who);

	return getsockopt(conn, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 ? who.pid : 0;
}

static int send_order(int conn, const struct gate_order *order, const int streams[STREAMS],
		      struct err *e)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(STREAMS * sizeof(int))];
	} control = {0};
	struct iovec io = {(void *)order, sizeof(*order)};
	struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};

	if (streams[0] >= 0 && streams[1] >= 0) {
		m.msg_control = &control;
		m.msg_controllen = sizeof(control);
		control.head = (struct cmsghdr){.cmsg_len = CMSG_LEN(STREAMS * sizeof(int)),
						.cmsg_level = SOL_SOCKET,
						.cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(&control.head), streams, STREAMS * sizeof(int));
	}
	return sendmsg(conn, &m, MSG_NOSIGNAL) == (ssize_t)sizeof(*order)
		       ? 0
		       : err_sys(e, "speak to who waits for the start");
}

/* Without a signal where nobody is there any more. */
static int send_all(int conn, const char *p, size_t n, struct err *e)
{
	ssize_t done;

	for (; n; p += done, n -= (size_t)done) {
		done = send(conn, p, n, MSG_NOSIGNAL);
		if (done < 0 && errno == EINTR)
			done = 0;
		if (done < 0)
			return err_sys(e, "speak to who waits for the start");
	}
	return 0;
}

/* NO_ANSWER: the connection ended. A descriptor that came along is the caller's. */
enum { NO_ANSWER = 1 };
static int receive(int conn, struct gate_answer *a, int *fd, struct err *e)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec io = {a, sizeof(*a)};
	struct msghdr m = {.msg_iov = &io,
			   .msg_iovlen = 1,
			   .msg_control = &control,
			   .msg_controllen = sizeof(control)};
	struct pollfd p = {.fd = conn, .events = POLLIN};
	const struct cmsghdr *head;
	ssize_t n;

	if (poll(&p, 1, ANSWER_MS) <= 0)
		return err_set(e, ERRK_PEER, "who waits for the start does not answer");
	n = recvmsg(conn, &m, MSG_CMSG_CLOEXEC | MSG_WAITALL);
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return NO_ANSWER;
	if (n != (ssize_t)sizeof(*a))
		return err_set(e, ERRK_PEER, "who waits for the start answered with %zd bytes", n);
	head = CMSG_FIRSTHDR(&m);
	if (head && head->cmsg_type == SCM_RIGHTS && head->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(fd, CMSG_DATA(head), sizeof(*fd));
	return 0;
}

/* What an answer says of `program`. */
static int judge(const struct gate_answer *a, const char *program, struct err *e)
{
	char name[200];

	str_printable(name, sizeof(name), str_of(program));
	switch (a->what) {
	case GATE_READY:
		return 0;
	case GATE_NO_FOLDER:
		return err_set(e, ERRK_PEER, "the working folder: %s", strerror(a->error));
	case GATE_NO_PROGRAM:
	case GATE_NOT_EXECUTED:
		return err_set(e, ERRK_PEER, "exec \"%s\": %s", name, strerror(a->error));
	case GATE_NO_TERMINAL:
		return err_set(e, ERRK_PEER, "a terminal: %s", strerror(a->error));
	case GATE_DAMAGED:
		break;
	}
	return err_set(e, ERRK_PEER, "who waits for the start did not understand");
}

/* Second of the texts. */
static const char *program_of(const struct docker_plan *p)
{
	return p->texts + strlen(p->texts) + 1;
}

int docker_gate_order(int conn, const struct docker_plan *p, struct backend_streams *io,
		      struct err *e)
{
	const int streams[STREAMS] = {io->tty ? -1 : io->out, io->tty ? -1 : io->err};
	const struct gate_order order = {.size = (uint32_t)p->size,
					 .nargs = p->head.nargs,
					 .nenv = p->head.nenv,
					 .tty = io->tty};
	struct gate_answer answer;
	auto_close int master = -1;
	int r;

	if (send_order(conn, &order, streams, e) < 0 || send_all(conn, p->texts, p->size, e) < 0)
		return -1;
	r = receive(conn, &answer, &master, e);
	if (r != 0)
		return r < 0 ? -1 : err_set(e, ERRK_PEER, "who waits for the start has died");
	if (judge(&answer, program_of(p), e) < 0)
		return -1;
	if (!io->tty)
		return 0;
	return master < 0 ? err_set(e, ERRK_PEER, "no terminal came")
			  : console_set_up(&io->terminal, &master, e);
}

int docker_gate_open(const struct box *box, struct err *e)
{
	struct gate_answer answer;
	auto_close int conn = -1, fd = -1;
	int r = docker_gate_connect(&conn, box, e);

	if (r != 0)
		return r;
	if (send_all(conn, "", 1, e) < 0)
		return -1;
	r = receive(conn, &answer, &fd, e);
	if (r < 0)
		return -1;
	return r == NO_ANSWER ? 0 : judge(&answer, "its command", e);
}
