/* Pulling images as root: honest ones come out exactly, hostile ones leave nothing behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/step.h"
#include "image/shelf.h"
#include "make_layout.h"

static struct place {
	char dir[64];
	char *layouts[2];
	char *layout;
	char *store_dir;
	struct image_store store;
} place;

static int make_place(void **state)
{
	memcpy(place.dir, "/var/tmp/leased-test-XXXXXX", 28);
	if (!mkdtemp(place.dir))
		return -1;
	place.layouts[0] = mem_printf("%s/layouts", place.dir);
	place.layout = mem_printf("%s/layouts/box", place.dir);
	place.store_dir = mem_printf("%s/store", place.dir);
	place.store = (struct image_store){.dir = place.store_dir,
					   .layouts = (const char *const *)place.layouts,
					   .bytes_max = 32 << 20};
	return 0;
}

static int remove_place(void **state)
{
	int r = fs_remove_tree(place.dir, NULL);

	free(place.layouts[0]);
	free(place.layout);
	free(place.store_dir);
	return r;
}

static char *in_layer(const struct image *i, size_t n, const char *path)
{
	return mem_printf("%s/layers/%s/%s", place.store_dir, i->layers[n].diffid + 7, path);
}

static struct stat stat_in(const struct image *i, size_t n, const char *path)
{
	auto_free char *full = in_layer(i, n, path);
	struct stat st;

	if (lstat(full, &st))
		fail_msg("%s is missing", path);
	return st;
}

static size_t count_in(const char *name)
{
	auto_free char *path = mem_printf("%s/%s", place.store_dir, name);
	auto_closedir DIR *d = opendir(path);
	size_t n = 0;

	while (d && readdir(d))
		n++;
	return n ? n - 2 : 0;
}

static const uint8_t NET_RAW[20] = {1, 0, 0, 2, 0, 0x20}; /* VFS_CAP_REVISION_2, effective */

#define LONG_PIECE "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz"
#define LONG_NAME  LONG_PIECE LONG_PIECE LONG_PIECE /* longer than the old header of tar */

static const struct tar_entry LOWER[] = {
	{"etc/", S_IFDIR},
	{"etc/passwd", S_IFREG,
	 .content = "root:x:0:0::/root:/bin/sh\nweb:x:33:44::/srv:/bin/sh\n"},
	{"etc/group", S_IFREG, .content = "root:x:0:\nweb:x:44:\nlog:x:50:a,web\n"},
	{"./bin/tool", S_IFREG, 04755, "#!", .uid = 5, .gid = 6, .xattr = "security.capability",
	 .xattr_value = NET_RAW, .xattr_n = 20},
	{"bin/same", S_IFREG, .hardlink = "bin/tool"},
	{"bin/link", S_IFLNK, .content = "/etc/passwd"},
	{"a/b/old", S_IFREG, .content = "old"},
	{"pipe", S_IFIFO},
	{"dev/null", S_IFCHR},
	{"marked", S_IFREG, .xattr = "trusted.overlay.opaque", .xattr_value = "y", .xattr_n = 1},
	{"twice", S_IFREG, .content = "first"},
	{"twice", S_IFREG, .content = "second"},
	{"n\xc3\xa4me", S_IFREG, .content = "utf-8"},
	{"hollow", S_IFREG, .content = "end", .hole = 8 << 20},
	{"sealed/", S_IFDIR, 01777},
	{"sealed/" LONG_NAME "/" LONG_NAME "/x", S_IFREG, .content = "deep"},
	{"last", S_IFREG, .content = "x", .uid = 65535, .gid = 65535, .xattr = "user.note",
	 .xattr_value = "v", .xattr_n = 1},
};

static const struct tar_entry UPPER[] = {
	{"a/.wh.b", S_IFREG},
	{"bin/.wh..wh..opq", S_IFREG},
	{"bin/new", S_IFREG, .content = "new"},
	{"etc/.wh.group", S_IFREG},
	{"etc/group/", S_IFDIR},
};

