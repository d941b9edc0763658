/*
 * config.json and process objects against golden files in tests/vectors/oci, one a case. With
 * OCI_GOLDEN_WRITE set the files are written instead: look at the difference before it is
 * committed.
 */
#include "unit.h"

#include <stdio.h>

#include "oci/oci.h"

struct golden {
	const char *name;
	const char *spec;				/* JSON */
	const char *entrypoint, *cmd, *env, *user_home; /* of the image; NULL: none */
	const char *workdir;
	struct oci_placement place;
};

#define LIMITS "\"limits\":{\"cpu\":1500,\"memory\":536870912,\"pids\":128,\"disk\":1073741824}"

static const struct golden GOLDENS[] = {
	{"image-only", "{\"image\":\"oci:x\"," LIMITS "}", "/bin/server", "--help", "PATH=/opt/bin",
	 .place = {.hostname = "l-7f3a"}},
	{"args-replace-cmd",
	 "{\"args\":[\"-v\",\"\"],\"env\":{\"PATH\":\"/x\",\"NEW\":\"1\"}," LIMITS "}",
	 "/bin/server", "--help", "PATH=/opt/bin", .place = {.hostname = "l-7f3a"}},
	{"entrypoint-drops-cmd", "{\"entrypoint\":[\"/bin/true\"]," LIMITS "}", "/bin/server",
	 "--help", NULL, .place = {.hostname = "l-7f3a"}},
	{"user-namespace", "{\"hostname\":\"mine\",\"workdir\":\"/srv\"," LIMITS "}", NULL,
	 "/bin/a", NULL, .user_home = "/home/web", .workdir = "/image",
	 .place = {.hostname = "l-7f3a",
		   .id_base = 1000000,
		   .id_count = 65536,
		   .nofile = 20000,
		   .user = {.uid = 33, .gid = 44, .ngroups = 2, .groups = {50, 51}}}},
	{"small-cpu", "{\"limits\":{\"cpu\":10,\"memory\":4194304,\"pids\":8,\"disk\":16777216}}",
	 NULL, "/bin/a", NULL, .workdir = "/image",
	 .place = {.hostname = "l-7f3a", .netns = "/run/netns/l-7f3a"}},
};

static struct image_config *make_image(const struct golden *g)
{
	struct image_config *c = mem_zero(sizeof(*c));
	struct err e;

	if ((g->entrypoint && image_config_add(c, IMAGE_ENTRYPOINT, str_of(g->entrypoint), &e)) ||
	    (g->cmd && image_config_add(c, IMAGE_CMD, str_of(g->cmd), &e)) ||
	    (g->env && image_config_add(c, IMAGE_ENV, str_of(g->env), &e)))
		fail_msg("%s", e.msg);
	if (g->workdir)
		memcpy(c->workdir, g->workdir, strlen(g->workdir) + 1);
	return c;
}

static void compare(const char *name, struct buf *text)
{
	const char *dir = getenv("TESTS_DIR");
	auto_free char *file = mem_printf("vectors/oci/%s.json", name);
	auto_free char *path = mem_printf("%s/%s", dir ? dir : "tests", file);
	auto_buf struct buf golden = BUF(OCI_CONFIG_MAX);
	struct err e;

	buf_byte(text, '\n');
	if (getenv("OCI_GOLDEN_WRITE")) {
		assert_int_equal(fs_write(path, text->p, text->n, 0644, &e), 0);
		return;
	}
	unit_read(&golden, file);
	if (!str_eq(buf_view(&golden), buf_view(text)))
		fail_msg("%s differs; this is what was made:\n%s", file, text->p);
}

