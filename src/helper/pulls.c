/* The queue of pulls and who waits for each: see pulls.h. */
#include "helper/pulls.h"

#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"

#define WAITING_MAX 64
#define PROGRESS_MS 1000
#define AUTH_KEPT_S 900 /* a request lives no longer */
#define AUTHS_MAX   256

struct waiter {
	struct waiter *next;
	struct pull_ear ear;
};

struct pull {
	struct pull *next;
	struct pulls *all;
	struct pull_want want; /* strings are owned */
	struct pull_task task;
	struct pull_meter *meter; /* NULL: waits for its turn */
	uint64_t told;
	struct waiter *waiters;
};

struct kept_auth {
	struct kept_auth *next;
	char lease[PRIV_ID_LEN + 1];
	char *auth;
	int64_t until;
};

struct pulls {
	struct loop *loop;
	const struct helper_config *c;
	struct workers *workers, *erasers;
	struct pull *list; /* oldest first */
	struct kept_auth *auths;
	struct loop_timer *timer;
	uint32_t used; /* slots, a bit each */
	bool stopping;
};

static void free_secret(char *s)
{
	if (s)
		wipe(s, strlen(s));
	free(s);
}

static void pull_free(struct pull *x)
{
	if (x->meter)
		munmap(x->meter, sizeof(*x->meter));
	free((char *)x->want.ref);
	free((char *)x->want.digest);
	free_secret((char *)x->want.auth);
	free(x);
}

static void go_on(struct pulls *p);

/* --- its end --- */

static void unlink_pull(struct pull *x)
{
	for (struct pull **at = &x->all->list; *at; at = &(*at)->next) {
		if (*at == x) {
			*at = x->next;
			return;
		}
	}
}

static void tell_all(struct pull *x, const struct priv_image_reply *r)
{
	while (x->waiters) {
		struct waiter *w = x->waiters;

		x->waiters = w->next;
		w->ear.done(w->ear.ctx, r);
		free(w);
	}
}

struct cleaning {
	struct pulls *p;
	uint32_t slot;
};

static void clean_run(void *ctx, struct buf *out)
{
	struct cleaning *c = ctx;
	struct err err;

	if (job_pull_clean(c->p->c, c->slot, &err) < 0)
		log_warn("pull: %s", err.msg);
	buf_byte(out, 0);
}

static void clean_done(void *ctx, struct str result)
{
	struct cleaning *c = ctx;
	struct pulls *p = c->p;

	p->used &= ~(UINT32_C(1) << c->slot);
	free(c);
	go_on(p);
}

/* Its slot is free only when what it left is gone. */
static void clean_up(struct pulls *p, uint32_t slot)
{
	struct cleaning *c = mem_zero(sizeof(*c));

	*c = (struct cleaning){p, slot};
	worker_start(p->erasers, clean_run, clean_done, free, c);
}

static void pull_done(void *ctx, struct str result)
{
	struct pull *x = ctx;
	struct pulls *p = x->all;
	const struct wire_table *t = priv_reply_table(PRIV_IMAGE);
	struct priv_image_reply r = {0};
	struct err err;
	bool died = result.n == 0 || wire_decode(&r, t, result, &err) < 0;

	unlink_pull(x);
	if (died)
		r = (struct priv_image_reply){
			.outcome = PRIV_IMAGE_UNREACHABLE,
			.message = mem_printf("image %.200s: the pull was ended", x->want.ref)};
	tell_all(x, &r);
	if (died)
		clean_up(p, x->task.slot);
	else
		p->used &= ~(UINT32_C(1) << x->task.slot);
	wire_clear(&r, t);
	pull_free(x);
	go_on(p);
}

static void pull_drop(void *ctx)
{
	struct pull *x = ctx;

	x->meter = NULL; /* pulls_free has the rest */
}

/* --- its begin --- */

static void pull_run(void *ctx, struct buf *out)
{
	struct pull *x = ctx;
	const struct wire_table *t = priv_reply_table(PRIV_IMAGE);
	struct priv_image_reply r = {0};
	struct err err;

	job_pull(&x->task, &r);
	if (wire_encode(out, t, &r, &err) < 0) {
		log_broken("pull: %s", err.msg);
		buf_reset(out);
	}
	wire_clear(&r, t);
}

static bool find_slot(const struct pulls *p, uint32_t *slot)
{
	for (*slot = 0; *slot < p->c->pull->at_once; ++*slot)
		if (!(p->used >> *slot & 1))
			return true;
	return false;
}

static void on_timer(void *ctx);

