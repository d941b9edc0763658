#include "base/str.h"

#include <string.h>

struct str str_of(const char *s)
{
	return s ? (struct str){s, strlen(s)} : (struct str){NULL, 0};
}

bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool str_is(struct str a, const char *b)
{
	return str_eq(a, str_of(b));
}

bool str_starts(struct str s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.n >= n && (n == 0 || memcmp(s.p, prefix, n) == 0);
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_trim(struct str s)
{
	while (s.n && is_space(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n && is_space(s.p[s.n - 1]))
		s.n--;
	return s;
}

bool str_cut(struct str *rest, char sep, struct str *piece)
{
	const char *at;

	if (!rest->p)
		return false;
	at = rest->n ? memchr(rest->p, sep, rest->n) : NULL;
	if (!at) {
		*piece = *rest;
		*rest = (struct str){NULL, 0};
		return true;
	}
	*piece = (struct str){rest->p, (size_t)(at - rest->p)};
	*rest = (struct str){at + 1, rest->n - piece->n - 1};
	return true;
}

/* --- numbers --- */

static size_t count_digits(struct str s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
		n++;
	return n;
}

static int refuse(struct err *e, struct str s, const char *want)
{
	char shown[48];

	str_printable(shown, sizeof(shown), s);
	return err_set(e, ERRK_INPUT, "\"%s\" is not %s", shown, want);
}

static int refuse_range(struct err *e, struct str s, uint64_t max, const char *unit)
{
	char shown[48];

	str_printable(shown, sizeof(shown), s);
	return err_set(e, ERRK_INPUT, "\"%s\" is more than %llu%s", shown, (unsigned long long)max,
		       unit);
}

/* Digits only, as str_u64 wants them; false where they do not fit into 64 bits. */
static bool read_digits(struct str s, uint64_t *out)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (__builtin_mul_overflow(v, (uint64_t)10, &v))
			return false;
		if (__builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
			return false;
	}
	*out = v;
	return true;
}

int str_u64(struct str s, uint64_t max, uint64_t *out, struct err *e)
{
	uint64_t v;

	if (s.n == 0 || s.n > 20 || count_digits(s) != s.n || (s.n > 1 && s.p[0] == '0'))
		return refuse(e, s, "a plain whole number");
	if (!read_digits(s, &v) || v > max)
		return refuse_range(e, s, max, "");
	*out = v;
	return 0;
}

/* "NUMBER UNIT": the number, and what follows it in `unit`. */
static int read_scaled(struct str s, uint64_t *v, struct str *unit, struct err *e)
{
	size_t digits = count_digits(s);

	*unit = (struct str){s.p + digits, s.n - digits};
	return str_u64((struct str){s.p, digits}, UINT64_MAX, v, e);
}

struct unit {
	const char *name;
	uint64_t factor;
};

static bool apply_unit(uint64_t *v, struct str name, const struct unit *units, uint64_t max)
{
	const struct unit *u = units;

	while (!str_is(name, u->name))
		u++;
	return !__builtin_mul_overflow(*v, u->factor, v) && *v <= max;
}

static bool has_unit(struct str name, const struct unit *units)
{
	for (; units->name; units++)
		if (str_is(name, units->name))
			return true;
	return false;
}

static const struct unit durations[] = {
	{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {NULL, 0},
};

int str_duration(struct str s, int64_t max, int64_t *seconds, struct err *e)
{
	struct str unit;
	uint64_t v;

	if (read_scaled(s, &v, &unit, NULL) || !has_unit(unit, durations))
		return refuse(e, s, "a duration: write 90s, 10m, 2h or 3d");
	if (!apply_unit(&v, unit, durations, (uint64_t)max))
		return refuse_range(e, s, (uint64_t)max, " seconds");
	*seconds = (int64_t)v;
	return 0;
}

static const struct unit sizes[] = {
	{"", 1},
	{"K", 1000},
	{"M", 1000000},
	{"G", 1000000000},
	{"T", 1000000000000},
	{"Ki", (uint64_t)1 << 10},
	{"Mi", (uint64_t)1 << 20},
	{"Gi", (uint64_t)1 << 30},
	{"Ti", (uint64_t)1 << 40},
	{NULL, 0},
};

int str_bytes(struct str s, uint64_t max, uint64_t *bytes, struct err *e)
{
	struct str unit;
	uint64_t v;

	if (read_scaled(s, &v, &unit, NULL) || !(has_unit(unit, sizes) || str_is(unit, "m")))
		return refuse(e, s, "a size: write 512Mi, 2Gi or bytes");
	if (str_is(unit, "m"))
		return err_set(e, ERRK_INPUT,
			       "\"%.*s\" is ambiguous: write %lluMi (binary) or %lluM (decimal)",
			       (int)s.n, s.p, (unsigned long long)v, (unsigned long long)v);
	if (!apply_unit(&v, unit, sizes, max))
		return refuse_range(e, s, max, " bytes");
	*bytes = v;
	return 0;
}

/* Up to three decimals as thousandths. */
static bool read_thousandths(struct str s, uint64_t *out)
{
	static const uint64_t scale[] = {0, 100, 10, 1};
	uint64_t v;

	if (s.n == 0 || s.n > 3 || count_digits(s) != s.n || !read_digits(s, &v))
		return false;
	*out = v * scale[s.n];
	return true;
}

int str_millicores(struct str s, uint64_t max, uint64_t *millicores, struct err *e)
{
	uint64_t v, part = 0;
	struct str unit;

	if (read_scaled(s, &v, &unit, NULL))
		return refuse(e, s, "a number of cores: write 2, 0.5 or 500m");
	if (unit.n && unit.p[0] == '.') {
		if (!read_thousandths((struct str){unit.p + 1, unit.n - 1}, &part))
			return refuse(e, s, "a number of cores: at most three decimals");
		unit.n = 0;
	} else if (str_is(unit, "m")) {
		if (v > max)
			return refuse_range(e, s, max, " thousandths of a core");
		*millicores = v;
		return 0;
	}
	if (unit.n)
		return refuse(e, s, "a number of cores: write 2, 0.5 or 500m");
	if (__builtin_mul_overflow(v, (uint64_t)1000, &v) || __builtin_add_overflow(v, part, &v) ||
	    v > max)
		return refuse_range(e, s, max, " thousandths of a core");
	*millicores = v;
	return 0;
}

/* --- UTF-8 --- */

/* Length of the sequence that starts with `c`, 0 where none may. */
static size_t utf8_length(uint8_t c)
{
	if (c < 0x80)
		return 1;
	if (c >= 0xc2 && c <= 0xdf)
		return 2;
	if (c >= 0xe0 && c <= 0xef)
		return 3;
	return c >= 0xf0 && c <= 0xf4 ? 4 : 0;
}

/* Decode one code point at s.p; 0 where it is malformed, else its length. */
static size_t utf8_decode(struct str s, uint32_t *cp)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint8_t first = (uint8_t)s.p[0];
	size_t i, n = utf8_length(first);
	uint32_t v;

	if (n == 0 || n > s.n)
		return 0;
	v = n == 1 ? first : first & (0x7fu >> n);
	for (i = 1; i < n; i++) {
		if (((uint8_t)s.p[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | ((uint8_t)s.p[i] & 0x3f);
	}
	if (v < least[n] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
		return 0;
	*cp = v;
	return n;
}

#define EACH(byte) (0x0101010101010101u * (byte)) /* the byte eight times */
#define ZERO(v)	   (((v)-EACH(1)) & ~(v))	  /* high bits: of zero bytes, at least the first */

/* A byte below the space, above ASCII, a quote or a backslash among these eight? */
static bool has_special(uint64_t v)
{
	uint64_t control = (v - EACH(' ')) & ~v;

	return (v | control | ZERO(v ^ EACH('"')) | ZERO(v ^ EACH('\\'))) & EACH(0x80);
}

size_t str_plain(struct str s)
{
	uint64_t v;
	size_t i;

	for (i = 0; i + sizeof(v) <= s.n; i += sizeof(v)) {
		memcpy(&v, s.p + i, sizeof(v));
		if (has_special(v))
			break;
	}
	while (i < s.n && (int8_t)s.p[i] >= ' ' && s.p[i] != '"' && s.p[i] != '\\')
		i++;
	return i;
}

bool utf8_valid(struct str s)
{
	uint32_t cp;
	size_t n;

	while (s.n) {
		n = str_plain(s);
		s.p += n;
		s.n -= n;
		if (s.n == 0)
			break;
		if ((int8_t)*s.p > 0) { /* plain ASCII, nearly all that we get */
			s.p++;
			s.n--;
			continue;
		}
		n = utf8_decode(s, &cp);
		if (n == 0 || cp == 0)
			return false;
		s.p += n;
		s.n -= n;
	}
	return true;
}

bool str_is_name(struct str s, size_t max)
{
	size_t i;

	if (s.n == 0 || s.n > max || s.p[0] == '-')
		return false;
	for (i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
			return false;
	}
	return true;
}

/* What moves the cursor, the text direction or the terminal's state. */
static bool is_control(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || (cp >= 0x200b && cp <= 0x200f) ||
	       (cp >= 0x2028 && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069) || cp == 0xfeff;
}

void str_printable(char *dst, size_t size, struct str s)
{
	size_t used = 0, n;
	uint32_t cp;

	if (size == 0)
		return;
	while (s.n) {
		n = utf8_decode(s, &cp);
		if (n == 0 || is_control(cp)) {
			if (used + 1 >= size)
				break;
			dst[used++] = '?';
			n = n ? n : 1;
		} else {
			if (used + n >= size)
				break;
			memcpy(dst + used, s.p, n);
			used += n;
		}
		s.p += n;
		s.n -= n;
	}
	dst[used] = '\0';
}
