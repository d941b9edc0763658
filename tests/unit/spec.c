/* The spec: what is accepted, what is refused and by which field's name, and that writing is
 * reading. */
#include "unit.h"

#include "spec/image_config.h"
#include "spec/spec.h"

#define FULL                                                                                       \
	"{\"image\":\"oci:box:v1\",\"digest\":\"sha256:"                                           \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\","                      \
	"\"entrypoint\":[\"/bin/sh\",\"-c\"],\"args\":[\"echo \\\"hi\\\"\",\"\"],"                 \
	"\"env\":{\"Z\":\"1\",\"A\":\"\",\"PATH\":\"/bin\"},\"workdir\":\"/srv\","                 \
	"\"user\":\"web:log\",\"hostname\":\"box-1\",\"limits\":{\"cpu\":500,"                     \
	"\"memory\":536870912,\"pids\":64,\"disk\":1073741824,\"inodes\":65536},"                  \
	"\"stop\":{\"signal\":\"INT\",\"timeout\":5}}"

static void test_round_trip(void **state)
{
	auto_spec struct spec s = {0}, copy = {0};
	auto_buf struct buf out = BUF(SPEC_JSON_MAX), again = BUF(SPEC_JSON_MAX);
	struct err e;

	if (spec_decode(&s, STR(FULL), &e))
		fail_msg("%s", e.msg);
	assert_int_equal(s.nenv, 3);
	assert_string_equal(s.env[0].name, "Z");
	assert_string_equal(s.args.v[1], "");
	assert_int_equal(s.stop_signal, 2);
	assert_int_equal(spec_check(&s, &e), 0);
	spec_write(&out, &s);
	assert_string_equal(out.p, FULL);
	spec_copy(&copy, &s);
	spec_write(&again, &copy);
	assert_string_equal(again.p, FULL);
}

static void test_empty(void **state)
{
	auto_spec struct spec s = {0};
	auto_buf struct buf out = BUF(64);
	struct err e;

	assert_int_equal(spec_decode(&s, STR("{\"future\":[1]}"), &e), 0);
	spec_write(&out, &s);
	assert_string_equal(out.p, "{}");
	assert_int_equal(spec_check(&s, &e), -1);
	assert_string_equal(e.msg, "image: missing");
}

/* An empty entrypoint is said, and is not the same as none. */
static void test_empty_entrypoint(void **state)
{
	auto_spec struct spec s = {0};
	auto_buf struct buf out = BUF(64);
	struct err e;

	assert_int_equal(spec_decode(&s, STR("{\"entrypoint\":[]}"), &e), 0);
	assert_true(s.has_entrypoint);
	spec_write(&out, &s);
	assert_string_equal(out.p, "{\"entrypoint\":[]}");
}

static const struct {
	const char *json, *field;
} REFUSED[] = {
	{"[]", "spec"},
	{"{\"image\":5}", "image"},
	{"{\"image\":\"\"}", "image"},
	{"{\"image\":\"oci:../x\"}", "image"},
	{"{\"image\":\"oci:a/../../x\"}", "image"},
	{"{\"image\":\"a\\nb\"}", "image"},
	{"{\"digest\":\"sha256:xyz\"}", "digest"},
	{"{\"digest\":\"sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef\"}",
	 "digest"},
	{"{\"args\":\"x\"}", "args"},
	{"{\"args\":[1]}", "args"},
	{"{\"env\":[\"A=b\"]}", "env"},
	{"{\"env\":{\"A=B\":\"x\"}}", "env"},
	{"{\"env\":{\"\":\"x\"}}", "env"},
	{"{\"env\":{\"A\":1}}", "env"},
	{"{\"workdir\":\"srv\"}", "workdir"},
	{"{\"workdir\":\"/proc/self/fd/7\"}", "workdir"},
	{"{\"workdir\":\"/a/../proc/self\"}", "workdir"},
	{"{\"user\":\"\"}", "user"},
	{"{\"user\":\":5\"}", "user"},
	{"{\"user\":\"a:\"}", "user"},
	{"{\"user\":\"a:b:c\"}", "user"},
	{"{\"hostname\":\"-x\"}", "hostname"},
	{"{\"hostname\":\"a b\"}", "hostname"},
	{"{\"limits\":5}", "limits"},
	{"{\"limits\":{\"cpu\":0}}", "limits.cpu"},
	{"{\"limits\":{\"cpu\":0.5}}", "limits.cpu"},
	{"{\"limits\":{\"memory\":1024}}", "limits.memory"},
	{"{\"limits\":{\"memory\":\"512Mi\"}}", "limits.memory"},
	{"{\"limits\":{\"pids\":-1}}", "limits.pids"},
	{"{\"stop\":{\"signal\":\"SIGNONE\"}}", "stop.signal"},
	{"{\"stop\":{\"timeout\":301}}", "stop.timeout"},
	{"{\"image\":\"a\",\"image\":\"b\"}", "spec"},
	{"{\"image\":\"a\"} ", NULL},
};

