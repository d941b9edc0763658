/* Requests of core: checked against the helper's own list, then answered here or by a worker. */
#include "helper/helper.h"

#include <limits.h>
#include <string.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "crypto/hash.h"
#include "helper/helper_own.h"
#include "helper/links.h"
#include "helper/offer.h"
#include "helper/probe.h"
#include "helper/publish.h"
#include "helper/stats.h"

#define WORKERS 16

struct loop *helper_loop(const struct helper *h)
{
	return h->loop;
}

const struct helper_config *helper_config(const struct helper *h)
{
	return h->c;
}

size_t helper_leases(const struct helper *h)
{
	return h->leases.n;
}

static void start_lease_task(struct helper *h, struct priv_call call, void *msg, job_fn *run)
{
	task_start(task_of_lease(h, call, msg, run));
}

/* BOX_START */

static struct lease *new_lease(struct helper *h, const struct priv_start *m, struct err *e)
{
	struct record r = {.volume_bytes = m->volume_bytes,
			   .inodes = m->spec.limits.inodes,
			   .bandwidth = m->spec.limits.bandwidth,
			   .activation = h->c->activation,
			   .survives = h->c->survives,
			   .own_key = m->spec.own_key,
			   .kept = *m->spec.kept != 0};
	struct lease *l;
	bool prepared;

	memcpy(r.id, m->id, sizeof(r.id));
	memcpy(r.owner, m->owner, sizeof(r.owner));
	memcpy(r.volume, m->id, sizeof(m->id));
	record_set_backend(&r, offer_backend(h->c, offer_find(h->c, m->offer)));
	if (offer_fill(&r, &h->leases, h->c, m, e) < 0 ||
	    table_take_slot(&r, &h->leases, h->c, e) < 0)
		return NULL;
	prepared = r.inodes == 0 && !*m->spec.kept && !r.own_key &&
		   pool_take(h->pool, r.volume_bytes, r.volume);
	if (record_write(&r, h->c, e) < 0) {
		if (prepared && record_remove(h->c, r.id, NULL) == 0)
			pool_give_back(h->pool, r.volume_bytes, r.volume);
		return NULL;
	}
	l = table_add(&h->leases, &r);
	l->h = h;
	l->prepared = prepared;
	watch_wake(h->watch);
	return l;
}

static int old_lease(struct helper *h, struct lease *l, const struct priv_start *m, struct err *e)
{
	struct record r = l->rec;

	if (strcmp(r.owner, m->owner) != 0)
		return err_set(e, ERRK_DENIED, "lease %s is somebody else's", m->id);
	if (m->generation <= r.generation)
		return 0;
	if (offer_fill(&r, &h->leases, h->c, m, e) < 0 || record_write(&r, h->c, e) < 0)
		return -1;
	l->rec = r;
	stream_free(steal(&l->link)); /* of the keeper before */
	l->said = false;
	return 0;
}

/* Bytes that are somebody's already. */
static uint64_t promised(const struct helper *h)
{
	return pool_bytes(h->pool) + table_promised(&h->leases, h->c->state_dir);
}

/* What would be written or mounted by a record that says more than this version knows. */
static int refuse_strange(const struct lease *l, struct err *e)
{
	if (l->rec.known == RECORD_WHOLE)
		return 0;
	return err_set(
		e, ERRK_STATE,
		"another version of leased wrote its record, or it is damaged: it can only run "
		"on and end");
}

static bool refused_strange(struct helper *h, struct priv_call call, const void *msg)
{
	const struct lease *l = table_find(&h->leases, msg); /* it begins with the id */
	struct err err;

	if (!l || refuse_strange(l, &err) == 0)
		return false;
	priv_server_fail(h->server, call, &err);
	return true;
}

