/* JSON from strangers: whatever is taken can be walked, and every string is UTF-8 without NUL. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/json.h"

static void walk(const struct json *j, unsigned depth)
{
	const struct json *c;
	struct str s;
	uint64_t v;

	if (depth > 8)
		abort();
	if (json_as_str(j, &s) && !utf8_valid(s))
		abort();
	if (json_as_u64(j, &v) && v > JSON_INT_MAX)
		abort();
	for (c = json_first(j); c; c = json_next(c)) {
		if (json_type(j) == JSON_OBJECT && !utf8_valid(json_key(c)))
			abort();
		walk(c, depth + 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_json struct json *root = NULL;
	struct err e = {0};

	if (json_parse(&root, (struct str){(const char *)data, size}, NULL, &e) == 0)
		walk(root, 0);
	return 0;
}
