#include "image/tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/lib.h"
#include "base/mem.h"
#include "crypto/hash.h"

#define LIBRARY "libarchive.so.13"

/* The functions that are needed, as the library's headers declare them. */
#define FUNCTIONS(X)                                                                               \
	X(archive_entry_filetype)                                                                  \
	X(archive_entry_gid)                                                                       \
	X(archive_entry_hardlink)                                                                  \
	X(archive_entry_mode)                                                                      \
	X(archive_entry_mtime)                                                                     \
	X(archive_entry_mtime_is_set)                                                              \
	X(archive_entry_mtime_nsec)                                                                \
	X(archive_entry_pathname)                                                                  \
	X(archive_entry_size)                                                                      \
	X(archive_entry_symlink)                                                                   \
	X(archive_entry_uid)                                                                       \
	X(archive_entry_xattr_next)                                                                \
	X(archive_entry_xattr_reset)                                                               \
	X(archive_errno)                                                                           \
	X(archive_error_string)                                                                    \
	X(archive_read_data)                                                                       \
	X(archive_read_data_block)                                                                 \
	X(archive_read_free)                                                                       \
	X(archive_read_new)                                                                        \
	X(archive_read_next_header)                                                                \
	X(archive_read_open)                                                                       \
	X(archive_read_support_filter_gzip)                                                        \
	X(archive_read_support_filter_zstd)                                                        \
	X(archive_read_support_format_empty)                                                       \
	X(archive_read_support_format_gnutar)                                                      \
	X(archive_read_support_format_raw)                                                         \
	X(archive_read_support_format_tar)                                                         \
	X(archive_set_error)

#define TAR_BLOCK UINT64_C(512)

/* Two archives in a row: `raw` takes the blob and gives the uncompressed tar, `tar` takes that. */
struct tar {
	void *library;
	struct tar_ask ask;
	struct sha256_ctx *blob_hash, *tar_hash;
	struct archive *raw, *tar;
	struct archive_entry *entry;
	char input[65536], output[65536];
	uint64_t size; /* of the tar as far as it was read */
	bool padded;
#define X(name) __typeof__(name) *name;
	FUNCTIONS(X)
#undef X
};

void tar_free(struct tar *t)
{
	if (!t)
		return;
	if (t->tar)
		t->archive_read_free(t->tar);
	if (t->raw)
		t->archive_read_free(t->raw);
	sha256_free(t->blob_hash);
	sha256_free(t->tar_hash);
	lib_close(t->library);
	free(t);
}

int tar_new(struct tar **out, struct err *e)
{
	AUTO(tar_free) struct tar *t = mem_zero(sizeof(*t));
	const struct lib_function functions[] = {
#define X(name) {#name, &t->name},
		FUNCTIONS(X)
#undef X
	};

	if (lib_open(&t->library, LIBRARY, functions, ARRAY_SIZE(functions), e) < 0)
		return -1;
	t->blob_hash = sha256_new();
	t->tar_hash = sha256_new();
	t->raw = t->archive_read_new();
	t->tar = t->archive_read_new();
	if (!t->raw || !t->tar)
		return err_set(e, ERRK_SYS, "%s cannot be used", LIBRARY);
	*out = steal(&t);
	return 0;
}

int tar_probe(struct err *e)
{
	return lib_probe(LIBRARY, e);
}

static la_ssize_t read_blob(struct archive *a, void *ctx, const void **p)
{
	struct tar *t = ctx;
	ssize_t n;

	do
		n = read(t->ask.in, t->input, sizeof(t->input));
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		t->archive_set_error(a, errno, "read of the blob failed");
		return -1;
	}
	sha256_add(t->blob_hash, t->input, (size_t)n);
	t->ask.totals->blob_size += (uint64_t)n;
	*p = t->input;
	return n;
}

static bool expands_too_much(const struct tar *t)
{
	uint64_t n = t->ask.totals->bytes;

	return n > t->ask.ratio_free &&
	       (n - t->ask.ratio_free) / t->ask.ratio_max > t->ask.blob_size;
}

static la_ssize_t read_tar(struct archive *a, void *ctx, const void **p)
{
	struct tar *t = ctx;
	la_ssize_t n = t->archive_read_data(t->raw, t->output, sizeof(t->output));

	if (n < 0) {
		t->archive_set_error(a, t->archive_errno(t->raw), "%s",
				     t->archive_error_string(t->raw));
		return -1;
	}
	t->ask.totals->bytes += (uint64_t)n;
	if (t->ask.totals->bytes > t->ask.bytes_max) {
		t->archive_set_error(a, EFBIG, "%s", t->ask.too_large);
		return -1;
	}
	if (expands_too_much(t)) {
		t->archive_set_error(a, EFBIG,
				     "the layer is more than %u times its compressed size",
				     t->ask.ratio_max);
		return -1;
	}
	sha256_add(t->tar_hash, t->output, (size_t)n);
	t->size += (uint64_t)n;
	*p = t->output;
	return n;
}

