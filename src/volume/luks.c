/*
 * LUKS by libcryptsetup. The key is 256 random bits, so key derivation is set to its cheapest: slow
 * derivation would protect a weak passphrase, and there is none (10 ms instead of 9 s). The library
 * is loaded by the worker that needs it and stays until that ends.
 */
#include "volume/luks.h"

#include <errno.h>
#include <fcntl.h>
#include <libcryptsetup.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/lib.h"
#include "base/mem.h"
#include "volume/mapper.h"

#define LIBRARY	    "libcryptsetup.so.12"
#define CIPHER	    "aes"
#define CIPHER_MODE "xts-plain64"
#define KEY_BYTES   64
#define SECTOR	    512

/* The functions that are needed, as the library's header declares them. */
#define FUNCTIONS(X)                                                                               \
	X(crypt_activate_by_passphrase)                                                            \
	X(crypt_deactivate)                                                                        \
	X(crypt_format)                                                                            \
	X(crypt_free)                                                                              \
	X(crypt_get_data_offset)                                                                   \
	X(crypt_get_type)                                                                          \
	X(crypt_init)                                                                              \
	X(crypt_init_data_device)                                                                  \
	X(crypt_keyslot_add_by_volume_key)                                                         \
	X(crypt_keyslot_destroy)                                                                   \
	X(crypt_keyslot_max)                                                                       \
	X(crypt_keyslot_status)                                                                    \
	X(crypt_load)                                                                              \
	X(crypt_metadata_locking)                                                                  \
	X(crypt_set_log_callback)                                                                  \
	X(crypt_set_metadata_size)                                                                 \
	X(crypt_set_pbkdf_type)

/* The library, one device of it, and its last complaint. */
struct luks {
	struct crypt_device *cd;
	struct err said;
#define X(name) __typeof__(name) *name;
	FUNCTIONS(X)
#undef X
};

static void luks_end(struct luks *l)
{
	if (l->cd)
		l->crypt_free(l->cd);
}
#define auto_luks __attribute__((cleanup(luks_end)))

static const struct crypt_pbkdf_type CHEAP = {
	.type = CRYPT_KDF_PBKDF2,
	.hash = "sha256",
	.iterations = 1000,
	.flags = CRYPT_PBKDF_NO_BENCHMARK,
};

static void keep_message(int level, const char *msg, void *ctx)
{
	struct err *e = ctx;

	if (level == CRYPT_LOG_ERROR)
		(void)err_set(e, ERRK_SYS, "%.*s", (int)strcspn(msg, "\n"), msg);
}

/* What the library said, or what `r` means. */
static int crypt_failed(struct err *e, const struct luks *l, int r, const char *what)
{
	if (l->said.kind != ERRK_NONE)
		return err_set(e, r == -EBUSY ? ERRK_STATE : ERRK_SYS, "%s: %s", what, l->said.msg);
	errno = -r;
	return err_sys(e, "%s", what);
}

static int load(struct luks *l, struct err *e)
{
	const struct lib_function functions[] = {
#define X(name) {#name, &l->name},
		FUNCTIONS(X)
#undef X
	};
	void *stays;

	return lib_open(&stays, LIBRARY, functions, ARRAY_SIZE(functions), e);
}

/* payload NULL: only the header. */
static int open_device(struct luks *l, const char *header, const char *payload, struct err *e)
{
	int r;

	if (load(l, e) < 0)
		return -1;
	/* the headers are ours alone, and callers serialise by volume */
	(void)l->crypt_metadata_locking(NULL, 0);
	r = payload ? l->crypt_init_data_device(&l->cd, header, payload)
		    : l->crypt_init(&l->cd, header);
	if (r < 0)
		return crypt_failed(e, l, r, header);
	l->crypt_set_log_callback(l->cd, keep_message, &l->said);
	return 0;
}

/* A new file that is all hole. */
static int make_file(const char *path, uint64_t size, struct err *e)
{
	auto_close int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 || ftruncate(fd, (off_t)size))
		return err_sys(e, "create %s", path);
	return 0;
}

static int add_key(const struct luks *l, const struct luks_key *key)
{
	return l->crypt_keyslot_add_by_volume_key(l->cd, CRYPT_ANY_SLOT, NULL, 0, key->hex,
						  strlen(key->hex));
}

int luks1_format(const char *header, const struct luks_key *key, struct err *e)
{
	struct crypt_params_luks1 params = {.hash = "sha256",
					    .data_alignment = LUKS1_HEADER_SIZE / SECTOR};
	auto_luks struct luks l = {0};
	int r;

	/* the library wants to see some payload behind the header; it is cut off again */
	if (make_file(header, LUKS1_HEADER_SIZE + (1 << 20), e) ||
	    open_device(&l, header, NULL, e) < 0)
		return -1;
	r = l.crypt_set_pbkdf_type(l.cd, &CHEAP);
	if (r == 0)
		r = l.crypt_format(l.cd, CRYPT_LUKS1, CIPHER, CIPHER_MODE, NULL, NULL, KEY_BYTES,
				   &params);
	if (r == 0)
		r = add_key(&l, key);
	if (r < 0)
		return crypt_failed(e, &l, r, "format LUKS1");
	if (l.crypt_get_data_offset(l.cd) != LUKS1_HEADER_SIZE / SECTOR)
		return err_set(e, ERRK_SYS, "format LUKS1: payload at an unexpected place");
	return truncate(header, (off_t)LUKS1_HEADER_SIZE) ? err_sys(e, "cut %s", header) : 0;
}

