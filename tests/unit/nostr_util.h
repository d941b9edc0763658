/* For the Nostr tests: vector files as JSON, hex members, the loop until something holds. */
#ifndef NOSTR_UTIL_H
#define NOSTR_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "nostr/event.h"

static inline void vector_text(struct buf *out, const char *name)
{
	auto_free char *path = mem_printf("%s/vectors/nostr/%s", getenv("TESTS_DIR"), name);
	struct err e = {0};

	*out = BUF(1 << 20);
	if (fs_read(out, path, &e) != 0)
		fail_msg("%s: %s", path, e.msg);
}

static inline struct json *vector_parse(struct str text)
{
	struct json_limits limits = {.bytes = 1 << 20, .depth = 32};
	struct json *j = NULL;
	struct err e = {0};

	if (json_parse(&j, text, &limits, &e) < 0)
		fail_msg("vectors: %s", e.msg);
	return j;
}

static inline struct json *vector_load(const char *name)
{
	auto_buf struct buf text = BUF(0);

	vector_text(&text, name);
	return vector_parse(buf_view(&text));
}

static inline struct str text_of(const struct json *obj, const char *key)
{
	struct str s = {0};
	struct err e = {0};

	if (json_str(obj, key, 1 << 20, &s, &e) < 0)
		fail_msg("%s", e.msg);
	return s;
}

static inline uint64_t number_of(const struct json *obj, const char *key)
{
	uint64_t n = 0;
	struct err e = {0};

	if (json_u64(obj, key, JSON_INT_MAX, &n, &e) < 0)
		fail_msg("%s", e.msg);
	return n;
}

static inline void bytes_of(void *out, size_t n, const struct json *obj, const char *key)
{
	struct err e = {0};

	if (json_hex(obj, key, out, n, &e) < 0)
		fail_msg("%s", e.msg);
}

static inline struct secret secret_of(const struct json *obj, const char *key)
{
	struct secret s;

	bytes_of(s.b, sizeof(s.b), obj, key);
	return s;
}

static inline struct pubkey pubkey_in(const struct json *obj, const char *key)
{
	struct pubkey p;

	bytes_of(p.b, sizeof(p.b), obj, key);
	return p;
}

/* The secret key whose last byte is n. */
static inline struct secret small_secret(uint8_t n)
{
	struct secret s = {{0}};

	s.b[31] = n;
	return s;
}

static inline struct pubkey small_pubkey(uint8_t n)
{
	struct secret s = small_secret(n);
	struct pubkey p;

	assert_true(pubkey_of(&p, &s));
	return p;
}

#define each(child, container)                                                                     \
	for (const struct json *child = json_first(container); child; child = json_next(child))

#endif
