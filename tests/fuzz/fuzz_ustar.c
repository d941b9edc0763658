/* Archives: what is read writes as an archive that reads back the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/ustar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = {(const char *)data, size}, bytes, again_bytes, again_rest;
	auto_free struct ustar_entry *t = mem_zero(sizeof(*t));
	auto_free struct ustar_entry *again = mem_zero(sizeof(*t));

	while (ustar_next(&rest, t, &bytes, NULL) == 0) {
		auto_buf struct buf out = BUF(size + 65536);

		ustar_add(&out, t, bytes.p);
		again_rest = buf_view(&out);
		if (out.failed || ustar_next(&again_rest, again, &again_bytes, NULL) != 0)
			abort();
		if (strcmp(t->path, again->path) != 0 || t->kind != again->kind ||
		    t->mode != again->mode || !str_eq(bytes, again_bytes))
			abort();
	}
	return 0;
}
