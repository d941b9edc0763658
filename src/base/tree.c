#include "base/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/ustar.h"

static const char *last_name(const char *path, size_t *n)
{
	size_t end = strlen(path), begin;

	while (end > 0 && path[end - 1] == '/')
		end--;
	begin = end;
	while (begin > 0 && path[begin - 1] != '/')
		begin--;
	*n = end - begin;
	return path + begin;
}

static bool is_dots(struct str name)
{
	return str_is(name, ".") || str_is(name, "..");
}

/* The first name of an archive of `path`. */
static struct str first_name(const char *path)
{
	size_t n;
	const char *name = last_name(path, &n);

	if (n == 0 || is_dots((struct str){name, n}) || n > USTAR_PATH_MAX)
		return STR("root");
	return (struct str){name, n};
}

/* --- packing --- */

struct pack {
	struct buf *out;
	struct ustar_entry *entry; /* of which `path` is kept on the way down */
	unsigned depth, entries, skipped;
};

static int count_entry(struct pack *p, struct err *e)
{
	if (++p->entries > TREE_ENTRIES_MAX)
		return err_set(e, ERRK_LIMIT, "more than %d files", TREE_ENTRIES_MAX);
	return 0;
}

static int skip(struct pack *p, struct err *e)
{
	p->skipped++;
	return count_entry(p, e);
}

static int add(struct pack *p, const struct stat *st, const void *data, struct err *e)
{
	struct ustar_entry *t = p->entry;

	t->mode = st->st_mode & 07777;
	t->mtime = st->st_mtime;
	if (count_entry(p, e) < 0)
		return -1;
	ustar_add(p->out, t, data);
	return p->out->failed ? err_set(e, ERRK_LIMIT, "more than %zu bytes", p->out->max) : 0;
}

/* A file may grow and shrink under our hands: what is read is what counts. */
static int pack_file(struct pack *p, int fd, const struct stat *st, struct err *e)
{
	auto_buf struct buf data = BUF(p->out->max);
	char piece[8192];
	ssize_t n;

	while ((n = read(fd, piece, sizeof(piece))) > 0 && !data.failed)
		buf_add(&data, piece, (size_t)n);
	if (n < 0)
		return err_sys(e, "read %s", p->entry->path);
	if (data.failed)
		return err_set(e, ERRK_LIMIT, "%s: more than %zu bytes", p->entry->path,
			       p->out->max);
	p->entry->kind = USTAR_FILE;
	p->entry->size = data.n;
	return add(p, st, data.p, e);
}

static int pack_link(struct pack *p, int dir, const char *name, const struct stat *st,
		     struct err *e)
{
	ssize_t n = readlinkat(dir, name, p->entry->target, sizeof(p->entry->target));

	if (n < 0 || n > USTAR_PATH_MAX)
		return err_sys(e, "read link %s", p->entry->path);
	p->entry->target[n] = 0;
	p->entry->kind = USTAR_LINK;
	return add(p, st, NULL, e);
}

static int pack_child(struct pack *p, int dir, const char *name, struct err *e);

static int pack_folder(struct pack *p, int fd, const struct stat *st, struct err *e)
{
	auto_closedir DIR *d = NULL;
	size_t end = strlen(p->entry->path);
	struct dirent *entry;
	int own = dup(fd);

	d = own < 0 ? NULL : fdopendir(own);
	if (!d)
		return err_sys(e, "open %s", p->entry->path);
	p->entry->kind = USTAR_FOLDER;
	if (add(p, st, NULL, e) < 0)
		return -1;
	if (++p->depth > TREE_DEPTH_MAX)
		return err_set(e, ERRK_LIMIT, "%s: more than %d folders deep", p->entry->path,
			       TREE_DEPTH_MAX);
	while ((entry = readdir(d))) {
		size_t n = strlen(entry->d_name);

		if (is_dots(str_of(entry->d_name)))
			continue;
		if (end + 1 + n > USTAR_PATH_MAX)
			return err_set(e, ERRK_LIMIT, "%s: the path is too long", p->entry->path);
		p->entry->path[end] = '/';
		memcpy(p->entry->path + end + 1, entry->d_name, n + 1);
		if (pack_child(p, dirfd(d), entry->d_name, e) < 0)
			return -1;
		p->entry->path[end] = 0;
	}
	p->depth--;
	return 0;
}

