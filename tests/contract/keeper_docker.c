/* A keeper whose container is Docker's: output, status and deadline, also without the daemon. */
#include "dockerd.h"

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "backend/boxlog.h"
#include "backend/cgroup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/proc.h"
#include "net/stream.h"
#include "priv/keeper_msg.h"

#define LEASE	"00000000000000c4"
#define WAIT_MS 20000

/* One keeper with its container. */
struct kept {
	struct spec spec;
	struct image_config *image;
	struct box box;
	char *dir, *log_dir, *socket;
	int link; /* whose end ends it */
	pid_t pid;
};

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static void fill(struct kept *k, const char *script)
{
	struct err err = {0};

	*k = (struct kept){.image = mem_zero(sizeof(*k->image)),
			   .dir = mem_printf("%s/lease", dockerd.dir),
			   .log_dir = mem_printf("%s/lease.log", dockerd.dir),
			   .socket = mem_printf("%s/lease/" KEEPER_SOCKET, dockerd.dir)};
	contract_fill_spec(&k->spec);
	spec_drop_args(&k->spec);
	assert_int_equal(spec_add_arg(&k->spec, STR("/bin/sh"), &err), 0);
	assert_int_equal(spec_add_arg(&k->spec, STR("-c"), &err), 0);
	assert_int_equal(spec_add_arg(&k->spec, str_of(script), &err), 0);
	k->box = (struct box){.id = LEASE,
			      .dir = k->dir,
			      .runtime = "docker",
			      .runtime_root = dockerd.host,
			      .cgroup = dockerd.cgroup,
			      .spec = &k->spec,
			      .image = k->image,
			      .root = dockerd.root,
			      .probe = dockerd.probe,
			      .user = {.home = "/"}};
	assert_int_equal(fs_mkdirs(k->log_dir, 0700, &err), 0);
	if (backend_docker.prepare(&k->box, &err) < 0)
		fail_msg("%s", err.msg);
}

/* As the helper does. */
static void start(struct kept *k, const char *script, int64_t seconds)
{
	const char *build = getenv("BUILD_DIR");
	auto_free char *program = mem_printf("%s/leased-keeper", build ? build : ".");
	const char *const argv[] = {program, LEASE, NULL};
	struct keeper_start m = {.id = LEASE,
				 .generation = 1,
				 .deadline = clock_wall_ms() / 1000 + seconds,
				 .backend = (char *)"docker",
				 .runtime = (char *)"docker",
				 .runtime_root = dockerd.host,
				 .cgroup = dockerd.cgroup,
				 .log_max = 1 << 20,
				 .net_link = (char *)"",
				 .net_prefix6 = (char *)"",
				 .card = (char *)"{}",
				 .topup = (char *)"{}"};
	struct keeper_start_reply r = {.running = false};
	struct err err = {0};
	int pair[2];

	fill(k, script);
	m.dir = k->dir;
	m.log_dir = k->log_dir;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(proc_start(&k->pid,
				    &(struct proc_spec){.argv = argv,
							.cwd = k->dir,
							.in = -1,
							.out = STDERR_FILENO,
							.err = STDERR_FILENO,
							.keep = (const int[]){pair[1], -1}},
				    &err),
			 0);
	close(pair[1]);
	k->link = pair[0];
	if (keeper_call(k->link, KEEPER_START, &m, &r, WAIT_MS, &err) < 0)
		fail_msg("%s", err.msg);
	if (!r.running)
		fail_msg("%s", r.message);
	free(r.message);
}

static void ask(const struct kept *k, enum keeper_kind kind, const void *m,
		struct keeper_record *out)
{
	auto_close int fd = -1;
	struct err err = {0};

	if (unix_connect(&fd, k->socket, &err) < 0 ||
	    keeper_call(fd, kind, m, out, WAIT_MS, &err) < 0)
		fail_msg("%s", err.msg);
}

static struct keeper_record wait_end(const struct kept *k)
{
	int64_t end = clock_mono_ms() + WAIT_MS;
	struct keeper_record rec = {.state = PRIV_BOX_RUNNING};

	while (rec.state == PRIV_BOX_RUNNING && clock_mono_ms() < end) {
		pause_ms(50);
		ask(k, KEEPER_STATUS, &(struct keeper_status){0}, &rec);
	}
	assert_int_equal(rec.state, PRIV_BOX_STOPPED);
	return rec;
}

