/*
 * One slow request, done in a worker process. A job finds out what is there and goes on from it, so
 * that it may be repeated after a crash at any step; jobs that change a lease hold its lock, also
 * against a worker that a killed helper left behind.
 */
#ifndef HELPER_JOB_H
#define HELPER_JOB_H

#include "backend/backend.h"
#include "helper/helper.h"
#include "helper/record.h"
#include "image/image.h"

struct job {
	const struct helper_config *c;
	const struct backend *backend;
	struct record rec;		      /* of requests that name a lease: at least its id */
	bool known;			      /* the helper has that lease in its list */
	bool prepared;			      /* its volume was made ahead */
	bool cut;			      /* its network is cut off, as the helper knows */
	struct spec_port was[SPEC_PORTS_MAX]; /* PORTS: what it published before */
	uint32_t nwas;
	uint64_t promised; /* bytes that other volumes may still take from the disk */
	const void *msg;   /* the decoded request */
	/* START: of the volume, VOLUME_KEY_HEX characters, which its buyer brought; or NULL. Not in
	 * msg any more. */
	const char *key;
};

/* Fill the zeroed reply struct of the request's kind; texts are owned by it. */
typedef int job_fn(const struct job *j, void *reply, struct err *e);

job_fn job_image, job_start, job_inspect, job_deadline, job_signal, job_stop, job_destroy, job_exec,
	job_logs, job_images, job_image_drop;
job_fn job_put, job_get, job_save, job_load, job_snapshot;
job_fn job_signal_command; /* a part of job_signal */
job_fn job_beside;	   /* a part of job_exec: another image */
job_fn job_ports, job_net, job_grow;
job_fn job_serve; /* a kept volume whose disk server died, told as a stop of it */

/* For volumes prepared ahead: `id` is the volume's name. */
int job_prepare(const struct helper_config *c, const char *id, uint64_t bytes,
		struct err *e) MUST_CHECK;
int job_unprepare(const struct helper_config *c, const char *id, struct err *e) MUST_CHECK;

/* What an interrupted pull or unpacking left in the store goes. */
int job_sweep_images(const struct helper_config *c, struct err *e) MUST_CHECK;

/* Commands and copies of one lease at once, and images beside its main one: one tenant cannot keep
 * the others from theirs. */
#define JOB_COMMANDS_MAX 8

/* Shared by the jobs. */

/* BOX_START of a kept volume (kept.c), with its lock: open it. */
void job_keep(const struct job *j, struct priv_start_reply *r);
/* Is there room for the volume of the job, if it is not there yet? */
int job_check_disk(const struct job *j, struct err *e) MUST_CHECK;

/* NAME=VALUE texts into a spec's environment. */
int job_split_env(struct spec *into, const struct wire_strings *env, struct err *e) MUST_CHECK;
/* Run it, and fill the reply to BOX_EXEC. */
int job_run_command(const struct job *j, const struct box *box, const struct backend_exec *x,
		    struct priv_exec_reply *r, struct err *e) MUST_CHECK;
/* End what runs beside the main container, and what is left of it but files on the volume. */
int job_end_beside(const struct job *j, struct err *e) MUST_CHECK;

/* Take the lease's lock; RECORD_NOT_FOUND when it was destroyed meanwhile. */
int job_lock(int *fd, const struct job *j, struct err *e) MUST_CHECK;
char *job_cgroup(const struct helper_config *c, const char *id);
/* Only what calls on an existing container need. The strings are the caller's to free. */
struct box_paths {
	char *dir, *runtime_root, *cgroup, *root, *probe, *socket;
};
void box_paths_free(struct box_paths *p);
#define auto_box_paths __attribute__((cleanup(box_paths_free)))
struct box job_box(struct box_paths *p, const struct job *j);
/* The image store; with a reference, the one layout that it may come from. */
#define JOB_DISK_SPARE ((uint64_t)64 << 20) /* of the disk: never given to tenants */

struct job_store {
	struct image_store s;
	char *dir, *leases, *folder;
	const char *layouts[2];
};
void job_store_init(struct job_store *st, const struct helper_config *c, const char *ref);
void job_store_free(struct job_store *st);
#define auto_job_store __attribute__((cleanup(job_store_free)))
/* The reference that an image's name stands for; NULL: not allowed. The caller frees it. */
char *job_find_image(const struct helper_config *c, const char *name);
/* It is brought from a registry or an archive (pulls.h), not read where it lies. */
bool job_is_pulled(const char *ref);
/* It is in the store, whole. */
bool job_has_image(const struct helper_config *c, const char *digest);
/* The spec with which the lease was started, and its image. */
int job_load_spec(struct spec *s, struct image *img, const struct job *j, struct err *e) MUST_CHECK;

/* What the operator gives the lease: its offer's grant and the cards that were set aside for it. */
struct job_grant {
	struct spec_grant all;
	uint64_t asked; /* capabilities that it may have asked for */
	enum spec_vendor vendor;
	const uint32_t *cards; /* of the job's record */
	size_t ncards;
	struct spec_map env; /* that go with the cards */
};
void job_grant_clear(struct job_grant *g);
#define auto_job_grant __attribute__((cleanup(job_grant_clear)))
/* As it was, for a command in the container: that it gets no more, and runs also where something
 * has gone from the host meanwhile. */
void job_grant_recall(struct job_grant *g, const struct job *j);
/* For the main one: everything is there, and made ready in the box's folder; put into `box`. */
int job_grant_open(struct job_grant *g, struct box *box, const struct job *j,
		   struct err *e) MUST_CHECK;
/* For a box beside the main one, with what was made ready for that. */
int job_grant_join(struct job_grant *g, struct box *box, const struct job *j,
		   struct err *e) MUST_CHECK;
void job_grant_put(const struct job_grant *g, struct box *box);
/* Remove what job_grant_open made in the lease's folder; absent is fine. */
int job_grant_close(const char *dir, struct err *e) MUST_CHECK;

enum { KEEPER_ABSENT = 1 };
/* Connect to the lease's keeper. */
int job_keeper(int *fd, const struct helper_config *c, const char *id, struct err *e) MUST_CHECK;
/* What is known of the container: from its keeper, else from its record and the process itself. */
int job_state(struct keeper_record *out, const struct job *j, struct err *e) MUST_CHECK;
/* End the container and its keeper; nothing of them runs when this is 0. */
int job_end_box(const struct job *j, struct err *e) MUST_CHECK;

#endif
