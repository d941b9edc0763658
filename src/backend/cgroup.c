/* Cgroups of all hierarchies through their files. */
#include "backend/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>

#include <linux/magic.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

#define CGROUP_MOUNT	  "/sys/fs/cgroup"
#define CGROUP_PIDS_MAX	  ((size_t)4 << 20) /* bytes of cgroup.procs */
#define CGROUP_DEPTH	  8
#define REMOVE_TIMEOUT_MS 1000

typedef int visit_fn(void *ctx, const char *dir, struct err *e);

int cgroup_version(void)
{
	struct statfs s;

	return statfs(CGROUP_MOUNT, &s) == 0 && s.f_type == CGROUP2_SUPER_MAGIC ? 2 : 1;
}

static bool has_word(struct str list, const char *want)
{
	struct str word;

	while (list.n && str_cut(&list, ',', &word))
		if (str_is(word, want))
			return true;
	return false;
}

/* "0::/path", "7:memory:/path" */
int cgroup_of(char **out, pid_t pid, struct err *e)
{
	auto_buf struct buf text = BUF(65536);
	auto_free char *path = mem_printf("/proc/%d/cgroup", (int)pid);
	struct str rest, line, number, which;
	bool unified = cgroup_version() == 2;
	int r = fs_read(&text, path, e);

	if (r < 0)
		return -1;
	for (rest = buf_view(&text); rest.n && str_cut(&rest, '\n', &line);) {
		if (!str_cut(&line, ':', &number) || !str_cut(&line, ':', &which) || !line.n)
			continue;
		if (unified ? which.n == 0 : has_word(which, "memory")) {
			*out = mem_strndup(line.p, line.n);
			return 0;
		}
	}
	return err_set(e, ERRK_SYS, "process %d is in no control group that limits memory",
		       (int)pid);
}

/* `fn` for the folder of `path` in each hierarchy that has one. */
static int each_hierarchy(const char *path, visit_fn *fn, void *ctx, struct err *e)
{
	auto_closedir DIR *d = NULL;
	struct dirent *entry;

	if (cgroup_version() == 2) {
		auto_free char *dir = mem_printf("%s%s", CGROUP_MOUNT, path);

		return fn(ctx, dir, e);
	}
	d = opendir(CGROUP_MOUNT);
	if (!d)
		return err_sys(e, "open %s", CGROUP_MOUNT);
	while ((entry = readdir(d))) {
		auto_free char *dir = NULL;

		if (entry->d_name[0] == '.' || entry->d_type == DT_LNK)
			continue;
		dir = mem_printf("%s/%s%s", CGROUP_MOUNT, entry->d_name, path);
		if (fn(ctx, dir, e) < 0)
			return -1;
	}
	return 0;
}

/* `fn` for the folders below `dir`, deepest first, then for `dir` itself. Absent is fine. */
static int each_below(const char *dir, unsigned depth, visit_fn *fn, void *ctx, struct err *e)
{
	auto_closedir DIR *d = opendir(dir);
	struct dirent *entry;

	if (!d)
		return errno == ENOENT || errno == ENOTDIR ? 0 : err_sys(e, "open %s", dir);
	while (depth > 0 && (entry = readdir(d))) {
		auto_free char *sub = NULL;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		sub = mem_printf("%s/%s", dir, entry->d_name);
		if (each_below(sub, depth - 1, fn, ctx, e) < 0)
			return -1;
	}
	return fn(ctx, dir, e);
}

struct count {
	unsigned n;
	int signal; /* sent to each; 0: only count */
};

static int count_procs(void *ctx, const char *dir, struct err *e)
{
	struct count *c = ctx;
	auto_buf struct buf text = BUF(CGROUP_PIDS_MAX);
	auto_free char *path = mem_printf("%s/cgroup.procs", dir);
	struct str rest, line;
	int r = fs_read(&text, path, e);

	if (r == FS_NOT_FOUND || (r < 0 && e && e->sys == ENODEV))
		return 0;
	if (r < 0)
		return -1;
	for (rest = str_trim(buf_view(&text)); rest.n > 0 && str_cut(&rest, '\n', &line);) {
		uint64_t pid;

		c->n++;
		if (c->signal && str_u64(line, INT32_MAX, &pid, NULL) == 0 && pid > 1)
			kill((pid_t)pid, c->signal);
	}
	return 0;
}

static int count_tree(void *ctx, const char *dir, struct err *e)
{
	return each_below(dir, CGROUP_DEPTH, count_procs, ctx, e);
}

int cgroup_count(const char *path, unsigned *out, struct err *e)
{
	struct count c = {0};
	int r = each_hierarchy(path, count_tree, &c, e);

	*out = c.n;
	return r;
}

int cgroup_signal(const char *path, int signal, unsigned *out, struct err *e)
{
	struct count c = {.signal = signal};
	int r = each_hierarchy(path, count_tree, &c, e);

	*out = c.n;
	return r;
}

