/* The socket inside a lease, asked by children of this test that enter the lease's namespaces. */
#include "helper_world.h"

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "net/stream.h"
#include "spec/guard.h"

#define CARD   "{\"lease\":\"00000000000000e1\",\"offer\":\"small\"}"
#define TOPUP  "{\"request\":\"creqAab\"}"
#define CLIENT 10 /* seconds that one inside may take */

/* --- somebody inside --- */

static int open_ns(const struct keeper_record *rec, const char *name)
{
	auto_free char *path = mem_printf("/proc/%u/ns/%s", rec->pid, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		_exit(90);
	return fd;
}

/* As `uid` inside, without powers. */
static void become_tenant(const struct keeper_record *rec, uid_t uid, bool mapped)
{
	/* both before either: a process that has not begun its program yet is root's to look at */
	auto_close int user = open_ns(rec, "user"), mnt = open_ns(rec, "mnt");

	if ((mapped && setns(user, CLONE_NEWUSER) < 0) || setns(mnt, CLONE_NEWNS) < 0)
		_exit(90);
	if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
		_exit(91);
	alarm(CLIENT);
}

static int join(void)
{
	struct err err;
	int fd;

	if (unix_connect(&fd, SPEC_SOCKET, &err) == 0)
		return fd;
	fprintf(stderr, "# %s\n", err.msg);
	return -1;
}

static void pass_on(int fd)
{
	char piece[4096];
	ssize_t n;

	while ((n = read(fd, piece, sizeof(piece))) > 0)
		if (write(STDOUT_FILENO, piece, (size_t)n) != n)
			_exit(92);
}

static int plain(const char *request)
{
	int fd = join();

	if (fd < 0 || write(fd, request, strlen(request)) != (ssize_t)strlen(request))
		return 1;
	pass_on(fd);
	return 0;
}

/* The name of the one that listens, and who it is. */
static int peer(const char *unused)
{
	struct sockaddr_un sa = {0};
	socklen_t n = sizeof(sa), m = sizeof(struct ucred);
	struct ucred who;
	int fd = join();

	if (fd < 0 || getpeername(fd, (struct sockaddr *)&sa, &n) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &m) < 0)
		return 1;
	dprintf(STDOUT_FILENO, "%s %d", sa.sun_path, (int)who.uid);
	return 0;
}

/* The pipe's end comes when nobody else holds what was passed. */
static int passed(const char *request)
{
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {(char *)request, strlen(request)};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control.space,
			   .msg_controllen = sizeof(control.space)};
	int fd = join(), pair[2];
	char c;

	if (fd < 0 || pipe(pair) < 0)
		return 1;
	control.align = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)),
					 .cmsg_level = SOL_SOCKET,
					 .cmsg_type = SCM_RIGHTS};
	memcpy(CMSG_DATA(&control.align), &pair[1], sizeof(int));
	if (sendmsg(fd, &m, 0) < 0)
		return 2;
	close(pair[1]);
	pass_on(fd);
	return read(pair[0], &c, 1) == 0 ? 0 : 3;
}

/* Says too little: how long until it is dropped, in tenths of a second. */
static int slow(const char *unused)
{
	int64_t from = clock_mono_ms();
	int fd = join();
	char c;

	if (fd < 0 || write(fd, "GET /", 5) != 5 || read(fd, &c, 1) != 0)
		return 1;
	dprintf(STDOUT_FILENO, "%d", (int)((clock_mono_ms() - from) / 100));
	return 0;
}

/* So many connections that stay, then one that must be answered all the same. */
static int crowd(const char *request)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX, .sun_path = SPEC_SOCKET};

	for (int i = 0; i < 200; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

		if (fd < 0)
			return 1;
		if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 && errno != EAGAIN)
			return 2;
		if (i % 2)
			(void)!write(fd, "GET /lease HTTP/1.1\r\n", 21);
	}
	alarm(0);
	pause();
	return 0;
}

