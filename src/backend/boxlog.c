/* The two files of a log: append, turn over, read by absolute offset. */
#include "backend/boxlog.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

#define NAME_LEN 20
#define TAIL_MAX 32768	 /* longer than a line */
#define SPARE	 "spare" /* the inode of the second file, until there is one */

struct boxlog {
	char *dir;
	int fd;		/* of the newest file */
	uint64_t start; /* its first byte's offset */
	uint64_t size;	/* bytes in it */
	uint64_t max;	/* of one file */
	bool have_older;
	uint64_t older;
	uid_t writer;
};

/* The offsets of the two newest files; how many there are (older ones are left-overs). */
struct files {
	uint64_t start[2]; /* ascending; the last is the newest */
	unsigned n;
};

static char *file_path(const char *dir, uint64_t start)
{
	return mem_printf("%s/%0*" PRIu64, dir, NAME_LEN, start);
}

static bool parse_name(const char *name, uint64_t *start)
{
	*start = 0;
	if (strlen(name) != NAME_LEN)
		return false;
	for (; *name; name++) {
		if (*name < '0' || *name > '9' || *start > BOXLOG_END / 10)
			return false;
		*start = *start * 10 + (uint64_t)(*name - '0');
	}
	return true;
}

static void files_add(struct files *f, uint64_t start)
{
	if (f->n == 0 || start > f->start[f->n - 1]) {
		if (f->n == 2)
			f->start[0] = f->start[1];
		else
			f->n++;
		f->start[f->n - 1] = start;
	} else if (f->n == 1) {
		f->start[1] = f->start[0];
		f->start[0] = start;
		f->n = 2;
	} else if (start > f->start[0]) {
		f->start[0] = start;
	}
}

static int files_find(struct files *f, const char *dir, struct err *e)
{
	auto_closedir DIR *d = opendir(dir);
	struct dirent *entry;
	uint64_t start;

	*f = (struct files){.n = 0};
	if (!d)
		return errno == ENOENT ? 0 : err_sys(e, "open %s", dir);
	while ((entry = readdir(d)))
		if (parse_name(entry->d_name, &start))
			files_add(f, start);
	return 0;
}

static int open_newest(struct boxlog *l, struct err *e)
{
	auto_free char *path = file_path(l->dir, l->start);
	struct stat st;

	l->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (l->fd < 0 || fstat(l->fd, &st) < 0)
		return err_sys(e, "open %s", path);
	l->size = (uint64_t)st.st_size;
	return 0;
}

/* Whoever wrote last may have been killed in the middle of a line. */
static int drop_fragment(struct boxlog *l, struct err *e)
{
	auto_free char *path = file_path(l->dir, l->start);
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char last[TAIL_MAX];
	uint64_t from = l->size > sizeof(last) ? l->size - sizeof(last) : 0;
	ssize_t n = fd < 0 ? -1 : pread(fd, last, sizeof(last), (off_t)from);
	const char *end = n > 0 ? memrchr(last, '\n', (size_t)n) : NULL;

	if (n < 0)
		return err_sys(e, "read %s", path);
	if (n == 0 || (!end && from > 0))
		return 0;
	l->size = end ? from + (uint64_t)(end + 1 - last) : 0;
	return ftruncate(l->fd, (off_t)l->size) < 0 ? err_sys(e, "cut %s", path) : 0;
}

