/*
 * Run a function over a stranger's bytes in a child that can do nothing else: no program, no
 * socket, no path outside one folder or one container, few system calls, limited memory and time.
 * Its answer is a fixed-size struct and, for some, a tail of bytes.
 */
#ifndef IMAGE_CONFINE_H
#define IMAGE_CONFINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum confine_kind {
	CONFINE_PARSE,	/* memory in, answer out: cannot even open a file */
	CONFINE_UNPACK, /* may make files below its root, as root: CHOWN FOWNER DAC_OVERRIDE FSETID
			   SETFCAP */
	CONFINE_INSIDE, /* as UNPACK, but in the mount and user namespaces of a container's process
			   and with less powers there; `root` is not looked at */
};

struct confine {
	enum confine_kind kind;
	const char *root;     /* its "/" */
	int pidfd;	      /* INSIDE: of the container's first process … */
	bool mapped;	      /* … which has a user namespace */
	int input;	      /* descriptor that it keeps (as CONFINE_INPUT), or -1 */
	uint64_t file_max;    /* bytes of the largest file that it may write */
	uint64_t seconds_max; /* of computing */
	/* Runs in the child; 0 or -1. `tail` goes to the parent after the answer. */
	int (*run)(const void *arg, void *answer, struct buf *tail, struct err *e);
	const void *arg;
	void *answer;
	size_t answer_n;
	struct buf *tail; /* or NULL */
};

#define CONFINE_INPUT 3

/* The answer is untrusted: check it. An error's text was made printable. */
int confine_run(const struct confine *c, struct err *e) MUST_CHECK;

#endif
