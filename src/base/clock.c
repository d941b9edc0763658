#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
	struct timespec ts = {0};

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int64_t system_wall(void *ctx)
{
	return read_clock(CLOCK_REALTIME);
}

static int64_t system_mono(void *ctx)
{
	return read_clock(CLOCK_BOOTTIME);
}

static const struct clock_source system_clock = {system_wall, system_mono, NULL};

/* The one clock of the process, so that no caller has to carry it. */
static struct clock_source source = {system_wall, system_mono, NULL};

void clock_replace(const struct clock_source *src)
{
	source = src ? *src : system_clock;
}

int64_t clock_wall_ms(void)
{
	return source.wall_ms(source.ctx);
}

int64_t clock_wall(void)
{
	return clock_wall_ms() / 1000;
}

int64_t clock_mono_ms(void)
{
	return source.mono_ms(source.ctx);
}

void clock_format(char out[static 21], int64_t wall_seconds)
{
	static const int64_t last = 253402300799; /* 9999-12-31T23:59:59Z */
	time_t t = wall_seconds < 0 ? 0 : wall_seconds > last ? last : wall_seconds;
	struct tm tm = {0};

	gmtime_r(&t, &tm);
	strftime(out, 21, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static int64_t read_us(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_mono_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

int64_t clock_cpu_us(void)
{
	return read_us(CLOCK_THREAD_CPUTIME_ID);
}
