/* Fork, run, read one frame. */
#include "helper/worker.h"

#include <errno.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "net/stream.h"
#include "priv/msg.h"

struct worker {
	struct worker *next;
	struct workers *all;
	worker_run_fn *run;
	worker_done_fn *done;
	worker_drop_fn *drop;
	void *ctx;
	void *locked;	       /* or NULL */
	struct stream *stream; /* NULL: waits for its turn */
	pid_t pid;
	struct loop_timer *failed;
};

struct workers {
	struct loop *loop;
	struct worker *list; /* oldest first */
	unsigned running, max;
};

/* The child keeps standard descriptors and its end of the pair, as descriptor 3. */
static void child(struct worker *w, int fd)
{
	auto_buf struct buf out = BUF(PRIV_FRAME_MAX);
	struct err err;
	sigset_t none;

	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	if (dup2(fd, 3) < 0 || syscall(SYS_close_range, 4u, ~0u, 0) < 0)
		_exit(1);
	w->run(w->ctx, &out);
	if (buf_check(&out, "a worker's result", &err) < 0 ||
	    stream_write_blocking(3, out.p, out.n, NULL, &err) < 0) {
		log_broken("worker: %s", err.msg);
		_exit(1);
	}
	_exit(0);
}

static void run_waiting(struct workers *all);

static void finish(struct worker *w, struct str result)
{
	struct workers *all = w->all;

	for (struct worker **at = &all->list; *at; at = &(*at)->next) {
		if (*at == w) {
			*at = w->next;
			break;
		}
	}
	all->running -= w->stream != NULL;
	w->done(w->ctx, result);
	stream_free(w->stream); /* after done: the result lies in it */
	free(w);
	run_waiting(all);
}

static void on_result(void *ctx, const uint8_t *p, size_t n, const int *fds)
{
	for (size_t i = 0; fds && fds[i] >= 0; i++)
		close(fds[i]);
	finish(ctx, (struct str){(const char *)p, p ? n : 0});
}

static void on_exit_of(void *ctx, pid_t pid, int status)
{
	if (status != 0)
		log_broken("worker %d ended with %d", (int)pid, status);
}

static int launch(struct worker *w, struct err *e)
{
	auto_close int ours = -1, theirs = -1;
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "socketpair");
	ours = pair[0];
	theirs = pair[1];
	if (w->locked)
		locked_inherit(w->locked, true);
	pid = fork();
	if (w->locked)
		locked_inherit(w->locked, false);
	if (pid < 0)
		return err_sys(e, "fork");
	if (pid == 0)
		child(w, theirs);
	w->pid = pid;
	if (loop_child_add(w->all->loop, pid, on_exit_of, NULL, e) < 0)
		log_warn("worker: %s", e->msg);
	return stream_new(&w->stream, w->all->loop, steal_fd(&ours), PRIV_FRAME_MAX, on_result, w,
			  e);
}

static void on_failed(void *ctx)
{
	struct worker *w = ctx;

	w->failed = NULL;
	finish(w, (struct str){NULL, 0});
}

static void run_waiting(struct workers *all)
{
	for (struct worker *w = all->list; w && all->running < all->max; w = w->next) {
		struct err err;

		if (w->stream || w->failed)
			continue;
		if (launch(w, &err) == 0) {
			all->running++;
			continue;
		}
		log_broken("worker: %s", err.msg);
		w->failed = loop_timer_add(all->loop, 0, on_failed, w);
	}
}

void worker_start_knowing(struct workers *all, worker_run_fn *run, worker_done_fn *done,
			  worker_drop_fn *drop, void *ctx, void *locked)
{
	struct worker *w = mem_zero(sizeof(*w));
	struct worker **at = &all->list;

	*w = (struct worker){
		.all = all, .run = run, .done = done, .drop = drop, .ctx = ctx, .locked = locked};
	while (*at)
		at = &(*at)->next;
	*at = w;
	run_waiting(all);
}

void worker_start(struct workers *all, worker_run_fn *run, worker_done_fn *done,
		  worker_drop_fn *drop, void *ctx)
{
	worker_start_knowing(all, run, done, drop, ctx, NULL);
}

struct workers *workers_new(struct loop *l, unsigned max)
{
	struct workers *all = mem_zero(sizeof(*all));

	all->loop = l;
	all->max = max;
	return all;
}

void workers_free(struct workers *all)
{
	if (!all)
		return;
	while (all->list) {
		struct worker *w = all->list;

		all->list = w->next;
		stream_free(w->stream);
		loop_timer_del(w->failed);
		w->drop(w->ctx);
		free(w);
	}
	free(all);
}

void workers_kill(struct workers *all)
{
	for (const struct worker *w = all->list; w; w = w->next)
		if (w->stream && w->pid > 0)
			kill(w->pid, SIGKILL);
}

size_t workers_busy(const struct workers *all)
{
	size_t n = 0;

	for (const struct worker *w = all->list; w; w = w->next)
		n++;
	return n;
}
