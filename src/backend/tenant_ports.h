/* Blocks of source ports, one a slot. Only arithmetic, so that the configuration can be checked
 * without the network's code. */
#ifndef BACKEND_TENANT_PORTS_H
#define BACKEND_TENANT_PORTS_H

#include <stdint.h>

#define TENANT_PORTS_END 65536u

struct tenant_ports {
	uint16_t first;	       /* the first block begins here */
	uint16_t each;	       /* ports of a block; 0: no blocks */
	uint16_t gap, gap_end; /* ports from, and to, that no block has; 0: none */
};

/* Blocks before the gap. */
static inline uint32_t tenant_ports_before(const struct tenant_ports *p)
{
	unsigned end = p->gap ? p->gap : TENANT_PORTS_END;

	return p->each && end > p->first ? (end - p->first) / p->each : 0;
}

/* Where blocks go on behind it. */
static inline unsigned tenant_ports_behind(const struct tenant_ports *p)
{
	unsigned next = p->gap ? p->gap_end + 1u : TENANT_PORTS_END;

	return next > p->first ? next : p->first;
}

static inline uint32_t tenant_ports_blocks(const struct tenant_ports *p)
{
	if (!p->each)
		return 0;
	return tenant_ports_before(p) + (TENANT_PORTS_END - tenant_ports_behind(p)) / p->each;
}

/* First port of the slot's block; 0 where there are no blocks. */
static inline uint16_t tenant_ports_of(const struct tenant_ports *p, uint32_t slot)
{
	uint32_t before = tenant_ports_before(p);

	if (!p->each)
		return 0;
	return (uint16_t)(slot < before ? p->first + slot * p->each
					: tenant_ports_behind(p) + (slot - before) * p->each);
}

#endif
