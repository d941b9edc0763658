/*
 * A shared library that is loaded where it is used: a daemon stays and is counted by the memory
 * that it holds, its workers live for one job.
 */
#ifndef BASE_LIB_H
#define BASE_LIB_H

#include <stddef.h>

#include "base/err.h"

/* `at` is the address of a pointer to the function. */
struct lib_function {
	const char *name;
	void *at;
};

/* Fill every pointer. What lib_close() is not called for stays until the process ends; opening it
 * again is then cheap. ERRK_STATE names the library or the function that is missing. */
int lib_open(void **lib, const char *file, const struct lib_function *f, size_t n,
	     struct err *e) MUST_CHECK;
void lib_close(void *lib);

/* Can it be loaded? Tried in a child, so that nothing of it stays here. */
int lib_probe(const char *file, struct err *e) MUST_CHECK;

#endif
