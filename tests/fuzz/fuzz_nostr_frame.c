/* Messages as a relay or a client sends them; what is read is written and read again. */
#include <stdlib.h>

#include "nostr/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_frame(struct buf *out, const struct nostr_frame *f, enum nostr_side from)
{
	if (f->type == NOSTR_FRAME_EVENT)
		nostr_frame_event(out, from == NOSTR_FROM_RELAY ? f->sub : NULL, f->event);
	else if (f->type == NOSTR_FRAME_REQ)
		nostr_frame_req(out, f->sub, f->filters, f->nfilters);
	else if (f->type == NOSTR_FRAME_OK)
		nostr_frame_ok(out, f->id, f->ok, "");
	else
		nostr_frame_eose(out, "s");
}

static void try_side(enum nostr_side from, struct str text)
{
	auto_frame struct nostr_frame f = {0}, again = {0};
	auto_buf struct buf out = BUF(8 * NOSTR_FRAME_MAX);
	enum nostr_side side = from;

	if (nostr_frame_read(&f, from, text, NULL) < 0)
		return;
	write_frame(&out, &f, from);
	if (f.type != NOSTR_FRAME_EVENT && f.type != NOSTR_FRAME_REQ)
		side = NOSTR_FROM_RELAY;
	/* An empty list in a filter is not written, and escapes make a text longer. */
	if (f.type != NOSTR_FRAME_REQ && out.n < NOSTR_FRAME_MAX &&
	    nostr_frame_read(&again, side, buf_view(&out), NULL) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size};

	try_side(NOSTR_FROM_RELAY, text);
	try_side(NOSTR_FROM_CLIENT, text);
	return 0;
}