static int pack_open(struct pack *p, int fd, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "look at %s", p->entry->path);
	if (S_ISREG(st.st_mode))
		return pack_file(p, fd, &st, e);
	if (S_ISDIR(st.st_mode))
		return pack_folder(p, fd, &st, e);
	return skip(p, e);
}

static int pack_child(struct pack *p, int dir, const char *name, struct err *e)
{
	auto_close int fd = -1;
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "look at %s", p->entry->path);
	if (S_ISLNK(st.st_mode))
		return pack_link(p, dir, name, &st, e);
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return skip(p, e);
	/* It may be another one by now: not blocking, not following. */
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "open %s", p->entry->path);
	return pack_open(p, fd, e);
}

int tree_pack(struct buf *out, int dir, const char *path, unsigned *skipped, struct err *e)
{
	auto_free struct ustar_entry *t = mem_zero(sizeof(*t));
	struct pack p = {.out = out, .entry = t};
	auto_close int fd = -1;
	struct str name = first_name(path);
	struct stat st;

	memcpy(t->path, name.p, name.n);
	if (fstatat(dir, path, &st, 0) < 0)
		return err_sys(e, "%s", path);
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return err_set(e, ERRK_INPUT, "%s: neither a file nor a folder", path);
	fd = openat(dir, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "%s", path);
	if (pack_open(&p, fd, e) < 0)
		return -1;
	*skipped = p.skipped;
	ustar_finish(out);
	return buf_check(out, "archive", e);
}

/* --- unpacking --- */

struct unpack {
	int base;	    /* where the archive's first name goes … */
	const char *rename; /* … as this, or NULL */
	struct str first;   /* that first name */
	enum tree_links links;
	unsigned entries, skipped;
};

static int bad_name(const struct ustar_entry *t, struct err *e)
{
	char shown[200];

	str_printable(shown, sizeof(shown), str_of(t->path));
	return err_set(e, ERRK_INPUT, "archive: the name %s", shown);
}

/* The folder that the entry lies in, entered name by name; its last name. */
static int open_parent(const struct unpack *u, const struct ustar_entry *t, int *out,
		       char name[static USTAR_PATH_MAX + 1], unsigned *depth, struct err *e)
{
	auto_close int at = dup(u->base);
	struct str rest = str_of(t->path), piece, next;

	*depth = 0;
	if (!str_cut(&rest, '/', &piece) || !str_eq(piece, u->first))
		return bad_name(t, e);
	if (u->rename)
		piece = str_of(u->rename);
	while (str_cut(&rest, '/', &next)) {
		int deeper;

		if (next.n == 0 && rest.n == 0) /* a slash at a folder's end */
			break;
		if (next.n == 0 || is_dots(next) || ++*depth > TREE_DEPTH_MAX)
			return bad_name(t, e);
		memcpy(name, piece.p, piece.n);
		name[piece.n] = 0;
		deeper = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (deeper < 0)
			return err_sys(e, "%s", t->path);
		close(at);
		at = deeper;
		piece = next;
	}
	memcpy(name, piece.p, piece.n);
	name[piece.n] = 0;
	*out = steal_fd(&at);
	return *out < 0 ? err_sys(e, "%s", t->path) : 0;
}

static int make_folder(int dir, const char *name, const struct ustar_entry *t, struct err *e)
{
	auto_close int fd = -1;

	if (mkdirat(dir, name, 0700) == 0) {
		fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 || fchmod(fd, (t->mode & 0777) | 0700) < 0)
			return err_sys(e, "make %s", t->path);
		return 0;
	}
	if (errno == EEXIST)
		fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_sys(e, "make %s", t->path) : 0;
}

static int make_file(int dir, const char *name, const struct ustar_entry *t, struct str data,
		     struct err *e)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, {.tv_sec = t->mtime}};
	auto_close int fd = -1;

	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return err_sys(e, "replace %s", t->path);
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, "make %s", t->path);
	if (fs_write_all(fd, data.p, data.n, e) < 0)
		return err_wrap(e, "%s", t->path);
	if (fchmod(fd, t->mode & 0777) < 0 || futimens(fd, times) < 0)
		return err_sys(e, "make %s", t->path);
	return 0;
}

