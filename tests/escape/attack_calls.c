/* System calls that no tenant may make, sockets of families that it has no business with, and
 * capabilities. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/if_alg.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"

/* Got: it did what was asked, or went on to complain about nonsense that it was given. */
static int beyond_permission(long r)
{
	if (r >= 0)
		return 0;
	return errno == EPERM || errno == EACCES || errno == ENOSYS ? -1 : 0;
}

static int try_unshare(char *arg)
{
	return unshare((int)next_number(&arg));
}

static int try_clone(char *arg)
{
	long pid = syscall(SYS_clone, next_number(&arg) | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid((pid_t)pid, NULL, 0);
	return pid < 0 ? -1 : 0;
}

static int try_clone3(char *arg)
{
	struct clone_args args = {.flags = next_number(&arg), .exit_signal = SIGCHLD};
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid((pid_t)pid, NULL, 0);
	return pid < 0 ? -1 : 0;
}

static int try_setns(char *arg)
{
	int fd = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -1 : setns(fd, CLONE_NEWUTS);
}

static int try_mount(char *arg)
{
	const char *type = next_word(&arg);

	return mount("none", "/tmp", type, 0, next_word(&arg));
}

static int try_bind(char *arg)
{
	return mount("/etc", "/tmp", NULL, MS_BIND, NULL);
}

static int try_remount(char *arg)
{
	return mount(NULL, next_word(&arg), NULL, MS_REMOUNT | MS_BIND, NULL);
}

static int try_umount(char *arg)
{
	return umount2(next_word(&arg), MNT_DETACH);
}

static int try_fsopen(char *arg)
{
	return (int)syscall(SYS_fsopen, next_word(&arg), 0) < 0 ? -1 : 0;
}

static int try_open_tree(char *arg)
{
	return (int)syscall(SYS_open_tree, AT_FDCWD, "/etc", OPEN_TREE_CLONE) < 0 ? -1 : 0;
}

static int try_move_mount(char *arg)
{
	return beyond_permission(syscall(SYS_move_mount, -1, "", -1, "", 0));
}

static int try_mount_setattr(char *arg)
{
	struct mount_attr attr = {.attr_clr = MOUNT_ATTR_RDONLY};

	return (int)syscall(SYS_mount_setattr, AT_FDCWD, next_word(&arg), 0, &attr, sizeof(attr));
}

static int try_pivot_root(char *arg)
{
	return beyond_permission(syscall(SYS_pivot_root, "/nowhere", "/nowhere"));
}

/* CVE-2023-0386 begins so: an overlay in a user namespace of one's own. */
static int try_own_overlay(char *arg)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
		return -1;
	return mount("overlay", "/tmp", "overlay", 0, "lowerdir=/etc:/dev");
}

static int try_keyctl(char *arg)
{
	return beyond_permission(syscall(SYS_keyctl, 0L /* get the keyring's id */, -3L, 0L));
}

static int try_add_key(char *arg)
{
	return syscall(SYS_add_key, "user", "attack", "x", 1L, -2L) < 0 ? -1 : 0;
}

static int try_request_key(char *arg)
{
	return beyond_permission(syscall(SYS_request_key, "user", "attack", NULL, 0L));
}

static int try_bpf(char *arg)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};

	return syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)) < 0 ? -1 : 0;
}

static int try_perf(char *arg)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
				       .size = sizeof(attr),
				       .config = PERF_COUNT_SW_CPU_CLOCK};

	return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0L) < 0 ? -1 : 0;
}

static int try_userfaultfd(char *arg)
{
	return syscall(SYS_userfaultfd, O_CLOEXEC) < 0 ? -1 : 0;
}

static int try_io_uring(char *arg)
{
	char params[120] = {0};

	return syscall(SYS_io_uring_setup, 4, params) < 0 ? -1 : 0;
}

/* What the first published way out of Docker was made of. The handle names inode 2, mostly a root.
 */
