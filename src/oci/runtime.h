/*
 * Runtimes with runc's command line, known by the name of their program: what each wants different,
 * how far it separates a lease from the host, and from which version on its known ways out are
 * closed (CVE-2025-31133, -52565, -52881, CVE-2026-41579; CVE-2026-47766).
 */
#ifndef OCI_RUNTIME_H
#define OCI_RUNTIME_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

#define OCI_RUNTIME_LINES 4 /* of versions that are kept up */

struct oci_runtime {
	const char *name;	/* "runc" */
	const char *isolation;	/* word of an offer: "shared-kernel" */
	const char *const *env; /* NULL-ended; NULL: the usual one */
	const char *option;	/* before every verb; NULL: none */
	const char *alone;	/* one more for a container without a network; NULL: none */
	bool state_file;	/* keeps a container in ID_sandbox:ID.state, not in a folder ID */
	bool writable;		/* its root must be: it forgets what else a mount forbids */
	bool seccomp;		/* applies the filter of config.json */
	bool unified;		/* knows linux.resources.unified */
	unsigned tasks, tasks_each; /* of the host: its own, and for each process inside; 0: none */
	unsigned exec_group;	    /* lowest cgroup version with exec --cgroup; 0: none */
	/* A pipe in its folder of a container: who reads it lets the process run. NULL: only its
	 * verb start does. */
	const char *gate;
	const char *floors[OCI_RUNTIME_LINES]; /* lowest good version of each line, ascending */
};

/* By the last part of the path; one that is not known is taken for another runc. */
const struct oci_runtime *oci_runtime(const char *path);
/* `version` as its first line has it: "1.1.5+ds1". OCI_RUNTIME_OLD: below the floor of its line;
 * OCI_RUNTIME_UNKNOWN: no version, or nothing is known of that runtime. `why` may be NULL. */
enum { OCI_RUNTIME_OLD = 1, OCI_RUNTIME_UNKNOWN };
int oci_runtime_check(const struct oci_runtime *r, struct str version, struct err *why);

#endif
