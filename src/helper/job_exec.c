/* BOX_EXEC, and BOX_SIGNAL to a command that it started. Another image is run by job_beside.c. */
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "helper/job.h"

int job_split_env(struct spec *into, const struct wire_strings *env, struct err *e)
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

int job_run_command(const struct job *j, const struct box *box, const struct backend_exec *command,
		    struct priv_exec_reply *r, struct err *e)
{
	const struct priv_exec *m = j->msg;
	size_t max = m->output_max ? m->output_max : 1;
	struct backend_exec_result out = {.out = BUF(max), .err = BUF(max)};
	struct backend_exec x = *command;
	int ran;

	x.name = m->name;
	x.input = m->input.p;
	x.input_n = m->input.n;
	x.timeout_ms = m->timeout_ms ? m->timeout_ms : PRIV_EXEC_DEFAULT_MS;
	x.detach = m->detach;
	ran = j->backend->exec(box, &x, &out, e);

	if (ran == 0) {
		r->outcome = out.timed_out ? PRIV_EXEC_TIMED_OUT : PRIV_EXEC_DONE;
		r->exit_status = (uint32_t)out.status;
		r->signal = (uint32_t)out.signal;
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
	auto_job_grant struct job_grant grant = {0};
	struct box box = job_box(&paths, j);
	struct backend_exec x = {.argv = (const char *const *)m->argv.v,
				 .workdir = *m->cwd ? m->cwd : NULL};
	const char *user;

	if (m->argv.n == 0)
		return err_set(e, ERRK_INPUT, "no command");
	if (job_load_spec(&s, img, j, e) < 0 || job_split_env(&env, &m->env, e) < 0)
		return -1;
	job_grant_recall(&grant, j);
	job_grant_put(&grant, &box);
	box.spec = &s;
	box.image = &img->config;
	user = *m->user ? m->user : oci_user(&s, &img->config);
	if (image_find_user(&box.user, box.root, user, e) < 0)
		return -1;
	x.env = env.env.v;
	x.nenv = env.env.n;
	x.user = box.user;
	return job_run_command(j, &box, &x, r, e);
}

static int run_any(const struct job *j, struct priv_exec_reply *r, struct err *e)
{
	const struct priv_exec *m = j->msg;

	if (m->detach && m->input.n)
		return err_set(e, ERRK_INPUT, "nobody feeds a command that goes on by itself");
	return *m->image ? job_beside(j, r, e) : exec_in_box(j, r, e);
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
	if (run_any(j, r, &why) < 0) {
		r->outcome = PRIV_EXEC_FAILED;
		r->message = mem_strdup(why.msg);
	}
	return 0;
}

int job_signal_command(const struct job *j, void *reply, struct err *e)
{
	const struct priv_signal *m = j->msg;
	struct priv_signal_reply *r = reply;
	auto_box_paths struct box_paths paths = {0};
	struct box box = job_box(&paths, j);

	if (!hex_is(str_of(m->command), PRIV_EXEC_LEN / 2))
		return err_set(e, ERRK_INPUT, "not the name of a command");
	if (!j->known)
		return 0;
	return j->backend->exec_signal(&box, m->command, (int)m->signal, &r->delivered, e);
}
