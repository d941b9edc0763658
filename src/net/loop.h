/*
 * The event loop: epoll, timers, signals and children on one thread. A callback may remove itself
 * or others during a turn. Nothing here blocks but loop_run. libwebsockets hosts the loop's
 * descriptor where a program uses web sockets (see ws.h); others call loop_run.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/auto.h"
#include "base/err.h"

struct loop;

int loop_new(struct loop **out, struct err *e) MUST_CHECK;
void loop_free(struct loop *l);
DEFINE_AUTO(struct loop, loop_free)
int loop_fd(const struct loop *l);	    /* readable when a turn has work to do */
int loop_turn(struct loop *l, int wait_ms); /* at most 64 callbacks, then return */
/* Turn until loop_stop. With a web-socket context on the loop (ws_context_new) that one drives. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);
bool loop_stopped(const struct loop *l);
/* Whoever hosts the loop's descriptor runs it: loop_run calls fn until loop_stopped. NULL: epoll.
 */
typedef void loop_host_fn(void *ctx);
void loop_host(struct loop *l, loop_host_fn *fn, void *ctx);

struct loop_io;						     /* one descriptor */
typedef void loop_io_fn(void *ctx, int fd, uint32_t events); /* EPOLLIN, EPOLLOUT, … */
int loop_io_add(struct loop_io **out, struct loop *l, int fd, uint32_t events, loop_io_fn *fn,
		void *ctx, struct err *e) MUST_CHECK;
void loop_io_change(struct loop_io *io, uint32_t events);
void loop_io_del(struct loop_io *io); /* before close(fd); NULL is fine */

struct loop_timer;
typedef void loop_timer_fn(void *ctx);
/* One shot after delay_ms (monotonic through base/clock); freed when it fires or by loop_timer_del.
 * The callback must forget its handle first. */
struct loop_timer *loop_timer_add(struct loop *l, int64_t delay_ms, loop_timer_fn *fn, void *ctx);
void loop_timer_del(struct loop_timer *t); /* NULL is fine */
int64_t
loop_next_due(const struct loop *l); /* ms until the next timer, -1: none; for simulations */

typedef void loop_child_fn(void *ctx, pid_t pid,
			   int status); /* status: exit status or 128+signal */
/* Reap `pid` when it ends (pidfd) and tell; once. */
int loop_child_add(struct loop *l, pid_t pid, loop_child_fn *fn, void *ctx,
		   struct err *e) MUST_CHECK;

typedef void loop_signal_fn(void *ctx, int signo);
/* signalfd; blocks the signal for the process. */
int loop_signal_add(struct loop *l, int signo, loop_signal_fn *fn, void *ctx,
		    struct err *e) MUST_CHECK;

#endif
