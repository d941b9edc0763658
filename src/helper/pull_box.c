/* Namespaces and a small root around one program: see pull_box.h. */
#include "helper/pull_box.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "image/pull.h"

#define PROGRAM	    "skopeo"
#define TICK_MS	    300
#define FILES_MAX   1024
#define THREADS_MAX 256
#define MEMORY_MAX  (UINT64_C(1) << 30)
#define CONF_MAX    65536
#define SETUP_EXIT  125

/* --- its network --- */

/* Holds the new namespace until its parent has a descriptor of it. */
static _Noreturn void hold(int ready, pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent || unshare(CLONE_NEWNET) ||
	    write(ready, "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static int open_netns(int *out, pid_t pid, struct err *e)
{
	auto_free char *path = mem_printf("/proc/%d/ns/net", (int)pid);

	*out = open(path, O_RDONLY | O_CLOEXEC);
	return *out < 0 ? err_sys(e, "open %s", path) : 0;
}

int pull_box_connect(int *netns, const struct helper_pull *p, uint32_t slot, struct err *e)
{
	auto_close int fd = -1;
	pid_t parent = getpid(), pid;
	int ends[2], r;
	char byte;

	if (pipe2(ends, O_CLOEXEC))
		return err_sys(e, "pipe");
	pid = fork();
	if (pid == 0)
		hold(ends[1], parent);
	close(ends[1]);
	r = pid < 0 || read(ends[0], &byte, 1) != 1
		    ? err_set(e, ERRK_SYS, "a network namespace for pulls")
		    : 0;
	close(ends[0]);
	if (r == 0)
		r = tenant_net_add(p->net, &(struct tenant_seat){.slot = slot}, e) ||
				    tenant_net_join(p->net, slot, pid, e) || open_netns(&fd, pid, e)
			    ? -1
			    : 0;
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	if (r == 0)
		*netns = steal_fd(&fd);
	return r;
}

/* --- inside: between clone and exec --- */

static _Noreturn void give_up(const char *what)
{
	dprintf(2, "setup: %s: %s\n", what, strerror(errno));
	_exit(SETUP_EXIT);
}

static void must(bool done, const char *what)
{
	if (!done)
		give_up(what);
}

#define SHUT (MS_NOSUID | MS_NODEV)

static void bind(const char *from, const char *to, unsigned long flags)
{
	must(mount(from, to, NULL, MS_BIND, NULL) == 0 &&
		     mount(NULL, to, NULL, MS_BIND | MS_REMOUNT | flags, NULL) == 0,
	     from);
}

static void make_file(const char *path, const char *text, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	must(fd >= 0 && write(fd, text, n) == (ssize_t)n, path);
	close(fd);
}

static void bind_file(const char *from, const char *to, unsigned long flags)
{
	make_file(to, "", 0);
	bind(from, to, flags);
}

/* Where they are links into /usr, links; else the folders themselves. */
static void add_system_folder(const char *name)
{
	auto_free char *path = mem_printf("/%s", name);
	char target[256];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n > 0) {
		target[n] = '\0';
		must(symlink(target, name) == 0, path);
	} else if (fs_exists(path)) {
		must(mkdir(name, 0755) == 0, path);
		bind(path, name, MS_RDONLY | SHUT);
	}
}

static void add_system(void)
{
	static const char *const LINKS[] = {"bin", "sbin", "lib", "lib32", "lib64", "libx32"};

	must(mkdir("usr", 0755) == 0, "usr");
	bind("/usr", "usr", MS_RDONLY | SHUT);
	for (size_t i = 0; i < ARRAY_SIZE(LINKS); i++)
		add_system_folder(LINKS[i]);
	must(mkdir("etc", 0755) == 0 && mkdir("dev", 0755) == 0 && mkdir("conf", 0755) == 0,
	     "folders");
	if (fs_exists("/etc/ssl")) {
		must(mkdir("etc/ssl", 0755) == 0, "etc/ssl");
		bind("/etc/ssl", "etc/ssl", MS_RDONLY | SHUT);
	}
	bind_file("/dev/null", "dev/null", MS_NOSUID);
	bind_file("/dev/urandom", "dev/urandom", MS_NOSUID);
}

static void add_conf(const char *path, struct buf *text)
{
	must(!text->failed, path);
	make_file(path, text->p ? text->p : "", text->n);
}

static void add_hosts(const struct helper_pull *p)
{
	auto_buf struct buf hosts = BUF(CONF_MAX);

	buf_puts(&hosts, "127.0.0.1 localhost\n");
	for (size_t i = 0; i < p->nnear; i++)
		buf_printf(&hosts, "%s\n", p->near[i]);
	add_conf("etc/hosts", &hosts);
	make_file("etc/nsswitch.conf", "hosts: files dns\n", 17);
	make_file("etc/resolv.conf", p->resolv_conf, strlen(p->resolv_conf));
}

static void add_auth(const struct pull_box *b)
{
	auto_buf struct buf text = BUF(CONF_MAX);
	uid_t uid = b->pull->uid + b->slot;

	if (b->auth)
		pull_put_auth(&text, b->host, b->auth);
	else
		buf_puts(&text, "{}");
	add_conf("conf/auth.json", &text);
	must(chmod("conf/auth.json", 0600) == 0 && lchown("conf/auth.json", uid, uid) == 0,
	     "credentials");
}

static void add_settings(const struct pull_box *b)
{
	const struct helper_pull *p = b->pull;
	auto_buf struct buf registries = BUF(CONF_MAX), policy = BUF(CONF_MAX);

	pull_put_registries(&registries, &p->hosts);
	pull_put_policy(&policy);
	add_conf("conf/registries.conf", &registries);
	add_conf("conf/policy.json", &policy);
	must(mkdir("conf/certs", 0755) == 0 && mkdir("conf/none", 0755) == 0, "folders");
	if (p->ca_file)
		bind_file(p->ca_file, "conf/certs/ca.crt", MS_RDONLY | SHUT);
	add_hosts(p);
	add_auth(b);
}

static void add_work(const struct pull_box *b)
{
	uid_t uid = b->pull->uid + b->slot;

	must(mkdir("work", 0700) == 0, "work");
	if (b->work)
		bind(b->work, "work", SHUT | MS_NOEXEC);
	must(lchown("work", uid, uid) == 0, "work");
	if (b->archive)
		bind_file(b->archive, "archive", MS_RDONLY | SHUT | MS_NOEXEC);
}

static void enter_root(const struct pull_box *b)
{
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "mounts");
	must(mount("pull", b->root, "tmpfs", MS_NOSUID, "size=32m,nr_inodes=8192,mode=755") == 0 &&
		     chdir(b->root) == 0,
	     b->root);
	add_system();
	add_settings(b);
	add_work(b);
	must(syscall(SYS_pivot_root, ".", ".") == 0 && umount2(".", MNT_DETACH) == 0 &&
		     chdir("/work") == 0,
	     "new root");
}

