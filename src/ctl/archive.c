#include "ctl/archive.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/cipher.h"
#include "crypto/kdf.h"

#define MAGIC "leased-backup-1\n"

void archive_free(struct archive *a)
{
	while (a->n)
		buf_free(&a->files[--a->n].data);
}

struct buf *archive_add(struct archive *a, const char *name)
{
	struct archive_file *f = &a->files[a->n];

	assert(a->n < ARCHIVE_FILES_MAX && strlen(name) <= ARCHIVE_NAME_MAX);
	a->n++;
	memset(f, 0, sizeof(*f));
	memcpy(f->name, name, strlen(name));
	f->data = BUF(ARCHIVE_MAX);
	return &f->data;
}

const struct buf *archive_find(const struct archive *a, const char *name)
{
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->files[i].name, name) == 0)
			return &a->files[i].data;
	return NULL;
}

/* --- writing --- */

static void put_file(struct buf *body, const struct archive_file *f)
{
	buf_byte(body, (uint8_t)strlen(f->name));
	buf_puts(body, f->name);
	for (unsigned shift = 0; shift < 64; shift += 8)
		buf_byte(body, (uint8_t)((uint64_t)f->data.n >> shift));
	if (f->data.n)
		buf_add(body, f->data.p, f->data.n);
}

int archive_seal(struct buf *out, const struct archive *a, struct str passphrase, struct err *e)
{
	auto_buf struct buf body = BUF(ARCHIVE_MAX);
	auto_secret struct secret k;
	uint8_t salt[KDF_SALT];

	for (size_t i = 0; i < a->n; i++)
		put_file(&body, &a->files[i]);
	if (buf_check(&body, "backup", e) < 0)
		return -1;
	rand_bytes(salt, sizeof(salt));
	if (kdf_passphrase(&k, passphrase, salt, e) < 0)
		return -1;
	buf_puts(out, MAGIC);
	buf_add(out, salt, sizeof(salt));
	aead_seal(out, &k, STR(MAGIC), body.p, body.n);
	return buf_check(out, "backup", e);
}

/* --- reading --- */

/* Cut n bytes off the front; false: there are not so many. */
static bool take(struct str *from, size_t n, struct str *piece)
{
	if (from->n < n)
		return false;
	*piece = (struct str){from->p, n};
	from->p += n;
	from->n -= n;
	return true;
}

static bool take_file(struct archive *out, struct str *body)
{
	char text[ARCHIVE_NAME_MAX + 1] = "";
	struct str one, name, size, data;
	uint64_t n = 0;

	if (out->n == ARCHIVE_FILES_MAX || !take(body, 1, &one) ||
	    (uint8_t)*one.p > ARCHIVE_NAME_MAX || !take(body, (uint8_t)*one.p, &name) ||
	    !take(body, 8, &size))
		return false;
	for (unsigned i = 0; i < 8; i++)
		n |= (uint64_t)(uint8_t)size.p[i] << 8 * i;
	if (n > ARCHIVE_MAX || !take(body, (size_t)n, &data))
		return false;
	memcpy(text, name.p, name.n);
	buf_str(archive_add(out, text), data);
	return true;
}

int archive_open(struct archive *out, struct str sealed, struct str passphrase, struct err *e)
{
	auto_buf struct buf body = BUF(ARCHIVE_MAX);
	auto_secret struct secret k;
	struct str magic, salt, rest;

	if (!take(&sealed, strlen(MAGIC), &magic) || !str_is(magic, MAGIC) ||
	    !take(&sealed, KDF_SALT, &salt))
		return err_set(e, ERRK_INPUT, "it is not a backup of leasectl");
	if (kdf_passphrase(&k, passphrase, (const uint8_t *)salt.p, e) < 0)
		return -1;
	if (aead_open(&body, &k, STR(MAGIC), sealed.p, sealed.n, NULL) < 0)
		return err_set(e, ERRK_DENIED, "wrong passphrase, or the file is damaged");
	rest = buf_view(&body);
	while (rest.n)
		if (!take_file(out, &rest))
			return err_set(e, ERRK_INPUT, "what is in it is damaged");
	return 0;
}
