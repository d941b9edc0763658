/*
 * config.json and process objects against golden files in tests/vectors/oci, one a case. With
 * OCI_GOLDEN_WRITE set the files are written instead: look at the difference before it is
 * committed.
 */
#include "unit.h"

#include <stdio.h>

#include "base/json.h"
#include "oci/guards.h"
#include "oci/oci.h"
#include "oci/runtime.h"
#include "spec/guard.h"

struct golden {
	const char *name;
	const char *spec;				/* JSON */
	const char *entrypoint, *cmd, *env, *user_home; /* of the image; NULL: none */
	const char *workdir;
	struct oci_placement place;
};

#define LIMITS "\"limits\":{\"cpu\":1500,\"memory\":536870912,\"pids\":128,\"disk\":1073741824}"

static const char *const VOLUMES[] = {
	"/run/leased/volumes/l-7f3a/mnt/named/data", "/run/leased/volumes/l-7f3a/mnt/anonymous/0",
	"/run/leased/volumes/l-7f3a/mnt/anonymous/1", "/usr/lib/leased/toolbox",
	"/run/leased/volumes/l-0000/mnt/named/data"};

/* Numbers beyond eight bits, as drivers with dynamic ones have them. */
static const struct spec_device CARDS[] = {
	{(char *)"/dev/nvidia3", (char *)"/dev/nvidia3", true, true, 'c', 195, 3},
	{(char *)"/dev/nvidia-uvm", (char *)"/dev/nvidia-uvm", true, true, 'c', 511, 1048575},
};
static const uint32_t CARD_NUMBERS[] = {3, 5};
static struct spec_env CARD_VARIABLES[] = {{(char *)"LD_LIBRARY_PATH", (char *)"/driver"}};
static const struct spec_map CARD_ENV = {CARD_VARIABLES, ARRAY_SIZE(CARD_VARIABLES)};
static const struct oci_group GROUP = {.rank = 2, .size = 4, .address = "l-7f38", .port = 29500};

static struct spec_bind TEMPLATE_BINDS[] = {
	{(char *)"/srv/models", (char *)"/models", true},
	{(char *)"/srv/scratch", (char *)"/models/scratch", false},
};
static struct spec_device TEMPLATE_DEVICES[] = {
	{(char *)"/dev/fuse", (char *)"/dev/fuse", true, true, 'c', 10, 229},
	{(char *)"/dev/sr0", (char *)"/dev/cdrom", true, false, 'b', 11, 0},
};
static const struct spec_grant TEMPLATE = {.binds = TEMPLATE_BINDS,
					   .nbinds = ARRAY_SIZE(TEMPLATE_BINDS),
					   .devices = TEMPLATE_DEVICES,
					   .ndevices = ARRAY_SIZE(TEMPLATE_DEVICES),
					   .caps = UINT64_C(1) << 33 /* SYS_NICE */,
					   .new_privileges = true};