static void on_start(struct helper *h, struct priv_call call, struct priv_start *m)
{
	struct lease *l = table_find(&h->leases, m->id);
	uint64_t others = promised(h);
	const struct priv_start *owned;
	auto_locked char *key = NULL;
	struct task *t;
	struct err err;

	/* workers of other tasks see a copy of the message, and may run for hours */
	if (m->key.n == VOLUME_KEY_HEX && locked_take(&key, m->key.p, m->key.n, &err) < 0)
		l = NULL;
	else if (l && refuse_strange(l, &err) < 0)
		l = NULL;
	else if (l && old_lease(h, l, m, &err) < 0)
		l = NULL;
	else if (!l)
		l = new_lease(h, m, &err);
	if (!l) {
		priv_server_fail(h->server, call, &err);
		return;
	}
	t = task_new(h, call, m, job_start);
	task_set_lease(t, l);
	t->job.promised = others;
	t->key = steal(&key);
	t->job.key = t->key;
	owned = t->msg;
	if (l->said && l->status.generation >= owned->generation)
		fetch_and_start(t, NULL, ""); /* was started before */
	else
		fetch_and_start(t, owned->spec.image, owned->spec.digest);
}

/* the quick ones */

static void on_ping(struct helper *h, struct priv_call call)
{
	struct priv_ping_reply r = {PRIV_VERSION, (uint32_t)getpid()};

	priv_server_reply(h->server, call, &r);
}

static void on_node(struct helper *h, struct priv_call call)
{
	struct priv_node_reply r = {0};

	probe_daemons(h->probed, h->c);
	node_measure(&r, &h->meter, h->c, h->probed);
	r.net_repairs = watch_repairs(h->watch);
	r.net_down = watch_is_down(h->watch);
	r.leases = (uint32_t)h->leases.n;
	for (size_t i = 0; i < h->leases.n; i++)
		r.running +=
			h->leases.v[i]->said && h->leases.v[i]->status.state == PRIV_BOX_RUNNING;
	r.strange = table_strange(&h->leases);
	r.prepared = pool_ready(h->pool);
	r.disk_prepared = pool_bytes(h->pool);
	priv_server_reply(h->server, call, &r);
	wire_clear(&r, priv_reply_table(PRIV_NODE));
}

/* A keeper's own words are the answer; without them a worker looks. */
static void on_inspect(struct helper *h, struct priv_call call, struct priv_inspect *m)
{
	const struct lease *l = table_find(&h->leases, m->id);
	struct priv_inspect_reply r;

	if (!l || !l->said) {
		start_lease_task(h, call, m, job_inspect);
		return;
	}
	r = (struct priv_inspect_reply){.state = l->status.state,
					.why = l->status.why,
					.exit_status = l->status.exit_status,
					.started_ms = l->status.started_ms,
					.ended_ms = l->status.ended_ms,
					.deadline = l->rec.deadline,
					.generation = l->status.generation,
					.cut = l->net.cut};
	priv_server_reply(h->server, call, &r);
}

static void on_deadline(struct helper *h, struct priv_call call, struct priv_deadline *m)
{
	struct lease *l = table_find(&h->leases, m->id);
	struct record r;
	struct err err;

	if (l) {
		r = l->rec;
		r.deadline = m->deadline;
		if (r.known == RECORD_WHOLE && record_write(&r, h->c, &err) < 0) {
			priv_server_fail(h->server, call, &err);
			return;
		}
		l->rec = r;
		if (!l->link)
			link_open(l, h->loop); /* moves our own timer where there is no keeper */
	}
	start_lease_task(h, call, m, job_deadline);
}

