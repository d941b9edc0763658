/*
 * A few files in one, sealed with a passphrase: "leased-backup-1\n", salt, then AES-256-GCM over
 * (name length, name, size, bytes) of each file, under a key that scrypt makes of the passphrase.
 */
#ifndef CTL_ARCHIVE_H
#define CTL_ARCHIVE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define ARCHIVE_MAX	  ((size_t)1 << 30) /* bytes of all files together */
#define ARCHIVE_FILES_MAX 8
#define ARCHIVE_NAME_MAX  32

struct archive {
	struct archive_file {
		char name[ARCHIVE_NAME_MAX + 1];
		struct buf data;
	} files[ARCHIVE_FILES_MAX];
	size_t n;
};

void archive_free(struct archive *a); /* what it owns */
#define auto_archive __attribute__((cleanup(archive_free)))
/* An empty file, to be filled; more than ARCHIVE_FILES_MAX is our own bug. */
struct buf *archive_add(struct archive *a, const char *name);
const struct buf *archive_find(const struct archive *a, const char *name); /* NULL: none */

int archive_seal(struct buf *out, const struct archive *a, struct str passphrase,
		 struct err *e) MUST_CHECK;
int archive_open(struct archive *out, struct str sealed, struct str passphrase,
		 struct err *e) MUST_CHECK;

#endif
