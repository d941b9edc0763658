/*
 * The helper's side of the socket to core: decodes and checks requests, sends answers. The
 * simulated helper of the tests serves with it, too.
 */
#ifndef PRIV_SERVER_H
#define PRIV_SERVER_H

#include "base/auto.h"
#include "net/loop.h"
#include "priv/msg.h"

struct priv_server;

/* Which request an answer belongs to. */
struct priv_call {
	enum priv_kind kind;
	uint64_t number;
};

/* `msg` is the struct of the kind; it is the server's, and cleared after the call unless the callee
 * moves it away and zeroes it. */
typedef void priv_request_fn(void *ctx, struct priv_call call, void *msg);
typedef void priv_hangup_fn(void *ctx); /* core closed the socket */

struct priv_server_hooks {
	priv_request_fn *request;
	priv_hangup_fn *hangup; /* may be NULL */
	void *ctx;
};

/* Takes over `fd`. */
int priv_server_new(struct priv_server **out, struct loop *l, int fd,
		    const struct priv_server_hooks *hooks, struct err *e) MUST_CHECK;
void priv_server_free(struct priv_server *s);
DEFINE_AUTO(struct priv_server, priv_server_free)

/* Each request gets exactly one of these. After the hang-up they do nothing. */
void priv_server_reply(struct priv_server *s, struct priv_call call, const void *reply);
void priv_server_fail(struct priv_server *s, struct priv_call call, const struct err *err);
/* A whole frame that a worker has written. */
void priv_server_forward(struct priv_server *s, struct str frame);
void priv_server_event(struct priv_server *s, const struct priv_event *ev);
void priv_server_progress(struct priv_server *s, const struct priv_progress *p);

/* Append the frame of a reply or of a failure. */
int priv_reply_frame(struct buf *out, struct priv_call call, const void *reply,
		     struct err *e) MUST_CHECK;
void priv_error_frame(struct buf *out, struct priv_call call, const struct err *err);

#endif
