/* OCI image layouts: which folder a reference means, and reading from it (image-layout.md). */
#include "image/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/hex.h"
#include "base/mem.h"
#include "crypto/hash.h"
#include "image/parse.h"

static int open_beneath(int dir, const char *path, uint64_t flags)
{
	struct open_how how = {.flags = flags | O_CLOEXEC,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};

	return (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

static bool is_tag(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-",
			    s.p[i]) ||
		    s.p[i] == '\0')
			return false;
	return s.n > 0 && s.n <= 128;
}

/* Split "PATH[:TAG]" at the last ':' behind the last '/'. */
static int split_tag(struct str *path, struct layout_ref *out, const char *text, struct err *e)
{
	const char *slash = strrchr(text, '/');
	const char *colon = strrchr(slash ? slash : text, ':');

	out->tag[0] = '\0';
	*path = str_of(text);
	if (!colon)
		return 0;
	path->n = (size_t)(colon - text);
	if (!is_tag(str_of(colon + 1)))
		return err_set(e, ERRK_INPUT, "image: what follows \":\" is no tag");
	memcpy(out->tag, colon + 1, strlen(colon + 1) + 1);
	return 0;
}

/* `path` relative to `folder`; NULL if it is absolute and lies elsewhere. */
static const char *below(const char *folder, const char *path)
{
	size_t n = strlen(folder);

	while (n > 1 && folder[n - 1] == '/')
		n--;
	if (path[0] != '/')
		return path;
	if (n == 1)
		return path + 1;
	if (strncmp(path, folder, n) != 0 || path[n] != '/')
		return NULL;
	return path + n + 1;
}

/* The layout's real path, if `path` is one below `folder`. */
static bool try_folder(char out[static PATH_MAX], const char *folder, const char *path)
{
	const char *rest = below(folder, path);
	auto_close int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_close int layout = -1;
	char link[64];
	ssize_t n;

	if (!rest || !rest[0] || dir < 0)
		return false;
	layout = open_beneath(dir, rest, O_PATH | O_DIRECTORY);
	if (layout < 0)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", layout);
	n = readlink(link, out, PATH_MAX - 1);
	if (n <= 0)
		return false;
	out[n] = '\0';
	return true;
}

int layout_find(struct layout_ref *out, const struct image_store *store, const char *ref,
		struct err *e)
{
	auto_free char *path = NULL;
	struct str cut;

	if (strncmp(ref, "oci:", 4) != 0)
		return err_set(e, ERRK_INPUT, "image: write oci:NAME[:TAG]");
	if (split_tag(&cut, out, ref + 4, e))
		return -1;
	path = mem_strndup(cut.p, cut.n);
	for (const char *const *f = store->layouts; f && *f; f++)
		if (try_folder(out->path, *f, path))
			return 0;
	return IMAGE_NOT_FOUND;
}

int image_stamp(struct image_stamp *out, const char *ref)
{
	auto_free struct layout_ref *layout = mem_zero(sizeof(*layout));
	auto_free char *index = NULL;
	struct str path;
	struct stat st;

	if (strncmp(ref, "oci:/", 5) != 0 || split_tag(&path, layout, ref + 4, NULL))
		return IMAGE_NOT_FOUND;
	index = mem_printf("%.*s/index.json", (int)path.n, path.p);
	if (stat(index, &st))
		return IMAGE_NOT_FOUND;
	*out = (struct image_stamp){.device = st.st_dev,
				    .inode = st.st_ino,
				    .size = (uint64_t)st.st_size,
				    .changed_s = st.st_ctim.tv_sec,
				    .changed_ns = st.st_ctim.tv_nsec};
	return 0;
}

int layout_open(int *dir, const char *path, struct err *e)
{
	*dir = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return *dir < 0 ? err_sys(e, "image layout %s", path) : 0;
}

static int open_regular(int *fd, int dir, const char *path, uint64_t *size, struct err *e)
{
	struct stat st;

	*fd = open_beneath(dir, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (*fd < 0)
		return err_sys(e, "image layout: %s", path);
	if (fstat(*fd, &st) == 0 && S_ISREG(st.st_mode)) {
		*size = (uint64_t)st.st_size;
		return 0;
	}
	close(*fd);
	*fd = -1;
	return err_set(e, ERRK_INPUT, "image layout: %s is no file", path);
}

static int read_file(struct buf *out, int fd, struct err *e)
{
	char piece[16384];
	ssize_t n;

	while ((n = read(fd, piece, sizeof(piece))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "image layout: read");
		buf_add(out, piece, (size_t)n);
		if (out->failed)
			break;
	}
	return buf_check(out, "file of the image layout", e);
}

int layout_read_index(struct buf *out, int dir, struct err *e)
{
	auto_close int fd = -1;
	uint64_t size;

	if (open_regular(&fd, dir, "index.json", &size, e))
		return -1;
	return read_file(out, fd, e);
}

int layout_open_blob(int *fd, int dir, const char *digest, uint64_t size, struct err *e)
{
	auto_free char *path = mem_printf("blobs/sha256/%s", digest + strlen("sha256:"));
	uint64_t real;

	if (open_regular(fd, dir, path, &real, e))
		return -1;
	if (real == size)
		return 0;
	close(*fd);
	*fd = -1;
	return err_set(e, ERRK_INPUT, "blob %s: %llu bytes instead of %llu", digest,
		       (unsigned long long)real, (unsigned long long)size);
}

int layout_read_blob(struct buf *out, int dir, const char *digest, uint64_t size, struct err *e)
{
	auto_close int fd = -1;
	uint8_t hash[32];
	char hex[65];

	if (layout_open_blob(&fd, dir, digest, size, e) || read_file(out, fd, e))
		return -1;
	sha256(hash, out->p, out->n);
	hex_encode(hex, hash, sizeof(hash));
	if (strcmp(hex, digest + strlen("sha256:")) != 0)
		return err_set(e, ERRK_INPUT, "blob %s: its content has another digest", digest);
	return 0;
}
