/* Filling, handing out and erasing prepared volumes, one job at a time. */
#include "helper/pool.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "helper/job.h"
#include "volume/speed.h"

#define POOL_PREFIX "pool-"
#define RETRY_MS    60000

struct spare {
	struct spare *next;
	char id[VOLUME_ID_MAX + 1];
	uint64_t bytes;
	bool ready;
};

struct pool {
	struct loop *loop;
	const struct helper_config *c;
	struct workers *workers;
	struct spare *list;
	struct loop_timer *retry;
	pool_used_fn *used; /* during the sweep, in the worker */
	void *used_ctx;
	bool busy, closing;
	pool_done_fn *done;
	void *done_ctx;
};

/* What a worker was asked to do. */
struct task {
	struct pool *p;
	char id[VOLUME_ID_MAX + 1];
	uint64_t bytes;
};

static void go_on(struct pool *p);

static void put_outcome(struct buf *out, int result, const struct err *e)
{
	buf_byte(out, result == 0);
	if (result < 0)
		buf_puts(out, e->msg);
}

/* True for success; otherwise logged. */
static bool outcome(struct str result, const char *what)
{
	if (result.n > 0 && result.p[0] == 1)
		return true;
	log_warn("%s: %.*s", what, result.n ? (int)result.n - 1 : 0, result.n ? result.p + 1 : "");
	return false;
}

static unsigned count_of(const struct pool *p, uint64_t bytes)
{
	unsigned n = 0;

	for (const struct spare *s = p->list; s; s = s->next)
		n += s->bytes == bytes;
	return n;
}

static void drop_spare(struct pool *p, const char *id)
{
	for (struct spare **at = &p->list; *at; at = &(*at)->next) {
		struct spare *s = *at;

		if (strcmp(s->id, id) == 0) {
			*at = s->next;
			free(s);
			return;
		}
	}
}

/* making */

static void on_retry(void *ctx)
{
	struct pool *p = ctx;

	p->retry = NULL;
	go_on(p);
}

static void make_run(void *ctx, struct buf *out)
{
	struct task *t = ctx;
	struct err err, ignored;
	int r = job_prepare(t->p->c, t->id, t->bytes, &err);

	if (r < 0 && job_unprepare(t->p->c, t->id, &ignored) < 0)
		log_warn("volume %s: %s", t->id, ignored.msg);
	put_outcome(out, r, &err);
}

static void make_done(void *ctx, struct str result)
{
	struct task *t = ctx;
	struct pool *p = t->p;

	p->busy = false;
	if (outcome(result, "preparing a volume")) {
		for (struct spare *s = p->list; s; s = s->next)
			if (strcmp(s->id, t->id) == 0)
				s->ready = true;
	} else {
		drop_spare(p, t->id);
		if (!p->retry && !p->closing)
			p->retry = loop_timer_add(p->loop, RETRY_MS, on_retry, p);
	}
	free(t);
	go_on(p);
}

static struct spare *add_spare(struct pool *p, uint64_t bytes)
{
	struct spare *s = mem_zero(sizeof(*s));

	s->bytes = bytes;
	s->next = p->list;
	p->list = s;
	return s;
}

static void make_one(struct pool *p, uint64_t bytes)
{
	struct spare *s = add_spare(p, bytes);
	struct task *t = mem_zero(sizeof(*t));

	snprintf(s->id, sizeof(s->id), "%s%016" PRIx64, POOL_PREFIX, rand_below(UINT64_MAX));
	*t = (struct task){.p = p, .bytes = bytes};
	memcpy(t->id, s->id, sizeof(t->id));
	p->busy = true;
	worker_start(p->workers, make_run, make_done, free, t);
}

/* erasing */

static void erase_run(void *ctx, struct buf *out)
{
	struct task *t = ctx;
	struct err err;

	put_outcome(out, job_unprepare(t->p->c, t->id, &err), &err);
}

static void erase_done(void *ctx, struct str result)
{
	struct task *t = ctx;
	struct pool *p = t->p;

	p->busy = false;
	outcome(result, "erasing a prepared volume");
	drop_spare(p, t->id);
	free(t);
	go_on(p);
}

