/*
 * A lease's own nodes of devices of the host, on memory that is mounted for them alone: its folder
 * may forbid devices, and the host's own nodes belong to somebody whom a user namespace does not
 * know.
 */
#ifndef VOLUME_NODES_H
#define VOLUME_NODES_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct node {
	char type; /* 'c', 'b' */
	uint32_t major, minor;
	uint32_t owner; /* host id; readable and writable by all who get to it */
};

/* Make the nodes as RUN/nodes/0, 1, … in place of those that are there. */
int nodes_make(const char *run, const struct node *v, size_t n, struct err *e) MUST_CHECK;
char *nodes_path(const char *run, size_t i); /* the caller frees */
/* Unmount and remove; absent is fine. */
int nodes_remove(const char *run, struct err *e) MUST_CHECK;

#endif
