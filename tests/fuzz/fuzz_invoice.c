/* Lightning invoices. Checksums are made good first, so that what lies behind them is reached. */
#include <stdlib.h>

#include "base/hex.h"
#include "cashu/invoice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct str text = {(const char *)data, size};
	auto_buf struct buf whole = BUF(INVOICE_TEXT_MAX);
	struct invoice v;

	if (invoice_read(&v, text, NULL) == 0 && v.has_amount && msat_raw(v.amount) == 0)
		abort();
	if (bech32_encode_words(&whole, "lnbc25u", text, NULL) < 0)
		return 0;
	if (invoice_read(&v, buf_view(&whole), NULL) == 0 && v.expires < v.created)
		abort();
	return 0;
}
