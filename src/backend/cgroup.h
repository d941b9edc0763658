/*
 * A lease's cgroups by path below the mounts of every hierarchy: one on version 2, several on
 * version 1 and on the hybrid. Absent ones count as empty.
 */
#ifndef BACKEND_CGROUP_H
#define BACKEND_CGROUP_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* 2: unified; 1: version 1, also in the hybrid form. */
int cgroup_version(void);
/* Which one a process is in; on version 1 of the hierarchy `memory`. The caller frees. */
int cgroup_of(char **out, pid_t pid, struct err *e) MUST_CHECK;
/* How many processes are in `path` and below it. */
int cgroup_count(const char *path, unsigned *out, struct err *e) MUST_CHECK;
/* KILL until nobody is left, at most timeout_ms. */
int cgroup_kill(const char *path, int64_t timeout_ms, struct err *e) MUST_CHECK;
/* Remove it everywhere, with what is below; -1 with ERRK_STATE while it has processes. */
int cgroup_remove(const char *path, struct err *e) MUST_CHECK;
/* Make a group below an existing one that only names processes, to signal them together: on version
 * 1 it is in the hierarchy `freezer` alone. */
int cgroup_make_names(const char *path, struct err *e) MUST_CHECK;
/* Move a process into `path` in every hierarchy, and into `names` below it where that is a group.
 */
int cgroup_adopt(const char *path, const char *names, pid_t pid, struct err *e) MUST_CHECK;
/* Remove the folders right below `path` whose names begin with `prefix` and that are empty. */
void cgroup_sweep(const char *path, const char *prefix);
/* Signal every process in `path` and below it; how many there were. */
int cgroup_signal(const char *path, int signal, unsigned *out, struct err *e) MUST_CHECK;
/* Move this process into `path`, made where needed. Without effect on resources: it only keeps the
 * process apart from the service that started it. */
int cgroup_join(const char *path, struct err *e) MUST_CHECK;

#endif
