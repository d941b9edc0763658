/* A relay for tests that does what its script says. Lives on the same loop as the pool under test.
 */
#ifndef NOSTR_FAKE_H
#define NOSTR_FAKE_H

#include "net/loop.h"
#include "net/ws.h"
#include "nostr/frame.h"

enum fake_auth { FAKE_OPEN, FAKE_AUTH_REQUIRED, FAKE_RESTRICTED };

struct fake {
	struct ws_server *server;
	char url[64];
	struct nostr_event **events; /* stored, owned */
	size_t nevents;

	/* the script */
	enum fake_auth auth;
	bool late_challenge;  /* challenge after the refusal, not at connect */
	const char *ok_text;  /* NULL: accept; "": stay silent; otherwise OK false with it */
	bool fresh_only;      /* refuses what is older than a minute */
	const char *about;    /* NIP-11 document; NULL: none */
	bool nameless;	      /* … and without the event's id */
	size_t clamp;	      /* at most so many events a filter; 0: as asked */
	bool ignores_filters; /* send everything to everybody */
	bool mute;	      /* never answers a REQ */

	/* what happened */
	unsigned asked_about, opens, reqs, published, auths, closes;
	struct ws_peer *peer; /* the latest */
	size_t npages;
	int64_t until[64]; /* of the REQs with a limit above 0 */
};

void fake_start(struct fake *f, struct ws_context *ws);
void fake_stop(struct fake *f);
void fake_store(struct fake *f, struct nostr_event *ev_take);
/* Send a stored event to every open subscription that it matches. */
void fake_broadcast(struct fake *f, const struct nostr_event *ev);

#endif