static const struct spec_grant PRIVILEGED = {.host_network = true, .privileged = true};

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
	{"read-only-root",
	 "{\"read_only\":true,\"storage\":[{\"type\":\"tmpfs\",\"path\":\"/"
	 "tmp\",\"size\":\"256Mi\","
	 "\"mode\":\"0700\"},{\"type\":\"tmpfs\",\"path\":\"/var/"
	 "cache\",\"read_only\":true}]," LIMITS "}",
	 NULL, "/bin/a", NULL, .place = {.hostname = "l-7f3a"}},
	{"volumes",
	 "{\"storage\":[{\"type\":\"volume\",\"name\":\"data\",\"path\":\"/srv/data\"},"
	 "{\"type\":\"anonymous\",\"path\":\"/a/b\"},{\"type\":\"anonymous\",\"path\":\"/a_b\"},"
	 "{\"type\":\"assets\",\"name\":\"toolbox\",\"path\":\"/srv\"},"
	 "{\"type\":\"lease\",\"lease\":\"0123456789abcdef\",\"name\":\"data\",\"path\":\"/"
	 "theirs\","
	 "\"read_only\":true}]," LIMITS "}",
	 NULL, "/bin/a", NULL,
	 .place = {.hostname = "l-7f3a", .volumes = VOLUMES, .nvolumes = ARRAY_SIZE(VOLUMES)}},
	{"gpu",
	 "{\"gpu\":{\"vendor\":\"nvidia\",\"count\":2},\"env\":{\"NVIDIA_VISIBLE_DEVICES\":\"all\","
	 "\"Z\":\"1\"}," LIMITS "}",
	 NULL, "/bin/a", NULL,
	 .place = {.hostname = "l-7f3a",
		   .devices = CARDS,
		   .ndevices = ARRAY_SIZE(CARDS),
		   .gpus = {SPEC_NVIDIA, CARD_NUMBERS, ARRAY_SIZE(CARD_NUMBERS)}}},
	{"gpu-user-namespace",
	 "{\"gpu\":{\"count\":1},\"env\":{\"LD_LIBRARY_PATH\":\"/mine\"}," LIMITS "}", NULL,
	 "/bin/a", NULL,
	 .place = {.hostname = "l-7f3a",
		   .id_base = 1000000,
		   .id_count = 65536,
		   .grant = &TEMPLATE,
		   .gpus = {SPEC_AMD, CARD_NUMBERS, 1, &CARD_ENV}}},
	{"terminal", "{\"tty\":true," LIMITS "}", NULL, "/bin/a", NULL,
	 .place = {.hostname = "l-7f3a"}},
	{"group", "{\"env\":{\"RANK\":\"99\"}," LIMITS "}", NULL, "/bin/a", NULL,
	 .place = {.hostname = "l-7f3a", .group = &GROUP}},
	{"secrets",
	 "{\"env\":{\"PASSWORD\":\"$S:db/password\",\"WHOLE\":\"$S:token\",\"TEXT\":\"$$S:token\","
	 "\"HOST\":\"$E:HOME\",\"PRICE\":\"$5\"},\"secrets\":{\"token\":\"t0ken\","
	 "\"db\":\"{\\\"password\\\":\\\"p w\\\"}\"}," LIMITS "}",
	 NULL, "/bin/a", NULL, .place = {.hostname = "l-7f3a"}},
	{"powers",
	 "{\"capabilities\":{\"add\":[\"NET_RAW\"],\"drop\":[\"CAP_SETFCAP\",\"KILL\"]},"
	 "\"rlimits\":{\"nofile\":{\"soft\":64,\"hard\":128},\"nproc\":{\"hard\":32}},"
	 "\"sysctls\":{\"net.core.somaxconn\":\"1024\","
	 "\"net.ipv4.ip_unprivileged_port_start\":\"1024\"}," LIMITS "}",
	 NULL, "/bin/a", NULL,
	 .place = {.hostname = "l-7f3a", .nofile = 20000, .caps = UINT64_MAX}},
	{"limits",
	 "{\"limits\":{\"cpu\":\"0.25\",\"memory\":\"512Mi\",\"swap\":\"128Mi\",\"pids\":64,"
	 "\"disk\":\"1Gi\",\"io\":{\"read\":\"10M\",\"write\":\"5M\",\"reads\":1000,\"writes\":500}"
	 "}}",
	 NULL, "/bin/a", NULL,
	 .place = {.hostname = "l-7f3a",
		   .apparmor = "leased-default",
		   .disk_major = 259,
		   .disk_minor = 70000,
		   .cgroup_version = 2,
		   .throttling_cpus = 2}},
	{"template", "{" LIMITS "}", NULL, "/bin/a", NULL,
	 .place = {.hostname = "l-7f3a", .grant = &TEMPLATE}},
	{"privileged", "{" LIMITS "}", NULL, "/bin/a", NULL,
	 .place = {.hostname = "l-7f3a", .apparmor = "leased-default", .grant = &PRIVILEGED}},
	{"small-cpu", "{\"limits\":{\"cpu\":10,\"memory\":4194304,\"pids\":8,\"disk\":16777216}}",
	 NULL, "/bin/a", NULL, .workdir = "/image",
	 .place = {.hostname = "l-7f3a", .netns = "/run/netns/l-7f3a"}},
	{"beside", "{" LIMITS "}", NULL, "/bin/a", NULL,
	 .place = {.hostname = "l-7f3a",
		   .netns = "/proc/7/fd/5",
		   .userns = "/proc/7/fd/4",
		   .cgroupns = "/proc/7/fd/6",
		   .id_base = 1000000,
		   .id_count = 65536}},
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

		p.rootfs = "/run/leased/leases/l-7f3a/rootfs";
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

