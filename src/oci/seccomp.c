/*
 * The filter for system calls: a list of what is known and harmless; anything else, also what
 * future kernels bring, does not exist (ENOSYS, which C libraries handle by falling back). What a
 * program may reasonably try and must be told apart from "unknown" is EPERM. Not on the list for a
 * reason: namespaces and mounts, keyrings, bpf, perf, io_uring, userfaultfd, file handles, modules,
 * kexec, clocks, NUMA placement, clone3 (its flags cannot be filtered). Only the native
 * architecture.
 */
#include <errno.h>

#include "base/auto.h"
#include "base/mem.h"
#include "oci/parts.h"

static const char *const ALLOWED[] = {
	"accept",
	"accept4",
	"access",
	"alarm",
	"arch_prctl",
	"bind",
	"brk",
	"capget",
	"capset",
	"chdir",
	"chmod",
	"chown",
	"chroot",
	"clock_getres",
	"clock_getres_time64",
	"clock_gettime",
	"clock_gettime64",
	"clock_nanosleep",
	"clock_nanosleep_time64",
	"close",
	"close_range",
	"connect",
	"copy_file_range",
	"creat",
	"dup",
	"dup2",
	"dup3",
	"epoll_create",
	"epoll_create1",
	"epoll_ctl",
	"epoll_pwait",
	"epoll_pwait2",
	"epoll_wait",
	"eventfd",
	"eventfd2",
	"execve",
	"execveat",
	"exit",
	"exit_group",
	"faccessat",
	"faccessat2",
	"fadvise64",
	"fadvise64_64",
	"fallocate",
	"fchdir",
	"fchmod",
	"fchmodat",
	"fchown",
	"fchownat",
	"fcntl",
	"fcntl64",
	"fdatasync",
	"fgetxattr",
	"flistxattr",
	"flock",
	"fork",
	"fremovexattr",
	"fsetxattr",
	"fstat",
	"fstat64",
	"fstatat",
	"fstatat64",
	"fstatfs",
	"fstatfs64",
	"fsync",
	"ftruncate",
	"ftruncate64",
	"futex",
	"futex_time64",
	"futex_waitv",
	"futimesat",
	"get_robust_list",
	"get_thread_area",
	"getcpu",
	"getcwd",
	"getdents",
	"getdents64",
	"getegid",
	"geteuid",
	"getgid",
	"getgroups",
	"getitimer",
	"getpeername",
	"getpgid",
	"getpgrp",
	"getpid",
	"getppid",
	"getpriority",
	"getrandom",
	"getresgid",
	"getresuid",
	"getrlimit",
	"getrusage",
	"getsid",
	"getsockname",
	"getsockopt",
	"gettid",
	"gettimeofday",
	"getuid",
	"getxattr",
	"inotify_add_watch",
	"inotify_init",
	"inotify_init1",
	"inotify_rm_watch",
	"io_cancel",
	"io_destroy",
	"io_getevents",
	"io_pgetevents",
	"io_pgetevents_time64",
	"io_setup",
	"io_submit",
	"ioctl",
	"ioprio_get",
	"ioprio_set",
	"kill",
	"landlock_add_rule",
	"landlock_create_ruleset",
	"landlock_restrict_self",
	"lchown",
	"lgetxattr",
	"link",
	"linkat",
	"listen",
	"listxattr",
	"llistxattr",
	"llseek",
	"lremovexattr",
	"lseek",
	"lsetxattr",
	"lstat",
	"lstat64",
	"madvise",
	"membarrier",
	"memfd_create",
	"memfd_secret",
	"mincore",
	"mkdir",
	"mkdirat",
	"mknod",
	"mknodat",
	"mlock",
	"mlock2",
	"mlockall",
	"mmap",
	"mmap2",
	"mprotect",
	"mq_getsetattr",
	"mq_notify",
	"mq_open",
	"mq_timedreceive",
	"mq_timedreceive_time64",
	"mq_timedsend",
	"mq_timedsend_time64",
	"mq_unlink",
	"mremap",
	"msgctl",
	"msgget",
	"msgrcv",
	"msgsnd",
	"msync",
	"munlock",
	"munlockall",
	"munmap",
	"nanosleep",
	"newfstatat",
	"open",
	"openat",
	"openat2",
	"pause",
	"pidfd_getfd",
	"pidfd_open",
	"pidfd_send_signal",
	"pipe",
	"pipe2",
	"pkey_alloc",
	"pkey_free",
	"pkey_mprotect",
	"poll",
	"ppoll",
	"ppoll_time64",
	"prctl",
	"pread64",
	"preadv",
	"preadv2",
	"prlimit64",
	"process_mrelease",
	"process_vm_readv",
	"process_vm_writev",
	"pselect6",
	"pselect6_time64",
	"ptrace",
	"pwrite64",
	"pwritev",
	"pwritev2",
	"read",
	"readahead",
	"readlink",
	"readlinkat",
	"readv",
	"recvfrom",
	"recvmmsg",
	"recvmmsg_time64",
	"recvmsg",
	"remap_file_pages",
	"removexattr",
	"rename",
	"renameat",
	"renameat2",
	"restart_syscall",
	"rmdir",
	"rseq",
	"rt_sigaction",
	"rt_sigpending",
	"rt_sigprocmask",
	"rt_sigqueueinfo",
	"rt_sigreturn",
	"rt_sigsuspend",
	"rt_sigtimedwait",
	"rt_sigtimedwait_time64",
	"rt_tgsigqueueinfo",
	"sched_get_priority_max",
	"sched_get_priority_min",
	"sched_getaffinity",
	"sched_getattr",
	"sched_getparam",
	"sched_getscheduler",
	"sched_rr_get_interval",
	"sched_rr_get_interval_time64",
	"sched_setaffinity",
	"sched_setattr",
	"sched_setparam",
	"sched_setscheduler",
	"sched_yield",
	"seccomp",
	"select",
	"semctl",
	"semget",
	"semop",
	"semtimedop",
	"semtimedop_time64",
	"sendfile",
	"sendfile64",
	"sendmmsg",
	"sendmsg",
	"sendto",
	"set_robust_list",
	"set_thread_area",
	"set_tid_address",
	"setdomainname",
	"setfsgid",
	"setfsuid",
	"setgid",
	"setgroups",
	"sethostname",
	"setitimer",
	"setpgid",
	"setpriority",
	"setregid",
	"setresgid",
	"setresuid",
	"setreuid",
	"setrlimit",
	"setsid",
	"setsockopt",
	"setuid",
	"setxattr",
	"shmat",
	"shmctl",
	"shmdt",
	"shmget",
	"shutdown",
	"sigaltstack",
	"signalfd",
	"signalfd4",
	"socketpair",
	"splice",
	"stat",
	"stat64",
	"statfs",
	"statfs64",
	"statx",
	"symlink",
	"symlinkat",
	"sync",
	"sync_file_range",
	"sync_file_range2",
	"syncfs",
	"sysinfo",
	"tee",
	"tgkill",
	"time",
	"timer_create",
	"timer_delete",
	"timer_getoverrun",
	"timer_gettime",
	"timer_gettime64",
	"timer_settime",
	"timer_settime64",
	"timerfd_create",
	"timerfd_gettime",
	"timerfd_gettime64",
	"timerfd_settime",
	"timerfd_settime64",
	"times",
	"tkill",
	"truncate",
	"truncate64",
	"umask",
	"uname",
	"unlink",
	"unlinkat",
	"utime",
	"utimensat",
	"utimensat_time64",
	"utimes",
	"vfork",
	"vmsplice",
	"wait4",
	"waitid",
	"write",
	"writev",
};

