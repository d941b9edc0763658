/* The container's two output pipes, or its terminal: what is written there goes, stamped, into the
 * log. */
#ifndef KEEPER_OUTPUT_H
#define KEEPER_OUTPUT_H

#include <stdint.h>

#include "backend/backend.h"
#include "base/auto.h"
#include "base/err.h"
#include "net/loop.h"

struct output;
typedef void output_end_fn(void *ctx); /* nobody can write any more */

struct output_config {
	const char *log_dir;
	uint64_t log_max;
	uint32_t uid; /* whom the pipes belong to */
	output_end_fn *end;
	void *ctx;
};

int output_new(struct output **out, struct loop *l, const struct output_config *c,
	       struct err *e) MUST_CHECK;
/* For the creation of the container: the writing ends of the pipes, which stay the output's. */
struct backend_streams output_streams(const struct output *o, bool tty);
/* The container has its ends; a terminal that came back is the output's from here on. */
int output_created(struct output *o, const struct backend_streams *io, struct err *e) MUST_CHECK;
/* Nobody writes any more but who has a descriptor of its own. */
void output_close_ends(struct output *o);
/* Read what is there now without waiting. */
void output_drain(struct output *o);
void output_free(struct output *o); /* closes the log, too */
DEFINE_AUTO(struct output, output_free)

#endif
