/* Templates: what an operator may write, what a buyer may set, and that the shipped ones hold. */
#include "unit.h"

#include <dirent.h>

#include "spec/template.h"

#define BARE "\"description\":\"a box\",\"spec\":{\"image\":\"oci:box\"}"

static const char WHOLE[] =
	"{\"description\":\"a box\",\"spec\":{\"image\":\"oci:box\",\"env\":{\"FIXED\":\"1\"},"
	"\"capabilities\":{\"add\":[\"NET_RAW\"]},\"ports\":[{\"inside\":80},"
	"{\"inside\":53,\"protocol\":\"udp\"}]},"
	"\"variables\":{\"N\":{\"type\":\"integer\",\"min\":1,\"max\":9,\"default\":\"3\"},"
	"\"ON\":{\"type\":\"boolean\"},\"LEVEL\":{\"type\":\"choice\",\"choices\":[\"low\","
	"\"high\"]},"
	"\"TOKEN\":{\"min\":4,\"max\":8,\"secret\":true,\"required\":true,"
	"\"description\":\"what callers send\"}},"
	"\"ports\":{\"80/tcp\":\"web\",\"53/udp\":\"names\"},\"minimum\":{\"memory\":\"64Mi\"},"
	"\"grant\":{\"devices\":[{\"path\":\"/dev/null\"}]},"
	"\"reasons\":{\"capabilities\":\"it pings\",\"devices\":\"it throws away\"}}";

static void decode(struct spec_template *t, const char *text)
{
	struct err e;

	if (spec_template_decode(t, STR("box"), str_of(text), &e))
		fail_msg("%s", e.msg);
}

static void test_whole(void **state)
{
	auto_spec_template struct spec_template t = {0}, shown = {0};
	auto_buf struct buf out = BUF(SPEC_TEMPLATE_JSON_MAX);
	struct err e;

	decode(&t, WHOLE);
	assert_string_equal(t.name, "box");
	assert_int_equal(t.variables.n, 4);
	assert_int_equal(t.grant.ndevices, 1);
	assert_int_equal(t.minimum.memory, 64 << 20);
	assert_string_equal(spec_map_get(&t.labels, STR("53/udp")), "names");
	spec_template_write(&out, &t);
	assert_null(strstr(out.p, "/dev/null")); /* the host's paths are nobody's business */
	assert_non_null(strstr(out.p, "it throws away"));
	assert_int_equal(spec_template_decode(&shown, STR("box"), buf_view(&out), &e), 0);
	assert_int_equal(shown.grant.ndevices, 0);
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{"[]", "not an object"},
		{"{\"spec\":{\"image\":\"oci:box\"}}", "description: want"},
		{"{\"description\":\"x\"}", "spec: missing"},
		{"{\"description\":\"x\",\"spec\":{}}", "spec.image: missing"},
		{"{\"description\":\"x\",\"spec\":{\"image\":\"oci:b\",\"template\":\"t\"}}",
		 "spec.template: a template has no other"},
		{"{" BARE ",\"name\":\"other\"}", "name: not the one"},
		{"{" BARE ",\"flags\":\"--privileged\"}", "flags: unknown field"},
		{"{" BARE ",\"slugs\":\"a\"}", "slugs: "},
		{"{" BARE ",\"slugs\":[\"A b\"]}", "slugs: want names"},
		{"{" BARE ",\"slugs\":[\"\"]}", "slugs: want names"},
		{"{" BARE ",\"slugs\":[1]}", "slugs: want names"},
		{"{" BARE ",\"slugs\":[\"a\",\"b\",\"a\"]}", "slugs: a is there twice"},
		{"{" BARE ",\"slugs\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\"]}",
		 "slugs: more than 8"},
		{"{\"description\":\"x\",\"spec\":{\"image\":\"oci:b\",\"limits\":{\"cpu\":100}}}",
		 "spec.limits: come from the offer"},
		{"{\"description\":\"x\",\"spec\":{\"image\":\"oci:b\",\"secrets\":{\"A\":\"b\"}}}",
		 "spec.secrets: buyers read"},
		{"{\"description\":\"x\",\"spec\":{\"image\":\"oci:b\",\"env\":{\"A\":\"b\"}},"
		 "\"variables\":{\"A\":{}}}",
		 "variables.A: spec.env sets it, too"},
		{"{" BARE ",\"variables\":{\"A=B\":{}}}", "variables."},
		{"{" BARE ",\"variables\":{\"A\":{\"type\":\"float\"}}}", "variables.A.type: want"},
		{"{" BARE ",\"variables\":{\"A\":{\"type\":\"choice\"}}}",
		 "variables.A.choices: missing"},
		{"{" BARE ",\"variables\":{\"A\":{\"choices\":[\"x\"]}}}",
		 "variables.A.choices: only of"},
		{"{" BARE ",\"variables\":{\"A\":{\"type\":\"boolean\",\"max\":1}}}",
		 "variables.A.min, max: only"},
		{"{" BARE ",\"variables\":{\"A\":{\"min\":9,\"max\":1}}}",
		 "variables.A.min: more than max"},
		{"{" BARE ",\"variables\":{\"A\":{\"type\":\"integer\",\"default\":\"x\"}}}",
		 "variables.A.default: A: want a whole number"},
		{"{" BARE ",\"variables\":{\"A\":{\"secret\":true,\"default\":\"x\"}}}",
		 "variables.A.default: not of one that is secret"},
		{"{" BARE ",\"ports\":{\"80/tcp\":\"web\"}}", "ports.80/tcp: not a port"},
		{"{" BARE ",\"minimum\":{\"memory\":\"64MB\"}}", "minimum.memory"},
		{"{" BARE ",\"minimum\":{\"inodes\":100000}}", "minimum: want cpu"},
		{"{" BARE ",\"minimum\":{\"swap\":\"1Gi\"}}", "minimum: want cpu"},
		{"{" BARE ",\"minimum\":{\"cpu\":\"1\",\"cpu\":\"2\"}}", ""},
		{"{" BARE ",\"grant\":{\"privileged\":true}}", "reasons.privileged: missing"},
		{"{" BARE ",\"grant\":{\"network\":\"host\"},\"reasons\":{\"devices\":\"x\"}}",
		 "reasons.network: missing"},
		{"{" BARE ",\"grant\":{\"devices\":[{}]}}", "grant.devices[0].path: missing"},
		{"{" BARE ",\"reasons\":{\"fun\":\"x\"}}", "reasons.fun: unknown field"},
		{"{\"description\":\"x\",\"spec\":{\"image\":\"oci:b\","
		 "\"capabilities\":{\"add\":[\"NET_RAW\"]}}}",
		 "reasons.capabilities: missing"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_spec_template struct spec_template t = {0};
		struct err e = {0};

		if (spec_template_decode(&t, STR("box"), str_of(rows[i].text), &e) == 0)
			fail_msg("accepted: %s", rows[i].text);
		if (strncmp(e.msg, rows[i].says, strlen(rows[i].says)) != 0)
			fail_msg("%s: said %s", rows[i].text, e.msg);
		assert_null(t.description);
	}
}

