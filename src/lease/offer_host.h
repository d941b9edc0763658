/* What the host says of each offer, and what follows from it. */
#ifndef LEASE_OFFER_HOST_H
#define LEASE_OFFER_HOST_H

#include "lease/engine_impl.h"
#include "spec/policy.h"

bool offers_learn(struct engine *g, const struct priv_node_reply *r); /* it is not as before */
/* What a request under it may ask for. */
void offer_allows(struct spec_policy *p, const struct engine *g, const struct offer_now *o,
		  const struct spec_template *t);
bool offer_has_cards(struct engine *g, const struct offer_now *o, uint32_t want); /* free ones */
void offer_fill_grants(struct offer *out, const struct engine *g, const struct offer_now *o);

#endif
