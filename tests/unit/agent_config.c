/* leased.conf: what is refused, with its line; what is printed reads back; the key files. */
#include "unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "agent/config.h"
#include "agent/keys.h"

#define HEAD  "[nostr]\nrelay = wss://r.example\n[wallet]\nmint = https://m.example/Bitcoin\n"
#define OFFER "[offer small]\nprice = 10sat/h\nimage = alpine=oci:/srv/alpine:3.20\n"

static int load(void **state, const char *text, struct config **out, struct err *e)
{
	auto_free char *path = mem_printf("%s/leased.conf", (char *)*state);

	*out = NULL;
	assert_int_equal(fs_write(path, text, strlen(text), 0644, e), 0);
	return config_load(out, path, e);
}

static void a_short_file_is_enough(void **state)
{
	auto_config struct config *c = NULL;
	struct err e = {0};

	if (load(state, HEAD OFFER, &c, &e))
		fail_msg("%s", e.msg);
	assert_string_equal(c->relays[0], "wss://r.example");
	assert_null(c->relays[1]);
	assert_string_equal(c->control_socket, RUNDIR "/core/leased.sock");
	assert_int_equal(c->activation, CONFIG_AUTO);
	assert_int_equal(c->header, CONFIG_HEADER_TMPFS);
	assert_true(c->require_lock);
	assert_int_equal(c->noffers, 1);
	assert_int_equal(c->offers[0]->max_lease, 86400);
	assert_int_equal(c->offers[0]->start_timeout, 300);
	assert_int_equal(c->offers[0]->price.per, 3600);
	assert_string_equal(c->offers[0]->images[0].name, "alpine");
	assert_string_equal(c->offers[0]->images[0].path, "/srv/alpine");
	assert_string_equal(c->offers[0]->images[0].tag, "3.20");
}

static void images_of_registries_and_archives(void **state)
{
	static const char text[] =
		HEAD "[images]\nreach = r.lan:5000=10.0.0.5\nreach = m.lan=10.0.0.6\n"
		     "plain_http = m.lan\nmirror = docker.io=m.lan/hub\npulls = 3\n"
		     "[offer far]\nprice = 10sat/h\n"
		     "image = app=R.lan:5000/team/app\nimage = docker.io/busybox\n"
		     "image = a:1=oci-archive:/srv/a.tar:2\nimage = docker.io/*\n";
	auto_config struct config *c = NULL, *near = NULL;
	const struct config_image *im;
	struct err e = {0};

	if (load(state, text, &c, &e))
		fail_msg("%s", e.msg);
	im = c->offers[0]->images;
	assert_int_equal(c->offers[0]->nimages, 4);
	assert_int_equal(im[0].kind, CONFIG_IMAGE_REGISTRY);
	assert_string_equal(im[0].name, "app");
	assert_string_equal(im[0].ref, "r.lan:5000/team/app:latest");
	assert_string_equal(im[1].name, "docker.io/busybox");
	assert_string_equal(im[1].ref, "docker.io/library/busybox:latest");
	assert_int_equal(im[2].kind, CONFIG_IMAGE_ARCHIVE);
	assert_string_equal(im[2].ref, "oci-archive:/srv/a.tar:2");
	assert_int_equal(im[3].kind, CONFIG_IMAGE_PATTERN);
	assert_true(c->pulls_images);
	assert_int_equal(c->nreach, 2);
	assert_int_equal(c->reach[0].port, 5000);
	assert_int_equal(c->reach[1].port, 80); /* plain */
	assert_int_equal(c->reach[1].addr, 0x0a000006);
	if (load(state, HEAD OFFER, &near, &e))
		fail_msg("%s", e.msg);
	assert_false(near->pulls_images);
	/* the last addresses are those of pulls */
	assert_int_equal(c->net_slots, near->net_slots - 3);
}

static void folders_for_all_leases(void **state)
{
	auto_config struct config *c = NULL;
	struct err e = {0};

	if (load(state, HEAD "[volume]\nassets = a=/srv/a=b\nassets = models=/m\n" OFFER, &c, &e))
		fail_msg("%s", e.msg);
	assert_int_equal(c->nassets, 2);
	assert_string_equal(c->assets[0].name, "a");
	assert_string_equal(c->assets[0].folder, "/srv/a=b");
	assert_string_equal(c->assets[1].name, "models");
}

