/* Reads the published vectors. */
#include "cashu_vectors.h"

#include <stdlib.h>

#include "base/fs.h"
#include "base/hex.h"
#include "base/mem.h"

struct json *vectors_load(const char *name)
{
	const struct json_limits lim = {.bytes = 1 << 20, .depth = 32};
	auto_free char *path = mem_printf("%s/vectors/cashu/%s.json", getenv("TESTS_DIR"), name);
	auto_buf struct buf text = BUF(1 << 20);
	struct json *root = NULL;
	struct err e;

	if (fs_read(&text, path, &e) != 0)
		fail_msg("cannot read %s", path);
	if (json_parse(&root, buf_view(&text), &lim, &e))
		fail_msg("%s: %s", path, e.msg);
	return root;
}

const struct json *vector_at(const struct json *j, const char *key)
{
	const struct json *child = json_get(j, key);

	if (!child)
		fail_msg("vector without %s", key);
	return child;
}

const struct json *vector_first(const struct json *j, const char *key)
{
	const struct json *first = json_first(vector_at(j, key));

	if (!first)
		fail_msg("%s is empty", key);
	return first;
}

struct str vector_string(const struct json *j)
{
	struct str s = {0};

	if (!json_as_str(j, &s))
		fail_msg("vector is not text");
	return s;
}

struct str vector_text(const struct json *j, const char *key)
{
	return vector_string(vector_at(j, key));
}

uint64_t vector_number(const struct json *j, const char *key)
{
	uint64_t n = 0;

	if (!json_as_u64(vector_at(j, key), &n))
		fail_msg("%s is not a number", key);
	return n;
}

void vector_hex(uint8_t *out, size_t n, const struct json *j, const char *key)
{
	struct err e;

	if (hex_decode(out, n, vector_text(j, key), &e))
		fail_msg("%s: %s", key, e.msg);
}

struct point vector_point(const struct json *j, const char *key)
{
	uint8_t raw[POINT_COMPRESSED];
	struct point p = {0};
	struct err e;

	vector_hex(raw, sizeof(raw), j, key);
	if (point_parse(&p, raw, &e))
		fail_msg("%s: %s", key, e.msg);
	return p;
}

struct secret vector_secret(const struct json *j, const char *key)
{
	struct secret k;

	vector_hex(k.b, sizeof(k.b), j, key);
	return k;
}