static int config_of(const char *spec, const struct oci_placement *p, struct err *e)
{
	auto_free struct image_config *img = make_image(&GOLDENS[0]);
	auto_buf struct buf out = BUF(OCI_CONFIG_MAX);
	auto_spec struct spec s = {0};

	if (spec_decode(&s, str_of(spec), e))
		fail_msg("%s", e->msg);
	return oci_config(&out, &s, img, p, e);
}

/* What the placement has not got is an error, never left out. */
static void test_not_prepared(void **state)
{
	static const char *const WANTED[][2] = {
		{"{\"storage\":[{\"type\":\"volume\",\"name\":\"a\",\"path\":\"/a\"}]," LIMITS "}",
		 "storage[0]: the volume was not prepared"},
		{"{\"gpu\":{\"vendor\":\"amd\"}," LIMITS "}", "gpu: 1 are wanted, 0 prepared"},
		{"{\"env\":{\"A\":\"$S:none\"}," LIMITS "}", "env.A: the lease has no such secret"},
		{"{\"env\":{\"A\":\"$S:x/y\"},\"secrets\":{\"x\":\"plain\"}," LIMITS "}",
		 "env.A: its secret has no text of that name"},
		{"{\"env\":{\"A\":\"$S:x/y\"},\"secrets\":{\"x\":\"{\\\"y\\\":5}\"}," LIMITS "}",
		 "env.A: its secret has no text of that name"},
		{"{\"capabilities\":{\"add\":[\"NET_ADMIN\"]}," LIMITS "}",
		 "capabilities.add: CAP_NET_ADMIN is not given to buyers"},
	};
	struct oci_placement p = anywhere();
	struct err e = {0};

	for (size_t i = 0; i < ARRAY_SIZE(WANTED); i++) {
		assert_int_equal(config_of(WANTED[i][0], &p, &e), -1);
		assert_string_equal(e.msg, WANTED[i][1]);
	}
}

/* Rule of the seccomp filter and of the device list: a template's device was looked up. */
static void test_device_unknown(void **state)
{
	struct spec_device d = {(char *)"/dev/x", (char *)"/dev/x", true, true, 0, 0, 0};
	struct spec_grant g = {.devices = &d, .ndevices = 1};
	struct oci_placement p = anywhere();
	struct err e = {0};

	p.grant = &g;
	assert_int_equal(config_of("{" LIMITS "}", &p, &e), -1);
	assert_string_equal(e.msg, "device /dev/x: not looked up");
}

/* Whatever a buyer writes, a path or a number of the host comes from the placement only. */
static void test_no_way_from_spec_to_host(void **state)
{
	static const char SPEC[] = "{\"image\":\"oci:/HOST/a\",\"workdir\":\"/"
				   "HOST\",\"labels\":{\"run.oci.HOST\":\"HOST\"},"
				   "\"secrets\":{\"HOST\":\"HOST\"},\"storage\":[{\"type\":"
				   "\"tmpfs\",\"path\":\"/HOST\"}]," LIMITS "}";
	auto_free struct image_config *img = make_image(&GOLDENS[0]);
	auto_buf struct buf out = BUF(OCI_CONFIG_MAX);
	struct oci_placement p = anywhere();
	auto_json struct json *root = NULL;
	auto_spec struct spec s = {0};
	struct err e = {0};

	if (spec_decode(&s, STR(SPEC), &e) || oci_config(&out, &s, img, &p, &e) ||
	    json_parse(&root, buf_view(&out), NULL, &e))
		fail_msg("%s", e.msg);
	assert_null(json_get(root, "annotations"));
	assert_null(json_get(root, "hooks"));
	assert_null(strstr(out.p, "\"source\":\"/HOST"));
	assert_null(strstr(out.p, "run.oci"));
	assert_null(strstr(out.p, "oci:/"));
}