static void check_contents(const struct image *i)
{
	auto_free char *tool = in_layer(i, 0, "bin/tool"), *marked = in_layer(i, 0, "marked");
	auto_free char *twice = in_layer(i, 0, "twice"), *bin = in_layer(i, 1, "bin");
	auto_free char *group = in_layer(i, 1, "etc/group"), *last = in_layer(i, 0, "last");
	auto_buf struct buf text = BUF(64);
	char value[64];
	struct stat st = stat_in(i, 0, "bin/tool");

	assert_int_equal(st.st_mode, S_IFREG | 04755);
	assert_int_equal(st.st_uid, 5);
	assert_int_equal(st.st_gid, 6);
	assert_int_equal(st.st_nlink, 2);
	assert_int_equal(st.st_mtime, 1000000000);
	assert_int_equal(getxattr(tool, "security.capability", value, sizeof(value)), 20);
	assert_int_equal(stat_in(i, 0, "bin/same").st_ino, st.st_ino);
	assert_true(S_ISLNK(stat_in(i, 0, "bin/link").st_mode));
	assert_true(S_ISFIFO(stat_in(i, 0, "pipe").st_mode));
	assert_int_equal(getxattr(marked, "trusted.overlay.opaque", value, sizeof(value)), -1);
	assert_int_equal(fs_read(&text, twice, NULL), 0);
	assert_string_equal(text.p, "second");
	(void)stat_in(i, 0, "n\xc3\xa4me");
	st = stat_in(i, 0, "hollow");
	assert_int_equal(st.st_size, (8 << 20) + 3);
	assert_true(st.st_blocks * 512 < 1 << 20);
	st = stat_in(i, 0, "sealed");
	assert_int_equal(st.st_mode, S_IFDIR | 01777);
	assert_int_equal(st.st_mtime, 1000000000); /* in spite of what came after it */
	assert_int_equal(stat_in(i, 0, "bin/link").st_mtime, 1000000000);
	(void)stat_in(i, 0, "sealed/" LONG_NAME "/" LONG_NAME "/x");
	st = stat_in(i, 0, "last");
	assert_true(st.st_uid == 65535 && st.st_gid == 65535);
	assert_int_equal(getxattr(last, "user.note", value, sizeof(value)), 1);
	st = stat_in(i, 1, "a/b");
	assert_true(S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0));
	assert_int_equal(getxattr(bin, "trusted.overlay.opaque", value, sizeof(value)), 1);
	assert_int_equal(getxattr(group, "trusted.overlay.opaque", value, sizeof(value)), 1);
	(void)stat_in(i, 1, "bin/new");
}

static void pull_good(enum image_compression c)
{
	const struct tar_layer layers[] = {{LOWER, ARRAY_SIZE(LOWER), c},
					   {UPPER, ARRAY_SIZE(UPPER), c}};
	auto_image struct image *i = image_new();
	struct err e;

	make_layout(place.layout, "v1", layers, 2,
		    "{\"Entrypoint\":[\"/bin/tool\"],\"Cmd\":[\"x\"],\"Env\":[\"A=b\"],"
		    "\"User\":\"web\",\"WorkingDir\":\"/srv\",\"StopSignal\":\"SIGINT\"}");
	if (image_ensure(i, &place.store, "oci:box:v1", NULL, &e))
		fail_msg("%s", e.msg);
	assert_int_equal(i->nlayers, 2);
	assert_string_equal(image_config_entrypoint(&i->config, 0), "/bin/tool");
	assert_string_equal(image_config_env(&i->config, 0), "A=b");
	assert_int_equal(i->config.stop_signal, 2);
	check_contents(i);
}

static void test_compressions(void **state)
{
	pull_good(IMAGE_PLAIN);
	pull_good(IMAGE_GZIP);
	pull_good(IMAGE_ZSTD);
	/* one tar, however it was packed */
	assert_int_equal(count_in("layers"), 2);
	assert_int_equal(count_in("images"), 3);
	assert_int_equal(count_in("tmp"), 0);
}

/* What is in the store needs no layout any more; what is not, is named. */
static void test_warm(void **state)
{
	auto_image struct image *i = image_new(), *again = image_new();
	struct err e;

	assert_int_equal(image_resolve(i, &place.store, "oci:box:v1", &e), 0);
	assert_int_equal(image_load(again, &place.store, i->digest, &e), 0);
	assert_memory_equal(&i->config, &again->config, sizeof(i->config));
	assert_int_equal(image_ensure(again, &place.store, "oci:gone", i->digest, &e), 0);
	assert_int_equal(image_resolve(i, &place.store, "oci:gone", &e), IMAGE_NOT_FOUND);
	assert_int_equal(image_resolve(i, &place.store, "oci:box:v2", &e), -1);
	assert_int_equal(image_resolve(i, &place.store, "oci:/etc", &e), IMAGE_NOT_FOUND);
	assert_int_equal(image_resolve(i, &place.store, "oci:../store", &e), IMAGE_NOT_FOUND);
	assert_int_equal(image_resolve(i, &place.store, "docker.io/x", &e), -1);
}

