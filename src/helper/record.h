/*
 * What the helper knows of a lease, in RUN/leases/ID/lease; beside it lie the spec, the bundle, the
 * keeper's socket and its record. Written by the helper itself only, before it acts. Of a lease
 * that shall survive a reboot there is a second one in STATE/leases/ID, written first and removed
 * last. One that another version wrote, or that is damaged, stays as it is: its lease runs on, and
 * only ends.
 */
#ifndef HELPER_RECORD_H
#define HELPER_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/backend.h"
#include "helper/helper.h"
#include "priv/keeper_msg.h"
#include "priv/msg.h"

#define RECORD_CARDS_MAX   SPEC_GPUS_MAX
#define RECORD_BACKEND_MAX 15

/* What its offer gave it, so that commands beside the main one get the same. */
struct record_powers {
	uint64_t asked,
		granted; /* capabilities: that buyers may ask for, that all of the offer have */
	bool privileged, new_privileges, host_network;
};

enum record_known {
	RECORD_WHOLE,
	RECORD_NEWER, /* what is here is right, and there is more that this version does not know */
	RECORD_BLANK, /* nothing could be read; all but the id is found on the host, or not known */
};
#define RECORD_NO_SLOT UINT32_MAX

struct record {
	enum record_known known;
	char id[PRIV_ID_LEN + 1];
	char owner[PRIV_OWNER_LEN + 1];
	uint32_t generation; /* the highest that was asked for */
	int64_t deadline;
	uint64_t volume_bytes;
	uint64_t inodes;
	/* The volume's name: the lease's id, or a prepared one's; "" where BLANK: not known. */
	char volume[VOLUME_ID_MAX + 1];
	uint32_t activation;
	bool survives; /* a reboot: its volume can be opened after one */
	bool own_key;  /* … by whoever brought its key, which is in memory only */
	bool kept;     /* a volume that outlives leases: nothing of it runs */
	uint32_t slot; /* of its user namespace, and in the tenant network */
	struct spec_bandwidth bandwidth;
	uint32_t nports;
	struct spec_port ports[SPEC_PORTS_MAX]; /* published */
	char backend[RECORD_BACKEND_MAX +
		     1]; /* what it was started by, whatever is configured now */
	char offer[PRIV_OFFER_NAME_MAX + 1];
	char template[SPEC_TEMPLATE_NAME_MAX + 1]; /* of that offer; "": none */
	struct record_powers powers;
	enum spec_vendor vendor;		  /* of its graphics cards … */
	uint32_t ncards, cards[RECORD_CARDS_MAX]; /* … and their numbers on this host */
};

/* RECORD_STRANGE: r->known says how far it could be read, and *e why not further. */
enum { RECORD_NOT_FOUND = 1, RECORD_STRANGE };

int record_read(struct record *out, const struct helper_config *c, const char *id,
		struct err *e) MUST_CHECK;
int record_write(const struct record *r, const struct helper_config *c, struct err *e) MUST_CHECK;
/* What the host itself shows of a BLANK one: volume and slot. */
void record_find(struct record *r, const struct helper_config *c);
/* The ids of all leases in the run folder. */
int record_each(const struct helper_config *c, int (*fn)(void *ctx, const char *id), void *ctx,
		struct err *e) MUST_CHECK;

/* After a reboot: write the records of leases that survived it where those of all are. */
int record_recover(const struct helper_config *c, struct err *e) MUST_CHECK;
/* Remove all of a lease's files; safe to repeat. */
int record_remove(const struct helper_config *c, const char *id, struct err *e) MUST_CHECK;

/* Its place in the tenant network; borrows the record. */
struct tenant_seat record_seat(const struct record *r);
/* The ports of a message; at most SPEC_PORTS_MAX, as its table has it. */
void record_set_spec_ports(struct record *r, const struct spec_ports *from);
void record_set_ports(struct record *r, const struct wire_list *ports);
void record_set_backend(struct record *r, const struct backend *b);
const struct backend *record_backend(const struct record *r);
/* The first of 65536 host ids that its users have; 0: those inside are the host's. */
uint32_t record_ids(const struct record *r, const struct helper_config *c);

/* Paths; the caller frees. */
char *record_dir(const struct helper_config *c, const char *id); /* RUN/leases/ID */
char *record_path(const struct helper_config *c, const char *id, const char *name);
char *record_log_dir(const struct helper_config *c, const struct record *r); /* on the volume */

/* How much of a volume of that size is the log's. */
uint64_t record_log_max(const struct helper_config *c, uint64_t volume_bytes);

struct volume record_volume(const struct record *r, const struct helper_config *c);

/* The keeper's own record; RECORD_NOT_FOUND: its container was never started. */
int record_keeper(struct keeper_record *out, const struct helper_config *c, const char *id,
		  struct err *e) MUST_CHECK;
/* A process named by pid and start time is there. */
bool record_alive(uint32_t pid, uint64_t started);

#endif
