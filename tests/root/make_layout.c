/* Writing image layouts with libarchive: see make_layout.h. Failures end the test. */
#include "make_layout.h"

#include <archive.h>
#include <archive_entry.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/hex.h"
#include "base/mem.h"
#include "crypto/hash.h"
#include "image/parse.h"

#define TAR_MAX (160u << 20)

static void digest_of(char out[static SPEC_DIGEST_SIZE], const void *p, size_t n)
{
	uint8_t hash[32];

	sha256(hash, p, n);
	memcpy(out, "sha256:", 7);
	hex_encode(out + 7, hash, 32);
}

static void write_blob(const char *dir, const char *digest, const void *p, size_t n)
{
	auto_free char *path = mem_printf("%s/blobs/sha256/%s", dir, digest + 7);

	if (fs_write(path, p, n, 0644, NULL))
		abort();
}

static void write_data(struct archive *a, const struct tar_entry *t, size_t n)
{
	static const char zeros[65536];

	for (uint64_t left = t->hole; left;) {
		size_t piece = left < sizeof(zeros) ? (size_t)left : sizeof(zeros);

		if (archive_write_data(a, zeros, piece) != (la_ssize_t)piece)
			abort();
		left -= piece;
	}
	if (n && archive_write_data(a, t->content, n) != (la_ssize_t)n)
		abort();
}

static void write_one(struct archive *a, const struct tar_entry *t, const char *path)
{
	struct archive_entry *e = archive_entry_new();
	size_t n = t->content_n ? t->content_n : t->content ? strlen(t->content) : 0;

	archive_entry_set_pathname(e, path);
	archive_entry_set_filetype(e, t->type);
	archive_entry_set_perm(e, t->mode ? t->mode : t->type == S_IFDIR ? 0755 : 0644);
	archive_entry_set_uid(e, t->uid);
	archive_entry_set_gid(e, t->gid);
	archive_entry_set_mtime(e, 1000000000, 0);
	if (t->hardlink)
		archive_entry_set_hardlink(e, t->hardlink);
	else if (t->type == S_IFLNK)
		archive_entry_set_symlink(e, t->content);
	else if (t->type == S_IFREG)
		archive_entry_set_size(e, (la_int64_t)(t->hole + n));
	else if (t->type == S_IFCHR || t->type == S_IFBLK)
		archive_entry_set_rdev(e, 0x103);
	if (t->hole)
		archive_entry_sparse_add_entry(e, (la_int64_t)t->hole, (la_int64_t)n);
	if (t->xattr)
		archive_entry_xattr_add_entry(e, t->xattr, t->xattr_value, t->xattr_n);
	if (archive_write_header(a, e) < ARCHIVE_WARN)
		abort();
	if (t->type == S_IFREG && !t->hardlink)
		write_data(a, t, n);
	archive_entry_free(e);
}

static void write_entry(struct archive *a, const struct tar_entry *t)
{
	if (!t->repeat)
		write_one(a, t, t->path);
	for (uint64_t i = 0; i < t->repeat; i++) {
		auto_free char *path = mem_printf("%s%llu", t->path, (unsigned long long)i);

		write_one(a, t, path);
	}
}

static size_t write_tar(char *out, const struct tar_layer *l, enum image_compression c)
{
	struct archive *a = archive_write_new();
	size_t used = 0;

	archive_write_set_format_pax(a);
	if (c == IMAGE_GZIP)
		archive_write_add_filter_gzip(a);
	if (c == IMAGE_ZSTD)
		archive_write_add_filter_zstd(a);
	archive_write_set_bytes_in_last_block(a, 1);
	if (archive_write_open_memory(a, out, TAR_MAX, &used) != ARCHIVE_OK)
		abort();
	for (size_t i = 0; i < l->n; i++)
		write_entry(a, &l->entries[i]);
	if (archive_write_close(a) != ARCHIVE_OK)
		abort();
	archive_write_free(a);
	return used;
}

static const char *const TYPES[] = {"application/vnd.oci.image.layer.v1.tar",
				    "application/vnd.oci.image.layer.v1.tar+gzip",
				    "application/vnd.oci.image.layer.v1.tar+zstd"};

static void add_layer(const char *dir, const struct tar_layer *l, struct buf *list,
		      struct buf *diffids)
{
	auto_free char *tar = mem_zero(TAR_MAX);
	char digest[SPEC_DIGEST_SIZE];
	size_t n = write_tar(tar, l, IMAGE_PLAIN);

	digest_of(digest, tar, n);
	if (l->lie == LAYER_WRONG_DIFFID)
		digest[20] = digest[20] == '0' ? '1' : '0';
	buf_printf(diffids, "%s\"%s\"", diffids->n ? "," : "", digest);
	n = write_tar(tar, l, l->compression);
	digest_of(digest, tar, n);
	if (l->lie == LAYER_WRONG_BLOB)
		tar[n / 2] ^= 1;
	write_blob(dir, digest, tar, n);
	buf_printf(list, "%s{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%zu}",
		   list->n ? "," : "", TYPES[l->compression], digest,
		   n + (l->lie == LAYER_WRONG_SIZE));
}

void make_layout(const char *dir, const char *tag, const struct tar_layer *layers, size_t n,
		 const char *config)
{
	auto_free char *blobs = mem_printf("%s/blobs/sha256", dir);
	auto_free char *index = mem_printf("%s/index.json", dir);
	auto_buf struct buf list = BUF(65536), diffids = BUF(65536), text = BUF(1 << 20);
	char digest[SPEC_DIGEST_SIZE];

	if (fs_mkdirs(blobs, 0755, NULL))
		abort();
	for (size_t i = 0; i < n; i++)
		add_layer(dir, &layers[i], &list, &diffids);
	buf_printf(&text,
		   "{\"os\":\"linux\",\"architecture\":\"%s\",\"config\":%s,"
		   "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[%s]}}",
		   parse_host_arch(), config, diffids.n ? diffids.p : "");
	digest_of(digest, text.p, text.n);
	write_blob(dir, digest, text.p, text.n);
	n = text.n;
	buf_reset(&text);
	buf_printf(&text,
		   "{\"schemaVersion\":2,\"config\":{\"mediaType\":"
		   "\"application/vnd.oci.image.config.v1+json\",\"digest\":\"%s\",\"size\":%zu},"
		   "\"layers\":[%s]}",
		   digest, n, list.n ? list.p : "");
	digest_of(digest, text.p, text.n);
	write_blob(dir, digest, text.p, text.n);
	n = text.n;
	buf_reset(&text);
	buf_printf(&text,
		   "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":"
		   "\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"%s\",\"size\":%zu,"
		   "\"annotations\":{\"org.opencontainers.image.ref.name\":\"%s\"}}]}",
		   digest, n, tag);
	if (text.failed || fs_write(index, text.p, text.n, 0644, NULL))
		abort();
}
