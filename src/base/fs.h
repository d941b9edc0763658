/* Files: read whole under a cap, write-new-then-rename with fsync, folders, descriptor paths. */
#ifndef BASE_FS_H
#define BASE_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

enum { FS_NOT_FOUND = 1 };

/* Append the file to `out` (whose max is the cap). FS_NOT_FOUND where there is none. */
int fs_read(struct buf *out, const char *path, struct err *e) MUST_CHECK;
int fs_read_at(struct buf *out, int dirfd, const char *name, struct err *e) MUST_CHECK;
/* All that still comes from `fd`; `name` is for messages. Keeps no copy, unlike stdio. */
int fs_read_fd(struct buf *out, int fd, const char *name, struct err *e) MUST_CHECK;
/* As fs_read, but -1 unless the file is ours or root's (for root: anybody's) and readable by nobody
 * else. */
int fs_read_secret(struct buf *out, const char *path, struct err *e) MUST_CHECK;
/* Write a temporary file beside it, fsync, rename, fsync the folder. */
int fs_write(const char *path, const void *p, size_t n, mode_t mode, struct err *e) MUST_CHECK;
/* As fs_write but fails if the path exists (link, not rename). */
int fs_write_new(const char *path, const void *p, size_t n, mode_t mode, struct err *e) MUST_CHECK;
/* The same for what others write: an empty file (0600) of a name that nobody had beside `path`, and
 * its move there, synced with its folder. It is gone where that fails; FS_NEW: also where the path
 * exists. */
int fs_temporary(char **out, const char *path, struct err *e) MUST_CHECK;
enum fs_place { FS_REPLACE, FS_NEW };
int fs_place(const char *tmp, const char *path, enum fs_place how, struct err *e) MUST_CHECK;
int fs_mkdirs(const char *path, mode_t mode, struct err *e) MUST_CHECK; /* with parents */
bool fs_exists(const char *path);
/* Remove a tree without following links or leaving its file system; absent is fine. */
int fs_remove_tree(const char *path, struct err *e) MUST_CHECK;
/* True where the path lies on tmpfs or ramfs. */
bool fs_is_memory(const char *path);
int fs_write_all(int fd, const void *p, size_t n, struct err *e) MUST_CHECK;
/* The next `n` bytes; -1 also where there are fewer. */
int fs_read_exactly(int fd, void *p, size_t n) MUST_CHECK;
/* Take an exclusive lock on a file (created 0600); -1 with ERRK_STATE when another holds it. */
int fs_lock(int *fd, const char *path, struct err *e) MUST_CHECK;

#endif
