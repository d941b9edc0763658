/* config.json: mounts, namespaces, limits and masks around the process. */
#include <assert.h>
#include <string.h>

#include "base/auto.h"
#include "base/mem.h"
#include "oci/parts.h"

static const char *const MASKED[] = {
	"/proc/acpi",
	"/proc/asound",
	"/proc/interrupts",
	"/proc/kcore",
	"/proc/keys",
	"/proc/latency_stats",
	"/proc/sched_debug",
	"/proc/scsi",
	"/proc/timer_list",
	"/proc/timer_stats",
	"/sys/firmware",
	"/sys/kernel/security",
	"/sys/devices/virtual/powercap",
};

static const char *const READ_ONLY[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};

struct mount {
	const char *target, *type, *source;
	const char *options; /* separated by commas */
};

/* Order matters: a mount below another comes after it. */
static const struct mount MOUNTS[] = {
	{"/proc", "proc", "proc", "nosuid,noexec,nodev"},
	{"/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k"},
	{"/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"},
	{"/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev"},
	{"/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro"},
	{"/sys/fs/cgroup", "cgroup", "cgroup", "nosuid,noexec,nodev,relatime,ro"},
};

/* Character devices that every container may use; nothing may be made with mknod. */
static const struct {
	int major, minor; /* -1: all */
} DEVICES[] = {
	{1, 3}, {1, 5}, {1, 7}, {1, 8},	   {1, 9}, /* null zero full random urandom */
	{5, 0}, {5, 1}, {5, 2}, {136, -1},	   /* tty console ptmx pts */
};

static void write_options(struct jsonw *w, const char *options)
{
	struct str piece, rest = str_of(options);

	jsonw_array(w, "options");
	while (str_cut(&rest, ',', &piece))
		jsonw_str(w, NULL, piece);
	jsonw_end_array(w);
}

static void write_mount(struct jsonw *w, const struct mount *m)
{
	jsonw_object(w, NULL);
	jsonw_text(w, "destination", m->target);
	jsonw_text(w, "type", m->type);
	jsonw_text(w, "source", m->source);
	write_options(w, m->options);
	jsonw_end_object(w);
}

/* Half of the memory limit, as the kernel's own default is half of the machine's. */
static void write_shm(struct jsonw *w, uint64_t memory)
{
	auto_free char *options = mem_printf("nosuid,noexec,nodev,mode=1777,size=%lluk",
					     (unsigned long long)(memory / 2048));

	write_mount(w, &(struct mount){"/dev/shm", "tmpfs", "shm", options});
}

static void write_mounts(struct jsonw *w, const struct spec *s, const struct oci_placement *p)
{
	jsonw_array(w, "mounts");
	for (size_t i = 0; i < ARRAY_SIZE(MOUNTS); i++)
		write_mount(w, &MOUNTS[i]);
	write_shm(w, s->limits.memory);
	for (size_t i = 0; i < p->nbinds; i++)
		write_mount(w, &(struct mount){p->binds[i].target, "bind", p->binds[i].source,
					       p->binds[i].access == OCI_READ_ONLY
						       ? "rbind,rprivate,nosuid,nodev,ro"
						       : "rbind,rprivate,nosuid,nodev,rw"});
	jsonw_end_array(w);
}

static void write_namespaces(struct jsonw *w, const struct oci_placement *p)
{
	static const char *const ALWAYS[] = {"pid", "ipc", "uts", "mount", "cgroup"};

	jsonw_array(w, "namespaces");
	for (size_t i = 0; i < ARRAY_SIZE(ALWAYS); i++) {
		jsonw_object(w, NULL);
		jsonw_text(w, "type", ALWAYS[i]);
		jsonw_end_object(w);
	}
	jsonw_object(w, NULL);
	jsonw_text(w, "type", "network");
	jsonw_text(w, "path", p->netns);
	jsonw_end_object(w);
	if (p->id_count) {
		jsonw_object(w, NULL);
		jsonw_text(w, "type", "user");
		jsonw_end_object(w);
	}
	jsonw_end_array(w);
}

static void write_id_mapping(struct jsonw *w, const char *key, const struct oci_placement *p)
{
	jsonw_array(w, key);
	jsonw_object(w, NULL);
	jsonw_u64(w, "containerID", 0);
	jsonw_u64(w, "hostID", p->id_base);
	jsonw_u64(w, "size", p->id_count);
	jsonw_end_object(w);
	jsonw_end_array(w);
}

static void write_devices(struct jsonw *w)
{
	jsonw_array(w, "devices");
	jsonw_object(w, NULL);
	jsonw_bool(w, "allow", false);
	jsonw_text(w, "access", "rwm");
	jsonw_end_object(w);
	for (size_t i = 0; i < ARRAY_SIZE(DEVICES); i++) {
		jsonw_object(w, NULL);
		jsonw_bool(w, "allow", true);
		jsonw_text(w, "type", "c");
		jsonw_i64(w, "major", DEVICES[i].major);
		if (DEVICES[i].minor >= 0)
			jsonw_i64(w, "minor", DEVICES[i].minor);
		jsonw_text(w, "access", "rw");
		jsonw_end_object(w);
	}
	jsonw_end_array(w);
}

