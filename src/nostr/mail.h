/*
 * One rumor to one reader: wrapped, published, and wrapped once more with a fresh time for relays
 * that refuse the back-dated one ("invalid:"). The reader may so get it twice.
 */
#ifndef NOSTR_MAIL_H
#define NOSTR_MAIL_H

#include "nostr/pool.h"
#include "nostr/wrap.h"

struct nostr_mail_ask {
	const struct nostr_event *rumor; /* copied */
	const struct secret *from;	 /* copied, wiped */
	const struct pubkey *to;
	struct nostr_wrap_how how;
	uint32_t relays;  /* as in nostr_pub_ask */
	nostr_pub_fn *fn; /* as for one event: FIRST, then DONE with the last word of each relay */
	void *ctx;
};

struct nostr_mail;
/* -1 where it cannot be wrapped; `out` may be NULL. Ends with its pool. */
int nostr_mail_send(struct nostr_mail **out, struct nostr_pool *p, const struct nostr_mail_ask *a,
		    struct err *e) MUST_CHECK;
void nostr_mail_cancel(struct nostr_mail *m); /* no callback afterwards; NULL is fine */

#endif
