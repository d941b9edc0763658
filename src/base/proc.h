/* Start programs: an argv array, exactly the descriptors that were named, never a shell. */
#ifndef BASE_PROC_H
#define BASE_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* Where programs that are named without a path are looked for, and PATH of the minimal environment.
 */
#define PROC_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct proc_spec {
	const char *const *argv; /* argv[0] is the path or a name for PATH */
	const char *const *envp; /* NULL: a minimal PATH, LANG=C and nothing else */
	const char *cwd;	 /* NULL: "/" */
	int in, out, err;	 /* -1: /dev/null */
	const int *keep;	 /* further descriptors, ended by -1: they become 3, 4, … */
	int exec_fd;		 /* >0: execveat this descriptor instead of argv[0] */
	bool dies;		 /* killed with the thread that starts it */
};

/* Child gets default signals, an empty mask, its own session, PDEATHSIG unset but for `dies`. */
int proc_start(pid_t *pid, const struct proc_spec *s, struct err *e) MUST_CHECK;

struct proc_result {
	int status;	/* exit status, or 128 + signal */
	int signal;	/* that ended it; 0: it exited */
	bool timed_out; /* by proc_run_other */
	struct buf out; /* standard output, cut at its max */
	struct buf err; /* tail of standard error */
};
/* Run to the end: feed `input`, collect output under the maxima in `r`, SIGKILL its process group
 * after timeout_ms. 0 whatever the exit status; -1 if it could not run or timed out. Blocking. */
int proc_run(const struct proc_spec *s, const void *input, size_t input_n, int64_t timeout_ms,
	     struct proc_result *r, struct err *e) MUST_CHECK;

/* A process that somebody else starts for us. */
struct proc_other {
	/* With these as its standard descriptors; the process is our child, or becomes one when its
	 * parent ends (PR_SET_CHILD_SUBREAPER). */
	int (*start)(void *ctx, const int std[3], pid_t *pid, struct err *e);
	void (*kill)(void *ctx, pid_t pid); /* it and all that it started */
	void *ctx;
};
/* As proc_run; the time begins before `start`. 0 with `timed_out` and what was said until then
 * where it was killed. */
int proc_run_other(const struct proc_other *o, const void *input, size_t input_n,
		   int64_t timeout_ms, struct proc_result *r, struct err *e) MUST_CHECK;
/* proc_run that turns a non-zero status into an error with the tail of standard error; the program
 * dies with its caller. */
int proc_check(const char *const *argv, int64_t timeout_ms, struct err *e) MUST_CHECK;
void proc_result_free(struct proc_result *r);

/* A process is named by pid and start time, against pid reuse. 0 start time: it is gone. */
uint64_t proc_start_time(pid_t pid);

#endif
