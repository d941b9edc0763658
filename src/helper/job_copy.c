/* BOX_PUT, BOX_GET: files of a running lease, read and written by a confined child that is inside
 * the container's namespaces, so that no path of it is the host's. */
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/tree.h"
#include "helper/job.h"
#include "image/confine.h"
#include "oci/runtime.h"

#define FILE_MAX    (2 * PRIV_INPUT_MAX)
#define SECONDS_MAX 30

struct copied { /* the child's answer */
	uint32_t skipped;
};

static int put_inside(const void *arg, void *answer, struct buf *tail, struct err *e)
{
	const struct priv_put *m = arg;
	struct copied *c = answer;
	unsigned skipped = 0;
	int r = tree_unpack(AT_FDCWD, m->path,
			    (struct str){(const char *)m->archive.p, m->archive.n}, TREE_LINKS_ANY,
			    &skipped, e);

	c->skipped = skipped;
	return r;
}

static int get_inside(const void *arg, void *answer, struct buf *tail, struct err *e)
{
	const struct priv_get *m = arg;
	struct copied *c = answer;
	unsigned skipped = 0;
	int r = tree_pack(tail, AT_FDCWD, m->path, &skipped, e);

	c->skipped = skipped;
	return r;
}

/* The container's first process, held so that no other one gets its pid meanwhile. */
static int open_box(int *fd, const struct job *j, struct err *e)
{
	struct keeper_record rec;
	auto_close int pidfd = -1;
	int known = j->known ? job_state(&rec, j, e) : RECORD_NOT_FOUND;

	if (known < 0)
		return -1;
	if (known != 0 || rec.state != PRIV_BOX_RUNNING)
		return PRIV_COPY_NOT_RUNNING;
	if (strcmp(oci_runtime(j->c->runtime)->isolation, "shared-kernel") != 0)
		return err_set(e, ERRK_STATE, "%s keeps a lease's files to itself",
			       oci_runtime(j->c->runtime)->name);
	pidfd = (int)syscall(SYS_pidfd_open, (pid_t)rec.pid, 0);
	if (pidfd < 0 || !record_alive(rec.pid, rec.pid_started))
		return PRIV_COPY_NOT_RUNNING;
	*fd = steal_fd(&pidfd);
	return 0;
}

/* An outcome; `c` has what to do and where the answer goes. */
static enum priv_copy_outcome copy(const struct job *j, struct confine *c, char **message)
{
	auto_close int pidfd = -1;
	struct err err = {0};
	int r = open_box(&pidfd, j, &err);

	c->kind = CONFINE_INSIDE;
	c->input = -1;
	c->file_max = FILE_MAX;
	c->seconds_max = SECONDS_MAX;
	c->pidfd = pidfd;
	c->mapped = record_ids(&j->rec, j->c) > 0;
	if (r == 0)
		r = confine_run(c, &err);
	if (r < 0)
		*message = mem_strdup(err.msg);
	if (r < 0)
		return err.kind == ERRK_LIMIT ? PRIV_COPY_TOO_MUCH : PRIV_COPY_FAILED;
	return r == 0 ? PRIV_COPY_DONE : PRIV_COPY_NOT_RUNNING;
}

int job_put(const struct job *j, void *reply, struct err *e)
{
	const struct priv_put *m = j->msg;
	struct priv_put_reply *r = reply;
	struct copied answer = {0};
	struct confine c = {
		.run = put_inside, .arg = m, .answer = &answer, .answer_n = sizeof(answer)};

	if (m->path[0] != '/')
		return err_set(e, ERRK_INPUT, "path: want an absolute one");
	r->outcome = copy(j, &c, &r->message);
	return 0;
}

int job_get(const struct job *j, void *reply, struct err *e)
{
	const struct priv_get *m = j->msg;
	struct priv_get_reply *r = reply;
	struct copied answer = {0};
	struct buf archive = BUF(m->max);
	struct confine c = {.run = get_inside,
			    .arg = m,
			    .answer = &answer,
			    .answer_n = sizeof(answer),
			    .tail = &archive};

	if (m->path[0] != '/')
		return err_set(e, ERRK_INPUT, "path: want an absolute one");
	r->outcome = copy(j, &c, &r->message);
	r->skipped = answer.skipped;
	if (r->outcome != PRIV_COPY_DONE)
		buf_reset(&archive);
	r->archive = (struct wire_blob){(uint8_t *)archive.p, archive.n};
	return 0;
}
