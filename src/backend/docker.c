/*
 * The backend for Docker, by its command line: labels say whose a container is, no word of it is a
 * tenant's, and nothing is restarted or kept by the daemon itself. What cannot be found out is
 * unknown; "gone" is a list of the daemon that does not have it. Where control groups are named by
 * their path, ours is the parent, so that a lease ends also while the daemon does not answer.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "backend/cgroup.h"
#include "backend/console.h"
#include "backend/docker_impl.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"

#define KILL_TIMEOUT_MS	 10000
#define START_TIMEOUT_MS 60000
#define POLL_MS		 10
#define SAYS_MAX	 65536

const char **docker_argv(const struct box *box, const char *const *args, size_t nargs)
{
	const char **argv = mem_array(nargs + 6, sizeof(*argv));
	size_t n = 0;

	argv[n++] = box->runtime;
	argv[n++] = "--host";
	argv[n++] = box->runtime_root;
	argv[n++] = "--config"; /* nobody's: neither credentials nor aliases */
	argv[n++] = "/nonexistent";
	for (size_t i = 0; i < nargs; i++)
		argv[n++] = args[i];
	return argv;
}

int docker_ask(const struct box *box, const char *const *args, size_t nargs, struct proc_result *r,
	       struct err *e)
{
	auto_free const char **argv = docker_argv(box, args, nargs);
	struct proc_spec spec = {.argv = argv, .in = -1, .out = -1, .err = -1};

	*r = (struct proc_result){.out = BUF(SAYS_MAX), .err = BUF(SAYS_MAX)};
	return proc_run(&spec, NULL, 0, DOCKER_TIMEOUT_MS, r, e);
}

int docker_error(const char *verb, const struct proc_result *r, struct err *e)
{
	struct str rest = str_trim(buf_view(&r->err)), line = {0};
	char msg[240];

	while (rest.n > 0 && str_cut(&rest, '\n', &line))
		if (str_starts(line, "Error") || str_starts(line, "docker: "))
			break;
	str_printable(msg, sizeof(msg), line);
	return err_set(e, ERRK_PEER, "docker %s ended with %d: %s", verb, r->status, msg);
}

static int docker_check(const struct box *box, const char *const *args, size_t nargs, struct err *e)
{
	struct proc_result r;
	int ret = docker_ask(box, args, nargs, &r, e);

	if (ret == 0 && r.status != 0)
		ret = docker_error(args[0], &r, e);
	proc_result_free(&r);
	return ret;
}

static int docker_probe(const struct box *box, struct buf *version, struct err *e)
{
	static const char *const args[] = {"version", "--format", "{{.Server.Version}}"};
	struct proc_result r;
	int ret = docker_ask(box, args, ARRAY_SIZE(args), &r, e);

	if (ret == 0 && r.status != 0)
		ret = docker_error(args[0], &r, e);
	if (ret == 0) {
		buf_puts(version, "docker ");
		buf_str(version, str_trim(buf_view(&r.out)));
	}
	proc_result_free(&r);
	return ret;
}

/* Does systemd make the control groups? */
static int ask_slices(bool *out, const struct box *box, struct err *e)
{
	static const char *const args[] = {"info", "--format", "{{.CgroupDriver}}"};
	struct proc_result r;
	int ret = docker_ask(box, args, ARRAY_SIZE(args), &r, e);

	if (ret == 0 && r.status != 0)
		ret = docker_error(args[0], &r, e);
	if (ret == 0)
		*out = str_is(str_trim(buf_view(&r.out)), "systemd");
	proc_result_free(&r);
	return ret;
}

static int write_file(const struct box *box, const char *name, const struct buf *text,
		      struct err *e)
{
	auto_free char *path = mem_printf("%s/%s", box->dir, name);

	return fs_write(path, text->p ? text->p : "", text->n, 0600, e);
}

static int docker_prepare(const struct box *box, struct err *e)
{
	auto_buf struct buf args = BUF(DOCKER_ARGS_MAX), env = BUF(DOCKER_ARGS_MAX);
	auto_buf struct buf filter = BUF(OCI_CONFIG_MAX);
	bool slices = false;
	uint64_t caps;

	if (ask_slices(&slices, box, e) < 0 || docker_args(&args, box, slices, e) < 0 ||
	    oci_caps(&caps, box->spec, box->caps, NULL, e) < 0 ||
	    oci_env_lines(&env, box->spec, NULL, 0, e) < 0)
		return -1;
	oci_seccomp(&filter, caps);
	if (buf_check(&filter, "filter", e) < 0 || fs_mkdirs(box->dir, 0711, e) < 0 ||
	    write_file(box, DOCKER_SECCOMP, &filter, e) < 0 ||
	    write_file(box, DOCKER_ENV, &env, e) < 0)
		return -1;
	return write_file(box, DOCKER_ARGS, &args, e);
}

