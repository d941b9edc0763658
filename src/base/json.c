/* The scan decides what is JSON; cJSON only builds the tree of what has passed. */
#include "base/json.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/secret.h"

enum { NUMBER_MAX = 40, DEPTH_MAX = 64 };

/* --- the scan --- */

struct scan {
	const char *p, *end;
	const char *why; /* set when a rule is broken */
	unsigned depth, max_depth;
	size_t nodes, max_nodes;
	struct buf plain; /* one byte a number, in order: 1 where it is a plain integer */
};

static bool fail(struct scan *s, const char *why)
{
	if (!s->why)
		s->why = why;
	return false;
}

static void skip_space(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
		s->p++;
}

static bool take(struct scan *s, char c)
{
	if (s->p == s->end || *s->p != c)
		return false;
	s->p++;
	return true;
}

static bool take_word(struct scan *s, const char *word)
{
	if (!str_starts((struct str){s->p, (size_t)(s->end - s->p)}, word))
		return fail(s, "a value that is not JSON");
	s->p += strlen(word);
	return true;
}

/* The four digits after \u. */
static bool take_hex4(struct scan *s, unsigned *v)
{
	int i;

	*v = 0;
	if (s->end - s->p < 4)
		return fail(s, "a cut escape");
	for (i = 0; i < 4; i++, s->p++) {
		char c = *s->p;

		if (c >= '0' && c <= '9')
			*v = *v << 4 | (unsigned)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			*v = *v << 4 | (unsigned)((c | 32) - 'a' + 10);
		else
			return fail(s, "a bad \\u escape");
	}
	return true;
}

static bool scan_unicode_escape(struct scan *s)
{
	unsigned v, low;

	if (!take_hex4(s, &v))
		return false;
	if (v == 0)
		return fail(s, "a NUL in a string");
	if (v < 0xd800 || v > 0xdfff)
		return true;
	if (v > 0xdbff || !take(s, '\\') || !take(s, 'u') || !take_hex4(s, &low) || low < 0xdc00 ||
	    low > 0xdfff)
		return fail(s, "half a surrogate pair");
	return true;
}

static bool scan_escape(struct scan *s)
{
	char c;

	if (s->p == s->end)
		return fail(s, "a cut escape");
	c = *s->p++;
	if (c == 'u')
		return scan_unicode_escape(s);
	return strchr("\"\\/bfnrt", c) != NULL || fail(s, "an unknown escape");
}

static bool scan_string(struct scan *s)
{
	if (!take(s, '"'))
		return fail(s, "a string was expected");
	for (;;) {
		uint8_t c;

		s->p += str_plain((struct str){s->p, (size_t)(s->end - s->p)});
		if (s->p == s->end)
			break;
		c = (uint8_t)*s->p++;
		if (c == '"')
			return true;
		if (c < 0x20)
			return fail(s, "a raw control character in a string");
		if (c == '\\' && !scan_escape(s))
			return false;
	}
	return fail(s, "a string without its end");
}

static size_t take_digits(struct scan *s)
{
	const char *from = s->p;

	while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
		s->p++;
	return (size_t)(s->p - from);
}

static bool scan_fraction(struct scan *s)
{
	if (take(s, '.') && take_digits(s) == 0)
		return fail(s, "a number without decimals");
	if (s->p < s->end && (*s->p | 32) == 'e') {
		s->p++;
		if (!take(s, '+'))
			(void)take(s, '-');
		if (take_digits(s) == 0)
			return fail(s, "a number without an exponent");
	}
	return true;
}

static bool scan_number(struct scan *s)
{
	const char *from = s->p;
	bool negative = take(s, '-'), whole;
	struct str integer = {s->p, 0};
	uint64_t v;

	integer.n = take_digits(s);
	if (integer.n == 0 || (integer.n > 1 && integer.p[0] == '0'))
		return fail(s, "a value that is not JSON");
	whole = s->p == s->end || (*s->p != '.' && (*s->p | 32) != 'e');
	if (!scan_fraction(s))
		return false;
	if (s->p - from > NUMBER_MAX)
		return fail(s, "a number that is too long");
	if (whole && str_u64(integer, JSON_INT_MAX, &v, NULL))
		return fail(s, "an integer beyond 2^53");
	buf_byte(&s->plain, whole && !negative);
	return true;
}

static bool scan_value(struct scan *s);

static bool scan_member(struct scan *s)
{
	if (!scan_string(s))
		return false;
	skip_space(s);
	return (take(s, ':') || fail(s, "a member without ':'")) && scan_value(s);
}

