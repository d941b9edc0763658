/*
 * The lines of a lease's log, as containers' CRI writes them:
 * "2026-11-22T17:41:00.123456789Z stdout F text\n"; P instead of F where the line goes on.
 */
#ifndef PRIV_LOGLINE_H
#define PRIV_LOGLINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

enum log_stream { LOG_STDOUT, LOG_STDERR };

struct log_line {
	int64_t time_ms;
	enum log_stream stream;
	bool partial;	  /* no newline follows the text */
	struct str text;  /* without its newline; any bytes */
	struct str stamp; /* of one that was read: where it begins, "2026-11-22T17:41:00.…Z" */
};

/* Cut the next line off `rest`; false at the end, broken lines are skipped. */
bool log_line_next(struct str *rest, struct log_line *out);
void log_line_write(struct buf *out, const struct log_line *l, uint32_t nanos);

#endif
