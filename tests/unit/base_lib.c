/* Libraries loaded where they are used: found, missing, without a function, and leaving nothing
 * behind. */
#include "unit.h"

#include <signal.h>

#include "base/auto.h"
#include "base/child.h"
#include "base/fs.h"
#include "base/lib.h"

/* Comes with every C library, and no program here is linked with it. */
#define LIBRARY "libBrokenLocale.so.1"
#define MISSING "libleased-none.so.9"

static bool is_loaded(const char *name)
{
	auto_buf struct buf maps = BUF(1 << 20);

	assert_int_equal(fs_read(&maps, "/proc/self/maps", NULL), 0);
	buf_add(&maps, "", 1);
	return strstr(maps.p, name) != NULL;
}

static void functions_are_found(void **state)
{
	double (*cosine)(double) = NULL;
	const struct lib_function f[] = {{"cos", &cosine}};
	struct err e = {0};
	void *lib = NULL;

	assert_int_equal(lib_open(&lib, "libm.so.6", f, ARRAY_SIZE(f), &e), 0);
	assert_true(cosine(0) == 1.0);
	lib_close(lib);
	lib_close(NULL);
}

static void what_is_missing_is_named(void **state)
{
	void (*none)(void) = NULL;
	const struct lib_function f[] = {{"leased_no_such_function", &none}};
	struct err e = {0};
	void *lib = NULL;

	assert_int_equal(lib_open(&lib, MISSING, NULL, 0, &e), -1);
	assert_int_equal(e.kind, ERRK_STATE);
	assert_non_null(strstr(e.msg, MISSING));
	assert_int_equal(lib_open(&lib, "libm.so.6", f, ARRAY_SIZE(f), &e), -1);
	assert_non_null(strstr(e.msg, "leased_no_such_function"));
	assert_null(lib);
	assert_null(none);
}

static void a_probe_loads_nothing_here(void **state)
{
	struct err e = {0};

	assert_false(is_loaded(LIBRARY));
	assert_int_equal(lib_probe(LIBRARY, &e), 0);
	assert_false(is_loaded(LIBRARY));
	assert_int_equal(lib_probe(MISSING, &e), -1);
	assert_non_null(strstr(e.msg, MISSING));
}

static int kept_here;

static int count(void *ctx, struct err *e)
{
	int *n = ctx;

	kept_here = 1;
	if (*n < 0)
		return err_set(e, ERRK_LIMIT, "%d is below zero", *n);
	if (*n == 0)
		raise(SIGKILL);
	(*n)++;
	return 0;
}

static void a_child_answers(void **state)
{
	struct err e = {0};
	int n = 41;

	assert_int_equal(child_call(count, &n, sizeof(n), &e), 0);
	assert_int_equal(n, 42);
	n = -3;
	assert_int_equal(child_call(count, &n, sizeof(n), &e), -1);
	assert_int_equal(e.kind, ERRK_LIMIT);
	assert_string_equal(e.msg, "-3 is below zero");
	n = 0;
	assert_int_equal(child_call(count, &n, sizeof(n), &e), -1);
	assert_int_equal(e.kind, ERRK_SYS);
	assert_int_equal(kept_here, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(functions_are_found),
		cmocka_unit_test(what_is_missing_is_named),
		cmocka_unit_test(a_child_answers),
		cmocka_unit_test(a_probe_loads_nothing_here),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
