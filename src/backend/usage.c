/* One file a number; see usage.h. */
#include "backend/usage.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

#define FILE_MAX 65536
#define NONE	 (INT64_MAX / 2) /* version 1 writes "no limit" as about so much */

static void load(struct buf *out, const struct usage_place *p, const char *group, const char *file)
{
	auto_free char *path = mem_printf("%s/%s%s%s", p->mount, group, p->path, file);

	buf_reset(out);
	if (fs_read(out, path, NULL) != 0)
		buf_reset(out);
}

static uint64_t number(struct str s)
{
	uint64_t v;

	return str_u64(str_trim(s), NONE, &v, NULL) == 0 ? v : 0;
}

static uint64_t load_number(const struct usage_place *p, const char *group, const char *file)
{
	auto_buf struct buf text = BUF(FILE_MAX);

	load(&text, p, group, file);
	return number(buf_view(&text));
}

/* The number behind `key` in lines of "KEY NUMBER". */
static uint64_t load_key(const struct usage_place *p, const char *group, const char *file,
			 const char *key)
{
	auto_buf struct buf text = BUF(FILE_MAX);
	struct str rest, line, word;

	load(&text, p, group, file);
	for (rest = buf_view(&text); rest.n > 0 && str_cut(&rest, '\n', &line);)
		if (str_cut(&line, ' ', &word) && str_is(word, key))
			return number(line);
	return 0;
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* "QUOTA PERIOD", in the same unit, to thousandths of a core. */
static uint64_t cpu_share(uint64_t quota, uint64_t period)
{
	return period ? quota * 1000 / period : 0;
}

/* The lines of the lease's disk, each without its "MAJOR:MINOR ". */
static bool next_of_disk(struct str *rest, struct str *line, dev_t disk)
{
	char name[32];
	struct str word;

	snprintf(name, sizeof(name), "%u:%u", major(disk), minor(disk));
	while (rest->n > 0 && str_cut(rest, '\n', line))
		if (str_cut(line, ' ', &word) && str_is(word, name))
			return true;
	return false;
}

/* --- version 2 --- */

/* "8:0 rbytes=1 wbytes=2 rios=3 wios=4 …" */
static void read_io2(struct spec_usage *out, const struct usage_place *p)
{
	auto_buf struct buf text = BUF(FILE_MAX);
	struct str rest, line, word, key;

	load(&text, p, "", "/io.stat");
	rest = buf_view(&text);
	while (next_of_disk(&rest, &line, p->disk))
		while (line.n > 0 && str_cut(&line, ' ', &word)) {
			uint64_t *into;

			str_cut(&word, '=', &key);
			into = str_is(key, "rbytes")   ? &out->disk_read
			       : str_is(key, "wbytes") ? &out->disk_written
			       : str_is(key, "rios")   ? &out->disk_reads
			       : str_is(key, "wios")   ? &out->disk_writes
						       : NULL;
			if (into)
				*into = number(word);
		}
}

static void read_version2(struct spec_usage *out, const struct usage_place *p)
{
	auto_buf struct buf text = BUF(FILE_MAX);
	struct str rest, quota = {NULL, 0};

	out->cpu_us = load_key(p, "", "/cpu.stat", "usage_usec");
	out->throttled_us = load_key(p, "", "/cpu.stat", "throttled_usec");
	load(&text, p, "", "/cpu.max");
	rest = buf_view(&text);
	str_cut(&rest, ' ', &quota);
	out->cpu_limit = cpu_share(number(quota), number(rest));
	out->memory = less(load_number(p, "", "/memory.current"),
			   load_key(p, "", "/memory.stat", "inactive_file"));
	out->memory_peak = load_number(p, "", "/memory.peak");
	out->memory_limit = load_number(p, "", "/memory.max");
	out->oom_kills = load_key(p, "", "/memory.events", "oom_kill");
	out->pids = load_number(p, "", "/pids.current");
	out->pids_limit = load_number(p, "", "/pids.max");
	read_io2(out, p);
}

/* --- version 1 --- */

/* "8:0 Read 4096", "8:0 Write 8192", … */
static void read_io1(uint64_t *reads, uint64_t *writes, const struct usage_place *p,
		     const char *file)
{
	auto_buf struct buf text = BUF(FILE_MAX);
	struct str rest, line, word;

	load(&text, p, "blkio", file);
	rest = buf_view(&text);
	while (next_of_disk(&rest, &line, p->disk)) {
		uint64_t *into;

		str_cut(&line, ' ', &word);
		into = str_is(word, "Read") ? reads : str_is(word, "Write") ? writes : NULL;
		if (into)
			*into = number(line);
	}
}

static void read_version1(struct spec_usage *out, const struct usage_place *p)
{
	out->cpu_us = load_number(p, "cpuacct", "/cpuacct.usage") / 1000;
	out->throttled_us = load_key(p, "cpu", "/cpu.stat", "throttled_time") / 1000;
	out->cpu_limit = cpu_share(load_number(p, "cpu", "/cpu.cfs_quota_us"),
				   load_number(p, "cpu", "/cpu.cfs_period_us"));
	out->memory = less(load_number(p, "memory", "/memory.usage_in_bytes"),
			   load_key(p, "memory", "/memory.stat", "total_inactive_file"));
	out->memory_peak = load_number(p, "memory", "/memory.max_usage_in_bytes");
	out->memory_limit = load_number(p, "memory", "/memory.limit_in_bytes");
	out->oom_kills = load_key(p, "memory", "/memory.oom_control", "oom_kill");
	out->pids = load_number(p, "pids", "/pids.current");
	out->pids_limit = load_number(p, "pids", "/pids.max");
	read_io1(&out->disk_read, &out->disk_written, p,
		 "/blkio.throttle.io_service_bytes_recursive");
	read_io1(&out->disk_reads, &out->disk_writes, p, "/blkio.throttle.io_serviced_recursive");
}

void usage_read(struct spec_usage *out, const struct usage_place *p)
{
	*out = (struct spec_usage){0};
	if (p->version == 2)
		read_version2(out, p);
	else
		read_version1(out, p);
}
