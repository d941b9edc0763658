#include "nostr/nip13.h"

unsigned nip13_bits(const uint8_t id[static 32])
{
	unsigned n = 0, i;

	for (i = 0; i < 32 && id[i] == 0; i++)
		n += 8;
	if (i < 32)
		n += (unsigned)__builtin_clz(id[i]) - 24;
	return n;
}

unsigned nip13_credit(const struct nostr_event *ev)
{
	const struct nostr_tag *t = nostr_event_find(ev, "nonce");
	uint64_t target;

	if (!t || t->n < 3 || str_u64(t->v[2], 256, &target, NULL) < 0)
		return 0;
	return nip13_bits(ev->id) >= target ? (unsigned)target : 0;
}
