/* The messages between client and relay (NIP-01, NIP-42), both directions, both roles. */
#ifndef NOSTR_FRAME_H
#define NOSTR_FRAME_H

#include "nostr/filter.h"

#define NOSTR_FRAME_MAX	  (256 * 1024) /* bytes of a message */
#define NOSTR_SUB_MAX	  64	       /* characters of a subscription id */
#define NOSTR_FILTERS_MAX 32	       /* in one REQ */
#define NOSTR_TEXT_MAX	  1024

enum nostr_frame_type {
	NOSTR_FRAME_EVENT,  /* from a relay: sub, event; from a client: event */
	NOSTR_FRAME_REQ,    /* client: sub, filters */
	NOSTR_FRAME_CLOSE,  /* client: sub */
	NOSTR_FRAME_AUTH,   /* relay: text (the challenge); client: event */
	NOSTR_FRAME_OK,	    /* relay: id, ok, text */
	NOSTR_FRAME_EOSE,   /* relay: sub */
	NOSTR_FRAME_CLOSED, /* relay: sub, text */
	NOSTR_FRAME_NOTICE, /* relay: text */
};

struct nostr_frame {
	enum nostr_frame_type type;
	char sub[NOSTR_SUB_MAX + 1];
	struct nostr_event *event; /* owned */
	struct nostr_filter **filters;
	size_t nfilters;
	uint8_t id[32];
	bool ok;
	bool nameless;		       /* OK false without an id, as some relays refuse */
	char text[NOSTR_TEXT_MAX + 1]; /* cut if longer */
};

enum nostr_side { NOSTR_FROM_RELAY, NOSTR_FROM_CLIENT };
/* Fill `out`, which nostr_frame_clear empties. Unknown message names are -1. */
int nostr_frame_read(struct nostr_frame *out, enum nostr_side from, struct str text,
		     struct err *e) MUST_CHECK;
void nostr_frame_clear(struct nostr_frame *f);
#define auto_frame __attribute__((cleanup(nostr_frame_clear)))

/* Append one message. `sub` NULL in nostr_frame_event: as a client publishes. */
void nostr_frame_event(struct buf *out, const char *sub, const struct nostr_event *ev);
void nostr_frame_req(struct buf *out, const char *sub, struct nostr_filter *const *filters,
		     size_t n);
void nostr_frame_close(struct buf *out, const char *sub);
void nostr_frame_auth(struct buf *out, const struct nostr_event *ev);
void nostr_frame_challenge(struct buf *out, const char *challenge);
void nostr_frame_ok(struct buf *out, const uint8_t id[static 32], bool ok, const char *text);
void nostr_frame_eose(struct buf *out, const char *sub);
void nostr_frame_closed(struct buf *out, const char *sub, const char *text);
void nostr_frame_notice(struct buf *out, const char *text);

/* Machine-readable prefixes of OK and CLOSED texts. */
enum nostr_prefix {
	NOSTR_PREFIX_NONE,
	NOSTR_PREFIX_DUPLICATE,
	NOSTR_PREFIX_POW,
	NOSTR_PREFIX_BLOCKED,
	NOSTR_PREFIX_RATE_LIMITED,
	NOSTR_PREFIX_INVALID,
	NOSTR_PREFIX_RESTRICTED,
	NOSTR_PREFIX_AUTH_REQUIRED,
	NOSTR_PREFIX_MUTE,
	NOSTR_PREFIX_ERROR,
};
enum nostr_prefix nostr_prefix_of(const char *text);

#endif