static void test_pinned(void **state)
{
	const struct tar_layer layer = {LOWER, 2, IMAGE_PLAIN, LAYER_HONEST};
	auto_image struct image *i = image_new();
	char old[SPEC_DIGEST_SIZE];
	struct err e;

	assert_int_equal(image_resolve(i, &place.store, "oci:box:v1", &e), 0);
	memcpy(old, i->digest, sizeof(old));
	old[10] = old[10] == '0' ? '1' : '0';
	make_layout(place.layout, "v1", &layer, 1, "{}");
	assert_int_equal(image_ensure(i, &place.store, "oci:box:v1", old, &e), -1);
	assert_int_equal(e.kind, ERRK_STATE);
}

static const char *const OUTSIDE = "/var/tmp/leased-test-outside";

struct hostile {
	const char *name;
	struct tar_entry entries[3];
	const char *why; /* a word of the error */
};

static const struct hostile HOSTILE[] = {
	{"dotdot", {{"../leased-test-outside", S_IFREG, .content = "x"}}, "\"..\""},
	{"dotdot within", {{"a/../../leased-test-outside", S_IFREG, .content = "x"}}, "\"..\""},
	{"hard link out", {{"x", S_IFREG, .hardlink = "/etc/passwd"}}, "not in its layer"},
	{"hard link up", {{"x", S_IFREG, .hardlink = "../../../../etc/passwd"}}, "\"..\""},
	{"hard link through a link",
	 {{"l", S_IFLNK, .content = "/etc"}, {"x", S_IFREG, .hardlink = "l/passwd"}},
	 "folder of l/passwd"},
	{"hard link to the root", {{"x", S_IFREG, .hardlink = "/"}}, "the root"},
	{"hard link to a folder",
	 {{"d/", S_IFDIR}, {"x", S_IFREG, .hardlink = "d"}},
	 "not in its layer"},
	{"character device", {{"disk", S_IFCHR}}, "device"},
	{"block device", {{"disk", S_IFBLK}}, "device"},
	{"device beside dev", {{"device/null", S_IFCHR}}, "device"},
	{"foreign owner", {{"x", S_IFREG, .content = "x", .uid = 70000}}, "owner above"},
	{"foreign group", {{"x", S_IFLNK, .content = "y", .gid = 65536}}, "owner above"},
	{"whiteout of nothing", {{"a/.wh.", S_IFREG}}, "whiteout"},
	{"whiteout of itself", {{"a/.wh..", S_IFREG}}, "whiteout"},
	{"whiteout of the root", {{".wh..", S_IFREG}}, "whiteout"},
	{"whiteout of the parent", {{"a/.wh...", S_IFREG}}, "whiteout"},
	{"below a whiteout", {{".wh.a/b", S_IFREG, .content = "x"}}, "below a whiteout"},
	{"root as a link", {{".", S_IFLNK, .content = "/etc"}}, "as root"},
	{"root as a file", {{".", S_IFREG, .content = "x"}}, "as root"},
	{"root opaque through a link",
	 {{"l", S_IFLNK, .content = "/"}, {"l/.wh..wh..opq", S_IFREG}},
	 "opaque"},
	{"folder in a file",
	 {{"f", S_IFREG, .content = "x"}, {"f/g", S_IFREG, .content = "x"}},
	 "f"},
};

static void test_hostile(void **state)
{
	for (size_t k = 0; k < ARRAY_SIZE(HOSTILE); k++) {
		const struct tar_entry *entries = HOSTILE[k].entries;
		const struct tar_layer layer = {entries, entries[1].path ? 2 : 1, IMAGE_GZIP,
						LAYER_HONEST};
		auto_image struct image *i = image_new();
		size_t before = count_in("layers");
		struct err e;

		make_layout(place.layout, "bad", &layer, 1, "{}");
		if (image_ensure(i, &place.store, "oci:box:bad", NULL, &e) == 0)
			fail_msg("%s was unpacked", HOSTILE[k].name);
		if (!strstr(e.msg, HOSTILE[k].why))
			fail_msg("%s: %s", HOSTILE[k].name, e.msg);
		assert_int_equal(count_in("layers"), before);
		assert_int_equal(count_in("tmp"), 0);
		assert_false(fs_exists(OUTSIDE));
	}
}

