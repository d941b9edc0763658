/* Inside src/backend: what the files of the backend `oci` share. */
#ifndef BACKEND_OCI_IMPL_H
#define BACKEND_OCI_IMPL_H

#include "backend/backend.h"

/* Run one verb of the runtime to its end; the exit status, -1 with `e` filled. */
int oci_verb(const char *const *argv, const int std[3], struct err *e) MUST_CHECK;
/* The runtime's own account of a failure: the `msg` of the last line of its JSON log. Always -1. */
int oci_error(const char *log, const char *verb, int status, struct err *e);
int oci_read_pid(const char *path, pid_t *out, struct err *e) MUST_CHECK;

int oci_exec_run(const struct box *box, const struct backend_exec *x, struct backend_exec_result *r,
		 struct err *e) MUST_CHECK;
/* Make `b` with these standard descriptors, put it into the cgroups of `main` and into its group
 * `group` there, and start it. What was half made is the caller's to destroy. */
int oci_beside_start(const struct box *main, const struct box *b, const char *group,
		     const int std[3], pid_t *pid, struct err *e) MUST_CHECK;
int oci_exec_signal(const struct box *box, const char *name, int signal, bool *delivered,
		    struct err *e) MUST_CHECK;

#endif
