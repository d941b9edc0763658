/* The contract on Docker, then what Docker alone can get wrong. */
#include "dockerd.h"

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "backend/cgroup.h"
#include "backend/usage.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/proc.h"
#include "spec/guard.h"

#define WAIT_MS 60000

static void run(const struct contract *c, const struct box *box, int out)
{
	struct backend_streams io = {.out = out, .err = out};
	struct err err = {0};
	struct backend_made made;

	if (c->backend->prepare(box, &err) < 0 || c->backend->create(box, &io, &made, &err) < 0 ||
	    c->backend->start(box, &err) < 0)
		fail_msg("%s", err.msg);
}

static void destroy(const struct contract *c)
{
	struct err err = {0};

	if (c->backend->destroy(&c->box, &err) < 0)
		fail_msg("%s", err.msg);
}

static int run_command(const struct contract *c, const struct box *box, const char *script)
{
	const char *const argv[] = {"sh", "-c", script, NULL};
	struct backend_exec x = {.name = "c4", .argv = argv, .timeout_ms = WAIT_MS};
	struct backend_exec_result r = {.out = BUF(1000), .err = BUF(1000)};
	struct err err = {0};

	if (c->backend->exec(box, &x, &r, &err) < 0)
		fail_msg("%s", err.msg);
	buf_free(&r.out);
	buf_free(&r.err);
	return r.status;
}

static int run_script(const struct contract *c, const char *script)
{
	return run_command(c, &c->box, script);
}

static char *inspect(const struct contract *c, const char *format)
{
	auto_free char *name = mem_printf("leased-%s", c->box.id);
	const char *const args[] = {"inspect", "--format", format, name, NULL};

	return docker_says(args);
}

static void assert_inspect(const struct contract *c, const char *format, const char *want)
{
	auto_free char *is = inspect(c, format);

	assert_string_equal(is, want);
}

static void test_guards(void **state)
{
	const struct contract *c = *state;

	run(c, &c->box, -1);
	assert_inspect(c, "{{.HostConfig.RestartPolicy.Name}}", "no");
	assert_inspect(c, "{{.HostConfig.Privileged}} {{.HostConfig.ReadonlyRootfs}}",
		       "false true");
	assert_inspect(c, "{{.HostConfig.NetworkMode}} {{.HostConfig.LogConfig.Type}}",
		       "none none");
	assert_inspect(c, "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}}", "67108864 67108864");
	assert_inspect(c, "{{.HostConfig.PidsLimit}} {{.HostConfig.CgroupnsMode}}", "64 private");
	assert_inspect(c, "{{index .Config.Labels \"lease.id\"}}", c->box.id);
	assert_inspect(c, "{{index .Config.Labels \"lease.owner\"}}", c->box.owner);
	destroy(c);
}

