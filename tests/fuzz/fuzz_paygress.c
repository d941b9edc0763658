/* Requests and replies of the peer's dialect: what is read is written to text that reads the same.
 */
#include <stdlib.h>

#include "proto/paygress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_request(struct str text)
{
	AUTO(paygress_request_free) struct paygress_request *r = NULL, *again = NULL;
	auto_buf struct buf out = BUF(8 * PAYGRESS_MESSAGE_MAX);

	if (paygress_request_read(&r, text, NULL) < 0)
		return;
	paygress_request_write(&out, r);
	if (out.n > PAYGRESS_MESSAGE_MAX)
		return;
	if (paygress_request_read(&again, buf_view(&out), NULL) < 0 || again->ask != r->ask ||
	    !str_is(str_of(again->pod), r->pod) || !str_is(str_of(again->image), r->image))
		abort();
}

static void try_reply(struct str text)
{
	AUTO(paygress_reply_free) struct paygress_reply *r = NULL, *again = NULL;
	auto_buf struct buf out = BUF(8 * PAYGRESS_MESSAGE_MAX);

	if (paygress_reply_read(&r, text, NULL) < 0)
		return;
	paygress_reply_write(&out, r);
	if (out.n > PAYGRESS_MESSAGE_MAX)
		return;
	if (paygress_reply_read(&again, buf_view(&out), NULL) < 0 || again->answer != r->answer ||
	    again->expires_at != r->expires_at)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size};

	try_request(text);
	try_reply(text);
	return 0;
}