int luks2_format(const char *header, const char *payload, const struct luks_key *key, struct err *e)
{
	struct crypt_params_luks2 params = {
		.pbkdf = &CHEAP, .data_device = payload, .sector_size = 4096};
	auto_luks struct luks l = {0};
	int r;

	/* two copies of 16 KiB metadata and 512 KiB for key slots, the least there is */
	if (make_file(header, 1 << 20, e) || open_device(&l, header, NULL, e) < 0)
		return -1;
	r = l.crypt_set_metadata_size(l.cd, 16 << 10, 512 << 10);
	if (r == 0)
		r = l.crypt_format(l.cd, CRYPT_LUKS2, CIPHER, CIPHER_MODE, NULL, NULL, KEY_BYTES,
				   &params);
	if (r == 0)
		r = l.crypt_set_pbkdf_type(l.cd, &CHEAP);
	if (r == 0)
		r = add_key(&l, key);
	return r < 0 ? crypt_failed(e, &l, r, "format LUKS2") : 0;
}

int luks2_open(const char *name, const char *header, const char *device, const struct luks_key *key,
	       struct err *e)
{
	auto_luks struct luks l = {0};
	int r;

	if (open_device(&l, header, device, e) < 0)
		return -1;
	r = l.crypt_load(l.cd, CRYPT_LUKS2, NULL);
	if (r == 0)
		r = l.crypt_activate_by_passphrase(l.cd, name, CRYPT_ANY_SLOT, key->hex,
						   strlen(key->hex), CRYPT_ACTIVATE_ALLOW_DISCARDS);
	return r < 0 ? crypt_failed(e, &l, r, "open the volume") : 0;
}

/* Without a device mapper its library would complain on standard error. */
static bool has_mapper(void)
{
	return access("/dev/mapper/control", F_OK) == 0;
}

/* Does the kernel's folder of this block device say `want` there? */
static bool says(const char *block, const char *file, const char *want)
{
	auto_free char *path = mem_printf("%s/%s", block, file);
	auto_buf struct buf text = BUF(256);

	return fs_read(&text, path, NULL) == 0 && str_is(str_trim(buf_view(&text)), want);
}

static char *node_of(const char *name)
{
	return mem_printf("/dev/mapper/%s", name);
}

bool luks_is_left(const char *name)
{
	auto_free char *node = node_of(name);
	struct stat st;

	return has_mapper() && (mapper_exists(name) || lstat(node, &st) == 0);
}

/* A node that somebody left may be of a number that is another mapper's by now. */
bool luks_is_open(const char *name)
{
	auto_free char *node = node_of(name), *block = NULL;
	struct stat st;

	if (!has_mapper() || stat(node, &st) || !S_ISBLK(st.st_mode))
		return false;
	block = mem_printf("/sys/dev/block/%u:%u", major(st.st_rdev), minor(st.st_rdev));
	return says(block, "dm/name", name) && says(block, "dm/suspended", "0") &&
	       !says(block, "size", "0");
}

static int deactivate(const char *name, struct err *e)
{
	auto_luks struct luks l = {0};
	int r;

	if (load(&l, e) < 0)
		return -1;
	r = l.crypt_deactivate(NULL, name);
	if (r == 0 || r == -ENODEV)
		return 0;
	if (r == -EBUSY)
		return err_set(e, ERRK_STATE, "close the volume: it is in use");
	errno = -r;
	return err_sys(e, "close the volume");
}

int luks_close(const char *name, struct err *e)
{
	auto_free char *node = node_of(name);

	if (!luks_is_left(name))
		return 0;
	if (mapper_exists(name) && deactivate(name, e))
		return -1;
	/* the library takes one without a table for none */
	if (mapper_remove(name, e))
		return -1;
	return unlink(node) && errno != ENOENT ? err_sys(e, "remove %s", node) : 0;
}

int luks_probe_library(struct err *e)
{
	return lib_probe(LIBRARY, e);
}

int luks_probe(struct err *e)
{
	auto_close int fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return err_set(e, ERRK_STATE,
			       "this kernel has no device mapper (/dev/mapper/control)");
	return luks_probe_library(e);
}

int luks_destroy_slots(const char *header, struct err *e)
{
	auto_luks struct luks l = {0};
	int r;

	if (open_device(&l, header, NULL, e) < 0)
		return -1;
	r = l.crypt_load(l.cd, CRYPT_LUKS, NULL);
	for (int i = 0; r == 0 && i < l.crypt_keyslot_max(l.crypt_get_type(l.cd)); i++)
		if (l.crypt_keyslot_status(l.cd, i) >= CRYPT_SLOT_ACTIVE)
			r = l.crypt_keyslot_destroy(l.cd, i);
	return r < 0 ? crypt_failed(e, &l, r, "destroy the key slots") : 0;
}

int luks_try(const char *header, const struct luks_key *key, struct err *e)
{
	auto_luks struct luks l = {0};
	int r;

	if (open_device(&l, header, NULL, e) < 0)
		return -1;
	r = l.crypt_load(l.cd, CRYPT_LUKS, NULL);
	if (r == -EINVAL)
		return LUKS_REFUSED; /* no header */
	if (r == 0)
		r = l.crypt_activate_by_passphrase(l.cd, NULL, CRYPT_ANY_SLOT, key->hex,
						   strlen(key->hex), 0);
	if (r == -EPERM || r == -ENOENT || r == -EINVAL)
		return LUKS_REFUSED; /* no slot is for this key, or none is left */
	return r < 0 ? crypt_failed(e, &l, r, "try to open the volume") : 0;
}
