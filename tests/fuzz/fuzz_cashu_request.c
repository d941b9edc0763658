/* Payment requests, creqA and creqB. What is read and written again is read again. */
#include <stdlib.h>

#include "cashu/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(cashu_request_free) struct payment_request *r = NULL;
	AUTO(cashu_request_free) struct payment_request *again = NULL;
	auto_buf struct buf text = BUF(REQUEST_TEXT_MAX);

	if (cashu_request_decode(&r, (struct str){(const char *)data, size}, NULL))
		return 0;
	if (cashu_request_encode(&text, r, NULL) == 0 &&
	    cashu_request_decode(&again, buf_view(&text), NULL))
		abort();
	return 0;
}
