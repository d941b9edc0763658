/* Fork, drop, execveat; see supervisor.h. */
#include "agent/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"

#define CONFIG_MAX	((size_t)1 << 20)
#define STOP_TIMEOUT_MS 10000
#define BACKOFF_MIN_MS	1000
#define BACKOFF_MAX_MS	60000
#define LIVED_LONG_MS	60000
#define SOCKET_FD	3 /* in the core */
#define CONFIG_FD	4
#define CONFIG_FD_PATH	"/proc/self/fd/4"

struct supervisor {
	struct loop *loop;
	struct supervisor_setup setup;
	int program;	 /* O_PATH */
	int config;	 /* memory file, sealed */
	pid_t pid;	 /* 0: none */
	int64_t started; /* monotonic, ms */
	int64_t backoff;
	struct loop_timer *timer; /* next start, or KILL while stopping */
	bool stopping;
	supervisor_stopped_fn *stopped;
	void *stopped_ctx;
};

static int copy_config(int *out, const char *path, struct err *e)
{
	auto_buf struct buf text = BUF(CONFIG_MAX);
	auto_close int fd = -1;
	int r = fs_read(&text, path, e);

	if (r == FS_NOT_FOUND)
		return err_set(e, ERRK_INPUT, "there is no %s", path);
	if (r < 0)
		return -1;
	fd = memfd_create("leased.conf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || fs_write_all(fd, text.p, text.n, e) < 0 || fchmod(fd, 0444) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return err_sys(e, "copy %s", path);
	*out = steal_fd(&fd);
	return 0;
}

/* What the core may inherit of our environment: where logs go, and switches of test builds. */
static void core_env(const char *into[static 10])
{
	static const char *const pass[] = {"JOURNAL_STREAM", "LEASED_TEST_STEP", "ASAN_OPTIONS",
					   "LSAN_OPTIONS",   "UBSAN_OPTIONS",	 "SSL_CERT_FILE"};
	size_t n = 0;

	into[n++] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	into[n++] = "LANG=C";
	for (size_t i = 0; i < ARRAY_SIZE(pass); i++)
		if (getenv(pass[i]))
			into[n++] = mem_printf("%s=%s", pass[i], getenv(pass[i]));
	into[n] = NULL;
}

static int place(int fd, int target, struct err *e)
{
	return dup2(fd, target) == target ? 0 : err_sys(e, "pass a descriptor");
}

/* In the child. The program's descriptor goes above those that the core shall see. */
static int become_core(struct supervisor *s, int socket, struct err *e)
{
	const char *const argv[] = {"leased-core", "--config", CONFIG_FD_PATH, NULL};
	const char *envp[10];
	int parent = getppid(), null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int program = fcntl(s->program, F_DUPFD_CLOEXEC, 10);
	int config = fcntl(s->config, F_DUPFD_CLOEXEC, 10);
	int link = fcntl(socket, F_DUPFD_CLOEXEC, 10);
	sigset_t none;

	core_env(envp);
	if (null < 0 || program < 0 || config < 0 || link < 0)
		return err_sys(e, "pass a descriptor");
	if (place(null, 0, e) < 0 || place(link, SOCKET_FD, e) < 0 ||
	    place(config, CONFIG_FD, e) < 0)
		return -1;
	if (syscall(SYS_close_range, 5u, ~0u, CLOSE_RANGE_CLOEXEC) < 0 || setsid() < 0 ||
	    chdir("/") < 0)
		return err_sys(e, "prepare the core");
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
	if (sandbox_drop(&s->setup.user, e) < 0)
		return -1;
	/* After the change of user, which forgets it. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		return err_sys(e, "follow the parent");
	syscall(SYS_execveat, program, "", argv, envp, AT_EMPTY_PATH);
	return err_sys(e, "start %s", s->setup.program);
}

static void on_timer(void *ctx);

static void start_later(struct supervisor *s)
{
	if (clock_mono_ms() - s->started > LIVED_LONG_MS)
		s->backoff = 0;
	s->backoff = s->backoff ? s->backoff * 2 : BACKOFF_MIN_MS;
	if (s->backoff > BACKOFF_MAX_MS)
		s->backoff = BACKOFF_MAX_MS;
	s->timer = loop_timer_add(s->loop, s->backoff, on_timer, s);
}

static void on_core_exit(void *ctx, pid_t pid, int status)
{
	struct supervisor *s = ctx;

	s->pid = 0;
	if (s->stopping) {
		loop_timer_del(s->timer);
		s->timer = NULL;
		s->stopped(s->stopped_ctx);
		return;
	}
	log_broken("leased-core ended with %d; leases go on, it is started again", status);
	start_later(s);
}

static void on_timer(void *ctx)
{
	struct supervisor *s = ctx;
	struct err err;

	s->timer = NULL;
	if (s->stopping) {
		kill(s->pid, SIGKILL); /* not reaped: still ours */
		return;
	}
	if (supervisor_start(s, &err) < 0) {
		log_broken("%s", err.msg);
		start_later(s);
	}
}

int supervisor_start(struct supervisor *s, struct err *e)
{
	auto_close int ours = -1, theirs = -1;
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "socketpair");
	ours = pair[0];
	theirs = pair[1];
	s->started = clock_mono_ms();
	pid = fork();
	if (pid < 0)
		return err_sys(e, "fork");
	if (pid == 0) {
		become_core(s, theirs, e);
		log_broken("%s", e->msg);
		_exit(127);
	}
	s->pid = pid;
	if (loop_child_add(s->loop, pid, on_core_exit, s, e) < 0)
		return -1;
	s->setup.started(s->setup.ctx, steal_fd(&ours));
	return 0;
}

void supervisor_stop(struct supervisor *s, supervisor_stopped_fn *stopped, void *ctx)
{
	s->stopping = true;
	s->stopped = stopped;
	s->stopped_ctx = ctx;
	loop_timer_del(s->timer);
	s->timer = NULL;
	if (s->pid == 0) {
		stopped(ctx);
		return;
	}
	kill(s->pid, SIGTERM);
	s->timer = loop_timer_add(s->loop, STOP_TIMEOUT_MS, on_timer, s);
}

int supervisor_new(struct supervisor **out, struct loop *l, const struct supervisor_setup *setup,
		   struct err *e)
{
	AUTO(supervisor_free) struct supervisor *s = mem_zero(sizeof(*s));

	s->loop = l;
	s->setup = *setup;
	s->config = -1;
	s->program = open(setup->program, O_PATH | O_CLOEXEC);
	if (s->program < 0)
		return err_sys(e, "open %s", setup->program);
	if (copy_config(&s->config, setup->config, e) < 0)
		return -1;
	*out = steal(&s);
	return 0;
}

void supervisor_free(struct supervisor *s)
{
	if (!s)
		return;
	if (s->pid > 0)
		kill(s->pid, SIGKILL);
	loop_timer_del(s->timer);
	if (s->program >= 0)
		close(s->program);
	if (s->config >= 0)
		close(s->config);
	free(s);
}
