/*
 * What the store holds, who uses it, and how room is made. Nothing is counted on disk: an image is
 * used while a lease's folder says so (image_store.leases), a layer while an image has it or
 * a pull or a lease holds it, so no crash can leave a wrong count. The store's lock is held shared
 * while something becomes used, exclusively while something is taken away.
 */
#ifndef IMAGE_SHELF_H
#define IMAGE_SHELF_H

#include "base/auto.h"
#include "image/image.h"

struct image_entry {
	char digest[SPEC_DIGEST_SIZE]; /* of the manifest */
	uint64_t size;		       /* of all blobs, bytes */
	uint64_t bytes;		       /* of its unpacked layers */
	uint64_t own;		       /* of them, in no other image */
	uint32_t nlayers;
	int64_t used; /* wall: when it was last brought for somebody */
	char **names; /* references that mean it; NULL-ended */
	char **users; /* ids of leases; NULL-ended */
	bool held;    /* by a lease or a pull: it may not go */
};

struct image_shelf {
	struct image_entry *v; /* the least recently used first */
	size_t n;
	uint64_t bytes; /* of all unpacked layers */
};

int image_shelf_read(struct image_shelf *out, const struct image_store *s,
		     struct err *e) MUST_CHECK;
void image_shelf_clear(struct image_shelf *s);
#define auto_image_shelf __attribute__((cleanup(image_shelf_clear)))

enum { IMAGE_IN_USE = 2 };
/* Take an image away, with the layers that nobody else has. *bytes: what that gave back.
 * IMAGE_NOT_FOUND, IMAGE_IN_USE. */
int image_remove(const struct image_store *s, const char *digest, uint64_t *bytes,
		 struct err *e) MUST_CHECK;
/* Take away every image that nobody uses. */
int image_prune(const struct image_store *s, uint64_t *bytes, struct err *e) MUST_CHECK;
/* Take away unused images, the least recently used first, until `need` more bytes fit below
 * store_max. ERRK_LIMIT where what is used leaves no such room. */
int image_make_room(const struct image_store *s, uint64_t need, struct err *e) MUST_CHECK;
/* Inside src/image: take away the layers that no image has and nobody holds. */
int shelf_drop_orphans(const struct image_store *s, struct err *e) MUST_CHECK;

#endif
