/* Borrowed string slices and strict number parsing: what is parsed is a `struct str`. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct str {
	const char *p;
	size_t n;
};

#define STR(lit) ((struct str){(lit), sizeof(lit) - 1})

struct str str_of(const char *s); /* NULL gives an empty slice */
bool str_eq(struct str a, struct str b);
bool str_is(struct str a, const char *b);
bool str_starts(struct str s, const char *prefix);
struct str str_trim(struct str s); /* ASCII white space at both ends */
/* Cut `rest` at the first `sep`; true while there was a piece. An empty rest gives one empty piece
 * only the first time: `for (r = s; str_cut(&r, ',', &piece);)`. */
bool str_cut(struct str *rest, char sep, struct str *piece);

/* Whole slice is [0-9]{1,20} without sign or leading zero (but "0"), and <= max. */
int str_u64(struct str s, uint64_t max, uint64_t *out, struct err *e) MUST_CHECK;
/* "90", "90s", "10m", "2h", "3d" to seconds, at most max. */
int str_duration(struct str s, int64_t max, int64_t *seconds, struct err *e) MUST_CHECK;
/* "4096", "64Ki", "512Mi", "2Gi", "512M", "2G" to bytes; "512m" is refused with what to write. */
int str_bytes(struct str s, uint64_t max, uint64_t *bytes, struct err *e) MUST_CHECK;
/* "0.5", "2", "500m" to thousandths of a core. */
int str_millicores(struct str s, uint64_t max, uint64_t *millicores, struct err *e) MUST_CHECK;

/* How many bytes at the beginning stand in JSON and everywhere for themselves: ASCII from the space
 * on, but neither quote nor backslash. Eight at a time. */
size_t str_plain(struct str s);
bool utf8_valid(struct str s); /* well-formed, no surrogates, no NUL */
/* Names that reach a path: 1..max of [a-z0-9-], first a letter or digit. */
bool str_is_name(struct str s, size_t max);
/* Printable form for terminals and logs: control characters become '?'. dst is always terminated.
 */
void str_printable(char *dst, size_t size, struct str s);

#endif
