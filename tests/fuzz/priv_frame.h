/* Shared by the fuzz targets of the message layer: what decodes must encode, and be stable. */
#ifndef TESTS_FUZZ_PRIV_FRAME_H
#define TESTS_FUZZ_PRIV_FRAME_H

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "priv/keeper_msg.h"

static inline void frame_round_trip(const struct wire_table *t, struct str body)
{
	auto_buf struct buf one = BUF(PRIV_FRAME_MAX), two = BUF(PRIV_FRAME_MAX);
	auto_free void *msg = mem_zero(t->size);
	auto_free void *again = mem_zero(t->size);
	struct err err;

	if (wire_decode(msg, t, body, &err) < 0)
		return;
	assert(wire_encode(&one, t, msg, &err) == 0);
	assert(wire_decode(again, t, buf_view(&one), &err) == 0);
	assert(wire_encode(&two, t, again, &err) == 0);
	assert(one.n == two.n && (one.n == 0 || memcmp(one.p, two.p, one.n) == 0));
	wire_clear(msg, t);
	wire_clear(again, t);
}

#endif
