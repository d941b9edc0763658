/*
 * The control socket of leased-core, for leasectl: one JSON object a frame (net/stream.h),
 * {"verb":"status",…} → {"ok":true,"result":{…}} or {"ok":false,"code":"not_found","error":"…"}.
 * Root, the core's own user and members of the control group may talk.
 */
#ifndef AGENT_CONTROL_H
#define AGENT_CONTROL_H

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "net/loop.h"

#define CONTROL_REQUEST_MAX 4096
#define CONTROL_REPLY_MAX   ((size_t)4 << 20)

enum control_scope { CONTROL_RUNNING, CONTROL_ALL };
enum control_drain { CONTROL_DRAIN, CONTROL_UNDRAIN };
enum { CONTROL_NO_SUCH = 1 };

/* What the verbs do. The first two append one JSON object to `out`. */
struct control_ops {
	int (*status)(void *ctx, struct buf *out, struct err *e);
	int (*leases)(void *ctx, enum control_scope scope, struct buf *out, struct err *e);
	int (*drain)(void *ctx, enum control_drain drain, struct err *e);
	/* CONTROL_NO_SUCH where there is no running lease `id`. */
	int (*stop)(void *ctx, const char *id, const char *reason, struct err *e);
};

/* For control_new with a struct engine as its context. */
extern const struct control_ops control_engine_ops;

struct control;
struct control_setup {
	struct loop *loop;
	const char *path;  /* of the socket */
	const char *group; /* name or number; NULL: none */
	const struct control_ops *ops;
	void *ctx;
};

int control_new(struct control **out, const struct control_setup *s, struct err *e) MUST_CHECK;
void control_free(struct control *c); /* closes every connection, removes the socket */
DEFINE_AUTO(struct control, control_free)

#endif
