/* The spec: what is accepted, what is refused and by which field's name, and that writing is
 * reading. */
#include "unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "spec/grant.h"
#include "spec/image_config.h"
#include "spec/policy.h"
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
	assert_int_equal(s.env.n, 3);
	assert_string_equal(s.env.v[0].name, "Z");
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

	assert_int_equal(spec_decode(&s, STR("{}"), &e), 0);
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

static const struct json *list_of(const struct json *root, const char *key)
{
	const struct json *list;
	struct err e;

	if (json_child(root, key, JSON_ARRAY, &list, &e))
		fail_msg("%s", e.msg);
	assert_true(json_count(list) > 10);
	return list;
}

static void refuse_all(const struct json *list)
{
	for (const struct json *j = json_first(list); j; j = json_next(j)) {
		auto_spec struct spec s = {0};
		struct err e = {0};
		struct str field;

		assert_int_equal(json_str(j, "field", 100, &field, &e), 0);
		if (spec_read(&s, json_get(j, "spec"), &e) != -1)
			fail_msg("taken, in spite of %.*s", (int)field.n, field.p);
		if (strncmp(e.msg, field.p, field.n) != 0)
			fail_msg("\"%s\" does not begin with %.*s", e.msg, (int)field.n, field.p);
		if (!strchr(": .[", e.msg[field.n]))
			fail_msg("\"%s\" does not name %.*s", e.msg, (int)field.n, field.p);
		assert_null(s.image);
	}
}

/* The same file is held against doc/spec.schema.json by tests/spec-schema.sh. What is taken reads
 * the same when it was written. */
static void test_examples(void **state)
{
	auto_buf struct buf text = BUF(1 << 20);
	auto_json struct json *root = NULL;
	struct err e = {0};

	unit_read(&text, "vectors/spec/examples.json");
	if (json_parse(&root, buf_view(&text), NULL, &e))
		fail_msg("%s", e.msg);
	for (const struct json *j = json_first(list_of(root, "accept")); j; j = json_next(j)) {
		auto_buf struct buf once = BUF(SPEC_JSON_MAX), twice = BUF(SPEC_JSON_MAX);
		auto_spec struct spec s = {0}, again = {0}, copy = {0};

		if (spec_read(&s, j, &e))
			fail_msg("%s", e.msg);
		spec_write(&once, &s);
		if (spec_decode(&again, buf_view(&once), &e))
			fail_msg("%s: %s", once.p, e.msg);
		spec_copy(&copy, &again);
		spec_write(&twice, &copy);
		assert_string_equal(once.p, twice.p);
	}
	refuse_all(list_of(root, "refuse"));
	refuse_all(list_of(root, "refuse_beyond_schema"));
}

static const struct {
	const char *json, *error;
} TEXTS[] = {
	{"{\"image\":\"a\",\"image\":\"b\"}", "spec: "},
	{"{\"image\":\"a\"} x", "spec: "},
	{"{\"limits\":{\"memory\":\"512m\"}}",
	 "limits.memory: \"512m\" is ambiguous: write 512Mi (binary) or 512M (decimal)"},
	{"{\"devices\":[]}", "devices: comes from the operator's template only"},
	{"{\"network\":\"host\"}", "network: the host's comes from the operator's template only"},
	{"{\"storage\":[{\"type\":\"volume\",\"name\":\"a\",\"path\":\"/a\"},"
	 "{\"type\":\"tmpfs\",\"path\":\"/a/b\"}]}",
	 "storage[1].path: lies in the volume at /a, which another lease may use; choose a path "
	 "beside it"},
	{"{\"storage\":[{\"type\":\"anonymous\",\"path\":\"/run\"}]}",
	 "storage[0].path: only a tmpfs is mounted on /run; choose a path below it"},
	{"{\"storage\":[{\"type\":\"bind\"}]}",
	 "storage[0].type: folders of the host come from the operator's template only"},
	{"{\"capabilities\":{\"add\":[\"SYS_ADMIN\"]}}",
	 "capabilities.add: SYS_ADMIN comes from the operator's template only"},
};

static void test_errors(void **state)
{
	for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
		auto_spec struct spec s = {0};
		struct err e = {0};

		assert_int_equal(spec_decode(&s, str_of(TEXTS[i].json), &e), -1);
		if (strncmp(e.msg, TEXTS[i].error, strlen(TEXTS[i].error)) != 0)
			fail_msg("\"%s\" is not \"%s\"", e.msg, TEXTS[i].error);
	}
}

