/* Files: caps, secrets with the wrong mode, new files that exist, trees with links. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What was synced, in its order: this stands before the library's. */
static char synced[4096];

int fsync(int fd)
{
	char link[64], path[400];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n > 0 && strlen(synced) + (size_t)n + 2 < sizeof(synced)) {
		path[n] = '\0';
		snprintf(synced + strlen(synced), sizeof(synced) - strlen(synced), "%s\n", path);
	}
	return (int)syscall(SYS_fsync, fd);
}

static char *in_folder(void **state, const char *name)
{
	return mem_printf("%s/%s", (char *)*state, name);
}

static void write_then_read(void **state)
{
	auto_free char *path = in_folder(state, "a");
	auto_buf struct buf b = BUF(16);
	struct err e = {0};
	struct stat st;

	assert_int_equal(fs_read(&b, path, &e), FS_NOT_FOUND);
	assert_int_equal(fs_write(path, "one", 3, 0640, &e), 0);
	assert_int_equal(fs_write(path, "two", 3, 0640, &e), 0);
	assert_int_equal(fs_read(&b, path, &e), 0);
	assert_view(b, "two");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(fs_write_new(path, "three", 5, 0600, &e), -1);
	buf_reset(&b);
	assert_int_equal(fs_read(&b, path, &e), 0);
	assert_view(b, "two");
}

static void the_cap_is_an_error(void **state)
{
	auto_free char *path = in_folder(state, "big");
	auto_buf struct buf b = BUF(3);
	struct err e = {0};

	assert_int_equal(fs_write(path, "four", 4, 0600, &e), 0);
	assert_int_equal(fs_read(&b, path, &e), -1);
	assert_int_equal(e.kind, ERRK_LIMIT);
}

static void a_secret_must_be_private(void **state)
{
	auto_free char *path = in_folder(state, "key"), *link = in_folder(state, "link");
	auto_buf struct buf b = BUF(16);
	struct err e = {0};

	assert_int_equal(fs_write_new(path, "k", 1, 0600, &e), 0);
	assert_int_equal(fs_read_secret(&b, path, &e), 0);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(fs_read_secret(&b, path, &e), -1);
	assert_non_null(strstr(e.msg, path));
	assert_int_equal(e.kind, ERRK_DENIED);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(symlink(path, link), 0);
	assert_int_equal(fs_read_secret(&b, link, &e), -1);
	assert_int_equal(fs_read_secret(&b, *state, &e), -1);
}

static void a_tree_goes_without_its_link_targets(void **state)
{
	auto_free char *deep = in_folder(state, "t/a/b/c"), *top = in_folder(state, "t");
	auto_free char *kept = in_folder(state, "kept"), *file = in_folder(state, "kept/f");
	auto_free char *link = in_folder(state, "t/a/link");
	struct err e = {0};

	assert_int_equal(fs_mkdirs(deep, 0700, &e), 0);
	assert_int_equal(fs_mkdirs(deep, 0700, &e), 0);
	assert_int_equal(fs_mkdirs(kept, 0700, &e), 0);
	assert_int_equal(fs_write(file, "x", 1, 0600, &e), 0);
	assert_int_equal(symlink(kept, link), 0);
	assert_int_equal(fs_remove_tree(top, &e), 0);
	assert_false(fs_exists(top));
	assert_true(fs_exists(file));
	assert_int_equal(fs_remove_tree(top, &e), 0);
	assert_int_equal(fs_mkdirs(file, 0700, &e), -1);
}

static void a_tree_of_any_depth_goes(void **state)
{
	auto_free char *top = in_folder(state, "deep");
	struct err e = {0};
	int fd;

	assert_int_equal(fs_mkdirs(top, 0700, &e), 0);
	fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (unsigned i = 0; i < 3000; i++) { /* more levels than descriptors */
		int next;

		assert_int_equal(mkdirat(fd, "d", 0700), 0);
		next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		close(fd);
		fd = next;
	}
	close(fd);
	assert_int_equal(fs_remove_tree(top, &e), 0);
	assert_false(fs_exists(top));
}

static void a_lock_is_held_once(void **state)
{
	auto_free char *path = in_folder(state, "lock");
	auto_close int fd = -1, second = -1;
	struct err e = {0};

	assert_int_equal(fs_lock(&fd, path, &e), 0);
	assert_int_equal(fs_lock(&second, path, &e), -1);
	assert_int_equal(e.kind, ERRK_STATE);
	close(steal_fd(&fd));
	assert_int_equal(fs_lock(&second, path, &e), 0);
}

static void what_is_placed_is_synced_with_its_folder(void **state)
{
	auto_free char *path = in_folder(state, "placed"),
		       *line = mem_printf("%s\n", (char *)*state);
	auto_free char *tmp = NULL, *second = NULL;
	struct err e = {0};
	char *file;

	assert_int_equal(fs_temporary(&tmp, path, &e), 0);
	synced[0] = '\0';
	assert_int_equal(fs_place(tmp, path, FS_NEW, &e), 0);
	file = strstr(synced, tmp);
	assert_non_null(file);
	assert_non_null(strstr(file, line));
	assert_int_equal(fs_temporary(&second, path, &e), 0);
	assert_string_not_equal(tmp, second);
	assert_int_equal(fs_place(second, path, FS_NEW, &e), -1);
	assert_false(fs_exists(second));
	assert_true(fs_exists(path));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(write_then_read),
		cmocka_unit_test(the_cap_is_an_error),
		cmocka_unit_test(a_secret_must_be_private),
		cmocka_unit_test(a_tree_goes_without_its_link_targets),
		cmocka_unit_test(a_tree_of_any_depth_goes),
		cmocka_unit_test(a_lock_is_held_once),
		cmocka_unit_test(what_is_placed_is_synced_with_its_folder),
	};

	return cmocka_run_group_tests(tests, unit_folder, unit_folder_gone);
}