/* Whatever is given, no offer promises what then is not. */
static void test_guards_off(void **state)
{
	const uint32_t few = spec_guard_bit(SPEC_GUARD_FEW_CAPABILITIES);
	struct spec_grant g = {.caps = spec_cap(STR("SYS_ADMIN"))};

	assert_int_equal(oci_guards_off(0, NULL), 0);
	assert_int_equal(oci_guards_off(spec_caps_usual(), &(struct spec_grant){0}), 0);
	assert_int_equal(oci_guards_off(spec_cap(STR("NET_RAW")), NULL), few);
	assert_int_equal(oci_guards_off(0, &g), few);
	g = (struct spec_grant){.new_privileges = true, .host_network = true};
	assert_int_equal(oci_guards_off(0, &g), spec_guard_bit(SPEC_GUARD_NO_NEW_PRIVILEGES) |
							spec_guard_bit(SPEC_GUARD_NAMESPACES));
	g = (struct spec_grant){.privileged = true};
	assert_int_equal(oci_guards_off(0, &g), few | spec_guard_bit(SPEC_GUARD_SECCOMP) |
							spec_guard_bit(SPEC_GUARD_MASKED_PATHS) |
							spec_guard_bit(SPEC_GUARD_APPARMOR));
}

/* In every golden: nothing of the agent's inside, and no device may be made. */
static void each_golden(void (*check)(const char *name, const struct json *root))
{
	for (size_t i = 0; i < ARRAY_SIZE(GOLDENS); i++) {
		auto_free char *file = mem_printf("vectors/oci/%s.json", GOLDENS[i].name);
		auto_buf struct buf text = BUF(OCI_CONFIG_MAX);
		const struct json_limits limits = {.bytes = OCI_CONFIG_MAX, .depth = 12};
		auto_json struct json *root = NULL;
		struct err e;

		unit_read(&text, file);
		if (json_parse(&root, buf_view(&text), &limits, &e))
			fail_msg("%s: %s", file, e.msg);
		check(GOLDENS[i].name, root);
	}
}

static void no_socket(const char *name, const struct json *root)
{
	const struct json *m = json_first(json_get(root, "mounts"));

	assert_non_null(m);
	for (; m; m = json_next(m)) {
		struct str source;

		assert_int_equal(json_str(m, "source", 4096, &source, NULL), 0);
		for (size_t i = 0; i + 4 < source.n; i++)
			if (memcmp(source.p + i, "sock", 4) == 0)
				fail_msg("%s mounts %.*s", name, (int)source.n, source.p);
	}
}

static void no_mknod(const char *name, const struct json *root)
{
	const struct json *resources = json_get(json_get(root, "linux"), "resources");
	const struct json *d = json_first(json_get(resources, "devices"));
	bool allow;

	assert_true(json_as_bool(json_get(d, "allow"), &allow));
	assert_int_equal(allow, strcmp(name, "privileged") == 0);
	for (d = json_next(d); d; d = json_next(d)) {
		struct str access;

		assert_int_equal(json_str(d, "access", 3, &access, NULL), 0);
		if (memchr(access.p, 'm', access.n))
			fail_msg("%s allows mknod", name);
	}
}

static void test_no_socket(void **state)
{
	each_golden(no_socket);
}

static void test_no_mknod(void **state)
{
	each_golden(no_mknod);
}