static void what_is_wrong_is_named(void **state)
{
	static const struct {
		const char *text, *want;
	} bad[] = {
		{"", "relay is missing"},
		{"[nostr]\nrelay = wss://r\n", "mint is missing"},
		{HEAD, "no [offer NAME]"},
		{HEAD "[offer small]\nimage = oci:/x\n", "[offer small]: price is missing"},
		{HEAD "[offer small]\nprice = 1sat/h\n", "no image"},
		{HEAD "[offer Small]\n", ":5: an offer's name"},
		{"[nostr]\nrelay = http://r\n", ":2: relay"},
		{"[nostr]\nrelay = wss://u@r\n", ":2: relay"},
		{"[nostr]\nrelay = ws://r\n[wallet]\nmint = https://m\n" OFFER, "allow_local"},
		{"[wallet]\nmint = https://m?x=1\n", ":2: mint"},
		{"[wallet]\nunit = usd\n", ":2: unit: \"usd\" is none of: sat"},
		{"[images]\nmirror = docker.io\n" HEAD OFFER, "is not HOST=MIRROR"},
		{"[images]\nmirror = docker.io=m.lan/A\n" HEAD OFFER, "no proper path"},
		{"[images]\nmirror = docker.io=m lan\n" HEAD OFFER, "names no host"},
		{"[volume]\nassets = models\n" HEAD OFFER, ":2: assets: want NAME=/FOLDER"},
		{"[volume]\nassets = Models=/srv\n" HEAD OFFER, "want NAME=/FOLDER"},
		{HEAD "[volume]\nassets = a=/srv\nassets = a=/x\n" OFFER, "a is there twice"},
		{"[images]\nreach = r.lan=here\n" HEAD OFFER, "is not HOST[:PORT]=ADDRESS"},
		{"[images]\nplain_http = http://r.lan\n" HEAD OFFER, "is no HOST[:PORT]"},
		{"[images]\ndefault_registry = Docker.io\n" HEAD OFFER, "lower case"},
		{HEAD "[offer a]\nprice = 1sat/h\nimage = x=busybox\n", ":7: image"},
		{HEAD "[offer a]\nprice = 1sat/h\nimage = docker.io*\n", "is no pattern"},
		{HEAD OFFER "capability = FLY\n", ":8: capability"},
		{HEAD OFFER "capability = SYS_ADMIN\n", "a grant gives it to a whole offer"},
		{HEAD OFFER "rlimit = nofile\n", ":8: rlimit"},
		{HEAD OFFER "rlimit = core:1\n", "write NAME:MAX"},
		{HEAD OFFER "gpu = nvidia\n", ":8: gpu"},
		{HEAD OFFER "gpu = matrox:1\n", "write VENDOR:COUNT"},
		{HEAD OFFER "gpu = amd:1@0,0\n", "card 0 is named twice"},
		{HEAD OFFER "gpu = amd:3@0,1\n", "3 cards of 2 that are named"},
		{HEAD OFFER "gpu_max = 17\n", ":8: gpu_max"},
		{HEAD OFFER "grant = kvm.json\n", ":8: grant"},
		{HEAD OFFER "backend = podman\n",
		 ":8: backend: \"podman\" is none of: oci, docker"},
		{"[runtime]\ndocker = tcp://10.0.0.5:2375\n", ":2: docker"},
		{HEAD "[offer a]\nprice = 1sat/h\nimage = docker.io/a/b\n", "names no resolver"},
		{HEAD "[offer a]\nprice = 1sat/h\nimage = docker.io/a/b\n[images]\npulls = 16\n"
		      "[network]\nresolver = 9.9.9.9\nsource_ports = 8192\n",
		 "none is left for leases"},
		{"[volume]\nactivation = zfs\n", "auto, dm-crypt, fuse, none"},
		{HEAD OFFER "image = alpine=docker:/x\n", ":8: image"},
		{HEAD OFFER "image = oci:relative\n", ":8: image"},
		{HEAD OFFER "image = alpine=oci:/other\n", "alpine is given twice"},
		{HEAD OFFER "max_lease = 2d\n", "24h"},
		{HEAD OFFER "cpu = 5m\n", ":8: cpu"},
		{HEAD OFFER "[limits]\nmax_lease = 1h\n", "longer than that of [limits]"},
		{"[agent]\nstate_dir = here\n", ":2: state_dir"},
		{HEAD OFFER "[network]\nmode = internet\n", "no resolver is named"},
		{HEAD OFFER "[network]\nresolver = ns.example\n", "is no IPv4 address"},
		{HEAD OFFER "[network]\naddresses = 10.211.0.0\n", "is no range"},
		{HEAD OFFER "[network]\naddresses = 10.211.0.1/16\n", "is no range"},
		{HEAD OFFER "[network]\naddresses = 10.0.0.0/8\n", "is no range"},
	};
	struct err e = {0};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		auto_config struct config *c = NULL;

		if (load(state, bad[i].text, &c, &e) != -1)
			fail_msg("took %s", bad[i].text);
		if (!strstr(e.msg, bad[i].want) || !strstr(e.msg, "leased.conf"))
			fail_msg("%s gave: %s", bad[i].text, e.msg);
	}
}

