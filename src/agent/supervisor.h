/*
 * leased-core as a child: started by descriptor as its own user, started again with growing pauses
 * when it dies, and never without its parent.
 */
#ifndef AGENT_SUPERVISOR_H
#define AGENT_SUPERVISOR_H

#include "agent/sandbox.h"
#include "base/auto.h"
#include "base/err.h"
#include "net/loop.h"

struct supervisor;

/* A core was started: `fd` is our end of its socket, the callee's to close. */
typedef void supervisor_started_fn(void *ctx, int fd);
typedef void supervisor_stopped_fn(void *ctx);

struct supervisor_setup {
	const char *program; /* opened now, while we may look there */
	const char *config;  /* handed to the core as a copy in memory */
	struct sandbox_user user;
	supervisor_started_fn *started;
	void *ctx;
};

int supervisor_new(struct supervisor **out, struct loop *l, const struct supervisor_setup *s,
		   struct err *e) MUST_CHECK;
void supervisor_free(struct supervisor *s); /* kills a core that still runs */
DEFINE_AUTO(struct supervisor, supervisor_free)
int supervisor_start(struct supervisor *s, struct err *e) MUST_CHECK;
/* TERM, after 10 s KILL; `stopped` when it is gone (at once if it is). Not started again. */
void supervisor_stop(struct supervisor *s, supervisor_stopped_fn *stopped, void *ctx);

#endif