static void test_slugs(void **state)
{
	static const struct {
		const char *more;
		size_t n;
		bool box, relay, plain;
	} rows[] = {
		{"", 1, true, false, true},
		{",\"slugs\":[\"box\"]", 1, true, false, true},
		{",\"slugs\":[]", 0, false, false, false},
		{",\"slugs\":[\"relay\"]", 1, false, true, false},
		{",\"slugs\":[\"relay\",\"box\"]", 2, true, true, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_free char *text = mem_printf("{%s%s}", BARE, rows[i].more);
		auto_spec_template struct spec_template t = {0}, shown = {0};
		auto_buf struct buf out = BUF(SPEC_TEMPLATE_JSON_MAX);

		decode(&t, text);
		spec_template_write(&out, &t);
		decode(&shown, out.p); /* buyers are told the same */
		assert_int_equal(shown.nslugs, rows[i].n);
		assert_int_equal(spec_template_serves(&shown, STR("box")), rows[i].box);
		assert_int_equal(spec_template_serves(&shown, STR("relay")), rows[i].relay);
		assert_int_equal(spec_template_plain(&shown), rows[i].plain);
		assert_memory_equal(shown.slugs, t.slugs, sizeof(t.slugs));
	}
}

static void test_apply(void **state)
{
	auto_spec_template struct spec_template t = {0};
	struct spec_map values = {0};
	auto_spec struct spec s = {0};
	struct err e;

	decode(&t, WHOLE);
	spec_map_set(&values, STR("TOKEN"), STR("s3cret"));
	spec_map_set(&values, STR("LEVEL"), STR("high"));
	if (spec_template_apply(&s, &t, &values, &e))
		fail_msg("%s", e.msg);
	assert_string_equal(spec_map_get(&s.env, STR("FIXED")), "1");
	assert_string_equal(spec_map_get(&s.env, STR("N")), "3");
	assert_string_equal(spec_map_get(&s.env, STR("LEVEL")), "high");
	assert_string_equal(spec_map_get(&s.env, STR("TOKEN")), "$S:TOKEN");
	assert_string_equal(spec_map_get(&s.secrets, STR("TOKEN")), "s3cret");
	assert_null(spec_map_get(&s.env, STR("ON")));
	spec_map_clear(&values);
}

/* A text that looks like a reference to a secret is a text. */
static void test_no_reference(void **state)
{
	auto_spec_template struct spec_template t = {0};
	struct spec_map values = {0};
	auto_spec struct spec s = {0};
	struct err e;

	decode(&t, "{" BARE ",\"variables\":{\"NAME\":{\"max\":8},\"TOKEN\":{\"secret\":true}}}");
	spec_map_set(&values, STR("NAME"), STR("$S:TOKEN"));
	spec_map_set(&values, STR("TOKEN"), STR("longer than eight bytes"));
	if (spec_template_apply(&s, &t, &values, &e))
		fail_msg("%s", e.msg);
	assert_string_equal(spec_map_get(&s.env, STR("NAME")), "$$S:TOKEN");
	assert_string_equal(spec_map_get(&s.env, STR("TOKEN")), "$S:TOKEN");
	spec_map_clear(&values);
}

static void test_values(void **state)
{
	static const struct {
		const char *name, *value, *says;
	} rows[] = {
		{"FIXED", "2", "env.FIXED: template box lets you set N, ON, LEVEL, TOKEN"},
		{"N", "10", "env.N: want a whole number from 1 to 9"},
		{"N", "1e0", "env.N: want a whole number"},
		{"ON", "yes", "env.ON: want true or false"},
		{"LEVEL", "mid", "env.LEVEL: want one of low, high"},
		{"TOKEN", "abc", "env.TOKEN: want 4 to 8 bytes"},
		{"TOKEN", "ab\ncd", "env.TOKEN: want UTF-8"},
		{"ON", "true", "env.TOKEN: template box needs it: what callers send"},
	};
	auto_spec_template struct spec_template t = {0};

	decode(&t, WHOLE);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct spec_map values = {0};
		struct spec s = {0};
		struct err e = {0};

		if (i + 1 < ARRAY_SIZE(rows))
			spec_map_set(&values, STR("TOKEN"), STR("s3cret"));
		spec_map_set(&values, str_of(rows[i].name), str_of(rows[i].value));
		assert_int_equal(spec_template_apply(&s, &t, &values, &e), -1);
		if (strncmp(e.msg, rows[i].says, strlen(rows[i].says)) != 0)
			fail_msg("%s=%s: said %s", rows[i].name, rows[i].value, e.msg);
		assert_int_equal(s.env.n, 0);
		spec_map_clear(&values);
	}
}

