/*
 * What leased-core may ask of the helper, and what the helper answers. The helper parses nothing
 * else; it checks every field again with the tables behind these structs (msg.c). A lease is named
 * by 16 lower-case hex characters that core draws at random. Times called wall are seconds since
 * 1970, those called _ms are milliseconds since 1970.
 */
#ifndef PRIV_MSG_H
#define PRIV_MSG_H

#include <stdbool.h>
#include <stdint.h>

#include "priv/frame.h"
#include "priv/msg_image.h"
#include "priv/msg_inside.h"
#include "priv/msg_net.h"
#include "priv/msg_node.h"
#include "priv/msg_stats.h"
#include "priv/wire.h"
#include "spec/spec.h"

#define PRIV_VERSION	1
#define PRIV_OWNER_LEN	64
#define PRIV_FRAME_MAX	((size_t)3 << 20)
#define PRIV_OUTPUT_MAX ((size_t)1 << 20) /* output of an exec, each stream; one piece of a log */
#define PRIV_AUTH_MAX	8192		  /* base64 of a registry's USER:PASSWORD */
#define PRIV_KEY_LEN	64		  /* a volume's key as hex text */
#define PRIV_LIST_MAX	256		  /* leases in one BOX_LIST answer */
#define PRIV_CARD_MAX	4096		  /* what a lease is told about itself, each page */
#define PRIV_VOLUME_MIN ((uint64_t)16 << 20)
#define PRIV_VOLUME_MAX ((uint64_t)16 << 40)

#define PRIV_KINDS(X)                                                                              \
	X(PING, ping)                                                                              \
	X(NODE, node)                                                                              \
	X(IMAGE, image)                                                                            \
	X(BOX_START, start)                                                                        \
	X(BOX_INSPECT, inspect)                                                                    \
	X(BOX_DEADLINE, deadline)                                                                  \
	X(BOX_STOP, stop)                                                                          \
	X(BOX_DESTROY, destroy)                                                                    \
	X(BOX_EXEC, exec)                                                                          \
	X(BOX_LOGS, logs)                                                                          \
	X(BOX_LIST, list)                                                                          \
	X(BOX_SIGNAL, signal)                                                                      \
	X(IMAGES, images)                                                                          \
	X(IMAGE_DROP, image_drop)                                                                  \
	X(BOX_PUT, put)                                                                            \
	X(BOX_GET, get)                                                                            \
	X(BOX_PORTS, ports)                                                                        \
	X(BOX_NET, net)                                                                            \
	X(BOX_STATS, stats)                                                                        \
	X(BOX_GROW, grow)                                                                          \
	X(BOX_SAVE, save)                                                                          \
	X(BOX_LOAD, load)                                                                          \
	X(BOX_SNAPSHOT, snapshot)

enum priv_kind {
#define X(upper, lower) PRIV_##upper,
	PRIV_KINDS(X)
#undef X
		PRIV_KIND_COUNT
};

/* PING: is the helper there, and which protocol does it speak? */
struct priv_ping {
	uint32_t version; /* PRIV_VERSION of the asker */
};
struct priv_ping_reply {
	uint32_t version;
	uint32_t pid;
};

/* BOX_START: make volume, root and container and run it. Safe to repeat: a generation that was
 * started answers with its first answer, also when its command has ended since. A higher generation
 * starts a halted lease again on the volume that it has. */
struct priv_start {
	char id[PRIV_ID_LEN + 1];
	char owner[PRIV_OWNER_LEN + 1]; /* the buyer's public key */
	uint32_t generation;		/* 1 for the first start */
	int64_t deadline;		/* wall; the keeper kills at it even when nobody asks */
	uint64_t volume_bytes;		/* what the offer sells; a prepared one has this size */
	bool private_layers; /* the image is copied to the volume: no page is shared with others */
	uint32_t seconds;    /* from its start on, where that is before the deadline; 0: not said */
	char *card, *topup;  /* pages of SPEC_SOCKET: JSON objects, passed on untouched; or empty */
	char *offer;	     /* under which it was bought: the helper knows what that gives */
	struct spec spec;    /* its image is a configured name or an allowed reference */
	/* with spec.own_key: PRIV_KEY_LEN characters of the buyer's, or nothing, which does while
	 * the host's memory has it */
	struct wire_blob key;
};
enum priv_start_outcome {
	PRIV_START_RUNNING,
	PRIV_START_FAILED,
	PRIV_START_LOCKED, /* nothing was done: it needs its key, or this is another's */
};
enum priv_stage {
	PRIV_STAGE_CHECK,  /* the request itself, image allowed, disk left */
	PRIV_STAGE_PULL,   /* brought from its registry; the message is for the buyer */
	PRIV_STAGE_IMAGE,  /* verified and unpacked */
	PRIV_STAGE_VOLUME, /* made or taken from the prepared ones, mounted */
	PRIV_STAGE_BUNDLE, /* root mounted, config.json written */
	PRIV_STAGE_KEEPER, /* the keeper runs */
	PRIV_STAGE_CREATE, /* the runtime made the container */
	PRIV_STAGE_START,  /* its process runs */
	PRIV_STAGE_COUNT
};
struct priv_start_reply {
	enum priv_start_outcome outcome;
	int64_t started_ms;
	bool prepared; /* the volume was one made ahead */
	uint32_t image_us, volume_us, bundle_us, keeper_us, create_us, start_us;
	uint32_t source_first, source_count; /* the lease's source ports; 0: any */
	char *address6;			     /* its own address; empty: none */
	enum priv_stage stage;		     /* where it failed */
	char *message;			     /* empty when running */
};

