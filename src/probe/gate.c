/* Waits, then becomes the lease's command; see spec/gate.h. Whoever connects is the host's root:
 * the folder is reached by nobody else, and is gone before the command is executed. */
#include "probe/gate.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "spec/gate.h"

#define STREAMS 2

/* Room for the streams' descriptors, or for a terminal's. */
union control {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(STREAMS * sizeof(int))];
};

struct command {
	struct gate_order order;
	int streams[STREAMS];
	const char *folder;
	char **argv, **env;
	char path[PATH_MAX];
};

static int listen_here(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX, .sun_path = GATE_FOLDER "/" GATE_SOCKET};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 4))
		return -1;
	return fd;
}

static int take(int listener)
{
	int conn;

	while ((conn = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0 && errno == EINTR)
		;
	return conn;
}

/* An answer, with a descriptor where there is one. */
static void answer(int conn, enum gate_what what, int fd)
{
	struct gate_answer a = {what, errno};
	struct iovec io = {&a, sizeof(a)};
	union control c = {0};
	struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};

	if (fd >= 0) {
		m.msg_control = &c;
		m.msg_controllen = CMSG_SPACE(sizeof(int));
		c.head = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)),
					  .cmsg_level = SOL_SOCKET,
					  .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(&c.head), &fd, sizeof(fd));
	}
	while (sendmsg(conn, &m, MSG_NOSIGNAL) < 0 && errno == EINTR)
		;
}

static bool receive_head(struct command *c, int conn)
{
	union control control = {0};
	struct iovec io = {&c->order, sizeof(c->order)};
	struct msghdr m = {.msg_iov = &io,
			   .msg_iovlen = 1,
			   .msg_control = &control,
			   .msg_controllen = sizeof(control)};
	const struct cmsghdr *head;
	size_t n;

	c->streams[0] = c->streams[1] = -1;
	if (recvmsg(conn, &m, MSG_CMSG_CLOEXEC | MSG_WAITALL) != (ssize_t)sizeof(c->order))
		return false;
	head = CMSG_FIRSTHDR(&m);
	if (!head || head->cmsg_type != SCM_RIGHTS)
		return true;
	n = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(c->streams, CMSG_DATA(head), (n < STREAMS ? n : STREAMS) * sizeof(int));
	return true;
}

static char *receive_texts(int conn, size_t size)
{
	char *texts = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t n = 0;
	ssize_t got;

	while (texts != MAP_FAILED && n < size) {
		got = read(conn, texts + n, size - n);
		if (got == 0 || (got < 0 && errno != EINTR))
			return NULL;
		n += got > 0 ? (size_t)got : 0;
	}
	return texts == MAP_FAILED || texts[size - 1] ? NULL : texts;
}

