/*
 * What runs a lease's container. A backend translates one checked spec for its runtime; images,
 * volumes, roots, logs, deadlines and lists of leases are common and lie outside it. Every call
 * blocks and is safe to repeat. prepare, exec, stop, inspect and destroy are made in a worker of
 * the helper, create and start in the lease's keeper, so that the container is the keeper's child.
 */
#ifndef BACKEND_BACKEND_H
#define BACKEND_BACKEND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "oci/oci.h"
#include "spec/image_config.h"
#include "spec/spec.h"

/* A running container of the same lease that another one joins: its users, its network and its view
 * of cgroups. */
struct box_joined {
	int pidfd;			 /* of its first process */
	const char *user, *net, *cgroup; /* paths of namespaces that stay what they are */
};

/* Where one container lives; everything borrowed. Calls that only act on what is there (create,
 * start, inspect, stop, destroy) need no more than the first block. */
struct box {
	const char *id;		  /* the lease's: 16 hex characters */
	const char *dir;	  /* the lease's folder on tmpfs: the bundle */
	const char *runtime;	  /* path or name of the runtime's program, or of Docker's client */
	const char *runtime_root; /* its state, on tmpfs; the address of Docker's daemon */
	const char *owner;	  /* whose boxes those of that daemon are; NULL: everybody's */
	const char *cgroup;	  /* "/leased/ID"; a daemon may choose another */
	bool network;		  /* create and start: it is wired between them */

	const struct spec *spec;
	const struct image_config *image;
	const char *root;		 /* mounted root file system */
	struct image_user user;		 /* who the main process is */
	uint32_t id_base, id_count;	 /* host ids of its user namespace; count 0: none */
	uint32_t disk_major, disk_minor; /* block device of its volume; 0: none, no io limits */
	const char *probe;		 /* program mounted as SPEC_PROBE; NULL: none */
	const char *const *volumes; /* where each of the spec's storage entries lies; NULL: tmpfs */
	const char *socket;	    /* the keeper's, mounted as SPEC_SOCKET; NULL: none */
	const struct box_joined *joined; /* of a box beside a lease's main one; else NULL */
	const struct spec_grant *grant;	 /* what the operator gives it, looked up; NULL: nothing */
	uint64_t caps;			 /* beyond the usual, that its buyer may ask for */
	struct oci_gpus gpus;		 /* whose nodes the grant has */
};

/* Where the main process writes to: two descriptors, or a terminal that is made for it. */
struct backend_streams {
	int out, err;
	bool tty;
	int terminal; /* then: its master, the caller's to close */
};

enum backend_status { BACKEND_RUNNING, BACKEND_STOPPED, BACKEND_GONE, BACKEND_UNKNOWN };

struct backend_state {
	enum backend_status status;
	bool created; /* with RUNNING: made, but its process waits for start */
	pid_t pid;    /* first process, as the host sees it; 0 where unknown */
};

struct backend_exec {
	const char *name;	 /* of this command in this box: hex characters, never used again */
	const char *const *argv; /* NULL-ended, at least one */
	const struct spec_env *env;
	size_t nenv;
	const char *workdir; /* NULL: as the main process */
	struct image_user user;
	const void *input;
	size_t input_n;
	int64_t timeout_ms; /* then it and all that it started is killed */
	bool detach;	    /* do not wait: no input, no output, no timeout */
	/* Run this box beside the main one instead, in its cgroups: what to run is in its spec, and
	 * `user` is its user. The caller destroys it when the command has ended: of a detached one
	 * in `ended`, which is called in a process that keeps `hold` open for so long. */
	const struct box *beside;
	int hold;
	void (*ended)(void *ctx);
	void *ctx;
};

struct backend_exec_result {
	int status;	     /* exit status; 128 + signal; 126, 127 as a shell has them */
	int signal;	     /* that ended it; 0: it exited */
	bool timed_out;	     /* killed by us; the streams have what it said until then */
	struct buf out, err; /* maxima set by the caller, who frees them; what is beyond is cut */
};

/* What create made, as the host sees it. */
struct backend_made {
	pid_t first; /* process of the container, which waits for start */
	pid_t child; /* of the caller: ends as `first` does, which it mostly is */
};

struct backend {
	const char *name;
	bool shares_ids; /* users inside are the host's: it makes no user namespace */
	/* Can this host do it? `version` is appended: "runc 1.1.5". */
	int (*probe)(const struct box *box, struct buf *version, struct err *e);
	/* Does the daemon that it is asked of take calls? Says so at once and disturbs nobody.
	 * NULL: there is none. */
	int (*reach)(const struct box *box, struct err *e);
	/* Write what create reads. */
	int (*prepare)(const struct box *box, struct err *e);
	int (*create)(const struct box *box, struct backend_streams *io, struct backend_made *made,
		      struct err *e);
	int (*start)(const struct box *box, struct err *e);
	/* -1 never: what cannot be found out is UNKNOWN, with `e` saying why. */
	void (*inspect)(const struct box *box, struct backend_state *out, struct err *e);
	/* Signal the first process; with KILL every process, and return when none is left. */
	int (*stop)(const struct box *box, int signal, struct err *e);
	/* Kill, and remove all that create and prepare made. 0: nothing is left. */
	int (*destroy)(const struct box *box, struct err *e);
	/* Which cgroup the limits of its container are in, as far as that is known without asking
	 * anybody; the caller frees. */
	char *(*group)(const struct box *box);
	int (*exec)(const struct box *box, const struct backend_exec *x,
		    struct backend_exec_result *r, struct err *e);
	/* To a command that exec started, and to all that it started. */
	int (*exec_signal)(const struct box *box, const char *name, int signal, bool *delivered,
			   struct err *e);
};

#define BOX_BINDS 2
/* What of ours is seen inside; how many. */
size_t box_binds(struct oci_bind out[static BOX_BINDS], const struct box *box);

/* Processors whose heat the kernel shows, and with it what others do; virtual ones have none. */
unsigned box_hot_cpus(void);

extern const struct backend backend_oci;	      /* a runc-compatible runtime by path */
extern const struct backend backend_docker;	      /* a daemon, by its command line */
extern const struct backend backend_fake;	      /* files in box->dir; for simulations */
const struct backend *backend_find(const char *name); /* NULL: there is none of that name */

#endif
