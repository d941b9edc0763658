/* A NIP-44 payload, and the input as a text that must survive encryption. */
#include <stdlib.h>

#include "nostr/nip44.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* The conversation key of the official vectors' first message. */
	static const struct secret key = {{0xc4, 0x1c, 0x77, 0x53, 0x56, 0xfd, 0x92, 0xea,
					   0xdc, 0x63, 0xff, 0x5a, 0x0d, 0xc1, 0xda, 0x21,
					   0x1b, 0x26, 0x8c, 0xbe, 0xa2, 0x23, 0x16, 0x76,
					   0x70, 0x95, 0xb2, 0x87, 0x1e, 0xa1, 0x41, 0x2d}};
	static const uint8_t nonce[32] = {1};
	auto_buf struct buf text = BUF(1 << 18), payload = BUF(1 << 19), back = BUF(1 << 18);
	struct str in = {(const char *)data, size};

	(void)!nip44_decrypt(&text, &key, in, NULL);
	if (nip44_encrypt_nonce(&payload, &key, nonce, in, NULL) < 0 ||
	    payload.n > NIP44_PAYLOAD_MAX)
		return 0;
	if (nip44_decrypt(&back, &key, buf_view(&payload), NULL) < 0 ||
	    !str_eq(buf_view(&back), in))
		abort();
	return 0;
}
