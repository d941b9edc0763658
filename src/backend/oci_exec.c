/*
 * Commands in a running container. The runtime starts each one detached and ends: this process, as
 * a subreaper, becomes its parent, so that its real end is known and nothing copies its streams. A
 * cgroup of its own names all that it starts.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/cgroup.h"
#include "backend/null.h"
#include "backend/oci_impl.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/proc.h"
#include "oci/guards.h"
#include "oci/runtime.h"

#define KILL_TIMEOUT_MS 10000
#define GROUP_PREFIX	"exec-"

/* The files of one command lie in the box's folder on tmpfs. */
struct command {
	const struct box *box;
	const struct backend_exec *x;
	char *process, *pid_file, *log;
	char *group; /* path of its cgroup; NULL: the runtime knows no such thing */
	int lock;    /* shared until the process is in its group */
	int not_run; /* 126, 127: it never ran, with a shell's status */
};

static char *group_name(const char *name)
{
	return mem_printf(GROUP_PREFIX "%s", name);
}

static char *group_path(const struct box *box, const char *name)
{
	unsigned least = oci_runtime(box->runtime)->exec_group;

	if (least == 0 || (unsigned)cgroup_version() < least)
		return NULL;
	return mem_printf("%s/" GROUP_PREFIX "%s", box->cgroup, name);
}

static void command_init(struct command *c, const struct box *box, const struct backend_exec *x,
			 int lock)
{
	*c = (struct command){.box = box,
			      .x = x,
			      .lock = lock,
			      .process = mem_printf("%s/exec-%s.json", box->dir, x->name),
			      .pid_file = mem_printf("%s/exec-%s.pid", box->dir, x->name),
			      .log = mem_printf("%s/exec-%s.log", box->dir, x->name),
			      .group = group_path(box, x->name)};
}

/* Groups of commands that are still there stay, and are removed by the next one or with the box. */
static void sweep(const struct box *box, int lock)
{
	if (flock(lock, LOCK_EX | LOCK_NB) == 0) /* nobody waits to enter an empty one */
		cgroup_sweep(box->cgroup, GROUP_PREFIX);
}

static void command_clear(struct command *c)
{
	unlink(c->process);
	unlink(c->pid_file);
	unlink(c->log);
	free(c->process);
	free(c->pid_file);
	free(c->log);
	free(c->group);
}

static int prepare(const struct command *c, struct err *e)
{
	auto_buf struct buf text = BUF(OCI_CONFIG_MAX);
	struct oci_exec exec = {.argv = c->x->argv,
				.workdir = c->x->workdir,
				.env = c->x->env,
				.nenv = c->x->nenv,
				.user = c->x->user,
				.caps = c->box->caps,
				.grant = c->box->grant,
				.gpus = c->box->gpus,
				.apparmor = oci_apparmor()};

	if (c->x->beside)
		return backend_oci.prepare(c->x->beside, e);
	if (oci_exec(&text, c->box->spec, c->box->image, &exec, e) < 0 ||
	    buf_check(&text, "process", e) < 0)
		return -1;
	return fs_write(c->process, text.p, text.n, 0600, e);
}

/* What the runtime says when it found no program, as a shell's status. */
static int shell_status(const char *why)
{
	if (strstr(why, "permission denied"))
		return 126;
	return strstr(why, "not found") || strstr(why, "no such file") ? 127 : 0;
}

/* A command may open /dev/stdout again: its ends of the pipes belong to its user. What is no pipe
 * is the host's /dev/null, for which it gets `null`. */
static int give_streams(int out[3], const struct command *c, const int std[3], int null,
			struct err *e)
{
	uid_t uid = c->box->id_base + c->x->user.uid;
	struct stat st;

	for (int i = 0; i < 3; i++) {
		if (fstat(std[i], &st) < 0 ||
		    (S_ISFIFO(st.st_mode) && fchown(std[i], uid, (gid_t)-1) < 0))
			return err_sys(e, "give a stream away");
		out[i] = S_ISFIFO(st.st_mode) ? std[i] : null;
	}
	return 0;
}

/* The status of what was started with `argv`; the command's pid. */
static int run_exec(struct command *c, const int std[3], pid_t *pid, struct err *e)
{
	auto_free char *name = group_name(c->x->name);
	auto_free char *group = mem_printf("%s%s", cgroup_version() == 2 ? "" : "freezer:", name);
	const char *argv[24] = {c->box->runtime, "--root",   c->box->runtime_root,
				"--log",	 c->log,     "--log-format",
				"json",		 "exec",     "--detach",
				"--process",	 c->process, "--pid-file",
				c->pid_file};
	size_t n = 13;
	int status;

	if (c->group) {
		argv[n++] = "--cgroup";
		argv[n++] = group;
	}
	argv[n] = c->box->id;
	status = oci_verb(argv, std, e);
	if (status > 0)
		oci_error(c->log, "exec", status, e);
	return status == 0 ? oci_read_pid(c->pid_file, pid, e) : -1;
}