static int try_file_handle(char *arg)
{
	const struct {
		unsigned bytes;
		int type;
		unsigned inode, generation;
	} handle = {8, 1, 2, 0};

	return beyond_permission(syscall(SYS_open_by_handle_at, AT_FDCWD, &handle, O_RDONLY));
}

static int try_fanotify(char *arg)
{
	return syscall(SYS_fanotify_init, 0 /* FAN_CLASS_NOTIF */, O_RDONLY) < 0 ? -1 : 0;
}

static int try_quotactl(char *arg)
{
	return beyond_permission(
		syscall(SYS_quotactl, 0x80000300 /* Q_QUOTAOFF */, "/nowhere", 0, NULL));
}

static int try_swapon(char *arg)
{
	return beyond_permission(syscall(SYS_swapon, "/nowhere", 0));
}

static int try_acct(char *arg)
{
	return beyond_permission(syscall(SYS_acct, "/nowhere"));
}

static int try_syslog(char *arg)
{
	char line[200];

	return syscall(SYS_syslog, 3 /* read all */, line, (int)sizeof(line)) < 0 ? -1 : 0;
}

static int try_init_module(char *arg)
{
	return beyond_permission(syscall(SYS_init_module, "not a module", 12L, ""));
}

static int try_finit_module(char *arg)
{
	return beyond_permission(syscall(SYS_finit_module, -1, "", 0));
}

static int try_delete_module(char *arg)
{
	return beyond_permission(syscall(SYS_delete_module, "no_such_module", O_NONBLOCK));
}

static int try_kexec(char *arg)
{
	return beyond_permission(syscall(SYS_kexec_load, 0L, 99999L, NULL, 0L));
}

static int try_reboot(char *arg)
{
	return beyond_permission(syscall(SYS_reboot, 1, 2, 3, NULL)); /* not the magic numbers */
}

/* Sets what it reads. */
static int try_adjtime(char *arg)
{
	struct timex t = {.modes = 0};

	if (adjtimex(&t) < 0)
		return -1;
	t = (struct timex){.modes = ADJ_TICK, .tick = t.tick};
	return adjtimex(&t) < 0 ? -1 : 0;
}

static int try_iopl(char *arg)
{
#ifdef SYS_iopl
	return (int)syscall(SYS_iopl, 3);
#else
	return refused(ENOSYS);
#endif
}

static int try_ioperm(char *arg)
{
#ifdef SYS_ioperm
	return (int)syscall(SYS_ioperm, 0x80L, 1L, 1);
#else
	return refused(ENOSYS);
#endif
}

/* Programs of another personality would be loaded without their addresses in disorder. */
static int try_personality(char *arg)
{
	return personality(ADDR_NO_RANDOMIZE | READ_IMPLIES_EXEC) < 0 ? -1 : 0;
}

static int try_kcmp(char *arg)
{
	return syscall(SYS_kcmp, getpid(), getpid(), 0, 0L, 1L) < 0 ? -1 : 0;
}

static int try_mempolicy(char *arg)
{
	return beyond_permission(syscall(SYS_set_mempolicy, 0, NULL, 0L));
}

static int try_vhangup(char *arg)
{
	return (int)syscall(SYS_vhangup);
}

/* A filter for the native calls only would not see those of 32 bits. */
static int try_foreign_call(char *arg)
{
#ifdef __x86_64__
	long r;

	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "a"(20L /* getpid */)
			 : "r8", "r9", "r10", "r11", "memory");
	return r > 0 ? 0 : refused((int)-r);
#else
	return refused(ENOSYS);
#endif
}

static int try_socket(char *arg)
{
	int family = (int)next_number(&arg), type = (int)next_number(&arg);

	return socket(family, type | SOCK_CLOEXEC, (int)next_number(&arg)) < 0 ? -1 : 0;
}