static void finish(struct kept *k)
{
	struct keeper_record rec;
	struct err err = {0};

	ask(k, KEEPER_END, &(struct keeper_end){0}, &rec);
	close(k->link);
	assert_int_equal(waitpid(k->pid, &(int){0}, 0), k->pid);
	if (backend_docker.destroy(&k->box, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(fs_remove_tree(k->log_dir, &err), 0);
	assert_int_equal(fs_remove_tree(k->dir, &err), 0);
	spec_clear(&k->spec);
	free(k->image);
	free(k->dir);
	free(k->log_dir);
	free(k->socket);
}

static unsigned processes(void)
{
	struct err err = {0};
	unsigned n = 0;

	assert_int_equal(cgroup_count(dockerd.cgroup, &n, &err), 0);
	return n;
}

static void test_end(void **state)
{
	struct kept k;
	struct keeper_record rec;
	auto_buf struct buf log = BUF(4096);
	struct boxlog_piece piece;
	struct err err = {0};

	start(&k, "echo hello; echo there >&2; exit 3", 600);
	rec = wait_end(&k);
	assert_int_equal(rec.exit_status, 3);
	assert_int_equal(rec.why, PRIV_WHY_EXITED);
	assert_int_equal(boxlog_read(&log, k.log_dir, 0, 4096, &piece, &err), 0);
	assert_non_null(strstr(log.p, "hello"));
	assert_non_null(strstr(log.p, "there"));
	finish(&k);
}

static void test_stop(void **state)
{
	const struct keeper_stop patient = {.signal = SIGTERM, .grace_ms = 1000};
	struct kept k;
	struct keeper_record rec;

	start(&k, "trap 'exit 7' TERM; while :; do sleep 0.1; done", 600);
	pause_ms(500); /* until it has its trap */
	ask(&k, KEEPER_STOP, &(struct keeper_stop){.signal = SIGTERM, .grace_ms = 10000}, &rec);
	assert_int_equal(rec.exit_status, 7);
	assert_int_equal(rec.why, PRIV_WHY_STOPPED);
	finish(&k);

	start(&k, "trap '' TERM; while :; do sleep 0.1; done", 600);
	pause_ms(500);
	ask(&k, KEEPER_STOP, &patient, &rec);
	assert_int_equal(rec.exit_status, 128 + SIGKILL);
	assert_int_equal(processes(), 0);
	finish(&k);
}

static void test_deadline(void **state)
{
	int64_t from = clock_mono_ms();
	struct kept k;
	struct keeper_record rec;

	start(&k, "sleep 1000 & sleep 1000", 4);
	assert_true(processes() > 0);
	rec = wait_end(&k);
	assert_int_equal(rec.why, PRIV_WHY_DEADLINE);
	assert_int_equal(rec.exit_status, 128 + SIGKILL);
	assert_in_range(clock_mono_ms() - from, 2500, 9000);
	assert_int_equal(processes(), 0);
	finish(&k);
}

/* Nothing runs beyond its time where nobody can be asked; the record follows when somebody can. */
static void test_daemon_dead(void **state)
{
	int64_t end;
	struct kept k;
	struct keeper_record rec;
	struct err err = {0};

	start(&k, "sleep 1000 & sleep 1000", 5);
	kill(dockerd.pid, SIGKILL);
	waitpid(dockerd.pid, NULL, 0);
	assert_true(processes() > 0);
	for (end = clock_mono_ms() + WAIT_MS; processes() && clock_mono_ms() < end;)
		pause_ms(50);
	assert_int_equal(processes(), 0);
	ask(&k, KEEPER_STATUS, &(struct keeper_status){0}, &rec);
	assert_int_equal(rec.state, PRIV_BOX_RUNNING); /* not known yet */
	dockerd_reap();
	assert_null(dockerd_start(&err));
	rec = wait_end(&k);
	assert_int_equal(rec.why, PRIV_WHY_DEADLINE);
	finish(&k);
}

static int tests(void)
{
	const struct CMUnitTest all[] = {cmocka_unit_test(test_end), cmocka_unit_test(test_stop),
					 cmocka_unit_test(test_deadline),
					 cmocka_unit_test(test_daemon_dead)};

	return cmocka_run_group_tests_name("keeper_docker", all, NULL, NULL);
}

int main(void)
{
	return dockerd_main(tests);
}
