/* Members of JSON objects and forms of texts: see read.h. */
#include "spec/read.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

static bool is_among(struct str key, const char *const *names)
{
	for (; *names; names++)
		if (str_is(key, *names))
			return true;
	return false;
}

int read_known(const struct json *obj, const char *const *names, struct err *e)
{
	for (const struct json *j = json_first(obj); j; j = json_next(j)) {
		char shown[64];

		str_printable(shown, sizeof(shown), json_key(j));
		if (!is_among(json_key(j), names))
			return err_set(e, ERRK_INPUT, "%s: unknown field", shown);
		if (json_type(j) == JSON_NULL)
			return err_set(e, ERRK_INPUT, "%s: null; leave it out", shown);
	}
	return 0;
}

int read_under(struct err *e, const char *fmt, ...)
{
	char inner[sizeof(((struct err *)0)->msg)], above[128];
	va_list ap;

	if (!e)
		return -1;
	memcpy(inner, e->msg, sizeof(inner));
	va_start(ap, fmt);
	vsnprintf(above, sizeof(above), fmt, ap);
	va_end(ap);
	return err_set(e, e->kind, "%s%s", above, inner);
}

int read_text(struct str *out, const struct json *obj, const char *key, struct err *e)
{
	const struct json *j = json_get(obj, key);

	if (!j)
		return READ_ABSENT;
	return json_as_str(j, out) ? 0 : err_set(e, ERRK_INPUT, "%s: not a string", key);
}

int read_child(const struct json **out, const struct json *obj, const char *key,
	       enum json_type type, struct err *e)
{
	*out = json_get(obj, key);
	if (!*out)
		return READ_ABSENT;
	if (json_type(*out) != type)
		return err_set(e, ERRK_INPUT, "%s: not %s", key,
			       type == JSON_ARRAY ? "a list" : "an object");
	return 0;
}

int check_range(const char *key, uint64_t v, struct read_range r, struct err *e)
{
	if (v < r.min || v > r.max)
		return err_set(e, ERRK_INPUT, "%s: %llu is not within %llu and %llu", key,
			       (unsigned long long)v, (unsigned long long)r.min,
			       (unsigned long long)r.max);
	return 0;
}

int read_number(uint64_t *out, const struct json *obj, const char *key, struct read_range r,
		struct err *e)
{
	const struct json *j = json_get(obj, key);

	if (!j)
		return 0;
	if (!json_as_u64(j, out))
		return err_set(e, ERRK_INPUT, "%s: a whole number from %llu to %llu", key,
			       (unsigned long long)r.min, (unsigned long long)r.max);
	return check_range(key, *out, r, e);
}

int read_size(uint64_t *out, const struct json *obj, const char *key, struct read_range r,
	      struct err *e)
{
	const struct json *j = json_get(obj, key);
	struct str text;

	if (!j || !json_as_str(j, &text))
		return read_number(out, obj, key, r, e);
	if (str_bytes(text, r.max, out, e))
		return err_wrap(e, "%s", key);
	return check_range(key, *out, r, e);
}

int read_flag(bool *out, const struct json *obj, const char *key, struct err *e)
{
	const struct json *j = json_get(obj, key);

	if (!j || json_as_bool(j, out))
		return 0;
	return err_set(e, ERRK_INPUT, "%s: neither true nor false", key);
}

int read_choice(unsigned *out, const struct json *obj, const char *key, const char *const *names,
		struct err *e)
{
	auto_buf struct buf choices = BUF(200);
	struct str s = {"", 0};
	int r = read_text(&s, obj, key, e);

	if (r)
		return r < 0 ? -1 : 0;
	for (unsigned i = 0; names[i]; i++) {
		if (str_is(s, names[i])) {
			*out = i;
			return 0;
		}
		buf_printf(&choices, "%s%s", i ? ", " : "", names[i]);
	}
	return err_set(e, ERRK_INPUT, "%s: want one of %s", key, choices.p);
}

void write_number(struct jsonw *w, const char *key, uint64_t v)
{
	if (v)
		jsonw_u64(w, key, v);
}

void write_flag(struct jsonw *w, const char *key, bool v)
{
	if (v)
		jsonw_bool(w, key, v);
}

bool text_is_clean(struct str s, size_t max)
{
	if (s.n == 0 || s.n > max || !utf8_valid(s))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return true;
}

bool text_has_dotdot(struct str path)
{
	struct str piece, rest = path;

	while (str_cut(&rest, '/', &piece))
		if (str_is(piece, ".."))
			return true;
	return false;
}

bool text_is_below(struct str path, const char *folder)
{
	size_t n = strlen(folder);

	return str_starts(path, folder) && (path.n == n || path.p[n] == '/');
}
