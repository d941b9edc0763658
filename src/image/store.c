/* The image store on disk: see store.h and image.h. */
#include "image/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/step.h"
#include "crypto/hash.h"
#include "image/hold.h"

/* On a layer's folder: what it takes. Comes and goes with the folder. */
#define BYTES_MARK     "trusted.leased.bytes"
#define NAME_MAX_BYTES (SPEC_IMAGE_MAX + SPEC_DIGEST_SIZE)

/* An image's record is the struct itself; another build may lay it out otherwise, so it says which.
 */
struct record {
	char magic[8];
	uint64_t size;
	struct image image;
};

static const char MAGIC[8] = "leasimg";

static const char *const FOLDERS[] = {
	[STORE_LAYERS] = "layers", [STORE_IMAGES] = "images", [STORE_NAMES] = "names",
	[STORE_TMP] = "tmp",	   [STORE_EMPTY] = "empty",
};

char *store_path(const struct image_store *s, enum store_folder folder, const char *name)
{
	return mem_printf("%s/%s%s%s", s->dir, FOLDERS[folder], name[0] ? "/" : "", name);
}

static const char *hex_of(const char *digest)
{
	return digest + strlen("sha256:");
}

int store_prepare(const struct image_store *s, struct err *e)
{
	if (fs_mkdirs(s->dir, 0700, e))
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(FOLDERS); i++) {
		auto_free char *path = store_path(s, (enum store_folder)i, "");

		if (mkdir(path, 0700) && errno != EEXIST)
			return err_sys(e, "mkdir %s", path);
	}
	return 0;
}

int store_lock(int *fd, const struct image_store *s, enum store_lock how, struct err *e)
{
	auto_free char *path = mem_printf("%s/lock", s->dir);
	auto_close int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (lock < 0 || flock(lock, how == STORE_SHARED ? LOCK_SH : LOCK_EX))
		return err_sys(e, "lock %s", path);
	*fd = steal_fd(&lock);
	return 0;
}

