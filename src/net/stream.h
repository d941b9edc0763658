/* Framed messages on a Unix socket: a 4-byte little-endian word (length in the low 29 bits, number
 * of descriptors in the top three), then bytes, with optional descriptors. Used by core and helper,
 * helper and keeper, control socket. */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "net/loop.h"

struct stream;
#define STREAM_MAX_FDS 4

/* n == 0 and p == NULL: the other end is gone (the last call; free inside is allowed). Descriptors
 * are owned by the callee, ended by -1. */
typedef void stream_fn(void *ctx, const uint8_t *p, size_t n, const int *fds);

/* Takes over `fd` (a connected SOCK_STREAM Unix socket). */
int stream_new(struct stream **out, struct loop *l, int fd, size_t max, stream_fn *fn, void *ctx,
	       struct err *e) MUST_CHECK;
void stream_free(struct stream *s);
DEFINE_AUTO(struct stream, stream_free)
/* Queues; descriptors are duplicated. */
int stream_send(struct stream *s, const void *p, size_t n, const int *fds,
		struct err *e) MUST_CHECK;
int stream_peer(const struct stream *s, pid_t *pid, uid_t *uid, gid_t *gid);

/* Blocking counterparts for workers and for small tools. */
int stream_write_blocking(int fd, const void *p, size_t n, const int *fds,
			  struct err *e) MUST_CHECK;
struct buf;
int stream_read_blocking(int fd, struct buf *out, int fds[STREAM_MAX_FDS + 1], int64_t timeout_ms,
			 struct err *e)
	MUST_CHECK; /* 1: the other end closed; timeout_ms < 0: none */

/* Unix listener: path is unlinked first if it is a dead socket. */
struct listener;
typedef void listener_fn(void *ctx, int fd);
int listener_new(struct listener **out, struct loop *l, const char *path, mode_t mode,
		 listener_fn *fn, void *ctx, struct err *e) MUST_CHECK;
void listener_free(struct listener *l);
void listener_hold(struct listener *l, bool hold); /* who connects meanwhile waits */
DEFINE_AUTO(struct listener, listener_free)
int unix_connect(int *fd, const char *path, struct err *e) MUST_CHECK; /* blocking */

#endif
