/* config.json: namespaces, settings, masks and everything around the process. */
#include <assert.h>
#include <string.h>

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

/* The last: the folder of version 1, which runc mounts writable whatever it is told. */
static const char *const READ_ONLY[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", "/sys/fs/cgroup",
};

const char *oci_masked(size_t i)
{
	return i < ARRAY_SIZE(MASKED) ? MASKED[i] : NULL;
}

bool part_is_privileged(const struct oci_placement *p)
{
	return p->grant && p->grant->privileged;
}

bool part_has_host_network(const struct oci_placement *p)
{
	return p->grant && p->grant->host_network;
}

static void write_namespace(struct jsonw *w, const char *type, const char *path)
{
	jsonw_object(w, NULL);
	jsonw_text(w, "type", type);
	jsonw_text(w, "path", path);
	jsonw_end_object(w);
}

static void write_namespaces(struct jsonw *w, const struct oci_placement *p)
{
	jsonw_array(w, "namespaces");
	write_namespace(w, "pid", NULL);
	write_namespace(w, "ipc", NULL);
	write_namespace(w, "uts", NULL);
	write_namespace(w, "mount", NULL);
	write_namespace(w, "cgroup", p->cgroupns);
	if (!part_has_host_network(p))
		write_namespace(w, "network", p->netns);
	if (p->id_count)
		write_namespace(w, "user", p->userns);
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

/* A network that we made has its settings already. Ranges of groups are those inside. */
static void write_sysctls(struct jsonw *w, const struct spec *s, const struct oci_placement *p)
{
	auto_spec struct spec all = {0};

	if (!p->netns && !part_has_host_network(p)) {
		auto_free char *groups =
			mem_printf("0 %u", p->id_count ? p->id_count - 1 : (uint32_t)INT32_MAX);

		spec_map_set(&all.sysctls, STR("net.ipv4.ip_unprivileged_port_start"), STR("0"));
		spec_map_set(&all.sysctls, STR("net.ipv4.ping_group_range"), str_of(groups));
	}
	for (size_t i = 0; i < s->sysctls.n; i++)
		spec_map_set(&all.sysctls, str_of(s->sysctls.v[i].name),
			     str_of(s->sysctls.v[i].value));
	spec_map_write(w, "sysctl", &all.sysctls);
}

static void write_masks(struct jsonw *w, const struct oci_placement *p)
{
	if (part_is_privileged(p))
		return;
	jsonw_array(w, "maskedPaths");
	for (size_t i = 0; i < ARRAY_SIZE(MASKED); i++)
		jsonw_text(w, NULL, MASKED[i]);
	for (unsigned i = 0; i < p->throttling_cpus; i++) {
		auto_free char *path = mem_printf(OCI_THROTTLE, i);

		jsonw_text(w, NULL, path);
	}
	jsonw_end_array(w);
	part_strings(w, "readonlyPaths", READ_ONLY, ARRAY_SIZE(READ_ONLY));
}

static void write_linux(struct jsonw *w, const struct spec *s, const struct oci_placement *p,
			uint64_t caps)
{
	jsonw_object(w, "linux");
	if (p->id_count) {
		write_id_mapping(w, "uidMappings", p);
		write_id_mapping(w, "gidMappings", p);
	}
	write_sysctls(w, s, p);
	part_devices(w, p);
	part_resources(w, &s->limits, p);
	jsonw_text(w, "cgroupsPath", p->cgroup);
	write_namespaces(w, p);
	if (!part_is_privileged(p))
		part_seccomp(w, caps);
	jsonw_text(w, "rootfsPropagation", "private");
	write_masks(w, p);
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

static int write_all(struct jsonw *w, const struct spec *s, const struct oci_placement *p,
		     const struct process *process, struct err *e)
{
	jsonw_object(w, NULL);
	jsonw_text(w, "ociVersion", "1.0.2");
	part_process(w, "process", process);
	jsonw_object(w, "root");
	jsonw_text(w, "path", p->rootfs);
	jsonw_bool(w, "readonly", s->read_only);
	jsonw_end_object(w);
	jsonw_text(w, "hostname", s->hostname[0] ? s->hostname : p->hostname);
	if (part_mounts(w, s, p, e))
		return -1;
	write_linux(w, s, p, process->caps);
	jsonw_end_object(w);
	return 0;
}

/* What the spec wants of the host and the placement has not. */
static int check_prepared(const struct spec *s, const struct oci_placement *p, struct err *e)
{
	if (s->gpu.count != p->gpus.n)
		return err_set(e, ERRK_INPUT, "gpu: %u are wanted, %zu prepared", s->gpu.count,
			       p->gpus.n);
	for (size_t i = 0; i < p->ndevices; i++)
		if (!p->devices[i].type)
			return err_set(e, ERRK_INPUT, "device %s: not looked up",
				       p->devices[i].path);
	for (size_t i = 0; p->grant && i < p->grant->ndevices; i++)
		if (!p->grant->devices[i].type)
			return err_set(e, ERRK_INPUT, "device %s: not looked up",
				       p->grant->devices[i].path);
	return 0;
}

static const char **argv_room(void)
{
	return mem_array(IMAGE_STRINGS_MAX + 2 * SPEC_ARGS_MAX, sizeof(const char *));
}

/* argv, cwd and the environment, which have their room. */
static int build_process(struct process *process, const char **argv, struct env *env,
			 const struct spec *s, const struct image_config *img,
			 const struct oci_placement *p, struct err *e)
{
	process->argc = build_argv(argv, s, img);
	if (process->argc == 0 || argv[0][0] == '\0')
		return err_set(e, ERRK_INPUT, "the image has no command; name one");
	if (part_workdir(&process->cwd, s, img, e) || env_build(env, s, img, &p->user, e))
		return -1;
	env_add_gpus(env, &p->gpus);
	env_add_group(env, p->group);
	return 0;
}

int oci_config(struct buf *out, const struct spec *s, const struct image_config *img,
	       const struct oci_placement *p, struct err *e)
{
	auto_free const char **argv = argv_room();
	auto_env struct env *env = mem_zero(sizeof(*env));
	struct process process = {.argv = argv,
				  .user = &p->user,
				  .env = env,
				  .nofile = p->nofile,
				  .rlimits = s->powers.rlimits,
				  .apparmor = part_is_privileged(p) ? NULL : p->apparmor,
				  .new_privileges = p->grant && p->grant->new_privileges,
				  .terminal = s->tty};
	struct jsonw w = JSONW(out);

	assert(p->rootfs[0] == '/' && p->cgroup[0] == '/');
	if (spec_check_limits(&s->limits, e) || image_config_check(img, e) ||
	    check_prepared(s, p, e) || oci_caps(&process.caps, s, p->caps, p->grant, e))
		return -1;
	if (build_process(&process, argv, env, s, img, p, e) || write_all(&w, s, p, &process, e))
		return -1;
	return buf_check(out, "config.json", e);
}

int oci_command(struct buf *out, struct oci_command *c, const struct spec *s,
		const struct image_config *img, const struct oci_placement *p, struct err *e)
{
	auto_free const char **argv = argv_room();
	auto_env struct env *env = mem_zero(sizeof(*env));
	struct process process = {0};

	if (image_config_check(img, e) || build_process(&process, argv, env, s, img, p, e))
		return -1;
	*c = (struct oci_command){.nargs = process.argc, .nenv = env->n};
	buf_puts(out, process.cwd);
	buf_byte(out, '\0');
	for (size_t i = 0; i < process.argc; i++) {
		buf_puts(out, argv[i]);
		buf_byte(out, '\0');
	}
	for (size_t i = 0; i < env->n; i++) {
		buf_str(out, env->v[i].name);
		buf_byte(out, '=');
		buf_str(out, env->v[i].value);
		buf_byte(out, '\0');
	}
	return buf_check(out, "command", e);
}
