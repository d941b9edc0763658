/*
 * The tenant network while leases run: is its table what we loaded? Whose network was cut off?
 * Where somebody else changed the rules they are loaded again; where that fails the links of all
 * leases go down until it works. An alarm is logged either way.
 */
#ifndef HELPER_WATCH_H
#define HELPER_WATCH_H

#include "helper/table.h"

struct watch;

/* Loads the table for the leases in `t`, with what is known of them in an older one, and begins to
 * look. Where `c` has no network, what an earlier configuration left of one is taken away. */
int watch_new(struct watch **out, struct loop *loop, const struct helper_config *c,
	      const struct table *t, struct err *e) MUST_CHECK;
void watch_free(struct watch *w);
DEFINE_AUTO(struct watch, watch_free)

uint32_t watch_repairs(const struct watch *w);
bool watch_is_down(const struct watch *w);
/* There is a lease again: without any it does not look. */
void watch_wake(struct watch *w);

#endif
