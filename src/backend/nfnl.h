/*
 * Reading nftables and clearing conntrack by plain netlink, in the caller's network namespace: what
 * is asked every few seconds, by a process that shall not hold libnftables for it.
 */
#ifndef BACKEND_NFNL_H
#define BACKEND_NFNL_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum { NFNL_ABSENT = 1 }; /* the table is not there */

/* A number over the flags of the inet table `table`, its chains with their hooks and policies, and
 * its rules in order, without the chains whose names begin with `skip`: another number, another
 * table. */
int nfnl_fingerprint(const char *table, const char *skip, uint64_t *out, struct err *e) MUST_CHECK;

/* The keys of a set's elements, which are names. */
typedef void nfnl_name_fn(void *ctx, struct str name);
int nfnl_each_name(const char *table, const char *set, nfnl_name_fn *fn, void *ctx,
		   struct err *e) MUST_CHECK; /* NFNL_ABSENT */

/* The table's named counters. */
typedef void nfnl_counter_fn(void *ctx, struct str name, uint64_t bytes);
int nfnl_each_counter(const char *table, nfnl_counter_fn *fn, void *ctx,
		      struct err *e) MUST_CHECK; /* NFNL_ABSENT */

/* Forget connections that begin at an address, or whose answers come from it; without an address,
 * those of IPv4 to a port of this host that nobody answered: they would never see a rewritten one.
 * The kernel walks its whole table for it, which can take 10 ms.
 */
typedef bool nfnl_addr_fn(const void *ctx, const void *addr, size_t naddr);
struct nfnl_flows {
	const void *addr;   /* 4 or 16 bytes, network order; NULL: none … */
	size_t naddr;	    /* … but this many */
	nfnl_addr_fn *each; /* instead of `addr`: says which ones, given ctx */
	const void *ctx;
	/* Only published ones, where port is not 0: it answers from there. Without an address: the
	 * port that was asked for. */
	uint8_t protocol;
	uint16_t port;
};
int nfnl_forget(const struct nfnl_flows *f, struct err *e) MUST_CHECK;

/* A socket that becomes readable when somebody changes nftables. */
int nfnl_listen(int *fd, struct err *e) MUST_CHECK;
/* Read what it has; true: tables, chains or rules went, or more was said than could be kept. */
bool nfnl_heard_loss(int fd);

#endif
