/*
 * What a provider answers: rumor kind 24403, JSON with v 1. A request may get several replies; the
 * one with `final` is the last. Codes are stable words; where money is involved `token` says what
 * became of it and a refusal of a locked token carries `release`.
 */
#ifndef PROTO_REPLY_H
#define PROTO_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/amount.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "lease/protocol.h"
#include "spec/reach.h"
#include "spec/spec.h"
#include "spec/usage.h"

/* One row a code: name on the wire, whether asking again may help, what a buyer reads. */
#define REPLY_CODES(X)                                                                             \
	X(OK, "ok", 0, "done")                                                                     \
	X(MALFORMED, "malformed", 0, "the request could not be read")                              \
	X(VERSION, "version_unsupported", 0, "the provider speaks another protocol version")       \
	X(EXPIRED, "request_expired", 1, "the request was too old when it arrived")                \
	X(REUSED, "request_id_reused", 0, "this request id was used for another request")          \
	X(OFFER_UNKNOWN, "offer_unknown", 0, "the provider has no such offer")                     \
	X(OFFER_STALE, "stale_offer", 1, "the offer was replaced; read it again")                  \
	X(DRAINING, "draining", 0, "the provider takes no new leases")                             \
	X(FULL, "full", 1, "the provider has no room for this lease now")                          \
	X(BUSY, "busy", 1, "the provider is flooded; ask again later")                             \
	X(IMAGE, "image_not_found", 0, "the provider does not offer this image")                   \
	X(SPEC, "spec_refused", 0, "the provider does not run this")                               \
	X(FOREIGN_MINT, "foreign_mint", 0, "the provider does not take this mint")                 \
	X(MINT_FULL, "mint_full", 0, "the provider takes no more at this mint now")                \
	X(TOKEN, "token_malformed", 0, "the token could not be read")                              \
	X(UNIT, "unit_unsupported", 0, "the provider does not take this unit")                     \
	X(DUPLICATE, "duplicate_proof", 0, "the token holds a proof twice")                        \
	X(CLAIMED, "already_claimed", 0, "the token was handed over before")                       \
	X(SPENT, "token_spent", 0, "the mint says that the token was spent before")                \
	X(LOCK, "lock_unsupported", 0, "the token is locked in a way that the provider refuses")   \
	X(LOCK_FOREIGN, "lock_not_ours", 0, "the token is locked to another key")                  \
	X(LOCK_SHORT, "lock_too_short", 0, "the token's lock ends too soon")                       \
	X(LOCK_MISSING, "lock_required", 0, "the provider takes only tokens locked to its key")    \
	X(DLEQ_MISSING, "dleq_missing", 0, "the token carries no DLEQ proofs")                     \
	X(DLEQ_BAD, "dleq_bad", 0, "the mint did not sign this token")                             \
	X(KEYSET, "keyset_unknown", 0, "the mint has no such keyset")                              \
	X(KEYSET_AMBIGUOUS, "keyset_ambiguous", 0, "the short keyset id fits several keysets")     \
	X(KEYSET_ENDING, "keyset_ending", 0, "the token's keyset ends soon; swap it first")        \
	X(TOO_LITTLE, "too_little", 0, "the token does not cover the smallest payment")            \
	X(TOO_MUCH, "too_much", 0, "the token buys more time than the offer allows")               \
	X(TOO_MANY, "too_many_proofs", 0, "the token has too many proofs; swap it first")          \
	X(TOO_LARGE, "number_too_large", 0, "a number in the token is too large")                  \
	X(REGISTRY, "registry", 1, "the image's registry does not answer the provider")            \
	X(MINT_DOWN, "mint_unreachable", 1, "the mint does not answer the provider")               \
	X(MINT_REFUSED, "mint_refused", 0, "the mint refused the token")                           \
	X(START_FAILED, "start_failed", 1, "the container could not be started")                   \
	X(NOT_FOUND, "not_found", 0, "no such lease of yours")                                     \
	X(NOT_RUNNING, "not_running", 0, "the lease does not run")                                 \
	X(TOO_LATE, "too_late", 0, "the lease ends before a top-up could be taken")                \
	X(EXEC_FAILED, "exec_failed", 0, "the command could not be started")                       \
	X(FILES, "files_failed", 0, "the files could not be copied")                               \
	X(LIMIT, "limit", 0, "more than this carrier moves")                                       \
	X(INTERNAL, "internal", 1, "the provider failed")                                          \
	X(UNCLEAR, "unclear", 0, "the provider was restarted meanwhile; it may have been done")    \
	X(TEMPLATE, "template_unknown", 0, "this offer has no template of that name")              \
	X(DISK, "disk_refused", 0, "the lease cannot have such a disk")

enum reply_code {
#define X(id, name, retry, text) REPLY_##id,
	REPLY_CODES(X)
#undef X
		REPLY_NCODES
};

const char *reply_code_name(enum reply_code c);
const char *reply_code_text(enum reply_code c);
bool reply_code_retry(enum reply_code c);