/* Some tools (umoci insert) write neither the rest of the last block nor the two empty ones that
 * end an archive, and everybody but libarchive reads on over that. */
static la_ssize_t read_padded(struct archive *a, void *ctx, const void **p)
{
	struct tar *t = ctx;
	la_ssize_t n = read_tar(a, ctx, p);

	if (n != 0 || t->padded)
		return n;
	t->padded = true;
	n = (la_ssize_t)(-t->size % TAR_BLOCK + 2 * TAR_BLOCK);
	memset(t->output, 0, (size_t)n);
	return n;
}

static int failed(const struct tar *t, struct archive *a, struct err *e)
{
	const char *text = t->archive_error_string(a);

	if (t->archive_errno(a) == EFBIG)
		return err_set(e, ERRK_LIMIT, "%s", text);
	return err_set(e, ERRK_INPUT, "layer: %s", text ? text : "broken archive");
}

static int open_raw(struct tar *t, struct err *e)
{
	struct archive_entry *entry;
	int r = ARCHIVE_OK;

	t->archive_read_support_format_raw(t->raw);
	t->archive_read_support_format_empty(t->raw);
	if (t->ask.compression == IMAGE_GZIP)
		r = t->archive_read_support_filter_gzip(t->raw);
	if (t->ask.compression == IMAGE_ZSTD)
		r = t->archive_read_support_filter_zstd(t->raw);
	if (r != ARCHIVE_OK ||
	    t->archive_read_open(t->raw, t, NULL, read_blob, NULL) != ARCHIVE_OK ||
	    t->archive_read_next_header(t->raw, &entry) != ARCHIVE_OK)
		return failed(t, t->raw, e);
	return 0;
}

int tar_open(struct tar *t, const struct tar_ask *ask, struct err *e)
{
	t->ask = *ask;
	if (open_raw(t, e) < 0)
		return -1;
	t->archive_read_support_format_tar(t->tar);
	t->archive_read_support_format_gnutar(t->tar);
	if (t->archive_read_open(t->tar, t, NULL, read_padded, NULL) != ARCHIVE_OK)
		return failed(t, t->tar, e);
	return 0;
}

static struct timespec mtime_of(const struct tar *t, struct archive_entry *entry)
{
	long ns = t->archive_entry_mtime_nsec(entry);

	if (!t->archive_entry_mtime_is_set(entry) || ns < 0 || ns > 999999999)
		ns = UTIME_OMIT;
	return (struct timespec){t->archive_entry_mtime(entry), ns};
}

int tar_next(struct tar *t, struct tar_entry *out, struct err *e)
{
	struct archive_entry *entry;
	int r = t->archive_read_next_header(t->tar, &entry);

	if (r == ARCHIVE_EOF)
		return TAR_END;
	if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
		return failed(t, t->tar, e);
	*out = (struct tar_entry){
		.path = t->archive_entry_pathname(entry),
		.hardlink = t->archive_entry_hardlink(entry),
		.symlink = t->archive_entry_symlink(entry),
		.type = t->archive_entry_filetype(entry),
		.mode = t->archive_entry_mode(entry) & 07777,
		.uid = t->archive_entry_uid(entry),
		.gid = t->archive_entry_gid(entry),
		.size = t->archive_entry_size(entry),
		.mtime = mtime_of(t, entry),
	};
	t->archive_entry_xattr_reset(entry);
	t->entry = entry;
	return 0;
}

int tar_next_piece(struct tar *t, struct tar_piece *out, struct err *e)
{
	la_int64_t offset;
	int r = t->archive_read_data_block(t->tar, &out->p, &out->n, &offset);

	out->offset = offset;
	if (r == ARCHIVE_EOF)
		return TAR_END;
	return r == ARCHIVE_OK ? 0 : failed(t, t->tar, e);
}

bool tar_next_xattr(struct tar *t, const char **name, const void **value, size_t *n)
{
	return t->archive_entry_xattr_next(t->entry, name, value, n) == ARCHIVE_OK;
}

int tar_end(struct tar *t, struct err *e)
{
	const void *p;
	la_ssize_t n;

	do
		n = read_tar(t->raw, t, &p);
	while (n > 0);
	if (n < 0)
		return failed(t, t->raw, e);
	do
		n = read_blob(t->raw, t, &p);
	while (n > 0);
	if (n < 0)
		return failed(t, t->raw, e);
	sha256_end(t->blob_hash, t->ask.totals->blob);
	sha256_end(t->tar_hash, t->ask.totals->diffid);
	return 0;
}
