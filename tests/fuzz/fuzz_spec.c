/* Spec texts: what is read is complete in itself, and writing it reads the same. */
#include <stdint.h>
#include <stdlib.h>

#include "spec/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_spec struct spec s = {0}, again = {0};
	auto_buf struct buf a = BUF(8 * SPEC_JSON_MAX), b = BUF(8 * SPEC_JSON_MAX);

	if (spec_decode(&s, (struct str){(const char *)data, size}, NULL))
		return 0;
	(void)!spec_check(&s, NULL);
	spec_write(&a, &s);
	/* escapes may make it longer than what may come in */
	if (a.n > SPEC_JSON_MAX)
		return 0;
	if (a.failed || spec_decode(&again, buf_view(&a), NULL))
		abort();
	spec_write(&b, &again);
	if (!str_eq(buf_view(&a), buf_view(&b)))
		abort();
	return 0;
}
