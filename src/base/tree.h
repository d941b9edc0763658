/*
 * Files and folders to and from an archive, never through a link that the archive or a stranger
 * made: folders are entered name by name without following links. What is named on the way in, the
 * place itself, is followed.
 */
#ifndef BASE_TREE_H
#define BASE_TREE_H

#include "base/buf.h"
#include "base/err.h"

#define TREE_ENTRIES_MAX 10000
#define TREE_DEPTH_MAX	 32

/* Append an archive of the file or folder `path` (from `dir` on, as openat) whose first name is the
 * path's last one. Sockets, pipes and devices are left out and counted. ERRK_LIMIT: more than
 * out->max. */
int tree_pack(struct buf *out, int dir, const char *path, unsigned *skipped,
	      struct err *e) MUST_CHECK;

enum tree_links {
	TREE_LINKS_ANY,	   /* as they are */
	TREE_LINKS_INSIDE, /* only those that cannot lead out of what is unpacked; others are left
			      out and counted */
};

/* -1 where the archive's first name is not the one that tree_pack gives to `path`: a stranger's
 * could replace another file beside it. */
int tree_check_name(struct str archive, const char *path, struct err *e) MUST_CHECK;

/* Unpack at `path`: into it where it is a folder, else as it. Files that are there are replaced,
 * folders are kept. Owners are ours; set-id bits are dropped. The archive may be a stranger's. */
int tree_unpack(int dir, const char *path, struct str archive, enum tree_links links,
		unsigned *skipped, struct err *e) MUST_CHECK;

#endif