/* What looks like the host's is the layer's: absolute names, links, then files through them. */
static void test_link_out(void **state)
{
	static const struct tar_entry entries[] = {
		{"/etc/leased-test-outside", S_IFREG, .content = "x"},
		{"dev", S_IFLNK, .content = "/proc/self"},
		{"etc/passwd", S_IFLNK, .content = "/etc/leased-test-outside"},
		{"var/tmp/", S_IFDIR},
		{"out", S_IFLNK, .content = "/var/tmp"},
		{"out/leased-test-outside", S_IFREG, .content = "x"},
	};
	const struct tar_layer layer = {entries, ARRAY_SIZE(entries), IMAGE_PLAIN, LAYER_HONEST};
	auto_image struct image *i = image_new();
	struct err e;

	make_layout(place.layout, "link", &layer, 1, "{}");
	if (image_ensure(i, &place.store, "oci:box:link", NULL, &e))
		fail_msg("%s", e.msg);
	assert_false(fs_exists(OUTSIDE));
	assert_false(fs_exists("/etc/leased-test-outside"));
	(void)stat_in(i, 0, "var/tmp/leased-test-outside");
	(void)stat_in(i, 0, "etc/leased-test-outside");
	assert_true(S_ISLNK(stat_in(i, 0, "dev").st_mode));
}

/* An image that is refused by one limit alone, whose word the error has, and nothing is left. */
static void refuse(const struct image_store *store, const struct tar_layer *layer, const char *why)
{
	auto_image struct image *i = image_new();
	size_t before = count_in("layers");
	struct err e;

	make_layout(place.layout, "large", layer, 1, "{}");
	if (image_ensure(i, store, "oci:box:large", NULL, &e) == 0)
		fail_msg("\"%s\" was not refused", why);
	if (!strstr(e.msg, why))
		fail_msg("%s", e.msg);
	assert_int_equal(e.kind, ERRK_LIMIT);
	assert_int_equal(count_in("layers"), before);
	assert_int_equal(count_in("tmp"), 0);
}

static void accept(const struct image_store *store)
{
	auto_image struct image *i = image_new();
	struct err e;

	if (image_ensure(i, store, "oci:box:large", NULL, &e))
		fail_msg("%s", e.msg);
}

/* Each limit refuses by itself what passes without it. */
static void test_limits(void **state)
{
	auto_free char *zeros = mem_zero(120 << 20);
	const struct tar_entry bomb = {"z", S_IFREG, .content = zeros, .content_n = 120 << 20};
	static const struct tar_entry many = {"f", S_IFREG, .repeat = 2000};
	static const struct tar_entry fresh = {"fresh", S_IFREG, .content = "x"};
	static const struct tar_entry deep = {"a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p", S_IFREG};
	static const struct tar_entry sparse = {"s", S_IFREG, .content = "end", .hole = 64 << 20};
	struct image_store s = place.store;

	s.entries_max = 1999;
	refuse(&s, &(struct tar_layer){&many, 1, IMAGE_ZSTD, LAYER_HONEST}, "1999 files");
	s.entries_max = 2000;
	accept(&s);
	s.entries_max = 15;
	refuse(&s, &(struct tar_layer){&deep, 1, IMAGE_ZSTD, LAYER_HONEST}, "15 files");
	s.entries_max = 0;
	accept(&s);
	refuse(&s, &(struct tar_layer){&sparse, 1, IMAGE_PLAIN, LAYER_HONEST},
	       "larger than allowed: a file");
	s.bytes_max = 65 << 20;
	accept(&s);
	s.spare = UINT64_MAX; /* nothing of the disk is free for it */
	refuse(&s, &(struct tar_layer){&fresh, 1, IMAGE_PLAIN, LAYER_HONEST}, "disk");
	s.spare = 0;
	s.bytes_max = 1 << 30;
	refuse(&s, &(struct tar_layer){&bomb, 1, IMAGE_ZSTD, LAYER_HONEST},
	       "times its compressed size");
	make_layout(place.layout, "large", &(struct tar_layer){&bomb, 1, IMAGE_PLAIN, LAYER_HONEST},
		    1, "{}");
	accept(&s);
}

