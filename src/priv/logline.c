/* Reading and writing one line of a lease's log. */
#include "priv/logline.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

#define STAMP_LEN 30 /* "2026-11-22T17:41:00.123456789Z" */

/* Exactly n digits at *p; moves on by one more character, which must be `end`. */
static bool number(const char **p, unsigned n, char end, int64_t *out)
{
	*out = 0;
	for (; n > 0; n--, (*p)++) {
		if (**p < '0' || **p > '9')
			return false;
		*out = *out * 10 + (**p - '0');
	}
	return *(*p)++ == end;
}

static bool parse_stamp(const char *p, int64_t *ms)
{
	int64_t year, month, day, hour, minute, second, nanos;
	struct tm tm;

	if (!number(&p, 4, '-', &year) || !number(&p, 2, '-', &month) ||
	    !number(&p, 2, 'T', &day) || !number(&p, 2, ':', &hour) ||
	    !number(&p, 2, ':', &minute) || !number(&p, 2, '.', &second) ||
	    !number(&p, 9, 'Z', &nanos))
		return false;
	tm = (struct tm){.tm_year = (int)year - 1900,
			 .tm_mon = (int)month - 1,
			 .tm_mday = (int)day,
			 .tm_hour = (int)hour,
			 .tm_min = (int)minute,
			 .tm_sec = (int)second};
	*ms = (int64_t)timegm(&tm) * 1000 + nanos / 1000000;
	return true;
}

static bool parse_line(struct str line, struct log_line *out)
{
	if (line.n < STAMP_LEN + 10 || !parse_stamp(line.p, &out->time_ms))
		return false;
	if (memcmp(line.p + STAMP_LEN, " stdout ", 8) == 0)
		out->stream = LOG_STDOUT;
	else if (memcmp(line.p + STAMP_LEN, " stderr ", 8) == 0)
		out->stream = LOG_STDERR;
	else
		return false;
	if ((line.p[STAMP_LEN + 8] != 'F' && line.p[STAMP_LEN + 8] != 'P') ||
	    line.p[STAMP_LEN + 9] != ' ')
		return false;
	out->partial = line.p[STAMP_LEN + 8] == 'P';
	out->stamp = (struct str){line.p, STAMP_LEN};
	out->text = (struct str){line.p + STAMP_LEN + 10, line.n - STAMP_LEN - 10};
	return true;
}

bool log_line_next(struct str *rest, struct log_line *out)
{
	struct str line;

	while (rest->n > 0) {
		const char *end = memchr(rest->p, '\n', rest->n);

		line = (struct str){rest->p, end ? (size_t)(end - rest->p) : rest->n};
		rest->p += line.n + (end != NULL);
		rest->n -= line.n + (end != NULL);
		if (end && parse_line(line, out))
			return true;
	}
	return false;
}

void log_line_write(struct buf *out, const struct log_line *l, uint32_t nanos)
{
	char stamp[21];

	clock_format(stamp, l->time_ms / 1000);
	buf_printf(out, "%.19s.%09uZ %s %c ", stamp,
		   (unsigned)(l->time_ms % 1000 * 1000000 + nanos % 1000000),
		   l->stream == LOG_STDOUT ? "stdout" : "stderr", l->partial ? 'P' : 'F');
	buf_str(out, l->text);
	buf_byte(out, '\n');
}
