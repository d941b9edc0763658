/* See volume_place.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "volume/loop.h"
#include "volume/luks.h"
#include "volume/mounts.h"
#include "volume_place.h"

int place_make(void **state)
{
	static struct place p;

	memcpy(p.state, "/var/tmp/leased-test-XXXXXX", 28);
	memcpy(p.run, "/dev/shm/leased-test-XXXXXX", 28);
	*state = &p;
	return mkdtemp(p.state) && mkdtemp(p.run) ? 0 : -1;
}

int place_remove(void **state)
{
	const struct place *p = *state;

	return fs_remove_tree(p->state, NULL) || fs_remove_tree(p->run, NULL);
}

struct volume place_volume(const struct place *p, enum volume_activation a)
{
	return (struct volume){.state_dir = p->state,
			       .run_dir = p->run,
			       .id = "t1",
			       .activation = a,
			       .bytes = 64 << 20,
			       .inodes = 1024};
}

void must(int r, const struct err *e)
{
	if (r < 0)
		fail_msg("%s", e->msg);
}

char *place_file(const struct volume *v, const char *name)
{
	auto_free char *mnt = volume_path(v);

	return mem_printf("%s/%s", mnt, name);
}

static void say(struct buf *out, bool is_there, const char *what)
{
	if (is_there)
		buf_printf(out, "%s%s", out->n ? ", " : "", what);
}

char *place_left(const struct volume *v)
{
	auto_free char *data = mem_printf("%s/volumes/%s", v->state_dir, v->id);
	auto_free char *kept = mem_printf("%s/headers/%s", v->state_dir, v->id);
	auto_free char *run = mem_printf("%s/volumes/%s", v->run_dir, v->id);
	auto_free char *disk = mem_printf("%s/disk", run);
	auto_free char *mnt = volume_path(v);
	auto_free char *mapper = mem_printf("leased-%s", v->id);
	auto_free char *loop = NULL, *loop2 = NULL;
	auto_buf struct buf out = BUF(512);

	say(&out, fs_exists(data), "payload");
	say(&out, fs_exists(kept), "header on disk");
	say(&out, fs_exists(run), "run folder");
	say(&out, mounts_has(mnt), "mount");
	say(&out, mounts_has(disk), "mount of the server");
	say(&out, loop_find(&loop, data, NULL) != LOOP_NONE, "loop device of the payload");
	say(&out, loop_find(&loop2, disk, NULL) != LOOP_NONE, "loop device of the disk");
	say(&out, luks_is_left(mapper), "mapper");
	say(&out, volume_server(v) != 0, "server");
	return out.n ? buf_steal(&out) : NULL;
}

void place_check_gone(const struct volume *v)
{
	auto_free char *left = place_left(v);

	if (left)
		fail_msg("left: %s", left);
}