int store_each(const struct image_store *s, enum store_folder folder,
	       int (*fn)(void *ctx, const char *name, struct err *e), void *ctx, struct err *e)
{
	auto_free char *path = store_path(s, folder, "");
	auto_closedir DIR *d = opendir(path);
	const struct dirent *entry;
	int r = 0;

	if (!d)
		return errno == ENOENT ? 0 : err_sys(e, "open %s", path);
	while (r == 0 && (errno = 0, entry = readdir(d)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			r = fn(ctx, entry->d_name, e);
	if (r == 0 && errno)
		return err_sys(e, "read %s", path);
	return r;
}

bool store_has_layer(const struct image_store *s, const char *diffid)
{
	auto_free char *path = store_path(s, STORE_LAYERS, hex_of(diffid));

	return fs_exists(path);
}

uint64_t store_layer_bytes(const struct image_store *s, const char *diffid)
{
	auto_free char *path = store_path(s, STORE_LAYERS, hex_of(diffid));
	uint64_t bytes = 0;

	if (getxattr(path, BYTES_MARK, &bytes, sizeof(bytes)) != sizeof(bytes))
		return 0;
	return bytes;
}

int store_drop_layer(char **path, const struct image_store *s, const char *diffid, struct err *e)
{
	auto_free char *from = store_path(s, STORE_LAYERS, hex_of(diffid));
	auto_free char *to = NULL;

	if (store_make_temporary(&to, s, e))
		return -1;
	if (rename(from, to))
		return err_sys(e, "rename %s", from);
	step_at(STEP_IMAGE_LAYER_DROPPED);
	*path = steal(&to);
	return 0;
}

int store_make_temporary(char **path, const struct image_store *s, struct err *e)
{
	uint8_t random[16];
	char name[2 * sizeof(random) + 1];
	auto_free char *p = NULL;

	rand_bytes(random, sizeof(random));
	hex_encode(name, random, sizeof(random));
	p = store_path(s, STORE_TMP, name);
	if (mkdir(p, 0755) || chmod(p, 0755))
		return err_sys(e, "mkdir %s", p);
	*path = steal(&p);
	return 0;
}

static int sync_folder(const char *path, struct err *e)
{
	auto_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) ? err_sys(e, "sync %s", path) : 0;
}

int store_add_layer(const struct image_store *s, const char *temporary, const char *diffid,
		    uint64_t bytes, struct err *e)
{
	auto_free char *layers = store_path(s, STORE_LAYERS, "");
	auto_free char *path = store_path(s, STORE_LAYERS, hex_of(diffid));
	auto_close int fd = open(temporary, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	/* a layer that is there is complete: its files must not come after its name */
	if (fd < 0 || fsetxattr(fd, BYTES_MARK, &bytes, sizeof(bytes), 0) || syncfs(fd))
		return err_sys(e, "sync %s", temporary);
	if (rename(temporary, path) == 0) {
		step_at(STEP_IMAGE_LAYER_ADDED);
		return sync_folder(layers, e);
	}
	if (errno != EEXIST && errno != ENOTEMPTY)
		return err_sys(e, "rename %s", temporary);
	return fs_remove_tree(temporary, e);
}

int store_add_image(const struct image_store *s, const struct image *i, struct err *e)
{
	auto_free char *path = store_path(s, STORE_IMAGES, hex_of(i->digest));
	auto_free struct record *r = mem_zero(sizeof(*r));

	memcpy(r->magic, MAGIC, sizeof(MAGIC));
	r->size = sizeof(*r);
	r->image = *i;
	memset(r->image.layout, 0, sizeof(r->image.layout));
	if (fs_write(path, r, sizeof(*r), 0600, e))
		return -1;
	step_at(STEP_IMAGE_ADDED);
	return 0;
}

void store_touch_image(const struct image_store *s, const char *digest)
{
	auto_free char *path = store_path(s, STORE_IMAGES, hex_of(digest));

	(void)utimensat(AT_FDCWD, path, NULL, 0); /* at worst it goes earlier than it should */
}

static char *name_file(const char *ref)
{
	uint8_t hash[32];
	char hex[65];

	sha256(hash, ref, strlen(ref));
	hex_encode(hex, hash, sizeof(hash));
	return mem_strdup(hex);
}

bool store_read_name(char ref[static SPEC_IMAGE_MAX + 1], char digest[static SPEC_DIGEST_SIZE],
		     const struct image_store *s, const char *file)
{
	auto_free char *path = store_path(s, STORE_NAMES, file);
	auto_buf struct buf text = BUF(NAME_MAX_BYTES);
	struct str rest, piece;

	if (fs_read(&text, path, NULL))
		return false;
	rest = buf_view(&text);
	if (!str_cut(&rest, '\n', &piece) || !spec_is_digest(piece) || rest.n > SPEC_IMAGE_MAX ||
	    !utf8_valid(rest))
		return false;
	memcpy(digest, piece.p, piece.n);
	digest[piece.n] = '\0';
	memcpy(ref, rest.p, rest.n);
	ref[rest.n] = '\0';
	return true;
}

int store_set_name(const struct image_store *s, const char *ref, const char *digest, struct err *e)
{
	char old_ref[SPEC_IMAGE_MAX + 1], old[SPEC_DIGEST_SIZE];
	auto_free char *file = name_file(ref), *path = store_path(s, STORE_NAMES, file);
	auto_free char *text = mem_printf("%s\n%s", digest, ref);

	if (store_read_name(old_ref, old, s, file) && strcmp(old, digest) == 0)
		return 0;
	return fs_write(path, text, strlen(text), 0600, e);
}

bool store_get_name(char digest[static SPEC_DIGEST_SIZE], const struct image_store *s,
		    const char *ref)
{
	auto_free char *file = name_file(ref);
	char named[SPEC_IMAGE_MAX + 1];

	return store_read_name(named, digest, s, file) && strcmp(named, ref) == 0;
}

static bool is_whole(const struct image_store *s, const struct image *i, const char *digest)
{
	if (strncmp(i->digest, digest, SPEC_DIGEST_SIZE) != 0 || i->nlayers > IMAGE_LAYERS_MAX ||
	    image_config_check(&i->config, NULL))
		return false;
	for (size_t n = 0; n < i->nlayers; n++)
		if (strnlen(i->layers[n].diffid, SPEC_DIGEST_SIZE) != SPEC_DIGEST_SIZE - 1 ||
		    !spec_is_digest(str_of(i->layers[n].diffid)) ||
		    !store_has_layer(s, i->layers[n].diffid))
			return false;
	return true;
}

int image_load(struct image *out, const struct image_store *store, const char *digest,
	       struct err *e)
{
	auto_buf struct buf b = BUF(sizeof(struct record));
	auto_free char *path = NULL;
	const struct record *r;
	int found;

	if (!spec_is_digest(str_of(digest)))
		return err_set(e, ERRK_INPUT, "digest: not \"sha256:\" and 64 hex digits");
	path = store_path(store, STORE_IMAGES, hex_of(digest));
	found = fs_read(&b, path, e);
	if (found)
		return found < 0 ? -1 : IMAGE_NOT_FOUND;
	r = (const struct record *)b.p;
	if (b.n != sizeof(*r) || memcmp(r->magic, MAGIC, sizeof(MAGIC)) != 0 ||
	    r->size != sizeof(*r) || !is_whole(store, &r->image, digest))
		return IMAGE_NOT_FOUND; /* pulled again, the layers that are there stay */
	*out = r->image;
	return 0;
}

/* The same layer twice is one to the kernel, and the upper one says all that the lower would. */
static bool comes_above(const struct image *i, size_t n)
{
	for (size_t k = n + 1; k < i->nlayers; k++)
		if (strcmp(i->layers[k].diffid, i->layers[n].diffid) == 0)
			return true;
	return false;
}

size_t image_layers(const struct image *i, const struct image_store *store, char **out)
{
	size_t count = 0;

	for (size_t n = i->nlayers; n-- > 0;)
		if (!comes_above(i, n))
			out[count++] = store_path(store, STORE_LAYERS, hex_of(i->layers[n].diffid));
	return count;
}
