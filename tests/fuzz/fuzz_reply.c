/* A provider's reply: what is read is written to text that reads the same. */
#include <stdlib.h>
#include <string.h>

#include "proto/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_reply struct reply *r = NULL, *again = NULL;
	auto_buf struct buf one = BUF(1 << 20), two = BUF(1 << 20);

	if (reply_decode(&r, (struct str){(const char *)data, size}, NULL))
		return 0;
	if (reply_encode(&one, r, NULL) < 0)
		abort();
	if (one.n > 96 * 1024)
		return 0;
	if (reply_decode(&again, buf_view(&one), NULL) || reply_encode(&two, again, NULL) < 0 ||
	    strcmp(one.p, two.p) != 0)
		abort();
	return 0;
}
