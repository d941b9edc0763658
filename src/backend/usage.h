/* What the processes of a cgroup use, from the files of version 1 or 2. */
#ifndef BACKEND_USAGE_H
#define BACKEND_USAGE_H

#include <sys/types.h>

#include "spec/usage.h"

struct usage_place {
	const char *mount; /* of all hierarchies: "/sys/fs/cgroup" */
	int version;	   /* of cgroup_version() */
	const char *path;  /* below them: "/leased/ID" */
	dev_t disk;	   /* only what goes there counts; 0: nothing */
};

/* Everything but disk_used, disk_size and the network. What cannot be read stays 0. Reads a dozen
 * small files of the kernel and waits for nothing. */
void usage_read(struct spec_usage *out, const struct usage_place *p);

#endif
