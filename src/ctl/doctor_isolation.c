/* doctor's list of what keeps tenants in: each is on, off, or impossible here, with why. */
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>

#include <linux/seccomp.h>

#include "base/fs.h"
#include "base/mem.h"
#include "ctl/doctor.h"
#include "oci/guards.h"
#include "spec/guard.h"

enum state { ON, OFF, IMPOSSIBLE };

/* What is on is fine; what is off can be had; what is impossible is no fault of the operator's. */
static void say(struct doctor *d, const char *what, enum state s, const char *why, const char *fix)
{
	static const char *const WORDS[] = {"on", "off", "impossible here"};
	auto_free char *check = mem_printf("isolation: %s", what);

	doctor_say(d, s == ON ? DOCTOR_OK : DOCTOR_WARN, check, fix, "%s: %s", WORDS[s], why);
}

static void check_user_namespace(struct doctor *d)
{
	const char *what = spec_guard_word(SPEC_GUARD_USER_NAMESPACE);
	uint64_t most = 0;

	if (!fs_exists("/proc/self/ns/user"))
		say(d, what, IMPOSSIBLE, "the kernel has none", "a kernel with CONFIG_USER_NS");
	else if (!doctor_number("/proc/sys/user/max_user_namespaces", &most) || most == 0)
		say(d, what, OFF, "user.max_user_namespaces is 0",
		    "sysctl user.max_user_namespaces=1000");
	else
		say(d, what, ON, "65536 ids of its own for each lease", NULL);
}

static void check_seccomp(struct doctor *d)
{
	const char *what = spec_guard_word(SPEC_GUARD_SECCOMP);

	if (!oci_runtime(d->conf->runtime)->seccomp)
		say(d, what, OFF, "the runtime's own kernel answers the system calls", NULL);
	else if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL) < 0 && errno == EINVAL)
		say(d, what, IMPOSSIBLE, "the kernel has no filters",
		    "a kernel with CONFIG_SECCOMP_FILTER");
	else
		say(d, what, ON, "a list of harmless calls; others do not exist", NULL);
}

static void check_apparmor(struct doctor *d)
{
	const char *what = spec_guard_word(SPEC_GUARD_APPARMOR);

	if (!oci_apparmor_on())
		say(d, what, IMPOSSIBLE, "the kernel has it switched off",
		    "boot with security=apparmor");
	else if (!oci_apparmor())
		say(d, what, OFF, "the profile " OCI_APPARMOR " is not loaded",
		    "apparmor_parser --replace " SYSCONFDIR "/apparmor.d/" OCI_APPARMOR);
	else
		say(d, what, ON, OCI_APPARMOR, NULL);
}

static bool has_cgroup(const char *file)
{
	auto_free char *path = mem_printf("/sys/fs/cgroup/%s", file);

	return fs_exists(path);
}

static void check_limits(struct doctor *d)
{
	bool v2 = has_cgroup("cgroup.controllers");
	const char *version = spec_guard_word(SPEC_GUARD_CGROUP_V2);
	const char *what = spec_guard_word(SPEC_GUARD_LIMITS);
	auto_buf struct buf text = BUF(4096);
	bool all = has_cgroup("memory/memory.limit_in_bytes") && has_cgroup("pids");

	if (v2)
		all = fs_read(&text, "/sys/fs/cgroup/cgroup.controllers", NULL) == 0 &&
		      strstr(text.p, "memory") && strstr(text.p, "pids");
	if (all)
		say(d, what, ON, "memory, swap, processes, processor time", NULL);
	else
		say(d, what, IMPOSSIBLE, "the memory or pids controller is missing",
		    "boot with cgroup_enable=memory");
	if (v2)
		say(d, version, ON, "groups made inside are limited, too", NULL);
	else
		say(d, version, OFF, "version 1; offers say so",
		    "boot with systemd.unified_cgroup_hierarchy=1");
}

/* Settings of the kernel that stand behind the others: at least so high. */
static void check_setting(struct doctor *d, const char *name, uint64_t least, const char *why)
{
	auto_free char *path = mem_printf("/proc/sys/%s", name);
	auto_free char *fix = mem_printf("write %u to %s", (unsigned)least, path);
	auto_free char *found = NULL;
	uint64_t now;

	if (!doctor_number(path, &now)) {
		say(d, name, IMPOSSIBLE, "the kernel has no such setting", NULL);
		return;
	}
	found = mem_printf("it is %u, for %s", (unsigned)now, why);
	say(d, name, now >= least ? ON : OFF, found, now >= least ? NULL : fix);
}

/* A program that the kernel starts outside of every namespace, with what a tenant wrote as input.
 */
static void check_core_pattern(struct doctor *d)
{
	auto_buf struct buf text = BUF(4096);
	bool pipe = fs_read(&text, "/proc/sys/kernel/core_pattern", NULL) == 0 &&
		    str_starts(buf_view(&text), "|");

	/* The limit is what stops it: leases cannot raise it. */
	say(d, spec_guard_word(SPEC_GUARD_NO_CORE_DUMPS), ON,
	    pipe ? "leases dump none, so the host's handler never sees them" : "leases dump none",
	    NULL);
}

static void check_swap(struct doctor *d)
{
	auto_buf struct buf text = BUF(65536);
	struct str rest, first;
	bool swap;

	if (fs_read(&text, "/proc/swaps", NULL) != 0)
		return;
	rest = str_trim(buf_view(&text));
	str_cut(&rest, '\n', &first);
	swap = rest.n > 0;
	say(d, "no swap", swap ? OFF : ON,
	    swap ? "keys and tenants' memory may get to the disk" : "memory stays in memory",
	    "swapoff -a, or encrypted swap");
}

/* What every lease has on every host: no look at the host can tell more. */
static void say_always(struct doctor *d)
{
	static const struct {
		enum spec_guard guard;
		const char *why;
	} ALWAYS[] = {
		{SPEC_GUARD_NAMESPACES, "processes, mounts, names, groups and network of its own"},
		{SPEC_GUARD_NO_NEW_PRIVILEGES, "set-user-id programs give nothing"},
		{SPEC_GUARD_FEW_CAPABILITIES, "eleven at most, none inherited"},
		{SPEC_GUARD_MASKED_PATHS, "of /proc and /sys, and settings read-only"},
		{SPEC_GUARD_REAL_FOLDERS, "no link of an image where the runtime mounts"},
		{SPEC_GUARD_CLOSED_DESCRIPTORS, "the runtime inherits only what it needs"},
		{SPEC_GUARD_OWN_DISK, "a volume of the offer's size"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(ALWAYS); i++)
		say(d, spec_guard_word(ALWAYS[i].guard), ON, ALWAYS[i].why, NULL);
}

void doctor_isolation(struct doctor *d)
{
	check_user_namespace(d);
	check_seccomp(d);
	check_apparmor(d);
	check_limits(d);
	check_core_pattern(d);
	say_always(d);
	check_setting(d, "kernel/unprivileged_bpf_disabled", 1, "programs in the kernel");
	check_setting(d, "kernel/dmesg_restrict", 1, "the kernel's log");
	check_setting(d, "kernel/kptr_restrict", 1, "the kernel's addresses");
	check_setting(d, "kernel/yama/ptrace_scope", 1, "looking into other processes");
	check_swap(d);
}
