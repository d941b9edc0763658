/*
 * The backend for runc-compatible runtimes (runc, crun, runsc): create, start, state, kill and
 * delete of their command line; exec is in oci_exec.c. The bundle is ours; environments are in
 * files on tmpfs, never in an argv.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/backend.h"
#include "backend/cgroup.h"
#include "backend/console.h"
#include "backend/null.h"
#include "backend/oci_impl.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/proc.h"
#include "oci/guards.h"
#include "oci/runtime.h"

#define RUNTIME_TIMEOUT_MS 60000
#define KILL_TIMEOUT_MS	   10000
#define GATE_TIMEOUT_MS	   1000
#define LOG_MAX		   65536
#define STATE_MAX	   65536

static char *config_path(const struct box *box)
{
	return mem_printf("%s/config.json", box->dir);
}

static char *log_path(const struct box *box)
{
	return mem_printf("%s/runtime.log", box->dir);
}

int oci_error(const char *log, const char *verb, int status, struct err *e)
{
	auto_buf struct buf text = BUF(LOG_MAX);
	struct str rest, line, last = {0}, said = {0};
	auto_json struct json *j = NULL;
	char msg[200] = "";

	if (fs_read(&text, log, NULL) == 0)
		for (rest = str_trim(buf_view(&text)); rest.n > 0 && str_cut(&rest, '\n', &line);)
			last = line;
	if (last.n > 0 && json_parse(&j, last, NULL, NULL) == 0 &&
	    json_opt_str(j, "msg", LOG_MAX, &said, NULL) == 0)
		str_printable(msg, sizeof(msg), said);
	return err_set(e, ERRK_PEER, "runtime %s ended with %d%s%s", verb, status, *msg ? ": " : "",
		       msg);
}

int oci_verb(const char *const *argv, const int std[3], struct err *e)
{
	struct proc_spec spec = {.argv = argv,
				 .envp = oci_runtime(argv[0])->env,
				 .in = std[0],
				 .out = std[1],
				 .err = std[2]};
	struct pollfd p = {.events = POLLIN};
	auto_close int pidfd = -1;
	int status;
	pid_t pid;

	if (proc_start(&pid, &spec, e) < 0)
		return -1;
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	p.fd = pidfd;
	if (pidfd < 0 || poll(&p, 1, RUNTIME_TIMEOUT_MS) <= 0) {
		kill(-pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return err_set(e, ERRK_PEER, "%s does not end", argv[0]);
	}
	if (waitpid(pid, &status, 0) < 0)
		return err_sys(e, "wait for %s", argv[0]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static const int NO_STREAMS[3] = {-1, -1, -1};

/* `verb` and its arguments, NULL-ended, after the options that are the same for all. */
static int runtime(const struct box *box, const char *const *args, const int std[3], struct err *e)
{
	auto_free char *log = log_path(box);
	const char *argv[24] = {box->runtime,	"--root", box->runtime_root, "--log", log,
				"--log-format", "json"};
	const struct oci_runtime *r = oci_runtime(box->runtime);
	const char *verb = args[0];
	size_t n = 7;
	int status;

	if (r->option)
		argv[n++] = r->option;
	if (r->alone && !box->network)
		argv[n++] = r->alone;
	while (*args && n + 1 < ARRAY_SIZE(argv))
		argv[n++] = *args++;
	unlink(log);
	status = oci_verb(argv, std, e);
	if (status > 0)
		return oci_error(log, verb, status, e);
	return status;
}

static int oci_probe(const struct box *box, struct buf *version, struct err *e)
{
	const char *const argv[] = {box->runtime, "--version", NULL};
	struct proc_spec spec = {.argv = argv, .in = -1, .out = -1, .err = -1};
	struct proc_result r = {.out = BUF(4096), .err = BUF(4096)};
	struct str rest, line;
	int ret;

	ret = proc_run(&spec, NULL, 0, RUNTIME_TIMEOUT_MS, &r, e);
	if (ret == 0 && r.status != 0)
		ret = err_set(e, ERRK_PEER, "%s --version ended with %d", box->runtime, r.status);
	if (ret == 0) {
		/* "runc version 1.1.5+ds1" */
		rest = buf_view(&r.out);
		str_cut(&rest, '\n', &line);
		while (line.n > 0 && str_cut(&line, ' ', &rest))
			if (!str_is(rest, "version"))
				buf_printf(version, "%s%.*s", version->n ? " " : "", (int)rest.n,
					   rest.p);
	}
	proc_result_free(&r);
	return ret;
}

/* What the control group must let a runtime have that runs processes with its own; 0: as many as
 * the spec says. */
