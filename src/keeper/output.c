/* From pipes or a terminal to the log: read, cut into lines, stamp, append in one write. */
#include "keeper/output.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include "backend/boxlog.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "priv/logline.h"
#include "volume/volume.h"

#define READ_MAX  16384
#define LINES_MAX (READ_MAX * 64) /* every byte its own line */
#define TURN_MAX  16		  /* reads of one pipe before others have their turn */
#define DRAIN_MAX 128		  /* reads: twice what a pipe of the greatest size (1 MiB) has */

struct pipe_end {
	struct output *owner;
	enum log_stream stream;
	int read_fd, write_fd;
	struct loop_io *io;
};

struct output {
	struct pipe_end ends[2];
	struct loop *loop;
	struct boxlog *log;
	output_end_fn *end;
	void *ctx;
	uint64_t lost; /* bytes that the log did not take (its disk is full) */
};

static void stamp_lines(struct buf *out, enum log_stream stream, struct str text)
{
	struct log_line l = {.time_ms = clock_wall_ms(), .stream = stream};

	while (text.n > 0) {
		const char *end = memchr(text.p, '\n', text.n);

		l.partial = !end;
		l.text = (struct str){text.p, end ? (size_t)(end - text.p) : text.n};
		log_line_write(out, &l, 0);
		text.p += l.text.n + (end != NULL);
		text.n -= l.text.n + (end != NULL);
	}
}

static void keep(struct output *o, enum log_stream stream, struct str text)
{
	auto_buf struct buf lines = BUF(LINES_MAX);
	struct err err;

	stamp_lines(&lines, stream, text);
	if (boxlog_append(o->log, buf_view(&lines), &err) == 0)
		return;
	if (o->lost == 0)
		log_warn("output is lost: %s", err.msg);
	o->lost += text.n;
}

static void end_pipe(struct pipe_end *p)
{
	struct output *o = p->owner;

	loop_io_del(p->io);
	p->io = NULL;
	close(steal_fd(&p->read_fd));
	if (o->ends[0].read_fd < 0 && o->ends[1].read_fd < 0)
		o->end(o->ctx);
}

/* One read. False when there is nothing more now; ends the pipe at its end. */
static bool read_some(struct pipe_end *p)
{
	char piece[READ_MAX];
	ssize_t n = p->read_fd < 0 ? -1 : read(p->read_fd, piece, sizeof(piece));

	if (n > 0) {
		keep(p->owner, p->stream, (struct str){piece, (size_t)n});
		return true;
	}
	if (p->read_fd >= 0 && (n == 0 || (errno != EAGAIN && errno != EINTR)))
		end_pipe(p);
	return false;
}

static void on_readable(void *ctx, int fd, uint32_t events)
{
	for (unsigned i = 0; i < TURN_MAX; i++)
		if (!read_some(ctx))
			return;
}

static int open_pipe(struct pipe_end *p, struct loop *l, uint32_t uid, struct err *e)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	p->read_fd = fds[0];
	p->write_fd = fds[1];
	if (fcntl(p->read_fd, F_SETFL, O_NONBLOCK) < 0 || fchown(p->write_fd, uid, (gid_t)-1) < 0)
		return err_sys(e, "pipe");
	return loop_io_add(&p->io, l, p->read_fd, EPOLLIN, on_readable, p, e);
}

int output_new(struct output **out, struct loop *l, const struct output_config *c, struct err *e)
{
	AUTO(output_free) struct output *o = mem_zero(sizeof(*o));

	o->loop = l;
	o->end = c->end;
	o->ctx = c->ctx;
	for (int i = 0; i < 2; i++)
		o->ends[i] = (struct pipe_end){.owner = o,
					       .stream = i ? LOG_STDERR : LOG_STDOUT,
					       .read_fd = -1,
					       .write_fd = -1};
	if (boxlog_open(&o->log, c->log_dir, c->log_max, e) < 0)
		return -1;
	boxlog_write_as(o->log, VOLUME_KEEPER);
	for (int i = 0; i < 2; i++)
		if (open_pipe(&o->ends[i], l, c->uid, e) < 0)
			return -1;
	*out = steal(&o);
	return 0;
}

struct backend_streams output_streams(const struct output *o, bool tty)
{
	return (struct backend_streams){
		.out = o->ends[0].write_fd, .err = o->ends[1].write_fd, .tty = tty, .terminal = -1};
}

/* The terminal takes the place of the pipes. Our own hold on its other side, until the first
 * process has ended, keeps it open while nobody inside has it open: a hangup is not its end. */
static int take_terminal(struct output *o, int master, struct err *e)
{
	struct pipe_end *p = &o->ends[0];

	for (int i = 0; i < 2; i++) {
		loop_io_del(o->ends[i].io);
		o->ends[i].io = NULL;
		close(steal_fd(&o->ends[i].read_fd));
	}
	p->read_fd = master;
	p->write_fd = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	return loop_io_add(&p->io, o->loop, master, EPOLLIN, on_readable, p, e);
}

int output_created(struct output *o, const struct backend_streams *io, struct err *e)
{
	output_close_ends(o);
	return io->tty ? take_terminal(o, io->terminal, e) : 0;
}

void output_close_ends(struct output *o)
{
	for (int i = 0; i < 2; i++)
		if (o->ends[i].write_fd >= 0)
			close(steal_fd(&o->ends[i].write_fd));
}

/* A descriptor may have gone to another lease, by a volume of both, that writes for ever. */
void output_drain(struct output *o)
{
	for (int i = 0; i < 2; i++)
		for (unsigned n = 0; n < DRAIN_MAX && read_some(&o->ends[i]); n++)
			;
}

void output_free(struct output *o)
{
	if (!o)
		return;
	if (o->lost)
		log_warn("%llu bytes of output were lost", (unsigned long long)o->lost);
	output_close_ends(o);
	for (int i = 0; i < 2; i++) {
		loop_io_del(o->ends[i].io);
		if (o->ends[i].read_fd >= 0)
			close(o->ends[i].read_fd);
	}
	boxlog_free(o->log);
	free(o);
}
