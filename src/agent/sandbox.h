/*
 * What leased-core may do: nothing but talk and compute. The supervisor drops to the core's user
 * before it starts the core; the core confines itself before it reads a stranger's byte.
 */
#ifndef AGENT_SANDBOX_H
#define AGENT_SANDBOX_H

#include <sys/types.h>

#include "base/err.h"

struct sandbox_user {
	uid_t uid;
	gid_t gid;
};

/* A name of the machine's user database, or a number (which then is the group's, too, unless the
 * number is a known user). Root is refused. */
int sandbox_find_user(struct sandbox_user *out, const char *user, struct err *e) MUST_CHECK;

/* For good: no supplementary groups, all ids set, an empty bounding set, no new privileges. Needs
 * root, except where the process is that user already. Async-signal-safe only as far as glibc's
 * setters are: call it in a process with one thread. */
int sandbox_drop(const struct sandbox_user *u, struct err *e) MUST_CHECK;

/* No capabilities, no core dumps, not traceable, and a seccomp filter for all threads that kills
 * the process at exec, fork, mount, ptrace, bpf and their kin. Builds with sanitizers let pass what
 * the leak checker needs, never exec. */
int sandbox_confine(struct err *e) MUST_CHECK;

#endif
