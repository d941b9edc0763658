/* Key maps: what is taken is written as it was taken. */
#include <stdlib.h>
#include <string.h>

#include "cashu/keyset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(keyset_free) struct keyset *k = keyset_new();
	AUTO(keyset_free) struct keyset *same = keyset_new();
	auto_buf struct buf text = BUF(1 << 16);
	const struct str in = {(const char *)data, size};
	struct keyset_id id;

	(void)!keyset_id_parse(&id, in, NULL);
	if (keyset_keys_parse(k, in, NULL))
		return 0;
	keyset_keys_write(&text, k);
	if (keyset_keys_parse(same, buf_view(&text), NULL) || same->n != k->n ||
	    memcmp(same->keys, k->keys, k->n * sizeof(*k->keys)) != 0)
		abort();
	return 0;
}
