/* Inside src/image: an OCI image layout on disk, opened without leaving its folder. */
#ifndef IMAGE_LAYOUT_H
#define IMAGE_LAYOUT_H

#include "base/buf.h"
#include "base/err.h"
#include "image/image.h"

/* "oci:PATH[:TAG]" taken apart; PATH must lie below one of store->layouts. */
struct layout_ref {
	char path[4096]; /* absolute */
	char tag[129];	 /* or "" */
};

/* IMAGE_NOT_FOUND where no folder has it. */
int layout_find(struct layout_ref *out, const struct image_store *store, const char *ref,
		struct err *e) MUST_CHECK;
int layout_open(int *dir, const char *path, struct err *e) MUST_CHECK;
/* Read index.json, or a blob, whose size and digest are verified. */
int layout_read_index(struct buf *out, int dir, struct err *e) MUST_CHECK;
int layout_read_blob(struct buf *out, int dir, const char *digest, uint64_t size,
		     struct err *e) MUST_CHECK;
/* A blob of the right size, not yet hashed. */
int layout_open_blob(int *fd, int dir, const char *digest, uint64_t size, struct err *e) MUST_CHECK;

#endif
