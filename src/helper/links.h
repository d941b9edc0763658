/* The helper's connections to the keepers of its leases: what they say, and what to do without one.
 */
#ifndef HELPER_LINKS_H
#define HELPER_LINKS_H

#include "helper/table.h"

/* Connect to the lease's keeper and ask for its state; without a keeper, see to the deadline
 * ourselves. Nothing happens where a connection is there. */
void link_open(struct lease *l, struct loop *loop);

/* Called by links. */
void helper_on_state(struct helper *h, const struct lease *l); /* l->status or l->net is news */
void helper_end_alone(struct helper *h, struct lease *l);      /* deadline, and no keeper */
struct loop *helper_loop(const struct helper *h);
const struct helper_config *helper_config(const struct helper *h);

#endif
