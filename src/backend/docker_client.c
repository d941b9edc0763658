/* Docker's daemon, as its client tells. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "backend/docker_impl.h"
#include "base/json.h"
#include "base/mem.h"

#define SAYS_MAX    65536
#define UNIX_SCHEME "unix://"

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

static char *lock_path(const struct box *box)
{
	return mem_printf("%s/" DOCKER_LOCK, box->dir);
}

int docker_change(const struct box *box, const char *const *args, size_t nargs, struct err *e)
{
	auto_free const char **argv = docker_argv(box, args, nargs);
	auto_free char *path = lock_path(box);
	auto_close int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	const int keep[] = {lock, -1};
	struct proc_spec spec = {.argv = argv, .in = -1, .out = -1, .err = -1, .keep = keep};
	struct proc_result r = {.out = BUF(SAYS_MAX), .err = BUF(SAYS_MAX)};
	int ret;

	if (lock < 0 || flock(lock, LOCK_SH) < 0)
		return err_sys(e, "lock %s", path);
	ret = proc_run(&spec, NULL, 0, DOCKER_TIMEOUT_MS, &r, e);
	if (ret == 0 && r.status != 0)
		ret = docker_error(args[0], &r, e);
	proc_result_free(&r);
	return ret;
}

int docker_lock(int *out, const struct box *box, struct err *e)
{
	auto_free char *path = lock_path(box);
	auto_close int lock = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (lock < 0)
		return errno == ENOENT ? 0 : err_sys(e, "open %s", path);
	if (flock(lock, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? DOCKER_BUSY : err_sys(e, "lock %s", path);
	*out = steal_fd(&lock);
	return 0;
}

int docker_check(const struct box *box, const char *const *args, size_t nargs, struct err *e)
{
	struct proc_result r;
	int ret = docker_ask(box, args, nargs, &r, e);

	if (ret == 0 && r.status != 0)
		ret = docker_error(args[0], &r, e);
	proc_result_free(&r);
	return ret;
}

int docker_reach(const struct box *box, struct err *e)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	auto_close int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const char *path = box->runtime_root;

	if (s < 0)
		return err_sys(e, "socket");
	if (str_starts(str_of(path), UNIX_SCHEME))
		path += strlen(UNIX_SCHEME);
	if (*path != '/' || strlen(path) >= sizeof(sa.sun_path))
		return err_set(e, ERRK_INPUT, "\"%s\" is no socket", path);
	memcpy(sa.sun_path, path, strlen(path) + 1);
	/* A queue that is full is one that nobody empties. */
	return connect(s, (const struct sockaddr *)&sa, sizeof(sa)) < 0
		       ? err_sys(e, "connect to %s", path)
		       : 0;
}

static int read_host(struct docker_host *out, struct str text, struct err *e)
{
	auto_json struct json *j = NULL;
	struct str version = {0}, driver = {0}, one;

	if (json_parse(&j, str_trim(text), NULL, e) < 0 ||
	    json_str(j, "version", SAYS_MAX, &version, e) < 0 ||
	    json_str(j, "driver", SAYS_MAX, &driver, e) < 0)
		return err_wrap(e, "docker info");
	*out = (struct docker_host){.slices = str_is(driver, "systemd")};
	str_printable(out->version, sizeof(out->version), version);
	for (const struct json *v = json_first(json_get(j, "security")); v; v = json_next(v)) {
		if (!json_as_str(v, &one))
			continue;
		out->rootless |= str_starts(one, "name=rootless");
		out->remapped |= str_starts(one, "name=userns");
	}
	return 0;
}

int docker_host(struct docker_host *out, const struct box *box, struct err *e)
{
	static const char *const args[] = {"info", "--format",
					   "{\"version\":{{json .ServerVersion}},"
					   "\"driver\":{{json .CgroupDriver}},"
					   "\"security\":{{json .SecurityOptions}}}"};
	struct proc_result r;
	int ret = docker_ask(box, args, ARRAY_SIZE(args), &r, e);

	if (ret == 0 && r.status != 0)
		ret = docker_error(args[0], &r, e);
	if (ret == 0)
		ret = read_host(out, buf_view(&r.out), e);
	proc_result_free(&r);
	if (ret < 0)
		return -1;
	if (out->rootless)
		return err_set(e, ERRK_PEER,
			       "Docker's daemon is rootless: it cannot use what is "
			       "mounted here");
	return out->remapped ? err_set(e, ERRK_PEER,
				       "Docker's daemon maps users (userns-remap), for whom a "
				       "lease's files are not made: switch it off")
			     : 0;
}