/* The kernel wants a quota of at least 1 ms; below a tenth of a core the period grows so that a
 * turn is not shorter than 10 ms. */
static void write_cpu(struct jsonw *w, uint64_t millicores)
{
	uint64_t period = millicores < 100 ? 1000000 : 100000; /* microseconds */
	uint64_t shares = millicores * 1024 / 1000;

	jsonw_object(w, "cpu");
	jsonw_u64(w, "shares", shares < 2 ? 2 : shares > 262144 ? 262144 : shares);
	jsonw_u64(w, "quota", millicores * (period / 1000));
	jsonw_u64(w, "period", period);
	jsonw_end_object(w);
}

static void write_resources(struct jsonw *w, const struct spec_limits *l)
{
	jsonw_object(w, "resources");
	write_devices(w);
	jsonw_object(w, "memory");
	jsonw_u64(w, "limit", l->memory);
	jsonw_u64(w, "swap", l->memory); /* of memory and swap together: no swap */
	jsonw_end_object(w);
	write_cpu(w, l->cpu);
	jsonw_object(w, "pids");
	jsonw_u64(w, "limit", l->pids);
	jsonw_end_object(w);
	jsonw_end_object(w);
}

static void write_linux(struct jsonw *w, const struct spec *s, const struct oci_placement *p)
{
	jsonw_object(w, "linux");
	if (p->id_count) {
		write_id_mapping(w, "uidMappings", p);
		write_id_mapping(w, "gidMappings", p);
	}
	if (!p->netns) { /* one that we made has its settings already */
		jsonw_object(w, "sysctl");
		jsonw_text(w, "net.ipv4.ip_unprivileged_port_start", "0");
		jsonw_end_object(w);
	}
	write_resources(w, &s->limits);
	jsonw_text(w, "cgroupsPath", p->cgroup);
	write_namespaces(w, p);
	part_seccomp(w);
	jsonw_text(w, "rootfsPropagation", "private");
	part_strings(w, "maskedPaths", MASKED, ARRAY_SIZE(MASKED));
	part_strings(w, "readonlyPaths", READ_ONLY, ARRAY_SIZE(READ_ONLY));
	jsonw_end_object(w);
}

/* Docker's meaning: args replace Cmd and follow the entrypoint; an entrypoint of the spec's own
 * drops the image's Cmd. Strings stay where they are. */
static size_t build_argv(const char **argv, const struct spec *s, const struct image_config *img)
{
	size_t n = 0;

	if (s->has_entrypoint)
		for (size_t i = 0; i < s->entrypoint.n; i++)
			argv[n++] = s->entrypoint.v[i];
	else
		for (size_t i = 0; i < img->nentrypoint; i++)
			argv[n++] = image_config_entrypoint(img, i);
	if (s->args.n)
		for (size_t i = 0; i < s->args.n; i++)
			argv[n++] = s->args.v[i];
	else if (!s->has_entrypoint)
		for (size_t i = 0; i < img->ncmd; i++)
			argv[n++] = image_config_cmd(img, i);
	return n;
}

static void write_all(struct jsonw *w, const struct spec *s, const struct oci_placement *p,
		      const struct process *process)
{
	jsonw_object(w, NULL);
	jsonw_text(w, "ociVersion", "1.0.2");
	part_process(w, "process", process);
	jsonw_object(w, "root");
	jsonw_text(w, "path", p->rootfs);
	jsonw_bool(w, "readonly", false);
	jsonw_end_object(w);
	jsonw_text(w, "hostname", s->hostname[0] ? s->hostname : p->hostname);
	write_mounts(w, s, p);
	write_linux(w, s, p);
	jsonw_end_object(w);
}

int oci_config(struct buf *out, const struct spec *s, const struct image_config *img,
	       const struct oci_placement *p, struct err *e)
{
	auto_free const char **argv =
		mem_array(IMAGE_STRINGS_MAX + 2 * SPEC_ARGS_MAX, sizeof(*argv));
	auto_free struct env *env = mem_zero(sizeof(*env));
	struct process process = {.argv = argv, .user = &p->user, .env = env, .nofile = p->nofile};
	struct jsonw w = JSONW(out);

	assert(p->rootfs[0] == '/' && p->cgroup[0] == '/');
	if (spec_check_limits(&s->limits, e) || image_config_check(img, e))
		return -1;
	process.argc = build_argv(argv, s, img);
	if (process.argc == 0 || argv[0][0] == '\0')
		return err_set(e, ERRK_INPUT, "the image has no command; name one");
	if (part_workdir(&process.cwd, s, img, e))
		return -1;
	env_build(env, s, img, &p->user);
	write_all(&w, s, p, &process);
	return buf_check(out, "config.json", e);
}
