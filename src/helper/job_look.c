/* The requests that change nothing but a deadline: IMAGE, BOX_INSPECT, BOX_DEADLINE, BOX_EXEC,
 * BOX_LOGS. */
#include <string.h>

#include "backend/boxlog.h"
#include "base/mem.h"
#include "helper/job.h"
#include "helper/pulls.h"
#include "volume/overlay.h"

#define KEEPER_TIMEOUT_MS 20000

/* What was pulled under that name before, where that will do. */
static int find_pulled(struct image *out, const struct job *j, const char *ref,
		       const struct image_store *store, struct err *e)
{
	const struct priv_image *m = j->msg;
	auto_free char *key = job_is_archive(ref) ? job_archive_key(ref) : mem_strdup(ref);

	/* who has credentials is asked for them: what they open is nobody else's business */
	if (!job_is_archive(ref) && (m->pull == SPEC_PULL_ALWAYS || m->auth.n > 0))
		return IMAGE_NOT_FOUND;
	return pull_noted(out, store, key, e);
}

static void tell_absent(struct priv_image_reply *r, const struct priv_image *m, const char *ref)
{
	if (job_is_pulled(ref) && m->pull != SPEC_PULL_NEVER) {
		r->outcome = PRIV_IMAGE_COLD;
		return;
	}
	r->outcome = PRIV_IMAGE_NOT_FOUND;
	r->message = mem_printf("image %.200s is not there%s", m->name,
				job_is_pulled(ref) ? ", and it is not to be pulled" : "");
}

int job_image(const struct job *j, void *reply, struct err *e)
{
	const struct priv_image *m = j->msg;
	struct priv_image_reply *r = reply;
	auto_free char *ref = job_find_image(j->c, m->name);
	auto_image struct image *img = image_new();
	auto_job_store struct job_store store;
	int found;

	job_store_init(&store, j->c, ref);
	if (!ref) {
		r->outcome = PRIV_IMAGE_NOT_ALLOWED;
		r->message = mem_printf("image %.200s is not offered", m->name);
		return 0;
	}
	found = job_is_pulled(ref) ? find_pulled(img, j, ref, &store.s, e)
				   : image_resolve(img, &store.s, ref, e);
	if (found < 0)
		return -1;
	if (found == IMAGE_NOT_FOUND) {
		tell_absent(r, m, ref);
		return 0;
	}
	r->outcome = PRIV_IMAGE_FOUND;
	r->digest = mem_strdup(img->digest);
	r->size = img->size;
	r->platform = mem_strdup(img->platform);
	return 0;
}

int job_inspect(const struct job *j, void *reply, struct err *e)
{
	struct priv_inspect_reply *r = reply;
	struct keeper_record rec;
	int known;

	r->exit_status = PRIV_EXIT_UNKNOWN;
	r->deadline = j->rec.deadline;
	r->state = j->known ? PRIV_BOX_STOPPED : PRIV_BOX_GONE;
	if (!j->known)
		return 0;
	known = job_state(&rec, j, e);
	if (known < 0)
		r->state = PRIV_BOX_UNKNOWN;
	if (known != 0)
		return 0;
	r->state = rec.state;
	r->why = rec.why;
	r->exit_status = rec.exit_status;
	r->started_ms = rec.started_ms;
	r->ended_ms = rec.ended_ms;
	r->generation = rec.generation;
	return 0;
}

/* The helper has written its own record before. */
int job_deadline(const struct job *j, void *reply, struct err *e)
{
	struct priv_deadline_reply *r = reply;
	struct keeper_deadline m = {j->rec.deadline};
	struct keeper_record rec;
	auto_close int fd = -1;
	int known;

	r->found = j->known;
	r->deadline = j->rec.deadline;
	if (!j->known)
		return 0;
	known = job_keeper(&fd, j->c, j->rec.id, e);
	if (known == KEEPER_ABSENT)
		return 0;
	return known < 0 ? -1 : keeper_call(fd, KEEPER_DEADLINE, &m, &rec, KEEPER_TIMEOUT_MS, e);
}

