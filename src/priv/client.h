/*
 * Core's side of the socket to the helper: one function a request, all asynchronous, many in
 * flight. A callback comes exactly once for each call, later than the call itself, with either a
 * reply or an error (the other is NULL). When the helper goes away, every open request fails with
 * ERRK_PEER.
 */
#ifndef PRIV_CLIENT_H
#define PRIV_CLIENT_H

#include "base/auto.h"
#include "net/loop.h"
#include "priv/msg.h"

struct priv_client;

typedef void priv_event_fn(void *ctx, const struct priv_event *ev);
typedef void priv_progress_fn(void *ctx, const struct priv_progress *p);
typedef void priv_gone_fn(void *ctx); /* the helper closed the socket */

struct priv_client_hooks {
	priv_event_fn *event;	    /* may be NULL */
	priv_progress_fn *progress; /* may be NULL */
	priv_gone_fn *gone;	    /* may be NULL */
	void *ctx;
};

/* Takes over `fd`. */
int priv_client_new(struct priv_client **out, struct loop *l, int fd,
		    const struct priv_client_hooks *hooks, struct err *e) MUST_CHECK;
void priv_client_free(struct priv_client *c); /* open requests are dropped without a callback */
DEFINE_AUTO(struct priv_client, priv_client_free)
#define auto_priv_client AUTO(priv_client_free)

/* priv_start_fn, …: `r` is borrowed for the call.
 * priv_client_start(c, request, fn, ctx), …: the request is copied before the function returns; a
 * request that breaks a limit of its table is answered through `fn` with an error, too. */
#define X(upper, lower)                                                                            \
	typedef void priv_##lower##_fn(void *ctx, const struct priv_##lower##_reply *r,            \
				       const struct err *e);                                       \
	void priv_client_##lower(struct priv_client *c, const struct priv_##lower *m,              \
				 priv_##lower##_fn *fn, void *ctx);
PRIV_KINDS(X)
#undef X

size_t priv_client_open(const struct priv_client *c); /* requests without an answer yet */

#endif
