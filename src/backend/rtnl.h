/*
 * The few rtnetlink requests (rtnetlink(7)) that a lease's network needs, in the network namespace
 * of the thread that opened the socket. Each call is one request and its acknowledgement.
 */
#ifndef BACKEND_RTNL_H
#define BACKEND_RTNL_H

#include <stdint.h>

#include "base/auto.h"
#include "base/err.h"

struct rtnl;

int rtnl_open(struct rtnl **out, struct err *e) MUST_CHECK;
void rtnl_close(struct rtnl *r);
DEFINE_AUTO(struct rtnl, rtnl_close)
#define auto_rtnl AUTO(rtnl_close)

/* `name` here and `peer` in the network namespace behind the descriptor `netns`, joined. */
int rtnl_veth_add(struct rtnl *r, const char *name, const char *peer, int netns,
		  struct err *e) MUST_CHECK;
/* One that is gone already is success. */
int rtnl_link_remove(struct rtnl *r, const char *name, struct err *e) MUST_CHECK;
int rtnl_link_up(struct rtnl *r, const char *name, struct err *e) MUST_CHECK;
/* One that is not there is success. */
int rtnl_link_down(struct rtnl *r, const char *name, struct err *e) MUST_CHECK;
/* IPv4 address in host byte order with its prefix length. */
int rtnl_addr_add(struct rtnl *r, const char *name, uint32_t addr, unsigned prefix,
		  struct err *e) MUST_CHECK;
/* Default route of IPv4. */
int rtnl_route_default(struct rtnl *r, uint32_t gateway, struct err *e) MUST_CHECK;

/* The same for IPv6: 16 bytes each. An address is usable at once, without a look for twins. */
int rtnl_addr6_add(struct rtnl *r, const char *name, const uint8_t *addr, unsigned prefix,
		   struct err *e) MUST_CHECK;
/* Default route by a gateway on the link. */
int rtnl_route6_default(struct rtnl *r, const char *name, const uint8_t *gateway,
			struct err *e) MUST_CHECK;
/* One address is behind the link. */
int rtnl_route6_host(struct rtnl *r, const char *name, const uint8_t *addr,
		     struct err *e) MUST_CHECK;

#endif
