/* Files of the Container Device Interface, as vendors write them and as nobody should. */
#include "spec/cdi.h"
#include "unit.h"

#define HEAD "{\"cdiVersion\":\"0.5.0\",\"kind\":\"nvidia.com/gpu\","

/* The form that nvidia-ctk writes, cut short. */
static const char NVIDIA[] =
	HEAD "\"devices\":[{\"name\":\"0\",\"containerEdits\":{\"deviceNodes\":[{\"path\":\"/dev/"
	     "nvidia0\","
	     "\"major\":195,\"minor\":7,\"fileMode\":438,\"permissions\":\"rwm\",\"uid\":0,\"gid\":"
	     "0}]}},"
	     "{\"name\":\"all\",\"containerEdits\":{\"deviceNodes\":[{\"path\":\"/dev/nvidia0\"},"
	     "{\"path\":\"/dev/nvidia1\",\"hostPath\":\"/dev/other\",\"permissions\":\"r\"}]}}],"
	     "\"containerEdits\":{\"env\":[\"NVIDIA_VISIBLE_DEVICES=void\",\"A=\",\"A=b=c\"],"
	     "\"deviceNodes\":[{\"path\":\"/dev/nvidiactl\"}],"
	     "\"mounts\":[{\"hostPath\":\"/usr/lib/libcuda.so.1\",\"containerPath\":\"/usr/lib/"
	     "libcuda.so\","
	     "\"options\":[\"rw\",\"nosuid\",\"nodev\",\"bind\"]},"
	     "{\"hostPath\":\"tmpfs\",\"containerPath\":\"/x\",\"type\":\"tmpfs\"}],"
	     "\"hooks\":[{\"hookName\":\"createContainer\",\"path\":\"/usr/bin/"
	     "nvidia-ctk\",\"args\":[]}]}}";

static void what_is_said_is_read(void **state)
{
	auto_spec_cdi struct spec_cdi c = {0};
	const struct spec_device *d;
	struct err e = {0};

	if (spec_cdi_decode(&c, str_of(NVIDIA), &e))
		fail_msg("%s", e.msg);
	assert_string_equal(c.kind, "nvidia.com/gpu");
	assert_int_equal(c.ndevices, 2);
	assert_string_equal(c.devices[0].name, "0");
	d = c.devices[0].edits.grant.devices;
	assert_string_equal(d->path, "/dev/nvidia0");
	assert_true(d->read && d->write);
	assert_int_equal(d->type, 0); /* numbers are asked of the host, not of the file */
	d = &c.devices[1].edits.grant.devices[1];
	assert_string_equal(d->path, "/dev/other");
	assert_string_equal(d->target, "/dev/nvidia1");
	assert_true(d->read && !d->write);
	assert_int_equal(c.common.grant.nbinds, 1);
	assert_true(c.common.grant.binds[0].read_only); /* whatever it says */
	assert_string_equal(spec_map_get(&c.common.env, STR("A")), "b=c");
	assert_int_equal(c.common.hooks, 1);
	assert_int_equal(c.common.others, 1);
}

static void what_two_cards_share_is_there_once(void **state)
{
	struct spec_cdi_edits sum = {0};
	auto_spec_cdi struct spec_cdi c = {0};
	struct err e = {0};

	assert_int_equal(spec_cdi_decode(&c, str_of(NVIDIA), &e), 0);
	spec_cdi_edits_add(&sum, &c.common);
	spec_cdi_edits_add(&sum, &c.devices[0].edits);
	spec_cdi_edits_add(&sum, &c.devices[1].edits);
	spec_cdi_edits_add(&sum, &c.common);
	assert_int_equal(sum.grant.ndevices, 3);
	assert_int_equal(sum.grant.nbinds, 1);
	assert_int_equal(sum.env.n, 2);
	spec_cdi_edits_clear(&sum);
}

static void what_is_wrong_is_named(void **state)
{
	static const char *const BAD[][2] = {
		{"[]", "cdiVersion: "},
		{"{\"cdiVersion\":\"1.1.0\",\"kind\":\"a/b\",\"devices\":[]}",
		 "cdiVersion: 1.1.0; "},
		{"{\"cdiVersion\":\"0.5.0\",\"kind\":\"gpu\",\"devices\":[]}", "kind: "},
		{HEAD "\"containerEdits\":{}}", "devices: missing"},
		{HEAD "\"devices\":[],\"more\":1}", "more: unknown field"},
		{HEAD "\"devices\":[{\"containerEdits\":{}}]}", "devices[0]."},
		{HEAD "\"devices\":[{\"name\":\"0\",\"containerEdits\":{\"netDevices\":[]}}]}",
		 "devices[0].containerEdits.netDevices: unknown field"},
		{HEAD "\"devices\":[],\"containerEdits\":{\"deviceNodes\":[{}]}}",
		 "containerEdits.deviceNodes[0].path: missing"},
		{HEAD
		 "\"devices\":[],\"containerEdits\":{\"deviceNodes\":[{\"path\":\"/dev/../x\"}]}}",
		 "containerEdits.deviceNodes[0].path: "},
		{HEAD "\"devices\":[],\"containerEdits\":{\"deviceNodes\":[{\"path\":\"/a\","
		      "\"permissions\":\"m\"}]}}",
		 "containerEdits.deviceNodes[0].permissions: neither"},
		{HEAD "\"devices\":[],\"containerEdits\":{\"mounts\":[{\"hostPath\":\"/a\","
		      "\"containerPath\":\"/proc/sys\"}]}}",
		 "containerEdits.mounts[0].containerPath: nothing below /proc"},
		{HEAD "\"devices\":[],\"containerEdits\":{\"mounts\":[{\"hostPath\":\"/a\","
		      "\"containerPath\":\"/\"}]}}",
		 "containerEdits.mounts[0].containerPath: "},
		{HEAD "\"devices\":[],\"containerEdits\":{\"env\":[\"A\"]}}",
		 "containerEdits.env[0]: not NAME=VALUE"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
		struct spec_cdi c;
		struct err e = {0};

		if (spec_cdi_decode(&c, str_of(BAD[i][0]), &e) != -1)
			fail_msg("%s was taken", BAD[i][0]);
		if (strncmp(e.msg, BAD[i][1], strlen(BAD[i][1])) != 0)
			fail_msg("%s: %s", BAD[i][0], e.msg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_said_is_read),
		cmocka_unit_test(what_two_cards_share_is_there_once),
		cmocka_unit_test(what_is_wrong_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
