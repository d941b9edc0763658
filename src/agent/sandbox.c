#include "agent/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/child.h"
#include "base/str.h"

/* --- who --- */

static int find_number(struct sandbox_user *out, const char *user, struct err *e)
{
	struct passwd *pw;
	uint64_t n;

	if (str_u64(str_of(user), UINT32_MAX - 1, &n, e))
		return -1;
	pw = getpwuid((uid_t)n);
	out->uid = (uid_t)n;
	out->gid = pw ? pw->pw_gid : (gid_t)n;
	return 0;
}

struct search {
	const char *user;
	struct sandbox_user found;
};

/* The name service loads libraries of its own. */
static int search_user(void *ctx, struct err *e)
{
	struct search *s = ctx;
	struct passwd *pw = getpwnam(s->user);

	if (pw)
		s->found = (struct sandbox_user){pw->pw_uid, pw->pw_gid};
	else if (find_number(&s->found, s->user, NULL))
		return err_set(
			e, ERRK_INPUT,
			"there is no user %s: make one (useradd --system %s) or set user to an "
			"unused number",
			s->user, s->user);
	return 0;
}

int sandbox_find_user(struct sandbox_user *out, const char *user, struct err *e)
{
	struct search s = {.user = user};

	if (child_call(search_user, &s, sizeof(s), e) < 0)
		return -1;
	*out = s.found;
	if (out->uid == 0 || out->gid == 0)
		return err_set(e, ERRK_DENIED, "user %s is root or in root's group", user);
	return 0;
}

static int drop_bounding_set(struct err *e)
{
	int cap;

	for (cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
		if (prctl(PR_CAPBSET_DROP, cap))
			return err_sys(e, "drop capability %d", cap);
	return 0;
}

static int set_ids(const struct sandbox_user *u, struct err *e)
{
	if (setgroups(0, NULL))
		return err_sys(e, "drop groups");
	if (setresgid(u->gid, u->gid, u->gid))
		return err_sys(e, "change group to %u", (unsigned)u->gid);
	if (setresuid(u->uid, u->uid, u->uid))
		return err_sys(e, "change user to %u", (unsigned)u->uid);
	return 0;
}

int sandbox_drop(const struct sandbox_user *u, struct err *e)
{
	if (geteuid() == 0 && (drop_bounding_set(e) || set_ids(u, e)))
		return -1;
	if (getuid() != u->uid || geteuid() != u->uid || getegid() != u->gid || setuid(0) == 0)
		return err_set(e, ERRK_DENIED, "not user %u, or able to become root again",
			       (unsigned)u->uid);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return err_sys(e, "no new privileges");
	return 0;
}

/* --- what --- */

/* Killed at the first try. Names, since not every machine has every call. */
static const char *const killed[] = {
	/* other programs */
	"execve",
	"execveat",
	"fork",
	"vfork",
	/* mounts and name spaces */
	"mount",
	"umount",
	"umount2",
	"pivot_root",
	"chroot",
	"move_mount",
	"open_tree",
	"fsopen",
	"fsconfig",
	"fsmount",
	"fspick",
	"mount_setattr",
	"setns",
	"unshare",
	"mknod",
	"mknodat",
	"name_to_handle_at",
	"open_by_handle_at",
	"swapon",
	"swapoff",
	"quotactl",
	"quotactl_fd",
	/* other processes */
	"process_vm_writev",
	"pidfd_getfd",
	"process_madvise",
	"process_mrelease",
	"kcmp",
	"move_pages",
	"migrate_pages",
	/* the kernel */
	"bpf",
	"perf_event_open",
	"userfaultfd",
	"kexec_load",
	"kexec_file_load",
	"init_module",
	"finit_module",
	"delete_module",
	"create_module",
	"reboot",
	"syslog",
	"acct",
	"iopl",
	"ioperm",
	"modify_ldt",
	"vm86",
	"lookup_dcookie",
	"fanotify_init",
	"io_uring_setup",
	"io_uring_enter",
	"io_uring_register",
	"add_key",
	"keyctl",
	"request_key",
	"uselib",
	/* identity, clock and host */
	"setuid",
	"setgid",
	"setreuid",
	"setregid",
	"setresuid",
	"setresgid",
	"setfsuid",
	"setfsgid",
	"setgroups",
	"capset",
	"personality",
	"settimeofday",
	"clock_settime",
	"clock_adjtime",
	"adjtimex",
	"sethostname",
	"setdomainname",
	"vhangup",
};

#ifdef LEASED_SANITIZERS
/* The leak checker stops the threads from a clone of the process. */
enum { DUMPABLE = 1, FOR_LEAK_CHECKER = true };
#else
enum { DUMPABLE = 0, FOR_LEAK_CHECKER = false };
#endif
static const char *const tracing[] = {"ptrace", "process_vm_readv"};

static int add_kill(scmp_filter_ctx f, const char *const *names, size_t n)
{
	size_t i;
	int nr, rc = 0;

	for (i = 0; rc == 0 && i < n; i++) {
		nr = seccomp_syscall_resolve_name(names[i]);
		if (nr != __NR_SCMP_ERROR)
			rc = seccomp_rule_add(f, SCMP_ACT_KILL_PROCESS, nr, 0);
	}
	return rc;
}

/* Threads are needed (name resolution), processes are not. The arguments of clone3 lie in memory,
 * so it is said to be missing and libc takes clone. */
static int add_clone(scmp_filter_ctx f)
{
	int rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

	if (rc || FOR_LEAK_CHECKER)
		return rc;
	return seccomp_rule_add(f, SCMP_ACT_KILL_PROCESS, SCMP_SYS(clone), 1,
				SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
}

/* Unix, IP and netlink sockets only. */
static int add_socket(scmp_filter_ctx f)
{
	int family, rc = 0;

	for (family = 0; rc == 0 && family < AF_MAX; family++)
		if (family != AF_UNIX && family != AF_INET && family != AF_INET6 &&
		    family != AF_NETLINK)
			rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
					      SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)family));
	return rc;
}

