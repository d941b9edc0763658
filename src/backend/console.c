/* Listen, accept, receive one descriptor; see console.h. */
#include "backend/console.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/auto.h"

#define NAME	"console.sock"
#define WAIT_MS 5000
#define COLUMNS 80
#define ROWS	24

int console_open(struct console *c, const char *dir, struct err *e)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	*c = (struct console){.dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), .listener = -1};
	if (c->dir < 0)
		return err_sys(e, "open %s", dir);
	/* Ours, so that another process finds it, too. */
	snprintf(c->path, sizeof(c->path), "/proc/%d/fd/%d/" NAME, (int)getpid(), c->dir);
	memcpy(sa.sun_path, c->path, sizeof(c->path));
	unlink(c->path);
	c->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->listener < 0 || bind(c->listener, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    chmod(c->path, 0600) < 0 || listen(c->listener, 1) < 0)
		return err_sys(e, "listen for a terminal");
	return 0;
}

/* -1 where the message carries none. */
static int descriptor_of(struct msghdr *m)
{
	struct cmsghdr *h = CMSG_FIRSTHDR(m);
	int fd = -1;

	if (h && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS &&
	    h->cmsg_len == CMSG_LEN(sizeof(fd)))
		memcpy(&fd, CMSG_DATA(h), sizeof(fd));
	return fd;
}

static int receive(int conn, int *fd, struct err *e)
{
	char name[4096]; /* the path of its other end, which says nothing to us */
	struct iovec io = {name, sizeof(name)};
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr m = {.msg_iov = &io,
			   .msg_iovlen = 1,
			   .msg_control = &control,
			   .msg_controllen = sizeof(control)};
	struct pollfd p = {.fd = conn, .events = POLLIN};

	if (poll(&p, 1, WAIT_MS) <= 0 || recvmsg(conn, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) < 0)
		return err_sys(e, "receive a terminal");
	*fd = descriptor_of(&m);
	return *fd < 0 ? err_set(e, ERRK_PEER, "the runtime sent no terminal") : 0;
}

int console_set_up(int *master, int *fd, struct err *e)
{
	const struct winsize size = {.ws_row = ROWS, .ws_col = COLUMNS};
	int flags = fcntl(*fd, F_GETFL);
	unsigned number;

	if (ioctl(*fd, TIOCGPTN, &number) < 0 || ioctl(*fd, TIOCSWINSZ, &size) < 0 ||
	    fcntl(*fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_sys(e, "what came is no terminal");
	*master = steal_fd(fd);
	return 0;
}

int console_take(const struct console *c, int *master, struct err *e)
{
	auto_close int conn = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC);
	auto_close int fd = -1;

	if (conn < 0)
		return err_set(e, ERRK_PEER, "the runtime made no terminal");
	if (receive(conn, &fd, e) < 0)
		return -1;
	return console_set_up(master, &fd, e);
}

void console_close(struct console *c)
{
	if (c->listener >= 0)
		close(c->listener);
	if (c->dir < 0)
		return;
	unlink(c->path);
	close(c->dir);
}
