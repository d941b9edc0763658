/* V3 tokens: the input is the JSON behind `cashuA`. */
#include <stdlib.h>

#include "base/hex.h"
#include "cashu/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(token_free) struct cashu_token *t = NULL;
	auto_buf struct buf text = BUF(1 << 20);

	buf_puts(&text, "cashuA");
	base64_encode(&text, data, size, BASE64_URL);
	if (!text.failed)
		(void)!token_decode(&t, buf_view(&text), TOKEN_LIMITS_REQUEST, NULL);
	return 0;
}
