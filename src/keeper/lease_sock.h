/*
 * The socket at SPEC_SOCKET inside a lease: a few connections at once, a request each, slow ones
 * dropped. Whoever floods it waits in the kernel; what is passed along with a request is closed
 * there unseen.
 */
#ifndef KEEPER_LEASE_SOCK_H
#define KEEPER_LEASE_SOCK_H

#include "base/auto.h"
#include "base/err.h"
#include "keeper/lease_http.h"
#include "net/loop.h"

#define LEASE_SOCK_CLIENTS 8	/* at once */
#define LEASE_SOCK_RATE	   50	/* connections a second … */
#define LEASE_SOCK_BURST   100	/* … once so many have come */
#define LEASE_SOCK_MS	   3000 /* for a request to come */

struct lease_sock;
typedef void lease_sock_fn(void *ctx, struct lease_view *v); /* fill it: an answer is made */

/* `path` is what a connected client is told as our address: name it without a folder. */
int lease_sock_new(struct lease_sock **out, struct loop *l, const char *path, lease_sock_fn *fn,
		   void *ctx, struct err *e) MUST_CHECK;
void lease_sock_free(struct lease_sock *s); /* unlinks it */
DEFINE_AUTO(struct lease_sock, lease_sock_free)

#endif
