/*
 * Inside src/image: what keeps an image and its layers from being taken away. A lease's hold is the
 * file "image" in the lease's folder, and in those below its folder "beside", and goes with it;
 * beside it "image.before" while it gets another one. A pull's is a locked file in tmp/ and goes
 * with the process. All are text: the image's digest, then its layers', a line each.
 */
#ifndef IMAGE_HOLD_H
#define IMAGE_HOLD_H

#include "base/err.h"
#include "base/str.h"
#include "image/image.h"

#define HOLD_BESIDE   "beside" /* folder of further holds in a lease's */
#define HOLD_TEXT_MAX ((IMAGE_LAYERS_MAX + 1) * SPEC_DIGEST_SIZE)

struct hold {
	int fd;
	char *path;
};

/* For a pull. The store's lock is taken for a moment. */
int hold_begin(struct hold *h, const struct image_store *s, const struct image *i,
	       struct err *e) MUST_CHECK;
void hold_end(struct hold *h);
/* For store->holder, in place of the image that it had; nothing without a holder. The caller has
 * the store's lock, or a pull's hold of the same image. */
int hold_for_lease(const struct image_store *s, const struct image *i, struct err *e) MUST_CHECK;

/* Calls fn for every hold there is, with the lease's id (NULL: a pull) and each digest. Holds of
 * pulls that died are removed. With the store's lock, exclusive. */
typedef void hold_fn(void *ctx, const char *lease, struct str text);
int hold_each(const struct image_store *s, hold_fn *fn, void *ctx, struct err *e) MUST_CHECK;

#endif
