/* A lease's log: appending, turning over, reading by offset. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/boxlog.h"
#include "base/fs.h"
#include "base/mem.h"

#define FILE_MAX 1024

static int make_dir(void **state)
{
	char name[] = "/tmp/leased-log-XXXXXX";

	*state = mkdtemp(name) ? mem_printf("%s/log", name) : NULL;
	return *state ? 0 : -1;
}

static int drop_dir(void **state)
{
	char *dir = *state;
	struct err err;
	int r;

	*strrchr(dir, '/') = '\0';
	r = fs_remove_tree(dir, &err);
	free(dir);
	return r;
}

static void append(struct boxlog *l, const char *text)
{
	struct err err;

	assert_int_equal(boxlog_append(l, str_of(text), &err), 0);
}

static struct boxlog_piece piece(const char *dir, uint64_t offset, size_t max, const char *want)
{
	auto_buf struct buf out = BUF(65536);
	struct boxlog_piece p;
	struct err err;

	assert_int_equal(boxlog_read(&out, dir, offset, max, &p, &err), 0);
	assert_true(str_is(buf_view(&out), want));
	assert_int_equal(p.next - p.offset, out.n);
	return p;
}

static void an_absent_log_is_empty(void **state)
{
	assert_int_equal(piece(*state, 0, 100, "").end, 0);
	assert_int_equal(piece(*state, BOXLOG_END, 100, "").end, 0);
}

static void pieces_end_at_lines(void **state)
{
	AUTO(boxlog_free) struct boxlog *l = NULL;
	struct err err;

	assert_int_equal(boxlog_open(&l, *state, 65536, &err), 0);
	append(l, "one\ntwo\nthree\n");
	assert_int_equal(piece(*state, 0, 10, "one\ntwo\n").next, 8);
	assert_int_equal(piece(*state, 8, 10, "three\n").next, 14);
	assert_int_equal(piece(*state, 14, 10, "").next, 14);
	assert_int_equal(piece(*state, 99, 10, "").offset, 14);
	assert_int_equal(piece(*state, BOXLOG_END, 11, "").offset, 14);
	assert_int_equal(piece(*state, 8, 3, "thr").next, 11); /* a line longer than a piece */
}

static void it_goes_on_after_a_restart(void **state)
{
	struct err err;

	for (int i = 0; i < 2; i++) {
		AUTO(boxlog_free) struct boxlog *l = NULL;

		assert_int_equal(boxlog_open(&l, *state, 65536, &err), 0);
		append(l, i ? "b\n" : "a\n");
	}
	piece(*state, 0, 100, "a\nb\n");
}

/* However much is written, about the maximum is kept, and offsets never lie. */
static void the_oldest_is_dropped(void **state)
{
	AUTO(boxlog_free) struct boxlog *l = NULL;
	auto_buf struct buf out = BUF(65536);
	struct boxlog_piece p;
	struct err err;
	char line[17];

	assert_int_equal(boxlog_open(&l, *state, 2 * FILE_MAX, &err), 0);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(line, sizeof(line), "line %010u\n", i);
		append(l, line);
	}
	assert_int_equal(boxlog_read(&out, *state, 0, 65536, &p, &err), 0);
	assert_int_equal(p.end, 16000);
	assert_int_equal(p.next, 16000);
	assert_true(p.offset >= 16000 - 2 * FILE_MAX && p.offset < 16000 - FILE_MAX / 2);
	assert_int_equal(p.offset % 16, 0);
	snprintf(line, sizeof(line), "line %010u\n", (unsigned)(p.offset / 16));
	assert_memory_equal(out.p, line, 16);
	assert_memory_equal(out.p + out.n - 16, "line 0000000999\n", 16);
}

static unsigned files_in(const char *dir)
{
	auto_closedir DIR *d = opendir(dir);
	const struct dirent *entry;
	unsigned n = 0;

	while (d && (entry = readdir(d)))
		n += entry->d_name[0] != '.';
	return n;
}

/* A tenant that took every inode of the volume meanwhile cannot stop the log. */
static void turning_over_makes_no_file(void **state)
{
	AUTO(boxlog_free) struct boxlog *l = NULL;
	struct err err;

	assert_int_equal(boxlog_open(&l, *state, 2 * FILE_MAX, &err), 0);
	assert_int_equal(files_in(*state), 2);
	for (unsigned i = 0; i < 500; i++) {
		append(l, "0123456789abcde\n");
		assert_int_equal(files_in(*state), 2);
	}
}

/* A keeper that was killed while it wrote: what follows is not taken for the rest of that line. */
static void a_fragment_is_dropped(void **state)
{
	AUTO(boxlog_free) struct boxlog *l = NULL;
	struct err err;

	assert_int_equal(boxlog_open(&l, *state, 65536, &err), 0);
	append(l, "one\ntw");
	boxlog_free(steal(&l));
	assert_int_equal(boxlog_open(&l, *state, 65536, &err), 0);
	append(l, "three\n");
	piece(*state, 0, 100, "one\nthree\n");
}

/* Both files at once, as a reader finds them that was slower than the keeper. */
static void a_gap_is_passed_over(void **state)
{
	AUTO(boxlog_free) struct boxlog *l = NULL;
	auto_buf struct buf out = BUF(65536);
	struct boxlog_piece p;
	struct err err;
	char path[4096];

	assert_int_equal(boxlog_open(&l, *state, 2 * FILE_MAX, &err), 0);
	for (unsigned i = 0; i < 100; i++)
		append(l, "0123456789abcde\n");
	snprintf(path, sizeof(path), "%s/%020u", (char *)*state, 0);
	assert_int_equal(truncate(path, 500), 0);
	assert_int_equal(boxlog_read(&out, *state, 0, 65536, &p, &err), 0);
	assert_int_equal(p.offset, 0);
	assert_int_equal(p.next, 496);
	buf_reset(&out);
	assert_int_equal(boxlog_read(&out, *state, 500, 65536, &p, &err), 0);
	assert_int_equal(p.offset, FILE_MAX);
	assert_int_equal(p.next, 1600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_absent_log_is_empty, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(pieces_end_at_lines, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(it_goes_on_after_a_restart, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(the_oldest_is_dropped, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(turning_over_makes_no_file, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(a_fragment_is_dropped, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(a_gap_is_passed_over, make_dir, drop_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