static int start_command(void *ctx, const int std[3], pid_t *pid, struct err *e)
{
	struct command *c = ctx;
	struct err why = {.kind = ERRK_SYS};
	auto_close int null = null_open(e);
	int own[3], r;

	if (null < 0 || (c->group && cgroup_make_names(c->group, e) < 0) ||
	    give_streams(own, c, std, null, e) < 0)
		return -1;
	r = c->x->beside ? oci_beside_start(c->box, c->x->beside, c->group, own, pid, &why)
			 : run_exec(c, own, pid, &why);
	flock(c->lock, LOCK_UN);
	if (r < 0 && why.kind == ERRK_PEER)
		c->not_run = shell_status(why.msg);
	if (r < 0 && e)
		*e = why;
	return r;
}

static void kill_command(void *ctx, pid_t pid)
{
	const struct command *c = ctx;

	kill(pid, SIGKILL);
	if (c->group)
		(void)!cgroup_kill(c->group, KILL_TIMEOUT_MS, NULL);
}

/* How a detached start went, from the process that stays with the command. */
struct report {
	int done, not_run;
	struct err err;
};

/* All but the standard descriptors, and `keep`. */
static void close_rest(int keep)
{
	if (keep > 3)
		close_range(3, (unsigned)keep - 1, 0);
	close_range(keep < 3 ? 3 : (unsigned)keep + 1, ~0U, 0);
}

/* The command's parent until it ends: whoever is process 1 here may not care for orphans, and one
 * that nobody reaps keeps the container's process namespace from ending. */
static _Noreturn void mind(struct command *c, int report)
{
	auto_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct report r = {.done = -1};
	pid_t pid = -1;

	setsid();
	if (null < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		err_sys(&r.err, "mind a command");
	else
		r.done = start_command(c, (const int[]){null, null, null}, &pid, &r.err);
	r.not_run = c->not_run;
	(void)!write(report, &r, sizeof(r));
	close_rest(c->x->beside ? c->x->hold : -1);
	while (r.done == 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (r.done == 0 && c->x->beside)
		c->x->ended(c->x->ctx);
	_exit(0);
}

static int start_detached(struct command *c, struct err *e)
{
	auto_close int read_end = -1, write_end = -1;
	struct report r = {.done = -1};
	int ends[2];
	pid_t pid;
	ssize_t n;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	read_end = ends[0];
	write_end = ends[1];
	pid = fork();
	if (pid < 0)
		return err_sys(e, "fork");
	if (pid == 0)
		mind(c, write_end);
	close(steal_fd(&write_end));
	n = read(read_end, &r, sizeof(r)); /* less than a pipe takes at once */
	if (n != (ssize_t)sizeof(r))
		return err_set(e, ERRK_SYS, "the process that minds the command died");
	c->not_run = r.not_run;
	if (r.done < 0 && e)
		*e = r.err;
	return r.done;
}

static int run_attached(struct command *c, struct backend_exec_result *r, struct err *e)
{
	const struct proc_other other = {start_command, kill_command, c};
	struct proc_result p = {.out = r->out, .err = r->err};
	int ret;

	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return err_sys(e, "become a subreaper");
	ret = proc_run_other(&other, c->x->input, c->x->input_n, c->x->timeout_ms, &p, e);
	*r = (struct backend_exec_result){.status = p.status,
					  .signal = p.signal,
					  .timed_out = p.timed_out,
					  .out = p.out,
					  .err = p.err};
	return ret;
}

int oci_exec_run(const struct box *box, const struct backend_exec *x, struct backend_exec_result *r,
		 struct err *e)
{
	auto_free char *path = mem_printf("%s/exec.lock", box->dir);
	auto_close int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct command c;
	int ret;

	if (lock < 0 || flock(lock, LOCK_SH) < 0)
		return err_sys(e, "lock %s", path);
	command_init(&c, box, x, lock);
	ret = prepare(&c, e);
	if (ret == 0)
		ret = x->detach ? start_detached(&c, e) : run_attached(&c, r, e);
	if (ret < 0 && c.not_run) {
		r->status = c.not_run;
		ret = 0;
	}
	command_clear(&c);
	sweep(box, lock);
	return ret;
}

int oci_exec_signal(const struct box *box, const char *name, int signal, bool *delivered,
		    struct err *e)
{
	auto_free char *group = group_path(box, name);
	unsigned n = 0;

	*delivered = false;
	if (!group)
		return err_set(e, ERRK_STATE, "%s cannot signal a command here",
			       oci_runtime(box->runtime)->name);
	if (cgroup_signal(group, signal, &n, e) < 0)
		return -1;
	*delivered = n > 0;
	return n > 0 && signal == SIGKILL ? cgroup_kill(group, KILL_TIMEOUT_MS, e) : 0;
}
