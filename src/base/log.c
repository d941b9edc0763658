#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

/* Where lines of this process go; set once by main. */
static struct {
	const char *program;
	enum log_level least;
	bool journal;
} sink = {"leased", LOGL_INFO, false};

void log_open(const char *program, enum log_level least)
{
	sink.program = program;
	sink.least = least;
	sink.journal = getenv("JOURNAL_STREAM") != NULL;
}

void log_at(enum log_level level, const char *fmt, ...)
{
	static const struct {
		int syslog;
		const char *word;
	} levels[] = {{7, "debug"}, {6, "info"}, {4, "warn"}, {3, "broken"}};
	char raw[1024], text[1024], line[1200], when[21];
	va_list ap;
	int n;

	if (level < sink.least)
		return;
	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	str_printable(text, sizeof(text), str_of(raw));
	clock_format(when, clock_wall());
	if (sink.journal)
		n = snprintf(line, sizeof(line), "<%d>%s: %s\n", levels[level].syslog, sink.program,
			     text);
	else
		n = snprintf(line, sizeof(line), "%s %s: %s: %s\n", when, sink.program,
			     levels[level].word, text);
	/* One write a line, so that lines of several processes do not mix; a lost line is lost. */
	if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}
