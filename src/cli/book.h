/* The buyer's book of leases and of what was asked for them: SQL only. */
#ifndef CLI_BOOK_H
#define CLI_BOOK_H

#include "base/amount.h"
#include "base/buf.h"
#include "crypto/secp.h"
#include "db/db.h"
#include "lease/protocol.h"
#include "proto/offer.h"
#include "proto/reply.h"

#define BOOK_NAME_MAX 63

enum book_state {
	BOOK_ASKED = 1, /* request and token stored, perhaps sent; no final answer yet */
	BOOK_REFUSED,	/* not given; the token is free or back */
	BOOK_RUNNING,
	BOOK_FAILED, /* paid, not given: refund due */
	BOOK_ENDED,
};
const char *book_state_name(enum book_state s);

struct book_entry {
	char name[BOOK_NAME_MAX + 1];
	enum book_state state;
	struct pubkey provider;
	char lease[LEASE_ID_HEX + 1];
	char offer[OFFER_NAME_MAX + 1];
	char mint[256];
	char payment_key[67]; /* the provider's, at that mint */
	struct price price;
	char image[OFFER_TEXT_MAX];
	char image_digest[72];			   /* what it was pinned to; "": not known yet */
	char request_id[LEASE_REQUEST_ID_HEX + 1]; /* of the spawn */
	struct msat paid, refund_due;
	int64_t created_at, started_at, expires_at, ended_at;
	int64_t exit_status; /* -1: not known */
	char why[32];
	bool halted; /* by lease stop; the provider keeps its data … */
	bool locked; /* … and needs its key: also halted */
	/* What it publishes, as spec_port_parse reads it: "20001:80/tcp 20002:53/udp". */
	char ports[SPEC_PORTS_MAX * 16 + 1];
	char address[254], address6[46]; /* under which that is reached */
	bool cut;			 /* its network is cut off */
	uint32_t restarts;		 /* so often its command was run again */
	uint64_t volume;		 /* bytes of a kept volume; 0: a lease as usual */
	char health[12];		 /* when its provider last said it; "": nobody looks */
};

/* What was asked with money in it, until its fate is known. */
struct book_ask {
	char request_id[LEASE_REQUEST_ID_HEX + 1];
	char name[BOOK_NAME_MAX + 1];
	int64_t token_out;  /* 0: stored before its token was made */
	int64_t rumor_at;   /* created_at of the rumor: the same bytes must go out again */
	int64_t expires_at; /* of the request */
	bool open;
	int64_t owner_pid, owner_start; /* the process that asked; set by book_ask_add */
};

int book_migrate(struct db *d, struct err *e) MUST_CHECK;

enum { BOOK_NONE = 1, BOOK_TAKEN = 2 };
/* BOOK_TAKEN: there is a lease of that name. */
int book_add(struct tx *tx, const struct book_entry *b, struct err *e) MUST_CHECK;
int book_save(struct tx *tx, const struct book_entry *b, struct err *e) MUST_CHECK;
/* A lease that nothing was heard of, and what was asked for it. BOOK_TAKEN: there is one of the new
 * name. */
int book_rename(struct tx *tx, const char *name, const char *to, struct err *e) MUST_CHECK;
int book_get(struct db *d, const char *name, struct book_entry *out, struct err *e) MUST_CHECK;
int book_each(struct db *d, int (*fn)(void *ctx, const struct book_entry *b), void *ctx,
	      struct err *e) MUST_CHECK;
int book_save_receipt(struct tx *tx, const char *name, const char *receipt,
		      struct err *e) MUST_CHECK;
int book_receipt(struct db *d, const char *name, struct buf *out, struct err *e) MUST_CHECK;
/* Is the name free, or that of a lease that was refused, with its money back? 1: yes; 0: `e` says
 * why not. One that has ended keeps its name: its receipt and its refunds are found by it. */
int book_name_free(struct db *d, const char *name, struct err *e) MUST_CHECK;
/* Has this provider given us a lease before? 1: yes. */
int book_knows(struct db *d, const struct pubkey *provider, struct err *e) MUST_CHECK;
/* Take over what a reply says about the lease. */
void book_learn(struct book_entry *b, const struct reply *r);

/* `text` is the request's JSON, a secret. */
int book_ask_add(struct tx *tx, const struct book_ask *a, struct str text,
		 struct err *e) MUST_CHECK;
/* The token is made: the request is complete now. */
int book_ask_fill(struct tx *tx, const struct book_ask *a, struct str text,
		  struct err *e) MUST_CHECK;
/* No token was made: as if it had never been asked. */
int book_ask_drop(struct tx *tx, const char *request_id, struct err *e) MUST_CHECK;
bool book_ask_elsewhere(const struct book_ask *a); /* by another process that lives */
int book_ask_close(struct tx *tx, const char *request_id, struct err *e) MUST_CHECK; /* blanks it */
int book_ask_text(struct db *d, const char *request_id, struct buf *out, struct err *e) MUST_CHECK;
int book_each_ask(struct db *d, int (*fn)(void *ctx, const struct book_ask *a), void *ctx,
		  struct err *e) MUST_CHECK; /* open ones */

/* --- book_refund.c: money on its way back --- */

enum book_refund_state {
	BOOK_REFUND_DUE = 1,   /* the provider owes it */
	BOOK_REFUND_HERE,      /* its token is stored, and not in the wallet yet */
	BOOK_REFUND_TAKEN,     /* in the wallet; or too small for the mint's fee */
	BOOK_REFUND_ELSEWHERE, /* it was spent, and not by this wallet */
};
struct book_refund {
	uint32_t number; /* counts from 1 within the lease; others than 1 are of late top-ups */
	enum book_refund_state state;
	struct sat amount; /* due; the token's face value; what came into the wallet */
};
/* What a reply says of a refund; a token in it is stored, once. */
int book_refund_learn(struct tx *tx, const char *name, const struct reply *r,
		      struct err *e) MUST_CHECK;
int book_refund_close(struct tx *tx, const char *name, const struct book_refund *r,
		      struct err *e) MUST_CHECK; /* forgets its token */
int book_each_refund(struct db *d, const char *name,
		     int (*fn)(void *ctx, const struct book_refund *r), void *ctx,
		     struct err *e) MUST_CHECK;
int book_refund_token(struct db *d, const char *name, uint32_t number, struct buf *out,
		      struct err *e) MUST_CHECK; /* BOOK_NONE */

#endif
