/* Requests of core, one frame each; see server.h. */
#include "priv/server.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "net/stream.h"

struct priv_server {
	struct stream *stream; /* NULL after the hang-up */
	struct priv_server_hooks hooks;
};

union any_request {
#define X(upper, lower) struct priv_##lower lower;
	PRIV_KINDS(X)
#undef X
};

int priv_reply_frame(struct buf *out, struct priv_call call, const void *reply, struct err *e)
{
	priv_frame_begin(out, PRIV_FRAME_REPLY, call.kind, call.number);
	return wire_encode(out, priv_reply_table(call.kind), reply, e);
}

void priv_error_frame(struct buf *out, struct priv_call call, const struct err *err)
{
	priv_frame_begin(out, PRIV_FRAME_ERROR, call.kind, call.number);
	priv_error_encode(out, err);
}

void priv_server_forward(struct priv_server *s, struct str frame)
{
	struct err err;

	if (s->stream && stream_send(s->stream, frame.p, frame.n, NULL, &err) < 0)
		log_warn("an answer to leased-core: %s", err.msg);
}

void priv_server_fail(struct priv_server *s, struct priv_call call, const struct err *err)
{
	auto_buf struct buf out = BUF(PRIV_FRAME_MAX);

	priv_error_frame(&out, call, err);
	priv_server_forward(s, buf_view(&out));
}

void priv_server_reply(struct priv_server *s, struct priv_call call, const void *reply)
{
	auto_buf struct buf out = BUF(PRIV_FRAME_MAX);
	struct err err;

	if (priv_reply_frame(&out, call, reply, &err) < 0) {
		log_broken("an answer to %s: %s", priv_kind_name(call.kind), err.msg);
		priv_server_fail(s, call, &err);
		return;
	}
	priv_server_forward(s, buf_view(&out));
}

static void send_event(struct priv_server *s, enum priv_event_kind kind, const struct wire_table *t,
		       const void *event)
{
	auto_buf struct buf out = BUF(PRIV_FRAME_MAX);
	struct err err;

	priv_frame_begin(&out, PRIV_FRAME_EVENT, kind, 0);
	if (wire_encode(&out, t, event, &err) < 0) {
		log_broken("an event: %s", err.msg);
		return;
	}
	priv_server_forward(s, buf_view(&out));
}

void priv_server_event(struct priv_server *s, const struct priv_event *ev)
{
	send_event(s, PRIV_EVENT_STATE, &priv_event_table, ev);
}

void priv_server_progress(struct priv_server *s, const struct priv_progress *p)
{
	send_event(s, PRIV_EVENT_PROGRESS, &priv_progress_table, p);
}

static void on_request(struct priv_server *s, const struct priv_frame *f)
{
	struct priv_call call = {f->kind, f->number};
	const struct wire_table *t;
	union any_request msg;
	struct err err;

	if (f->type != PRIV_FRAME_REQUEST || f->kind >= PRIV_KIND_COUNT) {
		err_set(&err, ERRK_INPUT, "not a request");
		priv_server_fail(s, call, &err);
		return;
	}
	t = priv_request_table(call.kind);
	if (wire_decode(&msg, t, f->body, &err) < 0) {
		err_wrap(&err, "%s", priv_kind_name(call.kind));
		priv_server_fail(s, call, &err);
		return;
	}
	/* workers are forked in the hook, with a copy of what lies here */
	wipe((void *)(uintptr_t)f->body.p, f->body.n);
	s->hooks.request(s->hooks.ctx, call, &msg);
	wire_clear(&msg, t);
}

static void on_bytes(void *ctx, const uint8_t *p, size_t n, const int *fds)
{
	struct priv_server *s = ctx;
	struct priv_frame f;
	struct err err;

	for (size_t i = 0; fds && fds[i] >= 0; i++)
		close(fds[i]);
	if (p && priv_frame_parse(&f, p, n, &err) == 0) {
		on_request(s, &f);
		return;
	}
	if (p)
		log_broken("leased-core: %s", err.msg);
	stream_free(steal(&s->stream));
	if (s->hooks.hangup)
		s->hooks.hangup(s->hooks.ctx);
}

int priv_server_new(struct priv_server **out, struct loop *l, int fd,
		    const struct priv_server_hooks *hooks, struct err *e)
{
	AUTO(priv_server_free) struct priv_server *s = mem_zero(sizeof(*s));

	s->hooks = *hooks;
	if (stream_new(&s->stream, l, fd, PRIV_FRAME_MAX, on_bytes, s, e) < 0)
		return -1;
	*out = steal(&s);
	return 0;
}

void priv_server_free(struct priv_server *s)
{
	if (!s)
		return;
	stream_free(s->stream);
	free(s);
}
