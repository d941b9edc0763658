/* A frame from the helper, as leased-core reads it. */
#include "priv_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct priv_frame f;
	struct err said, err;

	if (priv_frame_parse(&f, data, size, &err) < 0)
		return 0;
	if (f.type == PRIV_FRAME_REPLY && f.kind < PRIV_KIND_COUNT)
		frame_round_trip(priv_reply_table(f.kind), f.body);
	if (f.type == PRIV_FRAME_EVENT)
		frame_round_trip(&priv_event_table, f.body);
	if (f.type == PRIV_FRAME_ERROR && priv_error_decode(&said, f.body, &err) == 0)
		assert(said.kind != ERRK_NONE);
	return 0;
}
