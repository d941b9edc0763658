/* The image store as root, without unpacking: who uses what, what goes and what stays, and that a
 * death at any step leaves nothing half. Layers are made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/step.h"
#include "image/hold.h"
#include "image/shelf.h"
#include "image/store.h"

#define MB (UINT64_C(1) << 20)

static struct place {
	char dir[64];
	char *store_dir, *leases;
	struct image_store store;
} place;

static int make_place(void **state)
{
	memcpy(place.dir, "/var/tmp/leased-shelf-XXXXXX", 29);
	if (!mkdtemp(place.dir))
		return -1;
	place.store_dir = mem_printf("%s/store", place.dir);
	place.leases = mem_printf("%s/leases", place.dir);
	place.store = (struct image_store){.dir = place.store_dir, .leases = place.leases};
	return store_prepare(&place.store, NULL) || mkdir(place.leases, 0700);
}

static int remove_place(void **state)
{
	int r = fs_remove_tree(place.dir, NULL);

	free(place.store_dir);
	free(place.leases);
	return r;
}

static char *below(const char *name)
{
	return mem_printf("%s/%s", place.dir, name);
}

static char *digest_of(char kind, unsigned n)
{
	char *d = mem_printf("sha256:%c%063u", kind, n);

	return d;
}

static void add_layer(unsigned n, uint64_t bytes)
{
	auto_free char *temporary = NULL, *file = NULL, *digest = digest_of('a', n);

	if (store_has_layer(&place.store, digest))
		return;
	assert_int_equal(store_make_temporary(&temporary, &place.store, NULL), 0);
	file = mem_printf("%s/file", temporary);
	assert_int_equal(fs_write(file, "x", 1, 0644, NULL), 0);
	assert_int_equal(store_add_layer(&place.store, temporary, digest, bytes, NULL), 0);
}

/* Image n of the layers that are named, 0-ended, each of 1 MB; used at `used`. */
static void fill_image(struct image *i, unsigned n, const unsigned *layers)
{
	auto_free char *digest = digest_of('b', n);

	memcpy(i->digest, digest, SPEC_DIGEST_SIZE);
	memcpy(i->platform, "linux/amd64", 12);
	i->size = 1000 + n;
	for (; layers[i->nlayers]; i->nlayers++) {
		auto_free char *layer = digest_of('a', layers[i->nlayers]);

		memcpy(i->layers[i->nlayers].diffid, layer, SPEC_DIGEST_SIZE);
	}
}

