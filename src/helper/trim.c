/* One lease a turn, in order of ids; see trim.h. */
#include "helper/trim.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "helper/job.h"

#define TURN_MS	   30000
#define WORTH	   ((uint64_t)64 << 20) /* bytes, and … */
#define WORTH_PART 16			/* … so small a part of the volume, that are given back */

struct trimmer {
	struct loop *loop;
	const struct helper_config *c;
	const struct table *leases;
	struct workers *workers;
	struct loop_timer *timer;
	char last[PRIV_ID_LEN + 1];
};

struct turn {
	struct trimmer *t;
	struct job job;
};

/* Under the lease's lock: nothing closes the volume meanwhile. */
static void turn_run(void *ctx, struct buf *out)
{
	const struct turn *x = ctx;
	struct volume v = record_volume(&x->job.rec, x->job.c);
	auto_close int lock = -1;
	struct err err;
	int r = job_lock(&lock, &x->job, &err);

	if (r == 0)
		r = volume_trim(&v, &err);
	if (r < 0)
		log_warn("lease %s: %s", x->job.rec.id, err.msg);
	buf_byte(out, 1);
}

static void arm(struct trimmer *t);

static void turn_done(void *ctx, struct str result)
{
	struct turn *x = ctx;

	(void)result;
	arm(x->t);
	free(x);
}

static void begin(struct trimmer *t, const struct lease *l)
{
	struct turn *x = mem_zero(sizeof(*x));

	*x = (struct turn){t, {.c = t->c, .rec = l->rec, .known = true}};
	worker_start(t->workers, turn_run, turn_done, free, x);
}

static bool is_worth_it(const struct trimmer *t, const struct record *r)
{
	struct volume v = record_volume(r, t->c);
	uint64_t excess = volume_excess(&v);

	return excess >= WORTH && excess >= r->volume_bytes / WORTH_PART;
}

static void turn(void *ctx)
{
	struct trimmer *t = ctx;
	size_t i = table_after(t->leases, t->last);
	const struct lease *l = i < t->leases->n ? t->leases->v[i] : NULL;

	t->timer = NULL;
	memset(t->last, 0, sizeof(t->last));
	if (l)
		memcpy(t->last, l->rec.id, sizeof(t->last));
	if (l && is_worth_it(t, &l->rec))
		begin(t, l);
	else
		arm(t);
}

/* All leases once in half an hour or so, however few there are. */
static void arm(struct trimmer *t)
{
	t->timer = loop_timer_add(t->loop, TURN_MS, turn, t);
}

struct trimmer *trimmer_new(struct loop *l, const struct helper_config *c,
			    const struct table *leases, struct workers *w)
{
	struct trimmer *t = mem_zero(sizeof(*t));

	*t = (struct trimmer){.loop = l, .c = c, .leases = leases, .workers = w};
	arm(t);
	return t;
}

void trimmer_free(struct trimmer *t)
{
	if (!t)
		return;
	loop_timer_del(t->timer);
	free(t);
}
