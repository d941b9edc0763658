/* From a box to the arguments of `docker create`: typed fields only, nobody's raw flags. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backend/docker_impl.h"
#include "base/mem.h"
#include "oci/guards.h"

static void put(struct buf *b, const char *arg)
{
	buf_puts(b, arg);
	buf_byte(b, '\0');
}

static void put2(struct buf *b, const char *option, const char *value)
{
	put(b, option);
	put(b, value);
}

PRINTF_LIKE(3, 4)
static void putf(struct buf *b, const char *option, const char *fmt, ...)
{
	char value[1024];
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(value, sizeof(value), fmt, ap) >= (int)sizeof(value))
		b->failed = true;
	va_end(ap);
	put2(b, option, value);
}

static void put_who(struct buf *b, const struct box *box)
{
	putf(b, "--name", "leased-%s", box->id);
	putf(b, "--label", DOCKER_LABEL "=%s", box->id);
	if (box->owner)
		putf(b, "--label", DOCKER_OWNER "=%s", box->owner);
	put2(b, "--hostname", box->spec->hostname[0] ? box->spec->hostname : box->id);
}

/* What stands between a tenant and the host. Neither the daemon nor the image starts anything, and
 * nothing is kept that we do not bound. */
static void put_guards(struct buf *b, const struct box *box, uint64_t caps)
{
	static const char *const FIXED[] = {
		"--pull",	"never",   "--restart",	  "no",
		"--log-driver", "none",	   "--network",	  "none",
		"--ipc",	"private", "--cgroupns",  "private",
		"--cap-drop",	"ALL",	   "--read-only", "--no-healthcheck",
	};

	for (size_t i = 0; i < ARRAY_SIZE(FIXED); i++)
		put(b, FIXED[i]);
	if (!box->grant || !box->grant->new_privileges)
		put2(b, "--security-opt", "no-new-privileges");
	putf(b, "--security-opt", "seccomp=%s/" DOCKER_SECCOMP, box->dir);
	if (oci_apparmor())
		putf(b, "--security-opt", "apparmor=%s", oci_apparmor());
	for (size_t i = 0; i < SPEC_CAPS; i++)
		if (caps >> i & 1)
			put2(b, "--cap-add", spec_cap_name(i) + strlen("CAP_"));
}

static void put_rlimits(struct buf *b, const struct spec_powers *p)
{
	put2(b, "--ulimit", "core=0:0");
	for (size_t i = 0; i < SPEC_RLIMITS; i++)
		if (p->rlimits[i].hard)
			putf(b, "--ulimit", "%s=%" PRIu64 ":%" PRIu64, spec_rlimit_name(i),
			     p->rlimits[i].soft, p->rlimits[i].hard);
}

/* Docker wants the path of a device, we know its numbers. */
static int put_io(struct buf *b, const struct box *box, struct err *e)
{
	const struct spec_io *io = &box->spec->limits.io;
	const struct {
		const char *option;
		uint64_t rate;
	} limits[] = {{"--device-read-bps", io->read},
		      {"--device-write-bps", io->write},
		      {"--device-read-iops", io->reads},
		      {"--device-write-iops", io->writes}};
	auto_free char *link = mem_printf("/sys/dev/block/%u:%u", box->disk_major, box->disk_minor);
	char target[512], *name;
	ssize_t n;

	if (!(io->read | io->write | io->reads | io->writes) ||
	    !(box->disk_major | box->disk_minor))
		return 0;
	n = readlink(link, target, sizeof(target) - 1);
	if (n < 0)
		return err_sys(e, "read %s", link);
	target[n] = '\0';
	name = strrchr(target, '/');
	for (size_t i = 0; name && i < ARRAY_SIZE(limits); i++)
		if (limits[i].rate)
			putf(b, limits[i].option, "/dev%s:%" PRIu64, name, limits[i].rate);
	return name ? 0 : err_set(e, ERRK_SYS, "%s leads nowhere", link);
}

static int put_limits(struct buf *b, const struct box *box, bool slices, struct err *e)
{
	const struct spec_limits *l = &box->spec->limits;
	struct oci_cpu cpu = oci_cpu(l->cpu);

	putf(b, "--memory", "%" PRIu64, l->memory);
	putf(b, "--memory-swap", "%" PRIu64, l->memory + l->swap);
	putf(b, "--shm-size", "%" PRIu64, l->memory / 2);
	putf(b, "--pids-limit", "%" PRIu64, l->pids);
	putf(b, "--cpu-shares", "%" PRIu64, cpu.shares);
	putf(b, "--cpu-period", "%" PRIu64, cpu.period);
	putf(b, "--cpu-quota", "%" PRIu64, cpu.quota);
	if (!slices)
		put2(b, "--cgroup-parent", box->cgroup);
	put_rlimits(b, &box->spec->powers);
	for (size_t i = 0; i < box->spec->sysctls.n; i++)
		putf(b, "--sysctl", "%s=%s", box->spec->sysctls.v[i].name,
		     box->spec->sysctls.v[i].value);
	return put_io(b, box, e);
}

