/* Devices and limits: what the control group lets a container use. */
#include "oci/parts.h"

/* Character devices that every container may use; nothing may be made with mknod. */
static const struct {
	int major, minor; /* -1: all */
} DEVICES[] = {
	{1, 3}, {1, 5}, {1, 7}, {1, 8},	   {1, 9}, /* null zero full random urandom */
	{5, 0}, {5, 1}, {5, 2}, {136, -1},	   /* tty console ptmx pts */
};

static void write_rule(struct jsonw *w, char type, uint32_t major, int64_t minor,
		       const char *access)
{
	const char kind[2] = {type, '\0'};

	jsonw_object(w, NULL);
	jsonw_bool(w, "allow", true);
	jsonw_text(w, "type", kind);
	jsonw_u64(w, "major", major);
	if (minor >= 0)
		jsonw_i64(w, "minor", minor);
	jsonw_text(w, "access", access);
	jsonw_end_object(w);
}

static void write_device_rule(struct jsonw *w, const struct spec_device *d)
{
	write_rule(w, d->type, d->major, d->minor,
		   d->read && d->write ? "rw"
		   : d->read	       ? "r"
				       : "w");
}

static void write_device_rules(struct jsonw *w, const struct oci_placement *p)
{
	jsonw_array(w, "devices");
	jsonw_object(w, NULL);
	jsonw_bool(w, "allow", part_is_privileged(p));
	jsonw_text(w, "access", "rwm");
	jsonw_end_object(w);
	for (size_t i = 0; i < ARRAY_SIZE(DEVICES); i++)
		write_rule(w, 'c', (uint32_t)DEVICES[i].major, DEVICES[i].minor, "rw");
	for (size_t i = 0; i < p->ndevices; i++)
		write_device_rule(w, &p->devices[i]);
	for (size_t i = 0; p->grant && i < p->grant->ndevices; i++)
		write_device_rule(w, &p->grant->devices[i]);
	jsonw_end_array(w);
}

static void write_node(struct jsonw *w, const struct spec_device *d)
{
	const char kind[2] = {d->type, '\0'};

	jsonw_object(w, NULL);
	jsonw_text(w, "type", kind);
	jsonw_text(w, "path", d->target);
	jsonw_u64(w, "major", d->major);
	jsonw_u64(w, "minor", d->minor);
	jsonw_u64(w, "fileMode", 0666);
	jsonw_u64(w, "uid", 0);
	jsonw_u64(w, "gid", 0);
	jsonw_end_object(w);
}

void part_devices(struct jsonw *w, const struct oci_placement *p)
{
	if (p->id_count || (!p->ndevices && !(p->grant && p->grant->ndevices)))
		return;
	jsonw_array(w, "devices");
	for (size_t i = 0; i < p->ndevices; i++)
		write_node(w, &p->devices[i]);
	for (size_t i = 0; p->grant && i < p->grant->ndevices; i++)
		write_node(w, &p->grant->devices[i]);
	jsonw_end_array(w);
}

/* The kernel wants a quota of at least 1 ms; below a tenth of a core the period grows so that a
 * turn is not shorter than 10 ms. */
struct oci_cpu oci_cpu(uint64_t millicores)
{
	uint64_t period = millicores < 100 ? 1000000 : 100000; /* microseconds */
	uint64_t shares = millicores * 1024 / 1000;

	return (struct oci_cpu){.shares = shares < 2	    ? 2
					  : shares > 262144 ? 262144
							    : shares,
				.quota = millicores * (period / 1000),
				.period = period};
}

static void write_cpu(struct jsonw *w, uint64_t millicores)
{
	struct oci_cpu cpu = oci_cpu(millicores);

	jsonw_object(w, "cpu");
	jsonw_u64(w, "shares", cpu.shares);
	jsonw_u64(w, "quota", cpu.quota);
	jsonw_u64(w, "period", cpu.period);
	jsonw_end_object(w);
}

static void write_throttle(struct jsonw *w, const char *key, const struct oci_placement *p,
			   uint64_t rate)
{
	if (!rate)
		return;
	jsonw_array(w, key);
	jsonw_object(w, NULL);
	jsonw_u64(w, "major", p->disk_major);
	jsonw_u64(w, "minor", p->disk_minor);
	jsonw_u64(w, "rate", rate);
	jsonw_end_object(w);
	jsonw_end_array(w);
}

static void write_io(struct jsonw *w, const struct spec_io *io, const struct oci_placement *p)
{
	if (!(io->read | io->write | io->reads | io->writes) || !(p->disk_major | p->disk_minor))
		return;
	jsonw_object(w, "blockIO");
	write_throttle(w, "throttleReadBpsDevice", p, io->read);
	write_throttle(w, "throttleWriteBpsDevice", p, io->write);
	write_throttle(w, "throttleReadIOPSDevice", p, io->reads);
	write_throttle(w, "throttleWriteIOPSDevice", p, io->writes);
	jsonw_end_object(w);
}

/* A lease that runs out of memory ends as a whole, and makes few groups of its own. */
static void write_unified(struct jsonw *w)
{
	jsonw_object(w, "unified");
	jsonw_text(w, "memory.oom.group", "1");
	jsonw_text(w, "cgroup.max.descendants", "64");
	jsonw_text(w, "cgroup.max.depth", "4");
	jsonw_end_object(w);
}

void part_resources(struct jsonw *w, const struct spec_limits *l, const struct oci_placement *p)
{
	jsonw_object(w, "resources");
	write_device_rules(w, p);
	jsonw_object(w, "memory");
	jsonw_u64(w, "limit", l->memory);
	jsonw_u64(w, "swap", l->memory + l->swap); /* of memory and swap together */
	jsonw_end_object(w);
	write_cpu(w, l->cpu);
	jsonw_object(w, "pids");
	jsonw_u64(w, "limit", p->pids ? p->pids : l->pids);
	jsonw_end_object(w);
	write_io(w, &l->io, p);
	if (p->cgroup_version == 2)
		write_unified(w);
	jsonw_end_object(w);
}
