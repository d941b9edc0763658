/* A bounded memory of event ids: the oldest are forgotten first. Grows with use up to its limit. */
#ifndef NOSTR_SEEN_H
#define NOSTR_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"

struct seen;
struct seen *seen_new(size_t max);
void seen_free(struct seen *s);
DEFINE_AUTO(struct seen, seen_free)
bool seen_has(const struct seen *s, const uint8_t id[static 32]);
/* True where the id was not there before. */
bool seen_add(struct seen *s, const uint8_t id[static 32]);
size_t seen_count(const struct seen *s);

#endif
