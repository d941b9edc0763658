/* Retry delays that grow with jitter. */
#ifndef NET_BACKOFF_H
#define NET_BACKOFF_H

#include <stdint.h>

struct backoff {
	int64_t first_ms, max_ms, now_ms;
};

#define BACKOFF(first, max) ((struct backoff){.first_ms = (first), .max_ms = (max)})
int64_t backoff_next(struct backoff *b); /* doubles, +-30 % */
void backoff_reset(struct backoff *b);

#endif
