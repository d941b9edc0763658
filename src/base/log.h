/* Log lines: levels say who must act. No token, key, password or environment is ever formatted. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

#include "base/err.h"

enum log_level {
	LOGL_DEBUG,  /* a developer, when looking */
	LOGL_INFO,   /* nobody; what happened */
	LOGL_WARN,   /* the operator, some day */
	LOGL_BROKEN, /* the operator, now */
};

/* Lines go to standard error as "<3>leased-core: …" under systemd (JOURNAL_STREAM set), with time
 * stamps otherwise. `program` is borrowed for ever. */
void log_open(const char *program, enum log_level least);
void log_at(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);
#define log_debug(...)	log_at(LOGL_DEBUG, __VA_ARGS__)
#define log_info(...)	log_at(LOGL_INFO, __VA_ARGS__)
#define log_warn(...)	log_at(LOGL_WARN, __VA_ARGS__)
#define log_broken(...) log_at(LOGL_BROKEN, __VA_ARGS__)

#endif
