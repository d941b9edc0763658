/*
 * A lease's log on its volume: lines of priv/logline.h form in at most two files, each named by the
 * absolute offset of its first byte, so that dropping the oldest needs no bookkeeping.
 */
#ifndef BACKEND_BOXLOG_H
#define BACKEND_BOXLOG_H

#include <stdint.h>
#include <sys/types.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"

struct boxlog;

/* Append to what is in `dir` (made 0700). `max` bytes are kept, at least the newest half of it. */
int boxlog_open(struct boxlog **out, const char *dir, uint64_t max, struct err *e) MUST_CHECK;
void boxlog_free(struct boxlog *l);
/* Append with the file system uid `uid`, one of the process's own: where that may use more of the
 * disk. */
void boxlog_write_as(struct boxlog *l, uid_t uid);
DEFINE_AUTO(struct boxlog, boxlog_free)
/* Whole lines. All or nothing: a full disk leaves the file as it was. */
int boxlog_append(struct boxlog *l, struct str lines, struct err *e) MUST_CHECK;

struct boxlog_piece {
	uint64_t offset; /* of the first byte read; beyond what was asked where that is dropped */
	uint64_t next;
	uint64_t end; /* of the log as it is now */
};
#define BOXLOG_END (((uint64_t)1 << 62) - 1)

/* Append up to `max` bytes from `offset` on to `out`, in whole lines (but a line longer than `max`
 * in pieces). BOXLOG_END: nothing but where it ends. An absent log is an empty one. */
int boxlog_read(struct buf *out, const char *dir, uint64_t offset, size_t max,
		struct boxlog_piece *p, struct err *e) MUST_CHECK;

#endif
