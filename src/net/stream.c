/*
 * Framed messages on a Unix socket. The length word's top three bits count the descriptors that
 * come with the frame, so each frame gets its own even when the kernel delivers them early.
 */
#include "net/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"

#define HEAD	   4
#define LENGTH_MAX (((size_t)1 << 29) - 1)
#define QUEUE_MAX  ((size_t)64 << 20)
#define FDS_AHEAD  64 /* received before their frame was whole */

struct frame {
	struct frame *next;
	int fds[STREAM_MAX_FDS + 1];
	size_t n, done;
	uint8_t bytes[];
};

struct stream {
	struct loop *loop;
	struct loop_io *io;
	int fd;
	size_t max;
	stream_fn *fn;
	void *ctx;
	struct buf in;
	int ahead[FDS_AHEAD];
	size_t nahead;
	struct frame *first, **last;
	size_t queued;
	bool busy; /* inside the callback */
	bool dead; /* freed there */
};

static void fds_close(const int *fds)
{
	for (; *fds >= 0; fds++)
		close(*fds);
}

static void head_write(uint8_t *p, size_t n, size_t nfds)
{
	uint32_t word = (uint32_t)n | (uint32_t)nfds << 29;

	for (int i = 0; i < HEAD; i++)
		p[i] = (uint8_t)(word >> 8 * i);
}

static void head_read(const uint8_t *p, size_t *n, size_t *nfds)
{
	uint32_t word =
		(uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;

	*n = word & LENGTH_MAX;
	*nfds = word >> 29;
}

/* --- the two system calls --- */

union control {
	char space[CMSG_SPACE(sizeof(int) * STREAM_MAX_FDS)];
	struct cmsghdr align;
};

static ssize_t send_some(int fd, const void *p, size_t n, const int *fds)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)p, .iov_len = n};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	union control c = {0};
	size_t k = 0;

	while (fds && fds[k] >= 0)
		k++;
	if (k) {
		m.msg_control = c.space;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * k);
		c.align = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int) * k),
					   .cmsg_level = SOL_SOCKET,
					   .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(&c.align), fds, sizeof(int) * k);
	}
	return sendmsg(fd, &m, MSG_NOSIGNAL);
}

/* Descriptors that come along are appended to fds[*nfds]; those beyond `room` are closed and make
 * the call fail. */
static ssize_t recv_some(int fd, void *p, size_t n, int *fds, size_t *nfds, size_t room)
{
	struct iovec iov = {.iov_base = p, .iov_len = n};
	union control c = {0};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = c.space,
			   .msg_controllen = sizeof(c.space)};
	ssize_t got = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
	bool excess = got >= 0 && m.msg_flags & MSG_CTRUNC;

	if (got < 0)
		return got;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
		size_t k = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		int got_fds[STREAM_MAX_FDS];

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		memcpy(got_fds, CMSG_DATA(h), k * sizeof(int));
		for (size_t i = 0; i < k; i++) {
			if (*nfds < room) {
				fds[(*nfds)++] = got_fds[i];
				continue;
			}
			close(got_fds[i]);
			excess = true;
		}
	}
	errno = EMSGSIZE;
	return excess ? -1 : got;
}

/* --- sending --- */

static void watch(struct stream *s)
{
	loop_io_change(s->io, EPOLLIN | (s->first ? (uint32_t)EPOLLOUT : 0));
}

static void frame_free(struct frame *f)
{
	fds_close(f->fds);
	wipe(f->bytes, f->n);
	free(f);
}

/* False when the socket is broken. What is left waits for EPOLLOUT. */
static bool flush(struct stream *s)
{
	while (s->first) {
		struct frame *f = s->first;
		ssize_t n = send_some(s->fd, f->bytes + f->done, f->n - f->done,
				      f->done ? NULL : f->fds);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		f->done += (size_t)n;
		s->queued -= (size_t)n;
		if (f->done < f->n)
			return true;
		s->first = f->next;
		if (!s->first)
			s->last = &s->first;
		frame_free(f);
	}
	return true;
}

static int frame_fds(struct frame *f, const int *fds, size_t *k, struct err *e)
{
	for (*k = 0; fds && fds[*k] >= 0; ++*k) {
		if (*k == STREAM_MAX_FDS)
			return err_set(e, ERRK_LIMIT, "too many descriptors in a message");
		f->fds[*k] = fcntl(fds[*k], F_DUPFD_CLOEXEC, 3);
		if (f->fds[*k] < 0)
			return err_sys(e, "duplicate descriptor %d", fds[*k]);
		f->fds[*k + 1] = -1;
	}
	return 0;
}