static void offers_say_what_buyers_may_ask_for(void **state)
{
	auto_config struct config *c = NULL;
	const struct spec_allowance *a;
	struct err e = {0};

	if (load(state,
		 HEAD OFFER "capability = NET_RAW\ncapability = CAP_SYS_PTRACE\n"
			    "rlimit = nofile:4096\nrlimit = memlock:64Mi\n"
			    "gpu = amd:2@5,0,3\ngpu_max = 2\ngrant = /etc/leased/kvm.json\n",
		 &c, &e))
		fail_msg("%s", e.msg);
	a = &c->offers[0]->allow;
	assert_int_equal(a->caps, spec_cap(STR("NET_RAW")) | spec_cap(STR("SYS_PTRACE")));
	assert_int_equal(a->rlimits[SPEC_RLIMIT_NOFILE], 4096);
	assert_int_equal(a->rlimits[SPEC_RLIMIT_MEMLOCK], 64 << 20);
	assert_int_equal(a->cards.vendor, SPEC_AMD);
	assert_int_equal(a->cards.count, 2);
	assert_int_equal(a->cards.each, 2);
	assert_int_equal(a->cards.nonly, 3);
	assert_int_equal(a->cards.only[1], 0);
	assert_string_equal(c->offers[0]->grant, "/etc/leased/kvm.json");
}

static void offers_name_their_backend(void **state)
{
	auto_config struct config *c = NULL, *plain = NULL;
	struct err e = {0};

	if (load(state,
		 "[runtime]\nbackend = docker\ndocker = unix:///run/d.sock\n" HEAD OFFER
		 "[offer own]\nbackend = oci\nprice = 1sat/h\nimage = oci:/x\ngrant = /etc/g\n",
		 &c, &e))
		fail_msg("%s", e.msg);
	assert_int_equal(c->offers[0]->backend, CONFIG_DOCKER);
	assert_int_equal(c->offers[1]->backend, CONFIG_OCI);
	assert_string_equal(c->docker, "unix:///run/d.sock");
	assert_true(config_uses(c, CONFIG_OCI) && config_uses(c, CONFIG_DOCKER));
	if (load(state, HEAD OFFER, &plain, &e))
		fail_msg("%s", e.msg);
	assert_int_equal(plain->offers[0]->backend, CONFIG_OCI);
	assert_false(config_uses(plain, CONFIG_DOCKER));
}

/* All but what would end the bounds that are left. */
static void docker_gives_what_it_can(void **state)
{
	const struct spec_grant privileged = {.privileged = true}, network = {.host_network = true},
				harmless = {.new_privileges = true};
	auto_config struct config *c = NULL;
	struct err e = {0};

	if (load(state,
		 HEAD OFFER
		 "backend = docker\ngrant = /etc/g\ngpu = amd:1\n"
		 "capability = SYS_PTRACE\n[offer own]\nprice = 1sat/h\nimage = oci:/x\n",
		 &c, &e))
		fail_msg("%s", e.msg);
	assert_int_equal(config_check_grant(c->offers[0], &harmless, &e), 0);
	assert_int_equal(config_check_grant(c->offers[0], &privileged, &e), -1);
	assert_non_null(strstr(e.msg, "privileged: backend docker"));
	assert_int_equal(config_check_grant(c->offers[0], &network, &e), -1);
	assert_non_null(strstr(e.msg, "network: backend docker"));
	assert_int_equal(config_check_grant(c->offers[1], &privileged, &e), 0);
}

static void addresses_make_slots(void **state)
{
	auto_config struct config *wide = NULL, *few = NULL;
	struct err e = {0};

	if (load(state, HEAD OFFER "[network]\naddresses = 10.7.0.0/24\n", &wide, &e) ||
	    load(state,
		 HEAD OFFER "[network]\nmode = internet\nresolver = 9.9.9.9\nsource_ports = 512\n",
		 &few, &e))
		fail_msg("%s", e.msg);
	assert_int_equal(wide->net_base, 0x0a070000);
	assert_int_equal(wide->net_slots, 128);
	assert_int_equal(few->net_slots, 108);
	assert_int_equal(few->resolver[0], 0x09090909);
}

