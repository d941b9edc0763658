/* The control socket's verbs, done by the engine. */
#include "agent/control.h"
#include "lease/engine.h"

static int status(void *ctx, struct buf *out, struct err *e)
{
	return engine_report_status(ctx, out, e);
}

static int leases(void *ctx, enum control_scope scope, struct buf *out, struct err *e)
{
	return engine_report_leases(ctx, scope == CONTROL_ALL, out, e);
}

static int drain(void *ctx, enum control_drain drain, struct err *e)
{
	return engine_drain(ctx, drain == CONTROL_DRAIN, e);
}

static int stop(void *ctx, const char *id, const char *reason, struct err *e)
{
	int done = engine_end_lease(ctx, id, e);

	return done == ENGINE_NO_SUCH ? CONTROL_NO_SUCH : done;
}

const struct control_ops control_engine_ops = {status, leases, drain, stop};
