/* The image store on disk: see store.h and image.h. */
#include "image/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/secret.h"

/* An image's record is the struct itself; another build may lay it out otherwise, so it says which.
 */
struct record {
	char magic[8];
	uint64_t size;
	struct image image;
};

static const char MAGIC[8] = "leasimg";

static const char *const FOLDERS[] = {
	[STORE_LAYERS] = "layers",
	[STORE_IMAGES] = "images",
	[STORE_TMP] = "tmp",
	[STORE_EMPTY] = "empty",
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

bool store_has_layer(const struct image_store *s, const char *diffid)
{
	auto_free char *path = store_path(s, STORE_LAYERS, hex_of(diffid));

	return fs_exists(path);
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
		    struct err *e)
{
	auto_free char *layers = store_path(s, STORE_LAYERS, "");
	auto_free char *path = store_path(s, STORE_LAYERS, hex_of(diffid));
	auto_close int fd = open(temporary, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	/* a layer that is there is complete: its files must not come after its name */
	if (fd < 0 || syncfs(fd))
		return err_sys(e, "sync %s", temporary);
	if (rename(temporary, path) == 0)
		return sync_folder(layers, e);
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
	return fs_write(path, r, sizeof(*r), 0600, e);
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

void image_layers(const struct image *i, const struct image_store *store, char **out)
{
	for (size_t n = 0; n < i->nlayers; n++)
		out[n] = store_path(store, STORE_LAYERS,
				    hex_of(i->layers[i->nlayers - 1 - n].diffid));
}

int image_sweep(const struct image_store *store, struct err *e)
{
	auto_free char *path = store_path(store, STORE_TMP, "");

	return fs_remove_tree(path, e) ? -1 : store_prepare(store, e);
}