static void a_disk_header_allows_longer_leases(void **state)
{
	auto_config struct config *c = NULL;
	struct err e = {0};

	assert_int_equal(
		load(state, HEAD OFFER "max_lease = 2d\n[volume]\nheader = disk\n", &c, &e), 0);
}

static void what_is_printed_is_the_same_configuration(void **state)
{
	auto_config struct config *c = NULL, *again = NULL;
	auto_buf struct buf text = BUF(1 << 16);
	auto_buf struct buf text2 = BUF(1 << 16);
	struct err e = {0};

	assert_int_equal(load(state,
			      HEAD OFFER "[offer big]\nprice=1sat/s\nimage=oci:/b\ncpu=2500m\n", &c,
			      &e),
			 0);
	config_print(&text, c);
	if (load(state, text.p, &again, &e))
		fail_msg("%s", e.msg);
	config_print(&text2, again);
	assert_string_equal(text.p, text2.p);
	assert_string_equal(again->offers[1]->images[0].name, "oci:/b");
}

/* Plain HTTP: on loopback, and not on a port of root's. */
static void metrics_are_read_on_loopback_alone(void **state)
{
	static const struct {
		const char *text, *address;
		uint16_t port; /* 0: refused */
	} cases[] = {
		{"127.0.0.1:9737", "127.0.0.1", 9737},
		{"[::1]:65535", "::1", 65535},
		{"127.8.9.1:1024", "127.8.9.1", 1024},
		{"0.0.0.0:9737", "", 0},
		{"[::]:9737", "", 0},
		{"::1:9737", "", 0},
		{"[127.0.0.1]:9737", "", 0},
		{"10.0.0.1:9737", "", 0},
		{"[::ffff:127.0.0.1]:9737", "", 0},
		{"127.0.0.1:80", "", 0},
		{"127.0.0.1:65536", "", 0},
		{"127.0.0.1:", "", 0},
		{"127.0.0.1", "", 0},
		{"localhost:9737", "", 0},
		{":9737", "", 0},
		{"on", "", 0},
	};
	struct err e;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_config struct config *c = config_new();

		free(c->metrics);
		c->metrics = mem_strdup(cases[i].text);
		if (config_check_metrics(c, &e) != (cases[i].port ? 0 : -1))
			fail_msg("%s", cases[i].text);
		assert_int_equal(c->metrics_port, cases[i].port);
		if (cases[i].port)
			assert_string_equal(c->metrics_address, cases[i].address);
	}
}

static void keys_are_made_once_and_private(void **state)
{
	auto_free char *dir = mem_printf("%s/keys", (char *)*state);
	auto_free char *seed_key = mem_printf("%s/keys.key", (char *)*state);
	auto_free char *file = mem_printf("%s/nostr.key", dir);
	const struct keys_plan plan = {
		.state_dir = dir, .seed_key = seed_key, .uid = getuid(), .gid = getgid()};
	auto_keys struct keys k, again;
	struct err e = {0};

	assert_int_equal(keys_load(&k, dir, seed_key, &e), -1);
	assert_non_null(strstr(e.msg, "leasectl init"));
	assert_int_equal(keys_create(&plan, &e), 0);
	assert_int_equal(keys_load(&k, dir, seed_key, &e), 0);
	assert_int_equal(keys_create(&plan, &e), 0);
	assert_int_equal(keys_load(&again, dir, seed_key, &e), 0);
	assert_memory_equal(&k, &again, sizeof(k));
	assert_int_equal(chmod(file, 0644), 0);
	assert_int_equal(keys_load(&again, dir, seed_key, &e), -1);
	assert_non_null(strstr(e.msg, file));
}

static void given_keys_are_taken_or_refused(void **state)
{
	auto_free char *dir = mem_printf("%s/given", (char *)*state);
	auto_free char *seed_key = mem_printf("%s/given.key", (char *)*state);
	struct keys_plan plan = {
		.state_dir = dir, .seed_key = seed_key, .uid = getuid(), .gid = getgid()};
	auto_keys struct keys k;
	struct err e = {0};

	plan.key = STR("0000000000000000000000000000000000000000000000000000000000000000");
	assert_int_equal(keys_create(&plan, &e), -1);
	plan.key = STR("0000000000000000000000000000000000000000000000000000000000000003");
	plan.words = STR("leader leader");
	assert_int_equal(keys_create(&plan, &e), -1);
	plan.words =
		STR("leader monkey parrot ring guide accident before fence cannon height naive "
		    "bean");
	assert_int_equal(keys_create(&plan, &e), 0);
	assert_int_equal(keys_load(&k, dir, seed_key, &e), 0);
	assert_int_equal(k.nostr.b[31], 3);
}

