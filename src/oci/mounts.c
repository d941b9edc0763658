/* What is mounted inside: the standard mounts, then ours, the buyer's and the operator's. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "oci/parts.h"
#include "spec/read.h"

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

/* Inside a user namespace sysfs belongs to a network of its own only. */
static const struct mount HOST_SYS = {"/sys", "bind", "/sys",
				      "rbind,rprivate,nosuid,noexec,nodev,ro"};
static const struct mount WRITABLE_SYS = {"/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,rw"};

static void write_standard(struct jsonw *w, const struct oci_placement *p)
{
	for (size_t i = 0; i < ARRAY_SIZE(MOUNTS); i++) {
		const struct mount *m = &MOUNTS[i];

		if (strcmp(m->target, "/sys") == 0 && part_has_host_network(p))
			m = &HOST_SYS;
		else if (strcmp(m->target, "/sys") == 0 && part_is_privileged(p))
			m = &WRITABLE_SYS;
		write_mount(w, m);
	}
}

struct tmpfs {
	const char *target;
	uint64_t size;
	uint32_t mode;
	enum oci_access access;
};

static void write_tmpfs(struct jsonw *w, const struct tmpfs *t)
{
	auto_free char *options =
		mem_printf("nosuid,nodev,mode=%04o,size=%llu%s", t->mode,
			   (unsigned long long)t->size, t->access == OCI_READ_ONLY ? ",ro" : "");

	write_mount(w, &(struct mount){t->target, "tmpfs", "tmpfs", options});
}

/* Half of the memory limit, as the kernel's own default is half of the machine's. */
static void write_shm(struct jsonw *w, uint64_t memory)
{
	auto_free char *options = mem_printf("nosuid,noexec,nodev,mode=1777,size=%lluk",
					     (unsigned long long)(memory / 2048));

	write_mount(w, &(struct mount){"/dev/shm", "tmpfs", "shm", options});
}

static int by_target(const void *a, const void *b)
{
	return strcmp(((const struct oci_mount *)a)->target, ((const struct oci_mount *)b)->target);
}

static bool has_target(const struct oci_mount *v, size_t n, const char *target)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(v[i].target, target) == 0)
			return true;
	return false;
}

static int add_storage(struct oci_mount *v, size_t *n, const struct spec *s,
		       const struct oci_placement *p, struct err *e)
{
	for (size_t i = 0; i < s->storage.n; i++) {
		const struct spec_mount *m = &s->storage.v[i];
		bool memory = m->type == SPEC_TMPFS;

		if (!memory && (i >= p->nvolumes || !p->volumes[i]))
			return err_set(e, ERRK_INPUT, "storage[%zu]: the %s was not prepared", i,
				       spec_storage_name(m->type));
		v[(*n)++] = (struct oci_mount){.target = m->path,
					       .source = memory ? NULL : p->volumes[i],
					       .access = m->read_only || m->type == SPEC_ASSETS
								 ? OCI_READ_ONLY
								 : OCI_READ_WRITE,
					       .size = m->size ? m->size : s->limits.memory / 2,
					       .mode = m->mode ? m->mode : SPEC_TMPFS_MODE};
	}
	return 0;
}

/* Whoever fills a volume could put a link there, for the runtime to follow. */
static int check_way(const struct spec_mounts *m, const char *target, struct err *e)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].type != SPEC_TMPFS && text_is_below(str_of(target), m->v[i].path))
			return err_set(e, ERRK_INPUT,
				       "storage[%zu].path: the provider mounts %s there", i,
				       target);
	return 0;
}

/* In a user namespace runtimes cannot make nodes, and would mount the host's of the same name. */
static void add_nodes(struct oci_mount *v, size_t *n, const struct oci_placement *p)
{
	if (!p->id_count)
		return;
	for (size_t i = 0; i < p->ndevices; i++)
		v[(*n)++] = (struct oci_mount){.target = p->devices[i].target,
					       .source = p->devices[i].path,
					       .device = true};
	for (size_t i = 0; p->grant && i < p->grant->ndevices; i++)
		v[(*n)++] = (struct oci_mount){.target = p->grant->devices[i].target,
					       .source = p->grant->devices[i].path,
					       .device = true};
}

