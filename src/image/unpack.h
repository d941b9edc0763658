/* Inside src/image: one layer's tar to files. */
#ifndef IMAGE_UNPACK_H
#define IMAGE_UNPACK_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "image/image.h"
#include "image/tar.h"

#define UNPACK_ENTRIES_MAX 1000000
#define UNPACK_OPAQUE_MAX  (1 << 20) /* bytes of opaque folders' names */
#define UNPACK_SECONDS_MAX 900
/* A layer may become so many times its blob's size, after the first bytes. */
#define UNPACK_RATIO_MAX  100
#define UNPACK_RATIO_FREE (UINT64_C(64) << 20)

#define UNPACK_TOO_LARGE "the image is larger than allowed"
#define UNPACK_DISK_FULL "the disk of the image store is full"

struct unpack {
	struct tar *tar; /* new, with its library loaded: a confined child cannot */
	enum image_compression compression;
	uint64_t blob_size;
	uint64_t bytes_max;    /* of the uncompressed layer, and of any file in it … */
	const char *too_large; /* … and what to say where it is more */
	uint64_t entries_max;  /* files, folders, links and whiteouts */
};

struct unpack_result {
	struct tar_totals tar;
	uint64_t entries;
	uint64_t stored; /* what the files take, about: in blocks of 4096 */
};

/* For confine_run(): reads the blob from CONFINE_INPUT, writes below "/". `arg` is a struct unpack,
 * the answer a struct unpack_result, the tail the paths of opaque folders, each ended by NUL. */
int unpack_layer(const void *arg, void *answer, struct buf *opaque, struct err *e) MUST_CHECK;

#endif