static int add_memory(scmp_filter_ctx f)
{
	const scmp_datum_t both = PROT_WRITE | PROT_EXEC;
	int rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(mmap), 1,
				  SCMP_A2(SCMP_CMP_MASKED_EQ, both, both));

	if (rc)
		return rc;
	return seccomp_rule_add(f, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(mprotect), 1,
				SCMP_A2(SCMP_CMP_MASKED_EQ, both, both));
}

static int build(scmp_filter_ctx f)
{
	int rc = seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1);

	rc = rc ? rc : seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	rc = rc ? rc : add_kill(f, killed, ARRAY_SIZE(killed));
	if (!FOR_LEAK_CHECKER)
		rc = rc ? rc : add_kill(f, tracing, ARRAY_SIZE(tracing));
	rc = rc ? rc : add_clone(f);
	rc = rc ? rc : add_socket(f);
	return rc ? rc : add_memory(f);
}

static int load_filter(struct err *e)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
	int rc = f ? build(f) : -ENOMEM;

	if (rc == 0)
		rc = seccomp_load(f);
	seccomp_release(f);
	errno = -rc;
	return rc ? err_sys(e, "load the seccomp filter") : 0;
}

static int drop_capabilities(struct err *e)
{
	cap_t none = cap_init();
	int rc = none ? cap_set_proc(none) : -1;

	if (rc)
		err_sys(e, "drop capabilities");
	cap_free(none);
	return rc;
}

int sandbox_confine(struct err *e)
{
	const struct rlimit no_core = {0, 0};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return err_sys(e, "no new privileges");
	if (prctl(PR_SET_DUMPABLE, DUMPABLE, 0, 0, 0) || setrlimit(RLIMIT_CORE, &no_core))
		return err_sys(e, "no core dumps");
	if (drop_capabilities(e))
		return -1;
	return load_filter(e);
}
