/* A stranger's payment message: what is read is written to text that reads the same. */
#include <stdlib.h>
#include <string.h>

#include "cashu/payload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(cashu_payload_free) struct cashu_payload *p = NULL;
	AUTO(cashu_payload_free) struct cashu_payload *again = NULL;
	auto_buf struct buf one = BUF(16 << 20), two = BUF(16 << 20);

	if (cashu_payload_decode(&p, (struct str){(const char *)data, size}, NULL))
		return 0;
	if (cashu_payload_encode(&one, p->id, p->token, NULL) < 0)
		return 0; /* longer than a mint would take */
	if (cashu_payload_decode(&again, buf_view(&one), NULL) || strcmp(p->id, again->id) != 0 ||
	    cashu_payload_encode(&two, again->id, again->token, NULL) < 0 || one.n != two.n ||
	    memcmp(one.p, two.p, one.n) != 0)
		abort();
	return 0;
}
