/*
 * Ask a function in a forked child, so that the libraries it loads do not stay: a daemon is counted
 * by the memory that it holds. For processes with one thread.
 */
#ifndef BASE_CHILD_H
#define BASE_CHILD_H

#include <stddef.h>

#include "base/err.h"

typedef int child_fn(void *ctx, struct err *e);
/* What the function wrote into the `n` bytes of `ctx` comes back; so does its -1 with the error.
 * Blocks until it ended. */
int child_call(child_fn *fn, void *ctx, size_t n, struct err *e) MUST_CHECK;

#endif