static const char *const DENIED[] = {
	"acct",
	"add_key",
	"bpf",
	"clock_settime",
	"delete_module",
	"fanotify_init",
	"finit_module",
	"init_module",
	"kexec_file_load",
	"kexec_load",
	"keyctl",
	"mount",
	"open_by_handle_at",
	"perf_event_open",
	"pivot_root",
	"reboot",
	"request_key",
	"setns",
	"settimeofday",
	"swapoff",
	"swapon",
	"syslog",
	"umount2",
};

/* On no list, by their names: for those who have no other way to say what is absent. */
static const char *const ABSENT[] = {
	"_sysctl",
	"adjtimex",
	"cachestat",
	"clock_adjtime",
	"clone3",
	"create_module",
	"fanotify_mark",
	"fchmodat2",
	"file_getattr",
	"file_setattr",
	"fsconfig",
	"fsmount",
	"fsopen",
	"fspick",
	"futex_requeue",
	"futex_wait",
	"futex_wake",
	"get_mempolicy",
	"getxattrat",
	"io_uring_enter",
	"io_uring_register",
	"io_uring_setup",
	"ioperm",
	"iopl",
	"kcmp",
	"listmount",
	"listxattrat",
	"lookup_dcookie",
	"lsm_get_self_attr",
	"lsm_list_modules",
	"lsm_set_self_attr",
	"map_shadow_stack",
	"mbind",
	"migrate_pages",
	"modify_ldt",
	"mount_setattr",
	"move_mount",
	"move_pages",
	"mseal",
	"name_to_handle_at",
	"nfsservctl",
	"open_tree",
	"open_tree_attr",
	"process_madvise",
	"query_module",
	"quotactl",
	"quotactl_fd",
	"removexattrat",
	"set_mempolicy",
	"set_mempolicy_home_node",
	"setxattrat",
	"statmount",
	"sysfs",
	"uretprobe",
	"uselib",
	"userfaultfd",
	"ustat",
	"vhangup",
};

struct condition {
	const char *name;
	unsigned argument;
	uint64_t value, masked; /* masked: the mask's other operand for SCMP_CMP_MASKED_EQ */
	const char *op;
};