/* Every row is in doc/bundle.md, and every golden shows one. */
static void test_rows(void **state)
{
	auto_buf struct buf text = BUF(1 << 20);

	unit_read(&text, "../doc/bundle.md");
	for (int i = 1; i <= 33; i++) {
		auto_free char *row = mem_printf("\n| Z%d | ", i);

		if (!strstr(text.p, row))
			fail_msg("no row %d", i);
	}
	for (size_t i = 0; i < ARRAY_SIZE(GOLDENS); i++)
		if (!strstr(text.p, GOLDENS[i].name))
			fail_msg("no row is shown by %s", GOLDENS[i].name);
}

static void test_runtimes(void **state)
{
	static const struct {
		const char *path, *version;
		int outcome;
	} ROWS[] = {
		{"/usr/sbin/runc", "1.1.5+ds1", OCI_RUNTIME_OLD},
		{"runc", "1.2.8", OCI_RUNTIME_OLD},
		{"runc", "1.3.5", OCI_RUNTIME_OLD},
		{"runc", "1.3.6", 0},
		{"runc", "1.4.2", OCI_RUNTIME_OLD},
		{"runc", "1.4.3-rc.1", 0},
		{"runc", "1.5.0", 0},
		{"runc", "2.0.0", 0},
		{"crun", "1.8.1", OCI_RUNTIME_OLD},
		{"crun", "1.28", 0},
		{"crun", "1.29.1", 0},
		{"crun", "version", OCI_RUNTIME_UNKNOWN},
		{"crun", "99999999999999999999", OCI_RUNTIME_UNKNOWN},
		{"runsc", "release-20240729.0", OCI_RUNTIME_UNKNOWN},
		{"/opt/youki", "0.5.0", OCI_RUNTIME_UNKNOWN},
	};
	struct err why;

	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++)
		if (oci_runtime_check(oci_runtime(ROWS[i].path), str_of(ROWS[i].version), &why) !=
		    ROWS[i].outcome)
			fail_msg("%s %s", ROWS[i].path, ROWS[i].version);
	assert_string_equal(oci_runtime("/usr/bin/runsc")->isolation, "user-kernel");
	assert_string_equal(oci_runtime("/usr/bin/other")->isolation, "shared-kernel");
	assert_false(oci_runtime("runsc")->seccomp);
}

/* What an offer promises follows from the host, and from a runtime whose kernel is the host's. */
static void test_guards(void **state)
{
	const struct oci_host poor = {.cgroup_version = 1}, rich = {.cgroup_version = 2,
								    .user_namespace = true,
								    .seccomp = true,
								    .apparmor = true};
	uint32_t little = oci_guards(oci_runtime("runc"), &poor);
	uint32_t all = oci_guards(oci_runtime("runc"), &rich);

	assert_int_equal(all, spec_guard_bit(SPEC_GUARD_COUNT) - 1);
	assert_int_equal(all & ~little, spec_guard_bit(SPEC_GUARD_USER_NAMESPACE) |
						spec_guard_bit(SPEC_GUARD_SECCOMP) |
						spec_guard_bit(SPEC_GUARD_CGROUP_V2) |
						spec_guard_bit(SPEC_GUARD_APPARMOR));
	assert_int_equal(oci_guards(oci_runtime("runsc"), &rich) & (all & ~little), 0);
	assert_int_equal(spec_guard_of(STR("seccomp")), spec_guard_bit(SPEC_GUARD_SECCOMP));
	assert_int_equal(spec_guard_of(STR("seccom")), 0);
	assert_string_equal(spec_guard_word(SPEC_GUARD_APPARMOR), "apparmor");
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
		cmocka_unit_test(test_goldens),
		cmocka_unit_test(test_guards_off),
		cmocka_unit_test(test_exec),
		cmocka_unit_test(test_no_command),
		cmocka_unit_test(test_workdir_in_proc),
		cmocka_unit_test(test_limits_needed),
		cmocka_unit_test(test_runtimes),
		cmocka_unit_test(test_guards),
		cmocka_unit_test(test_no_socket),
		cmocka_unit_test(test_no_mknod),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_not_prepared),
		cmocka_unit_test(test_device_unknown),
		cmocka_unit_test(test_no_way_from_spec_to_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
