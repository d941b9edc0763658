/*
 * What a lease is told about itself on SPEC_SOCKET, in two pages: what it is, and how anybody may
 * pay for more of it, as a payment request (NUT-18) that message.h takes. Nothing in them is secret
 * from the lease's processes, or from whom these show them to.
 */
#ifndef LEASE_CARD_H
#define LEASE_CARD_H

#include "lease/engine.h"
#include "lease/lease.h"

/* JSON objects, for the caller to free; NULL where one cannot be made. */
void card_write(char **card, char **topup, struct engine *g, const struct lease *l);

#endif