static bool scan_container(struct scan *s, char open)
{
	char close = open == '{' ? '}' : ']';

	s->p++;
	if (++s->depth > s->max_depth)
		return fail(s, "nested too deeply");
	skip_space(s);
	if (!take(s, close)) {
		do {
			skip_space(s);
			if (!(open == '{' ? scan_member(s) : scan_value(s)))
				return false;
			skip_space(s);
		} while (take(s, ','));
		if (!take(s, close))
			return fail(s, "an array or object without its end");
	}
	s->depth--;
	return true;
}

/* Recursion is bounded by max_depth. */
static bool scan_value(struct scan *s)
{
	skip_space(s);
	if (s->p == s->end)
		return fail(s, "it ends too early");
	if (++s->nodes > s->max_nodes)
		return fail(s, "too many values");
	switch (*s->p) {
	case '{':
	case '[':
		return scan_container(s, *s->p);
	case '"':
		return scan_string(s);
	case 't':
		return take_word(s, "true");
	case 'f':
		return take_word(s, "false");
	case 'n':
		return take_word(s, "null");
	default:
		return scan_number(s);
	}
}

static bool scan_document(struct scan *s)
{
	if (!scan_value(s))
		return false;
	skip_space(s);
	return s->p == s->end || fail(s, "text after the document");
}

/* --- the tree --- */

static const cJSON *node(const struct json *j)
{
	return (const cJSON *)j;
}