static void test_fits(void **state)
{
	struct spec_limits small = {.memory = 32 << 20}, large = {.memory = 64 << 20};
	auto_spec_template struct spec_template t = {0};
	struct err e;

	decode(&t, WHOLE);
	assert_int_equal(spec_template_fits(&t, &large, &e), 0);
	assert_int_equal(spec_template_fits(&t, &small, &e), -1);
	assert_string_equal(e.msg, "memory: template box needs 67108864, the offer has 33554432");
}

/* What a buyer asks under the name becomes the spec that runs, or names the field. */
static void test_use(void **state)
{
	static const struct {
		const char *asked, *says; /* NULL: taken */
	} rows[] = {
		{"{\"env\":{\"TOKEN\":\"s3cret\"}}", NULL},
		{"{\"env\":{\"TOKEN\":\"s3cret\"},\"hostname\":\"h\",\"labels\":{\"a\":\"b\"},"
		 "\"limits\":{\"bandwidth\":{\"in\":8192}},"
		 "\"ports\":[{\"inside\":80,\"outside\":20001}]}",
		 NULL},
		{"{}", "env.TOKEN: template box needs it"},
		{"{\"env\":{\"TOKEN\":\"s3cret\",\"FIXED\":\"2\"}}",
		 "env.FIXED: template box lets"},
		{"{\"image\":\"oci:other\"}", "image: is the template's"},
		{"{\"args\":[\"sh\"]}", "args: is the template's"},
		{"{\"entrypoint\":[]}", "entrypoint: is the template's"},
		{"{\"user\":\"0\"}", "user: is the template's"},
		{"{\"pull\":\"always\"}", "pull: is the template's"},
		{"{\"secrets\":{\"A\":\"b\"}}", "secrets: is the template's"},
		{"{\"capabilities\":{\"add\":[\"SYS_PTRACE\"]}}",
		 "capabilities: is the template's"},
		{"{\"storage\":[{\"type\":\"anonymous\",\"path\":\"/x\"}]}",
		 "storage: is the template's"},
		{"{\"env\":{\"TOKEN\":\"s3cret\"},\"ports\":[{\"inside\":81}]}",
		 "ports[0].inside: template box has no port 81"},
	};
	auto_spec_template struct spec_template t = {0};

	decode(&t, WHOLE);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_spec struct spec s = {0};
		struct err e = {0};

		assert_int_equal(spec_decode(&s, str_of(rows[i].asked), NULL), 0);
		memcpy(s.template, "box", 4);
		assert_int_equal(spec_template_use(&s, &t, &e), rows[i].says ? -1 : 0);
		if (rows[i].says && strncmp(e.msg, rows[i].says, strlen(rows[i].says)) != 0)
			fail_msg("%s: said %s", rows[i].asked, e.msg);
		if (rows[i].says)
			continue;
		assert_string_equal(s.template, "box");
		assert_string_equal(s.image, "oci:box");
		assert_string_equal(spec_map_get(&s.env, STR("TOKEN")), "$S:TOKEN");
		assert_int_equal(s.ports.n, i ? 1 : 2);
		assert_int_equal(s.ports.v[0].outside, i ? 20001 : 0);
		assert_string_equal(s.hostname, i ? "h" : "");
		assert_int_equal(s.limits.bandwidth.in, i ? 8192 : 0);
		assert_int_equal(s.powers.add & spec_cap(STR("NET_RAW")), spec_cap(STR("NET_RAW")));
	}
}

