/* The two files of a log: append, turn over, read by absolute offset. */
#include "backend/boxlog.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

#define NAME_LEN 20

struct boxlog {
	char *dir;
	int fd;		/* of the newest file */
	uint64_t start; /* its first byte's offset */
	uint64_t size;	/* bytes in it */
	uint64_t max;	/* of one file */
	bool have_older;
	uint64_t older;
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
		if (*name < '0' || *name > '9' || *start > BOXLOG_TAIL / 10)
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

int boxlog_open(struct boxlog **out, const char *dir, uint64_t max, struct err *e)
{
	struct boxlog *l = mem_zero(sizeof(*l));
	struct files f;

	l->dir = mem_strdup(dir);
	l->max = max / 2;
	l->fd = -1;
	if (fs_mkdirs(dir, 0700, e) < 0 || files_find(&f, dir, e) < 0) {
		boxlog_free(l);
		return -1;
	}
	l->have_older = f.n == 2;
	l->older = f.start[0];
	l->start = f.n ? f.start[f.n - 1] : 0;
	if (open_newest(l, e) < 0) {
		boxlog_free(l);
		return -1;
	}
	*out = l;
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

static int turn_over(struct boxlog *l, struct err *e)
{
	auto_free char *oldest = file_path(l->dir, l->older);

	if (l->have_older)
		unlink(oldest);
	l->have_older = true;
	l->older = l->start;
	l->start += l->size;
	close(steal_fd(&l->fd));
	return open_newest(l, e);
}

int boxlog_append(struct boxlog *l, struct str lines, struct err *e)
{
	if (l->fd < 0 && open_newest(l, e) < 0)
		return -1;
	if (l->size > 0 && l->size + lines.n > l->max && turn_over(l, e) < 0)
		return -1;
	if (fs_write_all(l->fd, lines.p, lines.n, e) < 0) {
		if (ftruncate(l->fd, (off_t)l->size) < 0)
			err_wrap(e, "a part of a line stays");
		return -1;
	}
	l->size += lines.n;
	return 0;
}

/* reading */

/* Read up to `max` bytes of one file from absolute `*offset` on; moves it. */
static int read_file(struct buf *out, const char *dir, uint64_t start, uint64_t *offset, size_t max,
		     struct err *e)
{
	auto_free char *path = file_path(dir, start);
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char piece[16384];

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "open %s", path);
	while (max > 0) {
		ssize_t n = pread(fd, piece, max < sizeof(piece) ? max : sizeof(piece),
				  (off_t)(*offset - start));

		if (n < 0)
			return err_sys(e, "read %s", path);
		if (n == 0)
			break;
		buf_add(out, piece, (size_t)n);
		*offset += (uint64_t)n;
		max -= (size_t)n;
	}
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

/* A tail begins in the middle of a line: skip to the next. */
static void skip_to_line(struct buf *piece, struct boxlog_piece *p)
{
	const char *end = piece->n ? memchr(piece->p, '\n', piece->n) : NULL;
	size_t skip = end ? (size_t)(end + 1 - piece->p) : 0;

	if (skip == 0)
		return;
	memmove(piece->p, piece->p + skip, piece->n - skip);
	piece->n -= skip;
	p->offset += skip;
}

int boxlog_read(struct buf *out, const char *dir, uint64_t offset, size_t max,
		struct boxlog_piece *p, struct err *e)
{
	auto_buf struct buf piece = BUF(max);
	struct files f;
	bool inside = false;

	*p = (struct boxlog_piece){0};
	if (files_find(&f, dir, e) < 0)
		return -1;
	if (f.n == 0)
		return 0;
	if (file_end(dir, f.start[f.n - 1], &p->end, e) < 0)
		return -1;
	if (offset == BOXLOG_TAIL) {
		offset = p->end > max ? p->end - max : 0;
		inside = offset > f.start[0];
	}
	if (offset < f.start[0])
		offset = f.start[0];
	if (offset > p->end)
		offset = p->end;
	p->offset = p->next = offset;
	for (unsigned i = 0; i < f.n; i++) {
		uint64_t stop = i + 1 < f.n ? f.start[i + 1] : p->end;

		if (p->next < stop &&
		    read_file(&piece, dir, f.start[i], &p->next,
			      max - piece.n < stop - p->next ? max - piece.n : stop - p->next,
			      e) < 0)
			return -1;
	}
	if (inside)
		skip_to_line(&piece, p);
	keep_lines(&piece, p);
	buf_add(out, piece.p, piece.n);
	return buf_check(out, "log", e);
}