static void refuse_command(struct helper *h, struct priv_call call)
{
	auto_free char *message = mem_printf("%d commands run in it already", JOB_COMMANDS_MAX);
	const struct priv_exec_reply exec = {.outcome = PRIV_EXEC_FAILED, .message = message};
	const struct priv_put_reply put = {.outcome = PRIV_COPY_FAILED, .message = message};
	const struct priv_get_reply get = {.outcome = PRIV_COPY_FAILED, .message = message};
	const struct priv_save_reply save = {.outcome = PRIV_COPY_FAILED, .message = message};
	const struct priv_load_reply load = {.outcome = PRIV_COPY_FAILED, .message = message};
	const struct priv_snapshot_reply snapshot = {.outcome = PRIV_COPY_FAILED,
						     .message = message};

	priv_server_reply(h->server, call,
			  call.kind == PRIV_BOX_EXEC	   ? (const void *)&exec
			  : call.kind == PRIV_BOX_PUT	   ? (const void *)&put
			  : call.kind == PRIV_BOX_SAVE	   ? (const void *)&save
			  : call.kind == PRIV_BOX_LOAD	   ? (const void *)&load
			  : call.kind == PRIV_BOX_SNAPSHOT ? (const void *)&snapshot
							   : &get);
}

static void refuse_image(struct helper *h, struct priv_call call, const struct lease *l)
{
	auto_free char *message =
		mem_printf("backend %s runs no other image beside the lease's own",
			   record_backend(&l->rec)->name);
	const struct priv_exec_reply r = {.outcome = PRIV_EXEC_FAILED, .message = message};

	priv_server_reply(h->server, call, &r);
}

/* May one more begin? Then it is counted. A check is no owner's command, and takes no place of one.
 */
static bool count_command(struct helper *h, struct priv_call call, struct lease *l, const void *msg)
{
	struct err err;

	if (task_is_check(call.kind, msg) && l->checks > 0) {
		err_set(&err, ERRK_STATE, "a check of its health runs already");
		priv_server_fail(h->server, call, &err);
		return false;
	}
	if (task_is_check(call.kind, msg)) {
		l->checks++;
		return true;
	}
	if (l->commands == JOB_COMMANDS_MAX) {
		refuse_command(h, call);
		return false;
	}
	l->commands++;
	return true;
}

static void run_command(struct helper *h, struct priv_call call, void *msg, job_fn *run)
{
	struct lease *l = table_find(&h->leases, msg); /* it begins with the id */
	const struct priv_exec *image = call.kind == PRIV_BOX_EXEC ? msg : NULL;
	struct task *t;

	if (l && image && *image->image && record_backend(&l->rec) == &backend_docker) {
		refuse_image(h, call, l);
		return;
	}
	if (l && !count_command(h, call, l, msg))
		return;
	t = task_of_lease(h, call, msg, run);
	image = call.kind == PRIV_BOX_EXEC ? t->msg : NULL;
	if (!l || !image || !*image->image) {
		task_start(t);
		return;
	}
	t->job.promised = promised(h);
	fetch_and_start(t, image->image, image->digest);
}

static void on_command(struct helper *h, struct priv_call call, void *msg, job_fn *run)
{
	if (!refused_strange(h, call, msg))
		run_command(h, call, msg, run);
}

/* Written down first: a helper that starts again loads it so. */
static void on_ports(struct helper *h, struct priv_call call, struct priv_ports *m)
{
	struct lease *l = table_find(&h->leases, m->id);
	struct record r = l ? l->rec : (struct record){0};
	struct task *t;
	struct err err;

	if (l)
		record_set_ports(&r, &m->ports);
	if (l &&
	    (publish_check(&h->leases, h->c, &r, &err) < 0 || record_write(&r, h->c, &err) < 0)) {
		priv_server_fail(h->server, call, &err);
		return;
	}
	t = task_new(h, call, m, job_ports);
	if (l) {
		t->job.nwas = l->rec.nports;
		memcpy(t->job.was, l->rec.ports, sizeof(t->job.was));
		l->rec = r;
		task_set_lease(t, l);
	}
	task_start(t);
}

static void on_grow(struct helper *h, struct priv_call call, struct priv_grow *m)
{
	struct lease *l = table_find(&h->leases, m->id);
	uint64_t others = promised(h);
	struct task *t;

	if (l)
		l->growing = m->volume_bytes;
	t = task_of_lease(h, call, m, job_grow);
	t->job.promised = others;
	task_start(t);
}

