/* What a cgroup uses, from files as kernels with version 1 and 2 write them. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

#include "backend/usage.h"
#include "base/fs.h"
#include "base/mem.h"

struct file {
	const char *path, *text;
};

static const struct file version1[] = {
	{"cpuacct/l/1/cpuacct.usage", "123456789\n"},
	{"cpu/l/1/cpu.stat", "nr_periods 5\nnr_throttled 2\nthrottled_time 7000000\n"},
	{"cpu/l/1/cpu.cfs_quota_us", "50000\n"},
	{"cpu/l/1/cpu.cfs_period_us", "100000\n"},
	{"memory/l/1/memory.usage_in_bytes", "5000000\n"},
	{"memory/l/1/memory.stat", "inactive_file 1\ntotal_cache 9\ntotal_inactive_file 1000000\n"},
	{"memory/l/1/memory.max_usage_in_bytes", "6000000\n"},
	{"memory/l/1/memory.limit_in_bytes", "67108864\n"},
	{"memory/l/1/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"},
	{"pids/l/1/pids.current", "4\n"},
	{"pids/l/1/pids.max", "64\n"},
	{"blkio/l/1/blkio.throttle.io_service_bytes_recursive",
	 "8:0 Read 1\n7:11 Read 999\n7:1 Read 4096\n7:1 Write 8192\n7:1 Sync 1\n7:1 Total 2\n"
	 "Total 3\n"},
	{"blkio/l/1/blkio.throttle.io_serviced_recursive", "7:1 Read 2\n7:1 Write 3\nTotal 5\n"},
};

static const struct file version2[] = {
	{"l/1/cpu.stat", "usage_usec 123456\nuser_usec 1\nsystem_usec 2\nnr_periods 5\n"
			 "nr_throttled 2\nthrottled_usec 7000\n"},
	{"l/1/cpu.max", "50000 100000\n"},
	{"l/1/memory.current", "5000000\n"},
	{"l/1/memory.stat", "anon 1\nfile 2\ninactive_file 1000000\nactive_file 7\n"},
	{"l/1/memory.peak", "6000000\n"},
	{"l/1/memory.max", "67108864\n"},
	{"l/1/memory.events", "low 0\nhigh 0\nmax 9\noom 4\noom_kill 3\noom_group_kill 0\n"},
	{"l/1/pids.current", "4\n"},
	{"l/1/pids.max", "64\n"},
	{"l/1/io.stat", "8:0 rbytes=1 wbytes=1 rios=1 wios=1 dbytes=0 dios=0\n"
			"7:1 rbytes=4096 wbytes=8192 rios=2 wios=3 dbytes=0 dios=0\n"},
};

static const struct spec_usage want = {.cpu_us = 123456,
				       .cpu_limit = 500,
				       .throttled_us = 7000,
				       .memory = 4000000,
				       .memory_peak = 6000000,
				       .memory_limit = 67108864,
				       .oom_kills = 3,
				       .pids = 4,
				       .pids_limit = 64,
				       .disk_read = 4096,
				       .disk_written = 8192,
				       .disk_reads = 2,
				       .disk_writes = 3};

static void write_file(const char *mount, const struct file *f)
{
	auto_free char *path = mem_printf("%s/%s", mount, f->path);
	auto_free char *dir = mem_strdup(path);
	struct err err;

	*strrchr(dir, '/') = '\0';
	assert_int_equal(fs_mkdirs(dir, 0755, &err), 0);
	assert_int_equal(fs_write(path, f->text, strlen(f->text), 0644, &err), 0);
}

static struct spec_usage usage_of(const struct file *files, size_t n, int version)
{
	char mount[] = "/tmp/leased-usage-XXXXXX";
	struct usage_place p = {mount, version, "/l/1", makedev(7, 1)};
	struct spec_usage u;
	struct err err;

	assert_non_null(mkdtemp(mount));
	for (size_t i = 0; i < n; i++)
		write_file(mount, &files[i]);
	usage_read(&u, &p);
	assert_int_equal(fs_remove_tree(mount, &err), 0);
	return u;
}

static void both_versions_say_the_same(void **state)
{
	struct spec_usage u = usage_of(version1, ARRAY_SIZE(version1), 1);

	assert_memory_equal(&u, &want, sizeof(u));
	u = usage_of(version2, ARRAY_SIZE(version2), 2);
	assert_memory_equal(&u, &want, sizeof(u));
}

static void no_limit_is_none(void **state)
{
	static const struct file one[] = {
		{"cpu/l/1/cpu.cfs_quota_us", "-1\n"},
		{"cpu/l/1/cpu.cfs_period_us", "100000\n"},
		{"memory/l/1/memory.limit_in_bytes", "9223372036854771712\n"},
		{"pids/l/1/pids.max", "max\n"},
	};
	static const struct file two[] = {
		{"l/1/cpu.max", "max 100000\n"},
		{"l/1/memory.max", "max\n"},
		{"l/1/pids.max", "max\n"},
	};
	static const struct spec_usage nothing = {0};
	struct spec_usage u = usage_of(one, ARRAY_SIZE(one), 1);

	assert_memory_equal(&u, &nothing, sizeof(u));
	u = usage_of(two, ARRAY_SIZE(two), 2);
	assert_memory_equal(&u, &nothing, sizeof(u));
	u = usage_of(NULL, 0, 2); /* of a lease that is halted */
	assert_memory_equal(&u, &nothing, sizeof(u));
}

static void a_line_is_for_people(void **state)
{
	auto_buf struct buf row = BUF(1024);

	spec_usage_row(&row, &want, spec_usage_cpu(1500000, 1000000, 1000));
	assert_str(
		str_trim(buf_view(&row)),
		"50.0     3.8MiB / 64.0MiB     5.9     0B / 0B              4.0KiB / 8.0KiB      "
		"0B / -               4 / 64");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_versions_say_the_same),
		cmocka_unit_test(no_limit_is_none),
		cmocka_unit_test(a_line_is_for_people),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
