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
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "backend/cgroup.h"
#include "backend/docker_impl.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"

#define KILL_TIMEOUT_MS 10000
#define GATE_TIMEOUT_MS 30000
#define GATE_POLL_MS	2
#define LOOK_EACH	250 /* polls */
#define POLL_MS		10
#define SAYS_MAX	65536
#define LOCK_TIMEOUT_MS (DOCKER_TIMEOUT_MS + 5000)

static int docker_probe(const struct box *box, struct buf *version, struct err *e)
{
	struct docker_host host;

	if (docker_host(&host, box, e) < 0)
		return -1;
	buf_printf(version, "docker %s", host.version);
	return 0;
}

static int write_file(const struct box *box, const char *name, const struct buf *text,
		      struct err *e)
{
	auto_free char *path = mem_printf("%s/%s", box->dir, name);

	return fs_write(path, text->p ? text->p : "", text->n, 0600, e);
}

static int docker_prepare(const struct box *box, struct err *e)
{
	auto_buf struct buf args = BUF(DOCKER_ARGS_MAX), filter = BUF(OCI_CONFIG_MAX);
	struct docker_host host;
	uint64_t caps;

	if (docker_host(&host, box, e) < 0 || docker_args(&args, box, host.slices, e) < 0 ||
	    oci_caps(&caps, box->spec, box->caps, box->grant, e) < 0)
		return -1;
	oci_seccomp(&filter, caps);
	if (buf_check(&filter, "filter", e) < 0 || fs_mkdirs(box->dir, 0711, e) < 0 ||
	    write_file(box, DOCKER_SECCOMP, &filter, e) < 0 ||
	    write_file(box, DOCKER_ARGS, &args, e) < 0)
		return -1;
	return docker_plan_write(box, e);
}

static const char LOOK[] = "{\"id\":{{json .Id}},\"status\":{{json .State.Status}},"
			   "\"pid\":{{.State.Pid}},\"exit\":\"{{.State.ExitCode}}\","
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
	struct str status, lease = {0}, owner = {0}, exit = {0};
	uint64_t pid, code = 0;

	if (json_parse(&j, str_trim(text), NULL, e) < 0 ||
	    json_opt_copy(d->id, sizeof(d->id), j, "id", e) < 0 ||
	    json_str(j, "status", 32, &status, e) < 0 ||
	    json_u64(j, "pid", INT32_MAX, &pid, e) < 0 ||
	    json_opt_str(j, "exit", 16, &exit, e) < 0 ||
	    json_opt_str(j, "lease", SAYS_MAX, &lease, e) < 0 ||
	    json_opt_str(j, "owner", SAYS_MAX, &owner, e) < 0)
		return err_wrap(e, "docker inspect");
	d->status = str_is(lease, box->id) && (!box->owner || str_is(owner, box->owner))
			    ? status_of(status)
			    : DOCKER_GONE;
	d->pid = (pid_t)pid;
	d->exit = str_u64(exit, 255, &code, NULL) < 0 ? 128 + SIGKILL : (int)code;
	d->unbounded = has_volume(j);
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

/* One that was made and does not run never did, and never will. */
static void docker_inspect(const struct box *box, struct backend_state *out, struct err *e)
{
	static const enum backend_status STATUS[] = {[DOCKER_UNKNOWN] = BACKEND_UNKNOWN,
						     [DOCKER_GONE] = BACKEND_GONE,
						     [DOCKER_CREATED] = BACKEND_STOPPED,
						     [DOCKER_RUNS] = BACKEND_RUNNING,
						     [DOCKER_ENDED] = BACKEND_STOPPED};
	struct docker_box d;

	docker_look(&d, box, e);
	*out = (struct backend_state){.status = STATUS[d.status], .pid = d.pid};
	out->created = d.status == DOCKER_RUNS && docker_gate_is(box);
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
	return docker_change(box, args, n, e);
}

