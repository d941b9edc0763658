/* Inside src/image: the store's folders, and making entries appear in them whole or not at all. */
#ifndef IMAGE_STORE_H
#define IMAGE_STORE_H

#include <stdbool.h>

#include "base/err.h"
#include "image/image.h"

enum store_folder { STORE_LAYERS, STORE_IMAGES, STORE_TMP, STORE_EMPTY };

char *store_path(const struct image_store *s, enum store_folder folder, const char *name);
int store_prepare(const struct image_store *s, struct err *e) MUST_CHECK; /* make the folders */
bool store_has_layer(const struct image_store *s, const char *diffid);
/* A new empty folder; the caller frees its path. */
int store_make_temporary(char **path, const struct image_store *s, struct err *e) MUST_CHECK;
/* Sync it and move it to its place. If somebody was faster, theirs stays and ours is removed. */
int store_add_layer(const struct image_store *s, const char *temporary, const char *diffid,
		    struct err *e) MUST_CHECK;
int store_add_image(const struct image_store *s, const struct image *i, struct err *e) MUST_CHECK;

#endif
