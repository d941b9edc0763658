/* What a relay says of itself (NIP-11). Advice only: every member may be missing, or of a wrong
 * type, and then counts as no limit. */
#ifndef NOSTR_LIMITS_H
#define NOSTR_LIMITS_H

#include <stdint.h>

#include "base/str.h"

struct nostr_limits {			   /* 0: none said */
	uint64_t message_max, content_max; /* bytes */
	uint64_t oldest;		   /* seconds that an event may be old */
	uint64_t pow;			   /* bits */
};

#define NOSTR_LIMITS_TEXT 65536

/* What is no JSON object has no limits. */
void nostr_limits_read(struct nostr_limits *out, struct str text);

#endif
