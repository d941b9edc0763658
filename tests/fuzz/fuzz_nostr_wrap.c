/* Gift wraps. The first byte says which layer the rest is: w wrap, s text of a seal, r text of a
 * rumor; the layers around it are made here, so that the inner ones are reached at all. */
#include <stdlib.h>

#include "nostr/nip44.h"
#include "nostr/wrap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct secret recipient = {{[31] = 2}}, sender = {{[31] = 1}};

/* An event around `text`, encrypted by the sender for the recipient. */
static struct nostr_event *around(uint32_t kind, struct str text, const struct pubkey *to)
{
	auto_buf struct buf payload = BUF(NIP44_PAYLOAD_MAX);
	struct nostr_event *ev;
	struct secret key;

	if (nip44_key(&key, &sender, to, NULL) < 0 || nip44_encrypt(&payload, &key, text, NULL) < 0)
		return NULL;
	ev = nostr_event_new(kind, 1760000000, buf_view(&payload));
	if (kind == NOSTR_WRAP)
		nostr_event_tag_key(ev, "p", to);
	if (nostr_event_sign(ev, &sender, NULL) < 0)
		abort();
	return ev;
}

static struct nostr_event *make(uint8_t layer, struct str text, const struct pubkey *to)
{
	auto_event struct nostr_event *seal = NULL;
	auto_buf struct buf sealed = BUF(NIP44_PAYLOAD_MAX);
	struct nostr_event *ev = NULL;

	if (layer == 'w')
		return nostr_event_parse(&ev, text, NULL) < 0 ? NULL : ev;
	if (layer == 's')
		return around(NOSTR_WRAP, text, to);
	seal = around(NOSTR_SEAL, text, to);
	if (!seal)
		return NULL;
	nostr_event_write(&sealed, seal);
	return around(NOSTR_WRAP, buf_view(&sealed), to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_event struct nostr_event *wrap = NULL, *rumor = NULL;
	struct nostr_unwrap_key me;
	struct pubkey author;

	if (size == 0 || nostr_unwrap_key(&me, &recipient, NULL) < 0 ||
	    !pubkey_of(&author, &sender))
		return 0;
	wrap = make(data[0], (struct str){(const char *)data + 1, size - 1}, &me.pubkey);
	if (!wrap || nostr_unwrap(&rumor, wrap, &me, NULL) < 0)
		return 0;
	if (data[0] == 'r' && !pubkey_eq(&rumor->pubkey, &author))
		abort();
	return 0;
}
