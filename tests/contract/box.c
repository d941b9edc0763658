/* What a real box of the contract runs: this machine's static busybox. */
#include "backend.h"

#include <cmocka.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/proc.h"

int contract_make_root(const char *dir, struct err *e)
{
	static const char *const folders[] = {"bin", "dev", "etc", "proc", "run", "sys", "tmp"};
	static const char *const links[] = {"sh", "sleep", "echo"};
	auto_free char *busybox = mem_printf("%s/rootfs/bin/busybox", dir);
	const char *const copy[] = {"cp", "/bin/busybox", busybox, NULL};

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		auto_free char *path = mem_printf("%s/rootfs/%s", dir, folders[i]);

		if (fs_mkdirs(path, 0755, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		auto_free char *path = mem_printf("%s/rootfs/bin/%s", dir, links[i]);

		if (symlink("busybox", path) < 0)
			return err_sys(e, "link %s", path);
	}
	return proc_check(copy, 10000, e);
}

void contract_fill_spec(struct spec *s)
{
	struct err err;

	s->limits = (struct spec_limits){
		.cpu = 1000, .memory = 64 << 20, .pids = 64, .disk = SPEC_DISK_MIN};
	assert_int_equal(spec_set_image(s, STR("oci:busybox"), &err), 0);
	assert_int_equal(spec_add_arg(s, STR("/bin/sleep"), &err), 0);
	assert_int_equal(spec_add_arg(s, STR("1000"), &err), 0);
	assert_int_equal(spec_set_env(s, STR("PATH"), STR("/bin"), &err), 0);
}
