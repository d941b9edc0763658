/* leased.conf: whatever is taken prints as a file that reads back the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/config.h"
#include "base/fs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int load(struct config **c, const void *p, size_t n)
{
	char path[] = "/tmp/leased-fuzz-XXXXXX";
	auto_close int fd = mkstemp(path);
	struct err e = {0};
	int done;

	if (fd < 0 || fs_write_all(fd, p, n, &e))
		abort();
	done = config_load(c, path, &e);
	unlink(path);
	return done;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_config struct config *c = NULL, *again = NULL;
	auto_buf struct buf text = BUF(4 << 20);
	auto_buf struct buf text2 = BUF(4 << 20);

	if (load(&c, data, size))
		return 0;
	config_print(&text, c);
	if (load(&again, text.p, text.n))
		abort();
	config_print(&text2, again);
	if (!str_eq(buf_view(&text), buf_view(&text2)))
		abort();
	return 0;
}
