/* References to images in registries: what is one, what it means, and which offer has it. */
#include "spec/ref.h"
#include "unit.h"

static const char DIGEST[] =
	"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static void assert_means(const char *text, const char *home, const char *wanted)
{
	char got[SPEC_REF_TEXT_MAX + 1];
	struct spec_ref r;
	struct err e = {0};

	if (spec_ref_parse(&r, str_of(text), home, &e))
		fail_msg("%s: %s", text, e.msg);
	spec_ref_write(got, &r);
	assert_string_equal(got, wanted);
}

static void long_references(void **state)
{
	assert_means("docker.io/library/busybox:1.36", NULL, "docker.io/library/busybox:1.36");
	assert_means("Registry.Example:5000/a/b", NULL, "registry.example:5000/a/b:latest");
	assert_means("localhost/a__b/c-d---e/f.g_h:V1.0_x-", NULL,
		     "localhost/a__b/c-d---e/f.g_h:V1.0_x-");
	assert_means("10.0.0.5:5000/x", NULL, "10.0.0.5:5000/x:latest");
	assert_means("docker.io/busybox", NULL, "docker.io/library/busybox:latest");
	assert_means("index.docker.io/library/busybox", NULL, "docker.io/library/busybox:latest");
}

static void digests_win_over_tags(void **state)
{
	auto_free char *plain = mem_printf("quay.example/a/b@%s", DIGEST);
	auto_free char *both = mem_printf("quay.example/a/b:1.0@%s", DIGEST);
	struct spec_ref r;

	assert_means(plain, NULL, plain);
	assert_means(both, NULL, plain);
	assert_int_equal(spec_ref_parse(&r, str_of(both), NULL, NULL), 0);
	assert_string_equal(r.digest, DIGEST);
	assert_string_equal(r.tag, "");
}

static void short_references_need_a_home(void **state)
{
	struct spec_ref r;
	struct err e;

	assert_means("busybox", "docker.io", "docker.io/library/busybox:latest");
	assert_means("busybox:1.36", "docker.io", "docker.io/library/busybox:1.36");
	assert_means("team/app", "docker.io", "docker.io/team/app:latest");
	assert_means("busybox", "registry.example:5000", "registry.example:5000/busybox:latest");
	assert_int_equal(spec_ref_parse(&r, STR("busybox"), NULL, &e), -1);
	assert_non_null(strstr(e.msg, "default registry"));
	assert_int_equal(spec_ref_parse(&r, STR("team/app"), "", &e), -1);
}

static void what_is_none(void **state)
{
	static const char *const bad[] = {
		"",
		"/",
		"docker.io/",
		"docker.io//a",
		"docker.io/a/",
		"docker.io/A",
		"docker.io/a..b",
		"docker.io/a___b",
		"docker.io/-a",
		"docker.io/a-",
		"docker.io/a b",
		"docker.io/../b",
		"docker.io/a:",
		"docker.io/a:.x",
		"docker.io/a:x/y",
		"docker.io/a:x:y",
		"docker.io/a@sha256:12",
		"docker.io/a@md5:0123",
		"docker.io/a@",
		"-x.example/a",
		"x-.example/a",
		"a..b/c",
		".example/a",
		"host:/a",
		"host:0/a",
		"host:65536/a",
		"host:80:80/a",
		"user@host.example/a",
		"http://host.example/a",
		"[::1]:5000/a",
		"host.example/a?b",
		"host.example/a\nb",
		"h\xc3\xb6st.example/a",
	};
	auto_free char *label = mem_array(66 + 4, 1);
	struct spec_ref r;

	memset(label, 'a', 64);
	memcpy(label + 64, ".x/a", 4);
	assert_int_equal(spec_ref_parse(&r, str_of(label), NULL, NULL), -1);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (spec_ref_parse(&r, str_of(bad[i]), "docker.io", NULL) == 0)
			fail_msg("\"%s\" was taken", bad[i]);
}

static void lengths(void **state)
{
	char text[600] = "docker.io/";
	struct spec_ref r;

	memset(text + 10, 'a', 255);
	assert_int_equal(spec_ref_parse(&r, str_of(text), NULL, NULL), -1); /* library/ before it */
	text[10 + 247] = '\0';
	assert_int_equal(spec_ref_parse(&r, str_of(text), NULL, NULL), 0);
	text[10 + 247] = ':';
	memset(text + 258, 't', 129);
	assert_int_equal(spec_ref_parse(&r, str_of(text), NULL, NULL), -1);
	text[258 + 128] = '\0';
	assert_int_equal(spec_ref_parse(&r, str_of(text), NULL, NULL), 0);
	assert_int_equal(strlen(r.tag), 128);
}

static void patterns(void **state)
{
	static const char *const good[] = {"*", "docker.io/*", "r.example:5000/team/sub/*"};
	static const char *const bad[] = {"",	     "**",     "docker.io*",   "docker.io/a*",
					  "*/a",     "/*",     "docker.io//*", "a b/*",
					  "x.y/A/*", "x.y/*/*"};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(spec_ref_check_pattern(str_of(good[i]), NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (spec_ref_check_pattern(str_of(bad[i]), NULL) == 0)
			fail_msg("\"%s\" was taken", bad[i]);
}

static void what_an_offer_sells(void **state)
{
	static const struct {
		const char *image, *offered, *home;
		bool sold;
	} rows[] = {
		{"busybox", "busybox", NULL, true},
		{"oci:/images/a:1", "oci:/images/a:1", NULL, true},
		{"oci:/images/b", "*", "docker.io", false}, /* never a path of the host */
		{"oci-archive:/images/b", "*", "docker.io", false},
		{"busybox", "docker.io/library/busybox", "docker.io", true},
		{"busybox:latest", "docker.io/library/busybox", "docker.io", true},
		{"busybox:1", "docker.io/library/busybox", "docker.io", false},
		{"busybox", "docker.io/library/busybox", NULL, false},
		/* the operator's own "busybox" is whatever the operator says */
		{"docker.io/library/busybox", "busybox", "docker.io", false},
		{"docker.io/team/app:2", "docker.io/*", NULL, true},
		{"docker.io/team/app:2", "docker.io/team/*", NULL, true},
		{"docker.io/teams/app:2", "docker.io/team/*", NULL, false},
		{"docker.io/team", "docker.io/team/*", NULL, false},
		{"docker.io.evil/team/app", "docker.io/*", NULL, false},
		{"quay.example/a", "*", NULL, true},
		{"app", "*", NULL, false},
		{"app", "*", "r.example", true},
		{"*", "*", "r.example", false},
		{"docker.io/*", "docker.io/*", "r.example", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (spec_ref_sold(rows[i].image, rows[i].offered, rows[i].home) != rows[i].sold)
			fail_msg("%s by %s", rows[i].image, rows[i].offered);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(long_references),
		cmocka_unit_test(digests_win_over_tags),
		cmocka_unit_test(short_references_need_a_home),
		cmocka_unit_test(what_is_none),
		cmocka_unit_test(lengths),
		cmocka_unit_test(patterns),
		cmocka_unit_test(what_an_offer_sells),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
