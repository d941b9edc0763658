/* Command lines by table. */
#include "unit.h"

#include <stdio.h>
#include <unistd.h>

#include "base/opt.h"

struct run_options {
	bool detach, tty;
	const char *name;
	struct opt_list env;
};

struct global_options {
	bool json;
	const char *config;
};

/* What the verb saw, as one line. */
struct seen {
	char text[200];
	struct global_options global;
};

static int run(void *ctx, const void *options, int argc, char **argv)
{
	const struct run_options *o = options;
	struct seen *s = ctx;
	auto_buf struct buf b = BUF(sizeof(s->text) - 1);
	size_t i;

	buf_printf(&b, "run%s%s", o->detach ? " -d" : "", o->tty ? " -t" : "");
	if (o->name)
		buf_printf(&b, " name=%s", o->name);
	for (i = 0; i < o->env.n; i++)
		buf_printf(&b, " env=%s", o->env.v[i]);
	buf_puts(&b, " :");
	for (i = 0; i < (size_t)argc; i++)
		buf_printf(&b, " %s", argv[i]);
	memcpy(s->text, buf_view(&b).p, b.n + 1);
	return 40;
}

static int fund(void *ctx, const void *options, int argc, char **argv)
{
	struct seen *s = ctx;

	snprintf(s->text, sizeof(s->text), "fund %d", argc);
	return 41;
}

static const struct opt run_opts[] = {
	{'d', "detach", OPT_FLAG, offsetof(struct run_options, detach), NULL, "go on alone"},
	{'t', "tty", OPT_FLAG, offsetof(struct run_options, tty), NULL, "with a terminal"},
	{0, "name", OPT_STRING, offsetof(struct run_options, name), "NAME", "call it so"},
	{'e', "env", OPT_LIST, offsetof(struct run_options, env), "K=V", "set a variable"},
};
static const struct opt globals[] = {
	{0, "json", OPT_FLAG, offsetof(struct global_options, json), NULL, "as JSON"},
	{'c', "config", OPT_STRING, offsetof(struct global_options, config), "FILE", "read FILE"},
};
static const struct verb verbs[] = {
	{"run", "[OPTION…] IMAGE [COMMAND…]", "run an image", run_opts, 4, true, false,
	 sizeof(struct run_options), run},
	{"wallet fund", "AMOUNT", "add money", NULL, 0, false, false, 0, fund},
	{"secret", "", "hidden", NULL, 0, false, true, 0, fund},
	{"run trial", "", "run nothing", NULL, 0, false, false, 0, fund},
};

static int call_n(struct seen *s, int argc, const char *const *argv)
{
	const struct program p = {"prog", "does things", verbs, 4, globals, 2, &s->global};
	char **copy = mem_array((size_t)argc + 1, sizeof(*copy));
	int status, i;

	for (i = 0; i < argc; i++)
		copy[i] = mem_strdup(argv[i]);
	*s = (struct seen){0};
	status = opt_main(&p, s, argc, copy);
	for (i = 0; i < argc; i++)
		free(copy[i]);
	free(copy);
	return status;
}

#define CALL(s, ...)                                                                               \
	call_n(s, sizeof((const char *const[]){"prog", __VA_ARGS__}) / sizeof(char *),             \
	       (const char *const[]){"prog", __VA_ARGS__})

static void options_before_the_image_only(void **state)
{
	struct seen s;

	assert_int_equal(
		CALL(&s, "run", "-dt", "-eA=1", "--env", "B=2", "--name=x", "img", "-d", "--", "c"),
		40);
	assert_string_equal(s.text, "run -d -t name=x env=A=1 env=B=2 : img -d -- c");
}

static void two_words_and_globals_anywhere(void **state)
{
	struct seen s;

	assert_int_equal(CALL(&s, "--json", "wallet", "fund", "1", "--config", "f", "2"), 41);
	assert_string_equal(s.text, "fund 2");
	assert_true(s.global.json);
}

