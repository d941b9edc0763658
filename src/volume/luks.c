/*
 * LUKS by libcryptsetup. The key is 256 random bits, so key derivation is set to its cheapest: slow
 * derivation would protect a weak passphrase, and there is none (10 ms instead of 9 s).
 */
#include "volume/luks.h"

#include <errno.h>
#include <fcntl.h>
#include <libcryptsetup.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/mem.h"
#include "base/secret.h"

#define CIPHER	    "aes"
#define CIPHER_MODE "xts-plain64"
#define KEY_BYTES   64
#define SECTOR	    512

typedef struct crypt_device crypt_t;
DEFINE_AUTO(crypt_t, crypt_free)

static const struct crypt_pbkdf_type CHEAP = {
	.type = CRYPT_KDF_PBKDF2,
	.hash = "sha256",
	.iterations = 1000,
	.flags = CRYPT_PBKDF_NO_BENCHMARK,
};

void luks_key_wipe(struct luks_key *k)
{
	wipe(k, sizeof(*k));
}

static void keep_message(int level, const char *msg, void *ctx)
{
	struct err *e = ctx;

	if (level == CRYPT_LOG_ERROR)
		(void)err_set(e, ERRK_SYS, "%.*s", (int)strcspn(msg, "\n"), msg);
}

/* `said` holds what the library said, if it did. */
static int crypt_failed(struct err *e, const struct err *said, int r, const char *what)
{
	if (said->kind != ERRK_NONE)
		return err_set(e, r == -EBUSY ? ERRK_STATE : ERRK_SYS, "%s: %s", what, said->msg);
	errno = -r;
	return err_sys(e, "%s", what);
}

static int open_device(crypt_t **cd, const char *header, const char *payload, struct err *said)
{
	int r;

	/* the headers are ours alone, and callers serialise by volume */
	(void)crypt_metadata_locking(NULL, 0);
	r = payload ? crypt_init_data_device(cd, header, payload) : crypt_init(cd, header);
	if (r == 0)
		crypt_set_log_callback(*cd, keep_message, said);
	return r;
}

/* A new file that is all hole. */
static int make_file(const char *path, uint64_t size, struct err *e)
{
	auto_close int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 || ftruncate(fd, (off_t)size))
		return err_sys(e, "create %s", path);
	return 0;
}

static int add_key(crypt_t *cd, const struct luks_key *key)
{
	return crypt_keyslot_add_by_volume_key(cd, CRYPT_ANY_SLOT, NULL, 0, key->hex,
					       strlen(key->hex));
}

int luks1_format(const char *header, const struct luks_key *key, struct err *e)
{
	struct crypt_params_luks1 params = {.hash = "sha256",
					    .data_alignment = LUKS1_HEADER_SIZE / SECTOR};
	AUTO(crypt_free) crypt_t *cd = NULL;
	struct err said = {0};
	int r;

	/* the library wants to see some payload behind the header; it is cut off again */
	if (make_file(header, LUKS1_HEADER_SIZE + (1 << 20), e))
		return -1;
	r = open_device(&cd, header, NULL, &said);
	if (r == 0)
		r = crypt_set_pbkdf_type(cd, &CHEAP);
	if (r == 0)
		r = crypt_format(cd, CRYPT_LUKS1, CIPHER, CIPHER_MODE, NULL, NULL, KEY_BYTES,
				 &params);
	if (r == 0)
		r = add_key(cd, key);
	if (r < 0)
		return crypt_failed(e, &said, r, "format LUKS1");
	if (crypt_get_data_offset(cd) != LUKS1_HEADER_SIZE / SECTOR)
		return err_set(e, ERRK_SYS, "format LUKS1: payload at an unexpected place");
	return truncate(header, (off_t)LUKS1_HEADER_SIZE) ? err_sys(e, "cut %s", header) : 0;
}

int luks2_format(const char *header, const char *payload, const struct luks_key *key, struct err *e)
{
	struct crypt_params_luks2 params = {
		.pbkdf = &CHEAP, .data_device = payload, .sector_size = 4096};
	AUTO(crypt_free) crypt_t *cd = NULL;
	struct err said = {0};
	int r;

	/* two copies of 16 KiB metadata and 512 KiB for key slots, the least there is */
	if (make_file(header, 1 << 20, e))
		return -1;
	r = open_device(&cd, header, NULL, &said);
	if (r == 0)
		r = crypt_set_metadata_size(cd, 16 << 10, 512 << 10);
	if (r == 0)
		r = crypt_format(cd, CRYPT_LUKS2, CIPHER, CIPHER_MODE, NULL, NULL, KEY_BYTES,
				 &params);
	if (r == 0)
		r = crypt_set_pbkdf_type(cd, &CHEAP);
	if (r == 0)
		r = add_key(cd, key);
	return r < 0 ? crypt_failed(e, &said, r, "format LUKS2") : 0;
}

int luks2_open(const char *name, const char *header, const char *device, const struct luks_key *key,
	       struct err *e)
{
	AUTO(crypt_free) crypt_t *cd = NULL;
	struct err said = {0};
	int r = open_device(&cd, header, device, &said);

	if (r == 0)
		r = crypt_load(cd, CRYPT_LUKS2, NULL);
	if (r == 0)
		r = crypt_activate_by_passphrase(cd, name, CRYPT_ANY_SLOT, key->hex,
						 strlen(key->hex), CRYPT_ACTIVATE_ALLOW_DISCARDS);
	if (r == -EEXIST)
		return 0;
	return r < 0 ? crypt_failed(e, &said, r, "open the volume") : 0;
}

/* Without a device mapper its library would complain on standard error. */
static bool has_mapper(void)
{
	return access("/dev/mapper/control", F_OK) == 0;
}

bool luks_is_open(const char *name)
{
	auto_free char *path = mem_printf("/dev/mapper/%s", name);

	return has_mapper() && access(path, F_OK) == 0;
}

int luks_close(const char *name, struct err *e)
{
	int r;

	if (!luks_is_open(name))
		return 0;
	r = crypt_deactivate(NULL, name);
	if (r == 0 || r == -ENODEV)
		return 0;
	if (r == -EBUSY)
		return err_set(e, ERRK_STATE, "close the volume: it is in use");
	errno = -r;
	return err_sys(e, "close the volume");
}

int luks_probe(struct err *e)
{
	auto_close int fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return err_set(e, ERRK_STATE,
			       "this kernel has no device mapper (/dev/mapper/control)");
	return 0;
}

int luks_destroy_slots(const char *header, struct err *e)
{
	AUTO(crypt_free) crypt_t *cd = NULL;
	struct err said = {0};
	int r = open_device(&cd, header, NULL, &said);

	if (r == 0)
		r = crypt_load(cd, CRYPT_LUKS, NULL);
	for (int i = 0; r == 0 && i < crypt_keyslot_max(crypt_get_type(cd)); i++)
		if (crypt_keyslot_status(cd, i) >= CRYPT_SLOT_ACTIVE)
			r = crypt_keyslot_destroy(cd, i);
	return r < 0 ? crypt_failed(e, &said, r, "destroy the key slots") : 0;
}

bool luks_opens(const char *header, const struct luks_key *key)
{
	AUTO(crypt_free) crypt_t *cd = NULL;
	struct err said = {0};

	return open_device(&cd, header, NULL, &said) == 0 &&
	       crypt_load(cd, CRYPT_LUKS, NULL) == 0 &&
	       crypt_activate_by_passphrase(cd, NULL, CRYPT_ANY_SLOT, key->hex, strlen(key->hex),
					    0) >= 0;
}
