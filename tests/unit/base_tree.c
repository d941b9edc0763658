/* Archives and trees: what goes in comes out, and a stranger's archive writes nowhere else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/tree.h"
#include "base/ustar.h"

#define MAX 200000

struct place { /* an empty folder with `in` and `out` in it */
	char dir[40];
	int fd;
};

static int set_up(void **state)
{
	struct place *p = mem_zero(sizeof(*p));

	memcpy(p->dir, "/tmp/leased-tree-XXXXXX", 24);
	assert_non_null(mkdtemp(p->dir));
	p->fd = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(p->fd, "in", 0755), 0);
	assert_int_equal(mkdirat(p->fd, "out", 0755), 0);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;
	struct err e;

	close(p->fd);
	assert_int_equal(fs_remove_tree(p->dir, &e), 0);
	free(p);
	return 0;
}

static void put(const struct place *p, const char *path, const char *text)
{
	auto_free char *full = mem_printf("%s/%s", p->dir, path);

	assert_int_equal(fs_write(full, text, strlen(text), 0640, NULL), 0);
}

static void assert_text(const struct place *p, const char *path, const char *want)
{
	auto_buf struct buf got = BUF(MAX);

	assert_int_equal(fs_read_at(&got, p->fd, path, NULL), 0);
	assert_int_equal(got.n, strlen(want));
	assert_memory_equal(got.p ? got.p : "", want, got.n);
}

