/* Inside src/image: the store's folders, and making entries appear in them whole or not at all. */
#ifndef IMAGE_STORE_H
#define IMAGE_STORE_H

#include <stdbool.h>

#include "base/err.h"
#include "image/image.h"

enum store_folder { STORE_LAYERS, STORE_IMAGES, STORE_NAMES, STORE_TMP, STORE_EMPTY };

char *store_path(const struct image_store *s, enum store_folder folder, const char *name);
int store_prepare(const struct image_store *s, struct err *e) MUST_CHECK; /* make the folders */
/* The store's lock, for the life of the descriptor; waits. */
enum store_lock { STORE_SHARED, STORE_EXCLUSIVE };
int store_lock(int *fd, const struct image_store *s, enum store_lock how, struct err *e) MUST_CHECK;

bool store_has_layer(const struct image_store *s, const char *diffid);
/* What a layer takes, as store_add_layer was told; 0: not known. */
uint64_t store_layer_bytes(const struct image_store *s, const char *diffid);
/* Move it out of its place, to be removed: *path, the caller's to free. */
int store_drop_layer(char **path, const struct image_store *s, const char *diffid,
		     struct err *e) MUST_CHECK;
/* A new empty folder; the caller frees its path. */
int store_make_temporary(char **path, const struct image_store *s, struct err *e) MUST_CHECK;
/* Sync it and move it to its place. If somebody was faster, theirs stays and ours is removed.
 * `bytes`: what it takes. */
int store_add_layer(const struct image_store *s, const char *temporary, const char *diffid,
		    uint64_t bytes, struct err *e) MUST_CHECK;
int store_add_image(const struct image_store *s, const struct image *i, struct err *e) MUST_CHECK;
/* Its record's time is now: it was used. */
void store_touch_image(const struct image_store *s, const char *digest);

/* Remember what a reference means, until it means something else. */
int store_set_name(const struct image_store *s, const char *ref, const char *digest,
		   struct err *e) MUST_CHECK;
/* What it meant then; false: never set. */
bool store_get_name(char digest[static SPEC_DIGEST_SIZE], const struct image_store *s,
		    const char *ref);
/* One of the files in names/: false where it is none. */
bool store_read_name(char ref[static SPEC_IMAGE_MAX + 1], char digest[static SPEC_DIGEST_SIZE],
		     const struct image_store *s, const char *file);
/* Calls fn for each name in a folder, until it returns non-zero, and returns that. */
int store_each(const struct image_store *s, enum store_folder folder,
	       int (*fn)(void *ctx, const char *name, struct err *e), void *ctx,
	       struct err *e) MUST_CHECK;

#endif