/* NAME=VALUE texts as the spec has them; `text` holds the copies. */
static int split_env(struct spec *into, const struct wire_strings *env, struct err *e)
{
	for (size_t i = 0; i < env->n; i++) {
		struct str rest = str_of(env->v[i]), name;

		if (!strchr(env->v[i], '='))
			return err_set(e, ERRK_INPUT, "environment: not NAME=VALUE");
		str_cut(&rest, '=', &name);
		if (spec_set_env(into, name, rest, e) < 0)
			return -1;
	}
	return 0;
}

static int run_exec(const struct job *j, const struct box *box, const struct spec *env,
		    struct priv_exec_reply *r, struct err *e)
{
	const struct priv_exec *m = j->msg;
	size_t max = m->output_max ? m->output_max : 1;
	struct backend_exec x = {.argv = (const char *const *)m->argv.v,
				 .env = env->env.v,
				 .nenv = env->env.n,
				 .workdir = *m->cwd ? m->cwd : NULL,
				 .user = box->user,
				 .input = m->input.p,
				 .input_n = m->input.n,
				 .timeout_ms = m->timeout_ms};
	struct backend_exec_result out = {.out = BUF(max), .err = BUF(max)};
	int ran = j->backend->exec(box, &x, &out, e);

	if (ran == 0) {
		r->outcome = out.timed_out ? PRIV_EXEC_TIMED_OUT : PRIV_EXEC_DONE;
		r->exit_status = (uint32_t)out.status;
		r->cut = out.out.n == max || out.err.n == max;
		r->out = (struct wire_blob){(uint8_t *)out.out.p, out.out.n};
		r->err = (struct wire_blob){(uint8_t *)out.err.p, out.err.n};
		return 0;
	}
	buf_free(&out.out);
	buf_free(&out.err);
	return -1;
}

static int exec_in_box(const struct job *j, struct priv_exec_reply *r, struct err *e)
{
	const struct priv_exec *m = j->msg;
	auto_spec struct spec s = {0}, env = {0};
	auto_image struct image *img = image_new();
	auto_box_paths struct box_paths paths = {0};
	struct box box = job_box(&paths, j);
	const char *user;

	if (m->argv.n == 0)
		return err_set(e, ERRK_INPUT, "no command");
	if (job_load_spec(&s, img, j, e) < 0 || split_env(&env, &m->env, e) < 0)
		return -1;
	box.spec = &s;
	box.image = &img->config;
	user = *m->user ? m->user : oci_user(&s, &img->config);
	if (image_find_user(&box.user, box.root, user, e) < 0)
		return -1;
	return run_exec(j, &box, &env, r, e);
}

int job_exec(const struct job *j, void *reply, struct err *e)
{
	struct priv_exec_reply *r = reply;
	struct keeper_record rec;
	struct err why;
	int known = j->known ? job_state(&rec, j, e) : RECORD_NOT_FOUND;

	if (known < 0)
		return -1;
	if (known != 0 || rec.state != PRIV_BOX_RUNNING) {
		r->outcome = PRIV_EXEC_NOT_RUNNING;
		return 0;
	}
	if (exec_in_box(j, r, &why) < 0) {
		r->outcome = PRIV_EXEC_FAILED;
		r->message = mem_strdup(why.msg);
	}
	return 0;
}

int job_logs(const struct job *j, void *reply, struct err *e)
{
	const struct priv_logs *m = j->msg;
	struct priv_logs_reply *r = reply;
	auto_free char *dir = record_log_dir(j->c, &j->rec);
	auto_buf struct buf out = BUF(m->max);
	struct boxlog_piece piece;
	struct keeper_record rec;
	int known;

	r->found = j->known;
	if (!j->known)
		return 0;
	known = job_state(&rec, j, e); /* before the log: what ended has written all */
	if (known < 0 || boxlog_read(&out, dir, m->offset, m->max, &piece, e) < 0)
		return -1;
	r->offset = piece.offset;
	r->next = piece.next;
	r->eof = known == 0 && rec.state == PRIV_BOX_STOPPED && piece.next >= piece.end;
	r->bytes = (struct wire_blob){(uint8_t *)out.p, out.n};
	out = BUF(0);
	return 0;
}