/* Its own powers are allowed, and nothing else with them. */
static void test_allow(void **state)
{
	auto_spec_template struct spec_template t = {0};
	struct spec_allowance a = {.caps = spec_cap(STR("SYS_PTRACE")), .rlimits = {[0] = 5}};

	decode(&t, WHOLE);
	t.spec.powers.rlimits[0].hard = 7;
	t.spec.powers.rlimits[1].hard = 7;
	spec_template_allow(&a, &t);
	assert_int_equal(a.caps, spec_cap(STR("SYS_PTRACE")) | spec_cap(STR("NET_RAW")));
	assert_int_equal(a.rlimits[0], 7);
	assert_int_equal(a.rlimits[1], 0); /* the host's */
}

/* What is installed for operators; a name is the file's. */
static void test_shipped(void **state)
{
	static const char END[] = ".json";
	const char *tests = getenv("TESTS_DIR");
	auto_free char *dir = mem_printf("%s/../contrib/templates", tests ? tests : "tests");
	auto_closedir DIR *d = opendir(dir);
	struct dirent *entry;
	unsigned n = 0;

	assert_non_null(d);
	while ((entry = readdir(d))) {
		auto_spec_template struct spec_template t = {0};
		auto_free char *path = mem_printf("%s/%s", dir, entry->d_name);
		auto_buf struct buf text = BUF(SPEC_TEMPLATE_JSON_MAX);
		size_t len = strlen(entry->d_name);
		struct err e = {0};

		if (len < sizeof(END) || strcmp(entry->d_name + len - sizeof(END) + 1, END) != 0)
			continue;
		assert_int_equal(fs_read(&text, path, &e), 0);
		if (spec_template_decode(&t, (struct str){entry->d_name, len - sizeof(END) + 1},
					 buf_view(&text), &e))
			fail_msg("%s: %s", entry->d_name, e.msg);
		n++;
	}
	assert_int_equal(n, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_slugs), cmocka_unit_test(test_no_reference),
		cmocka_unit_test(test_apply), cmocka_unit_test(test_values),
		cmocka_unit_test(test_use),   cmocka_unit_test(test_allow),
		cmocka_unit_test(test_fits),  cmocka_unit_test(test_shipped),
	};

	return cmocka_run_group_tests_name("templates", tests, NULL, NULL);
}
