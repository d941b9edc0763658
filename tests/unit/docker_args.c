/* From a box to Docker's arguments: what a stranger says is a value or lies behind the image. */
#include "unit.h"

#include <string.h>

#include "backend/docker_impl.h"
#include "base/mem.h"

static struct box a_box(struct spec *s)
{
	s->limits = (struct spec_limits){
		.cpu = 50, .memory = 64 << 20, .pids = 64, .disk = SPEC_DISK_MIN, .swap = 1 << 20};
	return (struct box){.id = "00000000000000d1",
			    .dir = "/run/x",
			    .cgroup = "/leased/x",
			    .owner = "me",
			    .spec = s,
			    .probe = "/probe",
			    .root = "/run/x/rootfs"};
}

/* Separated by blanks, so that they can be compared. */
static char *args_of(const struct box *box, bool slices)
{
	auto_buf struct buf b = BUF(DOCKER_ARGS_MAX);
	struct err err = {0};

	if (docker_args(&b, box, slices, &err) < 0)
		fail_msg("%s", err.msg);
	for (size_t i = 0; i < b.n; i++)
		if (!b.p[i])
			b.p[i] = ' ';
	return buf_steal(&b);
}

static void assert_refused(const struct box *box, const char *what)
{
	auto_buf struct buf b = BUF(DOCKER_ARGS_MAX);
	struct err err = {0};

	assert_int_equal(docker_args(&b, box, false, &err), -1);
	if (!strstr(err.msg, what))
		fail_msg("no \"%s\" in: %s", what, err.msg);
}

static void nobody_adds_a_flag(void **state)
{
	auto_spec struct spec s = {0};
	struct box box = a_box(&s);
	auto_free char *args = NULL;
	const char *end = " --entrypoint " GATE_PROGRAM " -- " DOCKER_IMAGE " ";
	struct err err;

	s.has_entrypoint = true;
	assert_int_equal(spec_add_entrypoint(&s, STR("--one"), &err), 0);
	assert_int_equal(spec_add_arg(&s, STR("--privileged"), &err), 0);
	assert_int_equal(spec_set_env(&s, STR("A"), STR("--privileged"), &err), 0);
	assert_int_equal(spec_set_workdir(&s, STR("/--privileged"), &err), 0);
	args = args_of(&box, false);
	assert_null(strstr(args, "--one"));
	assert_null(strstr(args, "--privileged"));
	assert_string_equal(args + strlen(args) - strlen(end), end);
}

static void whose_it_is(void **state)
{
	auto_spec struct spec s = {0};
	struct box box = a_box(&s);
	auto_free char *args = NULL;

	box.user = (struct image_user){.uid = 5, .gid = 6, .ngroups = 2, .groups = {7, 8}};
	args = args_of(&box, false);
	assert_non_null(strstr(args, " --user 5:6 --group-add 7 --group-add 8 "));
}

static void limits(void **state)
{
	auto_spec struct spec s = {0};
	struct box box = a_box(&s);
	auto_free char *args = args_of(&box, false), *slices = args_of(&box, true);

	assert_non_null(strstr(args, " --memory 67108864 --memory-swap 68157440 "));
	assert_non_null(strstr(args, " --cpu-period 1000000 --cpu-quota 50000 "));
	assert_non_null(strstr(args, " --pids-limit 64 "));
	assert_non_null(strstr(args, " --ulimit core=0:0 "));
	assert_non_null(strstr(args, " --cgroup-parent /leased/x "));
	assert_null(strstr(slices, "--cgroup-parent"));
}

static void who_it_is(void **state)
{
	auto_spec struct spec s = {0};
	struct box box = a_box(&s);
	auto_free char *args = NULL;
	struct err err;

	/* no label of a stranger is one of Docker's */
	assert_int_equal(spec_set_label(&s, STR("lease.id"), STR("00000000000000d2"), &err), 0);
	args = args_of(&box, false);
	assert_non_null(strstr(args, " --label lease.id=00000000000000d1 "));
	assert_non_null(strstr(args, " --label lease.owner=me "));
	assert_null(strstr(args, "00000000000000d2"));
}

