/* What every unit test includes: cmocka with the headers that it wants before it. */
#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

/* The text of a struct str that lives in a struct buf. */
#define assert_view(b, text) assert_string_equal(buf_view(&(b)).p, text)
#define assert_str(s, text)  assert_true(str_is((s), (text)))

/* A file of the tests folder, whole; the caller frees `out`. */
static inline void unit_read(struct buf *out, const char *file)
{
	const char *dir = getenv("TESTS_DIR");
	auto_free char *path = mem_printf("%s/%s", dir ? dir : "tests", file);
	struct err e = {0};

	if (fs_read(out, path, &e) != 0)
		fail_msg("%s: %s", path, e.msg);
}

/* Group setup and teardown: a fresh folder in *state. */
static inline int unit_folder(void **state)
{
	char *path = mem_strdup("/tmp/leased-unit-XXXXXX");

	*state = mkdtemp(path);
	return *state ? 0 : -1;
}

static inline int unit_folder_gone(void **state)
{
	struct err e = {0};
	int done = fs_remove_tree(*state, &e);

	free(*state);
	return done;
}

#endif