static void start(struct pull *x, uint32_t slot)
{
	struct pulls *p = x->all;
	void *page = mmap(NULL, sizeof(*x->meter), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		abort(); /* as every allocation of ours */
	x->meter = page;
	p->used |= UINT32_C(1) << slot;
	x->task = (struct pull_task){p->c, x->want, slot, x->meter};
	if (!p->timer)
		p->timer = loop_timer_add(p->loop, PROGRESS_MS, on_timer, p);
	worker_start(p->workers, pull_run, pull_done, pull_drop, x);
}

static void go_on(struct pulls *p)
{
	uint32_t slot;

	for (struct pull *x = p->list; x && !p->stopping; x = x->next) {
		if (x->meter)
			continue;
		if (!find_slot(p, &slot))
			return;
		start(x, slot);
	}
}

static void on_timer(void *ctx)
{
	struct pulls *p = ctx;
	bool busy = false;

	p->timer = NULL;
	for (struct pull *x = p->list; x; x = x->next) {
		uint64_t bytes = x->meter ? x->meter->bytes : 0;

		busy = busy || x->meter;
		if (bytes == x->told)
			continue;
		x->told = bytes;
		for (struct waiter *w = x->waiters; w; w = w->next)
			if (w->ear.progress)
				w->ear.progress(w->ear.ctx, bytes, x->meter->of);
	}
	if (busy)
		p->timer = loop_timer_add(p->loop, PROGRESS_MS, on_timer, p);
}

/* --- asking --- */

static bool same(const struct pull_want *a, const struct pull_want *b)
{
	/* a digest is the same image under any name, but not for any credentials */
	return a->kind == b->kind && strcmp(a->digest, b->digest) == 0 &&
	       strcmp(a->auth, b->auth) == 0 && strcmp(a->ref, b->ref) == 0;
}

static struct pull *find(const struct pulls *p, const struct pull_want *w, size_t *n)
{
	struct pull *found = NULL;

	*n = 0;
	for (struct pull *x = p->list; x; x = x->next, ++*n)
		if (!found && same(&x->want, w))
			found = x;
	return found;
}

static struct pull *add(struct pulls *p, const struct pull_want *w)
{
	struct pull *x = mem_zero(sizeof(*x)), **at = &p->list;

	*x = (struct pull){.all = p, .want = *w};
	x->want.ref = mem_strdup(w->ref);
	x->want.digest = mem_strdup(w->digest);
	x->want.auth = mem_strdup(w->auth);
	while (*at)
		at = &(*at)->next;
	*at = x;
	return x;
}

int pulls_ask(struct pulls *p, const struct pull_want *w, const struct pull_ear *ear, struct err *e)
{
	struct waiter *waiter;
	size_t n;
	struct pull *x = find(p, w, &n);

	if (p->stopping)
		return err_set(e, ERRK_STATE, "the provider is being stopped");
	if (!x && n >= WAITING_MAX)
		return err_set(e, ERRK_LIMIT, "too many images are being pulled; ask again");
	if (!x)
		x = add(p, w);
	waiter = mem_zero(sizeof(*waiter));
	waiter->ear = *ear;
	waiter->next = x->waiters;
	x->waiters = waiter;
	go_on(p);
	return 0;
}

/* --- credentials --- */

static void drop_auth(struct kept_auth **at)
{
	struct kept_auth *a = *at;

	*at = a->next;
	free_secret(a->auth);
	free(a);
}

char *pulls_take_auth(struct pulls *p, const char *lease)
{
	char *found = NULL;

	for (struct kept_auth **at = &p->auths; *at;) {
		if (!found && strcmp((*at)->lease, lease) == 0)
			found = steal(&(*at)->auth);
		if (!(*at)->auth || (*at)->until < clock_wall())
			drop_auth(at);
		else
			at = &(*at)->next;
	}
	return found ? found : mem_strdup("");
}

void pulls_keep_auth(struct pulls *p, const char *lease, const char *auth)
{
	struct kept_auth *a = mem_zero(sizeof(*a));
	size_t n = 0;

	free_secret(pulls_take_auth(p, lease)); /* of this lease only the last */
	memcpy(a->lease, lease, strnlen(lease, PRIV_ID_LEN));
	a->auth = mem_strdup(auth);
	a->until = clock_wall() + AUTH_KEPT_S;
	a->next = p->auths;
	p->auths = a;
	for (struct kept_auth **at = &p->auths; *at;) {
		if (n++ >= AUTHS_MAX)
			drop_auth(at);
		else
			at = &(*at)->next;
	}
}

/* --- life --- */

struct pulls *pulls_new(struct loop *l, const struct helper_config *c, struct workers *erasers)
{
	struct pulls *p = mem_zero(sizeof(*p));

	p->loop = l;
	p->c = c;
	p->erasers = erasers;
	p->workers = workers_new(l, c->pull->at_once);
	return p;
}

void pulls_stop(struct pulls *p)
{
	p->stopping = true;
	workers_kill(p->workers);
}

bool pulls_busy(const struct pulls *p)
{
	return p->used != 0;
}

void pulls_free(struct pulls *p)
{
	if (!p)
		return;
	loop_timer_del(p->timer);
	workers_kill(p->workers);
	workers_free(p->workers);
	while (p->list) {
		struct pull *x = p->list;

		p->list = x->next;
		while (x->waiters) {
			struct waiter *w = x->waiters;

			x->waiters = w->next;
			w->ear.drop(w->ear.ctx);
			free(w);
		}
		pull_free(x);
	}
	while (p->auths)
		drop_auth(&p->auths);
	free(p);
}
