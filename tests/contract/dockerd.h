/* A daemon of Docker for a test alone, and a root made from this machine's static busybox. */
#ifndef TESTS_CONTRACT_DOCKERD_H
#define TESTS_CONTRACT_DOCKERD_H

#include "backend.h"

/* What there is while tests run. */
extern struct dockerd {
	pid_t pid;
	char *dir, *host, *cgroup, *root, *probe;
} dockerd;

/* Run `tests` with it; what main returns: 0, too, where it does not run here, which is said. */
int dockerd_main(int (*tests)(void));
/* After it was killed: its containerd ends with it and is ours to reap, since the next one looks
 * for it. */
void dockerd_reap(void);
/* Again, once it was killed. NULL: it answers; else why it does not. */
const char *dockerd_start(struct err *e);
/* What the client says to these, NULL-ended, for the caller to free; the test fails where it does.
 */
char *docker_says(const char *const *args);

#endif
