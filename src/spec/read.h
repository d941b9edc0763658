/* Inside src/spec only: reading members of a JSON object, and forms that several fields share. An
 * error begins with the member's name; read_under() puts the name of what it is part of before it.
 */
#ifndef SPEC_READ_H
#define SPEC_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "base/str.h"

enum { READ_ABSENT = 1 };

/* Every member is one of the NULL-ended names, and none is null. */
int read_known(const struct json *obj, const char *const *names, struct err *e) MUST_CHECK;
/* "limits." before "cpu: …". Returns -1. */
int read_under(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* READ_ABSENT leaves *out as it was. */
int read_text(struct str *out, const struct json *obj, const char *key, struct err *e) MUST_CHECK;
int read_child(const struct json **out, const struct json *obj, const char *key,
	       enum json_type type, struct err *e) MUST_CHECK;

/* 0 also where it is absent. */
struct read_range {
	uint64_t min, max;
};
int read_number(uint64_t *out, const struct json *obj, const char *key, struct read_range r,
		struct err *e) MUST_CHECK;
/* A number of bytes, or a text as "512Mi". */
int read_size(uint64_t *out, const struct json *obj, const char *key, struct read_range r,
	      struct err *e) MUST_CHECK;
int read_flag(bool *out, const struct json *obj, const char *key, struct err *e) MUST_CHECK;
/* One of the NULL-ended names, as its index. */
int read_choice(unsigned *out, const struct json *obj, const char *key, const char *const *names,
		struct err *e) MUST_CHECK;
int check_range(const char *key, uint64_t v, struct read_range r, struct err *e) MUST_CHECK;

/* Left out where 0 or false. */
void write_number(struct jsonw *w, const char *key, uint64_t v);
void write_flag(struct jsonw *w, const char *key, bool v);

/* UTF-8 without control characters, 1..max bytes. */
bool text_is_clean(struct str s, size_t max);
bool text_has_dotdot(struct str path);
/* `path` is `folder` or below it. */
bool text_is_below(struct str path, const char *folder);

#endif
