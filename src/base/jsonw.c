/* Writing JSON into a buffer: see jsonw.h. */
#include "base/jsonw.h"

#include <inttypes.h>

#include "base/hex.h"

static void lead(struct jsonw *w, const char *key)
{
	if (w->comma)
		buf_byte(w->out, ',');
	w->comma = true;
	if (!key)
		return;
	buf_json(w->out, str_of(key));
	buf_byte(w->out, ':');
}

void jsonw_object(struct jsonw *w, const char *key)
{
	lead(w, key);
	buf_byte(w->out, '{');
	w->comma = false;
}

void jsonw_array(struct jsonw *w, const char *key)
{
	lead(w, key);
	buf_byte(w->out, '[');
	w->comma = false;
}

void jsonw_end_object(struct jsonw *w)
{
	buf_byte(w->out, '}');
	w->comma = true;
}

void jsonw_end_array(struct jsonw *w)
{
	buf_byte(w->out, ']');
	w->comma = true;
}

void jsonw_str(struct jsonw *w, const char *key, struct str v)
{
	lead(w, key);
	buf_json(w->out, v);
}

void jsonw_text(struct jsonw *w, const char *key, const char *v)
{
	if (v && *v)
		jsonw_str(w, key, str_of(v));
}

void jsonw_u64(struct jsonw *w, const char *key, uint64_t v)
{
	lead(w, key);
	buf_printf(w->out, "%" PRIu64, v);
}

void jsonw_i64(struct jsonw *w, const char *key, int64_t v)
{
	lead(w, key);
	buf_printf(w->out, "%" PRId64, v);
}

void jsonw_bool(struct jsonw *w, const char *key, bool v)
{
	lead(w, key);
	buf_puts(w->out, v ? "true" : "false");
}

void jsonw_hex(struct jsonw *w, const char *key, const void *p, size_t n)
{
	lead(w, key);
	buf_byte(w->out, '"');
	buf_hex(w->out, p, n);
	buf_byte(w->out, '"');
}

void jsonw_base64(struct jsonw *w, const char *key, const void *p, size_t n)
{
	lead(w, key);
	buf_byte(w->out, '"');
	base64_encode(w->out, p, n, BASE64_STD);
	buf_byte(w->out, '"');
}

void jsonw_raw(struct jsonw *w, const char *key, struct str json)
{
	lead(w, key);
	buf_str(w->out, json);
}
