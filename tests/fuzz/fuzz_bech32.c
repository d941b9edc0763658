/* Bech32 and base64: what is decoded encodes to the same text. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"

static void lower(struct buf *b)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		if (b->p[i] >= 'A' && b->p[i] <= 'Z')
			b->p[i] = (char)(b->p[i] - 'A' + 'a');
}

static void check_bech32(struct str s, enum bech32_kind kind)
{
	auto_buf struct buf data = BUF(BECH32_MAX);
	auto_buf struct buf back = BUF(BECH32_MAX);
	auto_buf struct buf copy = BUF(BECH32_MAX);
	struct err e = {0};
	char hrp[17];

	if (bech32_decode(hrp, &data, kind, s, &e))
		return;
	buf_str(&copy, s);
	lower(&copy);
	if (bech32_encode(&back, hrp, kind, data.p, data.n, &e) ||
	    !str_eq(buf_view(&back), buf_view(&copy)))
		abort();
}

static void check_base64(struct str s, enum base64_alphabet a)
{
	auto_buf struct buf data = BUF(1 << 20);
	auto_buf struct buf back = BUF(2 << 20);
	struct err e = {0};

	if (base64_decode(&data, s, a, &e))
		return;
	base64_encode(&back, data.p, data.n, a);
	if (a == BASE64_STD && !str_eq(buf_view(&back), s))
		abort();
	if (a == BASE64_URL && !str_starts(s, buf_view(&back).p))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str s = {(const char *)data, size};

	check_bech32(s, BECH32);
	check_bech32(s, BECH32M);
	check_base64(s, BASE64_STD);
	check_base64(s, BASE64_URL);
	check_base64(s, BASE64_ANY);
	return 0;
}