/* CVE-2026-31431 ("Copy Fail") begins so. */
static int try_alg(char *arg)
{
	struct sockaddr_alg a = {.salg_family = AF_ALG, .salg_type = "hash", .salg_name = "sha256"};
	int fd = socket(AF_ALG, SOCK_SEQPACKET, 0);

	return fd < 0 ? -1 : bind(fd, (struct sockaddr *)&a, sizeof(a));
}

static void put_message(struct nlmsghdr *h, uint16_t type, uint16_t flags, size_t body)
{
	*h = (struct nlmsghdr){.nlmsg_len = (uint32_t)(NLMSG_HDRLEN + body),
			       .nlmsg_type = type,
			       .nlmsg_flags = NLM_F_REQUEST | flags};
}

/* CVE-2024-1086 begins so: a table of nftables. */
static int try_nft(char *arg)
{
	struct {
		struct nlmsghdr begin;
		struct nfgenmsg begin_body;
		struct nlmsghdr table;
		struct nfgenmsg table_body;
		struct nlattr name;
		char text[8];
		struct nlmsghdr end;
		struct nfgenmsg end_body;
	} m = {.begin_body.res_id = htobe16(NFNL_SUBSYS_NFTABLES),
	       .table_body.nfgen_family = 2,
	       .name = {NLA_HDRLEN + 8, NFTA_TABLE_NAME},
	       .text = "attack",
	       .end_body.res_id = htobe16(NFNL_SUBSYS_NFTABLES)};
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		char more[512];
	} r;

	put_message(&m.begin, NFNL_MSG_BATCH_BEGIN, 0, sizeof(m.begin_body));
	put_message(&m.table, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE,
		    NLM_F_CREATE | NLM_F_ACK,
		    sizeof(m.table_body) + sizeof(m.name) + sizeof(m.text));
	put_message(&m.end, NFNL_MSG_BATCH_END, 0, sizeof(m.end_body));
	if (fd < 0 ||
	    sendto(fd, &m, sizeof(m), 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0 ||
	    recv(fd, &r, sizeof(r), 0) < 0)
		return -1;
	return r.h.nlmsg_type == NLMSG_ERROR && r.e.error ? refused(-r.e.error) : 0;
}

/* Has it, or can get it back. */
static int try_cap(char *arg)
{
	unsigned long cap = next_number(&arg);
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, &head, d) < 0)
		return -1;
	d[cap / 32].effective |= 1u << cap % 32;
	d[cap / 32].permitted |= 1u << cap % 32;
	return (int)syscall(SYS_capset, &head, d);
}

/* CVE-2022-29162: capabilities that a program of another user would inherit. */
static int try_inheritable(char *arg)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, &head, d) < 0)
		return -1;
	return d[0].inheritable | d[1].inheritable ? 0 : refused(EPERM);
}