static void test_store_limit(void **state)
{
	static const struct tar_entry one = {"1", S_IFREG, .content = "1"};
	static const struct tar_entry many = {"f", S_IFREG, .repeat = 500};
	struct image_store s = place.store;
	auto_image struct image *i = image_new(), *again = image_new();
	auto_free char *leases = mem_printf("%s/leases", place.dir);
	auto_free char *lease = mem_printf("%s/00000000000000aa", leases), *record = NULL;
	const struct timespec past[2] = {{1000000000, 0}, {1000000000, 0}};
	uint64_t freed;
	struct err e;

	assert_int_equal(image_prune(&s, &freed, &e), 0);
	assert_int_equal(count_in("layers"), 0);
	assert_int_equal(fs_mkdirs(lease, 0700, &e), 0);
	s.leases = leases;
	s.holder = "00000000000000aa";
	s.store_max = 1 << 20;
	make_layout(place.layout, "one", &(struct tar_layer){&one, 1, IMAGE_PLAIN, LAYER_HONEST}, 1,
		    "{}");
	assert_int_equal(image_ensure(i, &s, "oci:box:one", NULL, &e), 0);
	s.holder = NULL;
	refuse(&s, &(struct tar_layer){&many, 1, IMAGE_PLAIN, LAYER_HONEST}, "store is full");
	assert_int_equal(image_load(again, &s, i->digest, &e), 0);
	s.store_max = 502 * 4096;
	accept(&s); /* both */
	assert_int_equal(image_load(again, &s, i->digest, &e), 0);
	assert_int_equal(fs_remove_tree(lease, &e), 0);
	record = mem_printf("%s/images/%s", place.store_dir, i->digest + 7);
	assert_int_equal(utimensat(AT_FDCWD, record, past, 0), 0);
	s.store_max = 500 * 4096;
	assert_int_equal(image_make_room(&s, 0, &e), 0);
	assert_int_equal(image_load(again, &s, i->digest, &e), IMAGE_NOT_FOUND);
	assert_int_equal(image_remove(&s, i->digest, &freed, &e), IMAGE_NOT_FOUND);
}