int stream_send(struct stream *s, const void *p, size_t n, const int *fds, struct err *e)
{
	struct frame *f;
	size_t k;

	if (!s->io)
		return err_set(e, ERRK_STATE, "the other end is gone");
	if (n > s->max || s->queued + n > QUEUE_MAX)
		return err_set(e, ERRK_LIMIT, "message of %zu bytes does not fit", n);
	f = mem_zero(sizeof(*f) + HEAD + n);
	f->fds[0] = -1;
	f->n = HEAD + n;
	if (frame_fds(f, fds, &k, e) < 0) {
		frame_free(f);
		return -1;
	}
	head_write(f->bytes, n, k);
	if (n)
		memcpy(f->bytes + HEAD, p, n);
	*s->last = f;
	s->last = &f->next;
	s->queued += f->n;
	if (!flush(s))
		return err_sys(e, "send");
	watch(s);
	return 0;
}

/* --- receiving --- */

static void stream_destroy(struct stream *s)
{
	loop_io_del(s->io);
	close(s->fd);
	while (s->first) {
		struct frame *f = s->first;

		s->first = f->next;
		frame_free(f);
	}
	for (size_t i = 0; i < s->nahead; i++)
		close(s->ahead[i]);
	buf_free(&s->in);
	free(s);
}

void stream_free(struct stream *s)
{
	if (!s)
		return;
	if (s->busy)
		s->dead = true;
	else
		stream_destroy(s);
}

/* False when the stream is gone afterwards. */
static bool tell(struct stream *s, const uint8_t *p, size_t n, const int *fds)
{
	s->busy = true;
	s->fn(s->ctx, p, n, fds);
	s->busy = false;
	if (!s->dead)
		return true;
	stream_destroy(s);
	return false;
}

static void gone(struct stream *s)
{
	loop_io_del(s->io);
	s->io = NULL;
	tell(s, NULL, 0, NULL);
}

enum unpack { UNPACK_MORE, UNPACK_BROKEN, UNPACK_GONE };

static enum unpack unpack(struct stream *s)
{
	size_t at = 0, n, k;

	while (s->in.n - at >= HEAD) {
		const uint8_t *p = (const uint8_t *)s->in.p + at;
		int fds[STREAM_MAX_FDS + 1];

		head_read(p, &n, &k);
		if (n > s->max || k > STREAM_MAX_FDS)
			return UNPACK_BROKEN;
		if (s->in.n - at < HEAD + n)
			break;
		if (s->nahead < k)
			return UNPACK_BROKEN;
		memcpy(fds, s->ahead, k * sizeof(int));
		fds[k] = -1;
		s->nahead -= k;
		memmove(s->ahead, s->ahead + k, s->nahead * sizeof(int));
		if (!tell(s, p + HEAD, n, fds))
			return UNPACK_GONE;
		at += HEAD + n;
	}
	memmove(s->in.p, s->in.p + at, s->in.n - at);
	buf_truncate(&s->in, s->in.n - at);
	return UNPACK_MORE;
}

static void receive(struct stream *s)
{
	char piece[16384];
	ssize_t n = recv_some(s->fd, piece, sizeof(piece), s->ahead, &s->nahead, FDS_AHEAD);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		gone(s);
		return;
	}
	buf_add(&s->in, piece, (size_t)n);
	wipe(piece, (size_t)n);
	switch (s->in.failed ? UNPACK_BROKEN : unpack(s)) {
	case UNPACK_BROKEN:
		log_warn("a message stream is broken or too big: closed");
		gone(s);
		break;
	case UNPACK_GONE:
	case UNPACK_MORE:
		break;
	}
}

static void ready(void *ctx, int fd, uint32_t events)
{
	struct stream *s = ctx;

	if (events & EPOLLOUT) {
		if (!flush(s)) {
			gone(s);
			return;
		}
		watch(s);
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		receive(s);
}

int stream_new(struct stream **out, struct loop *l, int fd, size_t max, stream_fn *fn, void *ctx,
	       struct err *e)
{
	struct stream *s;

	if (max > LENGTH_MAX - HEAD)
		max = LENGTH_MAX - HEAD;
	s = mem_zero(sizeof(*s));
	*s = (struct stream){.loop = l, .fd = fd, .max = max, .fn = fn, .ctx = ctx};
	s->last = &s->first;
	s->in = BUF(HEAD + max + 16384);
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ||
	    loop_io_add(&s->io, l, fd, EPOLLIN, ready, s, e) < 0) {
		close(fd);
		free(s);
		return err_sys(e, "watch a stream");
	}
	*out = s;
	return 0;
}

