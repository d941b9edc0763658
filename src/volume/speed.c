/* How fast volumes of this host are written: see speed.h. */
#include "volume/speed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/secret.h"

#define PIECE	    ((size_t)1 << 20)
#define WRITTEN	    ((uint64_t)64 << 20)
#define VOLUME_SIZE ((uint64_t)128 << 20)
#define TIME_US	    1000000
#define KEPT	    "volume_speed"
#define TEXT_MAX    64

/* At most WRITTEN bytes or TIME_US, and until they are on the disk. */
static int write_some(uint64_t *speed, const char *path, struct err *e)
{
	auto_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	auto_free char *piece = mem_zero(PIECE);
	int64_t from = clock_mono_us(), took = 0;
	uint64_t n = 0;

	if (fd < 0)
		return err_sys(e, "create %s", path);
	rand_bytes(piece, PIECE);
	for (; n < WRITTEN && took < TIME_US; took = clock_mono_us() - from, n += PIECE)
		if (fs_write_all(fd, piece, PIECE, e))
			return -1;
	if (fdatasync(fd))
		return err_sys(e, "sync %s", path);
	took = clock_mono_us() - from;
	*speed = n * 1000000 / (uint64_t)(took > 0 ? took : 1);
	return 0;
}

static int measure(uint64_t *speed, const struct volume *v, struct err *e)
{
	auto_free char *mount = volume_path(v), *path = NULL;

	if (volume_open(v, NULL, e))
		return -1;
	path = mem_printf("%s/speed", mount);
	return write_some(speed, path, e);
}

int volume_measure(const struct volume *like, struct err *e)
{
	auto_free char *path = mem_printf("%s/" KEPT, like->state_dir);
	struct volume v = *like;
	struct volume_erasure r;
	uint64_t speed = 0;
	char text[TEXT_MAX];
	int n, rc;

	v.bytes = VOLUME_SIZE;
	rc = measure(&speed, &v, e);
	if (volume_erase(&v, &r, rc < 0 ? NULL : e) < 0 || rc < 0)
		return -1;
	n = snprintf(text, sizeof(text), "%s %llu\n", volume_activation_name(v.activation),
		     (unsigned long long)speed);
	return fs_write(path, text, (size_t)n, 0644, e);
}

uint64_t volume_speed(const char *state_dir, enum volume_activation a)
{
	auto_free char *path = mem_printf("%s/" KEPT, state_dir);
	auto_buf struct buf text = BUF(TEXT_MAX);
	struct str name, rest;
	uint64_t speed = 0;

	if (fs_read(&text, path, NULL))
		return 0;
	rest = str_trim(buf_view(&text));
	if (!str_cut(&rest, ' ', &name) || !str_is(name, volume_activation_name(a)) ||
	    str_u64(rest, INT64_MAX, &speed, NULL))
		return 0;
	return speed;
}