/* Requests as fast as they go, until it is killed. */
static int storm(const char *request)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX, .sun_path = SPEC_SOCKET};

	alarm(60);
	while (getppid() != 1) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

		if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
			(void)!write(fd, request, strlen(request));
		close(fd);
	}
	return 0;
}

static int tamper(const char *unused)
{
	return chmod(SPEC_SOCKET, 0777) == 0 || unlink(SPEC_SOCKET) == 0 ||
	       rename(SPEC_SOCKET, "/run/other") == 0;
}

typedef int client_fn(const char *request);

static pid_t start_client(struct world *w, const char *id, uid_t uid, client_fn *fn,
			  const char *request, int out)
{
	struct keeper_record rec;
	struct err err;
	pid_t pid;

	assert_int_equal(record_keeper(&rec, &w->c, id, &err), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(out, STDOUT_FILENO);
		become_tenant(&rec, uid, w->c.id_slots > 0);
		_exit(fn(request));
	}
	return pid;
}

/* What it wrote; it must end well. */
static char *ask_as(struct world *w, const char *id, uid_t uid, client_fn *fn, const char *request)
{
	auto_buf struct buf got = BUF(65536);
	char piece[4096];
	int pair[2], status;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	pid = start_client(w, id, uid, fn, request, pair[1]);
	close(pair[1]);
	while ((n = read(pair[0], piece, sizeof(piece))) > 0)
		buf_add(&got, piece, (size_t)n);
	close(pair[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	return buf_steal(&got);
}

static void assert_answer(struct world *w, const char *id, const char *request, const char *want)
{
	auto_free char *got = ask_as(w, id, 1000, plain, request);

	if (!strstr(got, want))
		fail_msg("%s: %s", request, got);
}

static uint64_t number(struct str s)
{
	uint64_t n = 0;
	struct err err;

	if (str_u64(s, INT64_MAX, &n, &err) < 0)
		fail_msg("%s", err.msg);
	return n;
}

static uint64_t time_left(struct world *w, const char *id)
{
	auto_free char *got = ask_as(w, id, 0, plain, "GET /time-left HTTP/1.1\r\n\r\n");
	struct str rest = str_of(strstr(got, "{\"seconds\":")), piece;

	assert_true(str_cut(&rest, ':', &piece) && str_cut(&rest, ',', &piece));
	return number(piece);
}

/* --- leases --- */

static void start_told(struct world *w, const char *id, uint32_t generation, bool read_only)
{
	struct priv_start m;

	fill_start(&m, id, "trap 'exit 0' TERM; while :; do sleep 0.1; done");
	m.generation = generation;
	m.card = mem_strdup(CARD);
	m.topup = mem_strdup(TOPUP);
	m.seconds = 500;
	m.spec.read_only = read_only;
	start_ok(w, &m);
	wire_clear(&m, priv_request_table(PRIV_BOX_START));
}

static void stop_now(struct world *w, const char *id)
{
	struct priv_stop stop = {.grace_ms = 5000};
	struct answer a;

	memcpy(stop.id, id, sizeof(stop.id));
	do_stop(w, &stop, &a);
	assert_int_equal(a.r.stop.state, PRIV_BOX_STOPPED);
}

static void move_deadline(struct world *w, const char *id, int64_t seconds, const char *card)
{
	struct priv_deadline d = {.deadline = clock_wall() + seconds, .card = (char *)card};
	struct answer a;

	memcpy(d.id, id, sizeof(d.id));
	do_deadline(w, &d, &a);
	assert_int_equal(a.err.kind, 0);
	assert_true(a.r.deadline.found);
}

static void three_pages_inside(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000e1";
	auto_free char *name = NULL;

	start_told(w, id, 1, false);
	assert_answer(w, id, "GET /lease HTTP/1.1\r\nHost: lease\r\n\r\n",
		      "{\"lease\":\"00000000000000e1\",\"offer\":\"small\",\"started_at\":");
	assert_answer(w, id, "GET /topup-request HTTP/1.1\r\n\r\n", "\r\n\r\n" TOPUP "\n");
	/* the deadline that came along is later: it allows for a slow start */
	assert_in_range(time_left(w, id), 490, 500);
	assert_answer(w, id, "HEAD /lease HTTP/1.1\r\n\r\n", "200 OK");
	assert_answer(w, id, "GET / HTTP/1.1\r\n\r\n", "404 Not Found");
	assert_answer(w, id, "POST /lease HTTP/1.1\r\n\r\n", "405 Method");
	assert_answer(w, id, "what is this\r\n", "400 Bad");
	name = ask_as(w, id, 1000, peer, NULL);
	print_message("# the listener is %s\n", name);
	assert_null(strchr(name, '/')); /* nothing of where it is on the host */
	free(ask_as(w, id, 0, tamper, NULL));
	free(ask_as(w, id, 1000, passed, "GET /lease HTTP/1.1\r\n\r\n"));
	destroy_ok(w, id);
}

static void the_deadline_moves(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000e2";

	start_told(w, id, 1, false);
	move_deadline(w, id, 5000, NULL);
	assert_in_range(time_left(w, id), 4990, 5000);
	assert_answer(w, id, "GET /lease HTTP/1.1\r\n\r\n", "small");
	helper_down(w, SIGKILL); /* the keeper needs nobody */
	assert_in_range(time_left(w, id), 4980, 5000);
	helper_up(w);
	move_deadline(w, id, 100, "{\"offer\":\"large\"}");
	assert_in_range(time_left(w, id), 90, 100);
	assert_answer(w, id, "GET /lease HTTP/1.1\r\n\r\n", "{\"offer\":\"large\",\"started_at\"");
	assert_answer(w, id, "GET /topup-request HTTP/1.1\r\n\r\n", "404 Not Found");
	destroy_ok(w, id);
}

static void also_read_only_and_started_again(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000e3";
	auto_free char *path = record_path(&w->c, id, KEEPER_INSIDE);

	start_told(w, id, 1, true);
	assert_answer(w, id, "GET /lease HTTP/1.1\r\n\r\n", "small");
	stop_now(w, id);
	assert_false(fs_exists(path)); /* nobody is there to ask */
	start_told(w, id, 2, true);
	assert_answer(w, id, "GET /lease HTTP/1.1\r\n\r\n", "small");
	destroy_ok(w, id);
}

static void what_is_no_object_is_refused(void **state)
{
	static const char *const bad[] = {"x", "{", "[]", "{}\n", "{\"a\":\"\x01\"}"};
	struct world *w = *state;
	const char *id = "00000000000000e4";
	struct priv_start m;
	struct answer a;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		fill_start(&m, id, "sleep 1000");
		m.topup = mem_strdup(bad[i]);
		do_start(w, &m, &a);
		assert_int_equal(a.err.kind, 0);
		assert_int_equal(a.r.start.outcome, PRIV_START_FAILED);
		assert_int_equal(a.r.start.stage, PRIV_STAGE_CHECK);
		free_answer(&a, PRIV_BOX_START);
		wire_clear(&m, priv_request_table(PRIV_BOX_START));
	}
	destroy_ok(w, id);
}

/* --- hostile ones --- */

static size_t open_files(const char *dir)
{
	auto_closedir DIR *d = opendir(dir);
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	return n;
}

/* Processor time of a process. */
static uint64_t cpu_ms(uint32_t pid)
{
	auto_free char *path = mem_printf("/proc/%u/stat", pid);
	auto_buf struct buf text = BUF(4096);
	uint64_t ticks = 0;
	struct str rest, piece;
	struct err err;

	assert_int_equal(fs_read(&text, path, &err), 0);
	rest = str_of(strrchr(text.p, ')') + 2);
	for (int i = 3; i <= 15 && str_cut(&rest, ' ', &piece); i++)
		if (i >= 14) /* in user mode, in the kernel */
			ticks += number(piece);
	return ticks * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

static void end_client(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void the_slow_and_the_many(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000e5";
	auto_free char *tenths = NULL, *fds = NULL;
	struct keeper_record rec;
	struct err err;
	size_t before;
	pid_t pid;

	start_told(w, id, 1, false);
	assert_int_equal(record_keeper(&rec, &w->c, id, &err), 0);
	fds = mem_printf("/proc/%u/fd", rec.keeper);
	tenths = ask_as(w, id, 1000, slow, NULL);
	assert_in_range(number(str_of(tenths)), 25, 45);
	before = open_files(fds);
	pid = start_client(w, id, 1000, crowd, NULL, STDERR_FILENO);
	pause_ms(500);
	assert_in_range(open_files(fds), before, before + 8);
	/* they are dropped in turn, or ended */
	end_client(pid);
	assert_in_range(time_left(w, id), 400, 500);
	pause_ms(500);
	assert_int_equal(open_files(fds), before);
	destroy_ok(w, id);
}

/* Its other duties go on, and it takes little of the machine: deadline, log, stop. */
static void a_storm_changes_nothing(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000e6";
	struct keeper_record rec;
	struct priv_start m;
	struct err err;
	uint64_t used;
	pid_t pid;

	fill_start(&m, id, "while :; do date; sleep 0.1; done");
	m.deadline = clock_wall() + 5;
	start_ok(w, &m);
	spec_clear(&m.spec);
	assert_int_equal(record_keeper(&rec, &w->c, id, &err), 0);
	pid = start_client(w, id, 1000, storm, "GET /lease HTTP/1.1\r\n\r\n", STDERR_FILENO);
	pause_ms(1000);
	used = cpu_ms(rec.keeper);
	pause_ms(2000);
	used = cpu_ms(rec.keeper) - used;
	print_message("# the keeper used %u ms of two seconds\n", (unsigned)used);
	assert_true(used <= 200);
	assert_int_equal(wait_stopped(w, id).why, PRIV_WHY_DEADLINE);
	assert_in_range(inspect(w, id).ended_ms / 1000, m.deadline - 1, m.deadline + 2);
	auto_free char *log = read_log(w, id, LOG_STDOUT);
	assert_true(strlen(log) > 500);
	end_client(pid);
	destroy_ok(w, id);
}

/* Connections that carry descriptors of the lease's own disk, when it ends. */
static int hold_disk(const char *request)
{
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	int file = open("/tmp", O_RDONLY | O_DIRECTORY);

	for (int i = 0; i < 20; i++) {
		struct iovec iov = {(char *)request, strlen(request)};
		struct msghdr m = {.msg_iov = &iov,
				   .msg_iovlen = 1,
				   .msg_control = control.space,
				   .msg_controllen = sizeof(control.space)};
		int fd = join();

		control.align = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)),
						 .cmsg_level = SOL_SOCKET,
						 .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(&control.align), &file, sizeof(int));
		if (file < 0 || fd < 0 || sendmsg(fd, &m, 0) < 0)
			return 1;
	}
	return 0;
}

static void nothing_is_held_at_the_end(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000e7";

	start_told(w, id, 1, false);
	free(ask_as(w, id, 0, hold_disk, "GET"));
	destroy_ok(w, id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_pages_inside),
		cmocka_unit_test(the_deadline_moves),
		cmocka_unit_test(also_read_only_and_started_again),
		cmocka_unit_test(what_is_no_object_is_refused),
		cmocka_unit_test(the_slow_and_the_many),
		cmocka_unit_test(a_storm_changes_nothing),
		cmocka_unit_test(nothing_is_held_at_the_end),
	};

	const char *only = getenv("LEASED_TEST_FILTER");

	cmocka_set_test_filter(only && *only ? only : NULL);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