int stream_peer(const struct stream *s, pid_t *pid, uid_t *uid, gid_t *gid)
{
	struct ucred u;
	socklen_t n = sizeof(u);

	if (getsockopt(s->fd, SOL_SOCKET, SO_PEERCRED, &u, &n) < 0)
		return -1;
	*pid = u.pid;
	*uid = u.uid;
	*gid = u.gid;
	return 0;
}

/* --- blocking --- */

static int wait_for(int fd, short what, int64_t deadline, struct err *e)
{
	struct pollfd p = {.fd = fd, .events = what};

	for (;;) {
		int64_t left = deadline < 0 ? -1 : deadline - clock_mono_ms();
		int rc = deadline >= 0 && left <= 0 ? 0 : poll(&p, 1, (int)left);

		if (rc > 0)
			return 0;
		if (rc == 0)
			return err_set(e, ERRK_PEER, "no answer in time");
		if (errno != EINTR)
			return err_sys(e, "poll");
	}
}

int stream_write_blocking(int fd, const void *p, size_t n, const int *fds, struct err *e)
{
	auto_buf struct buf b = BUF(LENGTH_MAX);
	uint8_t head[HEAD];
	size_t k = 0, done = 0;

	while (fds && fds[k] >= 0)
		k++;
	if (n > LENGTH_MAX - HEAD || k > STREAM_MAX_FDS)
		return err_set(e, ERRK_LIMIT, "message of %zu bytes does not fit", n);
	head_write(head, n, k);
	buf_add(&b, head, HEAD);
	buf_add(&b, p, n);
	while (done < b.n) {
		ssize_t sent = send_some(fd, b.p + done, b.n - done, done ? NULL : fds);

		if (sent >= 0)
			done += (size_t)sent;
		else if (errno == EAGAIN && wait_for(fd, POLLOUT, -1, e) < 0)
			return -1;
		else if (errno != EAGAIN && errno != EINTR)
			return err_sys(e, "send");
	}
	return 0;
}

struct intake {
	int fd;
	int *fds;
	size_t nfds;
	int64_t deadline;
};

/* Exactly n bytes; 1 when the other end closed. */
static int read_exactly(struct intake *in, void *p, size_t n, struct err *e)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got;

		if (wait_for(in->fd, POLLIN, in->deadline, e) < 0)
			return -1;
		got = recv_some(in->fd, (char *)p + done, n - done, in->fds, &in->nfds,
				STREAM_MAX_FDS);
		if (got == 0)
			return 1;
		if (got < 0 && errno != EAGAIN && errno != EINTR)
			return err_sys(e, "receive");
		if (got > 0)
			done += (size_t)got;
	}
	return 0;
}

static int read_frame(struct intake *in, struct buf *out, struct err *e)
{
	uint8_t head[HEAD], piece[4096];
	size_t n, k;
	int rc = read_exactly(in, head, HEAD, e);

	if (rc != 0)
		return rc;
	head_read(head, &n, &k);
	while (n && !out->failed) {
		size_t part = n < sizeof(piece) ? n : sizeof(piece);

		rc = read_exactly(in, piece, part, e);
		if (rc != 0)
			return rc;
		buf_add(out, piece, part);
		n -= part;
	}
	wipe(piece, sizeof(piece));
	if (k != in->nfds)
		return err_set(e, ERRK_INPUT, "message with %zu descriptors instead of %zu",
			       in->nfds, k);
	return buf_check(out, "message", e);
}

int stream_read_blocking(int fd, struct buf *out, int fds[STREAM_MAX_FDS + 1], int64_t timeout_ms,
			 struct err *e)
{
	int got[STREAM_MAX_FDS + 1];
	struct intake in = {.fd = fd, .fds = got};
	int rc;

	in.deadline = timeout_ms < 0 ? -1 : clock_mono_ms() + timeout_ms;
	rc = read_frame(&in, out, e);
	got[in.nfds] = -1;
	if (rc == 0 && fds)
		memcpy(fds, got, sizeof(got));
	else
		fds_close(got);
	if (fds && rc != 0)
		fds[0] = -1;
	return rc;
}