static const char LOOK[] = "{\"id\":{{json .Id}},\"status\":{{json .State.Status}},"
			   "\"pid\":{{.State.Pid}},\"exit\":\"{{.State.ExitCode}}\","
			   "\"why\":{{json .State.Error}},"
			   "\"lease\":{{json (index .Config.Labels \"" DOCKER_LABEL "\")}},"
			   "\"owner\":{{json (index .Config.Labels \"" DOCKER_OWNER "\")}},"
			   "\"mounts\":[{{range $i, $m := .Mounts}}{{if $i}},{{end}}"
			   "{{json $m.Type}}{{end}}]}";

static enum docker_status status_of(struct str s)
{
	static const char *const ENDED[] = {"exited", "dead", "removing"};
	static const char *const RUNS[] = {"running", "paused", "restarting"};

	for (size_t i = 0; i < ARRAY_SIZE(ENDED); i++)
		if (str_is(s, ENDED[i]))
			return DOCKER_ENDED;
	for (size_t i = 0; i < ARRAY_SIZE(RUNS); i++)
		if (str_is(s, RUNS[i]))
			return DOCKER_RUNS;
	return str_is(s, "created") ? DOCKER_CREATED : DOCKER_UNKNOWN;
}

static bool has_volume(const struct json *root)
{
	struct str type;

	for (const struct json *m = json_first(json_get(root, "mounts")); m; m = json_next(m))
		if (json_as_str(m, &type) && str_is(type, "volume"))
			return true;
	return false;
}

/* One that has our name and not our labels is somebody else's. */
static int read_look(struct docker_box *d, const struct box *box, struct str text, struct err *e)
{
	auto_json struct json *j = NULL;
	struct str status, lease = {0}, owner = {0}, why = {0}, exit = {0};
	uint64_t pid, code = 0;

	if (json_parse(&j, str_trim(text), NULL, e) < 0 ||
	    json_opt_copy(d->id, sizeof(d->id), j, "id", e) < 0 ||
	    json_str(j, "status", 32, &status, e) < 0 ||
	    json_u64(j, "pid", INT32_MAX, &pid, e) < 0 ||
	    json_opt_str(j, "exit", 16, &exit, e) < 0 ||
	    json_opt_str(j, "why", SAYS_MAX, &why, e) < 0 ||
	    json_opt_str(j, "lease", SAYS_MAX, &lease, e) < 0 ||
	    json_opt_str(j, "owner", SAYS_MAX, &owner, e) < 0)
		return err_wrap(e, "docker inspect");
	d->status = str_is(lease, box->id) && (!box->owner || str_is(owner, box->owner))
			    ? status_of(status)
			    : DOCKER_GONE;
	d->pid = (pid_t)pid;
	d->exit = str_u64(exit, 255, &code, NULL) < 0 ? 128 + SIGKILL : (int)code;
	d->unbounded = has_volume(j);
	str_printable(d->why, sizeof(d->why), why);
	return 0;
}

/* The ids of all containers of this lease, a line each. */
static int list(struct proc_result *r, const struct box *box, struct err *e)
{
	auto_free char *label = mem_printf("label=" DOCKER_LABEL "=%s", box->id);
	auto_free char *owner = mem_printf("label=" DOCKER_OWNER "%s%s", box->owner ? "=" : "",
					   box->owner ? box->owner : "");
	const char *const args[] = {"ps",	"--all", "--quiet",  "--no-trunc",
				    "--filter", label,	 "--filter", owner};
	size_t n = box->owner ? ARRAY_SIZE(args) : ARRAY_SIZE(args) - 2;

	if (docker_ask(box, args, n, r, e) < 0)
		return -1;
	return r->status == 0 ? 0 : docker_error("ps", r, e);
}

/* "No such container" in words is not enough. */
static enum docker_status gone_or_unknown(const struct box *box, struct err *e)
{
	struct proc_result r;
	int listed = list(&r, box, e);
	bool none = str_trim(buf_view(&r.out)).n == 0;

	proc_result_free(&r);
	if (listed == 0 && !none)
		err_set(e, ERRK_PEER, "docker lists a container that it does not show");
	return listed == 0 && none ? DOCKER_GONE : DOCKER_UNKNOWN;
}

