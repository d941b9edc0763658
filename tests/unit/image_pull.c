/* What the program that pulls is told, and what its complaints mean. */
#include "unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "image/pull.h"

static void hosts_without_settings_are_not_named(void **state)
{
	const struct pull_hosts none = {NULL, NULL};
	auto_buf struct buf b = BUF(4096);

	pull_put_registries(&b, &none);
	assert_null(strstr(b.p, "[[registry"));
	assert_non_null(strstr(b.p, "unqualified-search-registries = []"));
}

static void mirrors_and_plain_hosts(void **state)
{
	static const char *const mirrors[] = {"docker.io=m.lan:5000", "docker.io=n.lan/hub",
					      "quay.example=m.lan:5000", NULL};
	static const char *const plain[] = {"m.lan:5000", "quay.example", "p.lan", NULL};
	const struct pull_hosts h = {mirrors, plain};
	auto_buf struct buf b = BUF(4096);

	pull_put_registries(&b, &h);
	assert_non_null(strstr(b.p, "[[registry]]\nprefix = \"docker.io\"\n"
				    "location = \"docker.io\"\ninsecure = false\n"
				    "[[registry.mirror]]\n"
				    "location = \"m.lan:5000\"\ninsecure = true\n"
				    "[[registry.mirror]]\n"
				    "location = \"n.lan/hub\"\ninsecure = false\n"
				    "[[registry]]\nprefix = \"quay.example\"\n"
				    "location = \"quay.example\"\ninsecure = true\n"));
	assert_non_null(strstr(b.p, "prefix = \"p.lan\"\nlocation = \"p.lan\"\ninsecure = true\n"));
	assert_null(
		strstr(strstr(b.p, "prefix = \"quay.example\"") + 1, "prefix = \"quay.example\""));
}

static void credentials_are_for_one_host(void **state)
{
	auto_buf struct buf b = BUF(4096);

	pull_put_auth(&b, "r.lan:5000", "YTpi");
	assert_view(b, "{\"auths\":{\"r.lan:5000\":{\"auth\":\"YTpi\"}}}\n");
	assert_true(pull_auth_is_clean(STR("YTpi+/==")));
	assert_false(pull_auth_is_clean(STR("")));
	assert_false(pull_auth_is_clean(STR("YT\"pi")));
	assert_false(pull_auth_is_clean((struct str){"YT\0pi", 5}));
}

static void complaints_of_skopeo(void **state)
{
	static const struct {
		const char *said, *told;
		enum pull_fault fault;
	} rows[] = {
		{"time=\"…\" level=fatal msg=\"Error parsing image name "
		 "\\\"docker://r.lan/x:9\\\": "
		 "reading manifest 9 in r.lan/x: manifest unknown: manifest unknown\"",
		 "no such tag", PULL_FAULT_NOT_FOUND},
		{"reading manifest 1 in r.lan/x: unauthorized: authentication required",
		 "credentials", PULL_FAULT_DENIED},
		{"pinging container registry r.lan: Get \"https://r.lan/v2/\": dial tcp "
		 "10.0.0.1:443: i/o timeout",
		 "does not answer", PULL_FAULT_UNREACHABLE},
		{"Get \"https://r.lan/v2/\": x509: certificate signed by unknown authority",
		 "not trusted", PULL_FAULT_UNREACHABLE},
		{"Get \"https://r.lan/v2/\": http: server gave HTTP response to HTTPS client",
		 "no TLS", PULL_FAULT_UNREACHABLE},
		{"writing blob: storing blob to file \"/work/x\": write /work/x: no space left on "
		 "device",
		 "more than its manifest", PULL_FAULT_TOO_LARGE},
		{"toomanyrequests: You have reached your pull rate limit", "limits",
		 PULL_FAULT_BUSY},
		{"something\x1b[31m new", "the pull failed: something?[31m new", PULL_FAULT_OTHER},
		{"", "the pull failed", PULL_FAULT_OTHER},
	};
	struct err e;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(pull_explain(str_of(rows[i].said), &e), rows[i].fault);
		if (!strstr(e.msg, rows[i].told))
			fail_msg("%s: %s", rows[i].said, e.msg);
	}
}

/* What skopeo leaves as "dir:" becomes a layout in which everything has the name of its digest. */
static void adopted_folders_are_layouts(void **state)
{
	const char *dir = *state;
	auto_free char *image = mem_printf("%s/image", dir);
	auto_free char *manifest = mem_printf("%s/manifest.json", image);
	auto_free char *index = mem_printf("%s/layout/index.json", dir);
	auto_buf struct buf text = BUF(4096);
	auto_free char *moved = NULL;
	char digest[SPEC_DIGEST_SIZE], wanted[SPEC_DIGEST_SIZE];
	struct err e = {0};

	assert_int_equal(fs_mkdirs(image, 0700, &e), 0);
	assert_int_equal(fs_write(manifest, "{}", 2, 0600, &e), 0);
	assert_int_equal(pull_adopt(digest, dir, &e), 0);
	pull_digest(wanted, STR("{}"));
	assert_string_equal(digest, wanted);
	moved = mem_printf("%s/layout/blobs/sha256/%s", dir, digest + 7);
	assert_true(fs_exists(moved));
	assert_int_equal(fs_read(&text, index, &e), 0);
	assert_non_null(strstr(text.p, digest));
	assert_int_equal(pull_adopt(digest, dir, &e), -1); /* nothing was brought */
}

/* A program that was taken over leaves links: nothing is made or moved where they point. */
static void links_are_not_adopted(void **state)
{
	auto_free char *dir = mem_printf("%s/taken-over", (const char *)*state);
	auto_free char *image = mem_printf("%s/image", dir);
	auto_free char *layout = mem_printf("%s/layout", dir);
	auto_free char *away = mem_printf("%s/away", dir);
	auto_free char *manifest = mem_printf("%s/manifest.json", away);
	auto_free char *made = mem_printf("%s/blobs", away);
	char digest[SPEC_DIGEST_SIZE];
	struct err e = {0};

	assert_int_equal(fs_mkdirs(away, 0700, &e), 0);
	assert_int_equal(fs_write(manifest, "{}", 2, 0600, &e), 0);
	assert_int_equal(symlink(away, image), 0);
	assert_int_equal(pull_adopt(digest, dir, &e), -1);
	assert_int_equal(unlink(image), 0);
	assert_int_equal(mkdir(image, 0700), 0);
	assert_int_equal(symlink(away, layout), 0);
	assert_int_equal(pull_adopt(digest, dir, &e), -1);
	assert_true(fs_exists(manifest));
	assert_false(fs_exists(made));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_without_settings_are_not_named),
		cmocka_unit_test(mirrors_and_plain_hosts),
		cmocka_unit_test(credentials_are_for_one_host),
		cmocka_unit_test(complaints_of_skopeo),
		cmocka_unit_test(adopted_folders_are_layouts),
		cmocka_unit_test(links_are_not_adopted),
	};

	return cmocka_run_group_tests(tests, unit_folder, unit_folder_gone);
}
