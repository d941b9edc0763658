/* A request on its way through a worker, and what its answer changes in the list: helper_own.h. */
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "helper/disk.h"
#include "helper/helper_own.h"
#include "helper/links.h"
#include "helper/offer.h"

union any_reply {
#define X(upper, lower) struct priv_##lower##_reply lower;
	PRIV_KINDS(X)
#undef X
};

static void task_run(void *ctx, struct buf *out)
{
	struct task *t = ctx;
	union any_reply reply = {0};
	struct err err;

	if (t->run(&t->job, &reply, &err) == 0 && priv_reply_frame(out, t->call, &reply, &err) == 0)
		return;
	buf_reset(out);
	priv_error_frame(out, t->call, &err);
}

/* What the answer says of its network is newer than the last look at it. */
static void after_net(struct helper *h, struct lease *l, struct str body)
{
	struct priv_net_reply r;
	struct err err;

	if (wire_decode(&r, priv_reply_table(PRIV_BOX_NET), body, &err) < 0 || !r.found ||
	    l->net.cut == r.cut)
		return;
	l->net.cut = r.cut;
	helper_on_state(h, l);
}

/* Written down after it was done: core asks again where it does not hear of it. */
static void after_grow(const struct task *t, struct lease *l, struct str body)
{
	const struct priv_grow *m = t->msg;
	struct priv_grow_reply r;
	struct record rec = l->rec;
	struct err err;

	if (wire_decode(&r, priv_reply_table(PRIV_BOX_GROW), body, &err) < 0)
		return;
	if (r.grown && m->volume_bytes > rec.volume_bytes) {
		rec.volume_bytes = m->volume_bytes;
		if (record_write(&rec, t->h->c, &err) < 0)
			log_broken("lease %s: %s", rec.id, err.msg);
		l->rec = rec;
	}
	wire_clear(&r, priv_reply_table(PRIV_BOX_GROW));
}

/* A lease that was erased leaves the list; one that was started gets its keeper's ear. */
static void after_task(struct helper *h, const struct task *t, struct str body)
{
	struct lease *l = table_find(&h->leases, t->job.rec.id);
	struct priv_destroy_reply r;
	struct err err;

	if (!l)
		return;
	if (t->call.kind == PRIV_BOX_START)
		link_open(l, h->loop);
	disk_watch(l);
	if (t->call.kind == PRIV_BOX_GROW)
		after_grow(t, l, body);
	if (t->call.kind == PRIV_BOX_NET)
		after_net(h, l, body);
	if (t->call.kind == PRIV_BOX_STOP && l->status.state == PRIV_BOX_RUNNING)
		l->said = false; /* its keeper told the worker first */
	if (t->call.kind != PRIV_BOX_DESTROY ||
	    wire_decode(&r, priv_reply_table(PRIV_BOX_DESTROY), body, &err) < 0)
		return;
	if (r.erased)
		table_remove(&h->leases, l);
	else
		log_broken("lease %s is not erased: %s", t->job.rec.id, r.message);
	wire_clear(&r, priv_reply_table(PRIV_BOX_DESTROY));
}

void task_drop(void *task)
{
	struct task *t = task;

	if (t->msg)
		wire_clear(t->msg, priv_request_table(t->call.kind));
	free(t->msg);
	locked_free(t->key);
	free(t->ref);
	free(t);
}

bool task_is_heard(const struct task *t)
{
	return t->h->server && t->connection == t->h->connection;
}

static bool is_command(enum priv_kind k)
{
	return k == PRIV_BOX_EXEC || k == PRIV_BOX_PUT || k == PRIV_BOX_GET || k == PRIV_BOX_SAVE ||
	       k == PRIV_BOX_LOAD || k == PRIV_BOX_SNAPSHOT;
}

bool task_is_check(enum priv_kind k, const void *msg)
{
	return k == PRIV_BOX_EXEC && ((const struct priv_exec *)msg)->check;
}

void helper_command_ended(const struct task *t)
{
	struct lease *l = table_find(&t->h->leases, t->job.rec.id);
	unsigned *n = !l ? NULL : task_is_check(t->call.kind, t->msg) ? &l->checks : &l->commands;

	if (is_command(t->call.kind) && n && *n > 0)
		--*n;
}

static void task_done(void *ctx, struct str result)
{
	struct task *t = ctx;
	struct helper *h = t->h;
	struct lease *l = table_find(&h->leases, t->job.rec.id);
	struct priv_frame f;
	struct err err;

	helper_command_ended(t);
	if (l && t->call.kind == PRIV_BOX_GROW)
		l->growing = 0; /* what came of it is in its record */
	if (result.n == 0 || priv_frame_parse(&f, (const uint8_t *)result.p, result.n, &err) < 0) {
		err_set(&err, ERRK_SYS, "the worker for %s died", priv_kind_name(t->call.kind));
		if (task_is_heard(t))
			priv_server_fail(h->server, t->call, &err);
		task_drop(t);
		return;
	}
	if (f.type == PRIV_FRAME_REPLY && fetch_after_image(t, f.body))
		return;
	if (f.type == PRIV_FRAME_REPLY)
		after_task(h, t, f.body);
	if (task_is_heard(t))
		priv_server_forward(h->server, result);
	task_drop(t);
}

struct task *task_new(struct helper *h, struct priv_call call, void *msg, job_fn *run)
{
	struct task *t = mem_zero(sizeof(*t));
	size_t size = priv_request_table(call.kind)->size;

	*t = (struct task){.h = h, .call = call, .connection = h->connection, .run = run};
	t->msg = mem_dup(msg, size);
	memset(msg, 0, size);
	t->job = (struct job){.c = h->c, .backend = offer_backend(h->c, NULL), .msg = t->msg};
	return t;
}

void task_start(struct task *t)
{
	struct helper *h = t->h;

	worker_start_knowing(is_command(t->call.kind) ? h->commands : h->workers, task_run,
			     task_done, task_drop, t, t->key);
}

void task_set_lease(struct task *t, const struct lease *l)
{
	t->job.rec = l->rec;
	t->job.backend = record_backend(&l->rec);
	t->job.known = true;
	t->job.prepared = l->prepared;
	t->job.cut = l->net.cut;
}

/* What a lease that is not in the list may have left: everything is named by its id. */
static void set_stranger(struct task *t, const char *id)
{
	struct record *r = &t->job.rec;

	memcpy(r->id, id, sizeof(r->id));
	memcpy(r->volume, id, sizeof(r->id));
	r->activation = t->h->c->activation;
	r->survives = t->h->c->survives;
}

struct task *task_of_lease(struct helper *h, struct priv_call call, void *msg, job_fn *run)
{
	/* Requests that name a lease begin with its id. */
	const char *id = msg;
	const struct lease *l = table_find(&h->leases, id);
	char copy[PRIV_ID_LEN + 1];
	struct task *t;

	memcpy(copy, id, sizeof(copy));
	t = task_new(h, call, msg, run);
	if (l)
		task_set_lease(t, l);
	else
		set_stranger(t, copy);
	return t;
}

void task_start_alone(struct lease *l, job_fn *run)
{
	struct priv_call call = {PRIV_BOX_STOP, 0};
	struct priv_stop m = {.grace_ms = 0};
	struct task *t;

	memcpy(m.id, l->rec.id, sizeof(m.id));
	t = task_new(l->h, call, &m, run);
	t->connection = 0;
	task_set_lease(t, l);
	task_start(t);
}
