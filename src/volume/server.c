/*
 * The disk server: LUKS1 in user space, exported as a file by FUSE. QEMU's driver knows no detached
 * header, so a VMDK descriptor of two flat extents joins the header on tmpfs and the payload on
 * disk. It has no option that locks its memory: on a host with swap its copy of the key may get
 * there, which `leasectl doctor` says (no swap).
 */
#include "volume/server.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/str.h"
#include "volume/mounts.h"

#define PROGRAM	    "qemu-storage-daemon"
#define START_MS    60000 /* of a host that is stalled: its death is seen at once */
#define TERM_MS	    3000
#define KILL_MS	    10000
#define CMDLINE_MAX 16384

int server_join(const struct server *s, struct err *e)
{
	auto_free char *text =
		mem_printf("# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\n"
			   "createType=\"twoGbMaxExtentFlat\"\n\n# Extent description\n"
			   "RW %llu FLAT \"%s\" 0\nRW %llu FLAT \"%s\" 0\n\n# The Disk Data Base\n"
			   "ddb.virtualHWVersion = \"4\"\nddb.geometry.cylinders = \"130\"\n"
			   "ddb.geometry.heads = \"16\"\nddb.geometry.sectors = \"63\"\n"
			   "ddb.adapterType = \"ide\"\n",
			   (unsigned long long)(s->header_bytes / 512), s->header,
			   (unsigned long long)(s->payload_bytes / 512), s->payload);

	return fs_write(s->descriptor, text, strlen(text), 0600, e);
}

static char *secret_option(const struct server *s)
{
	return mem_printf("secret,id=key,file=%s", s->key);
}

/* "PID START" as server_start() wrote it, if that process still is what it was. */
static pid_t find_recorded(const struct server *s)
{
	auto_buf struct buf text = BUF(64);
	struct str pid_text, rest;
	uint64_t pid, start;

	if (fs_read(&text, s->record, NULL))
		return 0;
	rest = str_trim(buf_view(&text));
	if (!str_cut(&rest, ' ', &pid_text) || str_u64(pid_text, INT32_MAX, &pid, NULL) ||
	    str_u64(rest, UINT64_MAX, &start, NULL))
		return 0;
	return proc_start_time((pid_t)pid) == start ? (pid_t)pid : 0;
}

static bool has_argument(struct str cmdline, const char *wanted)
{
	struct str piece;

	while (str_cut(&cmdline, '\0', &piece))
		if (str_is(piece, wanted))
			return true;
	return false;
}

/* Whoever started it may have died before writing the record: its command line names our key's
 * file. */
static pid_t find_unrecorded(const struct server *s)
{
	auto_closedir DIR *d = opendir("/proc");
	auto_free char *wanted = secret_option(s);
	struct dirent *entry;
	uint64_t pid;

	while (d && (entry = readdir(d))) {
		auto_buf struct buf cmdline = BUF(CMDLINE_MAX);
		auto_free char *path = NULL;

		if (str_u64(str_of(entry->d_name), INT32_MAX, &pid, NULL))
			continue;
		path = mem_printf("/proc/%s/cmdline", entry->d_name);
		if (fs_read(&cmdline, path, NULL) == 0 && has_argument(buf_view(&cmdline), wanted))
			return (pid_t)pid;
	}
	return 0;
}

pid_t server_find(const struct server *s)
{
	pid_t pid;

	if (access(s->disk, F_OK) && errno == ENOENT)
		return 0; /* made before the server is started */
	pid = find_recorded(s);
	return pid ? pid : find_unrecorded(s);
}

static int record(const struct server *s, pid_t pid, struct err *e)
{
	auto_free char *text =
		mem_printf("%d %llu\n", (int)pid, (unsigned long long)proc_start_time(pid));

	return fs_write(s->record, text, strlen(text), 0600, e);
}

static int spawn(const struct server *s, pid_t *pid, struct err *e)
{
	auto_free char *secret = secret_option(s);
	auto_free char *file = mem_printf("driver=file,filename=%s,node-name=file", s->descriptor);
	auto_free char *export = mem_printf(
		"type=fuse,id=disk,node-name=luks,mountpoint=%s,writable=on,allow-other=off",
		s->disk);
	const char *argv[] = {PROGRAM,
			      "--object",
			      secret,
			      "--blockdev",
			      file,
			      "--blockdev",
			      "driver=vmdk,file=file,node-name=joined",
			      "--blockdev",
			      "driver=luks,file=joined,key-secret=key,node-name=luks",
			      "--export",
			      export,
			      NULL};
	auto_close int log = open(s->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct proc_spec spec = {.argv = argv, .in = -1, .out = -1, .err = log};

	return proc_start(pid, &spec, e);
}

static int server_died(const struct server *s, struct err *e)
{
	auto_buf struct buf text = BUF(4096);
	char shown[200];

	(void)!fs_read(&text, s->log, NULL);
	str_printable(shown, sizeof(shown), str_trim(buf_view(&text)));
	return err_set(e, ERRK_SYS, PROGRAM " ended at once: %s", shown);
}

static int await_disk(const struct server *s, pid_t pid, struct err *e)
{
	struct timespec moment = {0, 1000000};
	int64_t deadline = clock_mono_ms() + START_MS;
	struct stat st;

	while (clock_mono_ms() < deadline) {
		if (stat(s->disk, &st) == 0 && (uint64_t)st.st_size == s->payload_bytes)
			return 0;
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return server_died(s, e);
		nanosleep(&moment, NULL);
	}
	return err_set(e, ERRK_SYS, PROGRAM " did not show the disk within %d s", START_MS / 1000);
}

int server_start(const struct server *s, pid_t *pid, struct err *e)
{
	auto_close int disk = -1;

	if (mounts_remove(s->disk, e))
		return -1;
	disk = open(s->disk, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (disk < 0)
		return err_sys(e, "create %s", s->disk);
	if (spawn(s, pid, e) || record(s, *pid, e) || await_disk(s, *pid, e))
		return -1;
	return 0;
}

/* Wait on a pidfd: it need not be our child. */
static bool ends_within(int pidfd, int ms)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	return poll(&p, 1, ms) == 1;
}

static int end_process(pid_t pid, struct err *e)
{
	auto_close int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (pidfd < 0)
		return errno == ESRCH ? 0 : err_sys(e, "pidfd of the disk server");
	syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0);
	if (!ends_within(pidfd, TERM_MS)) {
		syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
		if (!ends_within(pidfd, KILL_MS))
			return err_set(e, ERRK_STATE, "the disk server %d does not end", (int)pid);
	}
	waitpid(pid, NULL, WNOHANG); /* in case it was ours */
	return 0;
}

int server_stop(const struct server *s, struct err *e)
{
	pid_t pid = server_find(s);

	if (pid && end_process(pid, e))
		return -1;
	if (mounts_remove(s->disk, e))
		return -1;
	if ((unlink(s->disk) || unlink(s->record)) && errno != ENOENT)
		return err_sys(e, "remove %s", s->disk);
	return 0;
}

int server_probe(struct err *e)
{
	struct str dir, path = STR("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");

	if (access("/dev/fuse", R_OK | W_OK))
		return err_set(e, ERRK_STATE, "this kernel has no FUSE (/dev/fuse)");
	while (str_cut(&path, ':', &dir)) {
		auto_free char *program = mem_printf("%.*s/" PROGRAM, (int)dir.n, dir.p);

		if (access(program, X_OK) == 0)
			return 0;
	}
	return err_set(e, ERRK_STATE, PROGRAM " is not installed");
}
