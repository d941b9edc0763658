/* The container's two output pipes: what is written there goes, stamped, into the log. */
#ifndef KEEPER_OUTPUT_H
#define KEEPER_OUTPUT_H

#include <stdint.h>

#include "base/auto.h"
#include "base/err.h"
#include "net/loop.h"

struct output;
typedef void output_end_fn(void *ctx); /* both pipes are at their end */

struct output_config {
	const char *log_dir;
	uint64_t log_max;
	uint32_t uid; /* whom the pipes belong to */
	output_end_fn *end;
	void *ctx;
};

int output_new(struct output **out, struct loop *l, const struct output_config *c,
	       struct err *e) MUST_CHECK;
/* The writing ends, for the container; owned by the output until output_close_ends. */
int output_fd(const struct output *o, int which); /* 1: standard output, 2: standard error */
void output_close_ends(struct output *o);
/* Read what is there now without waiting. */
void output_drain(struct output *o);
void output_free(struct output *o); /* closes the log, too */
DEFINE_AUTO(struct output, output_free)

#endif
