/* Inside src/backend: what tenant_net.c and tenant_rules.c share. */
#ifndef BACKEND_TENANT_PARTS_H
#define BACKEND_TENANT_PARTS_H

#include "backend/tenant_net.h"

#define TENANT_CHAIN "slot" /* chains of slots begin so; the others never change */

/* "10.0.0.1" */
void tenant_put_addr(struct buf *out, uint32_t addr);
/* The commands that add one seat to a table in which it is not. */
void tenant_put_seat(struct buf *out, const struct tenant_net *n, const struct tenant_seat *s);
/* Those that take it away, in it or not. */
void tenant_put_removal(struct buf *out, const struct tenant_net *n, const struct tenant_seat *s);
/* Of one published port. */
void tenant_put_port(struct buf *out, const struct tenant_net *n, uint32_t slot,
		     const struct spec_port *p);
void tenant_put_port_removal(struct buf *out, const struct tenant_net *n, uint32_t slot,
			     const struct spec_port *p);
/* Out of the set of those that are cut off, in it or not. */
void tenant_put_reconnect(struct buf *out, const struct tenant_net *n, uint32_t slot);

#endif
