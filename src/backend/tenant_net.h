/*
 * The tenant network: a routed point-to-point veth a lease and one nftables table (inet) for all.
 * Its rules never change: leases come and go as elements of its sets and maps. A tenant reaches the
 * Internet and nothing else: no private range, no metadata service, not the host, no other tenant,
 * no mail server, port 53 only at the given resolvers, under no address but its own. From outside
 * it is reached at its published ports only.
 */
#ifndef BACKEND_TENANT_NET_H
#define BACKEND_TENANT_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "backend/tenant_ports.h"
#include "base/buf.h"
#include "base/err.h"
#include "spec/limits.h"
#include "spec/reach.h"

#define TENANT_NET_SLOTS_MAX 8192 /* /31 each, so a /18 */
#define TENANT_NET_LINK_MAX  16	  /* a link's name with its NUL */

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
	bool has6; /* IPv6, too: a routed prefix, whose last 32 bits are the slots' */
	uint8_t prefix6[16];
	const uint32_t *resolvers; /* host byte order; port 53 goes only there */
	size_t nresolvers;
	struct tenant_ports source; /* the source ports that a lease's connections come from */
	uint64_t rate;		    /* bytes a second, each way; 0: no limit */
	const struct tenant_hole *holes;
	size_t nholes;
};

uint32_t tenant_net_host_addr(const struct tenant_net *n, uint32_t slot);
uint32_t tenant_net_lease_addr(const struct tenant_net *n, uint32_t slot);
void tenant_net_lease_addr6(uint8_t out[static 16], const struct tenant_net *n, uint32_t slot);

struct tenant_net_count {
	uint64_t up, down; /* bytes since the slot was added */
};

/* One lease's place in the table; borrowed. */
struct tenant_seat {
	uint32_t slot;
	const struct spec_port *ports; /* published: `outside` is set and no other seat's */
	size_t nports;
	struct spec_bandwidth bandwidth; /* 0: the table's rate; never more than that */
	bool cut;			 /* its network is cut off … */
	struct tenant_net_count used;	 /* … and its counters begin here: both only for load */
};

/* Load or replace the table in one transaction, with the seats that are in use; forwarding is
 * switched on, and connections of all other slots are forgotten. */
int tenant_net_load(const struct tenant_net *n, const struct tenant_seat *seats, size_t nseats,
		    struct err *e) MUST_CHECK;
/* Take the table away. Success where it is not there. */
int tenant_net_unload(const struct tenant_net *n, struct err *e) MUST_CHECK;

/* Elements of a slot, before anything is joined by it. It has no connections: those of who had it
 * before are forgotten when he goes, and by load. Safe to repeat. */
int tenant_net_add(const struct tenant_net *n, const struct tenant_seat *seat,
		   struct err *e) MUST_CHECK;
/* Connections of a slot's addresses, for another start on it. */
int tenant_net_forget(const struct tenant_net *n, uint32_t slot, struct err *e) MUST_CHECK;
/* Join the network namespace of `pid` by the slot's link, which ends with that namespace. The
 * caller holds on to the process (its child, not reaped), so that the pid is the right one. Safe to
 * repeat. Needs no nftables. */
int tenant_net_join(const struct tenant_net *n, uint32_t slot, pid_t pid, struct err *e) MUST_CHECK;
/* Link, elements, counters and connections of a seat go. Safe to repeat. */
int tenant_net_remove(const struct tenant_net *n, const struct tenant_seat *seat,
		      struct err *e) MUST_CHECK;

/* Published ports of a seat that is there: those of `was` that are not in the seat go, with their
 * connections. Safe to repeat. */
int tenant_net_publish(const struct tenant_net *n, const struct tenant_seat *seat,
		       const struct spec_ports *was, struct err *e) MUST_CHECK;
/* A slot that was cut off has its network again. */
int tenant_net_reconnect(const struct tenant_net *n, uint32_t slot, struct err *e) MUST_CHECK;

/* --- looking, by netlink alone: cheap enough for every second or two --- */

enum { TENANT_NET_ABSENT = 1 }; /* the table is not there */

/* Bytes of one slot: for statistics. 0 and 0 where the slot has not been added. */
int tenant_net_counters(const struct tenant_net *n, uint32_t slot, struct tenant_net_count *out,
			struct err *e) MUST_CHECK;
/* Bytes of all slots at once, and which are cut off. */
struct tenant_net_use {
	struct tenant_net_count count;
	bool cut;
};
int tenant_net_look(const struct tenant_net *n, struct tenant_net_use *out /* [n->slots] */,
		    struct err *e) MUST_CHECK;
/* A number that stays the same until somebody changes the table's rules. */
int tenant_net_fingerprint(const struct tenant_net *n, uint64_t *out, struct err *e) MUST_CHECK;

/* Links down, and up again: for a time without rules. Slots without a link are passed over. */
enum tenant_net_links { TENANT_NET_DOWN, TENANT_NET_UP };
int tenant_net_links(const struct tenant_net *n, uint32_t slot, enum tenant_net_links to,
		     struct err *e) MUST_CHECK;

/* The ruleset as text; pure. */
void tenant_net_rules(struct buf *out, const struct tenant_net *n, const struct tenant_seat *seats,
		      size_t nseats);

#endif
