/* Requests by number over one stream; see client.h. */
#include "priv/client.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/stream.h"

typedef void any_fn(void);
/* Calls `fn` with its own type: a decoded reply or an error. */
typedef void deliver_fn(any_fn *fn, void *ctx, const void *reply, const struct err *e);

struct request {
	struct request *next;
	uint64_t number;
	enum priv_kind kind;
	deliver_fn *deliver;
	any_fn *fn;
	void *ctx;
	struct err err; /* of one that failed before it was sent */
};

struct priv_client {
	struct loop *loop;
	struct stream *stream; /* NULL: the helper is gone */
	struct priv_client_hooks hooks;
	struct request *open; /* newest first */
	struct request *dead; /* to be answered with their own error in the next turn */
	struct loop_timer *timer;
	uint64_t last;
	bool burying; /* answering the dead … */
	bool freed;   /* … and one of their callbacks freed the client */
};

static void request_fail(struct request *r, const struct err *e)
{
	r->deliver(r->fn, r->ctx, NULL, e);
	free(r);
}

static void bury_dead(void *ctx)
{
	struct priv_client *c = ctx;
	struct request *r = steal(&c->dead);

	c->timer = NULL;
	c->burying = true;
	while (r) {
		struct request *next = r->next;

		if (c->freed)
			free(r);
		else
			request_fail(r, &r->err);
		r = next;
	}
	c->burying = false;
	if (c->freed)
		free(c);
}

static void let_die(struct priv_client *c, struct request *r)
{
	struct request **at = &c->dead;

	while (*at)
		at = &(*at)->next;
	r->next = NULL;
	*at = r;
	if (!c->timer)
		c->timer = loop_timer_add(c->loop, 0, bury_dead, c);
}

static void helper_gone(struct priv_client *c, const char *why)
{
	struct request *r = steal(&c->open);

	stream_free(steal(&c->stream));
	while (r) {
		struct request *next = r->next;

		err_set(&r->err, ERRK_PEER, "%s", why);
		let_die(c, r);
		r = next;
	}
	if (c->hooks.gone)
		c->hooks.gone(c->hooks.ctx);
}

static struct request *take_request(struct priv_client *c, const struct priv_frame *f)
{
	for (struct request **at = &c->open; *at; at = &(*at)->next) {
		struct request *r = *at;

		if (r->number == f->number && (uint32_t)r->kind == f->kind) {
			*at = r->next;
			return r;
		}
	}
	return NULL;
}

static void on_event(struct priv_client *c, struct str body)
{
	struct priv_event ev;
	struct err err;

	if (wire_decode(&ev, &priv_event_table, body, &err) < 0) {
		log_warn("an event of the helper: %s", err.msg);
		return;
	}
	if (c->hooks.event)
		c->hooks.event(c->hooks.ctx, &ev);
}

static void on_progress(struct priv_client *c, struct str body)
{
	struct priv_progress p;
	struct err err;

	if (wire_decode(&p, &priv_progress_table, body, &err) < 0)
		log_warn("an event of the helper: %s", err.msg);
	else if (c->hooks.progress)
		c->hooks.progress(c->hooks.ctx, &p);
}

static void on_reply(struct request *r, const struct priv_frame *f)
{
	union {
#define X(upper, lower) struct priv_##lower##_reply lower;
		PRIV_KINDS(X)
#undef X
	} reply;
	const struct wire_table *t = priv_reply_table(r->kind);
	struct err err, bad;

	if (f->type == PRIV_FRAME_ERROR) {
		if (priv_error_decode(&err, f->body, &bad) < 0)
			err = bad;
		request_fail(r, &err);
		return;
	}
	if (wire_decode(&reply, t, f->body, &err) < 0) {
		err_wrap(&err, "%s", priv_kind_name(r->kind));
		request_fail(r, &err);
		return;
	}
	r->deliver(r->fn, r->ctx, &reply, NULL);
	wire_clear(&reply, t);
	free(r);
}

