/* Published test vectors of Cashu: files in tests/vectors/cashu, read with base/json. A missing
 * file or member fails the test that asked for it. */
#ifndef TESTS_CASHU_VECTORS_H
#define TESTS_CASHU_VECTORS_H

#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/secret.h"
#include "crypto/secp.h"

struct json *vectors_load(const char *name); /* "nut12_dleq"; free with json_free */

const struct json *vector_at(const struct json *j, const char *key);
const struct json *vector_first(const struct json *j, const char *key); /* of a list */
struct str vector_text(const struct json *j, const char *key);
uint64_t vector_number(const struct json *j, const char *key);
void vector_hex(uint8_t *out, size_t n, const struct json *j, const char *key);
struct point vector_point(const struct json *j, const char *key);
struct secret vector_secret(const struct json *j, const char *key);
struct str vector_string(const struct json *j); /* the node itself */

#endif