/* Where groups are that have no limits of their own. */
static char *names_dir(const char *path)
{
	return mem_printf("%s%s%s", CGROUP_MOUNT, cgroup_version() == 2 ? "" : "/freezer", path);
}

int cgroup_make_names(const char *path, struct err *e)
{
	auto_free char *dir = names_dir(path);

	return mkdir(dir, 0755) < 0 && errno != EEXIST ? err_sys(e, "make %s", dir) : 0;
}

static int put_into(const char *dir, pid_t pid, struct err *e)
{
	auto_free char *procs = mem_printf("%s/cgroup.procs", dir);
	auto_free char *text = mem_printf("%d", (int)pid);
	auto_close int fd = open(procs, O_WRONLY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return 0; /* the runtime uses no such hierarchy */
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return err_sys(e, "put a process into %s", dir);
	return 0;
}

static int adopt(void *ctx, const char *dir, struct err *e)
{
	return put_into(dir, *(const pid_t *)ctx, e);
}

int cgroup_adopt(const char *path, const char *names, pid_t pid, struct err *e)
{
	auto_free char *named = names_dir(names);

	/* on version 2 nobody may be beside a group that has limits: there is one hierarchy */
	if (cgroup_version() != 2 && each_hierarchy(path, adopt, &pid, e) < 0)
		return -1;
	if (!fs_exists(named))
		return err_set(e, ERRK_STATE, "the lease's group is gone");
	return put_into(named, pid, e);
}

void cgroup_sweep(const char *path, const char *prefix)
{
	auto_free char *dir = names_dir(path);
	auto_closedir DIR *d = opendir(dir);
	struct dirent *entry;

	while (d && (entry = readdir(d)))
		if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
			unlinkat(dirfd(d), entry->d_name, AT_REMOVEDIR); /* busy ones stay */
}

/* Version 2 since Linux 5.14: one write ends a whole tree at once. */
static int kill_file(void *ctx, const char *dir, struct err *e)
{
	auto_free char *path = mem_printf("%s/cgroup.kill", dir);
	auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, "1", 1) < 0)
		return 0; /* counted by the caller */
	return 0;
}

int cgroup_kill(const char *path, int64_t timeout_ms, struct err *e)
{
	int64_t end = clock_mono_ms() + timeout_ms;
	struct timespec pause = {0, 500000};

	if (each_hierarchy(path, kill_file, NULL, e) < 0)
		return -1;
	for (;;) {
		struct count c = {.signal = SIGKILL};

		if (each_hierarchy(path, count_tree, &c, e) < 0)
			return -1;
		if (c.n == 0)
			return 0;
		if (clock_mono_ms() > end)
			return err_set(e, ERRK_STATE, "%u processes of %s do not end", c.n, path);
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < 20000000)
			pause.tv_nsec *= 2;
	}
}

/* A cgroup that was emptied a moment ago may be busy for some milliseconds. */
static int remove_one(void *ctx, const char *dir, struct err *e)
{
	int64_t end = clock_mono_ms() + REMOVE_TIMEOUT_MS;
	struct timespec pause = {0, 5000000};

	while (rmdir(dir) < 0 && errno != ENOENT) {
		struct count c = {0};

		if (errno != EBUSY)
			return err_sys(e, "remove %s", dir);
		if (count_procs(&c, dir, e) < 0)
			return -1;
		if (c.n > 0 || clock_mono_ms() > end)
			return err_set(e, ERRK_STATE, "%s is in use", dir);
		nanosleep(&pause, NULL);
	}
	return 0;
}

static int remove_tree(void *ctx, const char *dir, struct err *e)
{
	return each_below(dir, CGROUP_DEPTH, remove_one, ctx, e);
}

int cgroup_remove(const char *path, struct err *e)
{
	return each_hierarchy(path, remove_tree, NULL, e);
}

static int join_dir(const char *dir, struct err *e)
{
	auto_free char *procs = mem_printf("%s/cgroup.procs", dir);
	auto_close int fd = -1;

	if (fs_mkdirs(dir, 0755, e) < 0)
		return -1;
	fd = open(procs, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) < 0)
		return err_sys(e, "join %s", dir);
	return 0;
}

int cgroup_join(const char *path, struct err *e)
{
	/* On version 1 systemd watches its own hierarchy; the hybrid has a unified one beside it.
	 */
	static const char *const mounts[] = {CGROUP_MOUNT "/systemd", CGROUP_MOUNT "/unified"};

	if (cgroup_version() == 2) {
		auto_free char *dir = mem_printf("%s%s", CGROUP_MOUNT, path);

		return join_dir(dir, e);
	}
	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		auto_free char *dir = mem_printf("%s%s", mounts[i], path);

		if (fs_exists(mounts[i]) && join_dir(dir, e) < 0)
			return -1;
	}
	return 0;
}