static void limit(int what, uint64_t most)
{
	must(setrlimit(what, &(struct rlimit){most, most}) == 0, "limits");
}

static void drop_powers(const struct pull_box *b)
{
	uid_t uid = b->pull->uid + b->slot;

	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_NOFILE, FILES_MAX);
	limit(RLIMIT_NPROC, THREADS_MAX);
	limit(RLIMIT_DATA, MEMORY_MAX);
	limit(RLIMIT_FSIZE, b->file_max);
	must(setgroups(0, NULL) == 0 && setresgid(uid, uid, uid) == 0 &&
		     setresuid(uid, uid, uid) == 0,
	     "user");
	/* after the change of user, which takes it away; before anything of a stranger's is read */
	must(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0,
	     "no_new_privs");
}

static const char *find_program(void)
{
	static const char *const PLACES[] = {"/usr/local/bin/" PROGRAM, "/usr/bin/" PROGRAM};

	for (size_t i = 0; i < ARRAY_SIZE(PLACES); i++)
		if (access(PLACES[i], X_OK) == 0)
			return PLACES[i];
	errno = ENOENT;
	give_up(PROGRAM);
}

static _Noreturn void child(const struct pull_box *b, const char *const *argv, const int ends[2])
{
	static const char *const ENV[] = {
		"PATH=/usr/bin", "HOME=/work",	      "TMPDIR=/work",	   "XDG_RUNTIME_DIR=/work",
		"LANG=C",	 "GODEBUG=netdns=go", "GOMEMLIMIT=512MiB", NULL};
	int null = open("/dev/null", O_RDWR);
	const char *program;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || null < 0 || dup2(null, 0) < 0 ||
	    dup2(ends[0], 1) < 0 || dup2(ends[1], 2) < 0)
		_exit(SETUP_EXIT);
	setsid();
	umask(022);
	must(b->netns >= 0 ? setns(b->netns, CLONE_NEWNET) == 0 : unshare(CLONE_NEWNET) == 0,
	     "network");
	must(syscall(SYS_close_range, 3u, ~0u, 0) == 0, "descriptors");
	enter_root(b);
	program = find_program();
	drop_powers(b);
	umask(077);
	execve(program, (char *const *)argv, (char *const *)ENV);
	give_up(program);
}

