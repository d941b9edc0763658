/* What image references were last found to mean, so that asking for a warm one needs no worker. */
#ifndef HELPER_FOUND_H
#define HELPER_FOUND_H

#include <stdbool.h>

#include "base/auto.h"
#include "image/image.h"
#include "priv/msg.h"

struct found;

struct found *found_new(void);
void found_free(struct found *f);
DEFINE_AUTO(struct found, found_free)

/* Taken before the reference is looked up: false where it cannot be remembered. */
bool found_stamp(struct image_stamp *out, const char *ref);
/* Copies. */
void found_put(struct found *f, const char *ref, const struct image_stamp *at,
	       const struct priv_image_reply *r);
/* The answer, borrowed, if the layout is the same as then; else NULL. */
const struct priv_image_reply *found_get(const struct found *f, const char *ref);

#endif
