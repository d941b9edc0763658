/* Holds on images: see hold.h. */
#include "image/hold.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/step.h"
#include "image/store.h"

#define PULL_PREFIX "hold-"
#define HOLD	    "image"
#define HOLD_BEFORE "image.before"

static void write_text(struct buf *out, const struct image *i)
{
	buf_printf(out, "%s\n", i->digest);
	for (size_t n = 0; n < i->nlayers; n++)
		buf_printf(out, "%s\n", i->layers[n].diffid);
}

static char *lease_path(const struct image_store *s, const char *name)
{
	return mem_printf("%s/%s/%s", s->leases, s->holder, name);
}

static char *pull_path(const struct image_store *s)
{
	uint8_t random[16];
	char hex[2 * sizeof(random) + 1];
	auto_free char *name = NULL;

	rand_bytes(random, sizeof(random));
	hex_encode(hex, random, sizeof(random));
	name = mem_printf(PULL_PREFIX "%s", hex);
	return store_path(s, STORE_TMP, name);
}

int hold_begin(struct hold *h, const struct image_store *s, const struct image *i, struct err *e)
{
	auto_buf struct buf text = BUF(HOLD_TEXT_MAX);
	auto_free char *path = pull_path(s);
	auto_close int lock = -1, fd = -1;

	write_text(&text, i);
	if (store_lock(&lock, s, STORE_SHARED, e))
		return -1;
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || flock(fd, LOCK_EX))
		return err_sys(e, "hold the image");
	if (fs_write_all(fd, text.p, text.n, e)) {
		(void)unlink(path);
		return -1;
	}
	*h = (struct hold){steal_fd(&fd), steal(&path)};
	step_at(STEP_IMAGE_HELD);
	return 0;
}

void hold_end(struct hold *h)
{
	(void)unlink(h->path);
	close(h->fd);
	free(h->path);
	*h = (struct hold){.fd = -1};
}

int hold_for_lease(const struct image_store *s, const struct image *i, struct err *e)
{
	auto_buf struct buf text = BUF(HOLD_TEXT_MAX);
	auto_free char *path = NULL;

	if (!s->leases || !s->holder)
		return 0;
	path = lease_path(s, HOLD);
	write_text(&text, i);
	if (fs_write(path, text.p, text.n, 0600, e))
		return -1;
	step_at(STEP_IMAGE_TAKEN);
	return 0;
}

int image_keep_before(const struct image_store *s, struct err *e)
{
	auto_free char *now = lease_path(s, HOLD), *before = lease_path(s, HOLD_BEFORE);

	return link(now, before) && errno != EEXIST && errno != ENOENT ? err_sys(e, "link %s", now)
								       : 0;
}

int image_let_before_go(const struct image_store *s, struct err *e)
{
	auto_free char *before = lease_path(s, HOLD_BEFORE);

	return unlink(before) && errno != ENOENT ? err_sys(e, "remove %s", before) : 0;
}

struct each {
	const struct image_store *s;
	hold_fn *fn;
	void *ctx;
};

static int each_pull(void *ctx, const char *name, struct err *e)
{
	const struct each *x = ctx;
	auto_buf struct buf text = BUF(HOLD_TEXT_MAX);
	auto_free char *path = store_path(x->s, STORE_TMP, name);
	auto_close int fd = -1;

	if (strncmp(name, PULL_PREFIX, strlen(PULL_PREFIX)) != 0)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "open %s", path);
	if (flock(fd, LOCK_SH | LOCK_NB) == 0) { /* whoever held it is dead */
		(void)unlink(path);
		return 0;
	}
	if (fs_read(&text, path, e) < 0)
		return -1;
	x->fn(x->ctx, NULL, buf_view(&text));
	return 0;
}

static int each_folder(const struct each *x, const char *path, const char *lease, struct err *e);

static int each_file(const struct each *x, const char *path, const char *lease, struct err *e)
{
	auto_buf struct buf text = BUF(HOLD_TEXT_MAX);
	int r = fs_read(&text, path, e);

	if (r == 0)
		x->fn(x->ctx, lease, buf_view(&text));
	return r < 0 ? -1 : 0;
}

/* A lease whose hold cannot be read might use anything: then nothing may be taken away. */
static int each_lease(const struct each *x, const char *folder, const char *id, const char *lease,
		      struct err *e)
{
	auto_free char *now = mem_printf("%s/%s/" HOLD, folder, id);
	auto_free char *before = mem_printf("%s/%s/" HOLD_BEFORE, folder, id);
	auto_free char *beside = mem_printf("%s/%s/" HOLD_BESIDE, folder, id);

	/* in this order: what is taken meanwhile was kept before */
	if (each_file(x, now, lease ? lease : id, e) || each_file(x, before, lease ? lease : id, e))
		return -1;
	return !lease && each_folder(x, beside, id, e) ? -1 : 0;
}

static int each_folder(const struct each *x, const char *path, const char *lease, struct err *e)
{
	auto_closedir DIR *d = opendir(path);
	const struct dirent *entry;

	if (!d)
		return errno == ENOENT ? 0 : err_sys(e, "open %s", path);
	while ((errno = 0, entry = readdir(d)))
		if (entry->d_name[0] != '.' && each_lease(x, path, entry->d_name, lease, e))
			return -1;
	return errno ? err_sys(e, "read %s", path) : 0;
}

int hold_each(const struct image_store *s, hold_fn *fn, void *ctx, struct err *e)
{
	struct each x = {s, fn, ctx};

	if (store_each(s, STORE_TMP, each_pull, &x, e))
		return -1;
	return s->leases ? each_folder(&x, s->leases, NULL, e) : 0;
}
