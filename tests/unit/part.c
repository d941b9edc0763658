/* Backups of kept volumes: what is saved is what is loaded, in parcels of any size; a parcel that
 * says something else is refused. */
#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "helper/part.h"

#define SMALL 20000

static int set_up(void **state)
{
	char *dir = mem_strdup("/tmp/leased-part-XXXXXX");

	if (getuid() != getgid()) {
		print_message("# the tests want a group of the same number as the user\n");
		skip();
	}
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(mkdir("in", 0755) || mkdir("out", 0755), 0);
	*state = dir;
	return 0;
}

static int tear_down(void **state)
{
	char *dir = *state;
	struct err e;

	assert_int_equal(chdir("/"), 0);
	assert_int_equal(fs_remove_tree(dir, &e), 0);
	free(dir);
	return 0;
}

static void enter(const char *dir, const char *name)
{
	auto_free char *path = mem_printf("%s/%s", dir, name);

	assert_int_equal(chdir(path), 0);
}

static void make_file(const char *name, size_t n)
{
	auto_buf struct buf text = BUF(n);

	for (size_t i = 0; i < n; i++)
		buf_byte(&text, (uint8_t)(i * 7 + i / 251));
	assert_int_equal(fs_write(name, text.p ? text.p : "", n, 0600, NULL), 0);
}

static void fill(void)
{
	assert_int_equal(mkdir("a", 0755) || mkdir("a/b", 0755), 0);
	make_file("a/b/large", 70001);
	make_file("a/empty", 0);
	make_file("z", 100);
	assert_int_equal(link("z", "a/again") || symlink("../../etc", "a/up"), 0);
	assert_int_equal(mkfifo("pipe", 0600), 0);
	assert_int_equal(chmod("z", 0640) || chmod("a/b", 01750), 0);
}

/* The parcel that begins at `from`, of what is in `in`. */
static struct saved save(const char *dir, struct buf *out, uint64_t from)
{
	const struct save s = {from, getuid(), NULL};
	struct saved r = {0};
	struct err e = {0};

	enter(dir, "in");
	if (save_run(&r, out, &s, &e) < 0)
		fail_msg("%s", e.msg);
	return r;
}

static int load(const char *dir, struct str parcel, bool *ended)
{
	const struct load l = {parcel, getuid(), NULL};
	struct loaded r = {0};
	struct err e;
	int rc;

	enter(dir, "out");
	rc = load_run(&r, &l, &e);
	*ended = r.ended;
	return rc;
}

static void assert_same(const char *dir, const char *name)
{
	auto_buf struct buf one = BUF(1 << 20), two = BUF(1 << 20);
	struct stat was, is;

	enter(dir, "in");
	assert_int_equal(fs_read(&one, name, NULL) || stat(name, &was), 0);
	enter(dir, "out");
	assert_int_equal(fs_read(&two, name, NULL) || stat(name, &is), 0);
	assert_true(str_eq(buf_view(&one), buf_view(&two)));
	assert_int_equal(was.st_mode, is.st_mode);
	assert_int_equal(was.st_mtim.tv_nsec, is.st_mtim.tv_nsec);
	assert_int_equal(was.st_nlink, is.st_nlink);
}

static void what_is_saved_is_loaded(void **state)
{
	const char *dir = *state;
	char target[64] = "";
	uint64_t from = 0;
	unsigned parcels = 0;
	bool ended = false;
	struct stat st;

	enter(dir, "in");
	fill();
	while (!ended) {
		auto_buf struct buf parcel = BUF(SMALL);
		struct saved r = save(dir, &parcel, from);
		bool twice;

		assert_int_equal(load(dir, buf_view(&parcel), &ended), 0);
		assert_int_equal(load(dir, buf_view(&parcel), &twice), 0); /* as once */
		assert_true(r.next > from);
		assert_int_equal(r.left == 0, ended);
		from = r.next;
		parcels++;
	}
	assert_in_range(parcels, 4, 6);
	assert_same(dir, "a/b/large");
	assert_same(dir, "a/empty");
	assert_same(dir, "z");
	assert_same(dir, "a/again");
	assert_int_equal(stat("a/b", &st), 0);
	assert_int_equal(st.st_mode & 07777, 01750);
	assert_in_range(readlink("a/up", target, sizeof(target)), 9, 9);
	assert_int_not_equal(access("pipe", F_OK), 0);
}

