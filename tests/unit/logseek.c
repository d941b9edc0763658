/* Places in a log by time and by lines, in one that a hostile tenant wrote. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/boxlog.h"
#include "base/fs.h"
#include "base/mem.h"
#include "helper/logseek.h"
#include "priv/logline.h"

#define START	1700000000000
#define LOG_MAX (16u << 20)

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

static void put(struct boxlog *l, int64_t ms, bool partial, struct str text)
{
	auto_buf struct buf out = BUF(65536);
	struct err err;

	log_line_write(&out,
		       &(struct log_line){.time_ms = ms,
					  .stream = ms % 2 ? LOG_STDERR : LOG_STDOUT,
					  .partial = partial,
					  .text = text},
		       0);
	assert_int_equal(boxlog_append(l, buf_view(&out), &err), 0);
}

/* The record at `offset`, which must begin there; its time. 0: the log ends. */
static int64_t time_at(const char *dir, uint64_t offset)
{
	auto_buf struct buf out = BUF(65536);
	struct boxlog_piece p;
	struct log_line l;
	struct str rest;
	struct err err;

	assert_int_equal(boxlog_read(&out, dir, offset, 65536, &p, &err), 0);
	assert_int_equal(p.offset, offset);
	rest = buf_view(&out);
	if (!log_line_next(&rest, &l))
		return 0;
	assert_ptr_equal(l.stamp.p, out.p);
	return l.time_ms;
}

static uint64_t seek_time(const char *dir, int64_t ms)
{
	uint64_t offset;
	struct err err;

	assert_int_equal(logseek_time(&offset, dir, ms, &err), 0);
	return offset;
}

static uint64_t end_of(const char *dir)
{
	return seek_time(dir, INT64_MAX);
}

static uint64_t seek_lines(const char *dir, uint64_t from, uint64_t to, uint32_t n)
{
	uint64_t offset;
	struct err err;

	assert_int_equal(logseek_lines(&offset, dir, from, to, n, &err), 0);
	return offset;
}

/* Text with stamps, line ends and all bytes in it, up to the longest that the keeper writes. */
static void write_hostile(struct boxlog *l, unsigned n)
{
	static const char forged[] = "2099-01-01T00:00:00.000000000Z stdout F forged\r";
	auto_buf struct buf text = BUF(20000);

	for (unsigned i = 0; i < n; i++) {
		size_t size = i % 100 == 0 ? 16384 : i * 37 % 200;

		buf_reset(&text);
		for (size_t k = 0; k < size; k++)
			if (i % 3)
				buf_byte(&text, (uint8_t)forged[k % (sizeof(forged) - 1)]);
			else
				buf_byte(&text, k % 251 == '\n' ? 0 : k % 251);
		put(l, START + 10 * (int64_t)i, false, buf_view(&text));
	}
}

static void an_absent_log_has_one_place(void **state)
{
	assert_int_equal(seek_time(*state, START), 0);
	assert_int_equal(seek_lines(*state, 0, 0, 5), 0);
}

static void every_moment_is_found(void **state)
{
	AUTO(boxlog_free) struct boxlog *l = NULL;
	struct err err;

	assert_int_equal(boxlog_open(&l, *state, LOG_MAX, &err), 0);
	write_hostile(l, 10000);
	assert_int_equal(seek_time(*state, 0), 0);
	for (int64_t i = 0; i < 10000; i += 7) {
		assert_int_equal(time_at(*state, seek_time(*state, START + 10 * i)),
				 START + 10 * i);
		assert_int_equal(time_at(*state, seek_time(*state, START + 10 * i - 9)),
				 START + 10 * i);
	}
	assert_int_equal(time_at(*state, seek_time(*state, START + 99991)), 0);
}

static void the_last_lines_are_found(void **state)
{
	AUTO(boxlog_free) struct boxlog *l = NULL;
	uint64_t end, from;
	struct err err;

	assert_int_equal(boxlog_open(&l, *state, LOG_MAX, &err), 0);
	write_hostile(l, 10000);
	end = end_of(*state);
	assert_int_equal(seek_lines(*state, 0, end, 0), end);
	for (uint32_t n = 1; n < 10000; n += 97)
		assert_int_equal(time_at(*state, seek_lines(*state, 0, end, n)),
				 START + 10 * (10000 - (int64_t)n));
	assert_int_equal(seek_lines(*state, 0, end, 10000), 0);
	assert_int_equal(seek_lines(*state, 0, end, 1000000), 0);
	from = seek_time(*state, START + 50000);
	assert_int_equal(seek_lines(*state, from, end, 1000000), from);
	assert_int_equal(time_at(*state, seek_lines(*state, 0, from, 3)), START + 49970);
}

/* Pieces of a long line are one line, also where the last has no end yet. */
static void a_line_in_pieces_is_one(void **state)
{
	AUTO(boxlog_free) struct boxlog *l = NULL;
	struct err err;

	assert_int_equal(boxlog_open(&l, *state, LOG_MAX, &err), 0);
	put(l, START, false, STR("first"));
	put(l, START + 2, true, STR("a"));
	put(l, START + 4, true, STR("b"));
	put(l, START + 6, false, STR("c"));
	assert_int_equal(time_at(*state, seek_lines(*state, 0, end_of(*state), 1)), START + 2);
	assert_int_equal(seek_lines(*state, 0, end_of(*state), 2), 0);
	put(l, START + 8, true, STR("prompt"));
	assert_int_equal(time_at(*state, seek_lines(*state, 0, end_of(*state), 1)), START + 8);
	assert_int_equal(time_at(*state, seek_lines(*state, 0, end_of(*state), 2)), START + 2);
}

/* What was dropped is not looked for, and a clock that was set back leads nowhere else. */
static void a_log_that_turned_over_is_searched(void **state)
{
	AUTO(boxlog_free) struct boxlog *l = NULL;
	struct boxlog_piece all;
	auto_buf struct buf none = BUF(1);
	struct err err;

	assert_int_equal(boxlog_open(&l, *state, 400000, &err), 0);
	write_hostile(l, 10000);
	assert_int_equal(boxlog_read(&none, *state, 0, 0, &all, &err), 0);
	assert_true(all.offset > 0 && all.end - all.offset <= 400000);
	assert_int_equal(seek_time(*state, START), all.offset);
	assert_int_equal(time_at(*state, seek_time(*state, START + 99000)), START + 99000);
	write_hostile(l, 2000);
	assert_true(seek_time(*state, START + 99000) <= end_of(*state));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_absent_log_has_one_place, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(every_moment_is_found, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(the_last_lines_are_found, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(a_line_in_pieces_is_one, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(a_log_that_turned_over_is_searched, make_dir,
						drop_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