static int add_binds(struct oci_mount *v, size_t *n, const struct spec_mounts *storage,
		     const struct oci_placement *p, struct err *e)
{
	size_t first = *n;

	for (size_t i = 0; i < p->nbinds; i++)
		v[(*n)++] = (struct oci_mount){.target = p->binds[i].target,
					       .source = p->binds[i].source,
					       .access = p->binds[i].access};
	for (size_t i = 0; p->grant && i < p->grant->nbinds; i++) {
		const struct spec_bind *b = &p->grant->binds[i];

		v[(*n)++] =
			(struct oci_mount){.target = b->target,
					   .source = b->source,
					   .access = b->read_only ? OCI_READ_ONLY : OCI_READ_WRITE};
	}
	add_nodes(v, n, p);
	for (size_t i = first; i < *n; i++)
		if (check_way(storage, v[i].target, e))
			return -1;
	return 0;
}

/* What programs write to on a root that they cannot write to. */
static void add_scratch(struct oci_mount *v, size_t *n, const struct spec *s)
{
	static const struct oci_mount SCRATCH[] = {
		{.target = "/run", .access = OCI_READ_WRITE, .mode = 0755},
		{.target = "/tmp", .access = OCI_READ_WRITE, .mode = 01777},
	};

	for (size_t i = 0; s->read_only && i < ARRAY_SIZE(SCRATCH); i++) {
		if (has_target(v, *n, SCRATCH[i].target))
			continue;
		v[*n] = SCRATCH[i];
		v[(*n)++].size = s->limits.memory / 2;
	}
}

static void write_extra(struct jsonw *w, const struct oci_mount *x)
{
	static const char *const OPTIONS[] = {
		[OCI_READ_ONLY] = "rbind,rprivate,nosuid,nodev,ro",
		[OCI_READ_WRITE] = "rbind,rprivate,nosuid,nodev,rw",
		[OCI_DATA] = "rbind,rprivate,nosuid,nodev,noexec,ro",
	};

	if (x->device)
		write_mount(w, &(struct mount){x->target, "bind", x->source,
					       "bind,rprivate,nosuid,noexec,rw"});
	else if (x->source)
		write_mount(w, &(struct mount){x->target, "bind", x->source, OPTIONS[x->access]});
	else
		write_tmpfs(w, &(struct tmpfs){x->target, x->size, x->mode, x->access});
}

int oci_mounts(struct oci_mount **out, size_t *nout, const struct spec *s,
	       const struct oci_placement *p, struct err *e)
{
	size_t n = 0, most = s->storage.n + p->nbinds + p->ndevices + 2;
	auto_free struct oci_mount *v = NULL;

	if (p->grant)
		most += p->grant->nbinds + p->grant->ndevices;
	v = mem_array(most, sizeof(*v));
	if (add_storage(v, &n, s, p, e) || add_binds(v, &n, &s->storage, p, e))
		return -1;
	add_scratch(v, &n, s);
	assert(n <= most);
	qsort(v, n, sizeof(*v), by_target);
	*out = steal(&v);
	*nout = n;
	return 0;
}

int part_mounts(struct jsonw *w, const struct spec *s, const struct oci_placement *p, struct err *e)
{
	auto_free struct oci_mount *v = NULL;
	size_t n;

	if (oci_mounts(&v, &n, s, p, e))
		return -1;
	jsonw_array(w, "mounts");
	write_standard(w, p);
	write_shm(w, s->limits.memory);
	for (size_t i = 0; i < n; i++)
		write_extra(w, &v[i]);
	jsonw_end_array(w);
	return 0;
}
