/*
 * A parcel of a folder's content: see part.h. The whole folder is walked for each one, in the order
 * of names, so that nothing has to be kept between two; what was sent before is only looked at.
 * Every entry takes one place, a folder two, a file one more for each of its bytes: a place is
 * where a parcel begins.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "crypto/hash.h"
#include "helper/part.h"

#define DATA_MAX  65536
#define PLACE_MAX ((uint64_t)1 << 53) /* what JSON carries */

struct first { /* of the names of a file that has many */
	ino_t ino;
	char *path;
};

struct walk {
	const struct save *s;
	struct buf *out;
	uint64_t at, next;
	bool full;
	unsigned entries, skipped, depth;
	struct sha256_ctx *print;
	struct first *firsts;
	size_t nfirsts;
	char path[PART_PATH_MAX + 1];
	size_t npath;
	char data[DATA_MAX];
};

static void walk_free(struct walk *w)
{
	for (size_t i = 0; i < w->nfirsts; i++)
		free(w->firsts[i].path);
	free(w->firsts);
	sha256_free(w->print);
	free(w);
}
DEFINE_AUTO(struct walk, walk_free)

/* Bytes of data that still fit behind the part's own; 0 where not even that does. */
static size_t room(const struct walk *w, const struct part *p)
{
	size_t own = PART_HEAD + p->path.n + p->target.n, left = w->out->max - w->out->n;

	return left > own ? left - own : 0;
}

static void stop_at(struct walk *w, uint64_t place)
{
	w->full = true;
	w->next = place;
}

/* What takes one place. */
static void add(struct walk *w, const struct part *p)
{
	if (!w->full && w->at >= w->s->from) {
		if (room(w, p) > 0)
			part_add(w->out, p);
		else
			stop_at(w, w->at);
	}
	w->at++;
}

static void note(struct walk *w, const struct stat *st)
{
	const uint64_t facts[] = {st->st_ino,
				  st->st_mode,
				  st->st_uid,
				  st->st_gid,
				  (uint64_t)st->st_size,
				  (uint64_t)st->st_mtim.tv_sec,
				  (uint64_t)st->st_mtim.tv_nsec,
				  (uint64_t)st->st_ctim.tv_sec,
				  (uint64_t)st->st_ctim.tv_nsec};

	sha256_add(w->print, w->path, w->npath + 1);
	sha256_add(w->print, facts, sizeof(facts));
}

/* Host ids that are none of the tenant's are nobody's. */
static uint32_t id_inside(const struct walk *w, uint32_t id)
{
	return id >= w->s->ids && id - w->s->ids < PART_IDS ? id - w->s->ids : 65534;
}

static struct part part_of(const struct walk *w, enum part_kind kind, const struct stat *st)
{
	return (struct part){.kind = kind,
			     .mode = st->st_mode & 07777,
			     .uid = id_inside(w, st->st_uid),
			     .gid = id_inside(w, st->st_gid),
			     .mtime = st->st_mtim.tv_sec,
			     .nsec = (uint32_t)st->st_mtim.tv_nsec,
			     .path = {w->path, w->npath}};
}

/* --- files --- */

/* From `off` on: where the next data lies and how much of it is sent. 0: there is none. */
static size_t find_data(const struct walk *w, int fd, const struct part *p, uint64_t *off)
{
	off_t data = lseek(fd, (off_t)*off, SEEK_DATA), hole;
	uint64_t n = room(w, p) < DATA_MAX ? room(w, p) : DATA_MAX;

	if (data < 0 || (uint64_t)data >= p->size)
		return 0;
	hole = lseek(fd, data, SEEK_HOLE);
	if (hole <= data)
		return 0;
	*off = (uint64_t)data;
	n = n < (uint64_t)(hole - data) ? n : (uint64_t)(hole - data);
	n = n < p->size - *off ? n : p->size - *off;
	return n ? n : 1; /* no room: told apart by the caller */
}

static int add_data(struct walk *w, int fd, struct part *p, struct err *e)
{
	uint64_t off = w->s->from > w->at ? w->s->from - w->at : 0;
	size_t n;

	while (!w->full && off < p->size && (n = find_data(w, fd, p, &off)) > 0) {
		ssize_t got;

		if (room(w, p) == 0) {
			stop_at(w, w->at + off);
			return 0;
		}
		got = pread(fd, w->data, n, (off_t)off);
		if (got < 0)
			return err_sys(e, "read %s", w->path);
		if (got == 0) /* it shrank: the next print tells */
			return 0;
		p->offset = off;
		p->data = (struct str){w->data, (size_t)got};
		part_add(w->out, p);
		off += (size_t)got;
	}
	return 0;
}

static const char *first_name(struct walk *w, const struct stat *st)
{
	if (st->st_nlink < 2)
		return NULL;
	for (size_t i = 0; i < w->nfirsts; i++)
		if (w->firsts[i].ino == st->st_ino)
			return w->firsts[i].path;
	w->firsts = mem_grow(w->firsts, w->nfirsts + 1, sizeof(*w->firsts));
	w->firsts[w->nfirsts++] = (struct first){st->st_ino, mem_strdup(w->path)};
	return NULL;
}