void docker_look(struct docker_box *out, const struct box *box, struct err *e)
{
	auto_free char *name = mem_printf("leased-%s", box->id);
	const char *const args[] = {"container", "inspect", "--format", LOOK, name};
	struct proc_result r;

	*out = (struct docker_box){.status = DOCKER_UNKNOWN};
	if (docker_ask(box, args, ARRAY_SIZE(args), &r, e) == 0) {
		if (r.status != 0)
			out->status = gone_or_unknown(box, e);
		else if (read_look(out, box, buf_view(&r.out), e) < 0)
			out->status = DOCKER_UNKNOWN;
	}
	proc_result_free(&r);
}

/* Made and not at the gate any more: it never ran and never will. */
static void docker_inspect(const struct box *box, struct backend_state *out, struct err *e)
{
	struct docker_box d;

	docker_look(&d, box, e);
	*out = (struct backend_state){.status = BACKEND_UNKNOWN, .pid = d.pid};
	if (d.status == DOCKER_GONE)
		out->status = BACKEND_GONE;
	else if (d.status == DOCKER_RUNS)
		out->status = BACKEND_RUNNING;
	else if (d.status == DOCKER_ENDED)
		out->status = BACKEND_STOPPED;
	else if (d.status == DOCKER_CREATED) {
		out->created = docker_has_gate(box);
		out->status = out->created ? BACKEND_RUNNING : BACKEND_STOPPED;
	}
}

/* By their ids, so that no name is trusted. */
static int remove_containers(const struct box *box, struct err *e)
{
	struct proc_result r;
	struct str rest, line;
	int ret = list(&r, box, e);

	for (rest = str_trim(buf_view(&r.out));
	     ret == 0 && rest.n && str_cut(&rest, '\n', &line);) {
		auto_free char *id = mem_strndup(line.p, line.n);
		const char *const args[] = {"rm", "--force", "--volumes", "--", id};

		ret = docker_check(box, args, ARRAY_SIZE(args), e);
	}
	proc_result_free(&r);
	return ret;
}

/* Somebody else may be removing it at the same time, which Docker calls an error. */
static int remove_all(const struct box *box, struct err *e)
{
	int64_t end = clock_mono_ms() + KILL_TIMEOUT_MS;

	while (remove_containers(box, e) < 0) {
		struct proc_result r;
		int listed = list(&r, box, NULL);
		bool none = str_trim(buf_view(&r.out)).n == 0;

		proc_result_free(&r);
		if (listed < 0 || clock_mono_ms() > end)
			return -1;
		if (none)
			return 0;
		nanosleep(&(struct timespec){0, POLL_MS * 1000000}, NULL);
	}
	return 0;
}

static int run_create(const struct box *box, const struct buf *text, struct err *e)
{
	const char *end = text->p + text->n;
	auto_free const char **args = NULL;
	size_t n = 0, room = 0;

	for (const char *p = text->p; p < end; p += strlen(p) + 1) {
		if (n == room) {
			room = 2 * room + 128;
			args = mem_grow(args, room, sizeof(*args));
		}
		args[n++] = p;
	}
	return docker_check(box, args, n, e);
}

/* What an attempt that died left behind has the name. */
static int create_box(const struct box *box, struct err *e)
{
	auto_buf struct buf text = BUF(DOCKER_ARGS_MAX);
	auto_free char *path = mem_printf("%s/" DOCKER_ARGS, box->dir);
	auto_free char *env = mem_printf("%s/" DOCKER_ENV, box->dir);
	struct docker_box d;
	int r = fs_read(&text, path, e);

	if (r < 0 || text.n == 0)
		return r < 0 ? -1 : err_set(e, ERRK_STATE, "not prepared");
	r = run_create(box, &text, e);
	if (r < 0 && strstr(e ? e->msg : "", "is already in use"))
		r = remove_all(box, e) < 0 ? -1 : run_create(box, &text, e);
	unlink(env);
	if (r < 0)
		return -1;
	docker_look(&d, box, e);
	if (d.status != DOCKER_CREATED)
		return d.status == DOCKER_UNKNOWN ? -1
						  : err_set(e, ERRK_PEER, "docker made nothing");
	return d.unbounded ? err_set(e, ERRK_INPUT,
				     "image: has a volume for which nothing was prepared")
			   : 0;
}

/* Control groups are made below ours. */
static int docker_create(const struct box *box, struct backend_streams *io, pid_t *pid,
			 struct err *e)
{
	auto_close int master = -1, slave = -1;
	struct err why = {.kind = ERRK_SYS};

