#include "agent/keys.h"

#include <errno.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fs.h"
#include "base/hex.h"
#include "base/mem.h"
#include "crypto/bip39.h"
#include "crypto/secp.h"
#include "crypto/seedfile.h"

enum { KEY_FILE_MAX = 512 };

void keys_wipe(struct keys *k)
{
	wipe(k, sizeof(*k));
}

static int read_file(struct buf *out, const char *path, struct err *e)
{
	int done = fs_read_secret(out, path, e);

	if (done == FS_NOT_FOUND)
		return err_set(e, ERRK_STATE, "%s is missing: run leasectl init", path);
	return done;
}

static int load_key(struct secret *out, const char *dir, const char *file, struct err *e)
{
	auto_free char *path = mem_printf("%s/%s", dir, file);
	auto_buf struct buf b = BUF(KEY_FILE_MAX);

	if (read_file(&b, path, e))
		return -1;
	return hex_decode(out->b, 32, str_trim(buf_view(&b)), e) ? err_wrap(e, "%s", path) : 0;
}

int keys_words(struct buf *out, const char *state_dir, const char *seed_key, struct err *e)
{
	auto_free char *path = mem_printf("%s/seed.sealed", state_dir);
	const struct seedfile f = {path, seed_key};
	int rc = seedfile_words(out, &f, e);

	if (rc == SEEDFILE_NONE)
		return err_set(e, ERRK_STATE, "%s is missing: run leasectl init", path);
	return rc;
}

static int load_seed(struct seed *out, const char *dir, const char *seed_key, struct err *e)
{
	auto_buf struct buf words = BUF(KEY_FILE_MAX);

	return keys_words(&words, dir, seed_key, e) < 0 ? -1 : bip39_seed(out, buf_view(&words), e);
}

int keys_load(struct keys *out, const char *state_dir, const char *seed_key, struct err *e)
{
	if (load_key(&out->nostr, state_dir, "nostr.key", e) ||
	    load_key(&out->column, state_dir, "column.key", e) ||
	    load_seed(&out->seed, state_dir, seed_key, e))
		return -1;
	if (!scalar_valid(out->nostr.b))
		return err_set(e, ERRK_INPUT, "%s/nostr.key is not a valid key", state_dir);
	return 0;
}

static int give(const struct keys_plan *p, const char *path, struct err *e)
{
	if (geteuid() == 0 && lchown(path, p->uid, p->gid))
		return err_sys(e, "chown %s", path);
	return 0;
}

static int create_file(const struct keys_plan *p, const char *file, struct str text, struct err *e)
{
	auto_free char *path = mem_printf("%s/%s", p->state_dir, file);
	auto_buf struct buf line = BUF(KEY_FILE_MAX);

	if (fs_exists(path))
		return 0;
	buf_str(&line, text);
	buf_byte(&line, '\n');
	if (buf_check(&line, file, e) || fs_write_new(path, line.p, line.n, 0600, e))
		return -1;
	return give(p, path, e);
}

static int create_key(const struct keys_plan *p, const char *file, struct str hex, struct err *e)
{
	auto_secret struct secret k;
	auto_buf struct buf b = BUF(65);

	secret_new(&k);
	if (hex.n && hex_decode(k.b, 32, hex, e))
		return err_wrap(e, "%s", file);
	if (!scalar_valid(k.b))
		return err_set(e, ERRK_INPUT, "%s: not a valid key", file);
	buf_hex(&b, k.b, 32);
	return create_file(p, file, buf_view(&b), e);
}

static int create_seed(const struct keys_plan *p, struct err *e)
{
	auto_free char *path = mem_printf("%s/seed.sealed", p->state_dir);
	const struct seedfile f = {path, p->seed_key};
	auto_buf struct buf b = BUF(KEY_FILE_MAX);

	if (fs_exists(path))
		return 0;
	if (p->words.n)
		buf_str(&b, p->words);
	else
		bip39_new(&b);
	if (seedfile_create(&f, buf_view(&b), e) < 0 || give(p, path, e))
		return -1;
	return give(p, p->seed_key, e);
}

int keys_create(const struct keys_plan *p, struct err *e)
{
	if (fs_mkdirs(p->state_dir, 0700, e) || give(p, p->state_dir, e))
		return -1;
	if (create_key(p, "nostr.key", p->key, e) || create_seed(p, e))
		return -1;
	return create_key(p, "column.key", p->column, e);
}