/* Pointers to the next `n` texts; NULL: there are not so many. */
static char **list(char **at, const char *end, size_t n)
{
	char **v = mmap(NULL, (n + 1) * sizeof(*v), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (size_t i = 0; v != MAP_FAILED && i < n; i++, *at += strlen(*at) + 1) {
		if (*at >= end)
			return NULL;
		v[i] = *at;
	}
	return v == MAP_FAILED ? NULL : v;
}

static bool receive(struct command *c, int conn)
{
	const struct gate_order *o = &c->order;
	char *at;
	const char *end;

	if (!receive_head(c, conn) || o->size == 0 || o->size > GATE_SIZE_MAX || o->nargs == 0 ||
	    o->nargs > o->size || o->nenv > o->size)
		return false;
	at = receive_texts(conn, o->size);
	if (!at)
		return false;
	end = at + o->size;
	c->folder = at;
	at += strlen(at) + 1;
	c->argv = list(&at, end, o->nargs);
	c->env = c->argv ? list(&at, end, o->nenv) : NULL;
	return c->env != NULL;
}

static const char *path_of(const struct command *c)
{
	for (char **v = c->env; *v; v++)
		if (strncmp(*v, "PATH=", strlen("PATH=")) == 0)
			return *v + strlen("PATH=");
	return "";
}

static bool can_run(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return false;
	if (!S_ISREG(st.st_mode)) {
		errno = EACCES;
		return false;
	}
	return access(path, X_OK) == 0;
}

/* As runtimes do: a name without a slash is looked for in the command's own PATH. */
static bool find_program(struct command *c)
{
	const char *name = c->argv[0], *dir = path_of(c);
	int why = ENOENT;

	if (strchr(name, '/')) {
		snprintf(c->path, sizeof(c->path), "%s", name);
		return can_run(name);
	}
	while (*dir) {
		size_t n = strcspn(dir, ":");
		int len =
			snprintf(c->path, sizeof(c->path), "%.*s/%s", (int)n, n ? dir : ".", name);

		if (len < (int)sizeof(c->path) && can_run(c->path))
			return true;
		if (errno == EACCES)
			why = EACCES;
		dir += n + (dir[n] == ':');
	}
	errno = why;
	return false;
}

/* Both ends, of the container's own kind. */
static bool make_terminal(int *master, int *slave)
{
	int locked = 0;

	*master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*master < 0 || ioctl(*master, TIOCSPTLCK, &locked))
		return false;
	*slave = ioctl(*master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	return *slave >= 0;
}

static bool take_terminal(int slave)
{
	setsid(); /* fails where it has one of its own already */
	for (int i = 0; i < 3; i++)
		if (dup2(slave, i) < 0)
			return false;
	return ioctl(slave, TIOCSCTTY, 0) == 0;
}

static bool take_streams(const int v[STREAMS])
{
	for (int i = 0; i < STREAMS; i++)
		if (v[i] >= 0 && dup2(v[i], STDOUT_FILENO + i) < 0)
			return false;
	return true;
}

static enum gate_what prepare(struct command *c, int conn, int *master)
{
	int slave = -1;

	errno = EINVAL;
	if (!receive(c, conn))
		return GATE_DAMAGED;
	if (chdir(c->folder))
		return GATE_NO_FOLDER;
	if (!find_program(c))
		return GATE_NO_PROGRAM;
	if (c->order.tty ? !make_terminal(master, &slave) || !take_terminal(slave)
			 : !take_streams(c->streams))
		return GATE_NO_TERMINAL;
	errno = 0;
	return GATE_READY;
}

/* Everything that may fail before the network is there. */
static bool set_up(struct command *c, int conn)
{
	int master = -1;
	enum gate_what what = prepare(c, conn, &master);

	answer(conn, what, what == GATE_READY ? master : -1);
	if (master >= 0)
		close(master);
	return what == GATE_READY;
}

int gate_main(void)
{
	struct command c = {0};
	int listener = listen_here(), conn = listener < 0 ? -1 : take(listener);
	char byte;

	if (conn < 0 || !set_up(&c, conn))
		return 127;
	close(conn);
	conn = take(listener);
	if (conn < 0 || read(conn, &byte, 1) != 1)
		return 127;
	execve(c.path, c.argv, c.env);
	answer(conn, GATE_NOT_EXECUTED, -1);
	return errno == ENOENT ? 127 : 126;
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In its own place, which is long enough. */
static char *decode(char *hex)
{
	char *out = hex, *at = hex;

	for (; digit(at[0]) >= 0 && digit(at[1]) >= 0; at += 2)
		*out++ = (char)(digit(at[0]) << 4 | digit(at[1]));
	*out = '\0';
	return hex;
}

int gate_command(char **argv, char **env)
{
	struct command c = {.argv = argv, .env = env};
	size_t n = 0;

	for (char **v = env; *v; v++) {
		char *value = strchr(*v, '=');

		if (value && strncmp(*v, GATE_VARIABLE, strlen(GATE_VARIABLE)) == 0)
			env[n++] = decode(value + 1);
		else if (strncmp(*v, GATE_MARK "=", strlen(GATE_MARK "=")) == 0)
			env[n++] = *v;
	}
	env[n] = NULL;
	if (argv[0] && find_program(&c))
		execve(c.path, argv, env);
	fprintf(stderr, "%s: %s\n", argv[0] ? argv[0] : "", strerror(errno));
	return errno == ENOENT ? 127 : 126;
}
