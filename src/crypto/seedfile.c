#include "crypto/seedfile.h"

#include <errno.h>
#include <string.h>

#include "base/fs.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/str.h"
#include "crypto/bip39.h"
#include "crypto/cipher.h"
#include "crypto/kdf.h"

#define HEAD	   "leased-seed-1 "
#define BOUND	   "leased seed words"
#define FILE_MAX   4096
#define SEALED_MAX 1024

/* --- the key --- */

static int key_create(const char *path, struct err *e)
{
	auto_buf struct buf text = BUF(80);
	auto_secret struct secret k;

	rand_bytes(k.b, sizeof(k.b));
	buf_hex(&text, k.b, sizeof(k.b));
	buf_byte(&text, '\n');
	if (fs_write_new(path, text.p, text.n, 0600, e) < 0 && e->sys != EEXIST)
		return -1;
	return 0;
}

static int key_load(struct secret *out, const char *path, const uint8_t salt[static KDF_SALT],
		    struct err *e)
{
	auto_buf struct buf text = BUF(FILE_MAX);
	struct str line;
	int rc = fs_read_secret(&text, path, e);

	if (rc < 0)
		return -1;
	if (rc == FS_NOT_FOUND)
		return err_set(e, ERRK_STATE,
			       "%s is missing: it holds the key of the seed; without it the seed "
			       "words are needed",
			       path);
	line = str_trim(buf_view(&text));
	if (line.n == 2 * sizeof(out->b) && hex_decode(out->b, sizeof(out->b), line, NULL) == 0)
		return 0;
	return kdf_passphrase(out, line, salt, e) < 0 ? err_wrap(e, "%s", path) : 0;
}

/* --- the seed --- */

int seedfile_create(const struct seedfile *f, struct str words, struct err *e)
{
	auto_buf struct buf sealed = BUF(SEALED_MAX), text = BUF(FILE_MAX);
	auto_secret struct secret k;
	auto_seed struct seed unused;
	uint8_t salt[KDF_SALT];

	rand_bytes(salt, sizeof(salt));
	if (bip39_seed(&unused, words, e) < 0)
		return -1;
	if (!fs_exists(f->key_path) && key_create(f->key_path, e) < 0)
		return -1;
	if (key_load(&k, f->key_path, salt, e) < 0)
		return -1;
	aead_seal(&sealed, &k, STR(BOUND), words.p, words.n);
	buf_puts(&text, HEAD);
	buf_hex(&text, salt, sizeof(salt));
	buf_byte(&text, ' ');
	buf_hex(&text, sealed.p, sealed.n);
	buf_byte(&text, '\n');
	if (buf_check(&sealed, "seed", e) < 0 || buf_check(&text, "seed", e) < 0)
		return -1;
	return fs_write_new(f->path, text.p, text.n, 0600, e);
}

static int seed_open(struct buf *out, const struct seedfile *f, struct str rest, struct err *e)
{
	auto_free uint8_t *sealed = mem_array(SEALED_MAX, 1);
	auto_secret struct secret k;
	uint8_t salt[KDF_SALT];
	struct str piece = {NULL, 0};
	size_t n;

	str_cut(&rest, ' ', &piece);
	n = rest.p ? rest.n / 2 : 0;
	if (n == 0 || n > SEALED_MAX || hex_decode(salt, sizeof(salt), piece, e) < 0 ||
	    hex_decode(sealed, n, rest, e) < 0)
		return err_set(e, ERRK_INPUT, "it is damaged");
	if (key_load(&k, f->key_path, salt, e) < 0)
		return -1;
	return aead_open(out, &k, STR(BOUND), sealed, n, e) < 0
		       ? err_set(e, ERRK_DENIED, "the key in %s does not open it", f->key_path)
		       : 0;
}

int seedfile_words(struct buf *out, const struct seedfile *f, struct err *e)
{
	auto_buf struct buf text = BUF(FILE_MAX);
	int rc = fs_read_secret(&text, f->path, e);
	struct str line;

	if (rc < 0)
		return -1;
	if (rc == FS_NOT_FOUND)
		return SEEDFILE_NONE;
	line = str_trim(buf_view(&text));
	if (!str_starts(line, HEAD))
		return err_set(e, ERRK_INPUT, "%s is not a sealed seed", f->path);
	line.p += strlen(HEAD);
	line.n -= strlen(HEAD);
	return seed_open(out, f, line, e) < 0 ? err_wrap(e, "%s", f->path) : 0;
}

int seedfile_load(struct seed *out, const struct seedfile *f, struct err *e)
{
	auto_buf struct buf words = BUF(SEALED_MAX);
	int rc = seedfile_words(&words, f, e);

	if (rc)
		return rc;
	return bip39_seed(out, buf_view(&words), e) < 0 ? err_wrap(e, "%s", f->path) : 0;
}