static void a_double_dash_ends_options(void **state)
{
	struct seen s;

	assert_int_equal(CALL(&s, "wallet", "fund", "--", "--json"), 41);
	assert_string_equal(s.text, "fund 1");
	assert_false(s.global.json);
	assert_int_equal(CALL(&s, "wallet", "fund", "-"), 41);
	assert_string_equal(s.text, "fund 1");
}

/* Standard error and output of the calls are of no interest to TAP. */
static int silence(int fd, FILE *f)
{
	int saved;

	fflush(f);
	saved = dup(fd);
	assert_non_null(freopen("/dev/null", "w", f));
	return saved;
}

static void restore(int fd, FILE *f, int saved)
{
	fflush(f);
	dup2(saved, fd);
	close(saved);
	clearerr(f);
}

static void bad_usage_is_status_2(void **state)
{
	int saved = silence(STDERR_FILENO, stderr);
	struct seen s;
	int bad[8], i = 0;

	bad[i++] = CALL(&s, "nothing");
	bad[i++] = CALL(&s, "run", "--no-such", "img");
	bad[i++] = CALL(&s, "run", "-x", "img");
	bad[i++] = CALL(&s, "run", "--name");
	bad[i++] = CALL(&s, "run", "-e");
	bad[i++] = CALL(&s, "run", "--detach=yes");
	bad[i++] = CALL(&s, "wallet");
	bad[i++] = call_n(&s, 1, (const char *const[]){"prog"});
	restore(STDERR_FILENO, stderr, saved);
	for (i = 0; i < 8; i++)
		assert_int_equal(bad[i], 2);
}

static void output_of(char out[2048], int argc, const char *const *argv)
{
	FILE *f = tmpfile();
	int saved, status;
	struct seen s;
	size_t n;

	assert_non_null(f);
	fflush(stdout);
	saved = dup(STDOUT_FILENO);
	dup2(fileno(f), STDOUT_FILENO);
	status = call_n(&s, argc, argv);
	restore(STDOUT_FILENO, stdout, saved);
	rewind(f);
	n = fread(out, 1, 2047, f);
	out[n] = '\0';
	fclose(f);
	assert_int_equal(status, 0);
}

#define OUTPUT(out, ...)                                                                           \
	output_of(out, sizeof((const char *const[]){"prog", __VA_ARGS__}) / sizeof(char *),        \
		  (const char *const[]){"prog", __VA_ARGS__})

static void help_comes_from_the_tables(void **state)
{
	char out[2048];

	OUTPUT(out, "--help");
	assert_non_null(strstr(out, "Usage: prog"));
	assert_non_null(strstr(out, "wallet fund"));
	assert_null(strstr(out, "hidden"));
	OUTPUT(out, "help", "run");
	assert_non_null(strstr(out, "Usage: prog run [OPTION…] IMAGE"));
	assert_non_null(strstr(out, "  -e, --env K=V             set a variable\n"));
	assert_non_null(strstr(out, "--config FILE"));
	OUTPUT(out, "run", "--help");
	assert_non_null(strstr(out, "--detach"));
	OUTPUT(out, "--version");
	assert_string_equal(out, "prog " PACKAGE_VERSION "\n");
}

static void completion_comes_from_the_tables(void **state)
{
	char out[2048];

	OUTPUT(out, "complete", "");
	assert_string_equal(out, "run\nwallet\n");
	OUTPUT(out, "complete", "run", "");
	assert_string_equal(out, "trial\n");
	OUTPUT(out, "complete", "wallet", "f");
	assert_string_equal(out, "fund\n");
	OUTPUT(out, "complete", "run", "--d");
	assert_string_equal(out, "--detach\n");
	OUTPUT(out, "complete", "--json", "wallet", "fund", "--c");
	assert_string_equal(out, "--config\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_before_the_image_only),
		cmocka_unit_test(two_words_and_globals_anywhere),
		cmocka_unit_test(a_double_dash_ends_options),
		cmocka_unit_test(bad_usage_is_status_2),
		cmocka_unit_test(help_comes_from_the_tables),
		cmocka_unit_test(completion_comes_from_the_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