static int add_file(struct walk *w, int dir, const char *name, const struct stat *st, struct err *e)
{
	struct part p = part_of(w, PART_FILE, st);
	const char *first = first_name(w, st);
	auto_close int fd = -1;

	if (first) {
		p.kind = PART_NAME;
		p.target = str_of(first);
		add(w, &p);
		return 0;
	}
	p.size = (uint64_t)st->st_size;
	if (p.size > PART_SIZE_MAX)
		return err_set(e, ERRK_LIMIT, "%s: a file of more than 16 TiB", w->path);
	add(w, &p);
	if (!w->full && w->s->from < w->at + p.size) {
		fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (fd < 0)
			return err_sys(e, "open %s", w->path);
		if (add_data(w, fd, &p, e) < 0)
			return -1;
	}
	w->at += p.size;
	return 0;
}

static int add_link(struct walk *w, int dir, const char *name, const struct stat *st, struct err *e)
{
	struct part p = part_of(w, PART_LINK, st);
	char target[PART_PATH_MAX + 1];
	ssize_t n = readlinkat(dir, name, target, sizeof(target));

	if (n < 1 || n > PART_PATH_MAX)
		return err_sys(e, "read link %s", w->path);
	p.target = (struct str){target, (size_t)n};
	add(w, &p);
	return 0;
}

/* --- folders --- */

struct names {
	char **v;
	size_t n;
};

static void names_free(struct names *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int count(struct walk *w, struct err *e)
{
	if (++w->entries > PART_ENTRIES_MAX)
		return err_set(e, ERRK_LIMIT,
			       "the volume has more than %d files: too many to be saved whole",
			       PART_ENTRIES_MAX);
	return 0;
}

static int read_names(struct names *l, struct walk *w, int fd, struct err *e)
{
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_closedir DIR *d = own < 0 ? NULL : fdopendir(own);
	const struct dirent *entry;

	if (!d)
		return err_sys(e, "open %s", w->path);
	while ((entry = readdir(d))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (count(w, e) < 0)
			return -1;
		l->v = mem_grow(l->v, l->n + 1, sizeof(*l->v));
		l->v[l->n++] = mem_strdup(entry->d_name);
	}
	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), by_name);
	return 0;
}

static int add_child(struct walk *w, int dir, const char *name, struct err *e);

static int add_children(struct walk *w, int fd, struct err *e)
{
	__attribute__((cleanup(names_free))) struct names l = {0};
	size_t end = w->npath;

	if (read_names(&l, w, fd, e) < 0)
		return -1;
	for (size_t i = 0; i < l.n; i++) {
		size_t n = strlen(l.v[i]), slash = end > 0;

		if (end + slash + n > PART_PATH_MAX)
			return err_set(e, ERRK_LIMIT, "%s: the path is too long", w->path);
		if (slash)
			w->path[end] = '/';
		memcpy(w->path + end + slash, l.v[i], n + 1);
		w->npath = end + slash + n;
		if (add_child(w, fd, l.v[i], e) < 0)
			return -1;
		w->npath = end;
		w->path[end] = 0;
	}
	return 0;
}

static int add_folder(struct walk *w, int fd, const struct stat *st, struct err *e)
{
	struct part p = part_of(w, PART_FOLDER, st);

	if (++w->depth > PART_DEPTH_MAX + 1)
		return err_set(e, ERRK_LIMIT, "%s: more than %d folders deep", w->path,
			       PART_DEPTH_MAX);
	add(w, &p);
	if (add_children(w, fd, e) < 0)
		return -1;
	add(w, &p);
	w->depth--;
	return 0;
}

static int add_child(struct walk *w, int dir, const char *name, struct err *e)
{
	auto_close int fd = -1;
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "look at %s", w->path);
	note(w, &st);
	if (S_ISREG(st.st_mode))
		return add_file(w, dir, name, &st, e);
	if (S_ISLNK(st.st_mode))
		return add_link(w, dir, name, &st, e);
	if (!S_ISDIR(st.st_mode)) {
		w->skipped++;
		return 0;
	}
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_sys(e, "open %s", w->path) : add_folder(w, fd, &st, e);
}

static void finish(struct walk *w, struct saved *r)
{
	struct parcel head = {.from = w->s->from, .skipped = w->skipped};
	uint8_t print[32];

	if (!w->full)
		w->next = w->at;
	r->next = w->next;
	r->left = w->at - w->next;
	sha256_end(w->print, print);
	memcpy(head.print, print, sizeof(head.print));
	parcel_put((uint8_t *)w->out->p, &head);
}

int save_run(struct saved *r, struct buf *out, const struct save *s, struct err *e)
{
	AUTO(walk_free) struct walk *w = mem_zero(sizeof(*w));
	auto_close int fd =
		open(s->folder ? s->folder : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	w->s = s;
	w->out = out;
	w->print = sha256_new();
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "open the volume");
	if (!buf_extend(out, PARCEL_HEAD))
		return err_set(e, ERRK_LIMIT, "no room for a parcel");
	note(w, &st);
	if (add_folder(w, fd, &st, e) < 0)
		return -1;
	add(w, &(struct part){.kind = PART_END});
	if (w->at > PLACE_MAX)
		return err_set(e, ERRK_LIMIT, "the volume's files are too large to be saved");
	if (s->from >= w->at)
		return err_set(e, ERRK_INPUT, "offset: beyond the volume's end");
	finish(w, r);
	return buf_check(out, "parcel", e);
}
