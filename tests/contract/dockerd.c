/* See dockerd.h. */
#include "dockerd.h"

#include <cmocka.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "backend/cgroup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/proc.h"

#define ANSWER_MS 30000

struct dockerd dockerd;

static int docker(struct proc_result *r, const char *const *args, struct err *e)
{
	const char *argv[48] = {"docker", "--host", dockerd.host};
	struct proc_spec spec = {.argv = argv, .in = -1, .out = -1, .err = -1};

	for (size_t n = 3; *args && n + 1 < ARRAY_SIZE(argv); n++)
		argv[n] = *args++;
	*r = (struct proc_result){.out = BUF(1 << 20), .err = BUF(1 << 16)};
	return proc_run(&spec, NULL, 0, 60000, r, e);
}

char *docker_says(const char *const *args)
{
	struct proc_result r;
	struct err err = {0};
	char *text;

	if (docker(&r, args, &err) < 0 || r.status != 0)
		fail_msg("docker %s: %s %s", args[0], err.msg, r.err.p ? r.err.p : "");
	text = mem_strndup(r.out.p, str_trim(buf_view(&r.out)).n);
	proc_result_free(&r);
	return text;
}

static bool answers(void)
{
	static const char *const args[] = {"version", NULL};
	struct proc_result r;
	bool ok = docker(&r, args, NULL) == 0 && r.status == 0;

	proc_result_free(&r);
	return ok;
}

const char *dockerd_start(struct err *e)
{
	auto_free char *data = mem_printf("%s/data", dockerd.dir);
	auto_free char *exec = mem_printf("%s/exec", dockerd.dir);
	auto_free char *pid = mem_printf("%s/pid", dockerd.dir);
	const char *const argv[] = {"dockerd",
				    "--host",
				    dockerd.host,
				    "--data-root",
				    data,
				    "--exec-root",
				    exec,
				    "--pidfile",
				    pid,
				    "--bridge",
				    "none",
				    "--iptables=false",
				    "--ip-masq=false",
				    "--userland-proxy=false",
				    NULL};
	auto_free char *path = mem_printf("%s/log", dockerd.dir);
	auto_close int log = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct proc_spec spec = {.argv = argv, .in = -1, .out = log, .err = log};
	int64_t end = clock_mono_ms() + ANSWER_MS;

	if (proc_start(&dockerd.pid, &spec, e) < 0)
		return "there is no dockerd";
	while (!answers()) {
		if (waitpid(dockerd.pid, NULL, WNOHANG) == dockerd.pid) {
			dockerd.pid = 0;
			return "dockerd does not run here";
		}
		if (clock_mono_ms() > end)
			return "dockerd does not answer";
		nanosleep(&(struct timespec){0, 100000000}, NULL);
	}
	return NULL;
}

void dockerd_reap(void)
{
	nanosleep(&(struct timespec){1, 0}, NULL);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static void stop_daemon(void)
{
	if (dockerd.pid <= 0)
		return;
	kill(dockerd.pid, SIGTERM);
	waitpid(dockerd.pid, NULL, 0);
	dockerd.pid = 0;
}

static int with_daemon(int (*tests)(void))
{
	struct err err = {0};
	const char *why = dockerd_start(&err);
	int failed;

	if (why) {
		printf("1..0 # SKIP %s\n", why);
		return 0;
	}
	failed = tests();
	stop_daemon();
	return failed;
}

/* In namespaces of its own, so that no daemon outlives a test that is killed, and none of the
 * machine's is met. */
static int apart(int (*tests)(void))
{
	int status;
	pid_t pid;

	if (unshare(CLONE_NEWPID) < 0 || (pid = fork()) < 0) {
		printf("1..0 # SKIP no namespaces: not root\n");
		return 0;
	}
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNS) < 0 ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    mount("proc", "/proc", "proc", 0, NULL) < 0 ||
		    mount("tmpfs", "/run", "tmpfs", 0, NULL) < 0)
			_exit(1);
		status = with_daemon(tests);
		fflush(stdout);
		_exit(status);
	}
	if (waitpid(pid, &status, 0) != pid)
		return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int dockerd_main(int (*tests)(void))
{
	const char *build = getenv("BUILD_DIR");
	char dir[] = "/tmp/leased-docker-XXXXXX";
	struct err err = {0};
	int failed;

	if (!mkdtemp(dir) || contract_make_root(dir, &err) < 0)
		return 1;
	auto_free char *parent = mem_printf("/leased-contract-%d", (int)getpid());
	auto_free char *cgroup = mem_printf("%s/box", parent);
	auto_free char *host = mem_printf("unix://%s/sock", dir);
	auto_free char *root = mem_printf("%s/rootfs", dir);
	auto_free char *probe = mem_printf("%s/leased-probe", build ? build : ".");
	dockerd = (struct dockerd){
		.dir = dir, .host = host, .cgroup = cgroup, .root = root, .probe = probe};
	failed = apart(tests);
	if (cgroup_remove(parent, &err) < 0 || fs_remove_tree(dir, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		failed = 1;
	}
	return failed;
}
