/*
 * Tar archives in memory (POSIX ustar with pax path records), as far as files are copied between a
 * buyer and a lease: files, folders and symbolic links. Reading trusts nothing.
 */
#ifndef BASE_USTAR_H
#define BASE_USTAR_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define USTAR_PATH_MAX 4095

enum ustar_kind { USTAR_FILE, USTAR_FOLDER, USTAR_LINK };

/* About 8 KB. */
struct ustar_entry {
	enum ustar_kind kind;
	char path[USTAR_PATH_MAX + 1];
	char target[USTAR_PATH_MAX + 1]; /* of a link */
	uint32_t mode;			 /* twelve bits */
	uint64_t size;			 /* of a file */
	int64_t mtime;
};

/* Append one entry, for a file with its `size` bytes at `data`. The caller looks at out->failed. */
void ustar_add(struct buf *out, const struct ustar_entry *t, const void *data);
void ustar_finish(struct buf *out);

/* Take the next entry off `rest`. Anything that is not one of the kinds above, or not whole, is an
 * error. The path is whatever the archive says. */
enum { USTAR_END = 1 };
int ustar_next(struct str *rest, struct ustar_entry *out, struct str *data,
	       struct err *e) MUST_CHECK;

#endif
