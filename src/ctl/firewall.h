/*
 * Would another program's firewall drop what leases forward, or lead it past our rules? Rules are
 * read as nft(8) prints them and followed for a new connection of a lease's link. Pure.
 */
#ifndef CTL_FIREWALL_H
#define CTL_FIREWALL_H

#include <stdbool.h>

#include "base/str.h"

enum firewall_way { FIREWALL_FROM_LEASE, FIREWALL_TO_LEASE };

struct firewall_ask {
	struct str rules; /* of nft -s -t list ruleset */
	const char *own;  /* tables of ours begin so */
	const char *link; /* links of leases begin so */
	bool ipv6;
	bool published; /* leases are reached from outside, too */
};

enum firewall_kind {
	FIREWALL_DROPS,	    /* everything */
	FIREWALL_MAY_DROP,  /* under a condition that is not followed */
	FIREWALL_BYPASSES,  /* a flow table: packets that our rules do not see */
	FIREWALL_UNTRACKED, /* connections that nobody tracks cannot be told apart */
};
enum firewall_owner { FIREWALL_NFT, FIREWALL_DOCKER, FIREWALL_UFW, FIREWALL_FIREWALLD };

struct firewall_finding {
	enum firewall_kind kind;
	enum firewall_way way;
	enum firewall_owner owner;
	struct str table; /* "ip filter" */
	struct str chain;
	struct str rule; /* or "policy drop" */
};

/* Each finding; how many there are. */
typedef void firewall_fn(void *ctx, const struct firewall_finding *f);
unsigned firewall_check(const struct firewall_ask *ask, firewall_fn *fn, void *ctx);

/* The same of iptables-legacy -S FORWARD, which nft does not show. */
bool firewall_legacy_drops(struct str rules, const char *link);

#endif