/* What an attempt that died left behind has the name; the image is loaded once. */
static int create_box(const struct box *box, struct err *e)
{
	auto_buf struct buf text = BUF(DOCKER_ARGS_MAX);
	auto_free char *path = mem_printf("%s/" DOCKER_ARGS, box->dir);
	struct err why = {.kind = ERRK_SYS};
	int r = fs_read(&text, path, e);

	if (r < 0 || text.n == 0)
		return r < 0 ? -1 : err_set(e, ERRK_STATE, "not prepared");
	r = run_create(box, &text, &why);
	if (r < 0 && strstr(why.msg, "No such image"))
		r = docker_image_load(box, &why) < 0 ? -1 : run_create(box, &text, &why);
	if (r < 0 && strstr(why.msg, "is already in use"))
		r = remove_all(box, &why) < 0 ? -1 : run_create(box, &text, &why);
	if (r < 0 && e)
		*e = why;
	return r;
}

static int run_gate(const struct box *box, struct err *e)
{
	auto_free char *name = mem_printf("leased-%s", box->id);
	const char *const args[] = {"start", name};

	return docker_change(box, args, ARRAY_SIZE(args), e);
}

/* It listens a moment after Docker started it. */
static int meet_gate(int *conn, const struct box *box, struct err *e)
{
	int64_t end = clock_mono_ms() + GATE_TIMEOUT_MS;
	struct docker_box d;
	int r = DOCKER_NOBODY;

	for (unsigned i = 1; r == DOCKER_NOBODY && clock_mono_ms() < end; i++) {
		r = docker_gate_connect(conn, box, e);
		if (r == DOCKER_NOBODY && i % LOOK_EACH == 0) {
			docker_look(&d, box, e);
			if (d.status == DOCKER_ENDED)
				return err_set(e, ERRK_PEER,
					       "docker start: what waits there ended with %d",
					       d.exit);
		}
		if (r == DOCKER_NOBODY)
			nanosleep(&(struct timespec){0, GATE_POLL_MS * 1000000}, NULL);
	}
	return r == DOCKER_NOBODY ? err_set(e, ERRK_PEER, "nothing waits in the container") : r;
}

/* Who was met is the first process of a container of ours, which has nothing but what we gave it.
 * Held by a descriptor before the daemon is asked, so its number is nobody else's. */
static int check_first(int *first, pid_t pid, const struct box *box, struct err *e)
{
	struct docker_box d;

	*first = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	docker_look(&d, box, e);
	if (d.status == DOCKER_UNKNOWN)
		return -1;
	if (*first < 0 || d.status != DOCKER_RUNS || d.pid != pid)
		return err_set(e, ERRK_PEER,
			       "process %d waits, and Docker's daemon says %d: it must be in this "
			       "host's namespaces",
			       (int)pid, (int)d.pid);
	return d.unbounded
		       ? err_set(e, ERRK_PEER, "the image " DOCKER_IMAGE " is not ours: remove it")
		       : 0;
}

static int note_group(const struct box *box, pid_t pid, struct err *e)
{
	auto_free char *path = mem_printf("%s/" DOCKER_GROUP, box->dir);
	auto_free char *group = NULL;

	if (cgroup_of(&group, pid, e) < 0)
		return -1;
	if (group[0] != '/' || group[1] == '\0')
		return err_set(e, ERRK_PEER, "Docker gave the container no control group");
	return fs_write(path, group, strlen(group), 0600, e);
}

static int make_box(const struct box *box, struct backend_streams *io, struct backend_made *made,
		    struct err *e)
{
	auto_docker_plan struct docker_plan plan = {0};
	auto_close int conn = -1, first = -1;

	if (docker_plan_read(&plan, box, e) < 0 ||
	    docker_gate_make(box, plan.head.uid, plan.head.gid, e) < 0 || create_box(box, e) < 0 ||
	    run_gate(box, e) < 0 || meet_gate(&conn, box, e) < 0)
		return -1;
	made->first = docker_gate_peer(conn);
	if (check_first(&first, made->first, box, e) < 0 || note_group(box, made->first, e) < 0 ||
	    docker_enter(&plan, made->first, e) < 0 || docker_gate_order(conn, &plan, io, e) < 0)
		return -1;
	return docker_mind(box, first, &made->child, e);
}

