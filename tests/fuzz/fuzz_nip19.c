/* NIP-19 names: what is read is written to a name that reads the same. */
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "nostr/nip19.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_nip19 struct nip19 n = {0}, again = {0};
	auto_buf struct buf text = BUF(BECH32_MAX);

	if (nip19_decode(&n, (struct str){(const char *)data, size}, NULL) < 0 ||
	    nip19_encode(&text, &n, NULL) < 0)
		return 0;
	if (nip19_decode(&again, buf_view(&text), NULL) < 0 || again.type != n.type ||
	    memcmp(again.b, n.b, sizeof(n.b)) != 0 || again.nrelays != n.nrelays ||
	    again.kind != n.kind)
		abort();
	return 0;
}
