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

#define CONTROL_REQUEST_MAX 8192
#define CONTROL_REPLY_MAX   ((size_t)4 << 20)

enum control_scope { CONTROL_RUNNING, CONTROL_ALL };
enum control_drain { CONTROL_DRAIN, CONTROL_UNDRAIN };
enum { CONTROL_NO_SUCH = 1, CONTROL_LATER = 2 };

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

/* Further verbs. `run` appends one JSON value to `out`, or returns CONTROL_LATER: then the asker
 * waits, and control_answer follows (it may have hung up by then, which changes nothing). */
struct json;
struct control_call;
struct control_verb {
	const char *name;
	int (*run)(void *ctx, const struct json *request, struct control_call *call,
		   struct buf *out, struct err *e);
};
/* What belongs to the call: freed with it, also when the socket closes before an answer. */
void control_keep(struct control_call *call, void *own, void (*own_free)(void *own));
/* Does anybody still wait for its answer? */
bool control_heard(const struct control_call *call);
/* The last that is done with it. `error` NULL: done, with `result` (may be empty). */
void control_answer(struct control_call *call, struct str result, const struct err *error);

/* The treasury's verbs, also with an engine as their context. */
#define CONTROL_WALLET_VERBS 12
extern const struct control_verb control_wallet_verbs[CONTROL_WALLET_VERBS];

/* The image store's, likewise. */
#define CONTROL_IMAGE_VERBS 2
extern const struct control_verb control_image_verbs[CONTROL_IMAGE_VERBS];

/* The network's verbs, the same. */
#define CONTROL_NET_VERBS 4
extern const struct control_verb control_net_verbs[CONTROL_NET_VERBS];

/* Two of them, of files of their own. */
int control_metrics(void *ctx, const struct json *request, struct control_call *call,
		    struct buf *out, struct err *e);
int control_stats(void *ctx, const struct json *request, struct control_call *call, struct buf *out,
		  struct err *e);

struct control;
struct control_setup {
	struct loop *loop;
	const char *path;  /* of the socket */
	const char *group; /* name or number; NULL: none */
	const struct control_ops *ops;
	const struct control_verb *verbs; /* besides those of ops */
	size_t nverbs;
	void *ctx;
};

int control_new(struct control **out, const struct control_setup *s, struct err *e) MUST_CHECK;
void control_free(struct control *c); /* closes every connection, removes the socket */
DEFINE_AUTO(struct control, control_free)

#endif
