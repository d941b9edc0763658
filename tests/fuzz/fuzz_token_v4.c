/* V4 tokens: the input is the CBOR behind `crawB`. What is read must survive writing and reading.
 */
#include <stdlib.h>

#include "cashu/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(token_free) struct cashu_token *t = NULL;
	AUTO(token_free) struct cashu_token *again = NULL;
	auto_buf struct buf raw = BUF(1 << 20), text = BUF(1 << 20);

	buf_puts(&raw, "crawB");
	buf_add(&raw, data, size);
	if (raw.failed || token_decode(&t, buf_view(&raw), TOKEN_LIMITS_WALLET, NULL))
		return 0;
	if (token_encode(&text, t, NULL) ||
	    token_decode(&again, buf_view(&text), TOKEN_LIMITS_WALLET, NULL) ||
	    again->proofs.n != t->proofs.n)
		abort();
	return 0;
}