static void storage(void **state)
{
	struct spec_mount mounts[] = {{.type = SPEC_VOLUME, .path = "/a,readonly\"", .name = "a"},
				      {.type = SPEC_TMPFS, .path = "/t", .size = 4096}};
	const char *const volumes[] = {"/mnt/a,b", NULL};
	struct spec s = {.storage = {mounts, ARRAY_SIZE(mounts)}};
	struct box box = a_box(&s);
	auto_free char *args = NULL;

	box.volumes = volumes;
	args = args_of(&box, false);
	assert_non_null(strstr(
		args, " type=bind,\"source=/mnt/a,b\",\"target=/leased-root/a,readonly\"\"\" "));
	assert_non_null(strstr(args, " /leased-root/t:rw,exec,nosuid,nodev,mode=1777,size=4096 "));
	assert_non_null(strstr(args, " --read-only "));
	assert_non_null(
		strstr(args, " type=bind,\"source=/run/x/rootfs\",\"target=/leased-root\" "));
	assert_non_null(
		strstr(args, " type=bind,\"source=/probe\",\"target=/leased-gate\",readonly "));
	memcpy(mounts[1].path, "/t:x", sizeof("/t:x"));
	assert_refused(&box, "\":\"");
	mounts[1].path[2] = '\0';
	box.volumes = NULL;
	assert_refused(&box, "was not prepared");
}

static void what_the_operator_gives(void **state)
{
	struct spec_device device = {"/run/x/node", "/dev/kvm", true, true, 'c', 10, 232};
	struct spec_bind bind = {"/srv/models", "/models", true};
	struct spec_grant grant = {.binds = &bind, .nbinds = 1, .devices = &device, .ndevices = 1};
	auto_spec struct spec s = {0};
	struct box box = a_box(&s);
	auto_free char *none = NULL, *args = NULL, *more = NULL;

	none = args_of(&box, false);
	box.grant = &grant;
	args = args_of(&box, false);
	assert_null(strstr(none, "--device "));
	assert_non_null(strstr(args, " --device /run/x/node:/dev/kvm:rw "));
	assert_non_null(
		strstr(args, "\"source=/srv/models\",\"target=/leased-root/models\",readonly "));
	assert_non_null(strstr(args, " --security-opt no-new-privileges "));
	assert_null(strstr(args, "--cap-add SYS_PTRACE "));
	grant.new_privileges = true;
	grant.caps = spec_cap(STR("SYS_PTRACE"));
	more = args_of(&box, false);
	assert_null(strstr(more, "no-new-privileges"));
	assert_non_null(strstr(more, " --cap-add SYS_PTRACE "));
	device.target = (char *)"/dev/a:b";
	assert_refused(&box, "\":\"");
}

static void what_it_cannot(void **state)
{
	auto_spec struct spec s = {0};
	struct spec_grant grant = {.privileged = true};
	struct box box = a_box(&s);

	box.grant = &grant;
	assert_refused(&box, "privileged");
	grant = (struct spec_grant){.host_network = true};
	assert_refused(&box, "host's network");
	s.gpu.count = 1;
	box.grant = NULL;
	assert_refused(&box, "gpu");
	s.gpu.count = 0;
	box.grant = NULL;
	box.probe = NULL;
	assert_refused(&box, "not installed");
	box.probe = "/probe";
	box.id_count = 65536;
	assert_refused(&box, "user namespace");
	box.id_count = 0;
	s.powers.add = spec_cap(STR("SYS_ADMIN"));
	assert_refused(&box, "CAP_SYS_ADMIN is not given");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(nobody_adds_a_flag),
					   cmocka_unit_test(whose_it_is),
					   cmocka_unit_test(limits),
					   cmocka_unit_test(who_it_is),
					   cmocka_unit_test(storage),
					   cmocka_unit_test(what_the_operator_gives),
					   cmocka_unit_test(what_it_cannot)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