static void test_refused(void **state)
{
	for (size_t i = 0; i < sizeof(REFUSED) / sizeof(REFUSED[0]); i++) {
		auto_spec struct spec s = {0};
		struct err e = {0};
		int r = spec_decode(&s, str_of(REFUSED[i].json), &e);

		if (!REFUSED[i].field) {
			assert_int_equal(r, 0);
			continue;
		}
		if (r != -1)
			fail_msg("taken: %s", REFUSED[i].json);
		if (strncmp(e.msg, REFUSED[i].field, strlen(REFUSED[i].field)) != 0)
			fail_msg("%s: \"%s\" does not begin with %s", REFUSED[i].json, e.msg,
				 REFUSED[i].field);
		assert_null(s.image);
	}
}

static void test_env_once(void **state)
{
	auto_spec struct spec s = {0};
	struct err e;

	assert_int_equal(spec_set_env(&s, STR("A"), STR("1"), &e), 0);
	assert_int_equal(spec_set_env(&s, STR("B"), STR("2"), &e), 0);
	assert_int_equal(spec_set_env(&s, STR("A"), STR("3"), &e), 0);
	assert_int_equal(s.nenv, 2);
	assert_string_equal(s.env[0].name, "A");
	assert_string_equal(s.env[0].value, "3");
}

static void test_caps(void **state)
{
	auto_spec struct spec s = {0};
	auto_free char *text = mem_zero(SPEC_ARG_MAX + 2);
	struct err e;

	memset(text, 'x', SPEC_ARG_MAX + 1);
	assert_int_equal(spec_add_arg(&s, (struct str){text, SPEC_ARG_MAX}, &e), 0);
	assert_int_equal(spec_add_arg(&s, (struct str){text, SPEC_ARG_MAX + 1}, &e), -1);
	for (int i = 1; i < SPEC_ARGS_MAX; i++)
		assert_int_equal(spec_add_arg(&s, STR("x"), &e), 0);
	assert_int_equal(spec_add_arg(&s, STR("x"), &e), -1);
	assert_int_equal(e.kind, ERRK_LIMIT);
}

/* The helper's second look: a field that did not come through a setter. */
static void test_check_again(void **state)
{
	auto_spec struct spec s = {0};
	struct err e;

	assert_int_equal(spec_decode(&s, STR(FULL), &e), 0);
	memcpy(s.workdir, "/../", 4);
	assert_int_equal(spec_check(&s, &e), -1);
	memcpy(s.workdir, "/srv", 4);
	assert_int_equal(spec_check(&s, &e), 0);
	s.limits.memory = 0;
	assert_int_equal(spec_check(&s, &e), -1);
	s.limits.memory = UINT64_MAX;
	assert_int_equal(spec_check(&s, &e), -1);
}

static void test_signals(void **state)
{
	struct err e;
	int n;

	assert_int_equal(spec_signal(STR("SIGTERM"), &n, &e), 0);
	assert_int_equal(n, 15);
	assert_int_equal(spec_signal(STR("9"), &n, &e), 0);
	assert_string_equal(spec_signal_name(n), "KILL");
	assert_int_equal(spec_signal(STR("0"), &n, &e), -1);
	assert_true(spec_signal_may_send(2) && spec_signal_may_send(9) && spec_signal_may_send(28));
	assert_false(spec_signal_may_send(0) || spec_signal_may_send(19) ||
		     spec_signal_may_send(11) || spec_signal_may_send(-2));
	assert_int_equal(spec_signal(STR("65"), &n, &e), -1);
	assert_int_equal(spec_signal(STR(""), &n, &e), -1);
}

static void test_image_config(void **state)
{
	auto_free struct image_config *c = mem_zero(sizeof(*c));
	struct err e;

	assert_int_equal(image_config_add(c, IMAGE_ENTRYPOINT, STR("/bin/a"), &e), 0);
	assert_int_equal(image_config_add(c, IMAGE_CMD, STR("b"), &e), 0);
	assert_int_equal(image_config_add(c, IMAGE_ENV, STR("C=d"), &e), 0);
	assert_string_equal(image_config_cmd(c, 0), "b");
	assert_int_equal(image_config_check(c, &e), 0);
	c->at[1] = c->text_n;
	assert_int_equal(image_config_check(c, &e), -1);
	c->at[1] = 0;
	c->nenv = UINT32_MAX;
	assert_int_equal(image_config_check(c, &e), -1);
	c->nenv = 1;
	c->text[c->text_n - 1] = 'x';
	assert_int_equal(image_config_check(c, &e), -1);
	c->text[c->text_n - 1] = '\0';
	c->text[c->at[2]] = '=';
	assert_int_equal(image_config_check(c, &e), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),	 cmocka_unit_test(test_empty),
		cmocka_unit_test(test_empty_entrypoint), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_env_once),	 cmocka_unit_test(test_caps),
		cmocka_unit_test(test_check_again),	 cmocka_unit_test(test_signals),
		cmocka_unit_test(test_image_config),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
