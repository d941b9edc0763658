/* The contract on the real runtime, with a root folder made from this machine's static busybox. */
#include "backend.h"

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend/cgroup.h"
#include "base/fs.h"
#include "base/mem.h"

int main(void)
{
	const struct CMUnitTest tests[] = {CONTRACT_TESTS};
	auto_free struct image_config *image = mem_zero(sizeof(*image));
	char dir[] = "/tmp/leased-oci-XXXXXX";
	auto_spec struct spec spec = {0};
	struct contract c = {.backend = &backend_oci, .echo = "a b c"};
	const char *runtime = getenv("LEASED_TEST_RUNTIME");
	struct CMUnitTest with_state[ARRAY_SIZE(tests)];
	struct err err;
	int failed;

	if (!mkdtemp(dir) || contract_make_root(dir, &err) < 0)
		return 1;
	auto_free char *root = mem_printf("%s/rootfs", dir);
	auto_free char *state = mem_printf("%s/runtime", dir);
	auto_free char *parent = mem_printf("/leased-contract-%d", (int)getpid());
	auto_free char *cgroup = mem_printf("%s/box", parent);
	contract_fill_spec(&spec);
	c.box = (struct box){.id = "00000000000000c2",
			     .dir = dir,
			     .runtime = runtime ? runtime : "runc",
			     .runtime_root = state,
			     .cgroup = cgroup,
			     .spec = &spec,
			     .image = image,
			     .root = root,
			     .user = {.home = "/"}};
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++) {
		with_state[i] = tests[i];
		with_state[i].initial_state = &c;
	}
	failed = cmocka_run_group_tests_name("backend_oci", with_state, NULL, NULL);
	if (cgroup_remove(parent, &err) < 0 || fs_remove_tree(dir, &err) < 0)
		failed = 1;
	return failed;
}
