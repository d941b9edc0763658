/* Event text: what is read keeps its id when it is written and read again. */
#include <stdlib.h>
#include <string.h>

#include "nostr/event.h"
#include "nostr/nip13.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_event struct nostr_event *ev = NULL, *again = NULL;
	auto_buf struct buf out = BUF(8 * NOSTR_EVENT_MAX);
	uint8_t one[32], two[32];

	if (nostr_event_parse(&ev, (struct str){(const char *)data, size}, NULL) < 0)
		return 0;
	nostr_event_hash(one, ev);
	(void)!nostr_event_verify(ev, NULL);
	nostr_event_expiration(ev);
	nip13_credit(ev);
	ev->sig[0] |= 1; /* an all-zero signature is written as none */
	nostr_event_write(&out, ev);
	if (out.n > NOSTR_EVENT_MAX)
		return 0;
	if (nostr_event_parse(&again, buf_view(&out), NULL) < 0)
		abort();
	nostr_event_hash(two, again);
	if (memcmp(one, two, sizeof(one)) != 0)
		abort();
	return 0;
}