/* A pull that dies at any step leaves nothing that is not whole, and is repeated. */
static void test_death(void **state)
{
	static const char *const steps[] = {"IMAGE_HELD",	   "IMAGE_UNPACKED",
					    "IMAGE_UNPACKED:2",	   "IMAGE_LAYER_ADDED",
					    "IMAGE_LAYER_ADDED:2", "IMAGE_ADDED"};
	const struct tar_layer layers[] = {{LOWER, ARRAY_SIZE(LOWER), IMAGE_GZIP, LAYER_HONEST},
					   {UPPER, ARRAY_SIZE(UPPER), IMAGE_GZIP, LAYER_HONEST}};
	uint64_t freed;

	make_layout(place.layout, "v1", layers, 2, "{}");
	for (size_t k = 0; k < ARRAY_SIZE(steps); k++) {
		auto_image struct image *i = image_new();
		struct err e;
		int status;
		pid_t pid;

		assert_int_equal(image_prune(&place.store, &freed, &e), 0);
		pid = fork();
		if (pid == 0) {
			if (step_arm(steps[k], NULL) == 0)
				(void)!image_ensure(i, &place.store, "oci:box:v1", NULL, NULL);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		assert_int_equal(image_sweep(&place.store, &e), 0);
		assert_int_equal(count_in("tmp"), 0);
		assert_int_equal(count_in("layers"), 2 * count_in("images"));
		assert_int_equal(image_ensure(i, &place.store, "oci:box:v1", NULL, &e), 0);
		check_contents(i);
	}
}

/* A full disk: a tmpfs of its own under the store. */
static void test_full_disk(void **state)
{
	auto_free char *content = mem_zero(12 << 20);
	const struct tar_entry big[] = {{"a", S_IFREG, .content = content, .content_n = 12 << 20},
					{"b", S_IFREG, .content = content, .content_n = 12 << 20}};
	auto_free char *dir = mem_printf("%s/small", place.dir);
	auto_free char *tmp = mem_printf("%s/store/tmp", dir), *there = mem_printf("%s/store", dir);
	struct image_store s = place.store;
	auto_image struct image *i = image_new();
	auto_closedir DIR *d = NULL;
	struct statvfs fs;
	size_t n = 0;
	struct err e;

	s.dir = there;
	assert_int_equal(mkdir(dir, 0755), 0);
	assert_int_equal(mount("tmpfs", dir, "tmpfs", 0, "size=16m"), 0);
	memset(content, 'x', 12 << 20);
	make_layout(place.layout, "big",
		    (const struct tar_layer[]){{big, 1, IMAGE_PLAIN, LAYER_HONEST},
					       {big, 2, IMAGE_PLAIN, LAYER_HONEST}},
		    2, "{}");
	assert_int_equal(image_ensure(i, &s, "oci:box:big", NULL, &e), -1);
	assert_int_equal(e.kind, ERRK_LIMIT);
	assert_non_null(strstr(e.msg, "disk"));
	assert_non_null(strstr(e.msg, "full"));
	d = opendir(tmp);
	while (readdir(d))
		n++;
	assert_int_equal(n, 2);
	assert_int_equal(statvfs(dir, &fs), 0);
	assert_true(fs.f_bavail * fs.f_bsize > 15 << 20);
	closedir(steal(&d));
	assert_int_equal(umount(dir), 0);
}

static void test_lies(void **state)
{
	static const struct tar_entry entry = {"lie", S_IFREG, .content = "lie"};

	for (int lie = LAYER_WRONG_DIFFID; lie <= LAYER_WRONG_SIZE; lie++) {
		const struct tar_layer layer = {&entry, 1, IMAGE_PLAIN, lie};
		auto_image struct image *i = image_new();
		size_t before = count_in("layers");
		struct err e;

		make_layout(place.layout, "lie", &layer, 1, "{}");
		if (image_ensure(i, &place.store, "oci:box:lie", NULL, &e) == 0)
			fail_msg("lie %d was believed", lie);
		assert_int_equal(count_in("layers"), before);
	}
}

/* 40 MB of zeros in a few KB; the store takes 32 MB. */
static void test_bomb(void **state)
{
	auto_free char *zeros = mem_zero(40 << 20);
	const struct tar_entry entry = {"zeros", S_IFREG, .content = zeros, .content_n = 40 << 20};
	const struct tar_layer layer = {&entry, 1, IMAGE_GZIP, LAYER_HONEST};
	auto_image struct image *i = image_new();
	struct err e;

	make_layout(place.layout, "bomb", &layer, 1, "{}");
	assert_int_equal(image_ensure(i, &place.store, "oci:box:bomb", NULL, &e), -1);
	assert_int_equal(e.kind, ERRK_LIMIT);
	assert_int_equal(count_in("tmp"), 0);
}

static void check_user(const char *text, uint32_t uid, uint32_t gid, uint32_t ngroups)
{
	auto_free char *root = mem_printf("%s/root", place.dir);
	struct image_user u;
	struct err e;

	if (image_find_user(&u, root, text, &e))
		fail_msg("%s", e.msg);
	assert_int_equal(u.uid, uid);
	assert_int_equal(u.gid, gid);
	assert_int_equal(u.ngroups, ngroups);
}

static void test_users(void **state)
{
	auto_free char *root = mem_printf("%s/root", place.dir);
	auto_free char *etc = mem_printf("%s/etc", root), *passwd = mem_printf("%s/passwd", etc);
	auto_free char *group = mem_printf("%s/group", etc);
	struct image_user u;
	struct err e;

	assert_int_equal(fs_mkdirs(etc, 0755, &e), 0);
	assert_int_equal(fs_write(passwd, LOWER[1].content, strlen(LOWER[1].content), 0644, &e), 0);
	assert_int_equal(fs_write(group, LOWER[2].content, strlen(LOWER[2].content), 0644, &e), 0);
	check_user("0", 0, 0, 0);
	check_user("web", 33, 44, 1);
	check_user("33", 33, 44, 1);
	check_user("web:log", 33, 50, 0);
	check_user("1000", 1000, 0, 0);
	check_user("1000:1000", 1000, 1000, 0);
	assert_int_equal(image_find_user(&u, root, "nobody", &e), -1);
	assert_int_equal(image_find_user(&u, root, "web:nogroup", &e), -1);
	assert_int_equal(image_find_user(&u, root, "70000", &e), -1);
	/* the host's own file must not be read through a link of the image */
	assert_int_equal(unlink(passwd), 0);
	assert_int_equal(symlink("/etc/passwd", passwd), 0);
	assert_int_equal(image_find_user(&u, root, "daemon", &e), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compressions), cmocka_unit_test(test_warm),
		cmocka_unit_test(test_pinned),	     cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_link_out),     cmocka_unit_test(test_lies),
		cmocka_unit_test(test_bomb),	     cmocka_unit_test(test_limits),
		cmocka_unit_test(test_store_limit),  cmocka_unit_test(test_death),
		cmocka_unit_test(test_full_disk),    cmocka_unit_test(test_users),
	};

	if (geteuid() != 0) {
		printf("1..0 # SKIP not root\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, make_place, remove_place);
}
