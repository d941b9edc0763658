/* Keys of volumes: see key.h. */
#include "volume/key.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fs.h"
#include "base/hex.h"
#include "base/secret.h"

void luks_key_wipe(struct luks_key *k)
{
	wipe(k, sizeof(*k));
	munlock(k, sizeof(*k));
}

static int lock(struct luks_key *k, struct err *e)
{
	return mlock(k, sizeof(*k)) ? err_sys(e, "lock the memory of a volume's key") : 0;
}

int luks_key_make(struct luks_key *k, const char *path, struct err *e)
{
	auto_secret struct secret random;

	if (lock(k, e))
		return -1;
	rand_bytes(random.b, sizeof(random.b));
	hex_encode(k->hex, random.b, sizeof(random.b));
	return fs_write(path, k->hex, strlen(k->hex), 0600, e);
}

int luks_key_take(struct luks_key *k, const char *hex, struct err *e)
{
	if (!hex_is(str_of(hex), 32))
		return err_set(e, ERRK_INPUT, "a volume's key is 64 characters of hex");
	if (lock(k, e))
		return -1;
	memcpy(k->hex, hex, sizeof(k->hex));
	return 0;
}

int luks_key_put(struct luks_key *k, const char *hex, const char *path, struct err *e)
{
	return luks_key_take(k, hex, e) ? -1 : fs_write(path, k->hex, strlen(k->hex), 0600, e);
}

/* Straight into the locked memory, without a buffer between. */
int luks_key_read(struct luks_key *k, const char *path, struct err *e)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return err_sys(e, "the volume's key");
	if (lock(k, e))
		return -1;
	if (fs_read_exactly(fd, k->hex, sizeof(k->hex) - 1))
		return err_set(e, ERRK_STATE, "the volume's key is damaged");
	k->hex[sizeof(k->hex) - 1] = '\0';
	if (!hex_is(str_of(k->hex), 32))
		return err_set(e, ERRK_STATE, "the volume's key is damaged");
	return 0;
}
