/* Worker processes: a forked child does something slow and hands back one message. */
#ifndef HELPER_WORKER_H
#define HELPER_WORKER_H

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "net/loop.h"

struct workers;

/* In the child, which sees a copy of all memory: fill `out`. */
typedef void worker_run_fn(void *ctx, struct buf *out);
/* In the parent, once, later than worker_start: what was filled in; empty if the child died. Also
 * frees ctx. */
typedef void worker_done_fn(void *ctx, struct str result);

struct workers *workers_new(struct loop *l, unsigned max);
/* Children go on by themselves; their results are dropped without a call of done. */
void workers_free(struct workers *w);
DEFINE_AUTO(struct workers, workers_free)
/* Instead of done, when workers_free comes first: frees ctx. */
typedef void worker_drop_fn(void *ctx);
/* At most `max` at once; others wait in order. */
void worker_start(struct workers *w, worker_run_fn *run, worker_done_fn *done, worker_drop_fn *drop,
		  void *ctx);
/* The same, and its child alone sees this memory of locked_new, which outlives the worker. */
void worker_start_knowing(struct workers *w, worker_run_fn *run, worker_done_fn *done,
			  worker_drop_fn *drop, void *ctx, void *locked);
/* Kill what runs: each ends as one that died. */
void workers_kill(struct workers *w);
size_t workers_busy(const struct workers *w); /* running and waiting */

#endif
