/* Limits: reading quantities, ranges, writing plain numbers. */
#include "spec/limits.h"

#include "base/auto.h"
#include "spec/read.h"

static const struct read_range CPU = {SPEC_CPU_MIN, SPEC_CPU_MAX},
			       MEMORY = {SPEC_MEMORY_MIN, SPEC_MEMORY_MAX},
			       PIDS = {SPEC_PIDS_MIN, SPEC_PIDS_MAX},
			       DISK = {SPEC_DISK_MIN, SPEC_DISK_MAX}, INODES = {1, SPEC_INODES_MAX},
			       SWAP = {0, SPEC_MEMORY_MAX}, RATE = {SPEC_RATE_MIN, SPEC_RATE_MAX},
			       IOPS = {1, SPEC_IOPS_MAX};

/* A plain number is thousandths of a core, a text is as people write it: "0.5", "2", "500m". */
static int read_cpu(uint64_t *out, const struct json *obj, struct err *e)
{
	const struct json *j = json_get(obj, "cpu");
	struct str text;

	if (!j || !json_as_str(j, &text))
		return read_number(out, obj, "cpu", CPU, e);
	if (str_millicores(text, SPEC_CPU_MAX, out, e))
		return err_wrap(e, "cpu");
	return check_range("cpu", *out, CPU, e);
}

static int read_io(struct spec_io *out, const struct json *limits, struct err *e)
{
	static const char *const NAMES[] = {"read", "write", "reads", "writes", NULL};
	const struct json *obj;
	int r = read_child(&obj, limits, "io", JSON_OBJECT, e);

	if (r)
		return r < 0 ? -1 : 0;
	if (read_known(obj, NAMES, e) || read_size(&out->read, obj, "read", RATE, e) ||
	    read_size(&out->write, obj, "write", RATE, e) ||
	    read_number(&out->reads, obj, "reads", IOPS, e) ||
	    read_number(&out->writes, obj, "writes", IOPS, e))
		return read_under(e, "io.");
	return 0;
}

static int read_bandwidth(struct spec_bandwidth *out, const struct json *limits, struct err *e)
{
	static const char *const NAMES[] = {"in", "out", NULL};
	const struct json *obj;
	int r = read_child(&obj, limits, "bandwidth", JSON_OBJECT, e);

	if (r)
		return r < 0 ? -1 : 0;
	if (read_known(obj, NAMES, e) || read_size(&out->in, obj, "in", RATE, e) ||
	    read_size(&out->out, obj, "out", RATE, e))
		return read_under(e, "bandwidth.");
	return 0;
}

static int read_members(struct spec_limits *out, const struct json *obj, struct err *e)
{
	static const char *const NAMES[] = {"cpu",  "memory", "pids",	   "disk", "inodes",
					    "swap", "io",     "bandwidth", NULL};

	if (read_known(obj, NAMES, e) || read_cpu(&out->cpu, obj, e) ||
	    read_size(&out->memory, obj, "memory", MEMORY, e) ||
	    read_number(&out->pids, obj, "pids", PIDS, e) ||
	    read_size(&out->disk, obj, "disk", DISK, e) ||
	    read_number(&out->inodes, obj, "inodes", INODES, e) ||
	    read_size(&out->swap, obj, "swap", SWAP, e) || read_io(&out->io, obj, e))
		return -1;
	return read_bandwidth(&out->bandwidth, obj, e);
}

int spec_limits_read(struct spec_limits *out, const struct json *parent, const char *key,
		     struct err *e)
{
	const struct json *obj;
	int r = read_child(&obj, parent, key, JSON_OBJECT, e);

	if (r)
		return r < 0 ? -1 : 0;
	return read_members(out, obj, e) ? read_under(e, "%s.", key) : 0;
}

static void write_io(struct jsonw *w, const struct spec_io *io)
{
	if (!(io->read | io->write | io->reads | io->writes))
		return;
	jsonw_object(w, "io");
	write_number(w, "read", io->read);
	write_number(w, "write", io->write);
	write_number(w, "reads", io->reads);
	write_number(w, "writes", io->writes);
	jsonw_end_object(w);
}

static void write_bandwidth(struct jsonw *w, const struct spec_bandwidth *b)
{
	if (!(b->in | b->out))
		return;
	jsonw_object(w, "bandwidth");
	write_number(w, "in", b->in);
	write_number(w, "out", b->out);
	jsonw_end_object(w);
}

void spec_limits_write(struct jsonw *w, const char *key, const struct spec_limits *l)
{
	if (!(l->cpu | l->memory | l->pids | l->disk | l->inodes | l->swap | l->io.read |
	      l->io.write | l->io.reads | l->io.writes | l->bandwidth.in | l->bandwidth.out))
		return;
	jsonw_object(w, key);
	write_number(w, "cpu", l->cpu);
	write_number(w, "memory", l->memory);
	write_number(w, "pids", l->pids);
	write_number(w, "disk", l->disk);
	write_number(w, "inodes", l->inodes);
	write_number(w, "swap", l->swap);
	write_io(w, &l->io);
	write_bandwidth(w, &l->bandwidth);
	jsonw_end_object(w);
}

int spec_check_limits(const struct spec_limits *l, struct err *e)
{
	const struct {
		const char *key;
		uint64_t v;
		struct read_range range;
	} rows[] = {
		{"cpu", l->cpu, CPU},
		{"memory", l->memory, MEMORY},
		{"pids", l->pids, PIDS},
		{"disk", l->disk, DISK},
		{"inodes", l->inodes, {0, SPEC_INODES_MAX}},
		{"swap", l->swap, SWAP},
		{"io.read", l->io.read, {0, SPEC_RATE_MAX}},
		{"io.write", l->io.write, {0, SPEC_RATE_MAX}},
		{"io.reads", l->io.reads, {0, SPEC_IOPS_MAX}},
		{"io.writes", l->io.writes, {0, SPEC_IOPS_MAX}},
		{"bandwidth.in", l->bandwidth.in, {0, SPEC_RATE_MAX}},
		{"bandwidth.out", l->bandwidth.out, {0, SPEC_RATE_MAX}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (check_range(rows[i].key, rows[i].v, rows[i].range, e))
			return read_under(e, "limits.");
	return 0;
}

static uint64_t tighter(uint64_t a, uint64_t b)
{
	if (!a || !b)
		return a + b;
	return a < b ? a : b;
}

struct spec_io spec_io_min(struct spec_io a, struct spec_io b)
{
	return (struct spec_io){.read = tighter(a.read, b.read),
				.write = tighter(a.write, b.write),
				.reads = tighter(a.reads, b.reads),
				.writes = tighter(a.writes, b.writes)};
}

struct spec_bandwidth spec_bandwidth_min(struct spec_bandwidth a, struct spec_bandwidth b)
{
	return (struct spec_bandwidth){tighter(a.in, b.in), tighter(a.out, b.out)};
}
