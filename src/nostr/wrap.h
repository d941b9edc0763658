/* NIP-59 gift wraps: rumor in seal in wrap, made and opened. */
#ifndef NOSTR_WRAP_H
#define NOSTR_WRAP_H

#include "nostr/event.h"

#define NOSTR_BACKDATE (2 * 24 * 3600) /* seal and wrap are up to so many seconds back */

struct nostr_wrap_how {
	int64_t now;	  /* seconds */
	int64_t backdate; /* at most so far back; 0: now (for peers that filter by since) */
	int64_t expires;  /* NIP-40 time on the wrap; 0: none */
	uint32_t kind;	  /* 0: NOSTR_WRAP */
};

/* Wrap `rumor` (kind, created_at, tags, content; its pubkey and id are computed here from `from`)
 * for `to`. Fresh ephemeral key each call, wiped. The result is a signed event. */
int nostr_wrap(struct nostr_event **out, const struct nostr_event *rumor, const struct secret *from,
	       const struct pubkey *to, const struct nostr_wrap_how *how, struct err *e) MUST_CHECK;

struct nostr_unwrap_key {
	struct secret secret;
	struct pubkey pubkey;
};
int nostr_unwrap_key(struct nostr_unwrap_key *out, const struct secret *secret,
		     struct err *e) MUST_CHECK;
void nostr_unwrap_key_wipe(struct nostr_unwrap_key *k);

/*
 * Open a wrap whose own id and signature are verified already (the pool hands out nothing else).
 * Cheapest first: kind, p tag, payload shape, MAC, seal (kind 13, no tags, id, signature), rumor,
 * rumor author == seal author. The rumor's id is computed, never taken from the text; its age is
 * the caller's to judge. `rumor->pubkey` is the proven author.
 */
int nostr_unwrap(struct nostr_event **rumor, const struct nostr_event *wrap,
		 const struct nostr_unwrap_key *me, struct err *e) MUST_CHECK;

#endif