static void test_goldens(void **state)
{
	for (size_t i = 0; i < sizeof(GOLDENS) / sizeof(GOLDENS[0]); i++) {
		const struct golden *g = &GOLDENS[i];
		static const struct oci_bind bind = {"/usr/lib/leased/toolbox", "/.lease",
						     OCI_READ_ONLY};
		struct oci_placement p = g->place;
		auto_free struct image_config *img = make_image(g);
		auto_buf struct buf out = BUF(OCI_CONFIG_MAX);
		auto_spec struct spec s = {0};
		struct err e;

		p.rootfs = "/run/leased/leases/l-7f3a/root";
		p.cgroup = "/leased/l-7f3a";
		p.binds = &bind;
		p.nbinds = p.id_count ? 1 : 0;
		if (g->user_home)
			memcpy(p.user.home, g->user_home, strlen(g->user_home) + 1);
		if (spec_decode(&s, str_of(g->spec), &e) || oci_config(&out, &s, img, &p, &e))
			fail_msg("%s: %s", g->name, e.msg);
		compare(g->name, &out);
	}
}

static void test_exec(void **state)
{
	static const char *const argv[] = {"/bin/sh", "-c", "echo \"$A\"", NULL};
	const struct spec_env env[] = {{(char *)"A", (char *)"over"}};
	struct oci_exec x = {.argv = argv,
			     .workdir = "/tmp",
			     .env = env,
			     .nenv = 1,
			     .user = {.uid = 5, .gid = 6, .home = "/home/five"}};
	auto_free struct image_config *img = make_image(&GOLDENS[0]);
	auto_buf struct buf out = BUF(OCI_CONFIG_MAX);
	auto_spec struct spec s = {0};
	struct err e;

	assert_int_equal(spec_set_env(&s, STR("A"), STR("under"), &e), 0);
	assert_int_equal(oci_exec(&out, &s, img, &x, &e), 0);
	compare("exec-process", &out);
}

static struct oci_placement anywhere(void)
{
	return (struct oci_placement){.rootfs = "/r", .cgroup = "/c", .hostname = "h"};
}

static void test_no_command(void **state)
{
	struct golden g = {.name = "none"};
	auto_free struct image_config *img = make_image(&g);
	auto_buf struct buf out = BUF(OCI_CONFIG_MAX);
	struct oci_placement p = anywhere();
	auto_spec struct spec s = {0};
	struct err e;

	assert_int_equal(spec_decode(&s, STR("{" LIMITS "}"), &e), 0);
	assert_int_equal(oci_config(&out, &s, img, &p, &e), -1);
	assert_int_equal(e.kind, ERRK_INPUT);
	assert_non_null(strstr(e.msg, "no command"));
}

/* CVE-2024-21626: an image may not begin in a folder that leaked through /proc. */
static void test_workdir_in_proc(void **state)
{
	struct golden g = {.cmd = "/bin/a", .workdir = "/proc/self/fd/8"};
	auto_free struct image_config *img = make_image(&g);
	auto_buf struct buf out = BUF(OCI_CONFIG_MAX);
	struct oci_placement p = anywhere();
	auto_spec struct spec s = {0};
	struct err e;

	assert_int_equal(spec_decode(&s, STR("{" LIMITS "}"), &e), 0);
	assert_int_equal(oci_config(&out, &s, img, &p, &e), -1);
	assert_int_equal(e.kind, ERRK_DENIED);
}

static void test_limits_needed(void **state)
{
	auto_free struct image_config *img = make_image(&GOLDENS[0]);
	auto_buf struct buf out = BUF(OCI_CONFIG_MAX);
	struct oci_placement p = anywhere();
	struct spec s = {0};
	struct err e;

	assert_int_equal(oci_config(&out, &s, img, &p, &e), -1);
}

static void test_defaults(void **state)
{
	auto_free struct image_config *img = make_image(&GOLDENS[0]);
	struct spec s = {0};

	assert_string_equal(oci_user(&s, img), "0");
	memcpy(img->user, "web", 4);
	assert_string_equal(oci_user(&s, img), "web");
	assert_int_equal(oci_stop_signal(&s, img), 15);
	img->stop_signal = 2;
	assert_int_equal(oci_stop_signal(&s, img), 2);
	assert_int_equal(oci_stop_timeout(&s), 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_goldens),	      cmocka_unit_test(test_exec),
		cmocka_unit_test(test_no_command),    cmocka_unit_test(test_workdir_in_proc),
		cmocka_unit_test(test_limits_needed), cmocka_unit_test(test_defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