/* CLONE_NEW{TIME,NS,CGROUP,UTS,IPC,USER,PID,NET}; NEWTIME is a signal number in clone's flags. */
#define NEW_NAMESPACES UINT64_C(0x7e020000)
#define NEW_TIME       UINT64_C(0x80)

static const struct condition CONDITIONS[] = {
	{"clone", 0, NEW_NAMESPACES, 0, "SCMP_CMP_MASKED_EQ"},
	{"unshare", 0, NEW_NAMESPACES | NEW_TIME, 0, "SCMP_CMP_MASKED_EQ"},
	/* AF_UNIX, AF_INET, AF_INET6, AF_NETLINK: no AF_ALG or AF_VSOCK, AF_PACKET with NET_RAW */
	{"socket", 0, 1, 0, "SCMP_CMP_EQ"},
	{"socket", 0, 2, 0, "SCMP_CMP_EQ"},
	{"socket", 0, 10, 0, "SCMP_CMP_EQ"},
	{"socket", 0, 16, 0, "SCMP_CMP_EQ"},
	/* PER_LINUX, PER_LINUX32, UNAME26 with either, and asking */
	{"personality", 0, 0x0, 0, "SCMP_CMP_EQ"},
	{"personality", 0, 0x8, 0, "SCMP_CMP_EQ"},
	{"personality", 0, 0x20000, 0, "SCMP_CMP_EQ"},
	{"personality", 0, 0x20008, 0, "SCMP_CMP_EQ"},
	{"personality", 0, 0xffffffff, 0, "SCMP_CMP_EQ"},
};

static void write_condition(struct jsonw *w, const struct condition *c)
{
	jsonw_object(w, NULL);
	part_strings(w, "names", &c->name, 1);
	jsonw_text(w, "action", "SCMP_ACT_ALLOW");
	jsonw_array(w, "args");
	jsonw_object(w, NULL);
	jsonw_u64(w, "index", c->argument);
	jsonw_u64(w, "value", c->value);
	jsonw_u64(w, "valueTwo", c->masked);
	jsonw_text(w, "op", c->op);
	jsonw_end_object(w);
	jsonw_end_array(w);
	jsonw_end_object(w);
}

static void write_refusal(struct jsonw *w, const char *const *names, size_t n, unsigned why)
{
	jsonw_object(w, NULL);
	part_strings(w, "names", names, n);
	jsonw_text(w, "action", "SCMP_ACT_ERRNO");
	jsonw_u64(w, "errnoRet", why);
	jsonw_end_object(w);
}

static void write_rules(struct jsonw *w, uint64_t caps)
{
	static const struct condition packet = {"socket", 0, 17, 0, "SCMP_CMP_EQ"};

	jsonw_object(w, NULL);
	part_strings(w, "names", ALLOWED, ARRAY_SIZE(ALLOWED));
	jsonw_text(w, "action", "SCMP_ACT_ALLOW");
	jsonw_end_object(w);
	write_refusal(w, DENIED, ARRAY_SIZE(DENIED), EPERM);
	for (size_t i = 0; i < ARRAY_SIZE(CONDITIONS); i++)
		write_condition(w, &CONDITIONS[i]);
	if (caps & spec_cap(STR("CAP_NET_RAW")))
		write_condition(w, &packet);
}

void part_seccomp(struct jsonw *w, uint64_t caps)
{
	jsonw_object(w, "seccomp");
	jsonw_text(w, "defaultAction", "SCMP_ACT_ERRNO");
	jsonw_u64(w, "defaultErrnoRet", ENOSYS);
	jsonw_array(w, "syscalls");
	write_rules(w, caps);
	jsonw_end_array(w);
	jsonw_end_object(w);
}

/* Docker 20.10 takes no default but EPERM, with which C libraries do not fall back. Its runtime
 * answers ENOSYS to what is newer than itself, where an architecture is named. */
void oci_seccomp(struct buf *out, uint64_t caps)
{
	static const char *const ARCHITECTURES[] = {"X86_64", "AARCH64", "RISCV64", "PPC64LE",
						    "S390X"};
	struct jsonw w = JSONW(out);

	jsonw_object(&w, NULL);
	jsonw_text(&w, "defaultAction", "SCMP_ACT_ERRNO");
	jsonw_array(&w, "archMap");
	for (size_t i = 0; i < ARRAY_SIZE(ARCHITECTURES); i++) {
		auto_free char *name = mem_printf("SCMP_ARCH_%s", ARCHITECTURES[i]);

		jsonw_object(&w, NULL);
		jsonw_text(&w, "architecture", name);
		jsonw_end_object(&w);
	}
	jsonw_end_array(&w);
	jsonw_array(&w, "syscalls");
	write_rules(&w, caps);
	write_refusal(&w, ABSENT, ARRAY_SIZE(ABSENT), ENOSYS);
	jsonw_end_array(&w);
	jsonw_end_object(&w);
}