static const struct json *wrap(const cJSON *c)
{
	return (const struct json *)c;
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Compared after unescaping: "a" and "\u0061" are one key. */
static bool keys_unique(const cJSON *object)
{
	size_t n = (size_t)cJSON_GetArraySize(object), i = 0;
	auto_free const char **keys = mem_array(n, sizeof(*keys));
	const cJSON *c;

	for (c = object->child; c; c = c->next)
		keys[i++] = c->string;
	qsort(keys, n, sizeof(*keys), compare_keys);
	for (i = 1; i < n; i++)
		if (strcmp(keys[i - 1], keys[i]) == 0)
			return false;
	return true;
}

/* Keep in `valueint` whether the number was written as a plain integer; cJSON's own value of it
 * saturates at 2^31 and is never used. Depth was bounded by the scan. */
static bool settle(cJSON *c, const char **plain)
{
	cJSON *child;

	if (cJSON_IsNumber(c))
		c->valueint = *(*plain)++;
	if (cJSON_IsObject(c) && !keys_unique(c))
		return false;
	for (child = c->child; child; child = child->next)
		if (!settle(child, plain))
			return false;
	return true;
}

/* Strings of requests are secrets, too. Depth was bounded by the scan. */
static void wipe_strings(cJSON *c)
{
	for (; c; c = c->next) {
		if (c->valuestring)
			wipe(c->valuestring, strlen(c->valuestring));
		wipe_strings(c->child);
	}
}

int json_parse(struct json **out, struct str text, const struct json_limits *lim, struct err *e)
{
	size_t bytes = lim && lim->bytes ? lim->bytes : 1 << 20;
	struct scan s = {.p = text.p, .end = text.p + text.n};
	auto_buf struct buf plain = BUF(0);
	const char *flags;
	cJSON *root;
	bool ok;

	s.max_depth = lim && lim->depth ? lim->depth : 8;
	s.max_depth = s.max_depth > DEPTH_MAX ? DEPTH_MAX : s.max_depth;
	s.max_nodes = lim && lim->nodes ? lim->nodes : 65536;
	s.plain = BUF(s.max_nodes);
	if (text.n > bytes)
		return err_set(e, ERRK_LIMIT, "JSON: more than %zu bytes", bytes);
	if (!utf8_valid(text))
		return err_set(e, ERRK_INPUT, "JSON: not UTF-8");
	ok = scan_document(&s);
	plain = s.plain;
	if (!ok)
		return err_set(e, ERRK_INPUT, "JSON: %s at byte %td", s.why, s.p - text.p);
	root = cJSON_ParseWithLength(text.p, text.n);
	if (!root)
		return err_set(e, ERRK_INPUT, "JSON: refused by the parser");
	flags = plain.p;
	if (!settle(root, &flags)) {
		json_free((struct json *)root);
		return err_set(e, ERRK_INPUT, "JSON: the same key twice");
	}
	*out = (struct json *)root;
	return 0;
}

void json_free(struct json *root)
{
	wipe_strings((cJSON *)root);
	cJSON_Delete((cJSON *)root);
}

enum json_type json_type(const struct json *j)
{
	const cJSON *c = node(j);

	if (cJSON_IsObject(c))
		return JSON_OBJECT;
	if (cJSON_IsArray(c))
		return JSON_ARRAY;
	if (cJSON_IsString(c))
		return JSON_STRING;
	if (cJSON_IsNumber(c))
		return JSON_NUMBER;
	return cJSON_IsBool(c) ? JSON_BOOL : JSON_NULL;
}

const struct json *json_get(const struct json *obj, const char *key)
{
	const cJSON *c;

	if (!cJSON_IsObject(node(obj)))
		return NULL;
	c = cJSON_GetObjectItemCaseSensitive(node(obj), key);
	return cJSON_IsNull(c) ? NULL : wrap(c);
}

const struct json *json_first(const struct json *container)
{
	return container ? wrap(node(container)->child) : NULL;
}

const struct json *json_next(const struct json *child)
{
	return wrap(node(child)->next);
}

size_t json_count(const struct json *container)
{
	return container ? (size_t)cJSON_GetArraySize(node(container)) : 0;
}

struct str json_key(const struct json *child)
{
	return str_of(node(child)->string);
}

/* --- typed values --- */

bool json_as_str(const struct json *j, struct str *out)
{
	if (!cJSON_IsString(node(j)))
		return false;
	*out = str_of(node(j)->valuestring);
	return true;
}

bool json_as_u64(const struct json *j, uint64_t *out)
{
	if (!cJSON_IsNumber(node(j)) || node(j)->valueint != 1)
		return false;
	*out = (uint64_t)node(j)->valuedouble; /* exact: the scan refused integers beyond 2^53 */
	return true;
}

bool json_as_bool(const struct json *j, bool *out)
{
	if (!cJSON_IsBool(node(j)))
		return false;
	*out = cJSON_IsTrue(node(j));
	return true;
}

int json_opt_str(const struct json *obj, const char *key, size_t max, struct str *out,
		 struct err *e)
{
	const struct json *j = json_get(obj, key);
	struct str s;

	if (!j)
		return 0;
	if (!json_as_str(j, &s))
		return err_set(e, ERRK_INPUT, "%s: not a string", key);
	if (s.n > max)
		return err_set(e, ERRK_INPUT, "%s: longer than %zu bytes", key, max);
	*out = s;
	return 0;
}

int json_opt_u64(const struct json *obj, const char *key, uint64_t max, uint64_t *out,
		 struct err *e)
{
	const struct json *j = json_get(obj, key);
	uint64_t v;

	if (!j)
		return 0;
	if (!json_as_u64(j, &v))
		return err_set(e, ERRK_INPUT, "%s: not a plain whole number", key);
	if (v > max)
		return err_set(e, ERRK_INPUT, "%s: more than %llu", key, (unsigned long long)max);
	*out = v;
	return 0;
}

int json_opt_bool(const struct json *obj, const char *key, bool *out, struct err *e)
{
	const struct json *j = json_get(obj, key);

	if (j && !json_as_bool(j, out))
		return err_set(e, ERRK_INPUT, "%s: not true or false", key);
	return 0;
}

static int require(const struct json *obj, const char *key, struct err *e)
{
	return json_get(obj, key) ? 0 : err_set(e, ERRK_INPUT, "%s: missing", key);
}

int json_str(const struct json *obj, const char *key, size_t max, struct str *out, struct err *e)
{
	return require(obj, key, e) ? -1 : json_opt_str(obj, key, max, out, e);
}

int json_u64(const struct json *obj, const char *key, uint64_t max, uint64_t *out, struct err *e)
{
	return require(obj, key, e) ? -1 : json_opt_u64(obj, key, max, out, e);
}

int json_hex(const struct json *obj, const char *key, uint8_t *out, size_t n, struct err *e)
{
	struct str s;

	if (json_str(obj, key, 2 * n, &s, e))
		return -1;
	return hex_decode(out, n, s, e) ? err_wrap(e, "%s", key) : 0;
}

int json_child(const struct json *obj, const char *key, enum json_type type,
	       const struct json **out, struct err *e)
{
	const struct json *j = json_get(obj, key);

	if (!j)
		return err_set(e, ERRK_INPUT, "%s: missing", key);
	if (json_type(j) != type)
		return err_set(e, ERRK_INPUT, "%s: not %s", key,
			       type == JSON_OBJECT ? "an object" : "an array");
	*out = j;
	return 0;
}

int json_opt_copy(char *dst, size_t size, const struct json *obj, const char *key, struct err *e)
{
	struct str s = {0};

	dst[0] = 0;
	if (json_opt_str(obj, key, size - 1, &s, e) < 0)
		return -1;
	if (s.n)
		memcpy(dst, s.p, s.n);
	dst[s.n] = 0;
	return 0;
}
