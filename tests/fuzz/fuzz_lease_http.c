/* A tenant's request: no answer before it is whole, one well-formed answer then, and never later.
 */
#include <stdlib.h>
#include <string.h>

#include "keeper/lease_http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct lease_view v = {.card = "{\"lease\":\"00000000000000a1\"}",
					    .topup = "{\"request\":\"creqA\"}",
					    .started_at = 1,
					    .expires_at = 2};
	auto_buf struct buf out = BUF(LEASE_HTTP_ANSWER), again = BUF(LEASE_HTTP_ANSWER);
	size_t n = size < LEASE_HTTP_MAX ? size : LEASE_HTTP_MAX, whole = 0;

	while (whole <= n &&
	       lease_http(&out, (struct str){(const char *)data, whole}, &v) == LEASE_HTTP_MORE) {
		if (out.n > 0)
			abort();
		whole++;
	}
	if (whole > n) {
		if (n == LEASE_HTTP_MAX)
			abort(); /* waits for more than there may be */
		return 0;
	}
	if (out.failed || out.n < 9 || memcmp(out.p, "HTTP/1.1 ", 9) != 0 ||
	    !memmem(out.p, out.n, "\r\n\r\n", 4))
		abort();
	if (lease_http(&again, (struct str){(const char *)data, n}, &v) != LEASE_HTTP_ANSWERED)
		abort();
	return 0;
}