/* --- outside --- */

struct watch {
	pid_t pid;
	int out, err;
	struct buf *to, *complaints;
	bool late;
};

/* False at the end of file. */
static bool take_output(int fd, struct buf *to)
{
	char piece[16384];
	ssize_t n = read(fd, piece, sizeof(piece));

	if (n < 0)
		return errno == EINTR;
	buf_add(to, piece, (size_t)n);
	return n > 0;
}

/* What it says last is why it ended. */
static bool take_complaints(int fd, struct buf *to)
{
	char piece[4096];
	ssize_t n = read(fd, piece, sizeof(piece));

	if (n < 0)
		return errno == EINTR;
	if (to->n + (size_t)n > to->max)
		buf_reset(to);
	buf_add(to, piece, (size_t)n);
	return n > 0;
}

static void shut(int *fd)
{
	close(*fd);
	*fd = -1;
}

static void watch(struct watch *w, int64_t until_ms, pull_box_tick_fn *tick, void *ctx)
{
	while (w->out >= 0 || w->err >= 0) {
		struct pollfd p[2] = {{w->out, POLLIN, 0}, {w->err, POLLIN, 0}};
		int64_t left = until_ms - clock_mono_ms();

		if (left <= 0 || w->to->failed) {
			w->late = left <= 0;
			break;
		}
		(void)poll(p, 2, (int)(left < TICK_MS ? left : TICK_MS));
		if (p[0].revents && !take_output(w->out, w->to))
			shut(&w->out);
		if (p[1].revents && !take_complaints(w->err, w->complaints))
			shut(&w->err);
		if (tick)
			tick(ctx);
	}
	/* the first process of its namespace: with it all others end */
	if (w->out >= 0 || w->err >= 0)
		kill(w->pid, SIGKILL);
}

static int start(struct watch *w, const struct pull_box *b, const char *const *argv, struct err *e)
{
	struct clone_args how = {.flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS,
				 .exit_signal = SIGCHLD};
	int out[2], err[2];

	if (pipe2(out, O_CLOEXEC))
		return err_sys(e, "pipe");
	if (pipe2(err, O_CLOEXEC)) {
		close(out[0]);
		close(out[1]);
		return err_sys(e, "pipe");
	}
	w->pid = (pid_t)syscall(SYS_clone3, &how, sizeof(how));
	if (w->pid == 0)
		child(b, argv, (const int[]){out[1], err[1]});
	close(out[1]);
	close(err[1]);
	w->out = out[0];
	w->err = err[0];
	return w->pid < 0 ? err_sys(e, "namespaces for a pull") : 0;
}

/* It ends a moment after its output. One that only closed that is not waited for any longer. */
static int reap(struct watch *w, int64_t until_ms)
{
	auto_close int pidfd = (int)syscall(SYS_pidfd_open, w->pid, 0);
	struct pollfd p = {pidfd, POLLIN, 0};
	int64_t left = until_ms - clock_mono_ms();
	int status = 0;

	if (pidfd >= 0 && !w->late &&
	    poll(&p, 1,
		 left < 0	  ? 0
		 : left > INT_MAX ? INT_MAX
				  : (int)left) == 0) {
		kill(w->pid, SIGKILL);
		w->late = true;
	}
	while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

int pull_box_run(const struct pull_box *b, const char *const *argv, struct buf *out,
		 struct buf *complaints, pull_box_tick_fn *tick, void *ctx, struct err *e)
{
	struct watch w = {.out = -1, .err = -1, .to = out, .complaints = complaints};
	int status = 0, r = start(&w, b, argv, e);

	if (r == 0) {
		watch(&w, b->until_ms, tick, ctx);
		status = reap(&w, b->until_ms);
	}
	if (w.out >= 0)
		close(w.out);
	if (w.err >= 0)
		close(w.err);
	if (r < 0)
		return -1;
	if (w.late)
		return PULL_BOX_LATE;
	if (buf_check(out, "what the registry sent", e))
		return -1;
	if (WIFEXITED(status) && WEXITSTATUS(status) == SETUP_EXIT)
		return err_set(e, ERRK_SYS, "pull: %.*s", (int)complaints->n,
			       complaints->n ? complaints->p : "");
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : PULL_BOX_FAILED;
}
