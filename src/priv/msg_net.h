/* A part of msg.h: requests about the network of a lease. */
#ifndef PRIV_MSG_NET_H
#define PRIV_MSG_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "priv/msg_inside.h"
#include "priv/wire.h"

/* BOX_PORTS: what the lease publishes from now on, which is all of it. Safe to repeat. */
struct priv_port {
	uint32_t inside, outside; /* outside: on the host's addresses */
	uint32_t protocol;	  /* enum spec_protocol */
};
struct priv_ports {
	char id[PRIV_ID_LEN + 1];
	struct wire_list ports; /* of struct priv_port, at most SPEC_PORTS_MAX */
};
struct priv_ports_reply {
	bool found;
};

/* BOX_NET: the network of a lease. */
enum priv_net_wish { PRIV_NET_LOOK, PRIV_NET_RECONNECT, PRIV_NET_WISHES };
struct priv_net {
	char id[PRIV_ID_LEN + 1];
	enum priv_net_wish wish;
};
struct priv_net_reply {
	bool found;	   /* the lease is there and has a network */
	bool cut;	   /* off, as it is now */
	uint64_t up, down; /* bytes since it started first */
};

#endif
