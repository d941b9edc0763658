/* Pulling images as root: honest ones come out exactly, hostile ones leave nothing behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "image/image.h"
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
	auto_free char *group = in_layer(i, 1, "etc/group");
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
};

static const struct hostile HOSTILE[] = {
	{"dotdot", {{"../leased-test-outside", S_IFREG, .content = "x"}}},
	{"dotdot within", {{"a/../../leased-test-outside", S_IFREG, .content = "x"}}},
	{"hard link out", {{"x", S_IFREG, .hardlink = "/etc/passwd"}}},
	{"hard link up", {{"x", S_IFREG, .hardlink = "../../../../etc/passwd"}}},
	{"device", {{"disk", S_IFCHR}}},
	{"foreign owner", {{"x", S_IFREG, .content = "x", .uid = 70000}}},
	{"whiteout of nothing", {{"a/.wh.", S_IFREG}}},
	{"whiteout of itself", {{"a/.wh..", S_IFREG}}},
	{"whiteout of the parent", {{"a/.wh...", S_IFREG}}},
	{"below a whiteout", {{".wh.a/b", S_IFREG, .content = "x"}}},
	{"root as a link", {{".", S_IFLNK, .content = "/etc"}}},
};

static void test_hostile(void **state)
{
	for (size_t k = 0; k < ARRAY_SIZE(HOSTILE); k++) {
		const struct tar_layer layer = {HOSTILE[k].entries, 1, IMAGE_GZIP, LAYER_HONEST};
		auto_image struct image *i = image_new();
		size_t before = count_in("layers");
		struct err e;

		make_layout(place.layout, "bad", &layer, 1, "{}");
		if (image_ensure(i, &place.store, "oci:box:bad", NULL, &e) == 0)
			fail_msg("%s was unpacked", HOSTILE[k].name);
		assert_int_equal(count_in("layers"), before);
		assert_int_equal(count_in("tmp"), 0);
		assert_false(fs_exists(OUTSIDE));
	}
}

/* A link out of the layer, then a file through it: it stays below the layer's root. */
static void test_link_out(void **state)
{
	static const struct tar_entry entries[] = {
		{"var/tmp/", S_IFDIR},
		{"out", S_IFLNK, .content = "/var/tmp"},
		{"out/leased-test-outside", S_IFREG, .content = "x"},
	};
	const struct tar_layer layer = {entries, 3, IMAGE_PLAIN, LAYER_HONEST};
	auto_image struct image *i = image_new();
	struct err e;

	make_layout(place.layout, "link", &layer, 1, "{}");
	if (image_ensure(i, &place.store, "oci:box:link", NULL, &e))
		fail_msg("%s", e.msg);
	assert_false(fs_exists(OUTSIDE));
	(void)stat_in(i, 0, "var/tmp/leased-test-outside");
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
		cmocka_unit_test(test_bomb),	     cmocka_unit_test(test_users),
	};

	if (geteuid() != 0) {
		printf("1..0 # SKIP not root\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, make_place, remove_place);
}
