/*
 * What the helper may ask of a lease's keeper. Frames are those of priv/msg.h. START comes first,
 * over the socket that the keeper was born with; everything else over its socket in the lease's
 * folder.
 */
#ifndef PRIV_KEEPER_MSG_H
#define PRIV_KEEPER_MSG_H

#include "priv/msg.h"

#define KEEPER_FRAME_MAX ((size_t)256 << 10)
#define KEEPER_SOCKET	 "keeper.sock"
#define KEEPER_STATE	 "keeper.state" /* struct keeper_record, in the lease's folder */
#define KEEPER_LOG_MAX	 ((uint64_t)1 << 40)
#define KEEPER_INSIDE	 "lease.sock" /* SPEC_SOCKET, in the lease's folder */

/* Append only: a keeper may be older than its helper. */
#define KEEPER_KINDS(X)                                                                            \
	X(START, start)                                                                            \
	X(STATUS, status)                                                                          \
	X(DEADLINE, deadline)                                                                      \
	X(STOP, stop)                                                                              \
	X(END, end)                                                                                \
	X(SIGNAL, signal)                                                                          \
	X(CARD, card)

enum keeper_kind {
#define X(upper, lower) KEEPER_##upper,
	KEEPER_KINDS(X)
#undef X
		KEEPER_KIND_COUNT
};

/* START: create and start the container that the bundle describes. */
struct keeper_start {
	char id[PRIV_ID_LEN + 1];
	uint32_t generation;
	int64_t deadline;
	char *backend; /* its name */
	char *dir;     /* the lease's folder on tmpfs */
	char *runtime;
	char *runtime_root;
	char *cgroup;
	char *log_dir;	  /* on the lease's volume, outside the container's root */
	uint64_t log_max; /* bytes kept */
	uint32_t
		out_uid; /* whom the output pipes belong to: the main process may open them again */
	uint32_t disk_pid; /* the process that serves the disk, or 0 */
	char *net_link;	   /* struct tenant_net: its link; "" for a lease without network … */
	uint32_t net_base, net_slot; /* … its first address, and the lease's slot */
	char *net_prefix6;	     /* "2001:db8::"; "" where it has no IPv6 */
	bool tty;		     /* its main process has a terminal */
	uint32_t seconds;	     /* as in struct priv_start */
	char *card, *topup;
};
struct keeper_start_reply {
	bool running;
	enum priv_stage stage; /* where it failed */
	char *message;
	int64_t started_ms;
	uint32_t create_us, start_us;
};

/* The facts about one container, kept in a file too, so that they outlive the keeper. Fields are
 * appended only. */
struct keeper_record {
	enum priv_state state; /* RUNNING or STOPPED */
	enum priv_why why;
	uint32_t generation;
	uint32_t exit_status;
	int64_t started_ms, ended_ms;
	int64_t deadline;
	uint32_t pid;	      /* the container's first process … */
	uint64_t pid_started; /* … and its start time, against pid reuse */
	uint32_t keeper;      /* the keeper's pid … */
	uint64_t keeper_started;
};

struct keeper_status {
	uint32_t unused; /* 0 */
};
struct keeper_deadline {
	int64_t deadline;
};
/* STOP: `signal`, then KILL after the grace. The answer comes when the container has ended. */
struct keeper_stop {
	uint32_t signal;
	uint32_t grace_ms;
};
/* END: close the log and exit; refused while the container runs. */
struct keeper_end {
	uint32_t unused; /* 0 */
};
/* SIGNAL: to the container's first process, if that runs. */
struct keeper_signal {
	uint32_t signal;
};
/* CARD: what SPEC_SOCKET says from now on. */
struct keeper_card {
	char *card, *topup;
};
/* All but START answer with a struct keeper_record. An EVENT frame carries one, too: the container
 * has ended. */

const struct wire_table *keeper_request_table(enum keeper_kind k);
const struct wire_table *keeper_reply_table(enum keeper_kind k);
extern const struct wire_table keeper_record_table;
/* Of a keeper or of its file, whatever version wrote it: fields that it does not have are 0, those
 * that we do not know are left out. */
#define KEEPER_RECORD_LEAST 11
int keeper_record_read(struct keeper_record *out, struct str bytes, struct err *e) MUST_CHECK;
const char *keeper_kind_name(enum keeper_kind k);

/* Blocking, for workers: one request and its answer over a connected socket. Events are skipped. */
int keeper_call(int fd, enum keeper_kind k, const void *msg, void *reply, int64_t timeout_ms,
		struct err *e) MUST_CHECK;

#endif