/* Both inodes are taken before there is a tenant that could take all. */
static void make_spare(const struct boxlog *l)
{
	auto_free char *path = mem_printf("%s/" SPARE, l->dir);
	auto_close int fd = -1;

	if (!l->have_older) /* without it the second file is made when it is needed */
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static int open_files(struct boxlog *l, struct err *e)
{
	struct files f;

	if (fs_mkdirs(l->dir, 0700, e) < 0 || files_find(&f, l->dir, e) < 0)
		return -1;
	l->have_older = f.n == 2;
	l->older = f.start[0];
	l->start = f.n ? f.start[f.n - 1] : 0;
	make_spare(l);
	return open_newest(l, e) < 0 ? -1 : drop_fragment(l, e);
}

int boxlog_open(struct boxlog **out, const char *dir, uint64_t max, struct err *e)
{
	AUTO(boxlog_free) struct boxlog *l = mem_zero(sizeof(*l));

	l->dir = mem_strdup(dir);
	l->max = max / 2;
	l->fd = -1;
	l->writer = geteuid();
	if (open_files(l, e) < 0)
		return -1;
	*out = steal(&l);
	return 0;
}

void boxlog_free(struct boxlog *l)
{
	if (!l)
		return;
	if (l->fd >= 0)
		close(l->fd);
	free(l->dir);
	free(l);
}

/* The oldest file becomes the newest: no inode, and no block that was not there, is needed. Emptied
 * first, so that what is old is never read as new. */
static int turn_over(struct boxlog *l, struct err *e)
{
	auto_free char *oldest =
		l->have_older ? file_path(l->dir, l->older) : mem_printf("%s/" SPARE, l->dir);
	auto_free char *newest = file_path(l->dir, l->start + l->size);

	if (truncate(oldest, 0) < 0 || rename(oldest, newest) < 0)
		unlink(oldest);
	l->have_older = true;
	l->older = l->start;
	l->start += l->size;
	close(steal_fd(&l->fd));
	return open_newest(l, e);
}

void boxlog_write_as(struct boxlog *l, uid_t uid)
{
	l->writer = uid;
}

static int write_lines(const struct boxlog *l, struct str lines, struct err *e)
{
	int r;

	setfsuid(l->writer);
	r = fs_write_all(l->fd, lines.p, lines.n, e);
	setfsuid(geteuid());
	return r;
}

int boxlog_append(struct boxlog *l, struct str lines, struct err *e)
{
	if (l->fd < 0 && open_newest(l, e) < 0)
		return -1;
	if (l->size > 0 && l->size + lines.n > l->max && turn_over(l, e) < 0)
		return -1;
	if (write_lines(l, lines, e) < 0) {
		if (ftruncate(l->fd, (off_t)l->size) < 0)
			err_wrap(e, "a part of a line stays");
		return -1;
	}
	l->size += lines.n;
	return 0;
}

/* reading */

static bool is_named(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && lstat(path, &b) == 0 && a.st_ino == b.st_ino;
}

/* Read up to `max` bytes of one file from absolute `*offset` on; moves it. Nothing where it was
 * turned over meanwhile. */
static int read_file(struct buf *out, const char *dir, uint64_t start, uint64_t *offset, size_t max,
		     struct err *e)
{
	auto_free char *path = file_path(dir, start);
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char piece[16384];
	size_t before = out->n;
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "open %s", path);
	for (; max > 0; max -= (size_t)n) {
		n = pread(fd, piece, max < sizeof(piece) ? max : sizeof(piece),
			  (off_t)(*offset + (out->n - before) - start));
		if (n < 0)
			return err_sys(e, "read %s", path);
		if (n == 0)
			break;
		buf_add(out, piece, (size_t)n);
	}
	if (is_named(fd, path))
		*offset += out->n - before;
	else
		buf_truncate(out, before);
	return 0;
}

static int file_end(const char *dir, uint64_t start, uint64_t *end, struct err *e)
{
	auto_free char *path = file_path(dir, start);
	struct stat st;

	if (lstat(path, &st) < 0)
		return err_sys(e, "look at %s", path);
	*end = start + (uint64_t)st.st_size;
	return 0;
}

/* Drop what follows the last newline, unless that is all there is; what is dropped comes next time.
 */
static void keep_lines(struct buf *piece, struct boxlog_piece *p)
{
	const char *end = piece->n ? memrchr(piece->p, '\n', piece->n) : NULL;

	if (!end)
		return;
	p->next -= piece->n - (size_t)(end + 1 - piece->p);
	piece->n = (size_t)(end + 1 - piece->p);
}

int boxlog_read(struct buf *out, const char *dir, uint64_t offset, size_t max,
		struct boxlog_piece *p, struct err *e)
{
	auto_buf struct buf piece = BUF(max);
	struct files f;

	*p = (struct boxlog_piece){0};
	if (files_find(&f, dir, e) < 0)
		return -1;
	if (f.n == 0)
		return 0;
	if (file_end(dir, f.start[f.n - 1], &p->end, e) < 0)
		return -1;
	if (offset > p->end)
		offset = p->end;
	p->offset = p->next = offset;
	for (unsigned i = 0; i < f.n; i++) {
		uint64_t stop = i + 1 < f.n ? f.start[i + 1] : p->end;

		if (p->next < f.start[i] && piece.n > 0)
			break; /* what was between is gone */
		if (p->next < f.start[i])
			p->offset = p->next = f.start[i];
		if (p->next < stop &&
		    read_file(&piece, dir, f.start[i], &p->next,
			      max - piece.n < stop - p->next ? max - piece.n : stop - p->next,
			      e) < 0)
			return -1;
	}
	keep_lines(&piece, p);
	buf_add(out, piece.p, piece.n);
	return buf_check(out, "log", e);
}
