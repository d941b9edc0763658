/* What a lease uses, as a line for people. */
#include "spec/usage.h"

#include <inttypes.h>

#include "base/str.h"

/* "12.3MiB" */
static void put_size(struct buf *out, uint64_t n)
{
	static const char *const UNITS[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	uint64_t tenths = n < UINT64_MAX / 10 ? n * 10 : UINT64_MAX;
	size_t unit = 0;

	for (; tenths >= 10240 && unit < 5; unit++)
		tenths = (tenths + 512) / 1024;
	if (unit == 0 || tenths >= 1000)
		buf_printf(out, "%" PRIu64 "%s", tenths / 10, UNITS[unit]);
	else
		buf_printf(out, "%" PRIu64 ".%" PRIu64 "%s", tenths / 10, tenths % 10, UNITS[unit]);
}

static void put_cell(struct buf *out, const struct buf *cell, size_t width)
{
	buf_str(out, buf_view(cell));
	for (size_t i = cell->n; i < width + 2; i++)
		buf_byte(out, ' ');
}

/* "1.5MiB / 64MiB"; a limit of 0 is none. */
static void put_two(struct buf *out, uint64_t a, uint64_t b, const char *none, size_t width)
{
	auto_buf struct buf cell = BUF(64);

	put_size(&cell, a);
	buf_puts(&cell, " / ");
	if (b == 0 && none)
		buf_puts(&cell, none);
	else
		put_size(&cell, b);
	put_cell(out, &cell, width);
}

void spec_usage_head(struct buf *out)
{
	buf_puts(out, "CPU %    MEM USAGE / LIMIT    MEM %   NET IN / OUT         DISK READ / "
		      "WRITTEN  DISK USED / SIZE     PIDS");
}

void spec_usage_row(struct buf *out, const struct spec_usage *u, uint64_t cpu_permille)
{
	auto_buf struct buf cpu = BUF(64), memory = BUF(64);
	uint64_t share = u->memory_limit >= 1000 ? u->memory / (u->memory_limit / 1000) : 0;

	buf_printf(&cpu, "%" PRIu64 ".%" PRIu64, cpu_permille / 10, cpu_permille % 10);
	put_cell(out, &cpu, 7);
	put_two(out, u->memory, u->memory_limit, "-", 19);
	buf_printf(&memory, "%" PRIu64 ".%" PRIu64, share / 10, share % 10);
	put_cell(out, &memory, 6);
	put_two(out, u->net_in, u->net_out, NULL, 19);
	put_two(out, u->disk_read, u->disk_written, NULL, 19);
	put_two(out, u->disk_used, u->disk_size, "-", 19);
	buf_printf(out, "%" PRIu64 " / ", u->pids);
	if (u->pids_limit)
		buf_printf(out, "%" PRIu64, u->pids_limit);
	else
		buf_byte(out, '-');
}

uint64_t spec_usage_cpu(uint64_t cpu_us, uint64_t before_us, int64_t ms)
{
	return ms > 0 && cpu_us > before_us ? (cpu_us - before_us) / (uint64_t)ms : 0;
}
