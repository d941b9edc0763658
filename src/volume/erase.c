/* Ending a volume for ever, and looking afterwards that it is so. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/step.h"
#include "volume/loop.h"
#include "volume/luks.h"
#include "volume/mounts.h"
#include "volume/paths.h"

/* Zeros over a file; its name stays. */
static int overwrite(const char *path, struct err *e)
{
	auto_close int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	static const char zeros[65536];
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "open %s", path);
	if (fstat(fd, &st))
		return err_sys(e, "stat %s", path);
	for (off_t at = 0; at < st.st_size; at += (off_t)sizeof(zeros)) {
		off_t left = st.st_size - at;
		size_t n = left < (off_t)sizeof(zeros) ? (size_t)left : sizeof(zeros);

		if (pwrite(fd, zeros, n, at) != (ssize_t)n)
			return err_sys(e, "overwrite %s", path);
	}
	return fsync(fd) ? err_sys(e, "overwrite %s", path) : 0;
}

static int wipe_file(const char *path, struct err *e)
{
	if (overwrite(path, e))
		return -1;
	return unlink(path) && errno != ENOENT ? err_sys(e, "remove %s", path) : 0;
}

/* Does the header, or what lies in the payload, open with the key? As luks_try. */
static int try_key(const char *header, const char *data, const struct luks_key *key, struct err *e)
{
	const char *const places[] = {header, data};
	int r = LUKS_REFUSED;

	for (size_t i = 0; i < ARRAY_SIZE(places) && r == LUKS_REFUSED; i++)
		if (fs_exists(places[i]))
			r = luks_try(places[i], key, e);
	return r;
}

/* 0: in vain, which home/refused says for an erase that is repeated without the key; or it could
 * not be tried, which is no reason to keep the key. */
static int verify(const char *home, const struct paths *p, struct err *e)
{
	auto_free char *header = mem_printf("%s/header", home);
	auto_free char *made = mem_printf("%s/made", home);
	auto_free char *refused = mem_printf("%s/refused", home);
	auto_luks_key struct luks_key key = {0};
	int r;

	if (!fs_exists(made) || luks_key_read(&key, p->key, e))
		return 0;
	r = try_key(header, p->data, &key, e);
	if (r == 0)
		return err_set(e, ERRK_STATE, "it still opens with its key");
	return r == LUKS_REFUSED && rename(made, refused) ? err_sys(e, "mark %s", refused) : 0;
}

/* Header and key of one of the two homes. A header that was never finished has no slots: it is only
 * overwritten. */
static int erase_header(const char *home, const struct paths *p, struct volume_erasure *r,
			struct err *e)
{
	auto_free char *header = mem_printf("%s/header", home);
	auto_free char *key = mem_printf("%s/key", home);
	auto_free char *made = mem_printf("%s/made", home);
	auto_free char *refused = mem_printf("%s/refused", home);

	if (fs_exists(header) && fs_exists(made) && luks_destroy_slots(header, e) < 0)
		r->slots_gone = false;
	step_at(STEP_VOLUME_SLOTS_GONE);
	if (overwrite(header, e) || verify(home, p, e) || wipe_file(header, e) || wipe_file(key, e))
		return -1;
	r->header_gone = r->header_gone && !fs_exists(header) && !fs_exists(key);
	r->refused = r->refused || fs_exists(refused);
	step_at(STEP_VOLUME_HEADER_GONE);
	return 0;
}

static int erase_headers(const struct paths *p, struct volume_erasure *r, struct err *e)
{
	r->slots_gone = r->header_gone = true;
	/* the folder in memory last: it has the key of both where that is the buyer's */
	if ((fs_exists(p->kept) &&
	     (erase_header(p->kept, p, r, e) || fs_remove_tree(p->kept, e))) ||
	    erase_header(p->run, p, r, e))
		return -1;
	/* without a header there is nothing that slots could open */
	r->slots_gone = r->slots_gone || r->header_gone;
	return 0;
}

/* The file system gets its blocks back, and a disk that can discard does, before the name goes. */
static int discard(const struct paths *p, struct volume_erasure *r, struct err *e)
{
	auto_close int fd = open(p->data, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (fd < 0) {
		r->discarded =
			errno == ENOENT; /* removed in an earlier try: discarded before that */
		return r->discarded ? 0 : err_sys(e, "open %s", p->data);
	}
	if (fstat(fd, &st))
		return err_sys(e, "stat %s", p->data);
	if (st.st_size && fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, st.st_size))
		r->discarded = false;
	else
		r->discarded = fsync(fd) == 0 && fstat(fd, &st) == 0 && st.st_blocks == 0;
	step_at(STEP_VOLUME_DISCARDED);
	return 0;
}

