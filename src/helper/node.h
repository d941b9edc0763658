/* Measured facts about this machine. */
#ifndef HELPER_NODE_H
#define HELPER_NODE_H

#include "helper/helper.h"
#include "helper/probe.h"
#include "priv/msg.h"

/* Processor time between two looks. */
struct node_meter {
	uint64_t busy, total;
};

/* Fill all but counts of leases and volumes. Texts are owned by the reply. */
void node_measure(struct priv_node_reply *r, struct node_meter *m, const struct helper_config *c,
		  const struct probed *probed);

#endif
