/* Inside src/backend: what tenant_net.c and tenant_rules.c share. */
#ifndef BACKEND_TENANT_PARTS_H
#define BACKEND_TENANT_PARTS_H

#include "backend/tenant_net.h"

/* "10.0.0.1" */
void tenant_put_addr(struct buf *out, uint32_t addr);
/* The commands that add one slot to a table in which it is not. */
void tenant_put_slot(struct buf *out, const struct tenant_net *n, uint32_t slot);
/* Those that take it away, in it or not. */
void tenant_put_removal(struct buf *out, const struct tenant_net *n, uint32_t slot);

#endif
