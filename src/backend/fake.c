/*
 * A backend without containers: its state is a file in the box's folder. For the contract test and
 * for simulations. `exec` answers with its own arguments, so that callers have something to
 * compare.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "base/fs.h"
#include "base/mem.h"

#define STATE_MAX 32

static char *state_path(const struct box *box)
{
	return mem_printf("%s/fake", box->dir);
}

static int write_state(const struct box *box, const char *state, struct err *e)
{
	auto_free char *path = state_path(box);

	return fs_write(path, state, strlen(state), 0600, e);
}

/* "" where there is none. */
static int read_state(const struct box *box, char out[static STATE_MAX], struct err *e)
{
	auto_buf struct buf text = BUF(STATE_MAX - 1);
	auto_free char *path = state_path(box);
	int r = fs_read(&text, path, e);

	if (r < 0)
		return -1;
	if (text.n)
		memcpy(out, text.p, text.n);
	out[text.n] = '\0';
	return 0;
}

static int fake_probe(const struct box *box, struct buf *version, struct err *e)
{
	buf_puts(version, "fake 1");
	return 0;
}

static int fake_prepare(const struct box *box, struct err *e)
{
	if (fs_mkdirs(box->dir, 0700, e) < 0)
		return -1;
	return write_state(box, "prepared", e);
}

static int fake_create(const struct box *box, struct backend_streams *io, struct backend_made *made,
		       struct err *e)
{
	char state[STATE_MAX];

	if (read_state(box, state, e) < 0)
		return -1;
	if (strcmp(state, "prepared") != 0)
		return err_set(e, ERRK_STATE, "not prepared");
	*made = (struct backend_made){0};
	if (io->tty && (io->terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0)
		return err_sys(e, "terminal");
	return write_state(box, "created", e);
}

static int fake_start(const struct box *box, struct err *e)
{
	char state[STATE_MAX];

	if (read_state(box, state, e) < 0)
		return -1;
	if (strcmp(state, "created") != 0)
		return err_set(e, ERRK_STATE, "not created");
	return write_state(box, "running", e);
}

static void fake_inspect(const struct box *box, struct backend_state *out, struct err *e)
{
	char state[STATE_MAX];

	*out = (struct backend_state){.status = BACKEND_UNKNOWN};
	if (read_state(box, state, e) < 0)
		return;
	out->created = strcmp(state, "created") == 0;
	if (out->created || strcmp(state, "running") == 0)
		out->status = BACKEND_RUNNING;
	else if (strcmp(state, "stopped") == 0)
		out->status = BACKEND_STOPPED;
	else if (!*state || strcmp(state, "prepared") == 0)
		out->status = BACKEND_GONE;
	else
		err_set(e, ERRK_STATE, "damaged state");
}

static int fake_stop(const struct box *box, int signal, struct err *e)
{
	struct backend_state state;

	fake_inspect(box, &state, e);
	if (state.status == BACKEND_UNKNOWN)
		return -1;
	return state.status == BACKEND_RUNNING ? write_state(box, "stopped", e) : 0;
}

static int fake_destroy(const struct box *box, struct err *e)
{
	auto_free char *path = state_path(box);

	return fs_remove_tree(path, e);
}

static int fake_exec(const struct box *box, const struct backend_exec *x,
		     struct backend_exec_result *r, struct err *e)
{
	struct backend_state state;

	fake_inspect(box, &state, e);
	if (state.status != BACKEND_RUNNING || state.created)
		return err_set(e, ERRK_STATE, "not running");
	for (size_t i = 0; x->argv[i]; i++)
		buf_printf(&r->out, "%s%s", i ? " " : "", x->argv[i]);
	return 0;
}

/* Its commands end at once. */
static int fake_exec_signal(const struct box *box, const char *name, int signal, bool *delivered,
			    struct err *e)
{
	*delivered = false;
	return 0;
}

static char *fake_group(const struct box *box)
{
	return mem_strdup(box->cgroup);
}

const struct backend backend_fake = {
	.name = "fake",
	.probe = fake_probe,
	.prepare = fake_prepare,
	.create = fake_create,
	.start = fake_start,
	.inspect = fake_inspect,
	.stop = fake_stop,
	.destroy = fake_destroy,
	.group = fake_group,
	.exec = fake_exec,
	.exec_signal = fake_exec_signal,
};
