/*
 * JSON from strangers. A strict scan (UTF-8, depth, size, no NUL, nothing after the document,
 * integers up to 2^53) runs before cJSON sees a byte, and a walk refuses duplicate keys after it,
 * so what cJSON gets wrong cannot reach us. The only file with cJSON.h is json.c. Trees die inside
 * the parser that made them: modules exchange structs. Writing goes through `struct buf` (buf_json
 * and friends), not trees.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"

#define JSON_INT_MAX ((uint64_t)1 << 53)

struct json; /* a node; borrowed from its document */

struct json_limits {
	size_t bytes;	/* 0: 1 MiB */
	unsigned depth; /* 0: 8 */
	size_t nodes;	/* 0: 65536 */
};

/* `lim` may be NULL for the defaults. Free the root with json_free. */
int json_parse(struct json **out, struct str text, const struct json_limits *lim,
	       struct err *e) MUST_CHECK;
void json_free(struct json *root); /* wipes its strings: trees carry secrets */
DEFINE_AUTO(struct json, json_free)
#define auto_json AUTO(json_free)

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };
enum json_type json_type(const struct json *j);

/* Children. json_get is case-sensitive and gives NULL where the key is absent; a JSON null counts
 * as absent. */
const struct json *json_get(const struct json *obj, const char *key);
const struct json *json_first(const struct json *container);
const struct json *json_next(const struct json *child);
size_t json_count(const struct json *container);
struct str json_key(const struct json *child); /* key of an object's member */

/* Values without a name; false if of another type. An integer is a plain one, 0..2^53. */
bool json_as_str(const struct json *j, struct str *out);
bool json_as_u64(const struct json *j, uint64_t *out);
bool json_as_bool(const struct json *j, bool *out);

/* Required members: -1 names the key. */
int json_str(const struct json *obj, const char *key, size_t max, struct str *out,
	     struct err *e) MUST_CHECK;
int json_u64(const struct json *obj, const char *key, uint64_t max, uint64_t *out,
	     struct err *e) MUST_CHECK;
int json_hex(const struct json *obj, const char *key, uint8_t *out, size_t n,
	     struct err *e) MUST_CHECK;
/* A required object or array. */
int json_child(const struct json *obj, const char *key, enum json_type type,
	       const struct json **out, struct err *e) MUST_CHECK;

/* Optional members: absent leaves *out as it was and is 0; present with a wrong type is -1. */
int json_opt_str(const struct json *obj, const char *key, size_t max, struct str *out,
		 struct err *e) MUST_CHECK;
/* Copy at most size - 1 bytes; absent makes `dst` the empty string. */
int json_opt_copy(char *dst, size_t size, const struct json *obj, const char *key,
		  struct err *e) MUST_CHECK;
int json_opt_u64(const struct json *obj, const char *key, uint64_t max, uint64_t *out,
		 struct err *e) MUST_CHECK;
int json_opt_bool(const struct json *obj, const char *key, bool *out, struct err *e) MUST_CHECK;

#endif
