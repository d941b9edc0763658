/* Inside src/backend: what the files of the backend `docker` share. */
#ifndef BACKEND_DOCKER_IMPL_H
#define BACKEND_DOCKER_IMPL_H

#include "backend/backend.h"
#include "base/proc.h"

#define DOCKER_TIMEOUT_MS 60000
#define DOCKER_ARGS_MAX	  ((size_t)6 << 20) /* bytes of a container's arguments */
#define DOCKER_ID_SIZE	  65		    /* 64 hex digits and NUL */
#define DOCKER_LABEL	  "lease.id"
#define DOCKER_OWNER	  "lease.owner"

/* Files in the box's folder. */
#define DOCKER_ARGS    "docker.args"  /* of `docker create`, each ended by a NUL */
#define DOCKER_ENV     "docker.env"   /* only until it was read */
#define DOCKER_SECCOMP "seccomp.json" /* as Docker wants it */
#define DOCKER_GATE    "docker.gate"  /* a pipe: who writes to it lets the container run */

/* The client's argv: `args`, `nargs` of them, after the options that say whom it asks; NULL-ended.
 * Free what is returned; the strings lie where they were. */
const char **docker_argv(const struct box *box, const char *const *args, size_t nargs);
/* Run the client to its end: 0 whatever its status. Free `r` in any case. */
int docker_ask(const struct box *box, const char *const *args, size_t nargs, struct proc_result *r,
	       struct err *e) MUST_CHECK;
/* What the client said about a failure. Always -1. */
int docker_error(const char *verb, const struct proc_result *r, struct err *e);

/* The arguments of `docker create`; `slices`: control groups are named by systemd, whose names ours
 * are not. */
int docker_args(struct buf *out, const struct box *box, bool slices, struct err *e) MUST_CHECK;

/* The container as the daemon knows it. */
struct docker_box {
	enum docker_status {
		DOCKER_UNKNOWN,
		DOCKER_GONE,
		DOCKER_CREATED,
		DOCKER_RUNS,
		DOCKER_ENDED
	} status;
	char id[DOCKER_ID_SIZE];
	pid_t pid;
	int exit;	/* what it ended with */
	char why[200];	/* it did not start */
	bool unbounded; /* it writes to a volume of Docker's own */
};
void docker_look(struct docker_box *out, const struct box *box, struct err *e);

/* A child that stays until the container has ended, and ends as that did: it waits for the gate,
 * starts the container and passes on what it says. */
int docker_mind(const struct box *box, const struct backend_streams *io, int slave, pid_t *pid,
		struct err *e) MUST_CHECK;
enum { DOCKER_NOBODY = 1 };
/* Let it go. DOCKER_NOBODY: nobody waits. */
int docker_open_gate(const struct box *box, struct err *e) MUST_CHECK;
bool docker_has_gate(const struct box *box);
/* Remove it; who waits there ends. */
int docker_close_gate(const struct box *box, struct err *e) MUST_CHECK;

int docker_exec_run(const struct box *box, const struct backend_exec *x,
		    struct backend_exec_result *r, struct err *e) MUST_CHECK;
int docker_exec_signal(const struct box *box, const char *name, int signal, bool *delivered,
		       struct err *e) MUST_CHECK;

#endif
