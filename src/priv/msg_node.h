/* A part of msg.h: what the helper says of this machine. */
#ifndef PRIV_MSG_NODE_H
#define PRIV_MSG_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include "priv/wire.h"

/* NODE: measured facts about this machine, for the heartbeat and for offers. */
struct priv_node {
	uint32_t unused; /* 0 */
};
enum priv_activation { PRIV_PLAIN, PRIV_DM_CRYPT, PRIV_FUSE };
struct priv_node_reply {
	uint32_t cpus;
	uint32_t cpu_busy_permille; /* of all cores, since the previous NODE or over the uptime */
	uint64_t load1_milli;	    /* 1-minute load average * 1000 */
	uint64_t memory_total, memory_available; /* bytes */
	uint64_t disk_total, disk_free;		 /* bytes, of the file system that holds volumes */
	uint64_t disk_prepared; /* bytes promised to volumes that are prepared ahead */
	uint32_t leases, running;
	uint32_t strange;	 /* leases whose record only another version can read, if any */
	uint32_t prepared;	 /* volumes that wait, ready */
	uint32_t cgroup_version; /* 1 (also hybrid) or 2 */
	bool user_namespace, seccomp; /* a lease gets its own / a filter */
	enum priv_activation activation;
	bool header_on_disk;	 /* false: headers are on memory only and die with a reboot */
	char *activation_why;	 /* "no /dev/mapper/control" */
	char *backend;		 /* "oci" */
	char *runtime;		 /* "runc 1.1.5" */
	char *kernel;		 /* "6.1.0-18-amd64" */
	char *arch;		 /* as OCI names it: "amd64" */
	char *lsm;		 /* "apparmor", "none" */
	char *isolation;	 /* word of an offer: "shared-kernel" */
	bool runtime_old;	 /* below the floor of its line: known ways out are open */
	uint32_t guards;	 /* bits of enum spec_guard: what every lease is kept in by */
	uint32_t net_repairs;	 /* how often somebody else had changed the rules of the network */
	bool net_down;		 /* they cannot be loaded: the links of all leases are down */
	struct wire_list offers; /* of struct priv_node_offer */
	uint64_t
		volume_speed; /* bytes a second written to a volume, as measured once; 0: not yet */
};

/* What the operator's configuration means for the leases of one offer, on this host. */
#define PRIV_OFFERS_MAX	     32
#define PRIV_OFFER_NAME_MAX  32
#define PRIV_OFFER_GRANT_MAX 16384
struct priv_node_offer {
	char *name;
	uint32_t guards; /* bits of enum spec_guard: what every lease of it is kept in by */
	bool host_network;
	char *granted;		 /* lines as spec_grant_describe() has them */
	uint32_t cards;		 /* graphics cards that are there, up to what it sells … */
	uint32_t cards_host;	 /* … and all of that vendor, other offers' too */
	char *backend, *runtime; /* "oci", "runc 1.1.5" */
	bool runtime_old;
	char *isolation;
	bool away; /* the daemon that runs its leases: none can start now */
};

#endif