static uint64_t tasks_of(const struct box *box)
{
	const struct oci_runtime *r = oci_runtime(box->runtime);

	return r->tasks ? r->tasks + r->tasks_each * (uint64_t)box->spec->limits.pids : 0;
}

static int oci_prepare(const struct box *box, struct err *e)
{
	auto_buf struct buf config = BUF(OCI_CONFIG_MAX);
	auto_free char *path = config_path(box);
	struct oci_bind binds[BOX_BINDS];
	struct oci_placement p = {.rootfs = box->root,
				  .cgroup = box->cgroup,
				  .hostname = box->id,
				  .netns = box->joined ? box->joined->net : NULL,
				  .userns = box->joined ? box->joined->user : NULL,
				  .cgroupns = box->joined ? box->joined->cgroup : NULL,
				  .id_base = box->id_base,
				  .id_count = box->id_count,
				  .user = box->user,
				  .pids = tasks_of(box),
				  .disk_major = box->disk_major,
				  .disk_minor = box->disk_minor,
				  .cgroup_version = oci_runtime(box->runtime)->unified
							    ? (unsigned)cgroup_version()
							    : 1,
				  .throttling_cpus = box_hot_cpus(),
				  .apparmor = oci_apparmor(),
				  .grant = box->grant,
				  .caps = box->caps,
				  .gpus = box->gpus,
				  .volumes = box->volumes,
				  .nvolumes = box->volumes ? box->spec->storage.n : 0,
				  .binds = binds,
				  .nbinds = box_binds(binds, box)};

	if (box->spec->read_only && oci_runtime(box->runtime)->writable)
		return err_set(e, ERRK_DENIED, "read_only: %s cannot do that",
			       oci_runtime(box->runtime)->name);
	if (oci_config(&config, box->spec, box->image, &p, e) < 0 ||
	    buf_check(&config, "config.json", e) < 0)
		return -1;
	if (fs_mkdirs(box->dir, 0711, e) < 0 || fs_mkdirs(box->runtime_root, 0700, e) < 0)
		return -1;
	return fs_write(path, config.p, config.n, 0600, e);
}

int oci_read_pid(const char *path, pid_t *out, struct err *e)
{
	auto_buf struct buf text = BUF(32);
	uint64_t pid;
	int r = fs_read(&text, path, e);

	if (r == FS_NOT_FOUND)
		return err_set(e, ERRK_PEER, "the runtime wrote no %s", path);
	if (r < 0 || str_u64(str_trim(buf_view(&text)), INT32_MAX, &pid, e) < 0)
		return -1;
	*out = (pid_t)pid;
	return 0;
}

static int oci_create(const struct box *box, struct backend_streams *io, struct backend_made *made,
		      struct err *e)
{
	auto_console struct console console = {.dir = -1, .listener = -1};
	auto_close int null = null_open(e);
	const int std[3] = {null, io->tty || io->out < 0 ? null : io->out,
			    io->tty || io->err < 0 ? null : io->err};
	auto_free char *pid_file = mem_printf("%s/pid", box->dir);
	const char *args[9] = {"create", "--bundle", box->dir, "--pid-file", pid_file};
	size_t n = 5;
	mode_t mask;
	int r;

	if (null < 0 || (io->tty && console_open(&console, box->dir, e) < 0))
		return -1;
	if (io->tty) {
		args[n++] = "--console-socket";
		args[n++] = console.path;
	}
	args[n] = box->id;
	unlink(pid_file);
	/* Control groups are root's, and those inside shall be able to read their limits there. */
	mask = umask(022);
	r = runtime(box, args, std, e);
	umask(mask);
	if (r < 0 || (io->tty && console_take(&console, &io->terminal, e) < 0))
		return -1;
	if (oci_read_pid(pid_file, &made->first, e) < 0)
		return -1;
	made->child = made->first;
	return 0;
}

/* What the verb start comes to, without another process for it: the runtime's first process in the
 * container waits for somebody who reads, and a gate that is gone means that it was let go. */
enum { GATE_CLOSED = 1 };
static int open_gate(const struct box *box, const char *gate, struct err *e)
{
	auto_free char *path = mem_printf("%s/%s/%s", box->runtime_root, box->id, gate);
	auto_close int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char byte;

	if (fd < 0 || poll(&p, 1, GATE_TIMEOUT_MS) <= 0 || read(fd, &byte, 1) != 1)
		return GATE_CLOSED;
	return unlink(path) < 0 ? err_sys(e, "remove %s", path) : 0;
}

