/* What helper.c, task.c, fetch.c and disk.c share: the helper's insides, and a request on its way
 * through it. */
#ifndef HELPER_HELPER_OWN_H
#define HELPER_HELPER_OWN_H

#include "base/secret.h"
#include "helper/found.h"
#include "helper/job.h"
#include "helper/node.h"
#include "helper/pool.h"
#include "helper/probe.h"
#include "helper/pulls.h"
#include "helper/table.h"
#include "helper/trim.h"
#include "helper/watch.h"
#include "helper/worker.h"
#include "image/image.h"
#include "priv/server.h"

struct helper {
	struct loop *loop;
	const struct helper_config *c;
	struct probed probed[PROBE_BACKENDS];
	struct priv_server *server;
	unsigned connection; /* counts them: answers belong to one */
	struct table leases;
	struct workers *workers;
	struct workers *commands; /* and copies, of tenants: as long as these like */
	struct pool *pool;
	struct pulls *pulls; /* NULL: nothing is pulled */
	struct found *found;
	struct watch *watch;
	struct trimmer *trimmer;
	struct node_meter meter;
	helper_done_fn *done;
	void *done_ctx;
	struct loop_timer *closing;
};

/* A request on its way through a worker. */
struct task {
	struct helper *h;
	struct priv_call call;
	unsigned connection;
	job_fn *run;
	char *ref; /* of its image: IMAGE remembers it with its stamp, others pull it */
	struct image_stamp stamp;
	struct job job;
	void *msg; /* owned */
	char *key; /* as job.key, in locked memory; owned */
};

/* --- task.c --- */

/* `msg` is moved. */
struct task *task_new(struct helper *h, struct priv_call call, void *msg, job_fn *run);
/* `msg` begins with the id of the lease that it is about, which need not be in the list. */
struct task *task_of_lease(struct helper *h, struct priv_call call, void *msg, job_fn *run);
void task_set_lease(struct task *t, const struct lease *l);
void task_start(struct task *t);		 /* hand it to a worker, which ends it */
void task_drop(void *task);			 /* frees it */
void helper_command_ended(const struct task *t); /* where it was one */
bool task_is_heard(const struct task *t);
bool task_is_check(enum priv_kind k, const void *msg); /* a command, but no owner's */
/* As a BOX_STOP without grace that nobody asked for: its answer has no connection to go to. */
void task_start_alone(struct lease *l, job_fn *run);

/* --- fetch.c --- */

/* IMAGE. */
void fetch_on_image(struct helper *h, struct priv_call call, struct priv_image *m);
/* A worker answered IMAGE; true when the registry is asked now: its answer ends the task. */
bool fetch_after_image(struct task *t, struct str body);
/* task_start, once the pinned image is in the store. An image of NULL needs nothing. */
void fetch_and_start(struct task *t, const char *image, const char *digest);

#endif
