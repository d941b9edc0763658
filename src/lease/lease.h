/* A lease: its row, its states and why it ended. Numbers live in the database: append only. */
#ifndef LEASE_LEASE_H
#define LEASE_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/amount.h"
#include "crypto/secp.h"
#include "lease/protocol.h"
#include "spec/spec.h"

enum lease_state {
	LEASE_ASKED = 1, /* stored; nothing is claimed yet */
	LEASE_REFUSED,	 /* final: the money was not taken, or was not there */
	LEASE_PAYING,	 /* proofs claimed, swap planned */
	LEASE_PAID,	 /* money is ours, container is being started */
	LEASE_RUNNING,	 /* given; expires_at holds */
	LEASE_STOPPING,	 /* to be stopped and erased, until that is done */
	LEASE_ENDED,	 /* final: erased */
};
#define LEASE_NSTATES (LEASE_ENDED + 1)
#define LEASE_BIT(s)  (1u << (s))
/* Those that hold capacity. */
#define LEASE_LIVE                                                                                 \
	(LEASE_BIT(LEASE_ASKED) | LEASE_BIT(LEASE_PAYING) | LEASE_BIT(LEASE_PAID) |                \
	 LEASE_BIT(LEASE_RUNNING) | LEASE_BIT(LEASE_STOPPING))

enum lease_why {
	WHY_NONE,
	WHY_REFUSED,	   /* see the reply's code */
	WHY_EXPIRED,	   /* paid time is over */
	WHY_OWNER,	   /* the buyer ended it */
	WHY_OPERATOR,	   /* the operator ended it */
	WHY_START_FAILED,  /* paid, but it never ran */
	WHY_HOST_REBOOTED, /* the host lost it */
	WHY_PAID_LATE,	   /* the mint settled after the request's end: never started */
};
#define LEASE_NWHYS (WHY_PAID_LATE + 1)

/* Of a RUNNING lease: do its processes run? (That its command ended by itself is exit_status.) */
enum lease_halt {
	LEASE_RUNS,
	LEASE_HALTING,	/* its owner wants it halted; the host is being asked */
	LEASE_HALTED,	/* nothing of it runs; the volume is kept */
	LEASE_RESUMING, /* to be started again, as a new generation */
	LEASE_WAITING,	/* its command failed, and is RESUMING at restart.at */
	LEASE_LOCKED,	/* as HALTED, until its owner brings the volume's key again */
};

/* How often a command that fails is run again. */
struct lease_restart {
	uint32_t max, done; /* in all; by now */
	uint32_t spared;    /* its owner ends this generation by a signal: no failure */
	int64_t wait;	    /* seconds, the last time */
	int64_t at;	    /* the next run; 0: none is under way */
	int64_t since;	    /* its command began to run */
};

struct lease {
	char id[LEASE_ID_HEX + 1];
	enum lease_state state;
	enum lease_why why;
	struct pubkey author;
	char request_id[LEASE_REQUEST_ID_HEX + 1];
	char offer[33];
	struct price price;
	int64_t max_lease, start_timeout;
	struct sat refund_min;
	char image[SPEC_IMAGE_MAX + 1];
	char digest[SPEC_DIGEST_SIZE];
	char kept[SPEC_NAME_MAX + 1]; /* kept.h: a volume of that name; "": a lease as usual */
	struct spec_limits limits;    /* what it holds of the host */
	char mint[256];
	char refund_key[67]; /* hex; "" for a plain token */
	int64_t plan;	     /* of the first payment; 0: none yet */
	struct msat paid;    /* net of the mint's fees, all payments */
	struct msat spent;   /* of it for the time before priced_at, at the prices that held */
	int64_t priced_at;   /* since then `price` holds; 0: since it started */
	struct sat fee;	     /* what the mint kept */
	int64_t asked_at, not_after, paid_at, started_at, expires_at, ended_at; /* 0: not yet */
	int64_t exit_status; /* of its command; -1: runs, or not known */
	char said[160];	     /* why a start failed, for its owner; not stored */
	enum lease_halt halt;
	int64_t halt_grace;			     /* seconds to KILL; 0: as the spec says */
	uint32_t generation;			     /* of its last start, from 1 */
	char halt_request[LEASE_REQUEST_ID_HEX + 1]; /* whom the step under way answers */
	struct lease_restart restart;
	int64_t cut_at;				/* its network was cut off then; 0: it was not */
	char address6[46];			/* its own, "": none */
	char address[254];			/* under which its ports are reached */
	struct spec_port ports[SPEC_PORTS_MAX]; /* published */
	size_t nports;
};

const char *lease_state_name(enum lease_state s); /* "running" */
const char *
lease_word(const struct lease *l); /* its state for people: also "exited", "stopped", "kept" */
const char *lease_why_name(enum lease_why w); /* "expired"; "" for none */
bool lease_may_become(enum lease_state from, enum lease_state to);

/* Paid time in whole seconds since it started, at the prices that held and hold, never above its
 * max_lease. */
int64_t lease_paid_seconds(const struct lease *l);
/* The most that it may cost: false where no amount is so large. */
bool lease_longest(struct msat *out, const struct lease *l);
/* What one that has more of the host from `now` on costs and when it ends then. */
void lease_reprice(struct lease *l, struct price p, int64_t now);

/* What a lease that ends at `now` costs and gives back. */
struct lease_bill {
	struct msat used;   /* paid time that passed, at the price */
	struct msat unused; /* the rest */
	struct msat refund; /* of it due to the buyer: whole sats, 0 below refund_min or without a
			       key */
	struct msat kept;   /* of it kept */
};
void lease_bill(struct lease_bill *b, const struct lease *l, int64_t now);

#endif
