/*
 * Names to addresses: getaddrinfo on a short-lived thread, the answer on the loop. Numeric
 * addresses need no thread. Also the judgement which addresses strangers may point us at.
 */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/err.h"
#include "net/loop.h"

#define RESOLVE_MAX 8

struct resolve_answer {
	size_t n;		       /* 0: the name has no address, see `error` */
	char address[RESOLVE_MAX][46]; /* numeric, in the order to try */
	char error[80];
};

struct resolve;
typedef void resolve_fn(void *ctx, const struct resolve_answer *a);

/* The callback runs once, never inside this call; the handle is gone when it runs. */
int resolve_start(struct resolve **out, struct loop *l, const char *host, resolve_fn *fn, void *ctx,
		  struct err *e) MUST_CHECK;
void resolve_cancel(struct resolve *r); /* no callback afterwards; NULL is fine */

/* False for loopback, private, link-local, shared, multicast and other special addresses, also
 * where they hide in IPv6 (mapped, 6to4, NAT64). */
bool address_is_public(const struct sockaddr *sa);
bool address_text_is_public(const char *numeric);

#endif