static void on_list(struct helper *h, struct priv_call call, const struct priv_list *m)
{
	struct priv_list_item items[PRIV_LIST_MAX];
	struct priv_list_reply r = {.items = {items, 0}};

	table_list(&h->leases, m, items, &r);
	priv_server_reply(h->server, call, &r);
}

static void on_stats(struct helper *h, struct priv_call call, const struct priv_stats *m)
{
	struct priv_stats_item items[PRIV_STATS_MAX];
	struct priv_stats_reply r;

	stats_list(&r, items, h->c, &h->leases, m);
	priv_server_reply(h->server, call, &r);
}

static void on_request(void *ctx, struct priv_call call, void *msg)
{
	struct helper *h = ctx;

	switch (call.kind) {
	case PRIV_PING:
		on_ping(h, call);
		return;
	case PRIV_NODE:
		on_node(h, call);
		return;
	case PRIV_IMAGE:
		fetch_on_image(h, call, msg);
		return;
	case PRIV_IMAGES:
	case PRIV_IMAGE_DROP:
		task_start(task_new(h, call, msg,
				    call.kind == PRIV_IMAGES ? job_images : job_image_drop));
		return;
	case PRIV_BOX_START:
		on_start(h, call, msg);
		return;
	case PRIV_BOX_INSPECT:
		on_inspect(h, call, msg);
		return;
	case PRIV_BOX_DEADLINE:
		on_deadline(h, call, msg);
		return;
	case PRIV_BOX_STOP:
	case PRIV_BOX_DESTROY:
		start_lease_task(h, call, msg, call.kind == PRIV_BOX_STOP ? job_stop : job_destroy);
		return;
	case PRIV_BOX_EXEC:
		on_command(h, call, msg, job_exec);
		return;
	case PRIV_BOX_LOGS:
		if (!refused_strange(h, call, msg))
			start_lease_task(h, call, msg, job_logs);
		return;
	case PRIV_BOX_LIST:
		on_list(h, call, msg);
		return;
	case PRIV_BOX_SIGNAL:
		start_lease_task(h, call, msg, job_signal);
		return;
	case PRIV_BOX_PUT:
		on_command(h, call, msg, job_put);
		return;
	case PRIV_BOX_GET:
		on_command(h, call, msg, job_get);
		return;
	case PRIV_BOX_SAVE:
		on_command(h, call, msg, job_save);
		return;
	case PRIV_BOX_LOAD:
		on_command(h, call, msg, job_load);
		return;
	case PRIV_BOX_SNAPSHOT:
		on_command(h, call, msg, job_snapshot);
		return;
	case PRIV_BOX_PORTS:
		if (!refused_strange(h, call, msg))
			on_ports(h, call, msg);
		return;
	case PRIV_BOX_GROW:
		if (!refused_strange(h, call, msg))
			on_grow(h, call, msg);
		return;
	case PRIV_BOX_NET:
		if (!refused_strange(h, call, msg))
			start_lease_task(h, call, msg, job_net);
		return;
	case PRIV_BOX_STATS:
		on_stats(h, call, msg);
		return;
	case PRIV_KIND_COUNT:
		return;
	}
}

/* what links tell */

void helper_on_state(struct helper *h, const struct lease *l)
{
	struct priv_event ev = {.state = lease_state(l),
				.why = l->status.why,
				.exit_status = l->status.exit_status,
				.ended_ms = l->status.ended_ms,
				.cut = l->net.cut,
				.generation = l->status.generation};

	memcpy(ev.id, l->rec.id, sizeof(ev.id));
	if (h->server)
		priv_server_event(h->server, &ev);
}

void helper_end_alone(struct helper *h, struct lease *l)
{
	(void)h;
	task_start_alone(l, job_stop);
}

/* life */