	if ((io->tty && console_make(&master, &slave, e) < 0) || create_box(box, &why) < 0 ||
	    docker_mind(box, io, slave, pid, &why) < 0) {
		if (why.msg[0] && remove_all(box, NULL) == 0)
			(void)!docker_close_gate(box, NULL);
		if (why.msg[0] && e)
			*e = why;
		return -1;
	}
	if (io->tty)
		io->terminal = steal_fd(&master);
	return 0;
}

/* What docker_look says about a start; START_WAITS: nothing yet. */
enum { START_WAITS = 1 };
static int look_at_start(const struct box *box, bool nobody, struct err *e)
{
	struct docker_box d;

	docker_look(&d, box, e);
	if (d.status == DOCKER_RUNS || d.status == DOCKER_ENDED)
		return docker_close_gate(box, e);
	if (d.status == DOCKER_UNKNOWN)
		return -1;
	if (d.status == DOCKER_GONE)
		return err_set(e, ERRK_STATE, "not created");
	if (d.why[0])
		return err_set(e, ERRK_PEER, "docker start: %s", d.why);
	return nobody ? err_set(e, ERRK_STATE, "who waits for its start has died") : START_WAITS;
}

/* Whoever stands for it ends where it cannot be started. */
static int docker_start(const struct box *box, struct err *e)
{
	int64_t end = clock_mono_ms() + START_TIMEOUT_MS;
	int gate, r = START_WAITS;

	while (r == START_WAITS && clock_mono_ms() < end) {
		gate = docker_open_gate(box, e);
		r = gate < 0 ? -1 : look_at_start(box, gate == DOCKER_NOBODY, e);
		if (r == START_WAITS)
			nanosleep(&(struct timespec){0, POLL_MS * 1000000}, NULL);
	}
	return r == START_WAITS ? err_set(e, ERRK_PEER, "docker does not start it") : r;
}

static int send_signal(const struct box *box, int signal, struct err *e)
{
	auto_free char *name = mem_printf("leased-%s", box->id);
	auto_free char *option = mem_printf("--signal=%d", signal);
	const char *const args[] = {"kill", option, name};

	return docker_check(box, args, ARRAY_SIZE(args), e);
}

/* All processes end with the first. Those that our control group names are gone already, and an
 * answer of the daemon is not needed for that. */
static int kill_all(const struct box *box, struct err *e)
{
	int64_t end = clock_mono_ms() + KILL_TIMEOUT_MS;
	struct docker_box d;

	if (docker_close_gate(box, e) < 0 || cgroup_kill(box->cgroup, KILL_TIMEOUT_MS, e) < 0)
		return -1;
	while (true) {
		docker_look(&d, box, e);
		if (d.status == DOCKER_UNKNOWN)
			return -1;
		if (d.status != DOCKER_RUNS)
			return 0;
		if (send_signal(box, SIGKILL, NULL) < 0 && clock_mono_ms() > end)
			return err_set(e, ERRK_PEER, "docker does not end it");
		nanosleep(&(struct timespec){0, POLL_MS * 1000000}, NULL);
	}
}

static int docker_stop(const struct box *box, int signal, struct err *e)
{
	struct docker_box d;

	if (signal == SIGKILL)
		return kill_all(box, e);
	if (send_signal(box, signal, e) == 0)
		return 0;
	docker_look(&d, box, NULL); /* it may have ended a moment ago */
	return d.status == DOCKER_ENDED || d.status == DOCKER_GONE ? 0 : -1;
}

static int docker_destroy(const struct box *box, struct err *e)
{
	static const char *const FILES[] = {DOCKER_ARGS, DOCKER_ENV, DOCKER_SECCOMP};

	if (docker_close_gate(box, e) < 0 || cgroup_kill(box->cgroup, KILL_TIMEOUT_MS, e) < 0 ||
	    remove_all(box, e) < 0 || cgroup_remove(box->cgroup, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(FILES); i++) {
		auto_free char *path = mem_printf("%s/%s", box->dir, FILES[i]);

		if (unlink(path) < 0 && errno != ENOENT)
			return err_sys(e, "remove %s", path);
	}
	return 0;
}

const struct backend backend_docker = {
	.name = "docker",
	.apart = true,
	.probe = docker_probe,
	.prepare = docker_prepare,
	.create = docker_create,
	.start = docker_start,
	.inspect = docker_inspect,
	.stop = docker_stop,
	.destroy = docker_destroy,
	.exec = docker_exec_run,
	.exec_signal = docker_exec_signal,
};