static void test_quantities(void **state)
{
	auto_spec struct spec s = {0};
	auto_buf struct buf out = BUF(SPEC_JSON_MAX);
	struct err e;

	assert_int_equal(spec_decode(&s,
				     STR("{\"limits\":{\"cpu\":\"0.5\",\"memory\":\"512Mi\","
					 "\"disk\":\"2G\",\"swap\":\"64Ki\"}}"),
				     &e),
			 0);
	assert_int_equal(s.limits.cpu, 500);
	spec_write(&out, &s);
	assert_string_equal(out.p, "{\"limits\":{\"cpu\":500,\"memory\":536870912,"
				   "\"disk\":2000000000,\"swap\":65536}}");
}

static void test_env_once(void **state)
{
	auto_spec struct spec s = {0};
	struct err e;

	assert_int_equal(spec_set_env(&s, STR("A"), STR("1"), &e), 0);
	assert_int_equal(spec_set_env(&s, STR("B"), STR("2"), &e), 0);
	assert_int_equal(spec_set_env(&s, STR("A"), STR("3"), &e), 0);
	assert_int_equal(s.env.n, 2);
	assert_string_equal(s.env.v[0].name, "A");
	assert_string_equal(s.env.v[0].value, "3");
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

/* The helper's second look at what is no text. */
static void test_check_structs(void **state)
{
	auto_spec struct spec s = {0};
	struct err e;

	assert_int_equal(spec_decode(&s, STR(FULL), &e), 0);
	s.storage.v = mem_zero(sizeof(*s.storage.v));
	s.storage.n = 1;
	s.storage.v[0] = (struct spec_mount){.type = SPEC_TMPFS, .path = "/x"};
	s.ports.v = mem_zero(sizeof(*s.ports.v));
	s.ports.n = 1;
	s.ports.v[0] = (struct spec_port){80, 0, SPEC_TCP};
	assert_int_equal(spec_check(&s, &e), 0);
	s.storage.v[0].size = s.limits.memory + 1;
	assert_int_equal(spec_check(&s, &e), -1);
	assert_string_equal(e.msg, "storage[0].size: more than limits.memory");
	s.storage.v[0] = (struct spec_mount){.type = SPEC_TMPFS, .path = "/proc/1"};
	assert_int_equal(spec_check(&s, &e), -1);
	s.storage.v[0] = (struct spec_mount){.type = SPEC_STORAGE_COUNT, .path = "/x"};
	assert_int_equal(spec_check(&s, &e), -1);
	memset(s.storage.v[0].path, 'x', sizeof(s.storage.v[0].path));
	s.storage.v[0].type = SPEC_TMPFS;
	assert_int_equal(spec_check(&s, &e), -1);
	s.storage.n = 0;
	s.ports.v[0].inside = 0;
	assert_int_equal(spec_check(&s, &e), -1);
	s.ports.n = 0;
	s.powers.add = spec_caps_all();
	assert_int_equal(spec_check(&s, &e), -1);
	s.powers.add = 0;
	s.powers.rlimits[SPEC_RLIMIT_NOFILE] = (struct spec_rlimit){2, 1};
	assert_int_equal(spec_check(&s, &e), -1);
	s.powers.rlimits[SPEC_RLIMIT_NOFILE] = (struct spec_rlimit){0};
	s.health.nargs = 1;
	memset(s.health.command, 'x', sizeof(s.health.command));
	assert_int_equal(spec_check(&s, &e), -1);
	s.health.nargs = 0;
	assert_int_equal(spec_check(&s, &e), 0);
}

#define OFFERED "this provider does not offer "

static const struct {
	const char *json, *error; /* NULL: served today */
} WANTED[] = {
	{"\"storage\":[{\"type\":\"tmpfs\",\"path\":\"/x\",\"size\":4096}]", NULL},
	{"\"read_only\":true,\"labels\":{\"a\":\"b\"},\"stop\":{\"signal\":\"INT\"}", NULL},
	{"\"network\":\"none\",\"tty\":false,\"restart\":\"no\",\"pull\":\"always\"", NULL},
	{"\"capabilities\":{\"add\":[\"CHOWN\"],\"drop\":[\"KILL\"]}", NULL},
	{"\"rlimits\":{\"nofile\":{\"hard\":64}},\"sysctls\":{\"kernel.msgmax\":\"8192\"}", NULL},
	{"\"storage\":[{\"type\":\"volume\",\"name\":\"a\",\"path\":\"/x\"}]",
	 "storage[0].type: " OFFERED "named volumes"},
	{"\"storage\":[{\"type\":\"anonymous\",\"path\":\"/x\"}]",
	 "storage[0].type: " OFFERED "anonymous volumes"},
	{"\"storage\":[{\"type\":\"assets\",\"name\":\"a\",\"path\":\"/x\"}]",
	 "storage[0].type: " OFFERED "assets"},
	{"\"storage\":[{\"type\":\"lease\",\"lease\":\"0123456789abcdef\",\"name\":\"a\","
	 "\"path\":\"/x\"}]",
	 "storage[0].type: " OFFERED "volumes of other leases"},
	{"\"ports\":[{\"inside\":80}]", "ports: " OFFERED "published ports"},
	{"\"network\":\"internet\"", "network: " OFFERED "the Internet"},
	{"\"gpu\":{\"vendor\":\"amd\"}", "gpu: " OFFERED "graphics cards"},
	{"\"tty\":true", "tty: " OFFERED "terminals"},
	{"\"restart\":\"on-failure:3\"", "restart: " OFFERED "restarts"},
	{"\"health\":{\"command\":[\"true\"]}", "health: " OFFERED "health checks"},
	{"\"limits\":{\"bandwidth\":{\"in\":\"1M\"}}",
	 "limits.bandwidth: " OFFERED "bandwidth limits"},
	{"\"capabilities\":{\"add\":[\"NET_RAW\"]}", "capabilities.add: " OFFERED "CAP_NET_RAW"},
	{"\"rlimits\":{\"nofile\":{\"hard\":2000}}",
	 "rlimits.nofile.hard: " OFFERED "more than 1000"},
};

static void test_policy(void **state)
{
	struct spec_policy here;

	spec_policy_here(&here);
	assert_int_equal(here.features &
				 (SPEC_OFFERS_TTY | SPEC_OFFERS_HEALTH | SPEC_OFFERS_RESTART),
			 SPEC_OFFERS_TTY | SPEC_OFFERS_HEALTH | SPEC_OFFERS_RESTART);
	assert_int_equal(here.features & (SPEC_OFFERS_GPU | SPEC_OFFERS_INTERNET), 0);
	assert_int_equal(here.features & (SPEC_OFFERS_VOLUMES | SPEC_OFFERS_SHARING),
			 SPEC_OFFERS_VOLUMES | SPEC_OFFERS_SHARING);
	assert_int_equal(here.features & SPEC_OFFERS_ASSETS, 0);
	here.features = 0;
	assert_int_equal(here.caps, 0);
	here.rlimits[SPEC_RLIMIT_NOFILE] = 1000;
	for (size_t i = 0; i < sizeof(WANTED) / sizeof(WANTED[0]); i++) {
		auto_free char *text = mem_printf("{%s}", WANTED[i].json);
		static const char *const assets[] = {"a", NULL};
		struct spec_policy all = {.features = UINT32_MAX,
					  .caps = spec_caps_requestable(),
					  .assets = assets,
					  .vendor = SPEC_AMD,
					  .gpus = SPEC_GPUS_MAX};
		auto_spec struct spec s = {0};
		struct err e = {0};

		memset(all.rlimits, 0xff, sizeof(all.rlimits));
		if (spec_decode(&s, str_of(text), &e))
			fail_msg("%s", e.msg);
		assert_int_equal(spec_policy_check(&all, &s, &e), 0);
		if (spec_policy_check(&here, &s, &e) != (WANTED[i].error ? -1 : 0))
			fail_msg("%s: %s", text, e.msg);
		if (WANTED[i].error)
			assert_string_equal(e.msg, WANTED[i].error);
	}
}

static const struct {
	const char *text, *want; /* of the JSON form, or of the error */
} MOUNTS[] = {
	{"data:/srv/data", "{\"type\":\"volume\",\"path\":\"/srv/data\",\"name\":\"data\"}"},
	{"data:/srv/data/:ro",
	 "{\"type\":\"volume\",\"path\":\"/srv/data\",\"name\":\"data\",\"read_only\":true}"},
	{"data:/srv:rw", "{\"type\":\"volume\",\"path\":\"/srv\",\"name\":\"data\"}"},
	{"/srv", "{\"type\":\"anonymous\",\"path\":\"/srv\"}"},
	{"lease:/srv", "{\"type\":\"volume\",\"path\":\"/srv\",\"name\":\"lease\"}"},
	{"lease:db/data:/srv", "{\"type\":\"lease\",\"path\":\"/srv\",\"name\":\"data\"}"},
	{"assets:models:/m", "{\"type\":\"assets\",\"path\":\"/m\",\"name\":\"models\"}"},
	{"/host:/srv", "a lease runs elsewhere and sees no folder of this machine"},
	{"./here:/srv", "a lease runs elsewhere"},
	{"~/x:/srv", "a lease runs elsewhere"},
	{"data", "want NAME:/PATH, or /PATH"},
	{"", "want NAME:/PATH, or /PATH"},
	{"Data:/srv", "a volume's name is a-z"},
	{"../x:/srv", "a lease runs elsewhere"},
	{"a/b:/srv", "a volume's name is a-z"},
	{"data:srv", "path: an absolute path"},
	{"data:/srv/../etc", "path: no \".\", \"..\""},
	{"data:/proc/1", "path: nothing is mounted below /proc"},
	{"data:/srv:z", "option \"z\": want ro or rw"},
	{"assets:models:/m:rw", "option \"rw\": want ro"},
	{"lease:db:/srv", "want lease:OTHER/NAME:/PATH"},
	{"lease:/db:/srv:ro", "option \"/srv:ro\": want ro or rw"},
	{"lease:db/:/srv", "a volume's name is a-z"},
};

static const struct {
	const char *text, *want;
} TMPFS[] = {
	{"/x", "{\"type\":\"tmpfs\",\"path\":\"/x\"}"},
	{"/x:size=64Mi,mode=0700,ro",
	 "{\"type\":\"tmpfs\",\"path\":\"/"
	 "x\",\"read_only\":true,\"size\":67108864,\"mode\":\"0700\"}"},
	{"/x:rw,nosuid,nodev", "{\"type\":\"tmpfs\",\"path\":\"/x\"}"},
	{"/x:size=512m", "size: "},
	{"/x:size=1", "size: at least 4096 bytes"},
	{"/x:mode=9", "mode: three or four octal digits"},
	{"/x:noexec", "option \"noexec\": want size=, mode=, ro or rw"},
	{"x", "path: an absolute path"},
};

static void expect_mount(const struct spec_mount *m, int r, const struct err *e, const char *want)
{
	auto_buf struct buf text = BUF(1024);
	auto_free char *all = mem_printf("{\"storage\":[%s]}", want);
	auto_spec struct spec s = {0};

	if (r < 0) {
		if (strncmp(e->msg, want, strlen(want)) != 0)
			fail_msg("\"%s\" does not begin with \"%s\"", e->msg, want);
		return;
	}
	spec_storage_put(&s.storage, m);
	spec_write(&text, &s);
	buf_byte(&text, 0);
	assert_string_equal(text.p, all);
}

static void test_words_of_mounts(void **state)
{
	for (size_t i = 0; i < sizeof(MOUNTS) / sizeof(*MOUNTS); i++) {
		struct spec_mount m;
		struct str of;
		struct err e;
		int r = spec_volume_parse(&m, &of, str_of(MOUNTS[i].text), &e);

		expect_mount(&m, r, &e, MOUNTS[i].want);
		if (r == 0)
			assert_true(m.type == SPEC_LEASE ? str_is(of, "db") : of.n == 0);
	}
	for (size_t i = 0; i < sizeof(TMPFS) / sizeof(*TMPFS); i++) {
		struct spec_mount m;
		struct err e;
		int r = spec_tmpfs_parse(&m, str_of(TMPFS[i].text), &e);

		expect_mount(&m, r, &e, TMPFS[i].want);
	}
}

/* What the image wants comes behind what the spec has, unless that has its place. */
static void test_volumes_of_the_image(void **state)
{
	static const char *const wants[] = {"/data", "/var/x", "/var/x", "/data/below", "/other"};
	auto_free struct image_config *img = mem_zero(sizeof(*img));
	auto_spec struct spec s = {0};
	struct err e;

	for (size_t i = 0; i < sizeof(wants) / sizeof(*wants); i++)
		assert_int_equal(image_config_add(img, IMAGE_VOLUMES, str_of(wants[i]), &e), 0);
	assert_int_equal(image_config_check(img, &e), 0);
	assert_int_equal(
		spec_decode(&s, STR("{\"storage\":[{\"type\":\"tmpfs\",\"path\":\"/data\"}]}"), &e),
		0);
	spec_storage_add_image(&s.storage, img);
	assert_int_equal(s.storage.n, 3);
	assert_int_equal(s.storage.v[1].type, SPEC_ANONYMOUS);
	assert_string_equal(s.storage.v[1].path, "/var/x");
	assert_string_equal(s.storage.v[2].path, "/other");
	assert_int_equal(spec_storage_check(&s.storage, &e), 0);
	assert_int_equal(image_config_add(img, IMAGE_VOLUMES, STR("/proc/x"), &e), 0);
	assert_int_equal(image_config_check(img, &e), -1);
}

/* What an offer allows is what its buyers get, and not more than the host has. */
static void test_allowance(void **state)
{
	struct spec_allowance a = {
		.caps = spec_cap(STR("NET_RAW")),
		.rlimits = {[SPEC_RLIMIT_NOFILE] = 500, [SPEC_RLIMIT_NPROC] = UINT64_MAX},
		.cards = {.vendor = SPEC_AMD, .count = 4, .each = 2}};
	static const char *const ASKED[][2] = {
		{"{\"capabilities\":{\"add\":[\"NET_RAW\"]}}", NULL},
		{"{\"capabilities\":{\"add\":[\"NET_ADMIN\"]}}",
		 "capabilities.add: " OFFERED "CAP_NET_ADMIN"},
		{"{\"rlimits\":{\"nofile\":{\"hard\":500}}}", NULL},
		{"{\"rlimits\":{\"nofile\":{\"hard\":501}}}",
		 "rlimits.nofile.hard: " OFFERED "more than 500"},
		{"{\"rlimits\":{\"nproc\":{\"hard\":1001}}}",
		 "rlimits.nproc.hard: " OFFERED "more than 1000"},
		{"{\"gpu\":{\"count\":2}}", NULL},
		{"{\"gpu\":{\"vendor\":\"amd\"}}", NULL},
		{"{\"gpu\":{\"count\":3}}", "gpu.count: a lease of this offer has at most 2"},
		{"{\"gpu\":{\"vendor\":\"nvidia\"}}", "gpu.vendor: this offer has cards of amd"},
	};
	struct spec_policy p = {0};

	p.rlimits[SPEC_RLIMIT_NOFILE] = p.rlimits[SPEC_RLIMIT_NPROC] = 1000;
	spec_policy_allow(&p, &a);
	for (size_t i = 0; i < ARRAY_SIZE(ASKED); i++) {
		auto_spec struct spec s = {0};
		struct err e = {0};

		if (spec_decode(&s, str_of(ASKED[i][0]), &e))
			fail_msg("%s", e.msg);
		if (spec_policy_check(&p, &s, &e) != (ASKED[i][1] ? -1 : 0))
			fail_msg("%s: %s", ASKED[i][0], e.msg);
		if (ASKED[i][1])
			assert_string_equal(e.msg, ASKED[i][1]);
	}
}

/* A file that others can write would make them root. */
static void test_grant_file(void **state)
{
	static const char TEXT[] =
		"{\"devices\":[{\"path\":\"/dev/null\",\"target\":\"/dev/kvm\"},"
		"{\"path\":\"/dev/zero\",\"access\":\"r\"}],\"binds\":[{\"source\":"
		"\"/\",\"target\":\"/models\",\"read_only\":true}],"
		"\"capabilities\":[\"NET_ADMIN\"],\"network\":\"host\","
		"\"new_privileges\":true}";
	auto_free char *path = mem_printf("%s/grant.json", (char *)*state);
	auto_free char *link = mem_printf("%s/link.json", (char *)*state);
	auto_spec_grant struct spec_grant g = {0}, copy = {0};
	auto_buf struct buf words = BUF(4096);
	struct err e = {0};

	assert_int_equal(spec_grant_load(&g, path, &e), -1);
	assert_int_equal(fs_write(path, TEXT, strlen(TEXT), 0644, &e), 0);
	if (spec_grant_load(&g, path, &e))
		fail_msg("%s", e.msg);
	spec_grant_copy(&copy, &g);
	assert_int_equal(copy.devices[0].major, 1);
	assert_ptr_not_equal(copy.devices[0].path, g.devices[0].path);
	spec_grant_describe(&words, &copy);
	assert_view(words, "device /dev/kvm\ndevice /dev/zero (read-only)\n"
			   "folder /models (read-only)\ncapability NET_ADMIN\nhost-network\n"
			   "new-privileges\n");
	spec_grant_clear(&g);
	assert_int_equal(symlink(path, link), 0);
	assert_int_equal(spec_grant_load(&g, link, &e), -1);
	assert_int_equal(chmod(path, 0664), 0);
	assert_int_equal(spec_grant_load(&g, path, &e), -1);
	assert_non_null(strstr(e.msg, "others may write"));
}

static void test_grant(void **state)
{
	auto_spec_grant struct spec_grant g = {0};
	struct err e;

	assert_int_equal(
		spec_grant_decode(&g,
				  STR("{\"binds\":[{\"source\":\"/srv/a\",\"target\":\"/a\","
				      "\"read_only\":true}],\"devices\":[{\"path\":\"/dev/null\","
				      "\"access\":\"r\"}],\"capabilities\":[\"SYS_ADMIN\"],"
				      "\"network\":\"host\",\"privileged\":true}"),
				  &e),
		0);
	assert_true(g.binds[0].read_only && g.host_network && g.privileged);
	assert_int_equal(g.caps, spec_cap(STR("CAP_SYS_ADMIN")));
	assert_string_equal(g.devices[0].target, "/dev/null");
	assert_true(g.devices[0].read && !g.devices[0].write);
	assert_int_equal(spec_grant_look_up(&g, &e), 0);
	assert_int_equal(g.devices[0].type, 'c');
	assert_int_equal(g.devices[0].major, 1);
	assert_int_equal(g.devices[0].minor, 3);
}

static void test_grant_refused(void **state)
{
	static const char *const BAD[][2] = {
		{"{\"binds\":[{\"source\":\"srv\",\"target\":\"/a\"}]}", "binds[0].source"},
		{"{\"binds\":[{\"source\":\"/srv\"}]}", "binds[0].target"},
		{"{\"binds\":[{\"source\":\"/a/../etc\",\"target\":\"/a\"}]}", "binds[0].source"},
		{"{\"devices\":[{\"path\":\"/dev/x\",\"access\":\"rwm\"}]}", "devices[0].access"},
		{"{\"devices\":[{}]}", "devices[0].path"},
		{"{\"capabilities\":[\"FLY\"]}", "capabilities"},
		{"{\"image\":\"x\"}", "image"},
		{"[]", "template"},
	};
	auto_spec_grant struct spec_grant missing = {0};
	struct err e;

	for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
		struct spec_grant g;

		assert_int_equal(spec_grant_decode(&g, str_of(BAD[i][0]), &e), -1);
		if (strncmp(e.msg, BAD[i][1], strlen(BAD[i][1])) != 0)
			fail_msg("%s: %s", BAD[i][0], e.msg);
	}
	assert_int_equal(
		spec_grant_decode(&missing, STR("{\"devices\":[{\"path\":\"/dev/none\"}]}"), &e),
		0);
	assert_int_equal(spec_grant_look_up(&missing, &e), -1);
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
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_empty_entrypoint),
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_quantities),
		cmocka_unit_test(test_check_structs),
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_volumes_of_the_image),
		cmocka_unit_test(test_words_of_mounts),
		cmocka_unit_test(test_allowance),
		cmocka_unit_test_setup_teardown(test_grant_file, unit_folder, unit_folder_gone),
		cmocka_unit_test(test_grant),
		cmocka_unit_test(test_grant_refused),
		cmocka_unit_test(test_env_once),
		cmocka_unit_test(test_caps),
		cmocka_unit_test(test_check_again),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_image_config),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
