/*
 * What leases publish, and what they were seen as from outside. A port belongs to one lease from
 * the request on, so that it is refused to others before money is taken. The history names no
 * connection: only which lease had which ports and address, from when to when.
 */
#ifndef LEASE_PORTS_H
#define LEASE_PORTS_H

#include "db/db.h"
#include "lease/lease.h"

enum port_state {
	PORT_HELD,
	PORT_COMING,  /* the host may not have it yet */
	PORT_LEAVING, /* the host may still have it */
};

struct ports_range {
	uint16_t first, last; /* 0: none */
	const char *address;  /* what buyers are told */
};

enum { PORTS_REFUSED = 1 }; /* `e` says why, in words for the buyer */
/* All of `ports` or, with the transaction undone, none; `outside` is filled in. */
int ports_reserve(struct tx *tx, const char *lease, const struct ports_range *range,
		  struct spec_ports *ports, struct err *e) MUST_CHECK;
/* Begin to take away; `outside` 0: all of `inside`. PORTS_REFUSED: there is none (`e` unset). */
int ports_leave(struct tx *tx, const char *lease, const struct spec_port *p,
		struct err *e) MUST_CHECK;
/* The host has what it shall have: those that come are held, those that leave are free. */
int ports_done(struct tx *tx, const struct lease *l, struct err *e) MUST_CHECK;
int ports_undo(struct tx *tx, const char *lease, struct err *e) MUST_CHECK;
int ports_release(struct tx *tx, const char *lease, struct err *e) MUST_CHECK; /* it has ended */
int ports_set_address(struct tx *tx, const char *address, struct err *e) MUST_CHECK;
int ports_pending(struct db *d, const char *lease, struct err *e) MUST_CHECK; /* 1: not all held */
/* l->ports and l->address. */
int ports_load(struct db *d, struct lease *l, struct err *e) MUST_CHECK;

enum net_use_what { NET_USE_SOURCE, NET_USE_PUBLISHED, NET_USE_ADDRESS };

struct net_use {
	char lease[LEASE_ID_HEX + 1];
	struct pubkey author;
	enum net_use_what what;
	int protocol;	      /* enum spec_protocol; -1: any */
	uint16_t first, last; /* of ADDRESS: all */
	char address[46];     /* of ADDRESS */
	int64_t from, until;  /* 0: still */
};
int net_use_add(struct tx *tx, const struct lease *l, const struct net_use *u,
		struct err *e) MUST_CHECK;
int net_use_prune(struct tx *tx, int64_t before, struct err *e) MUST_CHECK;

struct net_use_ask {
	int64_t at;
	uint16_t port;	     /* 0: any */
	int protocol;	     /* -1: any */
	const char *address; /* "": any */
};
int net_use_each(struct db *d, const struct net_use_ask *ask,
		 void (*fn)(void *ctx, const struct net_use *u), void *ctx,
		 struct err *e) MUST_CHECK;

#endif