static int take_over(void *ctx, const char *id)
{
	struct helper *h = ctx;
	struct record r;
	struct lease *l;
	struct err err;
	int found = record_read(&r, h->c, id, &err);

	if (found == RECORD_STRANGE) {
		log_broken("lease %s: %s: it runs on, and can only end", id, err.msg);
		if (r.known == RECORD_BLANK)
			record_find(&r, h->c);
		found = 0;
	}
	if (found == RECORD_NOT_FOUND)
		return 0; /* died before it was written: nothing was done either */
	if (found < 0) {
		log_broken("lease %s: %s", id, err.msg);
		return 1;
	}
	l = table_add(&h->leases, &r);
	l->h = h;
	link_open(l, h->loop);
	return 0;
}

static int open_pulls(struct helper *h, struct err *e)
{
	auto_free char *left = mem_printf("%s/pull", h->c->run_dir);

	if (fs_remove_tree(left, e) < 0 || tenant_net_load(h->c->pull->net, NULL, 0, e) < 0)
		return -1;
	h->pulls = pulls_new(h->loop, h->c, h->workers);
	return 0;
}

int helper_new(struct helper **out, struct loop *l, const struct helper_config *c, struct err *e)
{
	AUTO(helper_free) struct helper *h = mem_zero(sizeof(*h));
	auto_free char *leases = mem_printf("%s/leases", c->run_dir);
	int broken;

	h->loop = l;
	h->c = c;
	hash_alone();
	h->workers = workers_new(l, c->workers ? c->workers : WORKERS);
	h->commands = workers_new(l, UINT_MAX);
	h->found = found_new();
	h->pool = pool_new(l, c, h->workers);
	if (probe_backends(h->probed, c, e) < 0 || fs_mkdirs(leases, 0711, e) < 0 ||
	    job_sweep_images(c, e) < 0)
		return -1;
	if (record_recover(c, e) < 0)
		return err_wrap(e, "leases in %s", c->state_dir);
	broken = record_each(c, take_over, h, e);
	if (broken < 0)
		return -1;
	if (broken > 0)
		return err_set(e, ERRK_STATE, "the list of leases in %s is damaged", leases);
	if (watch_new(&h->watch, l, c, &h->leases, e) < 0)
		return err_wrap(e, "[network]");
	if (job_pull_sweep(c, e) < 0 || (c->pull && open_pulls(h, e) < 0))
		return err_wrap(e, "[images]");
	pool_open(h->pool, table_has_volume, &h->leases);
	h->trimmer = trimmer_new(l, c, &h->leases, h->workers);
	*out = steal(&h);
	return 0;
}

void helper_free(struct helper *h)
{
	if (!h)
		return;
	loop_timer_del(h->closing);
	priv_server_free(h->server);
	watch_free(h->watch);
	trimmer_free(h->trimmer);
	table_free(&h->leases);
	found_free(h->found);
	pool_free(h->pool);
	pulls_free(h->pulls);
	workers_free(h->workers);
	workers_free(h->commands);
	probed_free(h->probed);
	free(h);
}

static void on_hangup(void *ctx)
{
	struct helper *h = ctx;

	h->connection++;
}

int helper_serve(struct helper *h, int fd, struct err *e)
{
	struct priv_server_hooks hooks = {on_request, on_hangup, h};

	priv_server_free(steal(&h->server));
	h->connection++;
	return priv_server_new(&h->server, h->loop, fd, &hooks, e);
}

/* Not for commands of tenants: they end by themselves, and nobody is left to hear of it. */
static void wait_for_jobs(void *ctx)
{
	struct helper *h = ctx;

	h->closing = NULL;
	if (workers_busy(h->workers) > 0 || (h->pulls && pulls_busy(h->pulls)))
		h->closing = loop_timer_add(h->loop, 20, wait_for_jobs, h);
	else
		h->done(h->done_ctx);
}

void helper_shut_down(struct helper *h, helper_done_fn *done, void *ctx)
{
	h->done = done;
	h->done_ctx = ctx;
	if (h->pulls)
		pulls_stop(h->pulls);
	pool_close(h->pool, wait_for_jobs, h);
}
