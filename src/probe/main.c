/*
 * leased-probe: looks from inside a lease at what keeps it in, a line each: "WORD yes|no what was
 * seen". Mounted read-only into every lease, whose image may hold nothing at all; hence static, and
 * nothing of ours but the words. `lease verify-isolation` compares them with the offer.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "probe/gate.h"
#include "spec/gate.h"
#include "spec/guard.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))
#define ENDLESS	 (UINT64_C(1) << 60) /* what a limit that is none looks like */

static const char *const WORDS[] = {
#define X(upper, word) word,
	SPEC_GUARDS(X)
#undef X
};

static void say(enum spec_guard g, bool yes, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void say(enum spec_guard g, bool yes, const char *fmt, ...)
{
	va_list ap;

	printf("%s %s ", WORDS[g], yes ? "yes" : "no");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

static uint64_t number_of(const char *text, unsigned base)
{
	static const char DIGITS[] = "0123456789abcdef";
	const char *digit;
	uint64_t n = 0;

	for (text += strspn(text, " \t"); *text && (digit = strchr(DIGITS, *text)); text++) {
		if ((unsigned)(digit - DIGITS) >= base || n > UINT64_MAX / base - 1)
			break;
		n = n * base + (uint64_t)(digit - DIGITS);
	}
	return n;
}

/* The first bytes of a file as text; "" where it cannot be read. */
static const char *text_of(const char *path, char *out, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, out, size - 1);

	if (fd >= 0)
		close(fd);
	out[n > 0 ? n : 0] = '\0';
	out[strcspn(out, "\n")] = '\0';
	return out;
}

/* A line of /proc/self/status, as a number of base 16; all ones where it is not there. */
static uint64_t status_of(const char *name)
{
	FILE *f = fopen("/proc/self/status", "re");
	uint64_t v = UINT64_MAX;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
			v = number_of(line + strlen(name) + 1, 16);
	if (f)
		fclose(f);
	return v;
}

/* "first inside, first outside, how many"; the host's own map is the whole of the numbers. */
static void look_at_user_namespace(void)
{
	char text[200];
	const char *p = text_of("/proc/self/uid_map", text, sizeof(text));
	uint64_t v[3] = {0};

	for (size_t i = 0; i < COUNT(v); i++) {
		p += strspn(p, " ");
		v[i] = number_of(p, 10);
		p += strspn(p, "0123456789");
	}
	say(SPEC_GUARD_USER_NAMESPACE, v[0] != v[1] && v[2] > 0 && v[2] <= 65536,
	    "%" PRIu64 " ids, root is %" PRIu64 " outside", v[2], v[1]);
}

/* The machine's own namespaces have fixed numbers (include/linux/proc_ns.h). */
static void look_at_namespaces(void)
{
	static const struct {
		const char *path;
		uint64_t first;
	} NAMESPACES[] = {
		{"/proc/self/ns/ipc", 0xEFFFFFFF},
		{"/proc/self/ns/uts", 0xEFFFFFFE},
		{"/proc/self/ns/pid", 0xEFFFFFFC},
		{"/proc/self/ns/cgroup", 0xEFFFFFFB},
	};
	const char *shared = NULL;
	char name[300];
	struct stat st;

	for (size_t i = 0; i < COUNT(NAMESPACES); i++)
		if (stat(NAMESPACES[i].path, &st) || st.st_ino == NAMESPACES[i].first)
			shared = NAMESPACES[i].path;
	snprintf(name, sizeof(name), "%s is the host's", shared ? shared : "");
	say(SPEC_GUARD_NAMESPACES, !shared, "%s", shared ? name : "ipc, uts, pid, cgroup");
}

static void look_at_seccomp(void)
{
	bool escaped = unshare(CLONE_NEWUSER) == 0;
	uint64_t mode = status_of("Seccomp");

	say(SPEC_GUARD_SECCOMP, mode == 2 && !escaped, "mode %" PRIu64 ", namespaces are %s", mode,
	    escaped ? "made" : "refused");
}

static void look_at_powers(void)
{
	static const unsigned USUAL[] = {CAP_CHOWN,	 CAP_DAC_OVERRIDE, CAP_FOWNER,
					 CAP_FSETID,	 CAP_KILL,	   CAP_SETGID,
					 CAP_SETUID,	 CAP_SETPCAP,	   CAP_NET_BIND_SERVICE,
					 CAP_SYS_CHROOT, CAP_SETFCAP};
	uint64_t usual = 0, bound = status_of("CapBnd"), handed_on = status_of("CapInh");
	bool locked = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;

	/* gVisor's status has no line of either. */
	for (unsigned long cap = 0; cap < 64; cap++)
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) == 1)
			handed_on |= UINT64_C(1) << cap;
	for (size_t i = 0; i < COUNT(USUAL); i++)
		usual |= UINT64_C(1) << USUAL[i];
	say(SPEC_GUARD_FEW_CAPABILITIES, !(bound & ~usual) && !handed_on,
	    "bound %" PRIx64 ", inherited %" PRIx64, bound, handed_on);
	say(SPEC_GUARD_NO_NEW_PRIVILEGES, locked, "%s", locked ? "set" : "not set");
}

