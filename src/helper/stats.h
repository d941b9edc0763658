/* What leases use now, for BOX_STATS: answered at once, since it waits for nothing. */
#ifndef HELPER_STATS_H
#define HELPER_STATS_H

#include "helper/table.h"

/* The answer; its items go to `items`, which holds PRIV_STATS_MAX. */
void stats_list(struct priv_stats_reply *r, struct priv_stats_item *items,
		const struct helper_config *c, const struct table *t, const struct priv_stats *m);

#endif