static void put_quoted(struct buf *b, const char *text)
{
	for (; *text; text++) {
		if (*text == '"')
			buf_byte(b, '"');
		buf_byte(b, (uint8_t)*text);
	}
}

/* One field of a line of comma-separated values. */
static void put_field(struct buf *b, const char *key, const char *folder, const char *path)
{
	buf_printf(b, ",\"%s=", key);
	put_quoted(b, folder);
	put_quoted(b, path);
	buf_byte(b, '"');
}

static int put_mount(struct buf *b, const struct oci_mount *m, const char *root, struct err *e)
{
	const char *ro = m->access == OCI_READ_WRITE ? "" : ",readonly";

	if (m->device)
		return err_set(e, ERRK_DENIED, "device %s: the backend docker gives none",
			       m->target);
	if (m->source) {
		put(b, "--mount");
		buf_puts(b, "type=bind");
		put_field(b, "source", "", m->source);
		put_field(b, "target", root, m->target);
		put(b, ro);
		return 0;
	}
	if (strchr(m->target, ':'))
		return err_set(e, ERRK_INPUT, "storage: Docker takes no \":\" in a tmpfs's path");
	put(b, "--tmpfs");
	buf_printf(b, "%s%s:rw,exec,nosuid,nodev,mode=%04o,size=%" PRIu64 "%s", root, m->target,
		   m->mode, m->size, m->access == OCI_READ_ONLY ? ",ro" : "");
	buf_byte(b, '\0');
	return 0;
}

/* Those of ours in the root that holds nothing: the gate, and the lease's root with all that is
 * mounted in it. What makes that read-only comes later, so that there are places to mount at. */
static int put_mounts(struct buf *b, const struct box *box, struct err *e)
{
	auto_free char *door = mem_printf("%s/" DOCKER_GATE, box->dir);
	const struct oci_mount own[] = {
		{.source = box->probe, .target = GATE_PROGRAM, .access = OCI_READ_ONLY},
		{.source = door, .target = GATE_FOLDER, .access = OCI_READ_WRITE},
		{.source = box->root, .target = GATE_ROOT, .access = OCI_READ_WRITE}};
	struct oci_bind binds[BOX_BINDS];
	struct oci_placement place = {.grant = box->grant,
				      .volumes = box->volumes,
				      .nvolumes = box->volumes ? box->spec->storage.n : 0,
				      .binds = binds,
				      .nbinds = box_binds(binds, box)};
	auto_free struct oci_mount *v = NULL;
	size_t n;

	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (put_mount(b, &own[i], "", e) < 0)
			return -1;
	if (oci_mounts(&v, &n, box->spec, &place, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (put_mount(b, &v[i], GATE_ROOT, e) < 0)
			return -1;
	return 0;
}

/* Nodes of the operator's; Docker makes them, and asks the host's for their numbers. */
static int put_devices(struct buf *b, const struct box *box, struct err *e)
{
	size_t n = box->grant ? box->grant->ndevices : 0;

	for (size_t i = 0; i < n; i++) {
		const struct spec_device *d = &box->grant->devices[i];

		if (strchr(d->path, ':') || strchr(d->target, ':'))
			return err_set(e, ERRK_INPUT, "device %s: Docker takes no \":\" in it",
				       d->target);
		putf(b, "--device", "%s:%s:%s%s", d->path, d->target, d->read ? "r" : "",
		     d->write ? "w" : "");
	}
	return 0;
}

static void put_user(struct buf *b, const struct image_user *u)
{
	putf(b, "--user", "%u:%u", u->uid, u->gid);
	for (size_t i = 0; i < u->ngroups && i < IMAGE_GROUPS_MAX; i++)
		putf(b, "--group-add", "%u", u->groups[i]);
}

static int check_possible(const struct box *box, struct err *e)
{
	if (!box->probe)
		return err_set(e, ERRK_STATE, "leased-probe is not installed");
	if (box->id_count)
		return err_set(e, ERRK_STATE,
			       "the backend docker gives no lease a user namespace of its own");
	if (box->grant && (box->grant->privileged || box->grant->host_network))
		return err_set(
			e, ERRK_DENIED,
			"the backend docker runs nothing privileged or in the host's network");
	if (box->spec->gpu.count != box->gpus.n)
		return err_set(e, ERRK_INPUT, "gpu: %u are wanted, %zu prepared",
			       box->spec->gpu.count, box->gpus.n);
	return 0;
}

/* Nothing of a stranger's is among them but limits and what is mounted: what the gate runs is told
 * to it alone. */
int docker_args(struct buf *b, const struct box *box, bool slices, struct err *e)
{
	uint64_t caps;

	if (check_possible(box, e) < 0 || oci_caps(&caps, box->spec, box->caps, box->grant, e) < 0)
		return -1;
	put(b, "create");
	put_who(b, box);
	put_guards(b, box, caps);
	if (put_limits(b, box, slices, e) < 0 || put_mounts(b, box, e) < 0 ||
	    put_devices(b, box, e) < 0)
		return -1;
	put_user(b, &box->user);
	put2(b, "--workdir", "/");
	put2(b, "--entrypoint", GATE_PROGRAM);
	put2(b, "--", DOCKER_IMAGE);
	return buf_check(b, "arguments", e);
}