static void erase_one(struct pool *p)
{
	struct task *t = mem_zero(sizeof(*t));

	t->p = p;
	memcpy(t->id, p->list->id, sizeof(t->id));
	p->busy = true;
	worker_start(p->workers, erase_run, erase_done, free, t);
}

static void go_on(struct pool *p)
{
	if (p->busy)
		return;
	if (p->closing && p->list) {
		erase_one(p);
		return;
	}
	if (p->closing) {
		pool_done_fn *done = steal(&p->done);

		if (done)
			done(p->done_ctx);
		return;
	}
	if (p->retry)
		return;
	for (size_t i = 0; i < p->c->nprepared; i++) {
		const struct helper_prepared *want = &p->c->prepared[i];

		if (count_of(p, want->bytes) < want->count) {
			make_one(p, want->bytes);
			return;
		}
	}
}

/* what an earlier helper left */

static int sweep_one(void *ctx, const char *id)
{
	struct pool *p = ctx;
	struct err err;

	/* prepared ones that nobody took */
	if (strncmp(id, POOL_PREFIX, sizeof(POOL_PREFIX) - 1) != 0 || p->used(p->used_ctx, id))
		return 0;
	if (job_unprepare(p->c, id, &err) < 0)
		log_warn("volume %s: %s", id, err.msg);
	return 0;
}

/* Once for this kind of volume, while nobody waits for one. */
static void measure_once(const struct helper_config *c)
{
	struct volume v = {.state_dir = c->state_dir,
			   .run_dir = c->run_dir,
			   .id = POOL_PREFIX "speed",
			   .activation = c->activation};
	struct err err;

	if (!volume_speed(c->state_dir, c->activation) && volume_measure(&v, &err) < 0)
		log_warn("speed of volumes: %s", err.msg);
}

static void sweep_run(void *ctx, struct buf *out)
{
	struct task *t = ctx;
	struct err err;

	put_outcome(out, volume_each(t->p->c->state_dir, t->p->c->run_dir, sweep_one, t->p, &err),
		    &err);
	measure_once(t->p->c);
}

static void sweep_done(void *ctx, struct str result)
{
	struct task *t = ctx;
	struct pool *p = t->p;

	p->busy = false;
	outcome(result, "looking for left volumes");
	free(t);
	go_on(p);
}

void pool_open(struct pool *p, pool_used_fn *used, void *ctx)
{
	struct task *t = mem_zero(sizeof(*t));

	t->p = p;
	p->used = used;
	p->used_ctx = ctx;
	p->busy = true;
	worker_start(p->workers, sweep_run, sweep_done, free, t);
}

bool pool_take(struct pool *p, uint64_t bytes, char id[static VOLUME_ID_MAX + 1])
{
	for (struct spare *s = p->list; s; s = s->next) {
		if (!s->ready || s->bytes != bytes || p->closing)
			continue;
		memcpy(id, s->id, sizeof(s->id));
		drop_spare(p, id);
		/* Refill when the lease is up: now its start needs the processor. */
		if (!p->retry)
			p->retry = loop_timer_add(p->loop, 1000, on_retry, p);
		return true;
	}
	return false;
}

void pool_give_back(struct pool *p, uint64_t bytes, const char *id)
{
	struct spare *s = add_spare(p, bytes);

	memcpy(s->id, id, strlen(id) + 1);
	s->ready = true;
}

void pool_close(struct pool *p, pool_done_fn *done, void *ctx)
{
	p->closing = true;
	p->done = done;
	p->done_ctx = ctx;
	go_on(p);
}

unsigned pool_ready(const struct pool *p)
{
	unsigned n = 0;

	for (const struct spare *s = p->list; s; s = s->next)
		n += s->ready;
	return n;
}

uint64_t pool_bytes(const struct pool *p)
{
	uint64_t n = 0;

	for (const struct spare *s = p->list; s; s = s->next)
		n += s->bytes;
	return n;
}

struct pool *pool_new(struct loop *l, const struct helper_config *c, struct workers *w)
{
	struct pool *p = mem_zero(sizeof(*p));

	p->loop = l;
	p->c = c;
	p->workers = w;
	return p;
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	loop_timer_del(p->retry);
	while (p->list)
		drop_spare(p, p->list->id);
	free(p);
}
