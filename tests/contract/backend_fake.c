/* The contract on the fake backend. */
#include "backend.h"

#include <cmocka.h>
#include <stdlib.h>

#include "base/fs.h"

int main(void)
{
	const struct CMUnitTest tests[] = {CONTRACT_TESTS};
	char dir[] = "/tmp/leased-fake-XXXXXX";
	struct contract c = {.backend = &backend_fake, .echo = "echo a b c"};
	struct CMUnitTest with_state[ARRAY_SIZE(tests)];
	struct err err;
	int failed;

	if (!mkdtemp(dir))
		return 1;
	c.box = (struct box){.id = "00000000000000c1", .dir = dir};
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++) {
		with_state[i] = tests[i];
		with_state[i].initial_state = &c;
	}
	failed = cmocka_run_group_tests_name("backend_fake", with_state, NULL, NULL);
	return fs_remove_tree(dir, &err) < 0 || failed;
}
