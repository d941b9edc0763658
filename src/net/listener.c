/* Unix sockets by path: a listener on the loop that cleans up after a dead one, and connect. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/stream.h"

struct listener {
	struct loop_io *io;
	listener_fn *fn;
	void *ctx;
	char *path;
	int fd;
};

static int address_of(struct sockaddr_un *sa, const char *path, struct err *e)
{
	size_t n = strlen(path);

	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (n == 0 || n >= sizeof(sa->sun_path))
		return err_set(e, ERRK_INPUT, "socket path is empty or longer than %zu bytes: %s",
			       sizeof(sa->sun_path) - 1, path);
	memcpy(sa->sun_path, path, n);
	return 0;
}

int unix_connect(int *fd, const char *path, struct err *e)
{
	struct sockaddr_un sa;
	auto_close int s = -1;

	if (address_of(&sa, path, e) < 0)
		return -1;
	s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s < 0)
		return err_sys(e, "socket");
	if (connect(s, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
		return err_sys(e, "connect to %s", path);
	*fd = steal_fd(&s);
	return 0;
}

static int remove_dead(const char *path, struct err *e)
{
	struct err why = {0};
	auto_close int fd = -1;
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "look at %s", path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, ERRK_STATE, "%s exists and is no socket", path);
	if (unix_connect(&fd, path, &why) == 0)
		return err_set(e, ERRK_STATE, "somebody listens on %s already", path);
	if (why.sys != ECONNREFUSED)
		return err_set(e, ERRK_STATE, "%s", why.msg);
	return unlink(path) == 0 ? 0 : err_sys(e, "remove %s", path);
}

static void accepted(void *ctx, int fd, uint32_t events)
{
	struct listener *l = ctx;
	int s = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

	if (s >= 0)
		l->fn(l->ctx, s);
	else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
		log_warn("accept on %s: %s", l->path, strerror(errno));
}

int listener_new(struct listener **out, struct loop *l, const char *path, mode_t mode,
		 listener_fn *fn, void *ctx, struct err *e)
{
	struct listener *s AUTO(listener_free) = mem_zero(sizeof(*s));
	struct sockaddr_un sa;

	*s = (struct listener){.fn = fn, .ctx = ctx, .fd = -1};
	if (address_of(&sa, path, e) < 0 || remove_dead(path, e) < 0)
		return -1;
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return err_sys(e, "socket");
	/* bind gives the path the socket's own mode less the umask: never more than asked. */
	if (fchmod(s->fd, mode) < 0 || bind(s->fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
		return err_sys(e, "bind %s", path);
	s->path = mem_strdup(path);
	if (chmod(path, mode) < 0 || listen(s->fd, 64) < 0)
		return err_sys(e, "listen on %s", path);
	if (loop_io_add(&s->io, l, s->fd, EPOLLIN, accepted, s, e) < 0)
		return -1;
	*out = steal(&s);
	return 0;
}

void listener_hold(struct listener *l, bool hold)
{
	loop_io_change(l->io, hold ? 0 : EPOLLIN);
}

void listener_free(struct listener *l)
{
	if (!l)
		return;
	loop_io_del(l->io);
	if (l->fd >= 0)
		close(l->fd);
	if (l->path)
		unlink(l->path);
	free(l->path);
	free(l);
}