/* As another user, run what would make us root. */
static int try_set_id(char *arg)
{
	char *argv[] = {next_word(&arg), "root?", NULL};

	if (setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
		return -1;
	execv(argv[0], argv);
	return -1;
}

/* Arguments with which nothing happens, and which are looked at only after who may ask. */
static const struct call {
	const char *name;
	long number, arg[5];
} CALLS[] = {
#ifdef SYS_ustat
	{"ustat", SYS_ustat, {0, 0}},
	{"sysfs", SYS_sysfs, {3}},
#endif
	{"fsmount", SYS_fsmount, {-1, 0, 0}},
	{"fspick", SYS_fspick, {-1, 0, 0}},
	{"fsconfig", SYS_fsconfig, {-1, 6, 0, 0, 0}},
	{"io_uring_enter", SYS_io_uring_enter, {-1, 0, 0, 0, 0}},
	{"io_uring_register", SYS_io_uring_register, {-1, 1, 0, 0}},
	{"kexec_file_load", SYS_kexec_file_load, {-1, -1, 0, 0, 0}},
	{"lookup_dcookie", SYS_lookup_dcookie, {1, 0, 0}},
	{"mbind", SYS_mbind, {0, 0, 0, 0, 0}},
	{"get_mempolicy", SYS_get_mempolicy, {0, 0, 0, 0, 0}},
	{"migrate_pages", SYS_migrate_pages, {0, 0, 0, 0}},
	{"move_pages", SYS_move_pages, {0, 0, 0, 0, 0}},
	{"name_to_handle_at", SYS_name_to_handle_at, {-1, 0, 0, 0, 0}},
	{"quotactl_fd", SYS_quotactl_fd, {-1, 0, 0, 0}},
	{"setdomainname", SYS_setdomainname, {0, -1}},
	{"settimeofday", SYS_settimeofday, {0, 0}},
	{"swapoff", SYS_swapoff, {0}},
};

static int try_call(char *arg)
{
	static struct timezone zone; /* none, as every machine has it */
	const char *name = next_word(&arg);

	for (size_t i = 0; i < sizeof(CALLS) / sizeof(*CALLS); i++) {
		const struct call *c = &CALLS[i];
		long second = c->number == SYS_settimeofday ? (long)&zone : c->arg[1];

		if (strcmp(c->name, name) == 0)
			return beyond_permission(syscall(c->number, c->arg[0], second, c->arg[2],
							 c->arg[3], c->arg[4]));
	}
	return refused(ENOENT);
}

static int try_hostname(char *arg)
{
	return sethostname("attack", 6);
}

static int try_nice(char *arg)
{
	return setpriority(PRIO_PROCESS, 0, -5);
}

/* Be the last one that is ended when memory is short. */
static int try_oom_score(char *arg)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, "-1000", 5) == 5 ? 0 : -1;
}

static int try_rlimit(char *arg)
{
	int which = (int)next_number(&arg);
	struct rlimit now, more;

	if (getrlimit(which, &now))
		return -1;
	more = (struct rlimit){now.rlim_max, now.rlim_max + 1};
	return now.rlim_max == RLIM_INFINITY ? 0 : setrlimit(which, &more);
}

const struct attack attack_calls[] = {
	{"unshare", try_unshare},
	{"clone", try_clone},
	{"clone3", try_clone3},
	{"setns", try_setns},
	{"mount", try_mount},
	{"bind", try_bind},
	{"remount", try_remount},
	{"umount", try_umount},
	{"fsopen", try_fsopen},
	{"open_tree", try_open_tree},
	{"move_mount", try_move_mount},
	{"mount_setattr", try_mount_setattr},
	{"pivot_root", try_pivot_root},
	{"own_overlay", try_own_overlay},
	{"keyctl", try_keyctl},
	{"add_key", try_add_key},
	{"request_key", try_request_key},
	{"bpf", try_bpf},
	{"perf", try_perf},
	{"userfaultfd", try_userfaultfd},
	{"io_uring", try_io_uring},
	{"file_handle", try_file_handle},
	{"fanotify", try_fanotify},
	{"quotactl", try_quotactl},
	{"swapon", try_swapon},
	{"acct", try_acct},
	{"syslog", try_syslog},
	{"init_module", try_init_module},
	{"finit_module", try_finit_module},
	{"delete_module", try_delete_module},
	{"kexec", try_kexec},
	{"reboot", try_reboot},
	{"adjtime", try_adjtime},
	{"iopl", try_iopl},
	{"ioperm", try_ioperm},
	{"personality", try_personality},
	{"kcmp", try_kcmp},
	{"mempolicy", try_mempolicy},
	{"vhangup", try_vhangup},
	{"foreign_call", try_foreign_call},
	{"socket", try_socket},
	{"alg", try_alg},
	{"nft", try_nft},
	{"cap", try_cap},
	{"inheritable", try_inheritable},
	{"set_id", try_set_id},
	{"call", try_call},
	{"hostname", try_hostname},
	{"nice", try_nice},
	{"oom_score", try_oom_score},
	{"rlimit", try_rlimit},
	{NULL, NULL},
};