static void on_frame(void *ctx, const uint8_t *p, size_t n, const int *fds)
{
	struct priv_client *c = ctx;
	struct priv_frame f;
	struct request *r;
	struct err err;

	for (size_t i = 0; fds && fds[i] >= 0; i++)
		close(fds[i]);
	if (!p) {
		helper_gone(c, "the host helper is gone");
		return;
	}
	if (priv_frame_parse(&f, p, n, &err) < 0) {
		log_broken("the helper's stream: %s", err.msg);
		helper_gone(c, "the host helper sent nonsense");
		return;
	}
	if (f.type == PRIV_FRAME_EVENT) {
		if (f.kind == PRIV_EVENT_PROGRESS)
			on_progress(c, f.body);
		else
			on_event(c, f.body);
		return;
	}
	r = f.type == PRIV_FRAME_REQUEST ? NULL : take_request(c, &f);
	if (!r) {
		log_warn("the helper answered a request that is not open: %" PRIu64, f.number);
		return;
	}
	on_reply(r, &f);
}

int priv_client_new(struct priv_client **out, struct loop *l, int fd,
		    const struct priv_client_hooks *hooks, struct err *e)
{
	auto_priv_client struct priv_client *c = mem_zero(sizeof(*c));

	c->loop = l;
	if (hooks)
		c->hooks = *hooks;
	if (stream_new(&c->stream, l, fd, PRIV_FRAME_MAX, on_frame, c, e) < 0)
		return -1;
	*out = steal(&c);
	return 0;
}

static void free_requests(struct request *r)
{
	while (r) {
		struct request *next = r->next;

		free(r);
		r = next;
	}
}

void priv_client_free(struct priv_client *c)
{
	if (!c)
		return;
	stream_free(steal(&c->stream));
	loop_timer_del(steal(&c->timer));
	free_requests(steal(&c->open));
	free_requests(steal(&c->dead));
	c->freed = true;
	if (!c->burying)
		free(c);
}

size_t priv_client_open(const struct priv_client *c)
{
	size_t n = 0;

	for (const struct request *r = c->open; r; r = r->next)
		n++;
	for (const struct request *r = c->dead; r; r = r->next)
		n++;
	return n;
}

static int send_request(struct priv_client *c, const struct request *r, const void *msg,
			struct err *e)
{
	auto_buf struct buf out = BUF(PRIV_FRAME_MAX);

	if (!c->stream)
		return err_set(e, ERRK_PEER, "the host helper is gone");
	priv_frame_begin(&out, PRIV_FRAME_REQUEST, r->kind, r->number);
	if (wire_encode(&out, priv_request_table(r->kind), msg, e) < 0)
		return err_wrap(e, "%s", priv_kind_name(r->kind));
	return stream_send(c->stream, out.p, out.n, NULL, e);
}

static void call(struct priv_client *c, const void *msg, struct request like)
{
	struct request *r = mem_dup(&like, sizeof(like));

	r->number = ++c->last;
	if (send_request(c, r, msg, &r->err) < 0) {
		let_die(c, r);
		return;
	}
	r->next = c->open;
	c->open = r;
}

#define X(upper, lower)                                                                            \
	static void deliver_##lower(any_fn *fn, void *ctx, const void *reply, const struct err *e) \
	{                                                                                          \
		((priv_##lower##_fn *)fn)(ctx, reply, e);                                          \
	}                                                                                          \
                                                                                                   \
	void priv_client_##lower(struct priv_client *c, const struct priv_##lower *m,              \
				 priv_##lower##_fn *fn, void *ctx)                                 \
	{                                                                                          \
		call(c, m,                                                                         \
		     (struct request){.kind = PRIV_##upper,                                        \
				      .deliver = deliver_##lower,                                  \
				      .fn = (any_fn *)fn,                                          \
				      .ctx = ctx});                                                \
	}
PRIV_KINDS(X)
#undef X