static bool is_masked(const char *path)
{
	struct statfs fs;
	struct stat st;

	if (stat(path, &st))
		return true;
	if (S_ISDIR(st.st_mode))
		return statfs(path, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
	return S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

static bool is_read_only(const char *path)
{
	struct statvfs fs;

	return statvfs(path, &fs) || (fs.f_flag & ST_RDONLY);
}

static void look_at_paths(void)
{
	static const char *const MASKED[] = {"/proc/kcore",  "/proc/keys", "/proc/timer_list",
					     "/proc/acpi",   "/proc/scsi", "/proc/interrupts",
					     "/sys/firmware"};
	static const char *const LOCKED[] = {"/proc/sys", "/proc/sysrq-trigger", "/proc/irq",
					     "/sys", "/sys/fs/cgroup"};
	static const char *const REAL[] = {"/dev", "/proc", "/sys", "/etc", "/run", "/tmp"};
	const char *open_one = NULL, *link = NULL;
	struct stat st;

	for (size_t i = 0; i < COUNT(MASKED); i++)
		if (!is_masked(MASKED[i]))
			open_one = MASKED[i];
	for (size_t i = 0; i < COUNT(LOCKED); i++)
		if (!is_read_only(LOCKED[i]))
			open_one = LOCKED[i];
	for (size_t i = 0; i < COUNT(REAL); i++)
		if (lstat(REAL[i], &st) || !S_ISDIR(st.st_mode))
			link = REAL[i];
	say(SPEC_GUARD_MASKED_PATHS, !open_one, "%s", open_one ? open_one : "all of them");
	say(SPEC_GUARD_REAL_FOLDERS, !link, "%s", link ? link : "all of them");
}

static void look_at_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *entry;
	int fd, leaked = -1;

	while (d && (entry = readdir(d)))
		if ((fd = (int)number_of(entry->d_name, 10)) > 2 && fd != dirfd(d))
			leaked = fd;
	say(SPEC_GUARD_CLOSED_DESCRIPTORS, d && leaked < 0, "%s",
	    leaked < 0 ? "only the standard ones are open" : "something else is open");
	if (d)
		closedir(d);
}

/* The first of the files that holds a limit; 0: none does. */
static uint64_t limit_of(const char *const *paths, size_t n)
{
	char text[64];

	for (size_t i = 0; i < n; i++) {
		uint64_t v = number_of(text_of(paths[i], text, sizeof(text)), 10);

		if (v && v < ENDLESS)
			return v;
	}
	return 0;
}

static void look_at_limits(void)
{
	static const char *const MEMORY[] = {"/sys/fs/cgroup/memory.max",
					     "/sys/fs/cgroup/memory/memory.limit_in_bytes"};
	static const char *const PIDS[] = {"/sys/fs/cgroup/pids.max",
					   "/sys/fs/cgroup/pids/pids.max"};
	uint64_t memory = limit_of(MEMORY, COUNT(MEMORY)), pids = limit_of(PIDS, COUNT(PIDS));
	struct rlimit core = {RLIM_INFINITY, RLIM_INFINITY};
	struct statfs fs;

	getrlimit(RLIMIT_CORE, &core);
	say(SPEC_GUARD_NO_CORE_DUMPS, core.rlim_max == 0, "%s",
	    core.rlim_max ? "possible" : "none");
	say(SPEC_GUARD_LIMITS, memory && pids, "%" PRIu64 " bytes of memory, %" PRIu64 " processes",
	    memory, pids);
	say(SPEC_GUARD_CGROUP_V2,
	    statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC, "%s",
	    fs.f_type == CGROUP2_SUPER_MAGIC ? "version 2" : "version 1");
}

/* How large it is, for who knows what was paid for. */
static void look_at_disk(void)
{
	struct statvfs fs = {0};
	bool known = statvfs("/", &fs) == 0;
	struct statfs kind = {0};

	say(SPEC_GUARD_OWN_DISK,
	    known && statfs("/", &kind) == 0 && kind.f_type == OVERLAYFS_SUPER_MAGIC,
	    "%" PRIu64 " bytes", (uint64_t)fs.f_blocks * fs.f_frsize);
}

static void look_at_module(void)
{
	char profile[128];

	text_of("/proc/self/attr/apparmor/current", profile, sizeof(profile));
	if (!profile[0])
		text_of("/proc/self/attr/current", profile, sizeof(profile));
	say(SPEC_GUARD_APPARMOR, strstr(profile, "(enforce)") != NULL, "%s",
	    profile[0] ? profile : "no profile");
}

int main(int argc, char **argv)
{
	if (argc > 0 && strcmp(argv[0], GATE_PROGRAM) == 0)
		return gate_main();
	if (argc > 2 && strcmp(argv[1], GATE_COMMAND) == 0)
		return gate_command(argv + 2, environ);
	look_at_user_namespace();
	look_at_namespaces();
	look_at_powers();
	look_at_paths();
	look_at_descriptors();
	look_at_limits();
	look_at_disk();
	look_at_module();
	look_at_seccomp(); /* last: where there is none it changes what we are */
	return 0;
}
