/* Answers of a mint: the first byte says of which call, the rest is the body. */
#include <stdlib.h>

#include "cashu/mint.h"
#include "cashu/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct blinded asked[] = {
	{SAT(1), {8, {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77}}, {2, [1 ... 32] = 0xaa}},
	{SAT(4), {8, {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77}}, {3, [1 ... 32] = 0xbb}},
};
static const struct y_bytes ys[] = {{{2, [1 ... 32] = 0xaa}}, {{3, [1 ... 32] = 0xbb}}};
static const struct blinded_list list = {asked, 2};

static void keysets(struct str body)
{
	auto_keysets struct keysets s = {0};
	size_t left_out;

	(void)!cashu_keysets_parse(&s, &left_out, body, NULL);
}

static void keys(struct str body)
{
	AUTO(keyset_free) struct keyset *k = keyset_new();

	k->id = asked[0].id;
	k->unit[0] = 's';
	k->unit[1] = 'a';
	k->unit[2] = 't';
	if (cashu_keys_parse(k, body, NULL) == 0 && keyset_verify(k, NULL))
		abort();
}

static void signatures(struct str body)
{
	auto_blind_sigs struct blind_sigs s = {0};

	if (cashu_signatures_parse(&s, list, body, NULL) == 0 && s.n != list.n)
		abort();
}

static void states(struct str body)
{
	auto_y_states struct y_states s = {0};

	if (cashu_checkstate_parse(&s, ys, 2, body, NULL) == 0 && s.n != 2)
		abort();
}

static void restored(struct str body)
{
	auto_restored struct restored_list s = {0};

	if (cashu_restore_parse(&s, list, body, NULL) == 0 && s.n > list.n)
		abort();
}

static void quotes(struct str body)
{
	auto_mint_quote struct mint_quote q = {0};
	auto_melt_quote struct melt_quote m = {0};

	(void)!cashu_mint_quote_parse(&q, body, NULL);
	(void)!cashu_melt_parse(&m, body, NULL);
}

static void info_and_fault(struct str body)
{
	const struct http_answer a = {.status = 400, .sent = true, .body = body};
	struct mint_info i;
	struct mint_fault f;

	(void)!cashu_info_parse(&i, body, NULL);
	mint_fault_of(&f, &a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const kinds[])(struct str) = {keysets,  keys,   signatures,    states,
						    restored, quotes, info_and_fault};

	if (size > 0)
		kinds[data[0] % ARRAY_SIZE(kinds)]((struct str){(const char *)data + 1, size - 1});
	return 0;
}