/* Control groups are made below ours. */
static int docker_create(const struct box *box, struct backend_streams *io,
			 struct backend_made *made, struct err *e)
{
	struct err why = {.kind = ERRK_SYS};

	if (make_box(box, io, made, &why) == 0)
		return 0;
	if (remove_all(box, NULL) == 0)
		(void)!docker_gate_remove(box, NULL);
	if (e)
		*e = why;
	return -1;
}

/* What was started has no gate any more. */
static int started_before(const struct box *box, struct err *e)
{
	struct docker_box d;

	if (docker_gate_is(box))
		return err_set(e, ERRK_STATE, "who waits for its start has died");
	docker_look(&d, box, e);
	if (d.status == DOCKER_UNKNOWN)
		return -1;
	return d.status == DOCKER_RUNS || d.status == DOCKER_ENDED
		       ? 0
		       : err_set(e, ERRK_STATE, "not created");
}

static int docker_start(const struct box *box, struct err *e)
{
	int r = docker_gate_open(box, e);

	if (r == DOCKER_NOBODY)
		return started_before(box, e);
	return r < 0 ? -1 : docker_gate_remove(box, e);
}

/* What create saw; before that, and after destroy, there is none. */
static char *docker_group(const struct box *box)
{
	auto_buf struct buf text = BUF(65536);
	auto_free char *path = mem_printf("%s/" DOCKER_GROUP, box->dir);

	return fs_read(&text, path, NULL) == 0 && text.n ? buf_steal(&text)
							 : mem_strdup(box->cgroup);
}

/* Those that the kernel names by it are gone then, whatever the daemon does. */
static int kill_groups(const struct box *box, struct err *e)
{
	auto_free char *group = docker_group(box);

	return cgroup_kill(box->cgroup, KILL_TIMEOUT_MS, e) < 0
		       ? -1
		       : cgroup_kill(group, KILL_TIMEOUT_MS, e);
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

	if (kill_groups(box, e) < 0)
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

static int destroy_all(const struct box *box, struct err *e)
{
	static const char *const FILES[] = {DOCKER_ARGS, DOCKER_PLAN, DOCKER_SECCOMP, DOCKER_GROUP,
					    DOCKER_LOCK};

	if (kill_groups(box, e) < 0 || remove_all(box, e) < 0 ||
	    cgroup_remove(box->cgroup, e) < 0 || docker_gate_remove(box, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(FILES); i++) {
		auto_free char *path = mem_printf("%s/%s", box->dir, FILES[i]);

		if (unlink(path) < 0 && errno != ENOENT)
			return err_sys(e, "remove %s", path);
	}
	return 0;
}

/* What a killed keeper asked the daemon for may come later than a list that does not have it: it is
 * waited for, which the lock tells. */
static int docker_destroy(const struct box *box, struct err *e)
{
	int64_t end = clock_mono_ms() + LOCK_TIMEOUT_MS;
	auto_close int lock = -1;
	int r;

	while ((r = docker_lock(&lock, box, e)) == DOCKER_BUSY) {
		if (clock_mono_ms() > end)
			return err_set(e, ERRK_PEER, "the daemon is busy with an earlier start");
		nanosleep(&(struct timespec){0, POLL_MS * 1000000}, NULL);
	}
	return r < 0 ? -1 : destroy_all(box, e);
}

const struct backend backend_docker = {
	.name = "docker",
	.shares_ids = true,
	.probe = docker_probe,
	.reach = docker_reach,
	.prepare = docker_prepare,
	.create = docker_create,
	.start = docker_start,
	.inspect = docker_inspect,
	.stop = docker_stop,
	.destroy = docker_destroy,
	.group = docker_group,
	.exec = docker_exec_run,
	.exec_signal = docker_exec_signal,
};
