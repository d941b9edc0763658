/* A frame from a keeper, as the helper reads it. */
#include "priv_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct priv_frame f;
	struct err err;

	if (priv_frame_parse(&f, data, size, &err) < 0)
		return 0;
	if (f.type == PRIV_FRAME_REPLY && f.kind < KEEPER_KIND_COUNT)
		frame_round_trip(keeper_reply_table(f.kind), f.body);
	if (f.type == PRIV_FRAME_EVENT)
		frame_round_trip(&keeper_record_table, f.body);
	return 0;
}
