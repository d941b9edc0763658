/* For tests: small image layouts, honest and hostile, made in a folder. */
#ifndef MAKE_LAYOUT_H
#define MAKE_LAYOUT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "image/image.h"

struct tar_entry {
	const char *path;
	mode_t type;	     /* S_IFREG … */
	mode_t mode;	     /* 0: 0644 or 0755 */
	const char *content; /* of a file; target of a symbolic link */
	size_t content_n;    /* 0: strlen */
	const char *hardlink;
	uint32_t uid, gid;
	const char *xattr; /* name */
	const void *xattr_value;
	size_t xattr_n;
	uint64_t hole;	 /* bytes before the content that are none (a sparse file) */
	uint64_t repeat; /* so many of it, a number after the path; their content is empty */
};

struct tar_layer {
	const struct tar_entry *entries;
	size_t n;
	enum image_compression compression;
	enum { LAYER_HONEST, LAYER_WRONG_DIFFID, LAYER_WRONG_BLOB, LAYER_WRONG_SIZE } lie;
};

/* Add an image with this tag. `config` is the JSON object of "config" ("{}" at least). Overwrites
 * index.json: one image a layout. */
void make_layout(const char *dir, const char *tag, const struct tar_layer *layers, size_t n,
		 const char *config);

#endif