/* Where the gate does not open, the verb finds out why. */
static int oci_start(const struct box *box, struct err *e)
{
	const char *const args[] = {"start", box->id, NULL};
	const char *gate = oci_runtime(box->runtime)->gate;
	int r = gate ? open_gate(box, gate, e) : GATE_CLOSED;

	return r == GATE_CLOSED ? runtime(box, args, NO_STREAMS, e) : r;
}

static enum backend_status status_of(struct str s, bool *created)
{
	*created = str_is(s, "created");
	if (*created || str_is(s, "running") || str_is(s, "creating") || str_is(s, "paused"))
		return BACKEND_RUNNING;
	return str_is(s, "stopped") ? BACKEND_STOPPED : BACKEND_UNKNOWN;
}

static int parse_state(struct backend_state *out, struct str text, struct err *e)
{
	auto_json struct json *j = NULL;
	struct str status;
	uint64_t pid = 0;

	if (json_parse(&j, text, NULL, e) < 0 || json_str(j, "status", 32, &status, e) < 0)
		return err_wrap(e, "the runtime's state");
	out->status = status_of(status, &out->created);
	/* Of a stopped one runsc says -1. */
	if (out->status == BACKEND_RUNNING && json_opt_u64(j, "pid", INT32_MAX, &pid, e) < 0)
		return err_wrap(e, "the runtime's state");
	out->pid = (pid_t)pid;
	return 0;
}

/* The runtime's own files are the fact behind "does not exist". */
static bool runtime_knows(const struct box *box)
{
	auto_free char *path =
		oci_runtime(box->runtime)->state_file
			? mem_printf("%s/%s_sandbox:%s.state", box->runtime_root, box->id, box->id)
			: mem_printf("%s/%s", box->runtime_root, box->id);

	return fs_exists(path);
}

static void oci_inspect(const struct box *box, struct backend_state *out, struct err *e)
{
	const char *const argv[] = {box->runtime, "--root", box->runtime_root,
				    "state",	  box->id,  NULL};
	struct proc_spec spec = {.argv = argv, .in = -1, .out = -1, .err = -1};
	struct proc_result r = {.out = BUF(STATE_MAX), .err = BUF(4096)};

	*out = (struct backend_state){.status = BACKEND_UNKNOWN};
	if (!runtime_knows(box)) {
		out->status = BACKEND_GONE;
		return;
	}
	if (proc_run(&spec, NULL, 0, RUNTIME_TIMEOUT_MS, &r, e) < 0)
		out->status = BACKEND_UNKNOWN;
	else if (r.status != 0 && !runtime_knows(box))
		out->status = BACKEND_GONE;
	else if (r.status != 0)
		err_set(e, ERRK_PEER, "runtime state ended with %d", r.status);
	else if (parse_state(out, buf_view(&r.out), e) < 0)
		out->status = BACKEND_UNKNOWN;
	proc_result_free(&r);
}

static int oci_stop(const struct box *box, int signal, struct err *e)
{
	char number[16];
	const char *const args[] = {"kill", box->id, number, NULL};
	struct backend_state state;

	if (signal == SIGKILL)
		return cgroup_kill(box->cgroup, KILL_TIMEOUT_MS, e);
	snprintf(number, sizeof(number), "%d", signal);
	if (runtime(box, args, NO_STREAMS, e) == 0)
		return 0;
	oci_inspect(box, &state, e); /* it may have ended a moment ago */
	return state.status == BACKEND_STOPPED || state.status == BACKEND_GONE ? 0 : -1;
}

static int oci_destroy(const struct box *box, struct err *e)
{
	const char *const args[] = {"delete", "--force", box->id, NULL};
	auto_free char *config = config_path(box);

	if (cgroup_kill(box->cgroup, KILL_TIMEOUT_MS, e) < 0)
		return -1;
	if (runtime_knows(box) && runtime(box, args, NO_STREAMS, e) < 0 && runtime_knows(box))
		return -1;
	if (cgroup_remove(box->cgroup, e) < 0)
		return -1;
	return unlink(config) == 0 || errno == ENOENT ? 0 : err_sys(e, "remove %s", config);
}

static char *oci_group(const struct box *box)
{
	return mem_strdup(box->cgroup);
}

const struct backend backend_oci = {
	.name = "oci",
	.probe = oci_probe,
	.prepare = oci_prepare,
	.create = oci_create,
	.start = oci_start,
	.inspect = oci_inspect,
	.stop = oci_stop,
	.destroy = oci_destroy,
	.group = oci_group,
	.exec = oci_exec_run,
	.exec_signal = oci_exec_signal,
};
