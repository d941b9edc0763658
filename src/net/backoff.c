#include "net/backoff.h"

#include "base/secret.h"

int64_t backoff_next(struct backoff *b)
{
	int64_t spread;

	if (b->now_ms == 0)
		b->now_ms = b->first_ms;
	else
		b->now_ms = b->now_ms > b->max_ms / 2 ? b->max_ms : 2 * b->now_ms;
	spread = b->now_ms * 3 / 10;
	return b->now_ms - spread + (int64_t)rand_below((uint64_t)(2 * spread + 1));
}

void backoff_reset(struct backoff *b)
{
	b->now_ms = 0;
}