enum reply_stage {
	REPLY_STAGE_ACCEPTED = 1, /* stored; the money is looked at now */
	REPLY_STAGE_PAID,	  /* the token is spent; the container is being started */
	REPLY_STAGE_RUNNING,
	REPLY_STAGE_REFUSED,
	REPLY_STAGE_FAILED, /* paid, but not given: refund due */
	REPLY_STAGE_STATUS,
	REPLY_STAGE_TOPPED_UP,
	REPLY_STAGE_ENDED, /* stopped and erased; carries the receipt */
	REPLY_STAGE_EXEC,
	REPLY_STAGE_LOGS,
	REPLY_STAGE_WARNING, /* the lease ends soon */
	REPLY_STAGE_REFUND,  /* one refund of the lease: its token, or why it is not there yet */
	REPLY_STAGE_FILES,   /* put: done; get: the archive, in pieces as output is */
	REPLY_STAGE_IMAGES,  /* what of the offers' images is unpacked already */
	REPLY_STAGE_STATS,   /* what a lease uses now */
	REPLY_STAGE_TEMPLATE,
};
const char *reply_stage_name(enum reply_stage s);
/* When the owner of a lease or a kept volume is told that it ends: a tenth of its time before that,
 * but at least REPLY_WARN_MIN seconds and at most REPLY_WARN_MAX. 0: never, where it is shorter
 * than five times the least. */
#define REPLY_WARN_MIN 120
#define REPLY_WARN_MAX 86400
int64_t reply_warn_at(int64_t started_at, int64_t expires_at);

enum reply_token { REPLY_TOKEN_NONE, REPLY_TOKEN_UNSPENT, REPLY_TOKEN_SPENT, REPLY_TOKEN_REFUNDED };

#define REPLY_IMAGES_MAX 64

struct reply_image {
	char name[256]; /* as offers have it */
	char digest[72];
	uint64_t size; /* of its compressed layers */
};

struct reply {
	char request_id[LEASE_REQUEST_ID_HEX + 1];
	enum reply_stage stage;
	enum reply_code code;
	bool final;
	char message[256]; /* for people; may say more than the code */
	enum reply_token token;
	char (*release)[129]; /* our signature over each secret, in the token's order */
	size_t nrelease;

	char lease[LEASE_ID_HEX + 1];
	char state[16]; /* "running", "stopping", "ended" … */
	char image_digest[72];
	uint64_t pulled, pull_size; /* stage paid: bytes of the image so far, of about so many */
	int64_t started_at, expires_at, ended_at; /* 0: not yet */
	struct msat paid, used, refund_due, kept; /* net of the mint's fee */
	struct sat mint_fee;
	/* stage refund */
	char *refund;		/* the token, locked to the buyer's refund key: a secret; or NULL */
	char refund_state[8];	/* "due", "made", "taken"; "" where there is none */
	uint32_t refund_number; /* counts from 1 within the lease */
	struct sat refund_sat, refund_fee; /* once made: its face value, what making it cost */
	/* stage status */
	struct price price;	 /* of the lease now; per 0: not said */
	uint64_t disk, disk_max; /* bytes that it has, and may have; 0: not said, it cannot grow */
	struct price disk_price; /* of a GiB more */
	int64_t exit_status;	 /* -1: not known or still running */
	uint32_t restarts;	 /* so often its command was run again */
	char health[12];	 /* "starting", "healthy", "unhealthy"; "": nobody looks */
	char why[32];  /* ended: "expired", "owner", "operator", "exited", "start_failed" … */
	char *receipt; /* JSON text of a signed event kind 2402, or NULL */

	/* status: what is mounted beside the root, as spec_volume_print has it */
	struct spec_list mounts;

	/* its network */
	struct spec_ports ports; /* published now, outside of `address` … */
	char address[254];	 /* … which is an IPv4 address or a name */
	char address6[46];	 /* its own, where the same ports inside are reached; "": none */
	char network[16];	 /* "cut": off, because it asked for too many addresses */

	/* exec and logs: pieces in order; each reply carries one */
	uint64_t piece;	 /* counts from 0 */
	char *out, *err; /* bytes; base64 on the wire */
	size_t nout, nerr;
	uint64_t offset;	    /* logs: where the next request continues */
	int64_t left;		    /* logs: so many bytes follow now; -1: an older provider */
	bool truncated;		    /* output was longer than the carrier moves */
	int signal;		    /* exec: that ended it, by name on the wire; 0: it exited */
	bool timed_out;		    /* … because its time was over */
	struct reply_image *images; /* stage images; at most REPLY_IMAGES_MAX */
	size_t nimages;
	char *template; /* stage template: JSON text as spec_template_write has it, or NULL */
	int64_t at_ms, since_ms; /* stage stats: when it was so, and since when its processes run */
	struct spec_usage usage;
};

struct reply *reply_new(const char *request_id, enum reply_stage s, enum reply_code c);
void reply_free(struct reply *r);
DEFINE_AUTO(struct reply, reply_free)
#define auto_reply AUTO(reply_free)

int reply_encode(struct buf *out, const struct reply *r, struct err *e) MUST_CHECK;
int reply_decode(struct reply **out, struct str text, struct err *e) MUST_CHECK;

#endif