static void print_of(const char *dir, struct parcel *out)
{
	auto_buf struct buf parcel = BUF(SMALL);
	struct str rest;

	save(dir, &parcel, 0);
	rest = buf_view(&parcel);
	assert_int_equal(parcel_take(out, &rest, NULL), 0);
}

static void another_content_has_another_print(void **state)
{
	const char *dir = *state;
	struct parcel one, two, three;

	enter(dir, "in");
	fill();
	print_of(dir, &one);
	print_of(dir, &two);
	assert_memory_equal(one.print, two.print, PART_PRINT);
	assert_int_equal(one.skipped, 1);
	assert_int_equal(rename("z", "zz"), 0);
	print_of(dir, &three);
	assert_memory_not_equal(one.print, three.print, PART_PRINT);
}

static void beyond_the_end_is_nothing(void **state)
{
	const char *dir = *state;
	auto_buf struct buf parcel = BUF(SMALL);
	const struct save s = {1000, getuid(), NULL};
	struct saved r;
	struct err e;

	enter(dir, "in");
	assert_int_equal(save_run(&r, &parcel, &s, &e), -1);
}

static void add_part(struct buf *out, struct part p)
{
	static const struct parcel head;

	if (!out->n)
		parcel_put(buf_extend(out, PARCEL_HEAD), &head);
	p.mode = 0755;
	part_add(out, &p);
}

/* No parcel reaches anything outside of the folder. */
static void parcels_lead_nowhere_else(void **state)
{
	static const struct part bad[] = {
		{.kind = PART_FILE, .path = STR("../evil")},
		{.kind = PART_FILE, .path = STR("/tmp/evil")},
		{.kind = PART_FILE, .path = STR("a/../../evil")},
		{.kind = PART_FILE, .path = STR("")},
		{.kind = PART_FOLDER, .path = STR("..")},
		{.kind = PART_NAME, .path = STR("x"), .target = STR("../in/secret")},
		{.kind = PART_LINK, .path = STR("x")},
		{.kind = PART_FILE, .path = STR("x"), .uid = PART_IDS},
		{.kind = PART_FILE, .path = STR("x"), .size = 1, .data = STR("xx")},
		{.kind = PART_FILE, .path = STR("x"), .size = 9, .offset = 8, .data = STR("xx")},
		{.kind = (enum part_kind)9, .path = STR("x")},
		{.kind = PART_FILE, .path = STR("up/evil"), .size = 1, .data = STR("x")},
		{.kind = PART_FILE, .path = STR("link"), .size = 1, .data = STR("x")},
		{.kind = PART_FOLDER, .path = STR("up")},
		{.kind = PART_NAME, .path = STR("x"), .target = STR("up/secret")},
	};
	const char *dir = *state;
	struct stat st;
	bool ended;

	enter(dir, "in");
	make_file("secret", 3);
	enter(dir, "out");
	assert_int_equal(symlink("../in", "up") || symlink("../in/secret", "link"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		auto_buf struct buf parcel = BUF(SMALL);

		add_part(&parcel, bad[i]);
		if (load(dir, buf_view(&parcel), &ended) == 0)
			fail_msg("part %zu was taken", i);
	}
	enter(dir, "in");
	assert_int_equal(stat("secret", &st), 0);
	assert_int_equal(st.st_size, 3);
	assert_int_equal(st.st_nlink, 1);
	assert_int_not_equal(access("evil", F_OK), 0);
	assert_int_not_equal(access("../evil", F_OK), 0);
}

static void nothing_comes_behind_the_end(void **state)
{
	auto_buf struct buf parcel = BUF(SMALL);
	bool ended;

	add_part(&parcel, (struct part){.kind = PART_END});
	assert_int_equal(load(*state, buf_view(&parcel), &ended), 0);
	assert_true(ended);
	add_part(&parcel, (struct part){.kind = PART_END});
	assert_int_equal(load(*state, buf_view(&parcel), &ended), -1);
}

#define part_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		part_test(what_is_saved_is_loaded),
		part_test(another_content_has_another_print),
		part_test(beyond_the_end_is_nothing),
		part_test(parcels_lead_nowhere_else),
		part_test(nothing_comes_behind_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
