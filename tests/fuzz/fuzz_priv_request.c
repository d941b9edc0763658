/* A frame from leased-core, as the helper reads it. */
#include "priv_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct priv_frame f;
	struct err err;

	if (priv_frame_parse(&f, data, size, &err) < 0)
		return 0;
	if (f.type == PRIV_FRAME_REQUEST && f.kind < PRIV_KIND_COUNT)
		frame_round_trip(priv_request_table(f.kind), f.body);
	return 0;
}
