/* A part of msg.h: requests about what runs inside a lease beside its main process. */
#ifndef PRIV_MSG_INSIDE_H
#define PRIV_MSG_INSIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "priv/wire.h"

#define PRIV_ID_LEN	     16
#define PRIV_INPUT_MAX	     ((size_t)1 << 20) /* standard input of an exec */
#define PRIV_EXEC_LEN	     32
#define PRIV_EXEC_DEFAULT_MS 30000
#define PRIV_EXEC_MAX_MS     3600000

/* BOX_SIGNAL: to the main process, or to a command and all that it started; one of those that
 * spec_signal_may_send. */
struct priv_signal {
	char id[PRIV_ID_LEN + 1];
	uint32_t signal;
	char *command; /* the name of an exec; empty: the main process */
};
struct priv_signal_reply {
	bool delivered; /* false: it does not run */
};

/* BOX_EXEC: one command inside a running lease. At its end, its timeout or a KILL by its name
 * nothing is lost: the reply has what it said until then. */
struct priv_exec {
	char id[PRIV_ID_LEN + 1];
	char name[PRIV_EXEC_LEN + 1]; /* never used before in this lease */
	struct wire_strings argv;
	struct wire_strings env; /* NAME=VALUE, added to the container's, or the image's */
	char *cwd;		 /* empty: the container's */
	char *user;		 /* "UID[:GID]"; empty: the container's */
	struct wire_blob input;	 /* at most PRIV_INPUT_MAX */
	uint32_t timeout_ms;	 /* then all that it started is killed; 0: PRIV_EXEC_DEFAULT_MS */
	uint32_t output_max;	 /* each stream; at most PRIV_OUTPUT_MAX; more is cut */
	bool detach;		 /* answer when it runs: no input, no output, no timeout */
	bool check;		 /* of its health: one at a time, beside the owner's commands */
	/* Another image instead of the container's root: it runs beside the main process, with the
	 * lease's users, network, cgroups and volumes, and ends at the latest with it. */
	char *image;	     /* as a start's; empty: the container's own root */
	char *digest;	     /* that it is pinned to */
	bool has_entrypoint; /* given, perhaps empty: instead of the image's */
	struct wire_strings entrypoint;
	bool read_only; /* its root */
};
enum priv_exec_outcome {
	PRIV_EXEC_DONE,
	PRIV_EXEC_NOT_RUNNING,
	PRIV_EXEC_TIMED_OUT,
	PRIV_EXEC_FAILED
};
struct priv_exec_reply {
	enum priv_exec_outcome outcome;
	uint32_t exit_status; /* 128 + signal; 126, 127 as a shell has them */
	uint32_t signal;      /* that ended it; 0: it exited */
	struct wire_blob out, err;
	bool cut;      /* a stream was longer than output_max */
	char *message; /* of FAILED */
};

/* BOX_PUT, BOX_GET: files and folders of a running lease, as archives (base/tree.h). The paths are
 * the container's own, from its root; no link in it leads anywhere else. */
enum priv_copy_outcome {
	PRIV_COPY_DONE,
	PRIV_COPY_NOT_RUNNING,
	PRIV_COPY_TOO_MUCH,
	PRIV_COPY_FAILED,
	PRIV_COPY_COUNT
};
struct priv_put {
	char id[PRIV_ID_LEN + 1];
	char *path;		  /* a folder: into it; else the name that it gets */
	struct wire_blob archive; /* at most PRIV_INPUT_MAX */
};
struct priv_put_reply {
	enum priv_copy_outcome outcome;
	char *message; /* of all but DONE */
};
struct priv_get {
	char id[PRIV_ID_LEN + 1];
	char *path;
	uint32_t max; /* bytes of the archive, at most PRIV_INPUT_MAX */
};
struct priv_get_reply {
	enum priv_copy_outcome outcome;
	struct wire_blob archive;
	uint32_t skipped; /* sockets, pipes, devices */
	char *message;
};

/* BOX_SAVE, BOX_LOAD: what a kept volume has, and what an empty one gets, a parcel
 * (lease-protocol(7), "Backups") at a time. The last one of a backup puts all in its place at once.
 */
struct priv_save {
	char id[PRIV_ID_LEN + 1];
	uint64_t from;	/* the `next` of the parcel before */
	uint32_t max;	/* bytes of the parcel, at most PRIV_INPUT_MAX */
	char *snapshot; /* of this one; empty: of what the volume has now */
};
struct priv_save_reply {
	enum priv_copy_outcome outcome;
	struct wire_blob parcel;
	uint64_t next, left; /* left 0: that was the last one */
	char *message;	     /* of all but DONE */
};
struct priv_load {
	char id[PRIV_ID_LEN + 1];
	struct wire_blob parcel; /* at most PRIV_INPUT_MAX */
};
struct priv_load_reply {
	enum priv_copy_outcome outcome;
	char *message; /* of all but DONE */
};

/* BOX_SNAPSHOT: copies of what a kept volume has, on its disk. Each is there whole or not at all;
 * RESTORE puts one in place of what the volume has, at once. */
#define PRIV_SNAPSHOTS_MAX  16
#define PRIV_SNAPSHOTS_TEXT 4096
enum priv_snapshot_action {
	PRIV_SNAPSHOT_MAKE,
	PRIV_SNAPSHOT_LIST,
	PRIV_SNAPSHOT_RESTORE,
	PRIV_SNAPSHOT_REMOVE,
	PRIV_SNAPSHOT_COUNT
};
struct priv_snapshot {
	char id[PRIV_ID_LEN + 1];
	enum priv_snapshot_action action;
	char *name; /* of all but LIST; else empty */
};
struct priv_snapshot_reply {
	enum priv_copy_outcome outcome;
	char *names;   /* LIST: a line each, with the time it was made at */
	char *message; /* of all but DONE */
};

#endif
