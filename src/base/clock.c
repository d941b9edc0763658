#include "base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
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

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* ".123456" at *p, if it is there, to milliseconds. */
static int64_t parse_fraction(const char **p)
{
	int64_t ms = 0;
	int unit = 100;

	if (**p != '.')
		return 0;
	for ((*p)++; is_digit(**p); (*p)++, unit /= 10)
		ms += (**p - '0') * unit;
	return ms;
}

/* "Z", "+01:00" or nothing, up to the end. */
static int parse_zone(const char *p, struct tm *tm, enum clock_zone zone, time_t *out)
{
	bool ahead = *p == '+';
	time_t minutes;

	if (*p == '\0' && zone == CLOCK_LOCAL) {
		tm->tm_isdst = -1;
		*out = mktime(tm);
		return 0;
	}
	*out = timegm(tm);
	if (*p == '\0' || strcmp(p, "Z") == 0)
		return 0;
	if ((*p != '+' && *p != '-') || strlen(p) != 6 || p[3] != ':' || !is_digit(p[1]) ||
	    !is_digit(p[2]) || !is_digit(p[4]) || !is_digit(p[5]))
		return -1;
	minutes = ((p[1] - '0') * 10 + p[2] - '0') * 60 + (p[4] - '0') * 10 + p[5] - '0';
	*out += (ahead ? -60 : 60) * minutes;
	return 0;
}

int clock_parse(int64_t *ms, struct str text, enum clock_zone zone, struct err *e)
{
	static const char *const forms[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S",
					    "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d"};
	char line[64];
	struct str rest = text, whole;
	uint64_t seconds;
	const char *p;
	time_t t;

	str_printable(line, sizeof(line), text);
	str_cut(&rest, '.', &whole);
	if (str_u64(whole, (uint64_t)1 << 40, &seconds, NULL) == 0) {
		p = line + whole.n;
		*ms = (int64_t)seconds * 1000 + parse_fraction(&p);
		if (*p == '\0')
			return 0;
	}
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		struct tm tm = {.tm_mday = 1};

		p = strptime(line, forms[i], &tm);
		if (!p)
			continue;
		*ms = parse_fraction(&p);
		if (parse_zone(p, &tm, zone, &t) < 0 || t < 0)
			continue;
		*ms += (int64_t)t * 1000;
		return 0;
	}
	return err_set(e, ERRK_INPUT, "\"%s\" is no time such as 2026-11-22T21:08:00Z", line);
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
