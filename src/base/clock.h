/* Wall and monotonic time behind one replaceable source, so that simulations own the clock. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct clock_source {
	int64_t (*wall_ms)(void *ctx);
	int64_t (*mono_ms)(void *ctx);
	void *ctx;
};

/* NULL puts the system clock back. Tests only. */
void clock_replace(const struct clock_source *src);
int64_t clock_wall(void); /* seconds since 1970 */
int64_t clock_wall_ms(void);
int64_t clock_mono_ms(void); /* CLOCK_BOOTTIME */
int64_t clock_mono_us(void); /* CLOCK_MONOTONIC, never replaced: for measuring how long work took */
int64_t clock_cpu_us(void);  /* processor time of this thread, never replaced */
/* A moment as people write it, to milliseconds since 1970: "2026-11-22T17:41:00.5+01:00", also with
 * a blank for the T, without an offset (then it is in `zone`), without seconds, without a time of
 * day; or seconds since 1970. */
enum clock_zone { CLOCK_UTC, CLOCK_LOCAL };
int clock_parse(int64_t *ms, struct str text, enum clock_zone zone, struct err *e) MUST_CHECK;
/* "2026-11-22T17:41:00Z" */
void clock_format(char out[static 21], int64_t wall_seconds);

#endif
