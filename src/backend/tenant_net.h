/*
 * The tenant network: a routed point-to-point veth a lease and one nftables table (inet) for all.
 * Its rules never change: leases come and go as elements of its sets and maps. A tenant reaches the
 * Internet and nothing else: no private range, no metadata service, not the host, no other tenant,
 * no mail server, port 53 only at the given resolvers, under no address but its own.
 */
#ifndef BACKEND_TENANT_NET_H
#define BACKEND_TENANT_NET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

#define TENANT_NET_SLOTS_MAX 8192 /* /31 each, so a /18 */

/* What is reached by TCP although it is barred: a registry of the operator's own. */
struct tenant_hole {
	uint32_t addr; /* host byte order */
	uint16_t port;
};

/* Everything is borrowed. Several agents on one host need different names and addresses. */
struct tenant_net {
	const char *table; /* of nftables, "leased"; letters, digits, underscore */
	const char *link; /* links are called so, and the slot: "ls" gives ls0, ls1 …; at most 9 */
	uint32_t base;	  /* first address of all slots, host byte order, even */
	uint32_t slots;
	const uint32_t *resolvers; /* host byte order; port 53 goes only there */
	size_t nresolvers;
	uint16_t first_port; /* source ports of slot 0 begin here … */
	uint16_t ports;	     /* … and each slot has so many; 0: no fixed blocks */
	uint64_t rate;	     /* bytes a second, each way; 0: no limit */
	const struct tenant_hole *holes;
	size_t nholes;
};

uint32_t tenant_net_host_addr(const struct tenant_net *n, uint32_t slot);
uint32_t tenant_net_lease_addr(const struct tenant_net *n, uint32_t slot);

/* Load or replace the table in one transaction, with the slots that are in use; forwarding of IPv4
 * is switched on. */
int tenant_net_load(const struct tenant_net *n, const uint32_t *slots, size_t nslots,
		    struct err *e) MUST_CHECK;
/* Take the table away. Success where it is not there. */
int tenant_net_unload(const struct tenant_net *n, struct err *e) MUST_CHECK;

/* Elements of a slot, before anything is joined by it. Safe to repeat. */
int tenant_net_add(const struct tenant_net *n, uint32_t slot, struct err *e) MUST_CHECK;
/* Join the network namespace of `pid` by the slot's link, which ends with that namespace. The
 * caller holds on to the process (its child, not reaped), so that the pid is the right one. Safe to
 * repeat. Needs no nftables. */
int tenant_net_join(const struct tenant_net *n, uint32_t slot, pid_t pid, struct err *e) MUST_CHECK;
/* Link, elements and counters of a slot go. Safe to repeat. */
int tenant_net_remove(const struct tenant_net *n, uint32_t slot, struct err *e) MUST_CHECK;

struct tenant_net_count {
	uint64_t up, down; /* bytes since the slot was added */
};
int tenant_net_count(const struct tenant_net *n, uint32_t slot, struct tenant_net_count *out,
		     struct err *e) MUST_CHECK;

/* The ruleset as text; pure. */
void tenant_net_rules(struct buf *out, const struct tenant_net *n, const uint32_t *slots,
		      size_t nslots);

#endif
