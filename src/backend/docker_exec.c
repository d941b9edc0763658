/*
 * Commands in a container of Docker. Its client cannot end what it started, so each command has its
 * name in its environment, which all that it starts inherit: those processes, and those that they
 * are parents of, are the command. One that both forgets its environment and leaves its parents
 * stays in the lease until that ends.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "backend/docker_impl.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/secret.h"
#include "spec/guard.h"

#define KILL_TIMEOUT_MS 10000
#define POLL_MS		10
#define ENVIRON_MAX	(4 << 20)
#define NS_SIZE		64

struct member {
	pid_t pid, parent;
	bool marked;
};

struct members {
	struct member *v;
	size_t n, room;
};

/* "pid:[4026531836]": who is in the same one is in the same container. */
static bool pid_namespace(char out[static NS_SIZE], pid_t pid)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)pid);
	n = readlink(path, out, NS_SIZE - 1);
	out[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static bool is_marked(pid_t pid, const char *mark)
{
	auto_buf struct buf text = BUF(ENVIRON_MAX);
	auto_free char *path = mem_printf("/proc/%d/environ", (int)pid);
	struct str rest, one;

	if (fs_read(&text, path, NULL) != 0)
		return false;
	for (rest = buf_view(&text); rest.n && str_cut(&rest, '\0', &one);)
		if (str_is(one, mark))
			return true;
	return false;
}

/* The fourth field; the second may hold anything and ends at the last bracket. */
static pid_t parent_of(pid_t pid)
{
	auto_buf struct buf text = BUF(4096);
	auto_free char *path = mem_printf("/proc/%d/stat", (int)pid);
	struct str rest, field;
	const char *end;
	uint64_t parent;

	if (fs_read(&text, path, NULL) != 0 || !text.p || !(end = strrchr(text.p, ')')) ||
	    strlen(end) < 4)
		return 0;
	rest = str_of(end + 4); /* ") S " */
	if (!str_cut(&rest, ' ', &field) || str_u64(field, INT32_MAX, &parent, NULL) < 0)
		return 0;
	return (pid_t)parent;
}

static void add(struct members *m, pid_t pid, const char *mark)
{
	if (m->n == m->room) {
		m->room = 2 * m->room + 64;
		m->v = mem_grow(m->v, m->room, sizeof(*m->v));
	}
	m->v[m->n++] = (struct member){pid, parent_of(pid), is_marked(pid, mark)};
}

/* Whose parent is marked is, too. */
static void spread(struct members *m)
{
	for (bool again = true; again;) {
		again = false;
		for (size_t i = 0; i < m->n; i++)
			for (size_t k = 0; k < m->n && !m->v[i].marked; k++)
				if (m->v[k].marked && m->v[k].pid == m->v[i].parent)
					m->v[i].marked = again = true;
	}
}

static int find(struct members *m, const char *ns, const char *mark, struct err *e)
{
	auto_closedir DIR *d = opendir("/proc");
	char other[NS_SIZE];
	struct dirent *entry;
	uint64_t pid;

	if (!d)
		return err_sys(e, "open /proc");
	while ((entry = readdir(d)))
		if (str_u64(str_of(entry->d_name), INT32_MAX, &pid, NULL) == 0 &&
		    pid_namespace(other, (pid_t)pid) && strcmp(other, ns) == 0)
			add(m, (pid_t)pid, mark);
	spread(m);
	return 0;
}

/* A number may be another's by now; a descriptor is not, once the namespace was seen again. */
static bool send_one(pid_t pid, const char *ns, int signal)
{
	auto_close int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	char now[NS_SIZE];

	return fd >= 0 && pid_namespace(now, pid) && strcmp(now, ns) == 0 &&
	       syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0) == 0;
}

static int signal_marked(const char *ns, const char *name, int signal, unsigned *n, struct err *e)
{
	auto_free char *mark = mem_printf(GATE_MARK "=%s", name);
	struct members m = {0};
	int r = find(&m, ns, mark, e);

	*n = 0;
	for (size_t i = 0; r == 0 && i < m.n; i++)
		if (m.v[i].marked && send_one(m.v[i].pid, ns, signal))
			(*n)++;
	free(m.v);
	return r;
}

/* Until none is left. */
static int kill_marked(const char *ns, const char *name, struct err *e)
{
	int64_t end = clock_mono_ms() + KILL_TIMEOUT_MS;
	unsigned n;

	while (true) {
		if (signal_marked(ns, name, SIGKILL, &n, e) < 0)
			return -1;
		if (n == 0)
			return 0;
		if (clock_mono_ms() > end)
			return err_set(e, ERRK_SYS, "a command does not end");
		nanosleep(&(struct timespec){0, POLL_MS * 1000000}, NULL);
	}
}

static int running_namespace(char ns[static NS_SIZE], const struct box *box, struct err *e)
{
	struct docker_box d;

	docker_look(&d, box, e);
	if (d.status == DOCKER_UNKNOWN)
		return -1;
	if (d.status != DOCKER_RUNS || d.pid <= 0 || !pid_namespace(ns, d.pid))
		return err_set(e, ERRK_STATE, "not running");
	return 0;
}

struct command {
	const struct box *box;
	const struct backend_exec *x;
	char ns[NS_SIZE];
	char *env, *mark, *user, *container;
	const char *workdir;
};

static void command_init(struct command *c, const struct box *box, const struct backend_exec *x)
{
	*c = (struct command){.box = box,
			      .x = x,
			      .env = mem_printf("%s/exec-%s.env", box->dir, x->name),
			      .mark = mem_printf(GATE_MARK "=%s", x->name),
			      .user = mem_printf("%u:%u", x->user.uid, x->user.gid),
			      .container = mem_printf("leased-%s", box->id)};
}

