/* A buyer's request: what is read is written to text that reads the same. */
#include <stdlib.h>
#include <string.h>

#include "proto/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_request struct request *r = NULL, *again = NULL;
	auto_buf struct buf one = BUF(1 << 20), two = BUF(1 << 20);

	if (request_decode(&r, (struct str){(const char *)data, size}, NULL))
		return 0;
	if (request_encode(&one, r, NULL) < 0)
		abort();
	if (one.n > LEASE_REQUEST_MAX)
		return 0;
	if (request_decode(&again, buf_view(&one), NULL) || request_encode(&two, again, NULL) < 0 ||
	    strcmp(one.p, two.p) != 0)
		abort();
	return 0;
}
