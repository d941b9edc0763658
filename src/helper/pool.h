/*
 * Volumes prepared ahead: formatted, opened and mounted, each with its own fresh key, used once. A
 * restart makes them anew: what an earlier helper left is erased first.
 */
#ifndef HELPER_POOL_H
#define HELPER_POOL_H

#include "helper/helper.h"
#include "helper/worker.h"

struct pool;

/* True for a volume that a lease uses. */
typedef bool pool_used_fn(void *ctx, const char *volume);

struct pool *pool_new(struct loop *l, const struct helper_config *c, struct workers *w);
void pool_free(struct pool *p); /* leaves the volumes */
DEFINE_AUTO(struct pool, pool_free)
/* Erase what is left from before, then begin to fill. */
void pool_open(struct pool *p, pool_used_fn *used, void *ctx);
/* A ready volume of exactly that size; false if there is none. It is not the pool's any more. */
bool pool_take(struct pool *p, uint64_t bytes, char id[static VOLUME_ID_MAX + 1]);
/* It is nobody's after all. */
void pool_give_back(struct pool *p, uint64_t bytes, const char *id);
/* Make no more and erase what waits; `done` when that is over. */
typedef void pool_done_fn(void *ctx);
void pool_close(struct pool *p, pool_done_fn *done, void *ctx);
unsigned pool_ready(const struct pool *p);
uint64_t pool_bytes(const struct pool *p); /* of all that are there or being made */

#endif
