/* Inside src/backend: what the files of the backend `docker` share. */
#ifndef BACKEND_DOCKER_IMPL_H
#define BACKEND_DOCKER_IMPL_H

#include "backend/backend.h"
#include "base/proc.h"
#include "spec/gate.h"

#define DOCKER_TIMEOUT_MS 60000
#define DOCKER_ARGS_MAX	  ((size_t)6 << 20) /* bytes of a container's arguments */
#define DOCKER_ID_SIZE	  65		    /* 64 hex digits and NUL */
#define DOCKER_LABEL	  "lease.id"
#define DOCKER_OWNER	  "lease.owner"
#define DOCKER_IMAGE	  "leased-empty:1" /* holds nothing; the same for all */

/* Files in the box's folder. */
#define DOCKER_ARGS    "docker.args"  /* of `docker create`, each ended by a NUL */
#define DOCKER_PLAN    "docker.plan"  /* struct docker_plan; only until it was read */
#define DOCKER_SECCOMP "seccomp.json" /* as Docker wants it */
#define DOCKER_GROUP   "docker.group" /* the path of its control group */
#define DOCKER_LOCK    "docker.lock"  /* held by clients that change something */
#define DOCKER_GATE    "docker.gate"  /* a folder, there until the container was started */

/* The client's argv: `args`, `nargs` of them, after the options that say whom it asks; NULL-ended.
 * Free what is returned; the strings lie where they were. */
const char **docker_argv(const struct box *box, const char *const *args, size_t nargs);
/* Run the client to its end: 0 whatever its status. Free `r` in any case. */
int docker_ask(const struct box *box, const char *const *args, size_t nargs, struct proc_result *r,
	       struct err *e) MUST_CHECK;
/* The same; -1 also where it failed. */
int docker_check(const struct box *box, const char *const *args, size_t nargs,
		 struct err *e) MUST_CHECK;
/* The same for what makes or starts the container: the client holds DOCKER_LOCK until the daemon
 * has answered, also where we are killed. */
int docker_change(const struct box *box, const char *const *args, size_t nargs,
		  struct err *e) MUST_CHECK;
/* Keep that out; *out is left where there is no lock, so nothing was asked for. DOCKER_BUSY: a
 * client has it. */
enum { DOCKER_BUSY = 1 };
int docker_lock(int *out, const struct box *box, struct err *e) MUST_CHECK;
/* What the client said about a failure. Always -1. */
int docker_error(const char *verb, const struct proc_result *r, struct err *e);

/* Its socket is there, and somebody listens. */
int docker_reach(const struct box *box, struct err *e) MUST_CHECK;

/* The daemon, as far as it matters. */
struct docker_host {
	char version[64];
	bool slices; /* control groups are named by systemd, whose names ours are not */
	bool rootless, remapped;
};
int docker_host(struct docker_host *out, const struct box *box, struct err *e) MUST_CHECK;

/* The arguments of `docker create`. */
int docker_args(struct buf *out, const struct box *box, bool slices, struct err *e) MUST_CHECK;
/* DOCKER_IMAGE is there afterwards. */
int docker_image_load(const struct box *box, struct err *e) MUST_CHECK;

/* What create needs beside the arguments: which root it must be, and what runs in it. */
struct docker_plan {
	struct docker_plan_head {
		uint64_t dev, ino; /* of the root */
		uint32_t uid, gid; /* of the main process, on the host */
		uint32_t read_only;
		uint32_t nargs, nenv;
	} head;
	char *texts; /* for the gate: working folder, arguments, environment */
	size_t size;
};
int docker_plan_write(const struct box *box, struct err *e) MUST_CHECK;
int docker_plan_read(struct docker_plan *out, const struct box *box, struct err *e) MUST_CHECK;
void docker_plan_clear(struct docker_plan *p); /* wipes it */
#define auto_docker_plan __attribute__((cleanup(docker_plan_clear)))

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
	bool unbounded; /* it writes to a volume of Docker's own */
};
void docker_look(struct docker_box *out, const struct box *box, struct err *e);

/* Of what waits in the container's first process (spec/gate.h). */
enum { DOCKER_NOBODY = 1 }; /* listens there */
int docker_gate_make(const struct box *box, uint32_t uid, uint32_t gid, struct err *e) MUST_CHECK;
bool docker_gate_is(const struct box *box);
int docker_gate_remove(const struct box *box, struct err *e) MUST_CHECK;
int docker_gate_connect(int *out, const struct box *box, struct err *e) MUST_CHECK;
pid_t docker_gate_peer(int conn); /* by the kernel's word; 0: nobody whom we can see */
/* What it will run and where that writes to; io->terminal is filled. */
int docker_gate_order(int conn, const struct docker_plan *p, struct backend_streams *io,
		      struct err *e) MUST_CHECK;
/* Let it go. 0: the command runs. */
int docker_gate_open(const struct box *box, struct err *e) MUST_CHECK;

/* Make GATE_ROOT the root of the container whose first process is `pid`, in place of the one that
 * holds nothing. */
int docker_enter(const struct docker_plan *p, pid_t pid, struct err *e) MUST_CHECK;

/* A child that stays until the container has ended, and ends as that did. `first`: a pidfd. */
int docker_mind(const struct box *box, int first, pid_t *pid, struct err *e) MUST_CHECK;

int docker_exec_run(const struct box *box, const struct backend_exec *x,
		    struct backend_exec_result *r, struct err *e) MUST_CHECK;
int docker_exec_signal(const struct box *box, const char *name, int signal, bool *delivered,
		       struct err *e) MUST_CHECK;

#endif