/* Up from the link's own folder, at most to the top, and only down from there: then no chain of
 * such links leads out. */
static bool leads_inside(const char *target, unsigned depth)
{
	struct str rest = str_of(target), piece;
	unsigned up = 0;
	bool down = false;

	if (depth == 0 || !*target || *target == '/')
		return false;
	while (str_cut(&rest, '/', &piece)) {
		if (!str_is(piece, "..")) {
			down |= piece.n > 0 && !str_is(piece, ".");
			continue;
		}
		if (down || ++up >= depth)
			return false;
	}
	return true;
}

static int make_link(struct unpack *u, int dir, const char *name, const struct ustar_entry *t,
		     unsigned depth, struct err *e)
{
	if (u->links == TREE_LINKS_INSIDE && !leads_inside(t->target, depth)) {
		u->skipped++;
		return 0;
	}
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return err_sys(e, "replace %s", t->path);
	return symlinkat(t->target, dir, name) < 0 ? err_sys(e, "link %s", t->path) : 0;
}

static int unpack_entry(struct unpack *u, const struct ustar_entry *t, struct str data,
			struct err *e)
{
	auto_free char *name = mem_zero(USTAR_PATH_MAX + 1);
	auto_close int dir = -1;
	unsigned depth;

	if (++u->entries > TREE_ENTRIES_MAX)
		return err_set(e, ERRK_LIMIT, "more than %d files", TREE_ENTRIES_MAX);
	if (open_parent(u, t, &dir, name, &depth, e) < 0)
		return -1;
	switch (t->kind) {
	case USTAR_FOLDER:
		return make_folder(dir, name, t, e);
	case USTAR_FILE:
		return make_file(dir, name, t, data, e);
	case USTAR_LINK:
		return make_link(u, dir, name, t, depth, e);
	}
	return 0;
}

int tree_check_name(struct str archive, const char *path, struct err *e)
{
	auto_free struct ustar_entry *t = mem_zero(sizeof(*t));
	struct str data, rest, name = {"", 0};
	int r = ustar_next(&archive, t, &data, e);

	if (r != 0)
		return r < 0 ? -1 : err_set(e, ERRK_INPUT, "archive: empty");
	rest = str_of(t->path);
	return str_cut(&rest, '/', &name) && str_eq(name, first_name(path)) ? 0 : bad_name(t, e);
}

/* Into `path` where that is a folder, else beside it under its name. */
static int open_base(struct unpack *u, int dir, const char *path, char **rename, struct err *e)
{
	auto_free char *parent = NULL;
	const char *name;
	size_t n;

	u->base = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (u->base >= 0)
		return 0;
	name = last_name(path, &n);
	if (n == 0 || is_dots((struct str){name, n}) || name[n] == '/' ||
	    (errno != ENOENT && errno != ENOTDIR))
		return err_sys(e, "%s", path);
	parent = name == path ? mem_strdup(".") : mem_strndup(path, (size_t)(name - path));
	u->base = openat(dir, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (u->base < 0)
		return err_sys(e, "%s", parent);
	*rename = mem_strndup(name, n);
	return 0;
}

int tree_unpack(int dir, const char *path, struct str archive, enum tree_links links,
		unsigned *skipped, struct err *e)
{
	auto_free struct ustar_entry *t = mem_zero(sizeof(*t));
	auto_free char *rename = NULL, *first = NULL;
	struct unpack u = {.base = -1, .links = links};
	auto_close int base = -1;
	struct str data, rest, name;
	int r;

	if (open_base(&u, dir, path, &rename, e) < 0)
		return -1;
	base = u.base;
	u.rename = rename;
	while ((r = ustar_next(&archive, t, &data, e)) == 0) {
		rest = str_of(t->path);
		if (!first) {
			if (!str_cut(&rest, '/', &name) || name.n == 0 || is_dots(name))
				return bad_name(t, e);
			first = mem_strndup(name.p, name.n);
			u.first = str_of(first);
		}
		if (unpack_entry(&u, t, data, e) < 0)
			return -1;
	}
	*skipped = u.skipped;
	return r < 0 ? -1 : first ? 0 : err_set(e, ERRK_INPUT, "archive: empty");
}