static void command_clear(struct command *c)
{
	unlink(c->env);
	free(c->env);
	free(c->mark);
	free(c->user);
	free(c->container);
}

/* Docker takes lines, so a value with a line end needs another form; all have it. */
static void write_variables(struct buf *out, struct str texts)
{
	struct str one;

	for (size_t i = 0; texts.n && str_cut(&texts, '\0', &one); i++) {
		buf_printf(out, GATE_VARIABLE "%zu=", i);
		buf_hex(out, one.p, one.n);
		buf_byte(out, '\n');
	}
}

static int prepare(struct command *c, struct err *e)
{
	const struct oci_exec x = {.argv = c->x->argv,
				   .workdir = c->x->workdir,
				   .env = c->x->env,
				   .nenv = c->x->nenv,
				   .gpus = c->box->gpus,
				   .user = c->x->user};
	auto_buf struct buf texts = BUF(DOCKER_ARGS_MAX), env = BUF(2 * DOCKER_ARGS_MAX);
	int r;

	if (c->x->beside)
		return err_set(e, ERRK_STATE, "the backend docker runs nothing beside a lease");
	if (oci_env_texts(&texts, &c->workdir, c->box->spec, c->box->image, &x, e) < 0)
		return -1;
	write_variables(&env, buf_view(&texts));
	r = buf_check(&env, "environment", e);
	if (r == 0)
		r = fs_write(c->env, env.p ? env.p : "", env.n, 0600, e);
	wipe(texts.p, texts.n);
	wipe(env.p, env.n);
	return r;
}

static int start_client(void *ctx, const int std[3], pid_t *pid, struct err *e)
{
	const struct command *c = ctx;
	size_t n = 0, room = 20;
	auto_free const char **args = NULL;
	auto_free const char **argv = NULL;
	struct proc_spec spec = {.in = std[0], .out = std[1], .err = std[2]};

	for (size_t i = 0; c->x->argv[i]; i++)
		room++;
	args = mem_array(room, sizeof(*args));
	args[n++] = "exec";
	if (c->x->detach)
		args[n++] = "--detach";
	if (c->x->input_n)
		args[n++] = "--interactive";
	args[n++] = "--env-file";
	args[n++] = c->env;
	args[n++] = "--env";
	args[n++] = c->mark;
	args[n++] = "--user";
	args[n++] = c->user;
	args[n++] = "--workdir";
	args[n++] = c->workdir;
	args[n++] = "--";
	args[n++] = c->container;
	args[n++] = SPEC_PROBE;
	args[n++] = GATE_COMMAND;
	for (size_t i = 0; c->x->argv[i]; i++)
		args[n++] = c->x->argv[i];
	argv = docker_argv(c->box, args, n);
	spec.argv = argv;
	return proc_start(pid, &spec, e);
}

static void kill_command(void *ctx, pid_t pid)
{
	const struct command *c = ctx;

	kill(pid, SIGKILL);
	(void)!kill_marked(c->ns, c->x->name, NULL);
}

/* The client tells its own failures by their words alone. */
static int look_at_failure(struct proc_result *p, struct err *e)
{
	struct str said = str_trim(buf_view(&p->err));
	const char *all[] = {p->err.p ? p->err.p : "", p->out.p ? p->out.p : ""};

	if (p->status == 1 && (str_starts(said, "Error: No such container") ||
			       str_starts(said, "Error response from daemon:") ||
			       str_starts(said, "Cannot connect to the Docker daemon")))
		return docker_error("exec", p, e);
	for (size_t i = 0; (p->status == 126 || p->status == 127) && i < ARRAY_SIZE(all); i++)
		if (strstr(all[i], "OCI runtime exec failed")) {
			p->status = strstr(all[i], "permission denied") ? 126 : 127;
			buf_reset(&p->out);
			buf_reset(&p->err);
			err_set(e, ERRK_PEER, "docker exec: %s",
				p->status == 127 ? "not found" : "permission denied");
			break;
		}
	return 0;
}

int docker_exec_run(const struct box *box, const struct backend_exec *x,
		    struct backend_exec_result *r, struct err *e)
{
	struct proc_result p = {.out = r->out, .err = r->err};
	struct command c;
	const struct proc_other other = {start_client, kill_command, &c};
	int ret;

	command_init(&c, box, x);
	ret = prepare(&c, e);
	if (ret == 0)
		ret = running_namespace(c.ns, box, e);
	if (ret == 0)
		ret = proc_run_other(&other, x->input, x->input_n,
				     x->detach ? DOCKER_TIMEOUT_MS : x->timeout_ms, &p, e);
	if (ret == 0 && !p.timed_out)
		ret = look_at_failure(&p, e);
	*r = (struct backend_exec_result){.status = p.status,
					  .signal = p.signal,
					  .timed_out = p.timed_out,
					  .out = p.out,
					  .err = p.err};
	command_clear(&c);
	return ret;
}

int docker_exec_signal(const struct box *box, const char *name, int signal, bool *delivered,
		       struct err *e)
{
	char ns[NS_SIZE];
	unsigned n;

	*delivered = false;
	if (running_namespace(ns, box, e) < 0)
		return -1;
	if (signal_marked(ns, name, signal, &n, e) < 0)
		return -1;
	*delivered = n > 0;
	return n > 0 && signal == SIGKILL ? kill_marked(ns, name, e) : 0;
}
