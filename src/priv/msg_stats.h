/* A part of msg.h: what leases use now. */
#ifndef PRIV_MSG_STATS_H
#define PRIV_MSG_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "priv/msg_inside.h"
#include "priv/wire.h"
#include "spec/usage.h"

#define PRIV_STATS_MAX 32 /* leases in one answer: each is a dozen files to read */

/* BOX_STATS: of one lease, or of all in order of id. */
struct priv_stats {
	char *id;    /* empty: all … */
	char *after; /* … behind this one; empty: from the beginning */
};
struct priv_stats_item {
	char id[PRIV_ID_LEN + 1];
	uint32_t state; /* enum priv_state */
	int64_t at_ms, started_ms;
	struct spec_usage use;
};
struct priv_stats_reply {
	struct wire_list items; /* of struct priv_stats_item */
	bool more;
};

static inline const struct priv_stats_item *priv_stats_at(const struct priv_stats_reply *r,
							  size_t i)
{
	return (const struct priv_stats_item *)r->items.v + i;
}

#endif