static bool is_there(const struct place *p, const char *path)
{
	struct stat st;

	return fstatat(p->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void add(struct buf *out, enum ustar_kind kind, const char *path, const char *more)
{
	auto_free struct ustar_entry *t = mem_zero(sizeof(*t));

	t->kind = kind;
	t->mode = 06755;
	memcpy(t->path, path, strlen(path));
	if (kind == USTAR_LINK)
		memcpy(t->target, more, strlen(more));
	if (kind == USTAR_FILE)
		t->size = strlen(more);
	ustar_add(out, t, more);
}

static int unpack(const struct place *p, struct buf *archive, const char *to, unsigned *skipped)
{
	struct err e;

	ustar_finish(archive);
	return tree_unpack(p->fd, to, buf_view(archive), TREE_LINKS_INSIDE, skipped, &e);
}

static void a_tree_comes_back(void **state)
{
	struct place *p = *state;
	auto_buf struct buf archive = BUF(MAX);
	auto_free char *deep = mem_printf("in/%0120d/%0130d", 1, 2);
	auto_free char *back = mem_printf("out/%s", deep);
	unsigned skipped;
	struct stat st;
	struct err e;

	put(p, "in/a", "text");
	put(p, "in/empty", "");
	*strrchr(deep, '/') = 0;
	assert_int_equal(mkdirat(p->fd, deep, 0700), 0);
	deep[strlen(deep)] = '/';
	put(p, deep, "long names");
	assert_int_equal(symlinkat("a", p->fd, "in/link"), 0);
	assert_int_equal(mkfifoat(p->fd, "in/fifo", 0600), 0);
	assert_int_equal(tree_pack(&archive, p->fd, "in/", &skipped, &e), 0);
	assert_int_equal(skipped, 1);
	assert_int_equal(
		tree_unpack(p->fd, "out", buf_view(&archive), TREE_LINKS_INSIDE, &skipped, &e), 0);
	assert_int_equal(skipped, 0);
	assert_text(p, "out/in/a", "text");
	assert_text(p, "out/in/link", "text");
	assert_text(p, "out/in/empty", "");
	assert_text(p, back, "long names");
	assert_false(is_there(p, "out/in/fifo"));
	assert_int_equal(fstatat(p->fd, "out/in/a", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	/* Once more, under another name, over what is there. */
	put(p, "out/in/a", "changed");
	assert_int_equal(
		tree_unpack(p->fd, "out", buf_view(&archive), TREE_LINKS_INSIDE, &skipped, &e), 0);
	assert_text(p, "out/in/a", "text");
	assert_int_equal(
		tree_unpack(p->fd, "out/new", buf_view(&archive), TREE_LINKS_INSIDE, &skipped, &e),
		0);
	assert_text(p, "out/new/a", "text");
}

static void one_file_is_named_by_the_place(void **state)
{
	struct place *p = *state;
	auto_buf struct buf archive = BUF(MAX);
	unsigned skipped;
	struct err e;

	put(p, "in/a", "text");
	assert_int_equal(tree_pack(&archive, p->fd, "in/a", &skipped, &e), 0);
	assert_int_equal(
		tree_unpack(p->fd, "out", buf_view(&archive), TREE_LINKS_ANY, &skipped, &e), 0);
	assert_text(p, "out/a", "text");
	assert_int_equal(
		tree_unpack(p->fd, "out/b", buf_view(&archive), TREE_LINKS_ANY, &skipped, &e), 0);
	assert_text(p, "out/b", "text");
	assert_int_equal(
		tree_unpack(p->fd, "out/c/", buf_view(&archive), TREE_LINKS_ANY, &skipped, &e), -1);
	assert_int_equal(
		tree_unpack(p->fd, "no/c", buf_view(&archive), TREE_LINKS_ANY, &skipped, &e), -1);
}

/* Asked for one file, a stranger must not answer with another one's name. */
static void the_name_is_the_one_asked_for(void **state)
{
	static const struct {
		const char *path, *name;
		int want;
	} cases[] = {
		{"/etc/hosts", "hosts", 0},
		{"/etc/hosts/", "hosts", 0},
		{"/etc/hosts", ".bashrc", -1},
		{"/etc/hosts", "hosts2", -1},
		{"/etc/hosts", ".ssh/hosts", -1},
		{"/", "root", 0},
		{"/etc/..", "root", 0},
		{"/etc", "etc/passwd", 0},
		{"/", ".profile", -1},
		{"/etc/hosts", "", -1},
	};
	struct err e;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		auto_buf struct buf archive = BUF(MAX);

		add(&archive, USTAR_FILE, cases[i].name, "x");
		ustar_finish(&archive);
		assert_int_equal(tree_check_name(buf_view(&archive), cases[i].path, &e),
				 cases[i].want);
	}
	assert_int_equal(tree_check_name(STR(""), "/etc/hosts", &e), -1);
}

static void limits_hold(void **state)
{
	struct place *p = *state;
	auto_buf struct buf small = BUF(1500);
	unsigned skipped;
	struct err e;

	put(p, "in/a", "0123456789");
	put(p, "in/b", "0123456789");
	assert_int_equal(tree_pack(&small, p->fd, "in", &skipped, &e), -1);
	assert_int_equal(e.kind, ERRK_LIMIT);
	assert_int_equal(tree_pack(&small, p->fd, "none", &skipped, &e), -1);
}

/* What is left out counts, too: looking at it takes time. */
static void what_is_left_out_is_counted(void **state)
{
	struct place *p = *state;
	auto_buf struct buf archive = BUF(MAX);
	unsigned skipped = 0;
	char name[32];
	struct err e;

	for (int i = 0; i < TREE_ENTRIES_MAX; i++) {
		snprintf(name, sizeof(name), "in/%d", i);
		assert_int_equal(mkfifoat(p->fd, name, 0600), 0);
		if (i ==
		    TREE_ENTRIES_MAX - 2) { /* with the folder itself these are as many as may be */
			assert_int_equal(tree_pack(&archive, p->fd, "in", &skipped, &e), 0);
			assert_int_equal(skipped, TREE_ENTRIES_MAX - 1);
		}
	}
	buf_reset(&archive);
	assert_int_equal(tree_pack(&archive, p->fd, "in", &skipped, &e), -1);
	assert_int_equal(e.kind, ERRK_LIMIT);
}

/* Each would write `x` beside `out`, or through a link. */
static void a_hostile_archive_stays_inside(void **state)
{
	static const char *const names[] = {"../x", "/x", "a/../../x", "a/./x",
					    "a//x", ".",  "..",	       ""};
	struct place *p = *state;
	unsigned skipped;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		auto_buf struct buf first = BUF(MAX), second = BUF(MAX);

		add(&first, USTAR_FILE, names[i], "evil");
		assert_int_equal(unpack(p, &first, "out", &skipped), -1);
		add(&second, USTAR_FOLDER, "a", "");
		add(&second, USTAR_FILE, names[i], "evil");
		assert_int_equal(unpack(p, &second, "out", &skipped), -1);
	}
	assert_false(is_there(p, "x"));
	assert_false(is_there(p, "out/x"));
	assert_false(is_there(p, "out/a/x"));
}

static void a_hostile_archive_follows_no_link(void **state)
{
	struct place *p = *state;
	auto_buf struct buf through = BUF(MAX), over = BUF(MAX), into = BUF(MAX);
	unsigned skipped;

	put(p, "in/kept", "kept");
	/* through a link of its own, which would even be kept */
	add(&through, USTAR_FOLDER, "r", "");
	add(&through, USTAR_FOLDER, "r/sub", "");
	add(&through, USTAR_LINK, "r/link", "sub");
	add(&through, USTAR_FILE, "r/link/x", "evil");
	assert_int_equal(unpack(p, &through, "out", &skipped), -1);
	assert_false(is_there(p, "out/r/sub/x"));
	/* over one that is there: it is replaced */
	assert_int_equal(symlinkat("../../in/kept", p->fd, "out/r/old"), 0);
	add(&over, USTAR_FOLDER, "r", "");
	add(&over, USTAR_FILE, "r/old", "new");
	assert_int_equal(unpack(p, &over, "out", &skipped), 0);
	assert_text(p, "out/r/old", "new");
	/* a folder that is a link is not entered */
	assert_int_equal(symlinkat("../in", p->fd, "out/l"), 0);
	add(&into, USTAR_FOLDER, "l", "");
	add(&into, USTAR_FILE, "l/kept", "evil");
	assert_int_equal(unpack(p, &into, "out", &skipped), -1);
	assert_text(p, "in/kept", "kept");
}

static void links_that_lead_out_are_left_out(void **state)
{
	static const struct {
		const char *target;
		bool kept;
	} links[] = {{"/etc/passwd", false}, {"../x", true},   {"../../x", false},
		     {"../../../x", false},  {"b", true},      {"b/../../../../x", false},
		     {"..", true},	     {"./../c", true}, {"", false}};
	struct place *p = *state;

	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		auto_buf struct buf archive = BUF(MAX);
		unsigned skipped = 9;

		add(&archive, USTAR_FOLDER, "r", "");
		add(&archive, USTAR_FOLDER, "r/s", "");
		add(&archive, USTAR_LINK, "r/s/l", links[i].target);
		assert_int_equal(unpack(p, &archive, "out", &skipped), 0);
		if (skipped != !links[i].kept || is_there(p, "out/r/s/l") != links[i].kept)
			fail_msg("%s", links[i].target);
		unlinkat(p->fd, "out/r/s/l", 0);
	}
}

static void set_id_bits_are_dropped(void **state)
{
	struct place *p = *state;
	auto_buf struct buf archive = BUF(MAX);
	unsigned skipped;
	struct stat st;

	add(&archive, USTAR_FILE, "suid", "x");
	assert_int_equal(unpack(p, &archive, "out", &skipped), 0);
	assert_int_equal(fstatat(p->fd, "out/suid", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
}

/* Every cut and every flipped byte: refused or unpacked, and nothing beside it. */
static void a_damaged_archive_is_refused(void **state)
{
	struct place *p = *state;
	auto_buf struct buf archive = BUF(MAX);
	auto_free struct ustar_entry *t = mem_zero(sizeof(*t));
	struct str data, rest;
	struct err e;

	add(&archive, USTAR_FILE, "a", "some text");
	for (size_t n = 1; n < archive.n; n++) {
		rest = (struct str){archive.p, n};
		assert_int_equal(ustar_next(&rest, t, &data, &e), -1);
	}
	for (size_t i = 0; i < 500; i++) { /* what is unused after the prefix is summed, too */
		archive.p[i] ^= 1;
		rest = buf_view(&archive);
		if (i != 155) /* behind the end of the sum itself */
			assert_int_equal(ustar_next(&rest, t, &data, &e), -1);
		archive.p[i] ^= 1;
	}
	rest = buf_view(&archive);
	assert_int_equal(ustar_next(&rest, t, &data, &e), 0);
	assert_int_equal(data.n, 9);
	assert_int_equal(ustar_next(&rest, t, &data, &e), USTAR_END);
	assert_false(is_there(p, "out/a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_tree_comes_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_file_is_named_by_the_place, set_up, tear_down),
		cmocka_unit_test(the_name_is_the_one_asked_for),
		cmocka_unit_test_setup_teardown(limits_hold, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_left_out_is_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_hostile_archive_stays_inside, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_hostile_archive_follows_no_link, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(links_that_lead_out_are_left_out, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(set_id_bits_are_dropped, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_damaged_archive_is_refused, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