/* BOX_INSPECT. Nothing is ever destroyed on unknown. */
struct priv_inspect {
	char id[PRIV_ID_LEN + 1];
};
enum priv_state {
	PRIV_BOX_RUNNING,
	PRIV_BOX_STOPPED, /* ran and ended; volume and log are there */
	PRIV_BOX_GONE,	  /* this host has nothing of that lease */
	PRIV_BOX_UNKNOWN, /* it could not be found out */
	PRIV_STATE_COUNT
};
enum priv_why {
	PRIV_WHY_NONE,
	PRIV_WHY_EXITED,
	PRIV_WHY_DEADLINE,
	PRIV_WHY_STOPPED,
	PRIV_WHY_COUNT
};
struct priv_inspect_reply {
	enum priv_state state;
	enum priv_why why;    /* of a stopped one */
	uint32_t exit_status; /* 0…255, 128 + signal; PRIV_EXIT_UNKNOWN */
	int64_t started_ms, ended_ms;
	int64_t deadline;
	uint32_t generation;
	bool cut; /* its network is cut off: it asked for too many addresses */
};
#define PRIV_EXIT_UNKNOWN 65535

/* BOX_DEADLINE: a top-up moves it (either way). What the lease is told about itself comes anew. */
struct priv_deadline {
	char id[PRIV_ID_LEN + 1];
	int64_t deadline;
	char *card, *topup; /* both empty: as they were */
};
struct priv_deadline_reply {
	bool found;
	int64_t deadline; /* as it holds now */
};

/* BOX_STOP: TERM, then KILL after the grace; keeps volume and log. Done when the cgroup is empty.
 */
struct priv_stop {
	char id[PRIV_ID_LEN + 1];
	uint32_t grace_ms;
};
struct priv_stop_reply {
	enum priv_state state; /* STOPPED, GONE or UNKNOWN */
	uint32_t exit_status;
};

/* BOX_GROW: a larger volume, at once where that can be done. Safe to repeat. */
struct priv_grow {
	char id[PRIV_ID_LEN + 1];
	uint64_t volume_bytes;
};
struct priv_grow_reply {
	bool found;
	bool grown;
	char *message; /* why not */
};

/* BOX_DESTROY: end and erase everything of the lease. Repeat it until `erased`. */
struct priv_destroy {
	char id[PRIV_ID_LEN + 1];
};
struct priv_destroy_reply {
	bool erased; /* everything below that can be true is, and nothing is left */
	bool found;  /* false: there was nothing of that lease */
	bool killed; /* its cgroup is empty */
	/* as struct volume_erasure has them */
	bool unmounted, detached, slots_gone, header_gone, discarded, removed, encrypted, refused;
	uint64_t volume_bytes;
	int64_t erased_at; /* wall */
	char *unproven;	   /* what nobody can show */
	char *message;	   /* what is left and why, when not erased */
};

/* BOX_LOGS: the log from a byte offset. It is in the lines of priv/logline.h; a piece ends at the
 * end of a line. The oldest bytes of a full log are dropped: then `offset` is beyond what was
 * asked. */
struct priv_logs {
	char id[PRIV_ID_LEN + 1];
	uint64_t offset;
	uint32_t max;		    /* at most PRIV_OUTPUT_MAX */
	int64_t since_ms, until_ms; /* only what was written then; 0: all */
	bool tail;		    /* only … */
	uint32_t lines;		    /* … the last so many */
};
#define PRIV_LOG_END	   (((uint64_t)1 << 62) - 1)
#define PRIV_LOG_LINES_MAX 1000000
struct priv_logs_reply {
	bool found;
	uint64_t offset; /* of the first byte here */
	uint64_t next;	 /* ask from here for what follows */
	uint64_t left;	 /* so much follows now */
	bool eof;	 /* nothing more will come: the container has ended, or until_ms is over */
	struct wire_blob bytes;
};

/* BOX_LIST: every lease that this host has, in order of id. */
struct priv_list {
	char *after;  /* id of the last one seen; empty: from the beginning */
	uint32_t max; /* at most PRIV_LIST_MAX */
};
struct priv_list_item {
	char id[PRIV_ID_LEN + 1];
	char owner[PRIV_OWNER_LEN + 1];
	enum priv_state state;
	uint32_t generation;
	int64_t deadline;
	uint64_t volume_bytes;
};
struct priv_list_reply {
	struct wire_list items; /* of struct priv_list_item; see priv_list_at */
	bool more;
};

static inline const struct priv_list_item *priv_list_at(const struct priv_list_reply *r, size_t i)
{
	return (const struct priv_list_item *)r->items.v + i;
}

struct priv_progress { /* said unasked while a lease waits for its image */
	char id[PRIV_ID_LEN + 1];
	uint64_t bytes, of;
};

/* Said unasked, too: a lease's state changed (its command ended, its deadline
 * passed, its network was cut off or joined again). It may be lost at a restart of either side:
 * inspect after connecting. */
struct priv_event {
	char id[PRIV_ID_LEN + 1];
	enum priv_state state;
	enum priv_why why;
	uint32_t exit_status;
	int64_t ended_ms;
	bool cut;	     /* its network is cut off */
	uint32_t generation; /* whose state it is */
};

/* Tables of the structs above. */
const struct wire_table *priv_request_table(enum priv_kind k);
const struct wire_table *priv_reply_table(enum priv_kind k);
extern const struct wire_table priv_event_table, priv_progress_table;
extern const struct wire_table priv_port_table;
const char *priv_kind_name(enum priv_kind k);	/* "BOX_START" */
const char *priv_stage_name(enum priv_stage s); /* "volume" */
bool priv_id_valid(const char *id);
/* One line that begins and ends as a JSON object, or nothing. What is in it is for the lease alone.
 */
bool priv_card_valid(const char *card);

#endif
