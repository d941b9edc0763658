/* Parcels of a volume's backup: what is read writes as bytes that read back the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "helper/part.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = {(const char *)data, size}, before;
	auto_buf struct buf out = BUF(size);
	struct parcel head;
	struct part p;

	if (parcel_take(&head, &rest, NULL) != 0)
		return 0;
	before = rest;
	while (part_next(&p, &rest, NULL) == 0) {
		struct str bytes = {before.p, before.n - rest.n};

		buf_reset(&out);
		part_add(&out, &p);
		if (!str_eq(buf_view(&out), bytes))
			abort();
		before = rest;
	}
	return 0;
}