static int remove_payload(const struct paths *p, struct volume_erasure *r, struct err *e)
{
	auto_close int dir = open(p->state_parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (unlink(p->data) && errno != ENOENT)
		return err_sys(e, "remove %s", p->data);
	if (dir >= 0 && fsync(dir))
		return err_sys(e, "sync %s", p->state_parent);
	r->removed = !fs_exists(p->data);
	return 0;
}

static bool is_detached(const struct volume *v, const struct paths *p)
{
	auto_free char *a = NULL, *b = NULL;
	auto_free char *name = mem_printf("leased-%s", v->id);

	return loop_find(&a, p->data, NULL) == LOOP_NONE &&
	       loop_find(&b, p->disk, NULL) == LOOP_NONE && !luks_is_left(name) &&
	       volume_server(v) == 0;
}

static const char *unproven(const struct volume *v)
{
	if (v->activation == VOLUME_PLAIN)
		return "not encrypted: blocks of the disk may keep the data until they are reused";
	if (v->own_key && v->survives)
		return "that nobody has the key, which the buyer brought (a copy exists outside), "
		       "and "
		       "copied the header from this host's disk, or its memory with root rights";
	if (v->own_key)
		return "that nobody with this host's root rights copied its memory while the "
		       "volume "
		       "was open; the buyer brought the key: a copy of it exists outside";
	if (v->survives)
		return "that nobody copied header and key from this host's disk while they lay "
		       "there (with such a "
		       "copy and one of the data it opens), or its memory with root rights";
	return "that nobody with this host's root rights copied its memory while the volume was "
	       "open";
}

static bool is_complete(const struct volume_erasure *r)
{
	return r->unmounted && r->detached && r->slots_gone && r->header_gone && r->removed;
}

static int erase(const struct volume *v, const struct paths *p, struct volume_erasure *r,
		 struct err *e)
{
	if (volume_close(v, e))
		return -1;
	r->unmounted = !mounts_has(p->mount);
	r->detached = is_detached(v, p);
	if (erase_headers(p, r, e) || discard(p, r, e) || remove_payload(p, r, e) ||
	    fs_remove_tree(p->run, e))
		return -1;
	if (!is_complete(r))
		return err_set(e, ERRK_STATE, "something is left");
	step_at(STEP_VOLUME_ERASED);
	return 0;
}

int volume_erase(const struct volume *v, struct volume_erasure *r, struct err *e)
{
	auto_paths struct paths p = {0};

	*r = (struct volume_erasure){.encrypted = v->activation != VOLUME_PLAIN};
	snprintf(r->unproven, sizeof(r->unproven), "%s", unproven(v));
	if (paths_make(&p, v, e))
		return -1;
	return erase(v, &p, r, e) ? err_wrap(e, "erase volume %s", v->id) : 0;
}

/* Names that may be a volume's in dirs[nbefore], but in none of the folders before it. */
static int each_in(char *const *dirs, size_t nbefore, int (*fn)(void *ctx, const char *id),
		   void *ctx, struct err *e)
{
	auto_closedir DIR *d = opendir(dirs[nbefore]);
	struct dirent *entry;
	int r;

	if (!d)
		return errno == ENOENT ? 0 : err_sys(e, "open %s", dirs[nbefore]);
	while ((entry = readdir(d))) {
		bool known = !str_is_name(str_of(entry->d_name), VOLUME_ID_MAX);

		for (size_t i = 0; i < nbefore && !known; i++) {
			auto_free char *other = mem_printf("%s/%s", dirs[i], entry->d_name);

			known = fs_exists(other);
		}
		r = known ? 0 : fn(ctx, entry->d_name);
		if (r)
			return r;
	}
	return 0;
}

int volume_each(const char *state_dir, const char *run_dir, int (*fn)(void *ctx, const char *id),
		void *ctx, struct err *e)
{
	auto_free char *data = mem_printf("%s/volumes", state_dir);
	auto_free char *kept = mem_printf("%s/headers", state_dir);
	auto_free char *run = mem_printf("%s/volumes", run_dir);
	char *const dirs[] = {data, kept, run};
	int r = 0;

	for (size_t i = 0; i < 3 && r == 0; i++)
		r = each_in(dirs, i, fn, ctx, e);
	return r;
}