/* Of a process inside, as the kernel has it; the capabilities are the usual eleven. */
static void test_inside(void **state)
{
	const struct contract *c = *state;
	const char *const argv[] = {
		"busybox",	     "grep", "-E", "^(NoNewPrivs|Seccomp|CapBnd):",
		"/proc/self/status", NULL};
	struct backend_exec x = {.name = "c1", .argv = argv, .timeout_ms = WAIT_MS};
	struct backend_exec_result r = {.out = BUF(1000), .err = BUF(1000)};
	struct err err = {0};

	run(c, &c->box, -1);
	if (c->backend->exec(&c->box, &x, &r, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(r.status, 0);
	assert_non_null(strstr(r.out.p, "NoNewPrivs:\t1"));
	assert_non_null(strstr(r.out.p, "Seccomp:\t2"));
	assert_non_null(strstr(r.out.p, "CapBnd:\t00000000800405fb"));
	buf_free(&r.out);
	buf_free(&r.err);
	destroy(c);
}

/* Nothing of what a command started runs on. */
static void test_timeout(void **state)
{
	const struct contract *c = *state;
	const char *const argv[] = {"sh", "-c", "echo said; sleep 777 & sleep 778", NULL};
	const char *const top[] = {
		"sh", "-c",
		"case $(busybox cat /proc/[0-9]*/cmdline | busybox tr '\\0' ' ') in "
		"*\"slee\"p\\ 77*) exit 1;; *\"slee\"p\\ 1000*) exit 0;; *) exit 2;; esac",
		NULL};
	struct backend_exec x = {.name = "c2", .argv = argv, .timeout_ms = 5000};
	struct backend_exec y = {.name = "c3", .argv = top, .timeout_ms = WAIT_MS};
	struct backend_exec_result r = {.out = BUF(1000), .err = BUF(1000)};
	struct backend_exec_result s = {.out = BUF(1000), .err = BUF(1000)};
	struct err err = {0};

	run(c, &c->box, -1);
	if (c->backend->exec(&c->box, &x, &r, &err) < 0)
		fail_msg("%s", err.msg);
	assert_true(r.timed_out);
	assert_true(str_is(str_trim(buf_view(&r.out)), "said"));
	if (c->backend->exec(&c->box, &y, &s, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(s.status, 0);
	buf_free(&r.out);
	buf_free(&r.err);
	buf_free(&s.out);
	buf_free(&s.err);
	destroy(c);
}

static void test_exec_says(void **state)
{
	static const struct {
		const char *script;
		int status;
	} cases[] = {{"exit 3", 3}, {"cat >/tmp/x && [ $(wc -c </tmp/x) = 5 ]", 0}};
	const struct contract *c = *state;
	const char *const nothing[] = {"/no/such/program", NULL};
	struct backend_exec n = {.name = "d0", .argv = nothing, .timeout_ms = WAIT_MS};
	struct err err = {0};

	run(c, &c->box, -1);
	for (size_t i = 0; i <= ARRAY_SIZE(cases); i++) {
		bool last = i == ARRAY_SIZE(cases);
		const char *const argv[] = {"sh", "-c", last ? "" : cases[i].script, NULL};
		struct backend_exec x = {.name = "d1",
					 .argv = argv,
					 .input = "a\0b\nc",
					 .input_n = 5,
					 .timeout_ms = WAIT_MS};
		struct backend_exec_result r = {.out = BUF(1000), .err = BUF(1000)};

		if (c->backend->exec(&c->box, last ? &n : &x, &r, &err) < 0)
			fail_msg("%s", err.msg);
		assert_int_equal(r.status, last ? 127 : cases[i].status);
		buf_free(&r.out);
		buf_free(&r.err);
	}
	destroy(c);
}

/* A variable is a secret: in no list of processes, in no file that stays, and nothing of the
 * daemon's.
 */
static void test_environment(void **state)
{
	const struct contract *c = *state;
	struct spec with = {0};
	struct box box = c->box;
	auto_free char *file = mem_printf("%s/docker.plan", box.dir);
	auto_free char *all = NULL;
	int64_t end;
	FILE *out = tmpfile();
	char said[64] = "";
	struct err err = {0};

	spec_copy(&with, c->box.spec);
	spec_drop_args(&with);
	assert_int_equal(spec_set_secret(&with, STR("KEY"), STR("s3c\nret"), &err), 0);
	assert_int_equal(spec_set_env(&with, STR("TOKEN"), STR("$S:KEY"), &err), 0);
	assert_int_equal(spec_add_arg(&with, STR("/bin/sh"), &err), 0);
	assert_int_equal(spec_add_arg(&with, STR("-c"), &err), 0);
	assert_int_equal(spec_add_arg(&with, STR("echo \"$TOKEN\"; exec sleep 1000"), &err), 0);
	box.spec = &with;
	run(c, &box, fileno(out));
	assert_false(fs_exists(file));
	assert_int_equal(
		run_command(c, &box, "[ \"$TOKEN\" = 's3c\nret' ] && [ -z \"$LEASE_ENV_0\" ]"), 0);
	for (end = clock_mono_ms() + WAIT_MS; !strstr(said, "ret") && clock_mono_ms() < end;) {
		nanosleep(&(struct timespec){0, 10000000}, NULL);
		(void)!pread(fileno(out), said, sizeof(said) - 1, 0);
	}
	assert_string_equal(said, "s3c\nret\n");
	all = inspect(c, "{{json .}}");
	assert_null(strstr(all, "s3c"));
	assert_null(strstr(all, "TOKEN"));
	fclose(out);
	spec_clear(&with);
	destroy(c);
}

/* The contract's spec with another command; the caller clears it. */
static void fill_script(struct spec *out, const struct contract *c, const char *script)
{
	struct err err = {0};

	spec_copy(out, c->box.spec);
	spec_drop_args(out);
	assert_int_equal(spec_add_arg(out, STR("/bin/sh"), &err), 0);
	assert_int_equal(spec_add_arg(out, STR("-c"), &err), 0);
	assert_int_equal(spec_add_arg(out, str_of(script), &err), 0);
}

/* Its numbers are where its limits are. */
static void test_usage(void **state)
{
	const struct contract *c = *state;
	auto_free char *group = NULL;
	struct spec_usage use;

	run(c, &c->box, -1);
	group = c->backend->group(&c->box);
	assert_true(str_starts(str_of(group), c->box.cgroup));
	usage_read(&use, &(struct usage_place){"/sys/fs/cgroup", cgroup_version(), group, 0});
	assert_int_equal(use.memory_limit, 64 << 20);
	assert_int_equal(use.pids_limit, 64);
	assert_true(use.pids > 0);
	assert_true(use.memory > 0);
	destroy(c);
	free(group);
	group = c->backend->group(&c->box);
	assert_string_equal(group, c->box.cgroup);
}

/* The status of the command, from the child that stands for it. */
static void test_status(void **state)
{
	const struct contract *c = *state;
	struct backend_streams io = {.out = -1, .err = -1};
	auto_spec struct spec with = {0};
	struct box box = c->box;
	struct backend_made made;
	struct err err = {0};
	int status;

	fill_script(&with, c, "exit 42");
	box.spec = &with;
	assert_int_equal(c->backend->prepare(&box, &err), 0);
	assert_int_equal(c->backend->create(&box, &io, &made, &err), 0);
	assert_int_equal(c->backend->start(&box, &err), 0);
	assert_int_equal(waitpid(made.child, &status, 0), made.child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);
	destroy(c);
}

static void assert_not_made(const struct contract *c, const struct box *box, const char *why)
{
	const char *const list[] = {"ps", "--all", "--quiet", NULL};
	auto_free char *gate = mem_printf("%s/docker.gate", box->dir);
	auto_free char *left = NULL;
	struct backend_streams io = {.out = -1, .err = -1};
	struct backend_made made;
	struct err err = {0};

	assert_int_equal(c->backend->prepare(box, &err), 0);
	assert_int_equal(c->backend->create(box, &io, &made, &err), -1);
	if (!strstr(err.msg, why))
		fail_msg("no \"%s\" in: %s", why, err.msg);
	left = docker_says(list);
	assert_string_equal(left, "");
	assert_false(fs_exists(gate));
	destroy(c);
}

/* What cannot run is not said to run. */
static void test_no_program(void **state)
{
	static const char *const CASES[][2] = {{"/no/such/program", "No such file"},
					       {"no-such-program", "No such file"},
					       {"/etc", "Permission denied"},
					       {"/etc/hostname", "Permission denied"}};
	const struct contract *c = *state;
	auto_free char *file = mem_printf("%s/etc/hostname", c->box.root);
	auto_free char *broken = mem_printf("%s/bin/broken", c->box.root);
	struct backend_streams io = {.out = -1, .err = -1};
	auto_spec struct spec with = {0};
	struct box box = c->box;
	struct backend_made made;
	struct err err = {0};

	assert_int_equal(fs_write(file, "x", 1, 0644, &err), 0);
	assert_int_equal(fs_write(broken, "#!/no/interpreter\n", 18, 0755, &err), 0);
	spec_copy(&with, c->box.spec);
	box.spec = &with;
	for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
		spec_drop_args(&with);
		assert_int_equal(spec_add_arg(&with, str_of(CASES[i][0]), &err), 0);
		assert_not_made(c, &box, CASES[i][0]);
		assert_not_made(c, &box, CASES[i][1]);
	}
	spec_drop_args(&with);
	assert_int_equal(spec_add_arg(&with, STR("broken"), &err), 0);
	assert_int_equal(c->backend->prepare(&box, &err), 0);
	assert_int_equal(c->backend->create(&box, &io, &made, &err), 0);
	assert_int_equal(c->backend->start(&box, &err), -1);
	assert_non_null(strstr(err.msg, "No such file"));
	destroy(c);
	assert_int_equal(waitpid(made.child, &(int){0}, 0), made.child);
}

/* What has our name and not our label is nobody's business of ours. */
static void test_stranger(void **state)
{
	const struct contract *c = *state;
	auto_free char *name = mem_printf("leased-%s", c->box.id);
	const char *const make[] = {"create", "--name", name, "leased-empty:1", "/x", NULL};
	const char *const drop[] = {"rm", name, NULL};
	struct backend_streams io = {.out = -1, .err = -1};
	struct backend_state s;
	struct err err = {0};
	struct backend_made made;

	free(docker_says(make));
	c->backend->inspect(&c->box, &s, &err);
	assert_int_equal(s.status, BACKEND_GONE);
	destroy(c);
	assert_inspect(c, "{{.State.Status}}", "created");
	assert_int_equal(c->backend->prepare(&c->box, &err), 0);
	assert_int_equal(c->backend->create(&c->box, &io, &made, &err), -1);
	assert_inspect(c, "{{.State.Status}}", "created");
	free(docker_says(drop));
	destroy(c);
}

/* Somebody was killed between create and what comes after it. */
static void test_left_over(void **state)
{
	const struct contract *c = *state;
	struct backend_streams io = {.out = -1, .err = -1};
	struct backend_made made;
	struct err err = {0};
	int status;

	assert_int_equal(c->backend->prepare(&c->box, &err), 0);
	assert_int_equal(c->backend->create(&c->box, &io, &made, &err), 0);
	kill(made.first, SIGKILL);
	assert_int_equal(waitpid(made.child, &status, 0), made.child);
	assert_int_equal(WEXITSTATUS(status), 128 + SIGKILL);
	assert_int_equal(c->backend->start(&c->box, &err), -1); /* nobody waits */
	run(c, &c->box, -1);
	assert_inspect(c, "{{.State.Status}}", "running");
	destroy(c);
}

/* At any moment, and whatever the daemon is just at: nothing comes into being afterwards. */
static void test_killed(void **state)
{
	const struct contract *c = *state;
	const char *const list[] = {"ps", "--all", "--quiet", NULL};
	struct backend_streams io = {.out = -1, .err = -1};
	auto_free char *late = NULL;
	struct backend_made made;
	struct err err = {0};

	for (long ms = 5; ms < 700; ms += 40) {
		auto_free char *left = NULL;
		pid_t pid;

		assert_int_equal(c->backend->prepare(&c->box, &err), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			_exit(c->backend->create(&c->box, &io, &made, &err) < 0 ||
			      c->backend->start(&c->box, &err) < 0);
		nanosleep(&(struct timespec){0, ms * 1000000}, NULL);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &(int){0}, 0), pid);
		destroy(c);
		left = docker_says(list);
		assert_string_equal(left, "");
	}
	nanosleep(&(struct timespec){1, 0}, NULL);
	late = docker_says(list);
	assert_string_equal(late, "");
}

/* Nothing of the lease's runs before its start, whose network is wired until then. */
static void test_waits(void **state)
{
	const struct contract *c = *state;
	auto_free char *file = mem_printf("%s/begun", c->box.root);
	struct backend_streams io = {.out = -1, .err = -1};
	auto_spec struct spec with = {0};
	struct box box = c->box;
	struct backend_made made;
	struct err err = {0};
	int64_t end;

	fill_script(&with, c, "echo 1 >/begun; exec sleep 1000");
	box.spec = &with;
	assert_int_equal(c->backend->prepare(&box, &err), 0);
	assert_int_equal(c->backend->create(&box, &io, &made, &err), 0);
	nanosleep(&(struct timespec){0, 300000000}, NULL);
	assert_false(fs_exists(file));
	assert_int_equal(c->backend->start(&box, &err), 0);
	for (end = clock_mono_ms() + WAIT_MS; !fs_exists(file) && clock_mono_ms() < end;)
		nanosleep(&(struct timespec){0, 10000000}, NULL);
	assert_true(fs_exists(file));
	assert_int_equal(kill(made.first, 0), 0); /* the same process */
	destroy(c);
	assert_int_equal(waitpid(made.child, &(int){0}, 0), made.child);
	assert_int_equal(unlink(file), 0);
}

/* As two workers would that do not know of each other. */
static void test_destroyed_twice(void **state)
{
	const struct contract *c = *state;
	struct err err = {0};
	pid_t pids[3];
	int status;

	run(c, &c->box, -1);
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0) {
			status = c->backend->destroy(&c->box, &err);
			if (status < 0)
				fprintf(stderr, "%s\n", err.msg);
			_exit(status < 0);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
}

/* Whatever is written has a bound: the lease's volume, or its memory. */
static void test_storage(void **state)
{
	static struct spec_mount mounts[] = {
		{.type = SPEC_VOLUME, .path = "/da,t\"a", .name = "data"},
		{.type = SPEC_VOLUME, .path = "/fixed", .name = "fixed", .read_only = true},
		{.type = SPEC_TMPFS, .path = "/scratch", .size = 1 << 20}};
	const struct contract *c = *state;
	auto_free char *place = mem_printf("%s/vol,ume", dockerd.dir);
	auto_free char *file = mem_printf("%s/x", place);
	const char *const volumes[] = {place, place, NULL};
	struct spec with = *c->box.spec;
	struct box box = c->box;
	struct err err = {0};

	with.storage = (struct spec_mounts){mounts, ARRAY_SIZE(mounts)};
	box.spec = &with;
	box.volumes = volumes;
	assert_int_equal(fs_mkdirs(place, 0755, &err), 0);
	run(c, &box, -1);
	assert_int_equal(run_script(c, "echo 1 >'/da,t\"a/x'"), 0);
	assert_true(fs_exists(file));
	assert_int_equal(run_script(c, "echo 1 >/fixed/y"), 1);
	assert_int_equal(run_script(c, "busybox head -c 900000 /dev/zero >/scratch/y"), 0);
	assert_int_equal(run_script(c, "busybox head -c 2000000 /dev/zero >/scratch/y"), 1);
	destroy(c);
}

/* What it writes lies in the root that we gave it, whatever it is called, and is there again. */
static void test_root(void **state)
{
	const struct contract *c = *state;
	auto_free char *odd = mem_printf("%s/a,b:c=\"d\"\n", c->box.root);
	auto_free char *link = mem_printf("%s/host", c->box.root);
	const char *const changed[] = {"diff", "leased-00000000000000c3", NULL};
	auto_free char *diff = NULL;

	run(c, &c->box, -1);
	assert_int_equal(run_script(c, "busybox mkdir '/a,b:c=\"d\"\n' && busybox ln -s / /host"),
			 0);
	assert_int_equal(run_script(c, "[ ! -e /leased-root ] && [ ! -e /leased-door ] && "
				       "[ ! -e /leased-gate ]"),
			 0);
	assert_int_equal(run_script(c, "echo 1 >/etc/hosts && echo 1 >/new"), 0);
	assert_true(fs_exists(odd) || fs_exists(link));
	diff = docker_says(changed);
	assert_null(strstr(diff, "new"));
	destroy(c);
	run(c, &c->box, -1);
	assert_int_equal(run_script(c, "[ -s /new ] && [ -d /host/bin ]"), 0);
	destroy(c);
}

/* What the operator gives, and nothing more where that is nothing. */
static void test_grant(void **state)
{
	struct spec_device device = {
		(char *)"/dev/null", (char *)"/dev/extra", true, true, 'c', 1, 3};
	struct spec_bind bind = {dockerd.dir, (char *)"/given", true};
	const struct spec_grant all = {
		.binds = &bind, .nbinds = 1, .devices = &device, .ndevices = 1};
	const struct spec_grant none = {0};
	const struct contract *c = *state;
	struct box box = c->box;

	box.grant = &none;
	run(c, &box, -1);
	assert_int_equal(run_script(c, "[ ! -e /dev/extra ] && [ ! -e /given ]"), 0);
	destroy(c);
	box.grant = &all;
	run(c, &box, -1);
	assert_int_equal(run_script(c, "[ -c /dev/extra ] && echo 1 >/dev/extra"), 0);
	assert_int_equal(run_script(c, "[ -d /given/rootfs ] && ! echo 1 >/given/x"), 0);
	assert_int_equal(run_script(c, "grep -q ' /given [^ ]* ro,nosuid,nodev' /proc/self/mounts"),
			 0);
	destroy(c);
}

static void test_read_only(void **state)
{
	const struct contract *c = *state;
	struct spec with = *c->box.spec;
	struct box box = c->box;

	with.read_only = true;
	box.spec = &with;
	run(c, &box, -1);
	assert_int_equal(run_script(c, "echo 1 >/y"), 1);
	assert_int_equal(run_script(c, "echo 1 >/etc/hosts"), 1);
	assert_int_equal(run_script(c, "echo 1 >/tmp/y && echo 1 >/run/y"), 0);
	destroy(c);
}

/* Where Docker's own folders go nobody's link leads anywhere. */
static void test_hostile_root(void **state)
{
	const struct contract *c = *state;
	auto_free char *sys = mem_printf("%s/sys", c->box.root);
	struct err err = {0};

	assert_int_equal(rmdir(sys), 0);
	assert_int_equal(symlink("/proc", sys), 0);
	assert_not_made(c, &c->box, "/sys of the lease's root");
	assert_int_equal(unlink(sys), 0);
	assert_not_made(c, &c->box, "/sys of the lease's root");
	assert_int_equal(fs_mkdirs(sys, 0755, &err), 0);
}

/* Where it works: made where it is not, and no link leads out. */
static void test_workdir(void **state)
{
	const struct contract *c = *state;
	auto_free char *link = mem_printf("%s/way", c->box.root);
	auto_free char *outside = mem_printf("%s/outside", dockerd.dir);
	auto_free char *file = mem_printf("%s/way-file", c->box.root);
	auto_spec struct spec with = {0};
	struct box box = c->box;
	struct err err = {0};

	spec_copy(&with, c->box.spec);
	box.spec = &with;
	assert_int_equal(spec_set_workdir(&with, STR("/newer/yet"), &err), 0);
	run(c, &box, -1);
	assert_int_equal(run_script(c, "[ $(busybox readlink /proc/1/cwd) = /newer/yet ]"), 0);
	destroy(c);
	assert_int_equal(symlink(dockerd.dir, link), 0);
	assert_int_equal(spec_set_workdir(&with, STR("/way/outside"), &err), 0);
	assert_not_made(c, &box, "working folder");
	assert_false(fs_exists(outside));
	assert_int_equal(fs_write(file, "", 0, 0644, &err), 0);
	assert_int_equal(spec_set_workdir(&with, STR("/way-file"), &err), 0);
	assert_not_made(c, &box, "working folder");
}

/* One image for all leases, and only where it is ours. */
static void test_image(void **state)
{
	const struct contract *c = *state;
	auto_free char *tar = mem_printf("%s/none.tar", dockerd.dir);
	const char *const drop[] = {"rmi", "leased-empty:1", NULL};
	const char *const import[] = {"import", "--change",	  "VOLUME /v",
				      tar,	"leased-empty:1", NULL};
	const char *const images[] = {"images", "--all", "--quiet", NULL};
	const char *const volumes[] = {"volume", "ls", "--quiet", NULL};
	auto_free char *before = docker_says(images);
	auto_free char *after = NULL, *left = NULL;
	char zeros[1024] = "";
	struct err err = {0};

	assert_int_equal(strlen(before), 12);
	free(docker_says(drop));
	assert_int_equal(fs_write(tar, zeros, sizeof(zeros), 0644, &err), 0);
	free(docker_says(import));
	assert_not_made(c, &c->box, "not ours");
	left = docker_says(volumes);
	assert_string_equal(left, "");
	free(docker_says(drop));
	run(c, &c->box, -1);
	destroy(c);
	after = docker_says(images);
	assert_string_equal(after, before);
}

/* Until `want` was said there, or WAIT_MS. */
static bool terminal_says(int fd, const char *want)
{
	auto_buf struct buf said = BUF(4096);
	int64_t end = clock_mono_ms() + WAIT_MS;
	char some[256];
	ssize_t n;

	while (clock_mono_ms() < end) {
		n = read(fd, some, sizeof(some));
		if (n > 0)
			buf_add(&said, some, (size_t)n);
		if (said.p && strstr(said.p, want))
			return true;
		nanosleep(&(struct timespec){0, 10000000}, NULL);
	}
	print_message("said: %s\n", said.p ? said.p : "nothing");
	return false;
}

static void test_terminal(void **state)
{
	const struct winsize size = {.ws_row = 31, .ws_col = 99};
	const struct contract *c = *state;
	struct backend_streams io = {.out = -1, .err = -1, .tty = true, .terminal = -1};
	struct spec with = {0};
	struct box box = c->box;
	struct err err = {0};
	struct backend_made made;

	spec_copy(&with, c->box.spec);
	spec_drop_args(&with);
	with.tty = true;
	assert_int_equal(spec_add_arg(&with, STR("/bin/sh"), &err), 0);
	box.spec = &with;
	assert_int_equal(c->backend->prepare(&box, &err), 0);
	assert_int_equal(c->backend->create(&box, &io, &made, &err), 0);
	assert_int_equal(c->backend->start(&box, &err), 0);
	assert_true(write(io.terminal, "echo $((6 * 7))x\n", 17) == 17);
	assert_true(terminal_says(io.terminal, "42x"));
	assert_int_equal(ioctl(io.terminal, TIOCSWINSZ, &size), 0);
	nanosleep(&(struct timespec){0, 500000000}, NULL);
	assert_true(write(io.terminal, "busybox stty size\n", 18) == 18);
	assert_true(terminal_says(io.terminal, "31 99"));
	assert_true(write(io.terminal, "exit 5\n", 7) == 7);
	assert_int_equal(waitpid(made.child, &(int){0}, 0), made.child);
	close(io.terminal);
	spec_clear(&with);
	destroy(c);
}

static int run_built(const struct contract *c, const char *program, char said[static 4096])
{
	const char *const argv[] = {program, NULL};
	struct backend_exec x = {.name = "c5", .argv = argv, .timeout_ms = WAIT_MS};
	struct backend_exec_result r = {.out = BUF(4095), .err = BUF(1000)};
	struct err err = {0};

	run(c, &c->box, -1);
	if (c->backend->exec(&c->box, &x, &r, &err) < 0)
		fail_msg("%s", err.msg);
	snprintf(said, 4096, "%s", r.out.p ? r.out.p : "");
	buf_free(&r.out);
	buf_free(&r.err);
	destroy(c);
	return r.status;
}

/* What an offer may say of it, by the program that buyers ask. */
static void test_probe(void **state)
{
	static const enum spec_guard THERE[] = {
		SPEC_GUARD_NAMESPACES,	     SPEC_GUARD_SECCOMP,      SPEC_GUARD_NO_NEW_PRIVILEGES,
		SPEC_GUARD_FEW_CAPABILITIES, SPEC_GUARD_MASKED_PATHS, SPEC_GUARD_CLOSED_DESCRIPTORS,
		SPEC_GUARD_NO_CORE_DUMPS,    SPEC_GUARD_LIMITS};
	char said[4096];

	assert_int_equal(run_built(*state, SPEC_PROBE, said), 0);
	for (size_t i = 0; i < ARRAY_SIZE(THERE); i++) {
		auto_free char *line = mem_printf("%s yes ", spec_guard_word(THERE[i]));

		if (!strstr(said, line))
			fail_msg("no \"%s\" in:\n%s", line, said);
	}
}

static void test_absent(void **state)
{
	const struct contract *c = *state;
	const char *build = getenv("BUILD_DIR");
	auto_free char *path = mem_printf("%s/tests/contract/absent", build ? build : ".");
	auto_free char *inside = mem_printf("%s/bin/absent", c->box.root);
	const char *const copy[] = {"cp", path, inside, NULL};
	struct err err = {0};
	char said[4096];

	assert_int_equal(proc_check(copy, 10000, &err), 0);
	assert_int_equal(run_built(c, "absent", said), 0);
}

/* A daemon that does not answer knows nothing, and stops nobody from ending a lease. */
static void test_unreachable(void **state)
{
	const struct contract *c = *state;
	struct backend_state s;
	struct err err = {0};
	unsigned n = 1;

	run(c, &c->box, -1);
	assert_int_equal(cgroup_count(c->box.cgroup, &n, &err), 0);
	assert_true(n > 0);
	kill(dockerd.pid, SIGKILL);
	waitpid(dockerd.pid, NULL, 0);
	c->backend->inspect(&c->box, &s, &err);
	assert_int_equal(s.status, BACKEND_UNKNOWN);
	assert_int_equal(c->backend->destroy(&c->box, &err), -1);
	assert_int_equal(cgroup_count(c->box.cgroup, &n, &err), 0);
	assert_int_equal(n, 0);
	dockerd_reap();
	assert_null(dockerd_start(&err));
	destroy(c);
	c->backend->inspect(&c->box, &s, &err);
	assert_int_equal(s.status, BACKEND_GONE);
}

static int run_all(struct contract *c)
{
	const struct CMUnitTest tests[] = {CONTRACT_TESTS,
					   cmocka_unit_test(test_guards),
					   cmocka_unit_test(test_inside),
					   cmocka_unit_test(test_timeout),
					   cmocka_unit_test(test_exec_says),
					   cmocka_unit_test(test_environment),
					   cmocka_unit_test(test_usage),
					   cmocka_unit_test(test_status),
					   cmocka_unit_test(test_no_program),
					   cmocka_unit_test(test_waits),
					   cmocka_unit_test(test_killed),
					   cmocka_unit_test(test_stranger),
					   cmocka_unit_test(test_left_over),
					   cmocka_unit_test(test_destroyed_twice),
					   cmocka_unit_test(test_storage),
					   cmocka_unit_test(test_root),
					   cmocka_unit_test(test_grant),
					   cmocka_unit_test(test_read_only),
					   cmocka_unit_test(test_hostile_root),
					   cmocka_unit_test(test_workdir),
					   cmocka_unit_test(test_image),
					   cmocka_unit_test(test_terminal),
					   cmocka_unit_test(test_probe),
					   cmocka_unit_test(test_absent),
					   cmocka_unit_test(test_unreachable)};
	struct CMUnitTest with_state[ARRAY_SIZE(tests)];

	for (size_t i = 0; i < ARRAY_SIZE(tests); i++) {
		with_state[i] = tests[i];
		with_state[i].initial_state = c;
	}
	return cmocka_run_group_tests_name("backend_docker", with_state, NULL, NULL);
}

static int with_daemon(void)
{
	auto_free struct image_config *image = mem_zero(sizeof(*image));
	auto_free char *dir = mem_printf("%s/box", dockerd.dir);
	auto_spec struct spec spec = {0};
	struct contract c = {.backend = &backend_docker, .echo = "a b c"};

	contract_fill_spec(&spec);
	c.box = (struct box){.id = "00000000000000c3",
			     .dir = dir,
			     .runtime = "docker",
			     .runtime_root = dockerd.host,
			     .owner = "contract",
			     .cgroup = dockerd.cgroup,
			     .spec = &spec,
			     .image = image,
			     .root = dockerd.root,
			     .probe = dockerd.probe,
			     .user = {.home = "/"}};
	return run_all(&c);
}

int main(void)
{
	return dockerd_main(with_daemon);
}
