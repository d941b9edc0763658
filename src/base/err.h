/*
 * Errors: one value on the caller's stack, filled by whoever fails.
 *
 * Convention of the whole tree: 0 is done, -1 is failed with `struct err` filled, a positive
 * number is a named outcome of that one function which its caller handles and does not pass on.
 * A module wraps an error once, at its boundary; whoever handles it logs it.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>

#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define MUST_CHECK	  __attribute__((warn_unused_result))

enum err_kind {
	ERRK_NONE,
	ERRK_SYS,    /* a system call or a library failed; `sys` holds errno where there is one */
	ERRK_INPUT,  /* the other side sent something that we refuse to parse */
	ERRK_DENIED, /* well formed, but not allowed */
	ERRK_LIMIT,  /* a quota or a hard maximum was hit */
	ERRK_PEER,   /* a mint, a relay or a backend answered with a failure */
	ERRK_STATE,  /* the thing is not in the state that this needs */
};

struct err {
	enum err_kind kind;
	int sys;
	char msg[320];
};

/* Fill `e` (NULL allowed) and return -1, so that a failing function ends with `return err_…`. */
int err_set(struct err *e, enum err_kind kind, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* As err_set with kind ERRK_SYS, keeping errno and appending its text. */
int err_sys(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Put "context: " before the message that is there; keeps kind and errno. */
int err_wrap(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
