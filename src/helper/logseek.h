/*
 * Places in a lease's log by time and by number of lines. Only the keeper writes line ends and
 * stamps, so that nothing a tenant printed looks like one. Times are the host's as they were: where
 * its clock was set back, the first place that fits is found, or a later one.
 */
#ifndef HELPER_LOGSEEK_H
#define HELPER_LOGSEEK_H

#include <stdint.h>

#include "base/err.h"

/* Offset of the first record that was written at `ms` or later; the log's end where there is none.
 */
int logseek_time(uint64_t *out, const char *dir, int64_t ms, struct err *e) MUST_CHECK;
/* Offset in [from, to] behind which only the last `n` lines before `to` are. Both lie between
 * records. */
int logseek_lines(uint64_t *out, const char *dir, uint64_t from, uint64_t to, uint32_t n,
		  struct err *e) MUST_CHECK;

#endif
