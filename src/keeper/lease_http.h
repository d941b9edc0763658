/*
 * What a lease may ask about itself: from one HTTP request to its answer. Pure; the request is a
 * tenant's. GET and HEAD of three pages are all that there is, and none changes anything.
 */
#ifndef KEEPER_LEASE_HTTP_H
#define KEEPER_LEASE_HTTP_H

#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

#define LEASE_HTTP_MAX	  1024 /* bytes of a request's line and headers */
#define LEASE_HTTP_ANSWER 8192 /* more than the longest answer */

struct lease_view {
	const char *card, *topup;	/* JSON objects; "": nothing is said, no top-up is taken */
	int64_t started_at, expires_at; /* wall, seconds */
	int64_t left;			/* seconds until the deadline */
};

enum lease_http { LEASE_HTTP_MORE, LEASE_HTTP_ANSWERED };
/* Append the whole answer, or nothing where the request is not whole yet. */
enum lease_http lease_http(struct buf *out, struct str request, const struct lease_view *v);

#endif
