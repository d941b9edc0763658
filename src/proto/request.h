/*
 * What a buyer asks: rumor kind 24402, JSON with v 1, one struct for all types. Unknown members are
 * ignored, an unknown v is refused with ours named. Text and struct are each other's inverse.
 */
#ifndef PROTO_REQUEST_H
#define PROTO_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/amount.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "lease/protocol.h"
#include "spec/spec.h"

enum request_type {
	REQUEST_SPAWN = 1,
	REQUEST_TOPUP,
	REQUEST_STATUS,
	REQUEST_END, /* the owner ends the lease: erase, refund due, record */
	REQUEST_EXEC,
	REQUEST_LOGS,
	REQUEST_SIGNAL, /* to the main process */
	REQUEST_STOP,	/* halt: end the processes, keep the data; time goes on */
	REQUEST_START, /* run a halted or exited one again, perhaps with another command or image */
	REQUEST_REFUND, /* the refunds of a lease that has ended, again and again */
	REQUEST_SET, /* change what its next start does: the pull policy, in spec; or the mounts */
	REQUEST_INPUT,	   /* the next piece of an upload, for one exec or put that names it */
	REQUEST_PUT,	   /* write files; the input is an archive */
	REQUEST_GET,	   /* read files; the answer is an archive */
	REQUEST_IMAGES,	   /* which images of the offers are there already; of no lease */
	REQUEST_PORTS,	   /* publish some more, and others no longer, while it runs */
	REQUEST_RECONNECT, /* its network was cut off: join it again */
	REQUEST_STATS,	   /* what it uses now */
	REQUEST_TEMPLATE,  /* all that a buyer may know of one, named in spec; of no lease */
	REQUEST_GROW,	   /* a larger disk, at the price that the lease then has */
	REQUEST_UNLOCK,	   /* its volume's key again, which a restart of the host took */
	REQUEST_SNAPSHOT,  /* copies of what a kept volume has, on its disk */
};
#define REQUEST_NTYPES (REQUEST_SNAPSHOT + 1)
const char *request_type_name(enum request_type t); /* "unknown" for none of these */

/* On the wire: make, list, restore, remove. */
enum request_action { REQUEST_MAKE = 1, REQUEST_LIST, REQUEST_RESTORE, REQUEST_REMOVE };

struct request {
	enum request_type type;
	char request_id[LEASE_REQUEST_ID_HEX + 1];
	int64_t expires_at;
	char lease[LEASE_ID_HEX + 1]; /* all but spawn, images and template */

	/* spawn and top-up */
	char *token;	     /* a secret: freed wiped */
	char refund_key[67]; /* equal to the lock's refund key */
	/* spawn */
	char offer[65];	    /* event id of the offer that was read */
	struct price price; /* as read there; grow, too */
	/* spawn, start, exec */
	char *registry_auth; /* for the image's registry: base64 of USER:PASSWORD, or NULL. A secret
			      */
	/* spawn (with spec.own_key, and only then), unlock: 64 hex characters, or "". A secret */
	char volume_key[LEASE_VOLUME_KEY_HEX + 1];
	/* spawn: what to run, or a template's name with what it leaves open (spec/template.h), or a
	 * volume to keep, at the price that offer_volume_price says;
	 * template: that name alone; exec: args, env, workdir and user count, and with an image,
	 * which is run beside the main process, also pull, digest, entrypoint and read_only; start:
	 * args, if there are any, instead of those that the lease had; an image instead of that it
	 * had, with pull and digest. Limits come from the offer.
	 */
	struct spec spec;
	/* set: of these paths, and no others, the lease has anonymous volumes from its next start
	 * on; without them `pull` is set */
	bool has_mounts;
	struct spec_list mounts;
	/* put, get: absolute, in the container; at most SPEC_PATH_MAX bytes */
	char *path;
	/* exec, input, put */
	char *input; /* base64 on the wire, at most LEASE_PIECE_MAX bytes */
	size_t ninput;
	char upload[LEASE_REQUEST_ID_HEX + 1]; /* random; exec, put: its bytes instead of `input` */
	uint64_t piece;			       /* input: counts from 0, which begins a new upload */
	/* exec */
	int64_t timeout; /* seconds, 0: LEASE_EXEC_MAX */
	bool detach;	 /* answer when it runs; nothing is kept of what it says */
	/* logs */
	uint64_t offset;	    /* bytes from the start of the log */
	uint64_t tail;		    /* >0: the last so many lines of what is asked for */
	int64_t since_ms, until_ms; /* only what was written then; 0: all */
	bool timestamps;	    /* before each line … */
	uint64_t midline;	    /* … but not before the first of a stream that stands here:
				       enum request_midline */
	/* signal */
	int signal; /* its name on the wire; one that spec_signal_may_send */
	char command[LEASE_REQUEST_ID_HEX + 1]; /* request id of an exec: to it and to all that it
						   started, not to the main process */
	/* ports: what to add, 0 outside: any; what to take away, 0 outside: all of `inside` */
	struct spec_ports publish, unpublish;
	/* grow */
	uint64_t disk; /* bytes; `price` is the lease's from then on */
	/* snapshot */
	enum request_action action;
	/* snapshot, but to list them: its name; get: what that has, not the volume. str_is_name */
	char snapshot[SPEC_NAME_MAX + 1];
	/* refund */
	char *receipt; /* JSON text of the signed event kind 2402, or NULL: for a provider whose
			  database is older than the lease's end */
};

enum request_midline { REQUEST_MIDLINE_STDOUT = 1, REQUEST_MIDLINE_STDERR = 2 };

struct request *request_new(enum request_type t); /* with a fresh random request_id */
/* The same request to somebody else: another random request_id, no token. */
void request_renew(struct request *r);
void request_free(struct request *r); /* wipes */
DEFINE_AUTO(struct request, request_free)
#define auto_request AUTO(request_free)

int request_encode(struct buf *out, const struct request *r, struct err *e) MUST_CHECK;
/* REQUEST_VERSION: another protocol version. */
enum { REQUEST_VERSION = 1 };
/* *out is always set (NULL only where not even the id could be read), so that a refusal can name
 * the request it refuses. */
int request_decode(struct request **out, struct str text, struct err *e) MUST_CHECK;

#endif
