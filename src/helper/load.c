/* Put a parcel's parts where they belong: see part.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "helper/part.h"

struct place {
	int at; /* the folder that it lies in */
	char name[NAME_MAX + 1];
};

static void place_clear(struct place *p)
{
	if (p->at >= 0)
		close(p->at);
}
#define auto_place __attribute__((cleanup(place_clear)))

static int set_name(struct place *p, struct str name, struct err *e)
{
	if (name.n > NAME_MAX)
		return err_set(e, ERRK_INPUT, "the backup says what no volume has");
	memcpy(p->name, name.p, name.n);
	p->name[name.n] = 0;
	return 0;
}

/* Entered name by name, through no link. */
static int find(struct place *p, const struct load *l, struct str path, struct err *e)
{
	struct str name, next;

	p->at = open(l->folder ? l->folder : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (p->at < 0)
		return err_sys(e, "open the volume");
	if (path.n == 0 || !str_cut(&path, '/', &name))
		return set_name(p, STR("."), e);
	while (str_cut(&path, '/', &next)) {
		int deeper;

		if (set_name(p, name, e) < 0)
			return -1;
		deeper = openat(p->at, p->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (deeper < 0)
			return err_sys(e, "enter %s", p->name);
		close(p->at);
		p->at = deeper;
		name = next;
	}
	return set_name(p, name, e);
}

static int dress(int fd, const struct part *p, const struct load *l, struct err *e)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_NOW},
					  {.tv_sec = p->mtime, .tv_nsec = p->nsec}};

	if (fchown(fd, l->ids + p->uid, l->ids + p->gid) < 0 || fchmod(fd, p->mode) < 0 ||
	    futimens(fd, times) < 0)
		return err_sys(e, "set owner, mode and time");
	return 0;
}

static int load_folder(const struct place *at, const struct part *p, const struct load *l,
		       struct err *e)
{
	auto_close int fd = -1;

	if (p->path.n > 0 && mkdirat(at->at, at->name, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "make %s", at->name);
	fd = openat(at->at, at->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_sys(e, "make %s", at->name) : dress(fd, p, l, e);
}

static int write_data(int fd, const struct part *p, struct err *e)
{
	for (size_t done = 0; done < p->data.n;) {
		ssize_t n =
			pwrite(fd, p->data.p + done, p->data.n - done, (off_t)(p->offset + done));

		if (n <= 0)
			return err_sys(e, "write");
		done += (size_t)n;
	}
	return 0;
}

static int load_file(const struct place *at, const struct part *p, const struct load *l,
		     struct err *e)
{
	auto_close int fd = openat(at->at, at->name,
				   O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "make %s", at->name);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERRK_INPUT, "%s: no file", at->name);
	if ((uint64_t)st.st_size != p->size && ftruncate(fd, (off_t)p->size) < 0)
		return err_sys(e, "make %s", at->name);
	if (write_data(fd, p, e) < 0)
		return err_wrap(e, "%s", at->name);
	return dress(fd, p, l, e);
}

static int load_link(const struct place *at, const struct part *p, const struct load *l,
		     struct err *e)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_NOW},
					  {.tv_sec = p->mtime, .tv_nsec = p->nsec}};
	auto_free char *target = mem_strndup(p->target.p, p->target.n);

	if (symlinkat(target, at->at, at->name) < 0 && errno != EEXIST)
		return err_sys(e, "link %s", at->name);
	if (fchownat(at->at, at->name, l->ids + p->uid, l->ids + p->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    utimensat(at->at, at->name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "link %s", at->name);
	return 0;
}

static int load_name(const struct place *at, const struct part *p, const struct load *l,
		     struct err *e)
{
	auto_place struct place first = {.at = -1};

	if (find(&first, l, p->target, e) < 0)
		return -1;
	return linkat(first.at, first.name, at->at, at->name, 0) < 0 && errno != EEXIST
		       ? err_sys(e, "link %s", at->name)
		       : 0;
}

static int load_part(const struct part *p, const struct load *l, struct err *e)
{
	auto_place struct place at = {.at = -1};

	if (find(&at, l, p->path, e) < 0)
		return -1;
	switch (p->kind) {
	case PART_FOLDER:
		return load_folder(&at, p, l, e);
	case PART_FILE:
		return load_file(&at, p, l, e);
	case PART_LINK:
		return load_link(&at, p, l, e);
	case PART_NAME:
		return load_name(&at, p, l, e);
	case PART_END:
		break;
	}
	return 0;
}

int load_run(struct loaded *r, const struct load *l, struct err *e)
{
	struct str rest = l->parcel;
	struct parcel head;
	struct part p;
	int rc = parcel_take(&head, &rest, e);

	while (rc == 0 && (rc = part_next(&p, &rest, e)) == 0) {
		if (r->ended)
			return err_set(e, ERRK_INPUT, "the backup goes on behind its end");
		r->ended = p.kind == PART_END;
		rc = load_part(&p, l, e);
	}
	return rc < 0 ? -1 : 0;
}
