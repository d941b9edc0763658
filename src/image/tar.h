/* Inside src/image: a layer's tar, uncompressed and read by libarchive; both digests fall out. */
#ifndef IMAGE_TAR_H
#define IMAGE_TAR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/auto.h"
#include "base/err.h"
#include "image/image.h"

/* The strings last until the next entry. */
struct tar_entry {
	const char *path, *hardlink, *symlink; /* NULL: none */
	mode_t type;			       /* S_IFREG, …; 0: unknown */
	mode_t mode;
	int64_t uid, gid, size;
	struct timespec mtime; /* UTIME_OMIT: none that a file system knows */
};

struct tar_piece {
	const void *p;
	size_t n;
	int64_t offset; /* in the file */
};

struct tar_totals {
	uint8_t blob[32];   /* SHA-256 of what was read */
	uint8_t diffid[32]; /* … and of the uncompressed tar */
	uint64_t blob_size, bytes;
};

/* Loads the library, which a confined process cannot do. */
struct tar;
int tar_new(struct tar **out, struct err *e) MUST_CHECK;
void tar_free(struct tar *t);
DEFINE_AUTO(struct tar, tar_free)

/* Beyond a limit everything fails with ERRK_LIMIT. */
struct tar_ask {
	int in; /* the blob */
	enum image_compression compression;
	uint64_t blob_size;
	uint64_t bytes_max;    /* uncompressed … */
	const char *too_large; /* … and what to say where it is more */
	/* After the first ratio_free bytes at most so many times the blob's size. */
	uint64_t ratio_free;
	unsigned ratio_max;
	struct tar_totals *totals; /* counted on the way; the digests come at the end */
};
int tar_open(struct tar *t, const struct tar_ask *ask, struct err *e) MUST_CHECK;

enum { TAR_END = 1 };
int tar_next(struct tar *t, struct tar_entry *out, struct err *e) MUST_CHECK;
/* Of the entry's content; between pieces are holes. */
int tar_next_piece(struct tar *t, struct tar_piece *out, struct err *e) MUST_CHECK;
/* Of the entry's extended attributes; false: no more. */
bool tar_next_xattr(struct tar *t, const char **name, const void **value, size_t *n);

/* Read on to the blob's end: what lies behind the archive's belongs to both digests. */
int tar_end(struct tar *t, struct err *e) MUST_CHECK;

int tar_probe(struct err *e) MUST_CHECK;

#endif
