/* The agent's folders: whose they are, and that what must not reach a disk lies in memory. */
#ifndef AGENT_PLACE_H
#define AGENT_PLACE_H

#include <stdbool.h>

#include "agent/config.h"
#include "agent/sandbox.h"

struct place {
	int lock;     /* of the state folder */
	bool mounted; /* the run folder is a tmpfs of ours */
};

/* Lock and own the state folder, see to a memory-backed run folder, make the core's parts of both.
 * -1 with ERRK_STATE where another agent has the state folder. */
int place_open(struct place *p, const struct config *c, const struct sandbox_user *core,
	       struct err *e) MUST_CHECK;
enum place_keep { PLACE_IN_USE, PLACE_EMPTY };
/* Unlock; with PLACE_EMPTY also unmount what place_open mounted. */
void place_close(struct place *p, const struct config *c, enum place_keep keep);

#endif