static void write_template(void **state, const char *name, const char *text, mode_t mode)
{
	auto_free char *path = mem_printf("%s/%s.json", (char *)*state, name);
	struct err e;

	assert_int_equal(fs_write(path, text, strlen(text), mode, &e), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void templates_are_read_from_their_files(void **state)
{
	static const struct {
		const char *text;
		mode_t mode;
		const char *says;
	} bad[] = {
		{"{\"description\":\"x\",\"spec\":{\"image\":\"oci:/b\"},\"flags\":1}", 0644,
		 "/t.json: flags: unknown"},
		{"{\"description\":\"x\",\"spec\":{\"image\":\"oci:/b\"},\"minimum\":"
		 "{\"memory\":\"4Gi\"}}",
		 0644, "template t: memory: template t needs"},
		{"{\"description\":\"x\",\"spec\":{\"image\":\"oci:/b\",\"network\":\"internet\"}}",
		 0644, "template t: spec: network: this provider does not offer"},
		{"{\"description\":\"x\",\"spec\":{\"image\":\"what\"}}", 0644,
		 "template t: spec.image: image what: a short name"},
		{"{\"description\":\"x\",\"spec\":{\"image\":\"oci:/b\"},\"grant\":"
		 "{\"network\":\"host\"},\"reasons\":{\"network\":\"x\"}}",
		 0644, "template t: grant.network: only a whole offer"},
		{"{\"description\":\"x\",\"spec\":{\"image\":\"oci:/b\"}}", 0666, "chmod go-w"},
		{"{\"description\":\"x\",\"spec\":{\"image\":\"oci:/b\"}}", 0600, "chmod go+r"},
		{NULL, 0644, "template t: too long to be shown to buyers"},
	};
	auto_free char *text =
		mem_printf("%s[agent]\ntemplates = %s\n[offer small]\nprice = 10sat/h\n"
			   "template = t\n",
			   HEAD, (char *)*state);
	auto_free char *none = mem_printf("%stemplate = u\n", text);
	auto_free char *large =
		mem_printf("{\"description\":\"x\",\"spec\":{\"image\":\"oci:/b\","
			   "\"args\":[\"%07500d\",\"%07500d\",\"%07500d\",\"%07500d\"]}}",
			   0, 0, 0, 0);
	struct err e = {0};
	struct config *c;

	assert_int_equal(load(state, text, &c, &e), -1);
	assert_non_null(strstr(e.msg, "template t: there is no t.json in"));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		write_template(state, "t", bad[i].text ? bad[i].text : large, bad[i].mode);
		if (load(state, text, &c, &e) == 0 || !strstr(e.msg, bad[i].says))
			fail_msg("%zu: %s", i, e.msg);
	}
	write_template(state, "t", "{\"description\":\"x\",\"spec\":{\"image\":\"oci:/b\"}}", 0644);
	if (load(state, text, &c, &e))
		fail_msg("%s", e.msg);
	assert_int_equal(c->offers[0]->ntemplates, 1);
	assert_int_equal(c->offers[0]->nimages, 1);
	assert_string_equal(c->offers[0]->images[0].path, "/b");
	config_free(c);
	assert_int_equal(load(state, none, &c, &e), -1);
	assert_non_null(strstr(e.msg, "there is no u.json"));
	write_template(
		state, "u",
		"{\"description\":\"x\",\"slugs\":[\"a\",\"t\"],\"spec\":{\"image\":\"oci:/b\"}}",
		0644);
	assert_int_equal(load(state, none, &c, &e), -1);
	assert_non_null(strstr(e.msg, "template u: slugs: template t of this offer has t, too"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_short_file_is_enough),
		cmocka_unit_test(images_of_registries_and_archives),
		cmocka_unit_test(folders_for_all_leases),
		cmocka_unit_test(templates_are_read_from_their_files),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(a_disk_header_allows_longer_leases),
		cmocka_unit_test(what_is_printed_is_the_same_configuration),
		cmocka_unit_test(metrics_are_read_on_loopback_alone),
		cmocka_unit_test(keys_are_made_once_and_private),
		cmocka_unit_test(offers_say_what_buyers_may_ask_for),
		cmocka_unit_test(offers_name_their_backend),
		cmocka_unit_test(docker_gives_what_it_can),
		cmocka_unit_test(addresses_make_slots),
		cmocka_unit_test(given_keys_are_taken_or_refused),
	};

	return cmocka_run_group_tests(tests, unit_folder, unit_folder_gone);
}
