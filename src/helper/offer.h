/*
 * What the operator's configuration gives the leases of an offer: the helper's own table. Core only
 * says which offer a lease was bought under; what that means is never in a message.
 */
#ifndef HELPER_OFFER_H
#define HELPER_OFFER_H

#include "helper/helper.h"
#include "helper/probe.h"
#include "helper/record.h"
#include "helper/table.h"
#include "oci/cards.h"
#include "oci/guards.h"
#include "spec/policy.h"

/* NULL where there is none of that name (any more): then nothing is given. */
const struct helper_offer *offer_find(const struct helper_config *c, const char *name);
/* What runs its leases; of NULL, those of no offer. */
const struct backend *offer_backend(const struct helper_config *c, const struct helper_offer *o);
/* One that this offer serves, by name; NULL otherwise: then nothing of it is given. */
const struct spec_template *offer_template(const struct helper_offer *o, const char *name);
struct cards_host offer_cards(const struct helper_config *c);
/* What its buyers may ask for on this host, and what that template of it does; NULL: none. */
void offer_policy(struct spec_policy *out, const struct helper_config *c,
		  const struct helper_offer *o, const char *template);
/* Write into the record what each start says anew, and what a lease of that offer, with that spec,
 * gets: ports, powers, and cards that no other lease has. -1 with ERRK_LIMIT where too few are
 * free. */
int offer_fill(struct record *r, const struct table *leases, const struct helper_config *c,
	       const struct priv_start *m, struct err *e) MUST_CHECK;
/* For NODE: one of each offer; `v` holds PRIV_OFFERS_MAX. */
size_t offer_list(struct priv_node_offer *v, const struct helper_config *c,
		  const struct oci_host *host, const struct probed *probed);

#endif
