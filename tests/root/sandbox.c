/* The core's sandbox: what is forbidden kills the process, what core needs still works. */
#include "../unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/sandbox.h"
#include "db/db.h"
#include "net/loop.h"

/* An exec that nothing but the filter stops. */
static int do_exec(void)
{
	char *argv[] = {(char *)"true", NULL};

	execve("/bin/true", argv, NULL);
	return 1;
}

static int do_execveat(void)
{
	char *argv[] = {(char *)"true", NULL};
	int fd = open("/bin/true", O_RDONLY | O_CLOEXEC);

	syscall(SYS_execveat, fd, "", argv, NULL, AT_EMPTY_PATH);
	return 1;
}

static int do_mount(void)
{
	return mount("none", "/mnt", "tmpfs", 0, NULL) != 0;
}

static int do_unshare(void)
{
	return unshare(CLONE_NEWUSER) != 0;
}

static int do_setuid(void)
{
	return setuid(0) != 0;
}

#ifndef LEASED_SANITIZERS
static int do_fork(void)
{
	return fork() < 0;
}

static int do_ptrace(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0;
}
#endif

static int do_nothing(void)
{
	return 0;
}

/* Status of a child that runs `what` in the sandbox. */
static int confined(int (*what)(void))
{
	struct sandbox_user user;
	struct err e = {0};
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (sandbox_find_user(&user, "64123", &e) || sandbox_drop(&user, &e) ||
		    sandbox_confine(&e)) {
			fprintf(stderr, "# %s\n", e.msg);
			_exit(100);
		}
		_exit(what());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void assert_killed(int (*what)(void))
{
	int status = confined(what);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void exec_is_death(void **state)
{
	assert_killed(do_exec);
	assert_killed(do_execveat);
}

static void mounts_and_name_spaces_are_death(void **state)
{
	assert_killed(do_mount);
	assert_killed(do_unshare);
	assert_killed(do_setuid);
}

static void other_processes_are_death(void **state)
{
#ifdef LEASED_SANITIZERS
	skip(); /* the leak checker needs these calls */
#else
	assert_killed(do_fork);
	assert_killed(do_ptrace);
#endif
}

static void *set_flag(void *p)
{
	*(int *)p = 1;
	return NULL;
}

static int do_work(void)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST}, *found = NULL;
	char path[] = "/tmp/leased-sandbox-XXXXXX";
	AUTO(loop_free) struct loop *l = NULL;
	struct err e = {0};
	struct db *d = NULL;
	pthread_t t;
	int flag = 0, fd;

	if (pthread_create(&t, NULL, set_flag, &flag) || pthread_join(t, NULL) || !flag)
		return 1;
	if (getaddrinfo("127.0.0.1", "80", &hints, &found))
		return 2;
	freeaddrinfo(found);
	if (!mkdtemp(path) || chdir(path) || db_open(&d, "db", &e))
		return 3;
	db_close(d);
	if (fs_remove_tree(path, &e) || loop_new(&l, &e))
		return 4;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || close(fd))
		return 5;
	if (socket(AF_PACKET, SOCK_RAW, 0) >= 0 || errno != EAFNOSUPPORT)
		return 6;
	return getuid() == 64123 && getgid() == 64123 ? 0 : 7;
}

static void work_goes_on(void **state)
{
	int status = confined(do_work);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void root_is_no_user_for_the_core(void **state)
{
	struct sandbox_user user;
	struct err e = {0};

	assert_int_equal(sandbox_find_user(&user, "root", &e), -1);
	assert_int_equal(sandbox_find_user(&user, "0", &e), -1);
	assert_int_equal(sandbox_find_user(&user, "no-such-user", &e), -1);
	assert_non_null(strstr(e.msg, "useradd"));
	assert_int_equal(WEXITSTATUS(confined(do_nothing)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exec_is_death),
		cmocka_unit_test(mounts_and_name_spaces_are_death),
		cmocka_unit_test(other_processes_are_death),
		cmocka_unit_test(work_goes_on),
		cmocka_unit_test(root_is_no_user_for_the_core),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
