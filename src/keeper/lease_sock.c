/* Connections of a tenant, counted and timed: see lease_sock.h. Nothing that they do is logged. */
#include "keeper/lease_sock.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/stream.h"

#define READS_MAX 16 /* pieces of one request: each wakes us */

struct client {
	struct client *next;
	struct lease_sock *s;
	int fd;
	struct loop_io *io;
	struct loop_timer *late;
	unsigned reads;
	size_t n;
	char in[LEASE_HTTP_MAX];
};

struct lease_sock {
	struct loop *loop;
	struct listener *listener;
	struct client *clients;
	unsigned nclients;
	int64_t milli, at_ms; /* connections that may come now, in thousandths */
	struct loop_timer *pause;
	lease_sock_fn *fn;
	void *ctx;
};

static void resume(void *ctx);

/* Accept no more while there are too many, at once or in a row. */
static void look(struct lease_sock *s)
{
	int64_t now = clock_mono_ms();
	bool dry;

	s->milli += (now - s->at_ms) * LEASE_SOCK_RATE;
	s->at_ms = now;
	if (s->milli > LEASE_SOCK_BURST * 1000)
		s->milli = LEASE_SOCK_BURST * 1000;
	dry = s->milli < 1000;
	if (dry && !s->pause)
		s->pause =
			loop_timer_add(s->loop, (1000 - s->milli) / LEASE_SOCK_RATE + 1, resume, s);
	listener_hold(s->listener, dry || s->nclients >= LEASE_SOCK_CLIENTS);
}

static void resume(void *ctx)
{
	struct lease_sock *s = ctx;

	s->pause = NULL;
	look(s);
}

static void client_free(struct client *c)
{
	struct client **at = &c->s->clients;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->s->nclients--;
	loop_timer_del(c->late);
	loop_io_del(c->io);
	close(c->fd);
	free(c);
}

static void client_drop(struct client *c)
{
	struct lease_sock *s = c->s;

	client_free(c);
	look(s);
}

static void too_slow(void *ctx)
{
	struct client *c = ctx;

	c->late = NULL;
	client_drop(c);
}

/* True when it has its answer. It fits the socket's buffer, which is new and empty. */
static bool serve(struct client *c)
{
	auto_buf struct buf out = BUF(LEASE_HTTP_ANSWER);
	struct lease_view v = {.card = "", .topup = ""};

	c->s->fn(c->s->ctx, &v);
	if (lease_http(&out, (struct str){c->in, c->n}, &v) == LEASE_HTTP_MORE)
		return false;
	(void)!send(c->fd, out.p, out.n, MSG_DONTWAIT | MSG_NOSIGNAL);
	return true;
}

static void on_readable(void *ctx, int fd, uint32_t events)
{
	struct client *c = ctx;
	/* without room for them the kernel closes the descriptors that come along */
	ssize_t n = recv(fd, c->in + c->n, sizeof(c->in) - c->n, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_drop(c);
		return;
	}
	c->n += (size_t)n;
	if (serve(c) || ++c->reads == READS_MAX)
		client_drop(c);
}

static void on_connect(void *ctx, int fd)
{
	struct lease_sock *s = ctx;
	struct client *c = mem_zero(sizeof(*c));

	s->milli -= 1000;
	*c = (struct client){.s = s, .fd = fd, .next = s->clients};
	s->clients = c;
	s->nclients++;
	if (loop_io_add(&c->io, s->loop, fd, EPOLLIN, on_readable, c, NULL) < 0) {
		client_drop(c);
		return;
	}
	c->late = loop_timer_add(s->loop, LEASE_SOCK_MS, too_slow, c);
	look(s);
}

int lease_sock_new(struct lease_sock **out, struct loop *l, const char *path, lease_sock_fn *fn,
		   void *ctx, struct err *e)
{
	AUTO(lease_sock_free) struct lease_sock *s = mem_zero(sizeof(*s));

	*s = (struct lease_sock){.loop = l,
				 .milli = LEASE_SOCK_BURST * 1000,
				 .at_ms = clock_mono_ms(),
				 .fn = fn,
				 .ctx = ctx};
	/* anybody inside: who may reach it is decided by where it is mounted */
	if (listener_new(&s->listener, l, path, 0666, on_connect, s, e) < 0)
		return -1;
	*out = steal(&s);
	return 0;
}

void lease_sock_free(struct lease_sock *s)
{
	if (!s)
		return;
	while (s->clients)
		client_free(s->clients);
	loop_timer_del(s->pause);
	listener_free(s->listener);
	free(s);
}