static void add_image(unsigned n, const unsigned *layers, time_t used)
{
	auto_image struct image *i = image_new();
	auto_free char *path = NULL;
	struct timespec times[2] = {{used, 0}, {used, 0}};

	for (const unsigned *l = layers; *l; l++)
		add_layer(*l, MB);
	fill_image(i, n, layers);
	assert_int_equal(store_add_image(&place.store, i, NULL), 0);
	path = store_path(&place.store, STORE_IMAGES, i->digest + 7);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void hold(const char *lease, unsigned n)
{
	auto_image struct image *i = image_new();
	auto_free char *folder = mem_printf("%s/%s", place.leases, lease);
	auto_free char *digest = digest_of('b', n);
	struct image_store s = place.store;

	(void)mkdir(folder, 0700);
	s.holder = lease;
	assert_int_equal(image_load(i, &s, digest, NULL), 0);
	assert_int_equal(hold_for_lease(&s, i, NULL), 0);
}

static void unhold(const char *lease)
{
	auto_free char *folder = mem_printf("%s/%s", place.leases, lease);

	assert_int_equal(fs_remove_tree(folder, NULL), 0);
}

static bool has_image(unsigned n)
{
	auto_free char *digest = digest_of('b', n);
	auto_image struct image *i = image_new();

	return image_load(i, &place.store, digest, NULL) == 0;
}

static bool has_layer(unsigned n)
{
	auto_free char *digest = digest_of('a', n);

	return store_has_layer(&place.store, digest);
}

static int drop(unsigned n)
{
	auto_free char *digest = digest_of('b', n);

	uint64_t bytes;

	return image_remove(&place.store, digest, &bytes, NULL);
}

static int count_one(void *ctx, const char *name, struct err *e)
{
	++*(size_t *)ctx;
	return 0;
}

static size_t count_in(enum store_folder folder)
{
	size_t n = 0;

	assert_int_equal(store_each(&place.store, folder, count_one, &n, NULL), 0);
	return n;
}

static const unsigned ONE_TWO[] = {1, 2, 0}, TWO_THREE[] = {2, 3, 0}, FOUR[] = {4, 0};
static const unsigned SAME[] = {5, 6, 5, 0};

/* Three images of four layers; the first is the oldest. */
static void fill_shelf(void)
{
	uint64_t bytes;

	assert_int_equal(image_prune(&place.store, &bytes, NULL), 0);
	add_image(1, ONE_TWO, 1000);
	add_image(2, TWO_THREE, 2000);
	add_image(3, FOUR, 3000);
}

static void says_what_there_is(void **state)
{
	auto_image_shelf struct image_shelf s;

	fill_shelf();
	hold("00000000000000aa", 2);
	hold("00000000000000bb", 2);
	assert_int_equal(store_set_name(&place.store, "oci:one", place.dir, NULL),
			 0); /* no digest */
	{
		auto_free char *digest = digest_of('b', 1), *other = digest_of('b', 2);

		assert_int_equal(store_set_name(&place.store, "oci:one", digest, NULL), 0);
		assert_int_equal(store_set_name(&place.store, "oci:uno", digest, NULL), 0);
		assert_int_equal(store_set_name(&place.store, "oci:uno", other, NULL), 0);
	}
	assert_int_equal(image_shelf_read(&s, &place.store, NULL), 0);
	assert_int_equal(s.n, 3);
	assert_int_equal(s.bytes, 4 * MB);
	assert_int_equal(s.v[0].bytes, 2 * MB);
	assert_int_equal(s.v[0].own, MB);
	assert_int_equal(s.v[0].size, 1001);
	assert_int_equal(s.v[0].used, 1000);
	assert_int_equal(s.v[0].nlayers, 2);
	assert_string_equal(s.v[0].names[0], "oci:one");
	assert_null(s.v[0].names[1]);
	assert_null(s.v[0].users);
	assert_string_equal(s.v[1].names[0], "oci:uno");
	assert_non_null(s.v[1].users[0]);
	assert_non_null(s.v[1].users[1]);
	assert_null(s.v[1].users[2]);
	assert_true(s.v[1].held && !s.v[0].held && !s.v[2].held);
	unhold("00000000000000aa");
	unhold("00000000000000bb");
}

static void takes_away_what_nobody_has(void **state)
{
	fill_shelf();
	hold("00000000000000aa", 2);
	assert_int_equal(drop(2), IMAGE_IN_USE);
	assert_int_equal(drop(9), IMAGE_NOT_FOUND);
	assert_int_equal(drop(1), 0);
	assert_true(!has_image(1) && !has_layer(1));
	assert_true(has_layer(2) && has_image(2)); /* another image's, too */
	unhold("00000000000000aa");
	assert_int_equal(drop(2), 0);
	assert_true(!has_layer(2) && !has_layer(3) && has_image(3));
	assert_int_equal(count_in(STORE_TMP), 0);
}

static void makes_room_with_the_oldest(void **state)
{
	struct image_store s = place.store;
	struct err e;

	fill_shelf();
	hold("00000000000000aa", 1);
	s.store_max = 4 * MB;
	assert_int_equal(image_make_room(&s, 0, &e), 0);
	assert_true(has_image(1) && has_image(2) && has_image(3));
	assert_int_equal(image_make_room(&s, 1, &e), 0);
	assert_true(has_image(1) && !has_image(2) && has_image(3)); /* the oldest that is free */
	assert_true(has_layer(2) && !has_layer(3));
	assert_int_equal(image_make_room(&s, 2 * MB, &e), 0);
	assert_true(has_image(1) && !has_image(3));
	assert_int_equal(image_make_room(&s, 2 * MB + 1, &e), -1);
	assert_int_equal(e.kind, ERRK_LIMIT);
	assert_non_null(strstr(e.msg, "full"));
	assert_true(has_image(1));
	unhold("00000000000000aa");
	assert_int_equal(image_make_room(&s, 4 * MB, &e), 0);
	assert_false(has_image(1));
}

/* Layers of a pull under way, which no image has yet, stay; those of a dead one do not. */
static void keeps_what_is_being_pulled(void **state)
{
	auto_image struct image *i = image_new();
	struct hold h;
	uint64_t bytes;
	pid_t pid;
	int status;

	fill_shelf();
	add_layer(7, MB);
	fill_image(i, 7, (const unsigned[]){7, 0});
	assert_int_equal(hold_begin(&h, &place.store, i, NULL), 0);
	assert_int_equal(image_prune(&place.store, &bytes, NULL), 0);
	assert_true(has_layer(7) && !has_layer(4));
	assert_int_equal(image_sweep(&place.store, NULL), 0);
	assert_true(has_layer(7));
	hold_end(&h);
	assert_int_equal(count_in(STORE_TMP), 0);
	pid = fork();
	if (pid == 0) {
		(void)!hold_begin(&h, &place.store, i, NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(count_in(STORE_TMP), 1);
	assert_int_equal(image_prune(&place.store, &bytes, NULL), 0);
	assert_int_equal(bytes, MB);
	assert_false(has_layer(7));
	assert_int_equal(count_in(STORE_TMP), 0);
}

/* Run a removal that dies at a step. */
static void die_in_prune(const char *step)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		uint64_t bytes;

		if (step_arm(step, NULL) == 0)
			(void)!image_prune(&place.store, &bytes, NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void a_death_leaves_nothing_half(void **state)
{
	static const char *const steps[] = {"IMAGE_FORGOTTEN",	     "IMAGE_FORGOTTEN:2",
					    "IMAGE_LAYER_DROPPED",   "IMAGE_LAYER_DROPPED:2",
					    "IMAGE_LAYER_DROPPED:3", "IMAGE_LAYER_DROPPED:4"};

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		auto_image_shelf struct image_shelf s;

		fill_shelf();
		die_in_prune(steps[i]);
		assert_int_equal(image_sweep(&place.store, NULL), 0);
		assert_int_equal(count_in(STORE_TMP), 0);
		assert_int_equal(image_shelf_read(&s, &place.store, NULL), 0);
		/* what is there is an image's, whole */
		assert_int_equal(count_in(STORE_IMAGES), s.n);
		assert_int_equal(count_in(STORE_LAYERS), (has_image(1) || has_image(2)) +
								 has_image(1) + has_image(2) +
								 has_image(3));
	}
}

/* Who dies behind the note that the image is a lease's has taken it: it stays. */
static void a_taker_that_dies_has_taken(void **state)
{
	uint64_t bytes;
	int status;
	pid_t pid;

	fill_shelf();
	pid = fork();
	if (pid == 0) {
		if (step_arm("IMAGE_TAKEN", NULL) == 0)
			hold("00000000000000dd", 2);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(image_prune(&place.store, &bytes, NULL), 0);
	assert_true(has_image(2) && !has_image(1) && !has_image(3));
	unhold("00000000000000dd");
}

static void sweeps_what_is_no_image(void **state)
{
	auto_free char *half = below("store/images/0000.tmp"), *name = below("store/names/x");
	auto_free char *tree = below("store/tmp/left/a/b"), *deep = below("store/tmp/deep");
	auto_free char *gone = below("store/images/"), *digest = digest_of('b', 3);
	auto_close int fd = -1;

	fill_shelf();
	add_layer(8, MB);
	assert_int_equal(fs_write(half, "x", 1, 0600, NULL), 0);
	assert_int_equal(fs_write(name, "x", 1, 0600, NULL), 0);
	assert_int_equal(fs_mkdirs(tree, 0700, NULL), 0);
	assert_int_equal(store_set_name(&place.store, "oci:three", digest, NULL), 0);
	/* deeper than descriptors reach */
	assert_int_equal(mkdir(deep, 0700), 0);
	fd = open(deep, O_RDONLY | O_DIRECTORY);
	for (unsigned i = 0; i < 3000; i++) {
		int next;

		assert_int_equal(mkdirat(fd, "d", 0700), 0);
		next = openat(fd, "d", O_RDONLY | O_DIRECTORY);
		close(steal_fd(&fd));
		fd = next;
	}
	assert_int_equal(drop(3), 0);
	assert_int_equal(image_sweep(&place.store, NULL), 0);
	assert_int_equal(count_in(STORE_TMP), 0);
	assert_int_equal(count_in(STORE_IMAGES), 2);
	assert_int_equal(count_in(STORE_NAMES), 0);
	assert_true(has_layer(1) && has_layer(2) && has_layer(3) && !has_layer(8));
}

static void a_layer_comes_once(void **state)
{
	auto_image struct image *i = image_new();
	char *layers[IMAGE_LAYERS_MAX];
	auto_free char *digest = digest_of('b', 5);
	auto_image_shelf struct image_shelf s;

	fill_shelf();
	add_image(5, SAME, 5000);
	assert_int_equal(image_load(i, &place.store, digest, NULL), 0);
	assert_int_equal(i->nlayers, 3);
	assert_int_equal(image_layers(i, &place.store, layers), 2);
	assert_non_null(strstr(layers[0], i->layers[2].diffid + 7));
	assert_non_null(strstr(layers[1], i->layers[1].diffid + 7));
	assert_int_equal(image_shelf_read(&s, &place.store, NULL), 0);
	assert_int_equal(s.v[3].bytes, 2 * MB);
	free(layers[0]);
	free(layers[1]);
}

/* --- private copies --- */

static const uint8_t NET_RAW[20] = {1, 0, 0, 2, 0, 0x20};

static void put(const char *layer, const char *name, const char *text)
{
	auto_free char *path = mem_printf("%s/%s", layer, name);

	assert_int_equal(fs_write(path, text, strlen(text), 0644, NULL), 0);
}

/* A layer with one of everything; `layer` is its folder. */
static void make_zoo(const char *layer)
{
	auto_free char *tool = mem_printf("%s/bin/tool", layer);
	auto_free char *same = mem_printf("%s/same", layer);
	auto_free char *bin = mem_printf("%s/bin", layer);
	auto_free char *alias = mem_printf("%s/link", layer), *pipe = mem_printf("%s/pipe", layer);
	auto_free char *hidden = mem_printf("%s/hidden", layer);
	const struct timespec past[2] = {{1000000000, 0}, {1000000000, 5}};

	assert_int_equal(mkdir(bin, 0751), 0);
	put(layer, "bin/tool", "#!");
	assert_int_equal(lchown(tool, 5, 6), 0);
	assert_int_equal(chmod(tool, 04755), 0);
	assert_int_equal(setxattr(tool, "security.capability", NET_RAW, 20, 0), 0);
	assert_int_equal(utimensat(AT_FDCWD, tool, past, 0), 0);
	assert_int_equal(link(tool, same), 0);
	assert_int_equal(symlink("/etc/passwd", alias), 0);
	assert_int_equal(mkfifo(pipe, 0600), 0);
	assert_int_equal(mknod(hidden, S_IFCHR, makedev(0, 0)), 0);
	assert_int_equal(setxattr(bin, "trusted.overlay.opaque", "y", 1, 0), 0);
	assert_int_equal(utimensat(AT_FDCWD, bin, past, 0), 0);
}

static struct stat look(const char *folder, const char *name)
{
	auto_free char *path = mem_printf("%s/%s", folder, name);
	struct stat st;

	if (lstat(path, &st))
		fail_msg("%s is missing", path);
	return st;
}

static void check_zoo(const char *copy)
{
	auto_free char *tool = mem_printf("%s/bin/tool", copy), *bin = mem_printf("%s/bin", copy);
	struct stat st = look(copy, "bin/tool");
	char value[64];

	assert_int_equal(st.st_mode, S_IFREG | 04755);
	assert_true(st.st_uid == 5 && st.st_gid == 6 && st.st_nlink == 2);
	assert_true(st.st_mtim.tv_sec == 1000000000 && st.st_mtim.tv_nsec == 5);
	assert_int_equal(look(copy, "same").st_ino, st.st_ino);
	assert_int_equal(getxattr(tool, "security.capability", value, sizeof(value)), 20);
	assert_true(S_ISLNK(look(copy, "link").st_mode));
	assert_true(S_ISFIFO(look(copy, "pipe").st_mode));
	st = look(copy, "hidden");
	assert_true(S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0));
	st = look(copy, "bin");
	assert_int_equal(st.st_mode, S_IFDIR | 0751);
	assert_int_equal(st.st_mtim.tv_sec, 1000000000);
	assert_int_equal(getxattr(bin, "trusted.overlay.opaque", value, sizeof(value)), 1);
	assert_int_equal(getxattr(copy, "trusted.leased.bytes", value, sizeof(value)), -1);
}

static void copies_are_exact_and_whole(void **state)
{
	auto_image struct image *i = image_new();
	auto_free char *layer = below("store/layers/"), *zoo = NULL, *folder = below("private");
	auto_free char *digest = digest_of('b', 3);
	char *layers[IMAGE_LAYERS_MAX];
	pid_t pid;
	int status;

	fill_shelf();
	zoo = mem_printf("%sa%063u", layer, 4);
	make_zoo(zoo);
	assert_int_equal(image_load(i, &place.store, digest, NULL), 0);
	pid = fork();
	if (pid == 0) {
		if (step_arm("IMAGE_COPIED", NULL) == 0)
			(void)!image_copy_layers(i, &place.store, folder, NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(image_layer_copies(i, &place.store, folder, layers), 1);
	assert_false(fs_exists(layers[0]));
	for (unsigned n = 0; n < 2; n++) { /* again: it is there */
		assert_int_equal(image_copy_layers(i, &place.store, folder, NULL), 0);
		check_zoo(layers[0]);
	}
	assert_int_not_equal(look(layers[0], "same").st_ino, look(zoo, "same").st_ino);
	free(layers[0]);
}

/* A folder has the copies of one image; a death leaves none half under a whole one's name. */
static void copies_of_another_image_go(void **state)
{
	auto_image struct image *before = image_new(), *now = image_new();
	auto_free char *one = digest_of('b', 2), *other = digest_of('b', 3);
	auto_free char *folder = below("changed");
	char *were[IMAGE_LAYERS_MAX], *are[IMAGE_LAYERS_MAX];
	size_t nwere, nare;
	pid_t pid;
	int status;

	fill_shelf();
	assert_int_equal(image_load(before, &place.store, one, NULL), 0);
	assert_int_equal(image_load(now, &place.store, other, NULL), 0);
	nwere = image_layer_copies(before, &place.store, folder, were);
	nare = image_layer_copies(now, &place.store, folder, are);
	assert_int_equal(image_copy_layers(before, &place.store, folder, NULL), 0);
	pid = fork();
	if (pid == 0) {
		if (step_arm("IMAGE_COPY_DROPPED", NULL) == 0)
			(void)!image_copy_layers(now, &place.store, folder, NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(image_copy_layers(now, &place.store, folder, NULL), 0);
	for (size_t k = 0; k < nwere; k++)
		assert_false(fs_exists(were[k]));
	for (size_t k = 0; k < nare; k++)
		assert_true(fs_exists(are[k]));
	assert_int_equal(look(folder, ".").st_nlink, 2 + nare);
	for (size_t k = 0; k < nwere; k++)
		free(were[k]);
	for (size_t k = 0; k < nare; k++)
		free(are[k]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_there_is),
		cmocka_unit_test(takes_away_what_nobody_has),
		cmocka_unit_test(makes_room_with_the_oldest),
		cmocka_unit_test(keeps_what_is_being_pulled),
		cmocka_unit_test(a_death_leaves_nothing_half),
		cmocka_unit_test(a_taker_that_dies_has_taken),
		cmocka_unit_test(sweeps_what_is_no_image),
		cmocka_unit_test(a_layer_comes_once),
		cmocka_unit_test(copies_are_exact_and_whole),
		cmocka_unit_test(copies_of_another_image_go),
	};

	if (geteuid() != 0) {
		printf("1..0 # SKIP not root\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, make_place, remove_place);
}
